"""Anomaly detection in tables and pictures with a generative adversarial network that ends as one ONNX file.

Names are loaded on first use: scoring needs neither torch nor scikit-learn.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gandetect.column import Column, Kind, Role
    from gandetect.drawing import resize_heatmap
    from gandetect.drift import Drift, DriftMonitor
    from gandetect.errors import (
        FileAccessError,
        GandetectError,
        InputError,
        MissingExtraError,
        ModelFileError,
    )
    from gandetect.evaluation import Evaluation, anomaly_auroc_scorer, evaluate_scores
    from gandetect.explaining import explain
    from gandetect.explanation import Explanation
    from gandetect.export.comparison import Comparison
    from gandetect.export.variants import Exported, export_model
    from gandetect.images.estimator import ImageGANDetector
    from gandetect.images.fitting import fit_images
    from gandetect.model_file import read_model, write_model
    from gandetect.pixels import PixelEvaluation, PixelEvaluator
    from gandetect.report.page import render_report
    from gandetect.report.rows import ReportRows
    from gandetect.schema import Schema
    from gandetect.scorer import Scorer
    from gandetect.significance import PValueCounts
    from gandetect.tables.estimator import GANDetector
    from gandetect.tables.fitting import fit_table
    from gandetect.tables.settings import TableSettings
    from gandetect.training.course import Progress

_HOMES = {
    "Column": "gandetect.column",
    "Comparison": "gandetect.export.comparison",
    "Drift": "gandetect.drift",
    "DriftMonitor": "gandetect.drift",
    "Evaluation": "gandetect.evaluation",
    "Explanation": "gandetect.explanation",
    "Exported": "gandetect.export.variants",
    "FileAccessError": "gandetect.errors",
    "GANDetector": "gandetect.tables.estimator",
    "GandetectError": "gandetect.errors",
    "ImageGANDetector": "gandetect.images.estimator",
    "InputError": "gandetect.errors",
    "Kind": "gandetect.column",
    "MissingExtraError": "gandetect.errors",
    "ModelFileError": "gandetect.errors",
    "PValueCounts": "gandetect.significance",
    "PixelEvaluation": "gandetect.pixels",
    "PixelEvaluator": "gandetect.pixels",
    "Progress": "gandetect.training.course",
    "ReportRows": "gandetect.report.rows",
    "Role": "gandetect.column",
    "Schema": "gandetect.schema",
    "Scorer": "gandetect.scorer",
    "TableSettings": "gandetect.tables.settings",
    "anomaly_auroc_scorer": "gandetect.evaluation",
    "evaluate_scores": "gandetect.evaluation",
    "explain": "gandetect.explaining",
    "export_model": "gandetect.export.variants",
    "fit_images": "gandetect.images.fitting",
    "fit_table": "gandetect.tables.fitting",
    "read_model": "gandetect.model_file",
    "render_report": "gandetect.report.page",
    "resize_heatmap": "gandetect.drawing",
    "write_model": "gandetect.model_file",
}

__all__ = [
    "Column",
    "Comparison",
    "Drift",
    "DriftMonitor",
    "Evaluation",
    "Explanation",
    "Exported",
    "FileAccessError",
    "GANDetector",
    "GandetectError",
    "ImageGANDetector",
    "InputError",
    "Kind",
    "MissingExtraError",
    "ModelFileError",
    "PValueCounts",
    "PixelEvaluation",
    "PixelEvaluator",
    "Progress",
    "ReportRows",
    "Role",
    "Schema",
    "Scorer",
    "TableSettings",
    "anomaly_auroc_scorer",
    "evaluate_scores",
    "explain",
    "export_model",
    "fit_images",
    "fit_table",
    "read_model",
    "render_report",
    "resize_heatmap",
    "write_model",
]

_TRAINING = frozenset({"numpy", "onnx", "pandas", "safetensors", "scipy", "sklearn", "torch"})


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("gandetect")
    if name not in _HOMES:
        raise AttributeError(f"module 'gandetect' has no attribute {name!r}")
    try:
        return getattr(import_module(_HOMES[name]), name)
    except ModuleNotFoundError as error:
        if error.name not in _TRAINING:
            raise
        from gandetect.errors import MissingExtraError

        raise MissingExtraError(
            f"Expected {error.name} for gandetect.{name}, found none; pip install 'gandetect[train]'."
        ) from error


def __dir__() -> list[str]:
    return __all__
