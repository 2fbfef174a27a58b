"""Nodes that pick what belongs to each image's folder, where a model is told folders."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.graph.builder import GraphBuilder
from gandetect.image_schema import ImageSchema

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Levels:
    """What components of the score usually are in each folder: mean and deviation, both (folders, n_components)."""

    mean: Floats
    deviation: Floats


def add_folder(builder: GraphBuilder, schema: ImageSchema) -> str:
    """Add the input with the names of the images' folders, if there is one; returns their numbers, (n,), or ''.

    A name that is not known gets the number behind all others. As an image is added where there is none, so is a
    folder.
    """
    if not schema.folders:
        return ""
    name, dtype, _ = schema.inputs[1]
    number = builder.node(
        "LabelEncoder",
        builder.input(name, dtype, ["n"]),
        domain="ai.onnx.ml",
        keys_strings=list(schema.folders),
        values_int64s=list(range(len(schema.folders))),
        default_int64=len(schema.folders),
    )
    n_missing = builder.node("Sub", builder.ints([1]), builder.node("Shape", number))
    in_front = builder.node("Concat", builder.node("Max", n_missing, builder.ints([0])), builder.ints([0]), axis=0)
    return builder.node("Pad", number, in_front)


def of_folder(
    builder: GraphBuilder, table: NDArray[Any], folder: str, stored: Callable[[NDArray[Any]], str] | None = None
) -> str:
    """Return the row of each image's folder, (n, ...), of a table (folders, ...); without folders the table itself.

    A folder that is not known has the mean of all rows. `stored` makes a constant, of single precision if not given.
    """
    stored = stored or builder.floats
    if not folder:
        return stored(table)
    return builder.node("Gather", stored(np.concatenate([table, table.mean(0, keepdims=True)])), folder, axis=0)


def own_of(builder: GraphBuilder, x: str, folder: str, shape: tuple[int, ...]) -> str:
    """Return of (n, folders, ...) what belongs to each image's folder, (n, 1, ...).

    `shape` is (folders, 1, ...): that of one image, all its axes but the first being of size one.
    """
    if not folder:
        return x
    chosen = of_folder(builder, np.eye(shape[0]).reshape(-1, *shape), folder)
    return builder.node("ReduceSum", builder.node("Mul", x, chosen), builder.ints([1]), keepdims=1)


def add_levelled(builder: GraphBuilder, components: str, levels: Levels | None, folder: str) -> str:
    """Compare components with what they usually are in each image's folder: (n, n_components)."""
    if levels is None:
        return components
    away = builder.node("Sub", components, of_folder(builder, levels.mean, folder))
    return builder.node("Div", away, of_folder(builder, levels.deviation, folder))
