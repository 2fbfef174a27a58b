"""Numbers become bars and curves of the right size, in the right place."""

import numpy as np
import pytest

from gandetect.column import Kind
from gandetect.distribution import Distribution
from gandetect.report.charts import HEIGHT, WIDTH, column_bars, curve, over_time, score_bars

LEVELS = Distribution(
    Kind.CATEGORY,
    levels=("a", "b"),
    known=frozenset("ab"),
    training=(0.5, 0.25, 0.0, 0.0, 0.25),
    generated=(1.0, 0.0, 0.0, 0.0, 0.0),
)


def heights(chart, kind):
    return [bar.height for bar in chart.bars if bar.kind == kind]


def test_bars_of_a_column_are_as_high_as_their_shares_and_empty_bins_are_left_out():
    chart = column_bars(LEVELS, np.array([1, 1, 0, 0, 2]))
    assert heights(chart, "training") == [HEIGHT, HEIGHT / 2, HEIGHT / 2]
    assert heights(chart, "new") == [HEIGHT / 2, HEIGHT / 2, HEIGHT]
    assert heights(chart, "generated") == [HEIGHT]  # cut off
    assert (chart.low, chart.high, chart.top) == ("a", "missing", "50 %")
    assert all(0 <= bar.x <= bar.x + bar.width <= WIDTH for bar in chart.bars)


def test_without_new_rows_a_column_shows_what_the_file_remembers():
    chart = column_bars(LEVELS, None)
    assert {bar.kind for bar in chart.bars} == {"training", "generated"}
    assert column_bars(LEVELS, np.zeros(5, dtype=int)) == chart


def test_every_score_stands_in_a_bin_and_the_last_bin_is_open():
    percentiles = np.linspace(0, 10, 101).tolist()
    new = np.array([-5.0, 1.0, 1.0, 1e6])
    chart = score_bars(percentiles, new, critical=9.5, n_bins=20)
    shares = [float(bar.says.split(": ")[1].split(" %")[0]) for bar in chart.bars if bar.kind == "new"]
    assert sum(shares) == pytest.approx(100)
    last = max((bar for bar in chart.bars if bar.kind == "new"), key=lambda bar: bar.x)
    assert last.says.endswith("and more: 25.0 % of the new rows")
    below = sum(bar.x + bar.width / 2 < chart.mark for bar in chart.bars if bar.kind == "new")
    assert below == 2


def test_without_a_threshold_there_is_no_mark():
    assert score_bars([0.0, 1.0, 2.0], np.empty(0), critical=np.inf).mark is None


def test_equal_scores_are_drawn():
    assert score_bars([1.0] * 101, np.ones(3), critical=1.0).bars


def test_curves_run_from_the_left_below_to_the_right_above():
    assert curve("new", "x", [(0, 0), (1, 1)]).points == f"0.0,{HEIGHT:.1f} {WIDTH:.1f},0.0"
    assert over_time("new", "x", [0.5, 2.0, -1.0]).points.split() == [
        f"0.0,{HEIGHT / 2:.1f}",
        f"{WIDTH / 2:.1f},0.0",
        f"{WIDTH:.1f},{HEIGHT:.1f}",
    ]
