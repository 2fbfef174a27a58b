"""Counting false alarms and discoveries, and judging their number."""

from __future__ import annotations

from pathlib import Path

import calibration
import numpy as np
import pandas as pd
import pytest
from scipy.stats import betabinom


def results(flagged: int = 5, found: int = 30, found_normal: int = 3, *, n_train: int = 99) -> pd.DataFrame:
    row = {"set": "one", "seed": 0, "n_train": n_train, "n_normal": 100, "n_anomalies": 60}
    row |= {f"{prefix}flagged_at_{level}": flagged for prefix in ("", "plain_") for level in calibration.LEVELS}
    return pd.DataFrame([row | {"found": found, "found_normal": found_normal}])


def verdicts(frame: pd.DataFrame) -> list[str]:
    return [verdict for _, _, verdict in calibration.judged(frame, "")]


def test_false_alarms_are_judged_by_their_distribution_over_training_and_new_rows() -> None:
    assert verdicts(results(5)) == ["as expected"] * 3
    assert verdicts(results(0)) == ["as expected", "as expected", "fewer"]
    assert verdicts(results(30)) == ["more", "more", "more"]


def test_a_level_that_no_p_value_reaches_is_not_judged() -> None:
    assert calibration.expected(98, 100, 0.01) is None
    assert calibration.expected(99, 100, 0.01) == (0.0, betabinom(100, 1, 99).ppf(0.995))
    assert len(verdicts(results(n_train=33))) == 2


def test_false_discoveries_and_power_are_shares_of_what_was_found_and_of_all_anomalies() -> None:
    assert "| one | 99 | 100 | 60 | 16 | 0.100 | 0.450 |" in calibration.discovery_table(results())
    assert "| 0.000 | 0.000 |" in calibration.discovery_table(results(found=0, found_normal=0))


def test_an_interrupted_run_goes_on_and_renders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.npz").write_bytes(b"")
    asked = []

    def measured(path: Path, seed: int) -> dict[str, object]:
        asked.append((path.stem, seed))
        return {**results().iloc[0].to_dict(), "set": path.stem, "seed": seed}

    monkeypatch.setattr(calibration, "measure", measured)
    output = tmp_path / "results" / "calibration.csv"
    calibration.run_all(tmp_path, [0], output)
    calibration.run_all(tmp_path, [0, 1], output)
    assert asked == [("one", 0), ("two", 0), ("one", 1), ("two", 1)]
    assert calibration.report(pd.read_csv(output)).startswith("2 sets, seeds 0, 1.\n\n| level |")


def test_a_fit_is_measured_with_and_without_the_correction(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    X = np.concatenate([random.normal(size=(80, 3)), random.normal(9, 1, size=(20, 3))])
    np.savez(tmp_path / "one.npz", X=X, y=np.repeat([0, 1], [80, 20]))
    monkeypatch.setattr("gandetect.tables.settings.EFFORTS", {"default": {"n_steps": 20, "n_members": 4}})
    result = calibration.measure(tmp_path / "one.npz", 0)
    assert (result["n_train"], result["n_normal"], result["n_anomalies"]) == (40, 40, 20)
    for level in calibration.LEVELS:
        assert result[f"flagged_at_{level}"] >= result[f"plain_flagged_at_{level}"]
    assert result["found"] - result["found_normal"] > 10
