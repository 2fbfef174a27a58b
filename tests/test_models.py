"""Every committed model file proves itself on this machine and scores its own kind of rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from gandetect import Scorer
from gandetect.readers.tables import read_table
from gandetect.readers.values import parse_columns

ROOT = Path(__file__).parents[1]
MODELS = sorted((ROOT / "models").glob("*.onnx"))


def test_there_is_a_model() -> None:
    assert MODELS


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
class TestModel:
    def test_it_computes_its_golden_rows(self, path: Path) -> None:
        assert Scorer(path).verify() <= 1e-5

    def test_it_has_a_card_that_says_how_it_was_made(self, path: Path) -> None:
        card = path.with_suffix(".md").read_text(encoding="utf-8")
        assert "gandetect fit" in card

    def test_it_finds_the_anomalies_of_its_new_rows(self, path: Path) -> None:
        (chunk,) = read_table(ROOT / "data" / path.stem / "new.csv")
        scorer = Scorer(path)
        rows = parse_columns(chunk.columns, chunk.lines, scorer.schema).columns
        score = scorer(rows, ["anomaly_score"])["anomaly_score"]
        anomalous = chunk.columns["label"] == "anomaly"
        assert np.isfinite(score).all()
        assert roc_auc_score(anomalous, score) > 0.9
