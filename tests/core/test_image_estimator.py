"""`ImageGANDetector`: a scikit-learn outlier detector for images, however they come."""

import pickle

import numpy as np
import pytest
from made_images import digits
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from gandetect import GANDetector, ImageGANDetector, InputError, ModelFileError

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


def test_a_saved_detector_is_the_same_again(detector, tmp_path):
    detector.save(tmp_path / "digits.onnx")
    loaded = ImageGANDetector.load(tmp_path / "digits.onnx")
    assert loaded.model_ == detector.model_
    assert loaded.get_params()["n_steps"] == 30
    assert np.array_equal(loaded.score_samples(ONES), detector.score_samples(ONES))
    unpickled = pickle.loads(pickle.dumps(detector))
    assert np.array_equal(unpickled.score_samples(ONES), detector.score_samples(ONES))


def test_maps_and_reconstructions_have_the_models_size(detector):
    assert detector.heatmap(ONES).shape == (20, 32, 32)
    assert detector.reconstruct(ONES).shape == (20, 32, 32, 1)


def test_a_model_of_the_other_modality_is_refused(detector, tmp_path):
    table = GANDetector(n_steps=2).fit(np.random.default_rng(0).normal(size=(20, 2)))
    table.save(tmp_path / "table.onnx")
    detector.save(tmp_path / "images.onnx")
    with pytest.raises(ModelFileError, match=r"^Expected a model for images, found one for tables; open it with "):
        ImageGANDetector.load(tmp_path / "table.onnx")
    with pytest.raises(InputError, match=r"^Expected a model for tables, found one for images; "):
        GANDetector.load(tmp_path / "images.onnx")


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (ONES.reshape(20, -1), "Expected image_shape with 64 values for images that come as rows, found None; "),
        (ONES / 255, "Expected whole numbers as pixel values, found fractions; "),
        (ONES - 300.0, "Expected pixel values from 0 to 255, found others; scale them."),
        (np.full((3, 8, 8), np.nan), "Expected pixel values from 0 to 255, found others; scale them."),
        (np.zeros(3), "Expected images of shape (n, height, width) or (n, height, width, channels), found shape (3,)"),
        (np.zeros((0, 8, 8, 1), np.uint8), "Expected at least one image, found none."),
        (np.zeros((2, 8, 8, 3), np.uint8), "Expected images with 1 channel, as the model was trained on, found 3; "),
    ],
    ids=["rows", "fractions", "negative", "missing", "no images", "empty", "colour"],
)
def test_what_is_no_image_is_refused(detector, X, message):
    with pytest.raises(InputError) as caught:
        detector.score_samples(X)
    assert str(caught.value).startswith(message)


def test_a_picture_that_cannot_be_read_is_named(detector, tmp_path):
    (tmp_path / "broken.png").write_text("no picture")
    from PIL import Image

    Image.fromarray(ONES[0, ..., 0]).save(tmp_path / "good.png")
    with pytest.raises(InputError, match=r"^Expected pictures that can be read, found 1 that cannot: .*broken\.png"):
        detector.score_samples(tmp_path)
