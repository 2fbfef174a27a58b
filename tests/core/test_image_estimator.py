"""`ImageGANDetector`: a scikit-learn outlier detector for images, however they come."""

import io
import pickle
import weakref

import numpy as np
import pandas as pd
import PIL.Image
import pytest
from made_images import digits
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from gandetect import GANDetector, ImageGANDetector, InputError, anomaly_auroc_scorer
from gandetect.images.arrays import unflattened

# So few steps teach no generator to draw.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

ZEROS, ONES = digits(0)[:60], digits(1)[:20]


@pytest.fixture(scope="module")
def detector():
    return ImageGANDetector(n_steps=30, random_state=0).fit(ZEROS)


def test_the_ladder_of_scikit_learn_holds(detector):
    scores = detector.score_samples(ONES)
    assert np.array_equal(detector.anomaly_score(ONES), -scores)
    assert np.array_equal(detector.decision_function(ONES), scores - detector.offset_)
    assert np.array_equal(detector.predict(ONES), np.where(detector.decision_function(ONES) < 0, -1, 1))
    assert np.array_equal(detector.predict(ONES) == -1, detector.p_value(ONES) <= np.float32(0.05))


def test_a_sick_member_is_warned_of():
    with pytest.warns(ConvergenceWarning, match="3 of 3 members: the generator draws few "):
        ImageGANDetector(n_steps=1, random_state=0).fit(ZEROS)


def test_pictures_of_a_few_neighbouring_values_are_warned_of():
    with pytest.warns(UserWarning, match=r"^nearly all pixels of the pictures have values from 0 to 1, of 0 to 255, "):
        ImageGANDetector(n_steps=1, n_members=2, random_state=0).fit(ZEROS > 127).fit(ZEROS // 128)


def test_anomalies_score_lower(detector):
    assert detector.score_samples(ONES).mean() < detector.score_samples(digits(0)[60:100]).mean()


def test_images_may_come_in_many_ways(detector, tmp_path):
    from PIL import Image

    expected = detector.score_samples(ONES)
    detector_of_rows = clone(detector).set_params(image_shape=(8, 8))._use(detector.model_)
    paths = [tmp_path / f"{number:02}.png" for number in range(len(ONES))]
    for path, image in zip(paths, ONES, strict=True):
        Image.fromarray(image[..., 0]).save(path)
    assert np.array_equal(detector.score_samples(ONES[..., 0]), expected)
    assert np.array_equal(detector.score_samples(ONES.astype(np.float64)), expected)
    assert np.array_equal(detector.score_samples(list(ONES)), expected)
    assert np.array_equal(detector.score_samples(paths), expected)
    assert np.array_equal(detector.score_samples(tmp_path), expected)
    assert np.array_equal(detector_of_rows.score_samples(ONES.reshape(20, -1)), expected)


@pytest.mark.parametrize("values", [ONES > 127, ONES.astype(np.uint16) * 256 + 7, ONES.astype(">i4"), ONES / 1.0])
def test_arrays_mean_the_same_in_memory_and_in_a_file(detector, tmp_path, values):
    np.save(tmp_path / "images.npy", values)
    scores = detector.score_samples(values)
    assert np.array_equal(scores, detector.score_samples(tmp_path / "images.npy"))
    assert np.array_equal(scores, detector.score_samples(list(values)))
    as_bytes = np.where(values, 255, 0).astype(np.uint8) if values.dtype == bool else ONES
    assert np.array_equal(scores, detector.score_samples(as_bytes))


def test_paths_may_come_in_an_array_or_a_series(detector, tmp_path):
    from PIL import Image

    paths = [str(tmp_path / f"{number}.png") for number in range(3)]
    for path, image in zip(paths, ONES[:3], strict=True):
        Image.fromarray(image[..., 0]).save(path)
    expected = detector.score_samples(paths)
    assert np.array_equal(detector.score_samples(np.array(paths)), expected)
    assert np.array_equal(detector.score_samples(pd.Series(paths)), expected)


@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("mode", ["L", "1", "P", "RGB", "RGBA", "I;16", "LA"])
def test_pictures_of_pillow_mean_what_their_files_mean(detector, tmp_path, mode, suffix):
    from PIL import Image

    pixels = np.kron(ONES[0, ..., 0], np.ones((2, 3), np.uint8))
    grey = Image.fromarray(pixels)
    if mode == "P":  # positions in the palette are no brightness
        picture = Image.fromarray(255 - pixels)
        picture.putpalette([255 - value // 3 for value in range(768)])
    else:
        picture = Image.fromarray(pixels.astype(np.uint16) * 257) if mode == "I;16" else grey.convert(mode)
    assert picture.mode == mode
    turned = Image.Exif()
    turned[0x0112] = 6  # Orientation: a quarter turn
    picture.save(tmp_path / f"picture.{suffix}", exif=turned)
    opened = Image.open(io.BytesIO((tmp_path / f"picture.{suffix}").read_bytes()))
    expected = detector.score_samples(tmp_path)
    assert np.array_equal(detector.score_samples([opened]), expected)
    assert opened.size == ((24, 16) if suffix == "png" else (16, 24))  # of TIFF Pillow itself turns it
    upright = detector.score_samples([grey.rotate(-90, expand=True)])
    assert np.array_equal(expected, upright) == (mode != "1")


def test_fit_lets_go_of_every_picture_that_it_has_read(detector, tmp_path, monkeypatch):
    from PIL import Image

    for number, image in enumerate(ONES):
        Image.fromarray(image[..., 0]).save(tmp_path / f"{number:02}.png")

    def look_only(pictures, **_):
        seen = [weakref.ref(picture) for picture in pictures]
        assert len(seen) == len(ONES)
        assert not any(picture() is not None for picture in seen)
        return detector.model_

    monkeypatch.setattr("gandetect.images.fitting.fit_images", look_only)
    clone(detector).fit(tmp_path)


def test_images_of_several_sizes_are_scored_in_order(detector):
    larger = np.kron(ONES, np.ones((1, 2, 3, 1), np.uint8))
    mixed = [image for pair in zip(ONES, larger, strict=True) for image in pair]
    assert np.allclose(detector.score_samples(mixed)[::2], detector.score_samples(ONES), atol=1e-4)


def test_it_works_in_a_pipeline():
    pipeline = make_pipeline(
        FunctionTransformer(lambda X: np.round(X * 255)), ImageGANDetector(n_steps=3, image_shape=(8, 8))
    )
    X = ZEROS.reshape(60, -1) / 255
    assert set(pipeline.fit(X).predict(X)) <= {-1, 1}


def test_a_saved_detector_takes_rows_again(tmp_path):
    X = ZEROS.reshape(60, -1)
    fitted = ImageGANDetector(n_steps=3, image_shape=(8, 8)).fit(X)
    fitted.save(tmp_path / "digits.onnx")
    loaded = ImageGANDetector.load(tmp_path / "digits.onnx")
    assert loaded.n_features_in_ == 64
    assert np.array_equal(loaded.score_samples(X), fitted.score_samples(X))


def test_a_saved_detector_knows_the_names_of_columns_again(tmp_path):
    frame = pd.DataFrame(ZEROS.reshape(60, -1), columns=[f"pixel {i}" for i in range(64)])
    fitted = ImageGANDetector(n_steps=1, n_members=2, image_shape=(8, 8)).fit(frame)
    fitted.save(tmp_path / "digits.onnx")
    loaded = ImageGANDetector.load(tmp_path / "digits.onnx")
    assert np.array_equal(loaded.feature_names_in_, fitted.feature_names_in_)
    assert np.array_equal(loaded.score_samples(frame), fitted.score_samples(frame))  # a warning would be an error
    with pytest.raises(ValueError, match="Feature names must be in the same order as they were in fit"):
        loaded.predict(frame[frame.columns[::-1]])


def test_only_a_fit_on_named_columns_leaves_names(detector, tmp_path):
    detector.save(tmp_path / "digits.onnx")
    assert "feature_names" not in detector.scorer_.manifest["training"]
    assert not hasattr(ImageGANDetector.load(tmp_path / "digits.onnx"), "feature_names_in_")


def test_a_saved_detector_is_the_same_again(detector, tmp_path):
    detector.save(tmp_path / "digits.onnx")
    loaded = ImageGANDetector.load(tmp_path / "digits.onnx")
    assert loaded.model_ == detector.model_
    assert loaded.get_params()["n_steps"] == 30
    assert np.array_equal(loaded.score_samples(ONES), detector.score_samples(ONES))
    unpickled = pickle.loads(pickle.dumps(detector))
    assert np.array_equal(unpickled.score_samples(ONES), detector.score_samples(ONES))


def lines(rows, image_shape):
    """Make every row an image of one line: the checks draw fractions, in as many columns as they like."""
    return unflattened(np.clip(np.round(20 * rows), 0, 255), (1, rows.shape[1]))


NEGATIVE = "draws negative numbers, which no pixel holds"
FAILED_CHECKS = {
    "check_outliers_fit_predict": NEGATIVE,
    "check_outliers_train": NEGATIVE,
    "check_fit2d_1sample": "wants the error to speak of samples; it speaks of images",
    "check_fit2d_predict1d": "wants the error to speak of data; it speaks of images",
}
LAST_BIT = (
    "wants more than float32 holds: a place in the batch may change the last bit; tested with a tolerance instead"
)
SKIPPED_CHECKS = {
    "check_methods_sample_order_invariance": LAST_BIT,
    "check_methods_subset_invariance": LAST_BIT,
}


@parametrize_with_checks(
    [ImageGANDetector(n_steps=1, n_members=2, random_state=0)], expected_failed_checks=lambda _: FAILED_CHECKS
)
def test_scikit_learns_own_checks_pass_on_rows(estimator, check, monkeypatch):
    if check.func.__name__ in SKIPPED_CHECKS:
        pytest.skip(SKIPPED_CHECKS[check.func.__name__])
    monkeypatch.setattr("gandetect.images.estimator.unflattened", lines)
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")  # without it the checks of arrays other than numpy's are skipped
    check(estimator)


def test_scores_depend_neither_on_the_order_nor_on_the_other_images(detector):
    scores, order = detector.score_samples(ONES), np.random.default_rng(0).permutation(len(ONES))
    np.testing.assert_allclose(detector.score_samples(ONES[order]), scores[order], rtol=1e-5, atol=1e-5)
    alone = np.concatenate([detector.score_samples(ONES[[i]]) for i in range(len(ONES))])
    np.testing.assert_allclose(alone, scores, rtol=1e-5, atol=1e-5)


def test_rows_of_another_length_than_in_fit_are_refused():
    detector = ImageGANDetector(n_steps=1, image_shape=(8, 8)).fit(ZEROS.reshape(60, -1))
    assert detector.n_features_in_ == 64
    with pytest.raises(ValueError, match="X has 32 features, but ImageGANDetector is expecting 64 features"):
        detector.predict(ZEROS.reshape(120, -1))


def test_numpys_whole_numbers_and_a_search_over_them_are_taken():
    from sklearn.model_selection import GridSearchCV

    detector = ImageGANDetector(n_members=2, image_shape=np.array([8, 8]), random_state=0)
    search = GridSearchCV(
        detector, {"n_steps": np.arange(1, 3)}, scoring=anomaly_auroc_scorer, cv=2, error_score="raise"
    )
    X, y = digits(0, 1)[:40].reshape(40, -1), np.arange(40) % 2
    assert search.fit(X, y).best_params_["n_steps"] in (1, 2)


def test_text_is_no_image_shape():
    with pytest.raises(
        InputError,
        match=r"^Expected image_shape to be \(height, width\) or \(height, width, channels\), in whole numbers, found "
        r"'8x8'; pass such a tuple\.$",
    ):
        ImageGANDetector(image_shape="8x8").fit(ZEROS.reshape(60, -1))


def test_a_fit_on_arrays_forgets_the_columns_of_an_earlier_one_on_rows():
    detector = ImageGANDetector(n_steps=1, image_shape=(8, 8)).fit(ZEROS.reshape(60, -1))
    assert not hasattr(detector.fit(ZEROS), "n_features_in_")


def test_maps_and_reconstructions_have_the_models_size(detector):
    assert detector.heatmap(ONES).shape == (20, 32, 32)
    assert detector.reconstruct(ONES).shape == (20, 32, 32, 1)


def test_a_model_of_the_other_modality_is_refused(detector, tmp_path):
    table = GANDetector(n_steps=2).fit(np.random.default_rng(0).normal(size=(20, 2)))
    table.save(tmp_path / "table.onnx")
    detector.save(tmp_path / "images.onnx")
    with pytest.raises(InputError, match=r"^Expected a model for pictures, found one for tables; name another model"):
        ImageGANDetector.load(tmp_path / "table.onnx")
    with pytest.raises(InputError, match=r"^Expected a model for tables, found one for pictures; "):
        GANDetector.load(tmp_path / "images.onnx")


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (ONES.reshape(20, -1), "Expected image_shape with 64 values for images that come as rows, found None; "),
        (ONES / 255, "Expected whole numbers as pixel values, found fractions; "),
        (ONES - 300.0, "Expected pixel values from 0 to 255, or of the type uint16, found float64 from -300 to -45; "),
        (np.full((3, 8, 8), np.nan), "Expected pixel values from 0 to 255, or of the type uint16, found float64 from "),
        (ONES.astype(object), "Expected numbers as pixel values, found object; convert them to uint8."),
        (ONES.astype(np.uint16), "Expected 16-bit pixel values up to 65,535, since their high byte counts, found none"),
        (np.zeros(3), "Expected images of shape (n, height, width) or (n, height, width, channels), found shape (3,)"),
        (
            (image for image in ONES),
            "Expected images as an array, a list, or the path of a folder, found one ",
        ),
        (
            PIL.Image.new("L", (8, 8)),
            "Expected images as an array, a list, or the path of a folder, found one ",
        ),
        (ONES[0, ..., 0], "Expected image_shape with 8 values for images that come as rows, found None; "),
        (
            np.repeat(ONES[0], 3, axis=2),
            "Expected images of shape (n, height, width) or (n, height, width, channels), found shape (8, 8, 3), which "
            "one image has; pass it in a list",
        ),
        (np.zeros((0, 8, 8, 1), np.uint8), "Expected at least one image, found none."),
        (["good.png", ONES[0]], "Expected images that are all arrays, or all paths, found what no array can hold; "),
        (
            np.arange(192).reshape(1, 8, 8, 3),
            "images: expected a grey picture, as those are that the model learns from",
        ),
        (np.zeros((2, 8, 8, 4), np.uint8), "Expected images with 1 channel, as the model was trained on, found 4; "),
    ],
    ids=[
        "rows",
        "fractions",
        "negative",
        "missing",
        "objects",
        "dark",
        "no images",
        "generator",
        "picture",
        "one image",
        "one in colour",
        "empty",
        "mixed",
        "colour",
        "channels",
    ],
)
def test_what_is_no_image_is_refused(detector, X, message):
    with pytest.raises(InputError) as caught:
        detector.score_samples(X)
    assert str(caught.value).startswith(message)


def test_colour_that_is_grey_in_fact_fits_a_grey_model(detector):
    assert np.array_equal(detector.score_samples(np.repeat(ONES, 3, axis=3)), detector.score_samples(ONES))


def test_grey_fits_among_colour_in_arrays_and_in_files(tmp_path):
    from PIL import Image

    red, grey = [np.concatenate([image, image // 2, image // 3], axis=2) for image in ZEROS[:12]], list(ZEROS[12:20])
    for number, image in enumerate([*red, *grey]):
        Image.fromarray(image.squeeze()).save(tmp_path / f"{number:02}.png")
    detector = ImageGANDetector(n_steps=1, n_members=2, random_state=0)
    model = detector.fit([*red, *grey]).model_
    assert detector.scorer_.schema.channels == 3
    assert clone(detector).fit(tmp_path).model_ == model
    assert clone(detector).fit([*red, *(np.repeat(image, 3, axis=2) for image in grey)]).model_ == model
    scores = detector.score_samples([*red, *grey])
    assert np.array_equal(detector.score_samples(tmp_path), scores)
    assert np.array_equal(detector.score_samples(np.stack(grey)), scores[12:])


def test_a_coloured_file_for_a_grey_model_is_named(detector, tmp_path):
    from PIL import Image

    Image.new("L", (8, 8)).save(tmp_path / "grey.png")
    Image.new("RGB", (8, 8), "red").save(tmp_path / "red.png")
    with pytest.raises(InputError, match=r"found 1 that cannot: .*red\.png: expected a grey picture, "):
        detector.score_samples(tmp_path)


def test_a_picture_that_cannot_be_read_is_named(detector, tmp_path):
    (tmp_path / "broken.png").write_text("no picture")
    from PIL import Image

    Image.fromarray(ONES[0, ..., 0]).save(tmp_path / "good.png")
    with pytest.raises(InputError, match=r"^Expected pictures that can be read, found 1 that cannot: .*broken\.png"):
        detector.score_samples(tmp_path)
