"""How good a model is on a folder of pictures: their folders are the labels, and masks say where the defects are."""

from __future__ import annotations

import json
from collections.abc import Set
from dataclasses import asdict, dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import gandetect
from gandetect.drawing import resize_heatmap
from gandetect.errors import quoted
from gandetect.image_schema import ImageSchema
from gandetect.modality import VERDICT
from gandetect.readers.masks import find_mask, read_mask
from gandetect.readers.sources import NORMAL, Entry
from gandetect.wording import plain
from gandetect_cli.comparison import summary_lines, threshold_lines
from gandetect_cli.pictures import ImageTally, ScoredImages, open_images, score_images
from gandetect_cli.progress import ProgressBar
from gandetect_cli.scoring import flag_rule
from gandetect_cli.terminal import Reporter, counted, table

if TYPE_CHECKING:
    from gandetect import Evaluation, PixelEvaluation, PixelEvaluator


@dataclass
class _Collected:
    """Answers of all pictures, and their pixels compared with the masks."""

    pixels: PixelEvaluator
    given_folders: bool
    kinds: list[str] = field(default_factory=list)
    answers: dict[str, list[NDArray[Any]]] = field(default_factory=lambda: {name: [] for name in VERDICT})
    n_masks: int = 0
    n_without: int = 0

    def add(self, scored: ScoredImages, reporter: Reporter) -> None:
        """Take a chunk of pictures."""
        for name, parts in self.answers.items():
            parts.append(scored.answers[name])
        heatmaps = scored.answers["heatmap"]
        for entry, pixels, heatmap in zip(scored.images.entries, scored.images.arrays, heatmaps, strict=True):
            self.kinds.append(self.kind(entry))
            mask = self._mask(entry, pixels.shape[0], pixels.shape[1], reporter)
            if mask is not None:
                self.pixels.add(resize_heatmap(heatmap, *mask.shape), mask)

    def kind(self, entry: Entry) -> str:
        """Return the name of the folder that says what a picture shows: the last one, below that of its product."""
        path = PurePosixPath(entry.folder)
        return path.name if not self.given_folders or len(path.parts) > 1 else ""

    def _mask(self, entry: Entry, height: int, width: int, reporter: Reporter) -> NDArray[np.bool_] | None:
        if self.kind(entry) == NORMAL:
            return np.zeros((height, width), dtype=np.bool_)
        path = find_mask(entry.path)
        try:
            mask = None if path is None else read_mask(path, height, width)
        except (gandetect.FileAccessError, gandetect.InputError) as error:
            reporter.warn(str(error))
            mask = None
        self.n_masks += mask is not None
        self.n_without += mask is None
        return mask


def evaluate_pictures(data: str, scorer: gandetect.Scorer, schema: ImageSchema, reporter: Reporter) -> tuple[str, str]:
    """Score the pictures of a folder and compare the answers with the names of its folders, and with masks.

    Parameters
    ----------
    data : str
        A folder, in MVTec AD's layout or with folders of its own; ``good`` holds normal pictures, any other anomalous
        ones. For a model that judges pictures given their folder it holds such folders, one for each product.
    scorer : Scorer
        Of a model for pictures.
    schema : ImageSchema
        What the scorer takes.
    reporter : Reporter
        Says what was scored and left out.

    Returns
    -------
    text, json : str
        The comparison for people and for programs.
    """
    evaluate_scores = gandetect.evaluate_scores  # what is not installed is missed before the work, not after it
    reader = open_images(data, schema)
    collected, tally = _Collected(gandetect.PixelEvaluator(), bool(schema.folders)), ImageTally()
    known = (entry for entry in reader.entries if not schema.folders or entry.product in schema.folders)
    _require_kinds({collected.kind(entry) for entry in known}, reader.name)
    with ProgressBar("scoring", quiet=reporter.quiet, delay=1) as bar:
        for scored in score_images(reader, scorer, [*VERDICT, "heatmap"], None, tally):
            collected.add(scored, reporter)
            bar.update(len(collected.kinds) + len(reader.unreadable), len(reader))
    rule = flag_rule(scorer, None)
    tally.report(reporter, rule, reader)
    kinds = np.array(collected.kinds)
    scores, p_values, flags = (np.concatenate(parts) for parts in collected.answers.values())
    result = evaluate_scores(scores, p_values, kinds != NORMAL)
    by_kind = {
        kind: _about(kinds == kind, kinds == NORMAL, scores, flags) for kind in sorted(set(collected.kinds) - {NORMAL})
    }
    if collected.n_without and collected.n_masks:
        reporter.say(f"{counted(collected.n_without, 'anomalous picture')} without a mask left out of the pixels")
    pixels = collected.pixels.result() if collected.n_masks else None
    n_false = int(flags[kinds == NORMAL].sum())
    return _text(result, n_false, rule, pixels, by_kind), _json(result, n_false, pixels, by_kind)


def _require_kinds(kinds: Set[str], name: str) -> None:
    """Refuse before the work pictures that have no label, and those that are all normal or all anomalous."""
    expected = f"{name}: expected pictures in folders that are named by what they show, {NORMAL!r} for normal ones, "
    if not all(kinds):
        raise gandetect.InputError(f"{expected}found some in no such folder; move them.")
    if kinds and NORMAL not in kinds:
        raise gandetect.InputError(
            f"{expected}found only {quoted(sorted(kinds))}; call the folder of normal pictures {NORMAL!r}."
        )
    if kinds == {NORMAL}:
        raise gandetect.InputError(f"{expected}found only {NORMAL!r}; add folders of anomalous pictures.")


def _about(
    anomalous: NDArray[np.bool_], normal: NDArray[np.bool_], scores: NDArray[np.float32], flags: NDArray[np.bool_]
) -> dict[str, Any]:
    """Return what is said of one kind of anomaly, compared with the normal pictures."""
    return {
        "n_images": int(anomalous.sum()),
        "n_flagged": int(flags[anomalous].sum()),
        "auroc": auroc(scores[anomalous], scores[normal]),
    }


def auroc(anomalous: NDArray[np.float32], normal: NDArray[np.float32]) -> float:
    """Return the chance that an anomaly scores above a normal picture, half of it where they score alike."""
    ordered = np.sort(normal)
    below, up_to = (np.searchsorted(ordered, anomalous, side) for side in ("left", "right"))
    return float((below + up_to).mean() / (2 * len(normal)))


def _json(result: Evaluation, n_false: int, pixels: PixelEvaluation | None, by_kind: dict[str, dict[str, Any]]) -> str:
    summary = asdict(result)
    n_images = summary.pop("n_rows")
    summary = {"n_images": n_images} | summary | {"flagged_among_normal": n_false / (n_images - result.n_anomalies)}
    summary |= {"pixels": None if pixels is None else asdict(pixels), "kinds": by_kind}
    return json.dumps(summary, allow_nan=False) + "\n"


def _text(
    result: Evaluation, n_false: int, rule: str, pixels: PixelEvaluation | None, by_kind: dict[str, dict[str, Any]]
) -> str:
    lines = summary_lines(result, n_false, rule, "picture")
    if pixels is None:
        lines.insert(3, "no masks found in ground_truth: nothing is said of pixels")
    else:
        lines[3:3] = [
            f"pixel AUROC        {pixels.auroc:.4f}",
            f"AUPRO              {pixels.aupro:.4f} up to a false-positive rate of 0.3, over "
            f"{counted(pixels.n_regions, 'defect')}",
        ]
    rows = [
        (kind, f"{about['n_images']:,}", f"{about['n_flagged']:,}", f"{about['auroc']:.4f}")
        for kind, about in by_kind.items()
    ]
    parts = [
        "".join(f"{plain(line)}\n" for line in lines),
        table(("kind", "pictures", "flagged", "AUROC"), rows),
        threshold_lines(result, "picture"),
    ]
    return "\n".join(parts)
