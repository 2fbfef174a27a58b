"""Images given their folders: one model for several products, each image judged among those of its folder."""

import re
from functools import cache

import numpy as np
import pytest
import torch
from made_images import digits, textures
from sklearn.metrics import roc_auc_score

from gandetect import ImageGANDetector, InputError, Scorer, fit_images, read_model
from gandetect.image_schema import FOLDER_INPUT, IMAGE_INPUT, ImageSchema
from gandetect.images import grid
from gandetect.networks.folders import negatives_of_folders, number_of, with_number
from gandetect.scorer import open_session

PRODUCTS = ("0", "1", "4")
OWN = [name for name in PRODUCTS for _ in range(90)]
OTHER = [PRODUCTS[(PRODUCTS.index(name) + 1) % 3] for name in OWN]
# In the order of the data set, the later digits are other writers'.
SHUFFLED = {name: np.random.default_rng(0).permutation(digits(int(name))) for name in PRODUCTS}
IMAGES = np.concatenate([SHUFFLED[name][:90] for name in PRODUCTS])


FEW, HALVES = np.concatenate([digits(0)[:16], digits(1)[:16]]), ["a"] * 16 + ["b"] * 16


def quickly(folders, **settings):
    return fit_images(FEW, folders=folders, n_members=2, **{"n_steps": 2} | settings)


@cache
def whole():
    return fit_images(IMAGES, folders=OWN, n_members=2, n_steps=60)


@cache
def patches():
    dark, light = textures(8), textures(8, seed=1) // 2 + 127
    return fit_images(np.concatenate([dark, light]), folders=["dark"] * 8 + ["light"] * 8, n_steps=4)


MODELS = {"whole": (whole, PRODUCTS, IMAGES[::20]), "patch": (patches, ("dark", "light"), textures(5, seed=2))}


@pytest.fixture(params=sorted(MODELS))
def case(request):
    fit, folders, images = MODELS[request.param]
    return Scorer(fit()), folders, images


def scores(scorer, images, folders, output="anomaly_score"):
    return scorer(scorer.schema.raw(images, folders), [output])[output]


def test_an_image_in_a_wrong_folder_is_anomalous():
    scorer, is_misplaced = Scorer(whole()), np.repeat([False, True], len(IMAGES))
    for output, sign in (("anomaly_score", 1), ("realness", -1)):
        found = np.concatenate([scores(scorer, IMAGES, folders, output) for folders in (OWN, OTHER)])
        assert roc_auc_score(is_misplaced, sign * found) > 0.9


def test_p_values_of_new_images_hold_in_every_folder():
    for name in PRODUCTS:
        new = SHUFFLED[name][90:]
        p_values = scores(Scorer(whole()), new, [name] * len(new), "p_value")
        assert 0.02 < (p_values <= 0.1).mean() < 0.2


def test_all_answers_are_finite_and_the_golden_images_are_recomputed(case):
    scorer, folders, images = case
    for name in folders:
        answers = scorer(scorer.schema.raw(images, [name] * len(images)))
        assert all(np.isfinite(values).all() for values in answers.values())
        assert answers["reconstruction"].shape[1:] == (scorer.schema.height, scorer.schema.width, images.shape[3])
    assert set(scorer.manifest["golden"]["inputs"]) == {IMAGE_INPUT, FOLDER_INPUT}
    assert scorer.verify() <= 1e-4


def test_every_answer_depends_on_the_folder(case):
    scorer, folders, images = case
    one, another = (scorer(scorer.schema.raw(images, [name] * len(images))) for name in folders[:2])
    for name in ("anomaly_score", "realness", "reconstruction_error", "heatmap"):
        assert not np.allclose(one[name], another[name]), name


def test_an_image_does_not_depend_on_its_neighbours_and_their_folders(case):
    scorer, folders, images = case
    names = [folders[i % len(folders)] for i in range(len(images))]
    together = scores(scorer, images, names)
    alone = [scores(scorer, images[i : i + 1], names[i : i + 1])[0] for i in range(len(images))]
    np.testing.assert_allclose(alone, together, rtol=1e-5, atol=1e-5)


def test_the_bare_runtime_takes_no_images_and_folders_that_are_not_known(case):
    scorer, _, images = case
    session = open_session(whole() if scorer.schema.channels == 1 else patches())
    none = {IMAGE_INPUT: images[:0], FOLDER_INPUT: np.array([], dtype=object)}
    assert [len(answer) for answer in session.run(None, none)] == [0] * len(scorer.schema.outputs)
    unknown = {IMAGE_INPUT: images, FOLDER_INPUT: np.array(["?"] * len(images), dtype=object)}
    assert all(np.isfinite(answer).all() for answer in session.run(None, unknown))


def test_the_same_seed_gives_the_same_bytes_with_the_same_folders():
    assert quickly(HALVES) == quickly(HALVES)
    assert quickly(HALVES) != quickly(HALVES[::-1])


def test_of_many_pictures_some_of_every_folder_are_looked_at(monkeypatch):
    monkeypatch.setattr(grid, "MAX_IMAGES", 8)
    monkeypatch.setattr(grid, "FOLDER_IMAGES", 2)
    pictures = textures(16)
    scorer = Scorer(fit_images(pictures, folders=["a", "b"] * 8, n_members=2, n_steps=1))
    for name in ("a", "b"):
        assert np.isfinite(scores(scorer, pictures[:2], [name] * 2)).all()


def test_a_game_with_a_gradient_penalty_trains():
    assert read_model(quickly(HALVES, loss="wasserstein"))[1]["training"]["settings"]["loss"] == "wasserstein"


def test_a_resumed_fit_ends_with_the_same_bytes(tmp_path):
    path = tmp_path / "fit.checkpoint"

    def stop(progress):
        if progress.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quickly(HALVES, n_steps=4, callback=stop, checkpoint=path)
    with pytest.raises(
        InputError, match=r"^Expected the checkpoint .* to be of the same fit, found one with other data"
    ):
        quickly(["a", "b"] * 16, n_steps=4, checkpoint=path, resume=True)
    assert quickly(HALVES, n_steps=4, checkpoint=path, resume=True) == quickly(HALVES, n_steps=4)


def test_negatives_keep_their_folder_but_those_that_are_misplaced():
    pixels, number = torch.rand(2, 5, 3, 8, 8), torch.arange(10).reshape(2, 5) % 4
    random = torch.Generator().manual_seed(0)

    def make(images, random):  # two kinds, which say where they are altered
        altered = torch.nn.functional.pad(images[:, :, :3], (0, 0, 0, 0, 0, 1))
        return altered[:, None].expand(-1, 2, -1, -1, -1, -1)

    made = negatives_of_folders(make, with_number(pixels, number, 3), 4, random)
    assert made.shape == (2, 3, 5, 5, 8, 8)
    assert torch.equal(made[:, :, :, :3], pixels[:, None].expand(-1, 3, -1, -1, -1, -1))
    numbers = torch.stack([number_of(kind, 3) for kind in made.unbind(1)], 1)
    assert torch.equal(numbers[:, :2], number[:, None].expand(-1, 2, -1))
    assert (numbers[:, 2] != number).all()
    assert torch.equal(made[:, :, 0, 4].amax((-1, -2)), torch.tensor([[0.0, 0.0, 1.0]] * 2))


# --- interfaces -------------------------------------------------------------------------------------------------------


def loaded(model, folder):
    (folder / "m.onnx").write_bytes(model)
    return ImageGANDetector.load(folder / "m.onnx")


@pytest.mark.filterwarnings("ignore:.*members:sklearn.exceptions.ConvergenceWarning")
def test_the_estimator_takes_images_with_their_folders(tmp_path):
    X = {"images": FEW, "folder": HALVES}
    detector = ImageGANDetector(given=["folder"], n_steps=2, n_members=2, random_state=0).fit(X)
    assert detector.model_ == quickly(HALVES)
    again = loaded(detector.model_, tmp_path)
    assert tuple(again.given) == ("folder",)
    np.testing.assert_array_equal(again.anomaly_score(X), scores(Scorer(detector.model_), FEW, HALVES))


@pytest.mark.filterwarnings("ignore:.*members:sklearn.exceptions.ConvergenceWarning")
def test_the_estimator_knows_the_folders_of_pictures_that_it_reads(tmp_path):
    from PIL import Image

    for number, (image, name) in enumerate(zip(FEW, HALVES, strict=True)):
        (tmp_path / name).mkdir(exist_ok=True)
        size = (8, 8) if number % 3 else (16, 16)  # several batches
        Image.fromarray(image[..., 0]).resize(size, Image.Resampling.NEAREST).save(tmp_path / name / f"{number:02}.png")
    detector = ImageGANDetector(given=["folder"], n_steps=2, n_members=2, random_state=0).fit(tmp_path)
    images = [image if number % 3 else np.kron(image, np.ones((2, 2, 1), np.uint8)) for number, image in enumerate(FEW)]
    assert detector.model_ == fit_images(images, folders=HALVES, n_steps=2, n_members=2)
    expected = detector.anomaly_score({"images": images, "folder": HALVES})
    np.testing.assert_array_equal(detector.anomaly_score(tmp_path), expected)


@pytest.mark.parametrize("names", [["0"], ["0"] * 3, "0", None], ids=["fewer", "more", "text", "none"])
def test_the_estimator_wants_one_folder_for_each_image(names, tmp_path):
    X = {"images": IMAGES[:2], "folder": names}
    message = r"^Expected the folder of each of 2 images, found an array of shape \(\d?,?\); give one name for each\.$"
    with pytest.raises(InputError, match=message):
        ImageGANDetector(given=["folder"]).fit(X)
    with pytest.raises(InputError, match=message):
        loaded(whole(), tmp_path).predict(X)


def test_folders_that_nobody_asked_for_are_refused(tmp_path):
    X = {"images": IMAGES[:2], "folder": ["0", "1"]}
    message = (
        r"^Expected images alone, .*, found their folders, too; leave those out, or fit with given=\('folder',\)\.$"
    )
    with pytest.raises(InputError, match=message):
        ImageGANDetector().fit(X)
    with pytest.raises(InputError, match=message):
        loaded(quickly(None), tmp_path).predict(X)


def test_a_model_file_remembers_the_folders():
    schema = Scorer(whole()).schema
    assert schema.folders == PRODUCTS
    assert read_model(whole())[1]["image"]["folders"] == list(PRODUCTS)
    assert "folders" not in ImageSchema(32, 32, 1).to_json()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (
            IMAGES,
            r"Expected images with their folders, {'images': \.\.\., 'folder': \.\.\.}, since the model judges .*",
        ),
        (
            {"images": IMAGES[:2], "folder": ["0", "x"]},
            r"Expected one of the folders that the model was trained on, '0', '1', '4', found 'x'; move .*",
        ),
        (
            {"images": IMAGES[:2], "folder": ["0"]},
            r"Expected the folder of each of 2 images, found an array of shape \(1,\); give one name for each\.",
        ),
    ],
    ids=["none", "unknown", "too few"],
)
def test_images_without_a_known_folder_are_not_scored(raw, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        Scorer(whole())(raw)


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["a"] * 20, r"Expected images in two folders or more, one for each product, found 'a'; sort them, or fit .*"),
        (
            ["a"] * 9 + ["b"] * 7 + ["c"] * 3 + ["d"],
            r"Expected at least 8 images in every folder to fit, found too few in 'b' \(7\), 'c' \(3\), 'd' \(1\); "
            r"add normal images, or move these folders away\.",
        ),
        (["a"] * 10, r"Expected the folder of each of 20 images, found 10; give one name for each\."),
    ],
    ids=["one", "few", "lengths"],
)
def test_folders_that_cannot_be_learned_from_are_refused(folders, message):
    with pytest.raises(InputError, match=f"^{message}$"):
        fit_images(digits(0)[:20], folders=folders, n_steps=1)


@pytest.mark.parametrize("given", [["size"], "folder", None, 1])
def test_the_estimator_refuses_what_it_cannot_be_given(given):
    message = f"Expected given to be () or ('folder',) for images, found {given!r}; "
    with pytest.raises(InputError, match=f"^{re.escape(message)}"):
        ImageGANDetector(given=given).fit(IMAGES)


def test_the_estimator_names_what_images_with_their_folders_are_called():
    with pytest.raises(
        InputError, match=r"^Expected images with their folders as .*, found 'pictures'; name them so\.$"
    ):
        ImageGANDetector(given=["folder"]).fit({"pictures": IMAGES})
