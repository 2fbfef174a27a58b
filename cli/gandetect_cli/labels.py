"""The column of labels: which one it is, what stands in it, and which labels mean an anomaly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gandetect import InputError
from gandetect.column import KNOWN_ANOMALIES, Role
from gandetect.errors import quoted
from gandetect.readers.values import BLANKS
from gandetect.schema import Schema

Labels: TypeAlias = NDArray[Any]

ANOMALY_WORDS = frozenset({"1", "1.0", "true", "t", "yes", "y", "anomaly", "anomalous", "abnormal", "outlier"})
"""Labels, in lower case, that mean an anomaly when the caller does not say which do."""

NORMAL_WORDS = frozenset({"0", "0.0", "false", "f", "no", "n", "normal", "inlier"})
"""Labels, in lower case, that mean a normal row when the caller does not say otherwise."""


def labels_of(texts: Iterable[str]) -> Labels:
    """Return labels, shape (n,), as every command compares them: without the blanks around them; '' is none."""
    return np.array([text.strip(BLANKS) for text in texts], dtype=object)


def among(labels: Labels, chosen: Iterable[str]) -> NDArray[np.bool_]:
    """Tell which labels, from `labels_of`, are among those chosen; one that is not there is found in other capitals."""
    found = set(labels.tolist())
    exact = set(labels_of(chosen).tolist())
    folded = {label.casefold() for label in exact - found}
    wanted = {label for label in found if label in exact or label.casefold() in folded}
    return np.fromiter((label in wanted for label in labels), np.bool_, len(labels))


def learned_label_column(schema: Schema) -> str:
    """Return the column of labels that was kept away from learning."""
    for column in schema.columns:
        if column.role is Role.LABEL:
            return column.name
    raise InputError("Expected --label-column COLUMN with a model that was fitted without labels, found none; add it.")


def learned_anomalies(schema: Schema, label_column: str) -> list[str]:
    """Return the labels of the known anomalies that the model learned from, if this column held them."""
    held = [column.summary.get(KNOWN_ANOMALIES, []) for column in schema.columns if column.name == label_column]
    return [label for labels in held for label in labels]


def require_label_column(found: Sequence[str], label_column: str, name: str) -> None:
    """Refuse a table without the column of labels."""
    if label_column not in found:
        raise InputError(
            f"{name}: expected the label column {label_column!r}, found only {quoted(found)}; name another one."
        )


def refuse_learned_label(schema: Schema, label_column: str) -> None:
    """Refuse a model that knows the labels."""
    if any(column.name == label_column and column.role in (Role.FEATURE, Role.GIVEN) for column in schema.columns):
        raise InputError(
            f"Expected a model that has not learned from the label column, found {label_column!r} among its features; "
            f"fit again with --label-column {label_column!r}."
        )


def are_anomalies(labels: Labels, anomaly: Iterable[str], label_column: str, name: str) -> NDArray[np.bool_]:
    """Tell which labels, from `labels_of`, mean an anomaly: those named in `anomaly`; refuse to guess."""
    anomaly = labels_of(anomaly).tolist()
    found = [label for label, _ in Counter(labels.tolist()).most_common()]
    absent = [label for label in anomaly if not among(labels_of(found), [label]).any()]
    if absent:
        raise InputError(
            f"{name}: expected the label {absent[0]!r} in column {label_column!r}, found only {quoted(found)}; "
            "pass another --anomaly."
        )
    unclear = [label for label in found if label.lower() not in ANOMALY_WORDS | NORMAL_WORDS]
    if unclear and not anomaly:
        raise InputError(
            f"{name}: expected labels like 1/0, yes/no or anomaly/normal in column {label_column!r}, found "
            f"{quoted(unclear)}; say which mean an anomaly with --anomaly."
        )
    return among(labels, anomaly or [label for label in found if label.lower() in ANOMALY_WORDS])
