"""Every committed model file proves itself on this machine and scores its own kind of rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from gandetect import Scorer, export_model
from gandetect.readers.images import ImageReader
from gandetect.readers.tables import read_table
from gandetect.readers.values import parse_columns
from gandetect.schema import table_of

ROOT = Path(__file__).parents[1]
MODELS = sorted((ROOT / "models").glob("*.onnx"))


def test_there_is_a_model() -> None:
    assert MODELS


def labelled_tables(name: str) -> tuple[Any, NDArray[np.bool_]]:
    """Return the new rows of a sample as raw columns, and which are anomalies."""
    (chunk,) = read_table(ROOT / "data" / name / "new.csv")
    schema = table_of(Scorer(ROOT / "models" / f"{name}.onnx").schema)
    return parse_columns(chunk.columns, chunk.lines, schema).columns, chunk.columns["label"] == "anomaly"


def labelled_pictures(name: str) -> tuple[Any, NDArray[np.bool_]]:
    """Return the new pictures of a sample, and which are anomalies."""
    (images,) = ImageReader(ROOT / "data" / name, part="test")
    return np.stack(images.arrays), np.array([entry.folder != "good" for entry in images.entries])


LABELLED = {"table": labelled_tables, "image": labelled_pictures}


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
class TestModel:
    def test_it_computes_its_golden_rows(self, path: Path) -> None:
        scorer = Scorer(path)
        assert scorer.verify() <= scorer.schema.tolerance

    def test_it_has_a_card_that_says_how_it_was_made(self, path: Path) -> None:
        card = path.with_suffix(".md").read_text(encoding="utf-8")
        assert "gandetect fit" in card

    def test_it_finds_the_anomalies_of_its_new_rows(self, path: Path) -> None:
        scorer = Scorer(path)
        raw, anomalous = LABELLED[scorer.manifest["modality"]](path.stem)
        score = scorer(raw, ["anomaly_score"])["anomaly_score"]
        assert np.isfinite(score).all()
        assert roc_auc_score(anomalous, score) > 0.9


@pytest.mark.parametrize("variant", [{"core": True}, {"storage": "fp16"}], ids=["core", "fp16"])
def test_a_committed_model_can_be_exported(variant: dict[str, Any]) -> None:
    exported = export_model(ROOT / "models" / "machines.onnx", **variant)
    assert Scorer(exported.model).verify() <= 1e-5
