"""Nodes that turn raw columns into samples."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from gandetect.column import NUMERIC
from gandetect.graph.builder import GraphBuilder
from gandetect.schema import Schema
from gandetect.tables.encoding import (
    CLIP,
    EXCESS_FREE,
    CategoryEncoding,
    EncodedRows,
    Encoding,
    NumberEncoding,
    TimeEncoding,
)


@dataclass(frozen=True)
class EncodedTensors:
    """Names of the tensors that hold what `gandetect.tables.encoding.EncodedRows` has, all float32."""

    samples: str
    present: str
    growth: str
    excess: str


def add_inputs(builder: GraphBuilder, schema: Schema) -> dict[str, str]:
    """Declare one input of shape (n,) per used column; return the inputs' names by column name."""
    return {
        column.name: builder.input(column.input_name, np.float64 if column.kind in NUMERIC else str, ["n"])
        for column in schema.used
    }


def add_encoding(builder: GraphBuilder, encoding: Encoding, inputs: dict[str, str]) -> EncodedTensors:
    """Add the nodes that compute samples, presence and excess of every row.

    Parameters
    ----------
    builder : GraphBuilder
        Gets the nodes.
    encoding : Encoding
        Fitted parameters.
    inputs : dict of str to str
        Names of the raw columns' tensors by column name.
    """
    parts = [
        add(builder, chosen, [inputs[name] for name in chosen])
        for kind, add in (
            (NumberEncoding, partial(_add_numbers, departure=encoding.departure)),
            (TimeEncoding, _add_times),
            (CategoryEncoding, _add_categories),
        )
        if (chosen := encoding.of_kind(kind))
    ]
    samples, present, growth, excess = (
        _joined(builder, [getattr(part, name) for part in parts]) for name in EncodedRows._fields
    )
    # Numbers, times and categories were computed together; put the columns back into the schema's order.
    computed = [name for kind in (NumberEncoding, TimeEncoding, CategoryEncoding) for name in encoding.of_kind(kind)]
    order = [computed.index(name) for name in encoding.columns]
    if order != sorted(order):
        present, growth, excess = (
            builder.node("Gather", tensor, builder.ints(order), axis=1) for tensor in (present, growth, excess)
        )
    if encoding.given:
        judged = builder.floats(~encoding.is_given)
        growth, excess = (builder.node("Mul", tensor, judged) for tensor in (growth, excess))
    tensors = (samples, present, growth, excess)
    return EncodedTensors(
        *(builder.labelled(tensor, name) for tensor, name in zip(tensors, EncodedRows._fields, strict=True))
    )


def _joined(builder: GraphBuilder, tensors: list[str]) -> str:
    return tensors[0] if len(tensors) == 1 else builder.node("Concat", *tensors, axis=1)


def _add_numbers(
    builder: GraphBuilder, encoding: dict[str, NumberEncoding], inputs: list[str], departure: float
) -> EncodedTensors:
    doubles = _Doubles(builder)
    centre, scale, middle, half_range = (
        doubles.constant([getattr(number, field) for number in encoding.values()], f"number/{field}")
        for field in ("centre", "scale", "middle", "half_range")
    )
    values, present = doubles.finite(inputs, centre)
    scaled = builder.node("Div", builder.node("Sub", values, centre), scale)
    away = builder.node("Abs", builder.node("Sub", values, middle))
    # The centre, which takes the place of a missing value, is inside the training range: it has no growth.
    distance = doubles.clip(builder.node("Div", away, half_range), EXCESS_FREE, 1e300)
    beyond = builder.node("Sub", distance, doubles.constant(EXCESS_FREE - 1))
    growth = excess = doubles.to_float(builder.node("Log", beyond))
    constant = [number.is_constant for number in encoding.values()]
    if any(constant):
        left = builder.node("Cast", builder.node("Greater", away, scale), to=1)
        surprise = builder.node("Mul", left, builder.floats(departure * np.array(constant)))
        excess = builder.node("Add", growth, surprise)
    return EncodedTensors(doubles.to_float(doubles.clip(scaled, -CLIP, CLIP)), present, growth, excess)


def _add_times(builder: GraphBuilder, encoding: dict[str, TimeEncoding], inputs: list[str]) -> EncodedTensors:
    doubles = _Doubles(builder)
    values, present = doubles.finite(inputs, doubles.constant(0.0))
    blocks = []
    for position, time in enumerate(encoding.values()):
        column = builder.node("Gather", values, builder.ints([position]), axis=1)  # (n, 1)
        label = f"time/{position}/"
        turns = builder.node("Div", column, doubles.constant(time.periods, f"{label}periods"))  # (n, cycles)
        fraction = doubles.to_float(builder.node("Sub", turns, builder.node("Floor", turns)))
        angle = builder.node("Mul", fraction, builder.floats(2 * np.pi))
        parts = builder.node("Concat", builder.node("Sin", angle), builder.node("Cos", angle), axis=1)
        order = np.arange(2 * len(time.periods)).reshape(2, -1).T.ravel()  # sine and cosine of each cycle in turn
        parts = builder.node("Gather", parts, builder.ints(order), axis=1)
        centres, scales = (builder.floats(getattr(time, field), f"{label}{field}") for field in ("centres", "scales"))
        scaled = builder.node("Div", builder.node("Sub", parts, centres), scales)
        clipped = builder.node("Clip", scaled, builder.floats(-CLIP), builder.floats(CLIP))
        own = builder.node("Gather", present, builder.ints([position]), axis=1)
        blocks.append(builder.node("Mul", clipped, own))
    none = builder.node("Mul", present, builder.floats(0.0))
    return EncodedTensors(_joined(builder, blocks), present, none, none)


def _add_categories(builder: GraphBuilder, encoding: dict[str, CategoryEncoding], inputs: list[str]) -> EncodedTensors:
    rows = []
    for position, (category, name) in enumerate(zip(encoding.values(), inputs, strict=True)):
        n_levels = len(category.levels)
        index = builder.node(
            "LabelEncoder",
            name,
            domain="ai.onnx.ml",
            keys_strings=[*category.levels, ""],
            values_int64s=[*range(n_levels), n_levels + 1],
            default_int64=n_levels,
        )
        rows.append(
            builder.node("Gather", builder.floats(_table(category), f"category/{position}/table"), index, axis=0)
        )
    table = _joined(builder, rows)  # (n, sum of widths + 2)
    widths = [category.block.shape[1] + 2 for category in encoding.values()]
    ends = np.cumsum(widths)
    entries = np.setdiff1d(np.arange(ends[-1]), [ends - 2, ends - 1])
    samples, present, excess = (
        builder.node("Gather", table, builder.ints(chosen), axis=1) for chosen in (entries, ends - 2, ends - 1)
    )
    return EncodedTensors(samples, present, builder.node("Mul", excess, builder.floats(0.0)), excess)


def _table(category: CategoryEncoding) -> np.ndarray:
    """One row per level, one for an unknown level, one for a missing value: block, presence, excess."""
    n_levels, width = len(category.levels), category.block.shape[1]
    table = np.zeros((n_levels + 2, width + 2))
    table[:-1, :width] = np.clip(category.block, -CLIP, CLIP)
    table[:-1, width] = 1
    table[n_levels, width + 1] = category.unknown_excess
    return table


class _Doubles:
    """Arithmetic in float64: raw values may be large, and their differences small."""

    def __init__(self, builder: GraphBuilder) -> None:
        self.builder = builder

    def constant(self, value: object, label: str = "") -> str:
        return self.builder.constant(value, np.float64, label)  # type: ignore[arg-type]

    def clip(self, tensor: str, low: float, high: float) -> str:
        return self.builder.node("Clip", tensor, self.constant(low), self.constant(high))

    def to_float(self, tensor: str) -> str:
        return self.builder.node("Cast", tensor, to=1)

    def finite(self, inputs: list[str], replacement: str) -> tuple[str, str]:
        """Stack inputs (n,) to (n, len(inputs)) with missing values replaced; return it and the presence (float32)."""
        node = self.builder.node
        # One node for all inputs, where there may be thousands.
        rows = node("Reshape", node("Concat", *inputs, axis=0), self.builder.ints([len(inputs), -1]))  # (inputs, n)
        stacked = node("Transpose", rows, perm=[1, 0])
        # NaN compares false, so one comparison finds NaN and both infinities.
        known = node("LessOrEqual", node("Abs", stacked), self.constant(np.finfo(np.float64).max))
        return node("Where", known, stacked, replacement), node("Cast", known, to=1)
