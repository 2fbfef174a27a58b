"""The arithmetic of the tables on made results."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from report import bootstrap_interval, differences, latest, ranks, report, rivals, summary, tried_by_all

NAN = float("nan")


def made(cells: dict[str, list[float]], setting: str = "one-class", n_seeds: int = 2) -> pd.DataFrame:
    """Results of each detector on the sets a, b, ... with so many seeds each, in that order; NaN: the run failed."""
    rows = [
        {
            "setting": setting,
            "set": "abcdef"[i // n_seeds],
            "seed": i % n_seeds,
            "detector": detector,
            "n_train": 100,
            "n_train_anomalies": 0,
            "auroc": auroc,
            "ap": auroc / 2,
            "fit_seconds": auroc / 10,
            "score_seconds": auroc / 100,
            "flagged_at_0.05": NAN,
            "flagged_at_0.1": NAN,
            "error": "" if auroc == auroc else "ValueError: no",
        }
        for detector, values in cells.items()
        for i, auroc in enumerate(values)
    ]
    return pd.DataFrame(rows)


# Sets a and b, two seeds each.
RESULTS = made({"best": [90, 92, 80, 82], "fails": [100, NAN, 70, 70], "worst": [50, 52, 60, 60]})


def test_means_are_over_the_runs_that_the_detector_finished() -> None:
    table = summary(RESULTS)
    assert table.loc["best", "auroc"] == 86
    assert table.loc["fails", "auroc"] == 85
    assert table.loc["best", "ap"] == 43
    assert list(table["finished"]) == [4, 3, 4]
    assert list(table["runs"]) == [4, 4, 4]


def test_a_failure_does_not_change_the_means_of_the_others() -> None:
    without = summary(RESULTS[RESULTS["detector"] != "fails"])
    pd.testing.assert_series_equal(summary(RESULTS).loc["best", ["auroc", "ap"]], without.loc["best", ["auroc", "ap"]])


def test_a_failed_run_ranks_last() -> None:
    # Set a: fails is first with seed 0 and last with seed 1.
    assert ranks(RESULTS).loc["a"].to_dict() == {"best": 1.5, "fails": 2.0, "worst": 2.5}
    assert summary(RESULTS)["rank"].to_dict() == {"best": 1.25, "fails": 2.0, "worst": 2.75}


def test_failed_runs_share_the_last_ranks() -> None:
    assert ranks(made({"a": [90], "b": [NAN], "c": [NAN]}, n_seeds=1)).loc["a"].to_dict() == {
        "a": 1,
        "b": 2.5,
        "c": 2.5,
    }


def test_only_who_finished_every_seed_of_a_set_can_win_it() -> None:
    assert summary(RESULTS)["wins"].to_dict() == {"best": 2, "fails": 0, "worst": 0}


def test_the_deviation_is_that_of_the_mean_over_sets() -> None:
    # Means of the seeds: 85 and 87.
    assert summary(RESULTS).loc["best", "deviation"] == pytest.approx(np.sqrt(2))


def test_seconds_are_told_as_mean_and_longest() -> None:
    row = summary(RESULTS).loc["best"]
    assert row[["fit_seconds", "longest_fit", "score_seconds", "longest_score"]].tolist() == pytest.approx(
        [8.6, 9.2, 0.86, 0.92]
    )


def test_a_part_is_no_rival_of_its_whole() -> None:
    results = pd.concat([RESULTS, made({"best:realness": [99, 99, 99, 99]})])
    assert "best:realness" not in set(rivals(results)["detector"])
    assert summary(results)["rank"].dropna().to_dict() == summary(RESULTS)["rank"].to_dict()
    assert "best:realness" in report(results, "best")


def test_differences_are_paired_by_run() -> None:
    # Set a: only seed 0 was finished by both.
    assert differences(RESULTS, "best", "fails", "auroc").tolist() == [-10, 11]
    assert differences(RESULTS, "best", "worst", "ap").tolist() == [20, 10.5]


def test_the_interval_holds_the_mean_and_shrinks_with_the_spread() -> None:
    values = np.random.default_rng(0).normal(3, 1, 50)
    low, high = bootstrap_interval(values)
    assert low < values.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * values.std() / np.sqrt(50), rel=0.1)
    assert bootstrap_interval(values) == (low, high)
    assert bootstrap_interval(np.full(5, 2.0)) == (2.0, 2.0)


def test_runs_that_a_detector_has_not_tried_are_left_out_and_counted() -> None:
    results = RESULTS.drop(index=RESULTS.index[-1])
    assert len(tried_by_all(results)) == 9
    assert "; left out since not every detector has tried them: 1 runs." in report(results, "best")


def test_the_latest_result_of_a_run_counts() -> None:
    again = made({"fails": [100, 60, 70, 70]})
    assert latest(pd.concat([RESULTS, again]), "one-class").query("detector == 'fails'")["auroc"].notna().all()


def test_a_detector_that_never_finished_is_reported_all_the_same() -> None:
    text = report(made({"best": [90, 92], "broken": [NAN, NAN]}), "best")
    assert "| broken | - | - | - | - | 2.00 | 0 | 0 of 2 | -, - | -, - |" in text
    assert "| broken | - | - |" in text


def test_sets_with_too_few_anomalies_are_named() -> None:
    results = made({"best": [90, 80]}, setting="mixed-10", n_seeds=1).assign(n_train_anomalies=[10, 2])
    text = report(results, "best")
    assert "where that is more than half of the set's anomalies, only these: b 2.0." in text
