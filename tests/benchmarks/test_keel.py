"""Tables from the KEEL repository."""

from __future__ import annotations

from pathlib import Path

import keel
import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return what is written of two imbalanced tables of one source, and three balanced ones."""
    imbalanced, balanced = (tmp_path / kind / "raw" for kind in ("imbalanced", "balanced"))
    for folder in (imbalanced, balanced):
        folder.mkdir(parents=True)
    (imbalanced / "car-few.dat").write_text("x,1,negative\n" * 90 + "y,2,positive\n" * 5)
    (imbalanced / "car-many.dat").write_text("x, 1, negative\n" * 100 + "y, <null>, positive\n" * 5)
    (balanced / "ring.dat").write_text("1.5,a\n" * 90 + "2.5,b\n" * 80 + "3.5,c\n" * 70)
    (balanced / "magic.dat").write_text("1,a\n" * 90 + "2,b\n" * 80)
    (balanced / "tae.dat").write_text("1,a\n" * 50 + "2,b\n" * 40)
    monkeypatch.setattr(keel, "SOURCES", ("car",))
    monkeypatch.setattr("sys.argv", ["keel.py", str(tmp_path), str(tmp_path / "made")])
    keel.main()
    return tmp_path / "made"


def test_the_largest_table_of_a_source_and_those_of_no_known_source_are_taken(made: Path) -> None:
    assert sorted(path.name for path in made.iterdir()) == ["car.csv", "car.npz", "ring.npz"]
    with np.load(made / "car.npz") as table:
        np.testing.assert_array_equal(table["y"], np.repeat([0, 1], [100, 5]))
        np.testing.assert_array_equal(table["X"][[0, -1]], [[1, 1, 0], [1, 0, 1]])  # the median, one column a text


def test_a_table_with_texts_is_also_written_as_it_is(made: Path) -> None:
    rows = pd.read_csv(made / "car.csv")
    assert rows.iloc[0].tolist() == ["x", 1]
    assert rows.iloc[-1, 0] == "y"
    assert np.isnan(rows.iloc[-1, 1])


def test_a_tenth_of_the_rows_of_a_balanced_table_are_anomalies_of_smaller_classes(made: Path) -> None:
    with np.load(made / "ring.npz") as table:
        assert table["y"].mean() == 0.1
        assert set(table["X"][table["y"] == 0, 0]) == {1.5}
        assert set(table["X"][table["y"] == 1, 0]) == {2.5, 3.5}
