"""Running detectors, and going on where a run stopped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tables
from detectors import DETECTORS, LABEL_PEERS, PEERS, Detector, Fitted, default_detectors, fit_peer, framed, peer
from tables import Run


def fit_distance(X_train: np.ndarray, known: np.ndarray | None, seed: int) -> Fitted:
    """Score rows by their distance to the mean of the training rows."""
    mean = X_train.mean(axis=0)
    return Fitted(lambda X: np.linalg.norm(X - mean, axis=1), lambda X: {"first": np.abs(X[:, 0] - mean[0])})


def fit_nothing(X_train: np.ndarray, known: np.ndarray | None, seed: int) -> Fitted:
    print("Epoch 1")  # noqa: T201, as some peers do
    raise ValueError("no\ncolumns")


@pytest.fixture(autouse=True)
def detectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(tables.DETECTORS, "distance", Detector("numpy", fit_distance))
    monkeypatch.setitem(tables.DETECTORS, "broken", Detector("numpy", fit_nothing))
    # Here, so that the detectors above exist: a process of its own would not know them.
    monkeypatch.setattr(
        tables, "call_each", lambda function, arguments, jobs, limit: ((each, function(each)) for each in arguments)
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    X = np.concatenate([random.normal(size=(80, 3)), random.normal(5, 1, size=(20, 3))])
    for name in ("one", "two"):
        np.savez(tmp_path / f"{name}.npz", X=X, y=np.repeat([0, 1], [80, 20]))
    return tmp_path


def run(folder: Path, *options: str) -> pd.DataFrame:
    output = folder / "results.csv"
    tables.run_all(tables.parse([str(folder), "--output", str(output), *options]))
    return pd.read_csv(output)


def test_a_run_gives_a_row_for_the_detector_and_one_for_each_part(folder: Path) -> None:
    whole, part = tables.measure_or_report(Run("one-class", folder / "one.npz", 0, "distance"))
    assert whole["auroc"] > 99
    assert (whole["n_train"], whole["n_test"], whole["n_train_anomalies"]) == (40, 60, 0)
    assert part["detector"] == "distance:first"


def test_a_failing_detector_becomes_a_row_with_its_error_and_prints_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = run(folder, "--detectors", "broken,distance", "--sets", "one")
    errors = results.set_index("detector")["error"]
    assert errors["broken"] == "ValueError: no columns"
    assert pd.isna(errors["distance"])
    assert capsys.readouterr().out == ""


def test_a_run_beyond_its_limit_becomes_a_row_with_its_error(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ended = TimeoutError("not done after 3 s")
    monkeypatch.setattr(tables, "call_each", lambda function, runs, jobs, limit: ((each, ended) for each in runs))
    assert run(folder, "--detectors", "distance")["error"].tolist() == ["TimeoutError: not done after 3 s"] * 2


def test_what_is_done_is_not_run_again(folder: Path) -> None:
    first = run(folder, "--detectors", "distance,broken", "--sets", "one")
    again = run(folder, "--detectors", "distance,broken")
    pd.testing.assert_frame_equal(again[again["set"] == "one"], first)
    assert len(again) == 2 * len(first)


def test_what_failed_is_run_again_only_on_demand(folder: Path) -> None:
    arguments = ["--detectors", "broken", "--sets", "one"]
    assert len(run(folder, *arguments)) == 1
    assert len(run(folder, *arguments)) == 1
    assert len(run(folder, *arguments, "--retry")) == 2


def test_a_results_file_of_another_layout_is_refused(folder: Path) -> None:
    (folder / "results.csv").write_text("set,auroc\n")
    with pytest.raises(
        ValueError, match=r"expected the columns setting, set.* found set, auroc; choose another --output"
    ):
        run(folder, "--detectors", "distance")


def test_a_detector_that_needs_labels_is_refused_where_there_are_none(folder: Path) -> None:
    (result,) = tables.measure_or_report(Run("one-class", folder / "one.npz", 0, "xgbod"))
    assert result["error"] == "ValueError: expected a setting with known anomalies for xgbod, found one-class"


def test_labels_go_to_those_who_use_them_only(folder: Path) -> None:
    without = tables.read_split(Run("labelled", folder / "one.npz", 0, "distance"))
    given = tables.read_split(Run("labelled", folder / "one.npz", 0, "xgbod"))
    assert len(given.X_train) == len(without.X_train) + 5
    assert given.known.sum() == 5
    np.testing.assert_array_equal(given.X_test, without.X_test)


def test_texts_go_to_those_who_read_them_only(folder: Path) -> None:
    texts = np.where(np.arange(100) % 2, "odd", "even")
    pd.DataFrame({"parity": texts, "number": np.arange(100.0)}).to_csv(folder / "one.csv", index=False)
    spread, as_they_are = (
        tables.read_split(Run("one-class", folder / "one.npz", 0, name)) for name in ("distance", "gandetect-texts")
    )
    assert spread.X_train.dtype == np.float64
    assert framed(as_they_are.X_train).dtypes.map(pd.api.types.is_numeric_dtype).tolist() == [False, True]
    np.testing.assert_array_equal(as_they_are.X_train[:, 0] == "odd", as_they_are.X_train[:, 1] % 2 == 1)
    np.testing.assert_array_equal(spread.y_test, as_they_are.y_test)


def test_the_table_comes_from_the_results_file(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run(folder, "--detectors", "distance,broken", "--seeds", "0,1")
    output = str(folder / "results.csv")
    monkeypatch.setattr("sys.argv", ["tables.py", "--table", "--output", output, "--reference", "distance"])
    tables.main()
    text = capsys.readouterr().out
    assert "2 sets, seeds 0, 1." in text
    assert "| distance | 100.00 |" in text
    assert "0 of 4" in text


@pytest.mark.parametrize("setting", ["one-class", "labelled"])
def test_the_default_detectors_fit_their_setting(setting: str) -> None:
    names = default_detectors(setting)
    assert set(LABEL_PEERS if setting == "labelled" else PEERS) < set(names)
    assert "gandetect" in names


def test_ganomaly_finds_far_rows_and_follows_the_seed() -> None:
    X = np.random.default_rng(0).normal(size=(100, 4))
    far = np.full((1, 4), 8.0)
    detector = peer("ganomaly", "GANomaly", n_steps=60)
    scores = [detector.fit(X, None, 1).score(np.concatenate([X, far])) for _ in range(2)]
    assert np.argmax(scores[0]) == len(X)
    np.testing.assert_array_equal(*scores)


def test_every_peer_is_where_it_is_said_to_be() -> None:
    pytest.importorskip("pyod")
    for name in ("knn", "so-gaal"):
        module, class_name = DETECTORS[name].fit.args
        assert hasattr(pytest.importorskip(module), class_name)


def test_the_mended_sign_turns_the_scores_around() -> None:
    pytest.importorskip("pyod")
    X = np.random.default_rng(0).normal(size=(60, 3))
    shipped, mended = (
        fit_peer("pyod.models.so_gaal", "SO_GAAL", X, None, 0, sign=sign).score(X + 1) for sign in (1, -1)
    )
    np.testing.assert_array_equal(shipped, -mended)
