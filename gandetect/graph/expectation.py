"""Nodes that turn what the generator expects of every column back into raw values."""

from __future__ import annotations

import numpy as np

from gandetect.graph.builder import GraphBuilder
from gandetect.tables.decoding import level_likelihood
from gandetect.tables.encoding import CYCLES, CategoryEncoding, Encoding, NumberEncoding, TimeEncoding

TIMES_OF_DAY = 96
"""An expected time is one of so many times of its day: every quarter of an hour."""

RUNNER_UP = 0.5
"""A second level is expected, too, where it is at least so many times as likely as the first."""


NEVER = -1e9
"""Likelihood of what stands for no level."""


def add_expectation(builder: GraphBuilder, expected: str, encoding: Encoding, inputs: dict[str, str]) -> None:
    """Declare the outputs with the expected values of all columns.

    Parameters
    ----------
    builder : GraphBuilder
        Gets the nodes.
    expected : str
        What the generator makes of each entry, (n, sample_dim).
    encoding : Encoding
        How raw columns became samples.
    inputs : dict of str to str
        Names of the raw columns' tensors by column name; a time is expected on the very day.
    """
    numbers, times, categories = (
        {name: column for name, column in encoding.of_kind(kind).items() if name not in encoding.given}
        for kind in (NumberEncoding, TimeEncoding, CategoryEncoding)
    )
    blocks = {
        name: builder.node("Gather", expected, builder.ints(np.flatnonzero(encoding.column_of == position)), axis=1)
        for position, name in enumerate(encoding.columns)
        if name in times or name in categories
    }
    own = [list(encoding.of_kind(NumberEncoding)).index(name) for name in numbers]  # a sample begins with its numbers
    parts = [_numbers(builder, expected, own, list(numbers.values()))]
    parts += [_time(builder, blocks[name], time, inputs[name]) for name, time in times.items()]
    computed = [*numbers, *times]
    order = [computed.index(name) for name in encoding.columns if name in computed]
    joined = builder.node("Concat", *parts, axis=1)
    builder.output(
        "expected_numbers",
        builder.node("Gather", joined, builder.ints(order), axis=1),
        np.float64,
        ["n", len(order)],
    )
    levels = [_levels(builder, blocks[name], category) for name, category in categories.items()]
    levels = levels or [_no_levels(builder, expected)]
    builder.output("expected_levels", builder.node("Concat", *levels, axis=1), str, ["n", len(categories), 2])


def _numbers(builder: GraphBuilder, expected: str, positions: list[int], numbers: list[NumberEncoding]) -> str:
    """Undo centring and scaling, within what was seen, whole numbers where all were whole: (n, n_numbers) float64."""
    largest = np.finfo(np.float64).max
    low, high = (np.clip([n.middle + side * n.half_range for n in numbers], -largest, largest) for side in (-1, 1))
    entries = builder.node("Gather", expected, builder.ints(np.array(positions, dtype=np.int64)), axis=1)
    centres, scales = (
        builder.constant([getattr(number, name) for number in numbers], np.float64) for name in ("centre", "scale")
    )
    values = builder.node("Add", builder.node("Mul", builder.node("Cast", entries, to=11), scales), centres)
    is_whole = [number.is_whole for number in numbers]
    if any(is_whole):
        values = builder.node("Where", builder.constant(is_whole, np.bool_), builder.node("Round", values), values)
    seen = builder.node("Max", values, builder.constant(low, np.float64))
    return builder.node("Min", seen, builder.constant(high, np.float64))


def _time(builder: GraphBuilder, block: str, time: TimeEncoding, given: str) -> str:
    """Return the time of day nearest to the daily cycle's sine and cosine, on the given day: (n, 1) float64."""
    fractions = np.arange(TIMES_OF_DAY) / TIMES_OF_DAY
    directions = np.stack([np.sin(2 * np.pi * fractions), np.cos(2 * np.pi * fractions)])  # (2, times)
    daily = builder.node("Gather", block, builder.ints([0, 1]), axis=1)
    circle = builder.node(
        "Add", builder.node("Mul", daily, builder.floats(time.scales[:2])), builder.floats(time.centres[:2])
    )
    nearest = builder.node("MatMul", circle, builder.floats(directions))
    chosen = builder.node("ArgMax", nearest, axis=1, keepdims=1)
    second = builder.node("Gather", builder.constant(fractions * CYCLES["day"], np.float64), chosen, axis=0)
    known = builder.node("LessOrEqual", builder.node("Abs", given), builder.constant(np.finfo(float).max, np.float64))
    at = builder.node("Where", known, given, builder.constant(0.0, np.float64))
    length = builder.constant(CYCLES["day"], np.float64)
    day = builder.node("Mul", builder.node("Floor", builder.node("Div", at, length)), length)
    return builder.node("Add", builder.node("Unsqueeze", day, builder.ints([1])), second)


def _levels(builder: GraphBuilder, block: str, category: CategoryEncoding) -> str:
    """Return the likeliest level and, where it is nearly as likely, the next one (else ''): (n, 1, 2) strings."""
    names, weight, bias = level_likelihood(category)
    # Two names that stand for nothing and are never likely: there may be no other level, or none at all.
    weight = np.concatenate([weight, np.zeros((len(weight), 2))], axis=1)
    bias = np.concatenate([bias, [NEVER, NEVER]])
    likelihood = builder.node("Add", builder.node("MatMul", block, builder.floats(weight)), builder.floats(bias))
    # The two likeliest. TopK would do, but ends the whole process where there are no rows, up to ONNX Runtime 1.30.
    best = builder.node("ArgMax", likelihood, axis=1, keepdims=1)
    is_best = builder.node("Equal", builder.ints(np.arange(len(bias))), best)
    others = builder.node("Where", is_best, builder.floats(2 * NEVER), likelihood)
    indices = builder.node("Concat", best, builder.node("ArgMax", others, axis=1, keepdims=1), axis=1)
    values = builder.node("GatherElements", likelihood, indices, axis=1)
    first = builder.node("Gather", values, builder.ints([0]), axis=1)
    # Far from the data all may be less than nothing: there the likeliest level alone is named.
    least = builder.node("Min", first, builder.node("Mul", first, builder.floats(RUNNER_UP)))
    likely = builder.node("GreaterOrEqual", values, least)
    named = builder.node("Gather", builder.texts([*names, "", ""]), indices, axis=0)
    return builder.node("Unsqueeze", builder.node("Where", likely, named, builder.texts([""])), builder.ints([1]))


def _no_levels(builder: GraphBuilder, expected: str) -> str:
    """Return no level for every row: (n, 0, 2) strings."""
    none = builder.node("Gather", expected, builder.ints(np.zeros((0, 2), dtype=np.int64)), axis=1)  # (n, 0, 2)
    return builder.node("Gather", builder.texts([""]), builder.node("Cast", none, to=7), axis=0)
