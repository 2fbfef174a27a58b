"""Variants of model files for pictures: what they keep of their source, and on which pictures that is checked."""

import made_backbones
import numpy as np
import onnx
import pytest
from onnx import TensorProto
from small_image_model import image_model

from gandetect import InputError, ModelFileError, Scorer, export_model, fit_images, read_model
from gandetect.export import comparison, pictures, variants
from gandetect.export.comparison import Bound
from gandetect.export.pictures import PictureSource
from gandetect.image_schema import FOLDER_INPUT, IMAGE_INPUT

CHANNELS = {"whole": 1, "patch": 3, "backbone": 3}
FOLDERS = "bright", "dark"


def stripes(n, channels, side, seed=0):
    """Return stripes with noise, every other picture darker."""
    random = np.random.default_rng([seed, n])
    waves = 130 + 60 * np.sin(np.arange(side) / 3)[None, :, None]
    light = np.where(np.arange(n) % 2, 0.5, 1)[:, None, None, None]
    return (light * (waves + random.normal(0, 15, (n, side, side, channels)))).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module", autouse=True)
def _quick():
    """Compare few pictures."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pictures, "FEWEST_FRESH", 32)
        patch.setattr(pictures, "MOST_FRESH", 32)
        patch.setattr(PictureSource, "n_timed", 2)
        patch.setattr(comparison, "MAX_TIMED", 0.0)
        yield


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Return a model of every kind, trained for a moment."""
    whole, part = stripes(32, 1, 16), stripes(12, 3, 128)
    with pytest.MonkeyPatch.context() as patch, made_backbones.few_altered():
        patch.setattr(made_backbones, "CHANNELS", 128)
        network = made_backbones.backbone_file(tmp_path_factory.mktemp("networks") / "b.onnx")
        return {
            "whole": fit_images(whole, folders=FOLDERS * 16, n_steps=4, n_members=2),
            "patch": fit_images(part, n_steps=2),
            "backbone": fit_images(part, n_steps=2, backbone=network),
        }


@pytest.fixture(scope="module")
def halves(models):
    return {kind: export_model(model, storage="fp16") for kind, model in models.items()}


@pytest.fixture(params=CHANNELS)
def kind(request):
    return request.param


def raw(scorer, n=8, seed=1):
    """Return pictures as a model takes them."""
    schema = scorer.schema
    folders = [schema.folders[i % 2] for i in range(n)] if schema.folders else []
    return schema.raw(stripes(n, schema.channels, 40, seed), folders)


def largest(model):
    """Return the largest constant in single precision: how many numbers it has."""
    stored = onnx.load_model_from_string(model).graph.initializer
    return max(int(np.prod(tensor.dims)) for tensor in stored if tensor.data_type == TensorProto.FLOAT)


def test_a_variant_answers_almost_as_its_source_does(kind, models, halves):
    before, after = Scorer(models[kind]), Scorer(halves[kind].model)
    theirs, its = before(raw(before)), after(raw(after))
    for name, allowed in (("anomaly_score", 0.05), ("heatmap", 0.05), ("reconstruction", 1.0)):
        np.testing.assert_allclose(its[name], theirs[name], rtol=allowed, atol=allowed, err_msg=name)


def test_no_large_constant_stays_in_single_precision(kind, models, halves):
    assert largest(halves[kind].model) < PictureSource.smallest_halved
    if kind != "whole":
        assert largest(models[kind]) >= PictureSource.smallest_halved
        n_bytes = halves[kind].comparison.n_bytes
        assert n_bytes == (len(models[kind]), len(halves[kind].model))
        assert n_bytes[1] < n_bytes[0]


def test_small_filters_of_a_backbone_stay_as_they_are(models, halves):
    def filters(model, dims):
        (found,) = (t for t in onnx.load_model_from_string(model).graph.initializer if list(t.dims) == dims)
        return found

    before, after = (filters(model, [6, 128, 2, 2]) for model in (models["backbone"], halves["backbone"].model))
    assert (after.raw_data, after.data_type) == (before.raw_data, TensorProto.FLOAT)
    assert filters(halves["backbone"].model, [128, 3, 4, 4]).data_type == TensorProto.FLOAT16


def test_a_variant_proves_itself_and_says_what_it_was_made_from(kind, models, halves):
    found = halves[kind]
    assert Scorer(found.model).verify() <= 1e-6
    manifest, before = read_model(found.model)[1], read_model(models[kind])[1]
    about = manifest["export"]
    assert (about["kind"], about["storage"], about["core"]) == ("stored", "fp16", False)
    assert about["largest_differences"] == found.comparison.largest_differences
    assert "one_row" not in about
    assert manifest["golden"]["inputs"] == before["golden"]["inputs"]
    assert manifest["image"] == before["image"]
    if kind != "whole":
        assert manifest["golden"]["outputs"] != before["golden"]["outputs"]


def test_the_golden_answers_hold_every_eighth_pixel_of_the_maps(halves):
    outputs = read_model(halves["patch"].model)[1]["golden"]["outputs"]
    assert np.shape(outputs["heatmap"])[1:] == (16, 16)


def test_golden_pictures_on_a_step_of_the_variants_p_value_are_left_out(models):
    source = PictureSource(models["whole"])
    scores = source.scorer(source.golden, "anomaly_score")["anomaly_score"]
    steps = source.open.constant("calibration/scores").copy()
    steps.ravel()[0] = scores[-1]
    source.open.set_constant("calibration/scores", steps)
    inputs = read_model(variants._sealed(source.open, source.scorer.manifest))[1]["golden"]["inputs"]
    golden = source.scorer.manifest["golden"]["inputs"]
    assert inputs == {name: values[:-1] for name, values in golden.items()}


def test_the_same_source_gives_the_same_bytes(models, halves):
    assert export_model(models["whole"], storage="fp16").model == halves["whole"].model


def test_a_variant_is_made_from_an_original_only(halves):
    with pytest.raises(InputError, match=r"^Expected an original model file, found a variant already; export from its"):
        export_model(halves["whole"].model, storage="fp16")


@pytest.mark.parametrize(
    "wanted", [{"distill": True}, {"core": True}, {"distill": True, "columns": {"a": np.zeros(3)}}]
)
def test_only_storage_is_offered_for_pictures(models, wanted):
    message = (
        r"^Expected a model for tables to distill, to teach or to make a core model of, found one for pictures; use "
        r"storage='fp16' alone \(--storage fp16\), which makes a variant of it\.$"
    )
    with pytest.raises(InputError, match=message):
        export_model(models["whole"], **{"storage": "fp16"} | wanted)


def test_a_variant_outside_its_bound_is_refused(models, monkeypatch):
    monkeypatch.setitem(variants.BOUNDS, "fp16", Bound(0.0, 1.0, 0.0))
    message = r"^Expected anomaly_score to differ by at most 0 between the variant and its source, found 0\.\d+; "
    with pytest.raises(ModelFileError, match=message):
        export_model(models["backbone"], storage="fp16")


def test_without_golden_pictures_there_is_nothing_to_start_from():
    with pytest.raises(
        ModelFileError, match=r"^Expected golden pictures and their outputs in the model file, found none"
    ):
        export_model(image_model(), storage="fp16")


# --- the pictures -----------------------------------------------------------------------------------------------------


def test_made_pictures_have_several_sizes_and_known_and_unknown_folders(models):
    source = PictureSource(models["whole"])
    fresh = source.fresh(np.random.default_rng(0))
    sizes = [batch[IMAGE_INPUT].shape[1:] for batch in fresh]
    assert sizes == [(32, 32, 1), (16, 16, 1), (10, 45, 1), (54, 38, 1)]
    assert len(fresh[0][IMAGE_INPUT]) == 32
    assert set(np.concatenate([batch[FOLDER_INPUT] for batch in fresh])) == {*FOLDERS, "???????"}
    assert {batch[IMAGE_INPUT].dtype for batch in fresh} == {np.dtype(np.uint8)}


def test_made_pictures_are_the_same_for_a_seed_and_differ_from_each_other(models):
    source = PictureSource(models["patch"])
    one, again, other = (source.fresh(np.random.default_rng(seed))[0] for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert (one != other).any()
    assert len(np.unique(one.reshape(len(one), -1), axis=0)) > 0.9 * len(one)


def test_fewer_pictures_are_made_of_large_ones(models, monkeypatch):
    monkeypatch.setattr(pictures, "FEWEST_FRESH", 16)
    monkeypatch.setattr(pictures, "FRESH_PIXELS", 16 * 128 * 128)
    numbers = {
        kind: len(PictureSource(models[kind]).fresh(np.random.default_rng(0))[0]) for kind in ("patch", "backbone")
    }
    assert numbers == {"patch": 16, "backbone": 16}


def test_later_rounds_make_pictures_that_the_file_finds_more_normal(models, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_FRESH", 160)
    monkeypatch.setattr(pictures, "FEWEST_FRESH", 160)
    source = PictureSource(models["whole"])
    drawn = source.fresh(np.random.default_rng(0))[0]
    scores = source.scorer_of(models["whole"])(drawn, "anomaly_score")["anomaly_score"]
    assert np.median(scores[-48:]) < np.median(scores[:48])


def test_every_alteration_changes_a_picture_and_keeps_its_shape():
    random = np.random.default_rng(0)
    picture, other = stripes(2, 3, 32).astype(np.float64)
    for alter in pictures._ALTERATIONS:
        made = alter(picture, other, random)
        assert made.shape == picture.shape
        assert np.abs(made - picture).max() > 0.1, alter.__name__
