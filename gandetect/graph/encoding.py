"""Nodes that turn raw columns into samples."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial

import numpy as np

from gandetect.column import NUMERIC, YES_NO, Kind
from gandetect.graph.builder import GraphBuilder
from gandetect.schema import Schema
from gandetect.tables.encoding import (
    CLIP,
    EXCESS_FREE,
    CategoryEncoding,
    Encoding,
    NumberEncoding,
    TimeEncoding,
)


@dataclass(frozen=True)
class EncodedTensors:
    """Names of the tensors that hold what `gandetect.tables.encoding.EncodedRows` has, all float32.

    The largest excess of a row, (n, 1), stands by itself: where only numbers have any, one logarithm is enough for it.
    """

    samples: str
    present: str
    growth: str
    excess: str
    largest_excess: str


def add_inputs(builder: GraphBuilder, schema: Schema) -> dict[str, str]:
    """Declare one input of shape (n,) per used column; return the inputs' names by column name."""
    return {
        column.name: builder.input(column.input_name, np.float64 if column.kind in NUMERIC else str, ["n"])
        for column in schema.used
    }


def add_encoding(builder: GraphBuilder, encoding: Encoding, schema: Schema, inputs: dict[str, str]) -> EncodedTensors:
    """Add the nodes that compute samples, presence and excess of every row.

    Parameters
    ----------
    builder : GraphBuilder
        Gets the nodes.
    encoding : Encoding
        Fitted parameters.
    schema : Schema
        Tells which columns are yes/no.
    inputs : dict of str to str
        Names of the raw columns' tensors by column name.
    """
    yes_no = {column.name for column in schema.used if column.kind is Kind.YES_NO}
    parts = [
        add(builder, chosen, [inputs[name] for name in chosen])
        for kind, add in (
            (NumberEncoding, partial(_add_numbers, departure=encoding.departure, given=encoding.given)),
            (TimeEncoding, _add_times),
            (CategoryEncoding, partial(_add_categories, given=encoding.given, yes_no=yes_no)),
        )
        if (chosen := encoding.of_kind(kind))
    ]
    samples, present, excess = (
        _joined(builder, [getattr(part, name) for part in parts]) for name in ("samples", "present", "excess")
    )
    growth, largest_excess = (
        _largest(builder, [getattr(part, name) for part in parts]) for name in ("growth", "largest_excess")
    )
    # Numbers, times and categories were computed together; put the columns back into the schema's order.
    computed = [name for kind in (NumberEncoding, TimeEncoding, CategoryEncoding) for name in encoding.of_kind(kind)]
    order = [computed.index(name) for name in encoding.columns]
    if order != sorted(order):
        present, excess = (builder.node("Gather", tensor, builder.ints(order), axis=1) for tensor in (present, excess))
    tensors = EncodedTensors(samples, present, growth, excess, largest_excess)
    return EncodedTensors(**{name: builder.labelled(tensor, name) for name, tensor in asdict(tensors).items()})


def _joined(builder: GraphBuilder, tensors: list[str]) -> str:
    return tensors[0] if len(tensors) == 1 else builder.node("Concat", *tensors, axis=1)


def _largest(builder: GraphBuilder, tensors: list[str]) -> str:
    """Return the largest of tensors of shape (n, 1)."""
    return tensors[0] if len(tensors) == 1 else builder.node("Max", *tensors)


def _largest_of(builder: GraphBuilder, columns: str) -> str:
    """Return the largest of the columns, (n, n_columns), as (n, 1)."""
    return builder.node("ReduceMax", columns, builder.ints([1]), keepdims=1)


def _add_numbers(
    builder: GraphBuilder,
    encoding: dict[str, NumberEncoding],
    inputs: list[str],
    departure: float,
    given: tuple[str, ...],
) -> EncodedTensors:
    doubles = _Doubles(builder)
    centre, scale, middle, half_range = (
        doubles.column([getattr(number, field) for number in encoding.values()], f"number/{field}")
        for field in ("centre", "scale", "middle", "half_range")
    )
    values, present = doubles.finite(inputs, centre)
    scaled = builder.node("Div", builder.node("Sub", values, centre), scale)
    # The centre, which takes the place of a missing value, is inside the training range: it has no growth.
    away = builder.node("Abs", builder.node("Sub", values, middle))
    if given:
        away = builder.node("Mul", away, doubles.column([name not in given for name in encoding]))
    distance = builder.node("Div", away, half_range)
    # The logarithm of the largest is the largest logarithm, and one instead of one for each column.
    farthest = builder.node("ReduceMax", distance, builder.ints([0]), keepdims=1)
    growth = doubles.to_rows(doubles.growth(farthest))
    excess, largest_excess = doubles.to_rows(doubles.growth(distance)), growth
    constant = [number.is_constant for number in encoding.values()]
    if any(constant):
        left = builder.node("Cast", doubles.to_rows(builder.node("Greater", away, scale)), to=1)
        surprise = builder.node("Mul", left, builder.floats(departure * np.array(constant)))
        excess = builder.node("Add", excess, surprise)
        largest_excess = _largest_of(builder, excess)
    samples = doubles.to_rows(doubles.to_float(doubles.clip(scaled, -CLIP, CLIP)))
    return EncodedTensors(samples, present, growth, excess, largest_excess)


def _add_times(builder: GraphBuilder, encoding: dict[str, TimeEncoding], inputs: list[str]) -> EncodedTensors:
    doubles = _Doubles(builder)
    values, present = doubles.finite(inputs, doubles.constant(0.0))
    values = doubles.to_rows(values)
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
    excess = builder.node("Mul", present, builder.floats(0.0))
    none = _largest_of(builder, excess)
    return EncodedTensors(_joined(builder, blocks), present, none, excess, none)


def _add_categories(
    builder: GraphBuilder,
    encoding: dict[str, CategoryEncoding],
    inputs: list[str],
    given: tuple[str, ...],
    yes_no: set[str],
) -> EncodedTensors:
    rows = []
    for position, ((column, category), name) in enumerate(zip(encoding.items(), inputs, strict=True)):
        n_levels = len(category.levels)
        places = {level: place for place, level in enumerate(category.levels)} | {"": n_levels + 1}
        if column in yes_no:
            places |= {word: places[level] for word, level in _YES_NO_WORDS.items() if level in places} | places
        index = builder.node(
            "LabelEncoder",
            name,
            domain="ai.onnx.ml",
            keys_strings=list(places),
            values_int64s=list(places.values()),
            default_int64=n_levels,
        )
        table = builder.floats(_table(category, column in given), f"category/{position}/table")
        rows.append(builder.node("Gather", table, index, axis=0))
    table = _joined(builder, rows)  # (n, sum of widths + 2)
    widths = [category.block.shape[1] + 2 for category in encoding.values()]
    ends = np.cumsum(widths)
    entries = np.setdiff1d(np.arange(ends[-1]), [ends - 2, ends - 1])
    samples, present, excess = (
        builder.node("Gather", table, builder.ints(chosen), axis=1) for chosen in (entries, ends - 2, ends - 1)
    )
    largest_excess = _largest_of(builder, excess)
    growth = builder.node("Mul", largest_excess, builder.floats(0.0))
    return EncodedTensors(samples, present, growth, excess, largest_excess)


_YES_NO_WORDS = {cased(word): level for word, level in YES_NO.items() for cased in (str.lower, str.upper, str.title)}
"""What files write for yes and no, which devices read without what reads files here."""


def _table(category: CategoryEncoding, is_given: bool) -> np.ndarray:
    """One row per level, one for an unknown level, one for a missing value: block, presence, excess."""
    n_levels, width = len(category.levels), category.block.shape[1]
    table = np.zeros((n_levels + 2, width + 2))
    table[:-1, :width] = np.clip(category.block, -CLIP, CLIP)
    table[:-1, width] = 1
    table[n_levels, width + 1] = 0 if is_given else category.unknown_excess
    return table


class _Doubles:
    """Arithmetic in float64: raw values may be large, and their differences small.

    Columns stay as they come, (n_columns, n): what is the same for a whole column costs less so than row by row.
    """

    def __init__(self, builder: GraphBuilder) -> None:
        self.builder = builder

    def constant(self, value: object, label: str = "") -> str:
        return self.builder.constant(value, np.float64, label)  # type: ignore[arg-type]

    def column(self, values: list[float], label: str = "") -> str:
        """Return the name of a constant that holds one value for each column, (n_columns, 1)."""
        return self.constant(np.array(values, dtype=np.float64)[:, None], label)

    def clip(self, tensor: str, low: float, high: float) -> str:
        return self.builder.node("Clip", tensor, self.constant(low), self.constant(high))

    def to_float(self, tensor: str) -> str:
        return self.builder.node("Cast", tensor, to=1)

    def to_rows(self, tensor: str) -> str:
        """Turn (n_columns, n) into (n, n_columns)."""
        return self.builder.node("Transpose", tensor, perm=[1, 0])

    def growth(self, distance: str) -> str:
        """Return the growth at so many half ranges from the middle, as float32."""
        beyond = self.builder.node("Sub", self.clip(distance, EXCESS_FREE, 1e300), self.constant(EXCESS_FREE - 1))
        return self.to_float(self.builder.node("Log", beyond))

    def finite(self, inputs: list[str], replacement: str) -> tuple[str, str]:
        """Stack inputs (n,) to (len(inputs), n) with missing values replaced; return it and the presence.

        The presence is float32 and of shape (n, len(inputs)).
        """
        node = self.builder.node
        # One node for all inputs, where there may be thousands.
        stacked = node("Reshape", node("Concat", *inputs, axis=0), self.builder.ints([len(inputs), -1]))
        # NaN compares false, so one comparison finds NaN and both infinities.
        known = node("LessOrEqual", node("Abs", stacked), self.constant(np.finfo(np.float64).max))
        return node("Where", known, stacked, replacement), self.to_rows(node("Cast", known, to=1))
