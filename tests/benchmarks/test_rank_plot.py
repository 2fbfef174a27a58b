"""The picture of mean ranks."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest
import rank_plot
from rank_plot import critical_difference, draw

SVG = "{http://www.w3.org/2000/svg}"
RANKS = pd.Series({"knn": 2.5, "gandetect": 1.25, "a<b & c": 2.25})


@pytest.mark.parametrize(("n_detectors", "quantile"), [(2, 1.960), (5, 2.728), (10, 3.164)])
def test_the_critical_difference_is_that_of_demsars_table(n_detectors: int, quantile: float) -> None:
    expected = quantile * (n_detectors * (n_detectors + 1) / (6 * 30)) ** 0.5
    assert critical_difference(n_detectors, 30) == pytest.approx(expected, rel=1e-3)


def test_the_picture_is_well_formed_and_lists_the_best_first() -> None:
    root = ElementTree.fromstring(draw(RANKS, 22, "one-class"))
    names = [group.find(f"{SVG}text").text for group in root.iter(f"{SVG}g")]
    assert root.tag == f"{SVG}svg"
    assert names == ["gandetect", "a<b & c", "knn"]


def test_bars_reach_half_of_the_critical_difference_and_stay_in_the_picture() -> None:
    root = ElementTree.fromstring(draw(RANKS, 22, "one-class"))
    width = float(root.get("viewBox").split()[2])
    bars = [line for line in root.iter(f"{SVG}line") if line.get("class") == "bar"]
    dots = [float(dot.get("cx")) for dot in root.iter(f"{SVG}circle")]
    per_rank = (dots[2] - dots[0]) / (2.5 - 1.25)
    for bar, dot in zip(bars, dots, strict=True):
        low, high = float(bar.get("x1")), float(bar.get("x2"))
        assert 0 < low < dot < high < width
        assert (high - low) / per_rank == pytest.approx(critical_difference(3, 22), rel=0.01)


def test_the_command_writes_the_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [("one-class", name, 0, detector, auroc) for name in "ab" for detector, auroc in (("x", 90), ("y", 80))]
    frame = pd.DataFrame(rows, columns=["setting", "set", "seed", "detector", "auroc"])
    frame.to_csv(tmp_path / "results.csv")
    output = tmp_path / "ranks.svg"
    monkeypatch.setattr(
        "sys.argv", ["rank_plot.py", "--results", str(tmp_path / "results.csv"), "--output", str(output)]
    )
    rank_plot.main()
    assert "2 sets" in output.read_text(encoding="utf-8")
