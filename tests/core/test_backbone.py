"""A pretrained backbone: which ones are taken, what becomes of their maps, and the model file that they are part of."""

import importlib.abc
import os
import sys
import urllib.error

import numpy as np
import onnx
import pytest
import torch
from made_backbones import CHANNELS, MAPS, backbone_file, few_altered
from made_images import textures
from onnx import TensorProto, helper
from sklearn.base import clone
from torch.nn.functional import avg_pool2d, interpolate

from gandetect import FileAccessError, ImageGANDetector, InputError, MissingExtraError, Scorer, fit_images, read_model
from gandetect.graph.backbone import add_joined_maps
from gandetect.graph.builder import GraphBuilder
from gandetect.guard import BACKBONE_OPERATORS, FOLDED_OPERATORS
from gandetect.image_schema import IMAGE_OUTPUTS
from gandetect.images.backbone import load_backbone
from gandetect.images.maps import MAX_CHANNELS, altered_maps, fit_feature_maps, maps_of, pictures_of
from gandetect.images.negatives import PATCH
from gandetect.scorer import open_session

SIDE = 64

OPERANDS = {
    "BatchNormalization": ([[1, 2, 1, 1], [0, 1, 0, 0], [0, 0, 1, 0], [1, 1, 2, 1]], {}),
    "InstanceNormalization": ([[1, 2, 1, 1], [0, 1, 0, 0]], {}),
    "LayerNormalization": ([np.ones(SIDE // 4)], {}),
    "MaxPool": ([], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    "PRelu": ([[[[0.1]]]], {}),
    "Pow": ([2], {}),
}
"""What operators need beside a tensor: further inputs, and attributes."""


def pixels(n, channels=3, seed=0):
    """Return pictures as the model file resizes them, values -1 to 1."""
    random = torch.Generator().manual_seed(seed)
    coarse = torch.rand(n, channels, 4, 4, generator=random) * 2 - 1
    fine = torch.rand(n, channels, SIDE, SIDE, generator=random) * 0.2
    return (interpolate(coarse, (SIDE, SIDE), mode="bilinear") * 0.8 + fine).numpy()


def joined(backbone, values):
    builder = GraphBuilder()
    tensor = builder.input("pixels", np.float32, ["n", *values.shape[1:]])
    builder.output("maps", add_joined_maps(builder, tensor, backbone), np.float32, ["n", None, None, None])
    model = builder.build()
    return open_session(model).run(["maps"], {"pixels": values})[0], model


def expected_maps(path, pictures, grid=SIDE // 8):
    """Return what the file computes, averaged over 3 x 3 positions and brought to one grid."""
    maps = open_session(path.read_bytes()).run(list(MAPS), {"pictures": pictures.astype(np.float32)})
    near = [avg_pool2d(torch.from_numpy(each), 3, 1, 1, count_include_pad=False) for each in maps]
    return torch.cat([interpolate(each, (grid, grid), mode="bilinear") for each in near], 1).numpy()


# --- which ones are taken ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operator", sorted(BACKBONE_OPERATORS))
def test_every_operator_of_backbones_is_taken_and_computes_what_it_did(operator, tmp_path):
    inputs, attributes = OPERANDS.get(operator, ([], {}))
    path = backbone_file(tmp_path / "b.onnx", operator=operator, inputs=inputs, attributes=attributes)
    found, model = joined(load_backbone(path, SIDE), pixels(3))
    assert operator in {node.op_type for node in onnx.load_model_from_string(model).graph.node}
    assert found == pytest.approx(expected_maps(path, (pixels(3) + 1) / 2), abs=1e-4)


def test_a_file_says_how_its_pictures_are_normalised(tmp_path):
    metadata = {"mean": "[0.4, 0.5, 0.6]", "std": "[0.2, 0.25, 0.5]"}
    path = backbone_file(tmp_path / "b.onnx", metadata=metadata)
    mean, deviation = np.array([[0.4, 0.5, 0.6], [0.2, 0.25, 0.5]])[..., None, None]
    expected = expected_maps(path, ((pixels(3) + 1) / 2 - mean) / deviation)
    assert joined(load_backbone(path, SIDE), pixels(3))[0] == pytest.approx(expected, abs=1e-4)


def test_grey_pictures_are_repeated_to_three_channels(tmp_path):
    path, grey = backbone_file(tmp_path / "b.onnx"), pixels(3, channels=1)
    expected = expected_maps(path, (grey.repeat(3, 1) + 1) / 2)
    assert joined(load_backbone(path, SIDE), grey)[0] == pytest.approx(expected, abs=1e-4)


def test_older_operators_are_converted(tmp_path):
    path = backbone_file(tmp_path / "b.onnx", opset=12)
    backbone = load_backbone(path, SIDE)
    assert onnx.load_model_from_string(backbone.model).opset_import[0].version == 18
    assert joined(backbone, pixels(3))[0] == pytest.approx(expected_maps(path, (pixels(3) + 1) / 2), abs=1e-4)


def preceded(*nodes):
    """Put nodes before all others, which take `filled` for the pictures then."""

    def edit(model):
        model.graph.node[0].input[0] = "filled"
        rest = [onnx.NodeProto.FromString(node.SerializeToString()) for node in model.graph.node]
        del model.graph.node[:]
        model.graph.node.extend([*nodes, *rest])

    return edit


def constant(name, value):
    return helper.make_node("Constant", [], [name], value=onnx.numpy_helper.from_array(np.array(value)))


PADDED = [
    *(constant("length", [2]), constant("numbers", [8, 4])),
    helper.make_node(
        "ConstantOfShape", ["length"], ["zeros"], value=helper.make_tensor("", TensorProto.INT64, [1], [0])
    ),
    helper.make_node("Concat", ["zeros", "numbers", "zeros", "numbers"], ["margins"], axis=0),
    helper.make_node("Pad", ["pictures", "margins"], ["filled"]),
]
"""Margins as torch's exporter writes them: zeros of a size, then numbers."""

PADDED_BY_THE_SIZE = [
    *(constant("two", [2]), constant("four", [4]), constant("zeros", [0, 0]), constant("step", np.float32(12))),
    helper.make_node("Shape", ["pictures"], ["shape"]),
    helper.make_node("Slice", ["shape", "two", "four"], ["size"]),
    helper.make_node("Cast", ["size"], ["length"], to=TensorProto.FLOAT),
    helper.make_node("Div", ["length", "step"], ["steps"]),
    helper.make_node("Ceil", ["steps"], ["whole"]),
    helper.make_node("Mul", ["whole", "step"], ["wanted"]),
    helper.make_node("Sub", ["wanted", "length"], ["more"]),
    helper.make_node("Cast", ["more"], ["numbers"], to=TensorProto.INT64),
    helper.make_node("Concat", ["zeros", "zeros", "zeros", "numbers"], ["margins"], axis=0),
    helper.make_node("Pad", ["pictures", "margins"], ["filled"]),
]
"""Margins such that a whole number of steps fits, as TensorFlow has them."""

FILLED_AS_THE_PICTURES = [
    helper.make_node("Shape", ["pictures"], ["size"]),
    helper.make_node("ConstantOfShape", ["size"], ["zeros"]),
    helper.make_node("Add", ["pictures", "zeros"], ["filled"]),
]

FILLED_BY_THE_BRIGHTEST = [
    constant("axis", [0]),
    helper.make_node("ReduceMax", ["pictures"], ["brightest"], keepdims=0),
    helper.make_node("Cast", ["brightest"], ["whole"], to=TensorProto.INT64),
    helper.make_node("Unsqueeze", ["whole", "axis"], ["size"]),
    helper.make_node("ConstantOfShape", ["size"], ["zeros"]),
    helper.make_node("ReduceSum", ["zeros"], ["zero"], keepdims=0),
    helper.make_node("Add", ["pictures", "zero"], ["filled"]),
]


@pytest.mark.parametrize("nodes", [PADDED, PADDED_BY_THE_SIZE, FILLED_AS_THE_PICTURES])
def test_what_an_exporter_left_to_be_computed_from_sizes_is_computed(nodes, tmp_path):
    path = edited(preceded(*nodes))(tmp_path / "b.onnx")
    found, model = joined(load_backbone(path, SIDE), pixels(3))
    assert not FOLDED_OPERATORS & {node.op_type for node in onnx.load_model_from_string(model).graph.node}
    assert found == pytest.approx(expected_maps(path, (pixels(3) + 1) / 2), abs=1e-4)


def test_a_file_may_fix_the_size_of_its_pictures(tmp_path):
    path = backbone_file(tmp_path / "b.onnx", shape=("n", 3, 48, 80))
    assert load_backbone(path, SIDE).size == (48, 80)


def test_only_what_the_maps_need_is_kept(tmp_path):
    path = backbone_file(tmp_path / "b.onnx")
    model = onnx.load(path)
    model.graph.node.append(helper.make_node("GlobalAveragePool", ["coarse"], ["pooled"]))
    model.graph.node.append(helper.make_node("Flatten", ["pooled"], ["classes"]))
    model.graph.output.append(helper.make_tensor_value_info("classes", TensorProto.FLOAT, ["n", None]))
    onnx.save(model, path)
    backbone = load_backbone(path, SIDE)
    assert backbone.maps == MAPS
    built = onnx.load_model_from_string(joined(backbone, pixels(3))[1])
    assert "GlobalAveragePool" not in {node.op_type for node in built.graph.node}


def test_names_and_notes_of_the_file_get_into_no_model(tmp_path):
    path = backbone_file(tmp_path / "b.onnx")
    model = onnx.load(path)
    for number, node in enumerate(model.graph.node):
        node.doc_string = node.name = f"secret {number}"
        node.metadata_props.add(key="secret", value="secret")
    model.producer_name = model.graph.name = "secret"
    onnx.save(model, path)
    assert b"secret" not in joined(load_backbone(path, SIDE), pixels(3))[1]


def edited(edit):
    def write(path):
        model = onnx.load(backbone_file(path))
        edit(model)
        onnx.save(model, path)
        return path

    return write


def written(**arguments):
    return lambda path: backbone_file(path, **arguments)


def flattened(model):
    del model.graph.output[:]
    model.graph.node.append(helper.make_node("Flatten", ["coarse"], ["classes"]))
    model.graph.output.append(helper.make_tensor_value_info("classes", TensorProto.FLOAT, ["n", None]))


def averaged_over_the_batch(model):
    model.graph.node.append(helper.make_node("ReduceMean", ["pictures", "axes"], ["mean"], keepdims=1))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.array([0]), "axes"))
    model.graph.node.append(helper.make_node("Sub", ["pictures", "mean"], ["centred"]))
    model.graph.node[0].input[0] = "centred"
    nodes = sorted(model.graph.node, key=lambda node: node.output[0] not in ("mean", "centred"))
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


REFUSED = {
    "no ONNX": (lambda path: path.write_bytes(b"PK\x03\x04 something else"), "found no ONNX in '"),
    "empty": (lambda path: path.write_bytes(b""), "found no ONNX in '"),
    "operator": (written(operator="Softmax"), "found the operator 'Softmax' in '"),
    "size that is not fixed": (edited(preceded(*FILLED_BY_THE_BRIGHTEST)), "found the operator 'ConstantOfShape' in '"),
    "doubles": (written(kind=TensorProto.DOUBLE), r"found an input of type 11 with sizes \(any, 3, any, any\) in '"),
    "four channels": (written(shape=("n", 4, "h", "w")), r"found an input of type 1 with sizes \(any, 4, any, any\)"),
    "fixed batch": (written(shape=(1, 3, "h", "w")), r"found an input of type 1 with sizes \(1, 3, any, any\) in '"),
    "flat": (written(shape=("n", 3)), r"found an input of type 1 with sizes \(any, 3\) in '"),
    "odd size": (written(shape=("n", 3, 50, 64)), "found pictures of 50 x 64 pixels, no multiples of 16, in '"),
    "half a size": (written(shape=("n", 3, 64, "w")), "found pictures of 64 x any pixels, no multiples of 16, in '"),
    "two inputs": (
        edited(lambda m: m.graph.input.append(helper.make_tensor_value_info("more", TensorProto.FLOAT, [1]))),
        "found 2 inputs in '",
    ),
}


@pytest.mark.parametrize(("write", "message"), REFUSED.values(), ids=REFUSED)
def test_a_file_that_the_guard_refuses_is_one_sentence(write, message, tmp_path):
    write(tmp_path / "b.onnx")
    with pytest.raises(
        InputError,
        match=f"^Expected an ONNX file with convolutional .*, {message}.*; export the backbone again, or name",
    ):
        load_backbone(tmp_path / "b.onnx", SIDE)


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (
            edited(flattened),
            r"^Expected a backbone with outputs \(n, channels, height, width\), found \(3, \d+\) for 3",
        ),
        (
            edited(averaged_over_the_batch),
            r"^Expected maps that are numbers and depend on nothing but their own picture",
        ),
        (written(operator="Log"), r"^Expected maps that are numbers and depend on nothing but their own picture"),
        (
            written(shape=("n", 3, 16, 16), stride=20),
            r"^Expected a backbone that runs on pictures of 16 x 16 pixels, found",
        ),
        (
            written(metadata={"std": "[1, 0, 1]"}),
            r"^Expected three numbers as 'std' in the metadata of .*, found '\[1, 0",
        ),
        (written(metadata={"mean": "0.5"}), r"^Expected three numbers as 'mean' in the metadata of .*, found '0\.5'"),
    ],
    ids=["no maps", "batch", "not a number", "too small", "deviation", "mean"],
)
def test_a_network_that_is_no_backbone_is_one_sentence(write, message, tmp_path):
    write(tmp_path / "b.onnx")
    with pytest.raises(InputError, match=f"{message}.*; [a-z].*$"):
        load_backbone(tmp_path / "b.onnx", SIDE)


def test_a_backbone_that_leaves_no_room_in_a_model_file_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("gandetect.images.backbone.LARGEST_BYTES", 1000)
    with pytest.raises(
        InputError, match=r"^Expected a backbone of at most 0 MB, found 0 MB in .*; name a smaller one\.$"
    ):
        load_backbone(backbone_file(tmp_path / "b.onnx"), SIDE)


def test_a_file_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(FileAccessError, match=r"^Cannot read the backbone '.*no\.onnx': No such file or directory; "):
        load_backbone(tmp_path / "no.onnx", SIDE)


# --- timm -------------------------------------------------------------------------------------------------------------


def test_without_timm_the_command_that_installs_it_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(
        MissingExtraError,
        match=r"^Expected timm for the backbone 'resnet18', .*; pip install 'gandetect\[backbone\]', or",
    ):
        load_backbone("resnet18", SIDE)


class FakeTimm:
    """Stands for timm where a network cannot be had."""

    def __init__(self, error):
        self.error = error

    def create_model(self, name, *, pretrained, features_only):
        assert pretrained
        assert features_only
        raise self.error


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (
            RuntimeError("Unknown model (resnet19)"),
            InputError,
            r"^Expected the name of a timm model .*, found 'resnet19' \(Unknown model \(resnet19\)\); timm\.list",
        ),
        (
            urllib.error.URLError("no route"),
            FileAccessError,
            r"^Expected the pretrained weights of 'resnet19', found no way to download them \(.*no route.*\); go on",
        ),
    ],
)
def test_what_timm_cannot_give_is_one_sentence(monkeypatch, error, kind, message):
    monkeypatch.setitem(sys.modules, "timm", FakeTimm(error))
    with pytest.raises(kind, match=message):
        load_backbone("resnet19", SIDE)


class BrokenTorchvision(importlib.abc.MetaPathFinder):
    """Stands for a torchvision that was built for another torch."""

    def find_spec(self, name, path, target=None):
        if name == "timm":
            raise RuntimeError("operator torchvision::nms does not exist")


def test_a_torchvision_of_another_torch_is_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    monkeypatch.setattr(sys, "meta_path", [BrokenTorchvision(), *sys.meta_path])
    with pytest.raises(
        MissingExtraError,
        match=r"^Expected timm .* \(operator torchvision::nms does not exist\); install the torchvision that was built",
    ):
        load_backbone("resnet18", SIDE)


@pytest.fixture
def create(monkeypatch):
    """Return what makes a network of timm, and let timm make them with random weights for everybody."""
    try:
        timm = importlib.import_module("timm")
    except ImportError:
        # The continuous integration installs it.
        refuse = pytest.fail if os.environ.get("GANDETECT_TIMM") else pytest.skip
        refuse("found no timm: pip install 'gandetect[backbone]'")
    except RuntimeError:  # torchvision is of another torch; its operators are in none of the networks below
        for operator in ("nms", "qnms"):
            torch.library.define(f"torchvision::{operator}", "(Tensor boxes) -> Tensor")
        timm = importlib.import_module("timm")
    made = timm.create_model
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained, **more: made(name, pretrained=False, **more))
    return made


@pytest.mark.parametrize("name", ["resnet10t", "mobilenetv3_small_050", "convnext_atto", "tf_efficientnet_lite0"])
def test_a_network_of_timm_becomes_nodes_that_compute_the_same(create, name):
    torch.manual_seed(0)
    backbone = load_backbone(name, SIDE)
    torch.manual_seed(0)
    network = create(name, pretrained=False, features_only=True).eval()
    mean, deviation = (torch.tensor(network.pretrained_cfg[key])[:, None, None] for key in ("mean", "std"))
    with torch.no_grad():
        maps = network(((torch.from_numpy(pixels(3)) + 1) / 2 - mean) / deviation)
    chosen = [one for one, stride in zip(maps, network.feature_info.reduction(), strict=True) if stride in (8, 16)]
    near = [avg_pool2d(one, 3, 1, 1, count_include_pad=False) for one in chosen]
    expected = torch.cat([interpolate(one, (SIDE // 8, SIDE // 8), mode="bilinear") for one in near], 1).numpy()
    found = joined(backbone, pixels(3))[0]
    assert backbone.name == name
    assert np.abs(found - expected).max() <= 1e-3 * np.abs(expected).max()


@pytest.mark.usefixtures("create")
def test_a_network_of_timm_with_other_operators_is_refused():
    with pytest.raises(
        InputError, match=r"found the operator '.*' in the network that timm calls 'vit_tiny_patch16_224'"
    ):
        load_backbone("vit_tiny_patch16_224", 224)


# --- maps -------------------------------------------------------------------------------------------------------------


def test_maps_are_standardised_over_the_training_pictures(tmp_path):
    maps = fit_feature_maps(load_backbone(backbone_file(tmp_path / "b.onnx"), SIDE), pixels(20), seed=0)
    found = maps_of(pixels(20), maps)
    assert found.shape == (20, CHANNELS + 6, SIDE // 8, SIDE // 8)
    assert np.abs(found.mean((0, 2, 3))).max() < 1e-4
    assert np.abs(found.std((0, 2, 3)) - 1).max() < 1e-3


def test_many_channels_are_mixed_to_fewer(tmp_path, monkeypatch):
    monkeypatch.setattr("gandetect.images.maps.MAX_CHANNELS", 5)
    backbone = load_backbone(backbone_file(tmp_path / "b.onnx"), SIDE)
    maps = fit_feature_maps(backbone, pixels(20), seed=0)
    found = maps_of(pixels(20), maps)
    assert MAX_CHANNELS > 5
    assert found.shape[1] == np.linalg.matrix_rank(maps.weight) == 5
    assert np.abs(found.std((0, 2, 3)) - 1).max() < 1e-3
    assert not np.array_equal(fit_feature_maps(backbone, pixels(20), seed=1).weight, maps.weight)


def test_a_channel_that_hardly_varies_does_not_drown_the_others(tmp_path):
    path = backbone_file(tmp_path / "b.onnx")
    model = onnx.load(path)
    weights = onnx.numpy_helper.to_array(model.graph.initializer[1]).copy()
    weights[2] = 0
    model.graph.initializer[1].CopyFrom(onnx.numpy_helper.from_array(weights, "second"))
    onnx.save(model, path)
    maps = fit_feature_maps(load_backbone(path, SIDE), pixels(20), seed=0)
    assert np.isfinite(maps.weight).all()
    assert np.diag(maps.weight).max() < 25 / np.median(1 / np.diag(maps.weight))


def test_pictures_can_be_read_off_maps(tmp_path):
    maps = fit_feature_maps(load_backbone(backbone_file(tmp_path / "b.onnx"), SIDE), pixels(40), seed=0)
    new = pixels(10, seed=1)
    read = pictures_of(maps_of(new, maps), maps)
    assert read.shape == new.shape
    unexplained = np.square(read - new).mean() / np.square(new - pixels(40).mean((0, 2, 3))[:, None, None]).mean()
    assert unexplained < 0.2


def test_altered_maps_say_what_share_of_each_position_was_altered(tmp_path):
    values = pixels(6)
    maps = fit_feature_maps(load_backbone(backbone_file(tmp_path / "b.onnx"), SIDE), values, seed=0)
    with few_altered():
        altered = altered_maps(values, maps, np.zeros((6, 2), np.int64), seed=0)
    assert altered.shape == (6, 3, len(PATCH), CHANNELS + 6 + 1, SIDE // 8, SIDE // 8)
    share = altered[..., -1, :, :].astype(np.float32)
    changed = np.abs(altered[..., :-1, :, :] - maps_of(values, maps)[:, None, None]).max(3)
    assert 0 <= share.min() <= share.max() <= 1
    # The kernels of this backbone, and the mean over 3 x 3, reach no farther than the next position.
    assert changed[share == 0].max() < 0.02
    assert np.median(changed[share > 0.5]) > 0.3


def test_what_fills_a_part_is_from_a_picture_of_the_same_group(tmp_path):
    dark, light = pixels(4) * 0.1 - 0.9, pixels(4) * 0.1 + 0.9
    values, groups = np.concatenate([dark, light]), np.repeat([[0, 0], [0, 1]], 4, axis=0)
    maps = fit_feature_maps(load_backbone(backbone_file(tmp_path / "b.onnx"), SIDE), values, seed=0)
    seen = []

    def alone(images, random):  # every picture is filled with the next one
        seen.append(images)
        return torch.cat([images.roll(1, 0), torch.ones_like(images[:, :1])], 1)

    with pytest.MonkeyPatch.context() as patch, few_altered():
        patch.setitem(PATCH, "blob", alone)
        altered_maps(values, maps, groups, seed=0)
    assert all(abs(float(images.mean())) > 0.8 for images in seen)
    assert all(float(images.std()) < 0.1 for images in seen)


# --- the model file ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def network(tmp_path_factory):
    return backbone_file(tmp_path_factory.mktemp("backbone") / "b.onnx")


def quickly(images, backbone, n_steps=3, **arguments):
    with few_altered():
        return fit_images(images, backbone=backbone, n_steps=n_steps, **arguments)


@pytest.fixture(scope="module")
def fitted(network):
    drawn = []
    return quickly(textures(24), network, n_steps=40, imagined=drawn.append), drawn


def test_the_model_file_has_the_outputs_of_every_model_for_images(fitted):
    model, _ = fitted
    scorer, images = Scorer(model), textures(4, seed=1)
    answers = scorer(images)
    assert tuple(answers) == IMAGE_OUTPUTS
    assert answers["heatmap"].shape == (4, 128, 128)
    assert answers["reconstruction"].shape == (4, 128, 128, 3)
    assert 0 <= answers["reconstruction"].min() <= answers["reconstruction"].max() <= 255
    assert all(np.isfinite(values).all() for values in answers.values())
    assert scorer.verify() <= 1e-4
    assert scorer(images[:0], ["anomaly_score"])["anomaly_score"].shape == (0,)


def test_it_says_which_backbone_it_has(fitted, network):
    import hashlib

    manifest = read_model(fitted[0])[1]
    assert manifest["backbone"]["name"] == f"sha256:{hashlib.sha256(network.read_bytes()).hexdigest()}"
    assert manifest["backbone"]["mean"] == [0, 0, 0]
    assert manifest["backbone"]["std"] == [1, 1, 1]
    assert manifest["training"]["settings"]["detector"] == "maps"


def test_stained_pictures_score_higher_and_are_hottest_at_the_stain(fitted):
    scorer = Scorer(fitted[0])
    normal, stained = (scorer(textures(4, stained=stained, seed=2)) for stained in (False, True))
    assert stained["anomaly_score"].min() > normal["anomaly_score"].max()
    assert stained["realness"].mean() < normal["realness"].mean()
    for heat in stained["heatmap"]:
        row, column = np.unravel_index(heat.argmax(), heat.shape)
        assert 30 <= row <= 70
        assert 60 <= column <= 100


def test_texture_that_the_backbone_does_not_see_counts_too(tmp_path):
    def average(model):
        (first,) = (each for each in model.graph.initializer if each.name == "first")
        first.CopyFrom(onnx.numpy_helper.from_array(np.full((CHANNELS, 3, 4, 4), 1 / 48, np.float32), "first"))

    scorer = Scorer(quickly(textures(32), edited(average)(tmp_path / "b.onnx")))
    smooth = textures(6, seed=2)
    part = smooth[:, 40:60, 68:92]
    blocks = part.reshape(6, 5, 4, 6, 4, 3).mean((2, 4), keepdims=True)  # what the backbone sees stays as it is
    part[:] = np.broadcast_to(blocks, (6, 5, 4, 6, 4, 3)).reshape(part.shape)
    for heat in scorer(smooth, ["heatmap"])["heatmap"]:
        row, column = np.unravel_index(heat.argmax(), heat.shape)
        assert 30 <= row <= 70
        assert 60 <= column <= 100


def test_what_the_generators_draw_are_pictures(fitted):
    (drawn,) = fitted[1]
    assert drawn.shape == (2, 8, 128, 128, 3)
    assert drawn.dtype == np.uint8
    assert drawn.std() > 5


def test_an_image_does_not_depend_on_its_neighbours(fitted):
    scorer, images = Scorer(fitted[0]), textures(4, seed=3)
    together, alone = scorer(images, ["anomaly_score"]), scorer(images[1:2], ["anomaly_score"])
    assert alone["anomaly_score"] == pytest.approx(together["anomaly_score"][1:2], rel=1e-5)


def test_the_same_seed_gives_the_same_bytes_and_another_network_others(network, tmp_path):
    images = textures(16)
    model = quickly(images, network)
    assert quickly(images, network) == model
    assert quickly(images, backbone_file(tmp_path / "b.onnx", seed=1)) != model
    assert quickly(images, backbone_file(tmp_path / "same.onnx")) == model


def test_small_grey_pictures_can_be_judged_by_a_backbone(network):
    grey = textures(16, side=40)[..., :1]
    manifest = read_model(quickly(grey, network))[1]
    assert manifest["image"] == {"height": 128, "width": 128, "channels": 1}


def test_a_file_with_a_size_decides_the_models_size(tmp_path):
    path = backbone_file(tmp_path / "b.onnx", shape=("n", 3, 96, 160))
    model = quickly(textures(16), path)
    assert read_model(model)[1]["image"] == {"height": 96, "width": 160, "channels": 3}
    assert Scorer(model)(textures(2))["heatmap"].shape == (2, 96, 160)


def test_pictures_are_judged_given_their_folder(network):
    images, folders = [*textures(16), *(textures(16, seed=1) // 4 + 150)], ["dark"] * 16 + ["light"] * 16
    model = quickly(images, network, folders=folders, contamination=0.1)
    new = textures(4, seed=2)
    answers = [Scorer(model)({"images": new, "folder": [name] * 4}, ["anomaly_score"]) for name in ("dark", "light")]
    right, wrong = (answer["anomaly_score"] for answer in answers)
    assert wrong.min() > right.max()


def test_an_interrupted_fit_goes_on_with_the_same_backbone_only(network, tmp_path):
    images, path = textures(16), tmp_path / "fit.checkpoint"

    def stop(progress):
        if progress.step == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        quickly(images, network, callback=stop, checkpoint=path)
    other = backbone_file(tmp_path / "other.onnx", seed=1)
    with pytest.raises(InputError, match=r"to be of the same fit, found one with other backbone; repeat"):
        quickly(images, other, checkpoint=path, resume=True)
    with pytest.raises(InputError, match=r"found one with other settings; repeat"):
        fit_images(images, detector="patch", n_steps=3, checkpoint=path, resume=True)
    assert quickly(images, network, checkpoint=path, resume=True) == quickly(images, network)


def test_the_detector_for_whole_images_takes_no_backbone(network):
    with pytest.raises(
        InputError, match=r"^Expected the detector 'patch' or 'auto' with a backbone, .*, found 'whole'; leave one"
    ):
        fit_images(textures(16), backbone=network, detector="whole")


def test_nobody_can_choose_the_detector_for_maps_by_its_name():
    with pytest.raises(InputError, match=r"^Expected detector to be one of 'auto', 'whole', 'patch', found 'maps'\.$"):
        fit_images(textures(16), detector="maps")


@pytest.mark.filterwarnings("ignore:.*members:sklearn.exceptions.ConvergenceWarning")
def test_the_estimator_takes_a_backbone_and_a_saved_one_remembers_it(network, tmp_path):
    with few_altered():
        detector = ImageGANDetector(backbone=network, n_steps=3, random_state=0).fit(textures(16))
    detector.save(tmp_path / "m.onnx")
    loaded = ImageGANDetector.load(tmp_path / "m.onnx")
    assert loaded.detector == "patch"
    assert loaded.backbone == read_model(detector.model_)[1]["backbone"]["name"]
    assert np.array_equal(loaded.score_samples(textures(2)), detector.score_samples(textures(2)))
    with pytest.raises(
        InputError,
        match=r"^Expected the ONNX file that the backbone came from, found only its digest, 'sha256:.*; pass",
    ):
        clone(loaded).fit(textures(16))
