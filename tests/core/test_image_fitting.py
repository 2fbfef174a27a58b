"""A model file for images: what goes in, what comes out, and that it is the same everywhere."""

import numpy as np
import pytest
import torch
from made_images import digits, fitted, textures
from sklearn.metrics import roc_auc_score

from gandetect import InputError, Scorer, fit_images, read_model
from gandetect.image_schema import IMAGE_INPUT, IMAGE_OUTPUTS
from gandetect.images.fitting import N_IMAGINED
from gandetect.scorer import open_session

NEW = {"whole": digits(0, 1)[:40], "patch": textures(4, seed=1)}
DETECTORS = sorted(NEW)


@pytest.fixture(params=DETECTORS)
def detector(request):
    return request.param


@pytest.fixture
def scorer(detector):
    return Scorer(fitted(detector))


def test_all_outputs_are_finite_and_have_their_shape(scorer, detector):
    images = NEW[detector]
    answers = scorer(images)
    n, side, channels = len(images), scorer.schema.height, scorer.schema.channels
    assert tuple(answers) == IMAGE_OUTPUTS
    assert answers["heatmap"].shape == (n, side, side)
    assert answers["reconstruction"].shape == (n, side, side, channels)
    for name, values in answers.items():
        assert len(values) == n
        assert np.isfinite(values).all(), name
    assert 0 <= answers["reconstruction"].min() <= answers["reconstruction"].max() <= 255
    assert (answers["realness"] > 0).all()
    assert (answers["realness"] < 1).all()


def test_the_detector_and_its_size_are_chosen_from_the_images():
    assert read_model(fitted("whole"))[1]["training"]["settings"]["detector"] == "whole"
    manifest = read_model(fitted("patch"))[1]
    assert manifest["training"]["settings"]["detector"] == "patch"
    assert manifest["image"] == {"height": 128, "width": 128, "channels": 3}


def test_each_side_has_a_size_of_its_own():
    images = np.random.default_rng(0).integers(0, 256, (8, 260, 130, 1)).astype(np.uint8)
    model = fit_images(images, n_steps=1)
    assert read_model(model)[1]["image"] == {"height": 256, "width": 128, "channels": 1}
    assert Scorer(model)(images, ["heatmap"])["heatmap"].shape == (8, 256, 128)


def test_anomalies_score_higher():
    score = Scorer(fitted("whole"))
    images = np.concatenate([digits(0), digits(1)])
    is_anomaly = np.repeat([False, True], [len(digits(0)), len(digits(1))])
    answers = score(images)
    assert roc_auc_score(is_anomaly, answers["anomaly_score"]) > 0.95
    assert roc_auc_score(is_anomaly, -answers["realness"]) > 0.9


def test_the_flag_is_what_the_p_value_says(scorer, detector):
    answers = scorer(NEW[detector])
    alpha = scorer.manifest["calibration"]["alpha"]
    assert np.array_equal(answers["is_anomaly"], answers["p_value"] <= np.float32(alpha))


def test_the_golden_images_are_recomputed(scorer):
    assert scorer.verify() <= 1e-4


def test_an_image_does_not_depend_on_its_neighbours(scorer, detector):
    images = NEW[detector]
    together = scorer(images, ["anomaly_score", "heatmap"])
    alone = scorer(images[1:2], ["anomaly_score", "heatmap"])
    for name, values in alone.items():
        assert np.allclose(values, together[name][1:2], rtol=1e-5, atol=1e-5), name


@pytest.mark.parametrize("side", [0, 9])
def test_no_images_give_no_answers_in_the_bare_runtime(detector, side):
    session = open_session(fitted(detector))
    channels = session.get_inputs()[0].shape[3]
    answers = session.run(None, {IMAGE_INPUT: np.zeros((0, side, side, channels), np.uint8)})
    assert [len(answer) for answer in answers] == [0] * len(IMAGE_OUTPUTS)


def test_images_of_any_size_are_scored(scorer):
    channels = scorer.schema.channels
    for height, width in ((1, 1), (7, 300), (200, 150)):
        scores = scorer(np.full((2, height, width, channels), 90, np.uint8), ["anomaly_score"])["anomaly_score"]
        assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    ("images", "folders"), [(digits(3)[:40], None), (digits(3)[:40], ["a", "b"] * 20), (textures(12), None)]
)
def test_the_same_seed_gives_the_same_bytes_at_any_number_of_threads(images, folders):
    before = torch.get_num_threads()
    first = fit_images(images, folders=folders, n_steps=3, seed=5)
    torch.set_num_threads(2)
    try:
        assert fit_images(images, folders=folders, n_steps=3, seed=5) == first
    finally:
        torch.set_num_threads(before)
    assert fit_images(images, folders=folders, n_steps=3, seed=6) != first


@pytest.mark.parametrize("loss", ["logistic", "least-squares", "hinge", "wasserstein"])
def test_every_loss_trains_both_detectors(loss):
    for images, detector in ((digits(3)[:20], "whole"), (textures(8), "patch")):
        model = fit_images(images, detector=detector, n_steps=2, loss=loss)
        assert read_model(model)[1]["training"]["settings"]["loss"] == loss


def test_a_resumed_fit_ends_with_the_same_bytes(tmp_path):
    images, path = digits(3)[:40], tmp_path / "fit.checkpoint"
    whole = fit_images(images, n_steps=6)

    def stop(progress):
        if progress.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_images(images, n_steps=6, callback=stop, checkpoint=path)
    assert path.exists()
    assert fit_images(images, n_steps=6, checkpoint=path, resume=True) == whole


def test_images_of_several_sizes_train_one_model():
    images = [*digits(0)[:20], *np.kron(digits(0)[20:40], np.ones((1, 3, 2, 1), np.uint8))]
    assert read_model(fit_images(images, n_steps=2))[1]["training"]["n_rows"] == 40


def test_sick_members_are_trained_once_more():
    health = read_model(fit_images(digits(0)[:40], n_steps=2))[1]["health"]
    assert health["restarted"] == [0, 1, 2]
    assert len(health["members"]) == 3


def test_no_patch_member_is_sick_for_images_that_do_not_look_real_from_afar():
    health = read_model(fitted("patch"))[1]["health"]
    assert not [diagnosis for diagnosis in health["diagnoses"] if "generator draws" in diagnosis]


def test_a_share_of_the_training_images_can_be_flagged():
    images = digits(0)[:100]
    scorer = Scorer(fit_images(images, n_steps=20, contamination=0.2))
    assert scorer(images, ["is_anomaly"])["is_anomaly"].sum() == 20


def test_one_threshold_of_the_heat_is_one_false_alarm_rate_of_pixels():
    scorer = Scorer(fitted("whole"))
    heat = scorer(digits(0), ["heatmap"])["heatmap"]
    assert 0.02 < (heat > 1).mean() < 0.15
    assert (heat > 2).mean() < 0.03


def test_a_stain_is_the_hottest_part():
    scorer = Scorer(fitted("patch"))
    heat = scorer(textures(4, stained=True), ["heatmap"])["heatmap"]
    hottest = [np.unravel_index(one.argmax(), one.shape) for one in heat]
    for row, column in hottest:
        assert 34 <= row <= 66
        assert 64 <= column <= 96


@pytest.mark.parametrize(
    ("images", "message"),
    [
        ([], r"Expected at least 8 images to fit, found none; add normal images\."),
        (digits(0)[:5], r"Expected at least 8 images to fit, found 5; add normal images\."),
        (
            np.full((9, 8, 8, 1), 7, np.uint8),
            r"Expected images that differ, found 9 identical ones; add other normal images\.",
        ),
        (
            np.zeros((9, 8, 8, 2), np.uint8),
            r"Expected images of shape \(height, width, channels\) with 1 or 3 channels, found \(8, 8, 2\); .*",
        ),
        (
            [*digits(0)[:9], np.zeros((8, 8, 3), np.uint8)],
            r"Expected images with 1 channel, as the model was trained on, found 3; convert them first\.",
        ),
    ],
    ids=["none", "few", "identical", "two channels", "mixed channels"],
)
def test_images_that_cannot_be_learned_from_are_refused(images, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        fit_images(images, n_steps=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"detector": "both"}, "Expected detector to be one of 'auto', 'whole', 'patch', found 'both'."),
        ({"effort": "huge"}, "Expected effort to be one of 'low', 'default', 'high', found 'huge'."),
        ({"loss": "l2"}, "Expected loss to be one of 'logistic', "),
        ({"n_members": 1}, "Expected n_members to be a whole number of at least 2, found 1."),
        ({"n_steps": 2.5}, "Expected n_steps to be a whole number of at least 1, found 2.5."),
        ({"image_shape": "8x8"}, "Expected image_shape to be (height, width) or (height, width, channels), in whole "),
        ({"image_shape": (8, 8, 1, 1)}, "Expected image_shape to be (height, width) or (height, width, channels), in "),
        ({"image_shape": (8.0, 8)}, "Expected image_shape to be (height, width) or (height, width, channels), in "),
        ({"contamination": 0.6}, "Expected contamination to be 'auto' or in (0, 0.5], found 0.6."),
        ({"seed": -1}, "Expected the seed to be a whole number from 0 to 4294967295, found -1."),
        ({"resume": True}, "Expected a checkpoint to resume from, found none; name its file, or start anew."),
        ({"device": "abacus"}, "Expected a device that torch can train on, found 'abacus'; try 'cpu'."),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(InputError) as caught:
        fit_images(digits(0)[:10], **arguments)
    assert str(caught.value).startswith(message)


def test_whole_numbers_of_numpy_are_settings_too():
    two, eight = np.int64(2), np.int64(8)
    model = fit_images(digits(0)[:20], n_steps=two, n_members=two, image_shape=(eight, eight))
    assert model == fit_images(digits(0)[:20], n_steps=2, n_members=2, image_shape=(8, 8))


def test_what_the_generators_draw_can_be_looked_at_and_changes_nothing():
    drawn = []
    assert fit_images(digits(0), n_steps=40, imagined=drawn.append) == fitted("whole")
    (images,) = drawn
    n_members = read_model(fitted("whole"))[1]["training"]["settings"]["n_members"]
    assert images.shape == (n_members, N_IMAGINED, 32, 32, 1)
    assert images.dtype == np.uint8
    assert len(np.unique(images.reshape(n_members * N_IMAGINED, -1), axis=0)) == n_members * N_IMAGINED
