"""What distilling costs in accuracy: the default detector and its student on the same rows, one-class.

    python benchmarks/distilled.py FOLDER [--models FITTED] --output benchmarks/results/distilled.csv
    python benchmarks/distilled.py --table --output benchmarks/results/distilled.csv

`FOLDER` holds the sets of ADBench as .npz files. The student is taught by the model file alone. Sets that are in the
output already are not run again. The folder FITTED keeps the fitted models, and those in it are not fitted again.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score
from splits import split_one_class

from gandetect import GANDetector, InputError, ModelFileError, export_model

FIELDS = (
    *("set", "auroc", "student_auroc", "ap", "student_ap", "flagged", "student_flagged", "kb", "student_kb"),
    *("rank_correlation", "speed_up"),
)


def fitted(X: np.ndarray, place: Path | None) -> GANDetector:
    """Return a default detector, kept at `place`."""
    if place is not None and place.exists():
        return GANDetector.load(place)
    detector = GANDetector(random_state=0).fit(X)
    if place is not None:
        detector.save(place)
    return detector


def measured(path: Path, models: Path | None) -> dict[str, object]:
    """Fit, distill and compare on the test rows; flags are counted among normal ones."""
    data = np.load(path)
    split = split_one_class(data["X"], data["y"], 0)
    detector = fitted(split.X_train, models and models / f"{path.stem}.onnx")
    row: dict[str, object] = {"set": path.stem}
    normal = split.y_test == 0

    def add(prefix: str, detector: GANDetector) -> None:
        score, p_value = detector.anomaly_score(split.X_test), detector.p_value(split.X_test)
        row[f"{prefix}auroc"] = round(100 * roc_auc_score(split.y_test, score), 3)
        row[f"{prefix}ap"] = round(100 * average_precision_score(split.y_test, score), 3)
        row[f"{prefix}flagged"] = round(float((p_value[normal] <= 0.05).mean()), 4)
        row[f"{prefix}kb"] = round(len(detector.model_) / 1e3, 1)

    add("", detector)
    try:
        exported = export_model(detector.model_, distill=True)
    except (InputError, ModelFileError):
        return row
    add("student_", GANDetector.load(exported.model))
    source, variant = exported.comparison.batch
    return row | {
        "rank_correlation": round(exported.comparison.rank_correlation, 4),
        "speed_up": round(source / variant, 2),
    }


def table(rows: list[dict[str, str]]) -> str:
    """Lay the results out as Markdown; means are over the sets whose student kept to its bound."""
    kept = [row for row in rows if row["student_auroc"]]
    lines = [
        f"{len(kept)} of {len(rows)} students kept to their bound.\n",
        "| set | AUROC | student | AP | student | normal rows flagged at 0.05 | student | kB | student |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    shown = [field for field in FIELDS if field not in ("rank_correlation", "speed_up")]
    lines += ["| " + " | ".join(row[field] or "refused" for field in shown) + " |" for row in rows]
    means = [np.mean([float(row[field]) for row in kept]) for field in shown[1:]]
    lines.append("| mean | " + " | ".join(f"{mean:.3f}" for mean in means) + " |")
    lines.append(f"\nBatches are {np.median([float(row['speed_up']) for row in kept]):.1f} times as fast (median).")
    return "\n".join(lines)


def read(path: Path) -> list[dict[str, str]]:
    """Return the results so far."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def main() -> None:
    """Run what is missing, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?")
    parser.add_argument("--models", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--table", action="store_true")
    options = parser.parse_args()
    rows = read(options.output)
    if options.table:
        print(table(rows))
        return
    done = {row["set"] for row in rows}
    for path in sorted(options.folder.glob("*.npz"), key=lambda path: path.stat().st_size):
        if path.stem in done:
            continue
        row = measured(path, options.models)
        with options.output.open("a", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, FIELDS)
            if not file.tell():
                writer.writeheader()
            writer.writerow(row)


if __name__ == "__main__":
    main()
