"""Loads pretrained backbones for pictures: from timm by their names, or from an ONNX file of the user's own.

Either becomes a part of an ONNX graph, which the guard has looked at. ONNX Runtime runs it while fitting as later in
the model file, so that there is one implementation of it.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import warnings
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from onnx import helper, version_converter
from torch import Tensor, nn

from gandetect.arguments import require_type
from gandetect.errors import FileAccessError, InputError, MissingExtraError, quoted
from gandetect.files import access_error
from gandetect.graph.backbone import Backbone
from gandetect.graph.builder import OPSET
from gandetect.guard import FOLDED_OPERATORS, MAX_BYTES, check_backbone
from gandetect.scorer import open_session, run_in_chunks

Floats = NDArray[np.float32]

REDUCTIONS = (8, 16)
"""Pixels between two positions of the maps that are taken of a timm network: of a ResNet its second and third layer."""

INPUT = "pictures"

DIGEST = "sha256:"
"""What the name of a backbone from a file begins with: its digest follows, for model files hold no paths."""

LARGEST_BYTES = 224 * 2**20
"""Largest backbone, in bytes: a model file holds networks of ours as well."""


def load_backbone(source: str | os.PathLike[str], side: int) -> Backbone:
    """Load a backbone and try it.

    Parameters
    ----------
    source : str or path-like
        The name of a timm model, whose pretrained weights are downloaded unless they are there already; or the path of
        an ONNX file: float pictures (n, 3, height, width) in, one or several feature maps (n, channels, ...) out. Its
        pictures have values from 0 to 1, unless its metadata say otherwise: ``mean`` and ``std``, three numbers each,
        as JSON, stand for ``(pictures - mean) / std``.
    side : int
        Height and width of the pictures, unless the file fixes them.

    Raises
    ------
    InputError
        There is no such model, the file is no convolutional backbone, or there is only the digest of a file.
    FileAccessError
        The file cannot be read, or the weights cannot be downloaded.
    MissingExtraError
        timm is not installed.
    """
    require_type("a backbone's name in timm or the path of its file", source, (str, os.PathLike), "pass one of both")
    name = os.fspath(source)
    if Path(source).is_file() or name.endswith(".onnx"):
        return _of_file(source, side)
    if name.startswith(DIGEST):
        raise InputError(
            f"Expected the ONNX file that the backbone came from, found only its digest, {name!r}, which is all that a "
            "model file remembers of its name; pass the path of that file as the backbone."
        )
    return _of_timm(name, side)


# --- a file -----------------------------------------------------------------------------------------------------------


def _of_file(path: str | os.PathLike[str], side: int) -> Backbone:
    name = repr(os.fspath(path))
    try:
        with Path(path).open("rb") as file:
            contents = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as cause:
        raise access_error(path, "read the backbone", cause) from cause
    size = check_backbone(contents, name) or (side, side)
    model = onnx.load_model_from_string(contents)
    notes = {entry.key: entry.value for entry in model.metadata_props}
    return _tried(
        Backbone(
            name=f"{DIGEST}{hashlib.sha256(contents).hexdigest()}",
            model=contents,
            maps=tuple(output.name for output in model.graph.output),
            size=size,
            mean=_three(notes.get("mean", "[0, 0, 0]"), "mean", name),
            deviation=_three(notes.get("std", "[1, 1, 1]"), "std", name),
        ),
        name,
    )


def _three(text: str, key: str, name: str) -> tuple[float, ...]:
    """Return the numbers of three channels from a file's metadata."""
    try:
        numbers = tuple(float(value) for value in json.loads(text))
    except (TypeError, ValueError):
        numbers = ()
    if (
        len(numbers) != 3
        or not all(math.isfinite(number) for number in numbers)
        or (key == "std" and min(numbers) <= 0)
    ):
        raise InputError(
            f"Expected three numbers as {key!r} in the metadata of {name}, found {text[:60]!r}; write them as JSON, or "
            "leave them out for pictures from 0 to 1."
        )
    return numbers


# --- timm -------------------------------------------------------------------------------------------------------------


class _Chosen(nn.Module):
    """A network of timm, reduced to some of its maps."""

    def __init__(self, network: nn.Module, chosen: list[int]) -> None:
        super().__init__()
        self.network, self.chosen = network, chosen

    def forward(self, pictures: Tensor) -> tuple[Tensor, ...]:
        """Return the maps."""
        maps = self.network(pictures)
        return tuple(maps[index] for index in self.chosen)


def _of_timm(name: str, side: int) -> Backbone:
    network = _pretrained(name)
    strides = list(network.feature_info.reduction())
    chosen = [len(strides) - 1 - strides[::-1].index(stride) for stride in REDUCTIONS if stride in strides]
    if not chosen:
        raise InputError(
            "Expected a timm model with maps of 8 or 16 pixels between two positions, found "
            f"{quoted(map(str, strides))} in {name!r}; name another one."
        )
    mean, deviation = (tuple(float(value) for value in network.pretrained_cfg[key]) for key in ("mean", "std"))
    maps = tuple(f"map_{index}" for index in chosen)
    model = _exported(_Chosen(network, chosen).eval(), maps, side)
    check_backbone(model, f"the network that timm calls {name!r}")
    backbone = Backbone(name, model, maps, (side, side), mean, deviation)
    return _tried(backbone, repr(name))


def _pretrained(name: str) -> Any:
    """Return a network of timm that gives its maps."""
    try:
        import timm
    except (ImportError, RuntimeError) as error:
        remedy = "pip install 'gandetect[backbone]'"
        if not isinstance(error, ImportError):  # of torchvision, which misses its own operators
            remedy = "install the torchvision that was built for this torch, for its CPU build from the same index"
        raise MissingExtraError(
            f"Expected timm for the backbone {name!r}, found that it cannot be loaded ({error}); {remedy}, or name an "
            "ONNX file."
        ) from error
    try:
        return timm.create_model(name, pretrained=True, features_only=True)
    except RuntimeError as error:
        raise InputError(
            "Expected the name of a timm model that gives feature maps, or the path of an ONNX file, found "
            f"{name!r} ({error}); timm.list_models(pretrained=True) lists the names."
        ) from error
    except Exception as error:  # whatever the libraries raise that download
        raise FileAccessError(
            f"Expected the pretrained weights of {name!r}, found no way to download them ({error}); go online once, or "
            "name an ONNX file."
        ) from error


def _exported(network: nn.Module, maps: tuple[str, ...], side: int) -> bytes:
    file: Any = io.BytesIO()  # torch takes it, whatever its types say
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch announces another exporter, which needs one more package
        torch.onnx.export(
            network,
            (torch.zeros(2, 3, side, side),),
            file,
            dynamo=False,
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=list(maps),
            dynamic_axes={name: {0: "n"} for name in (INPUT, *maps)},
        )
    exported: bytes = file.getvalue()
    return exported


# --- both -------------------------------------------------------------------------------------------------------------


def _tried(backbone: Backbone, name: str) -> Backbone:
    """Return the backbone with the builder's version of the operators, once it has proved to be one."""
    if len(backbone.model) > LARGEST_BYTES:
        raise InputError(
            f"Expected a backbone of at most {LARGEST_BYTES >> 20} MB, found {len(backbone.model) >> 20} MB in {name}; "
            "name a smaller one."
        )
    pictures = np.random.default_rng(0).uniform(-1, 1, (3, 3, *backbone.size)).astype(np.float32)
    try:
        found = _run(backbone, pictures)
        maps = tuple(key for key, values in found.items() if _is_map(values))
        backbone = replace(backbone, model=_folded(_converted(backbone.model), backbone.size), maps=maps)
        again, alone = _run(backbone, pictures), _run(backbone, pictures[:1])
    except Exception as error:  # of ONNX Runtime or onnx, which have no common base
        reason = str(error.__cause__ or error).strip().splitlines()[0]
        raise InputError(
            f"Expected a backbone that runs on pictures of {backbone.size[1]} x {backbone.size[0]} pixels, found in "
            f"{name}: {reason}; export it again with opset {OPSET} and a first size that may be any."
        ) from error
    check_backbone(backbone.model, name, folded=True)
    if not backbone.maps:
        shapes = ", ".join(str(values.shape) for values in found.values())
        raise InputError(
            f"Expected a backbone with outputs (n, channels, height, width), found {shapes} for {len(pictures)} "
            f"pictures in {name}; export its feature maps."
        )
    for key in backbone.maps:
        largest = 1e-3 * max(1.0, float(np.abs(found[key]).max()))
        same = np.abs(again[key] - found[key]).max() <= largest and np.abs(alone[key] - found[key][:1]).max() <= largest
        if not same:  # not so either where something is no number
            raise InputError(
                f"Expected maps that are numbers and depend on nothing but their own picture, found others in {name}; "
                f"export the backbone for inference, with opset {OPSET}."
            )
    return backbone


def _is_map(values: NDArray[Any]) -> bool:
    return values.ndim == 4 and len(values) == 3 and values.dtype == np.float32 and min(values.shape[2:]) > 1


def _run(backbone: Backbone, pictures: Floats) -> dict[str, NDArray[Any]]:
    session = open_session(backbone.model)
    (feed,) = [value.name for value in session.get_inputs()]
    return run_in_chunks(session, list(backbone.maps), {feed: pictures})


def _converted(contents: bytes) -> bytes:
    """Return a model with the builder's version of the operators."""
    model = onnx.load_model_from_string(contents)
    if [entry.version for entry in model.opset_import if not entry.domain] == [OPSET]:
        return contents
    converted: bytes = version_converter.convert_version(model, OPSET).SerializeToString(deterministic=True)
    return converted


def _folded(contents: bytes, size: tuple[int, int]) -> bytes:
    """Let ONNX Runtime compute what follows from the size of the pictures, if no model file has the operators for it.

    It does so only where the number of pictures is known, too: one, which goes with any number in most operators. Where
    it does not, the maps of several pictures will show it.
    """
    model = onnx.load_model_from_string(contents)
    if not FOLDED_OPERATORS & {node.op_type for node in model.graph.node}:
        return contents
    _set_input(model, 1, *size)
    with TemporaryDirectory() as folder:
        path = str(Path(folder) / "folded.onnx")
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath, options.log_severity_level = path, 3
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        model = onnx.load(path)
    del model.opset_import[:]  # it names all domains that ONNX Runtime knows
    model.opset_import.append(helper.make_opsetid("", OPSET))
    _set_input(model, "n", *size)
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")
    folded: bytes = model.SerializeToString(deterministic=True)
    return folded


def _set_input(model: onnx.ModelProto, n: int | str, height: int, width: int) -> None:
    """Set the sizes of the pictures that a model takes, and forget what was found out about all other tensors."""
    known = {tensor.name for tensor in model.graph.initializer}
    (given,) = (value for value in model.graph.input if value.name not in known)
    given.CopyFrom(helper.make_tensor_value_info(given.name, onnx.TensorProto.FLOAT, [n, 3, height, width]))
    del model.graph.value_info[:]


def summary(backbone: Backbone) -> dict[str, Any]:
    """Return what a model file says of its backbone, as JSON values."""
    return {
        "name": backbone.name,
        "sha256": hashlib.sha256(backbone.model).hexdigest(),
        "mean": list(backbone.mean),
        "std": list(backbone.deviation),
    }
