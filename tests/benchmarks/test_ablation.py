"""The ablation measures the parts that it is asked for, once each, and says what each is worth."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import ablation
import numpy as np
import pandas as pd
import pytest


def measured(parts: list[str]) -> Iterator[tuple[str, float, float]]:
    return ((part, 80.0 if part == ablation.DEFAULT else 70.0, 40.0) for part in parts)


@pytest.fixture
def arguments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> argparse.Namespace:
    for name in ("a", "b"):
        np.savez(tmp_path / f"{name}.npz", X=np.zeros((20, 2)), y=np.arange(20) < 4)
    monkeypatch.setattr(ablation, "measure", lambda split, seed, parts: measured(parts))
    return argparse.Namespace(
        folder=tmp_path, output=tmp_path / "out.csv", setting="one-class", seeds=[0], without=["nothing", "recall"]
    )


def test_what_the_results_hold_is_not_measured_again(arguments, monkeypatch) -> None:
    ablation.run(arguments)
    asked: list[str] = []

    def ask(split: object, seed: int, parts: list[str]) -> Iterator[tuple[str, float, float]]:
        asked.extend(parts)
        return measured(parts)

    monkeypatch.setattr(ablation, "measure", ask)
    arguments.without = ["recall", "the game"]
    ablation.run(arguments)
    assert asked == ["the game", "the game"]
    assert len(pd.read_csv(arguments.output)) == 6


def test_a_setting_may_have_been_measured_without_fewer_parts(arguments) -> None:
    ablation.run(arguments)
    arguments.setting, arguments.without = "contaminated", ["nothing", "the game"]
    ablation.run(arguments)
    lines = ablation.table(pd.read_csv(arguments.output)).splitlines()[2:]
    assert [tuple(line.split(" | ")[:2]) for line in lines] == [
        ("| one-class", "nothing"),
        ("| one-class", "recall"),
        ("| contaminated", "nothing"),
        ("| contaminated", "the game"),
    ]
    assert lines[-1].split(" | ")[4] == "+10.00 (+10.00 to +10.00)"


def test_unknown_parts_are_refused() -> None:
    assert ablation.parts_named("nothing,linear path") == ["nothing", "linear path"]
    with pytest.raises(argparse.ArgumentTypeError, match="found the generator"):
        ablation.parts_named("nothing,the generator")


def shaping() -> tuple[object, ...]:
    """Return what the parts take out."""
    heads = tuple(ablation.REFERENCES)
    game, hidden = ablation.LOSSES["logistic"], ablation.TablePair.HIDDEN_ROWS
    return heads, game, hidden, ablation.TableRows.linear_path, ablation.table_fitting.find_islands


@pytest.mark.parametrize("part", [*ablation.ASSEMBLY, *ablation.TRAINING])
def test_one_part_is_out_and_only_while_it_is_measured(part: str) -> None:
    before = shaping()
    with {**ablation.ASSEMBLY, **ablation.TRAINING}[part]():
        assert sum(was != now for was, now in zip(before, shaping(), strict=True)) == 1
    assert shaping() == before
