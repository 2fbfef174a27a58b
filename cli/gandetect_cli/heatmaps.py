"""The folder that ``score --heatmaps`` fills: every picture with its heat map over it, and a sheet of the worst."""

from __future__ import annotations

import heapq
import io
import math
from collections import Counter
from pathlib import Path, PurePath

import numpy as np
from numpy.typing import NDArray

from gandetect import InputError
from gandetect.drawing import Cell, as_png, draw_overlay, draw_sheet, fit_tile, resize_heatmap
from gandetect.files import access_error, write_atomically
from gandetect.readers.pictures import require_pillow
from gandetect.wording import plain
from gandetect_cli.output import is_inside
from gandetect_cli.pictures import ScoredImages
from gandetect_cli.terminal import counted

SHEET = "most-anomalous.png"
"""Name of the contact sheet."""

N_ON_SHEET = 24
N_COLUMNS = 3

_SCALE = 3.0  # heat from the threshold to the brightest colour: a thousandth of the pixels


class HeatmapFolder:
    """Draws heat maps into a folder.

    Parameters
    ----------
    folder : str
        Is created where it is not there; files of the same names in it are replaced.
    data : str
        What is scored; the folder must not be inside it.
    pixel_rate : float
        Share of normal pixels that is drawn as hot.
    raw : bool
        Whether the maps are written as numbers, too.

    Raises
    ------
    InputError
        The folder is inside the pictures, or `pixel_rate` is not between 0 and 1.
    MissingExtraError
        Pillow is not installed.
    """

    def __init__(self, folder: str, data: str, pixel_rate: float, *, raw: bool) -> None:
        require_pillow()
        if not 0 < pixel_rate < 1:
            raise InputError(f"Expected a false-alarm rate of pixels between 0 and 1, found {pixel_rate!r}.")
        if data != "-" and is_inside(folder, data):
            raise InputError(
                f"Expected a folder for heat maps that is not inside the pictures, found {folder!r} in {data!r}: the "
                "next run would score what this one drew; name another folder."
            )
        self._folder = Path(folder)
        self._threshold = -math.log10(pixel_rate)
        self._raw = raw
        self._taken: Counter[PurePath] = Counter()
        self._worst: list[tuple[float, int, Cell]] = []

    def add(self, scored: ScoredImages, *, only_anomalies: bool) -> None:
        """Draw some pictures, or those of them that are flagged."""
        answers = scored.answers
        for i, (entry, pixels) in enumerate(zip(scored.images.entries, scored.images.arrays, strict=True)):
            if only_anomalies and not answers["is_anomaly"][i]:
                continue
            heatmap = answers["heatmap"][i]
            place = self._place(entry.name)
            self._write(f"{place}.heatmap.png", as_png(self._drawn(pixels, heatmap)))
            if self._raw:
                self._write(f"{place}.heatmap.npy", _as_npy(resize_heatmap(heatmap, *pixels.shape[:2])))
            self._remember(entry.name, pixels, heatmap, answers["anomaly_score"][i], answers["p_value"][i])

    def write_sheet(self) -> None:
        """Draw the most anomalous pictures on one sheet, the worst first."""
        if not self._worst:
            return
        ordered = [cell for _, _, cell in sorted(self._worst, key=lambda found: (-found[0], -found[1]))]
        cells = [Cell(f"{rank}. {cell.caption}", cell.pictures) for rank, cell in enumerate(ordered, 1)]
        self._write(SHEET, as_png(draw_sheet(cells, N_COLUMNS)))

    @property
    def summary(self) -> str:
        """What was drawn, in words."""
        return f"{counted(self._taken.total(), 'heat map')} in {self._folder}, the most anomalous on {SHEET}"

    def _drawn(self, pixels: NDArray[np.uint8], heatmap: NDArray[np.float32]) -> NDArray[np.uint8]:
        return draw_overlay(pixels, heatmap, self._threshold, self._threshold + _SCALE)

    def _remember(
        self, name: str, pixels: NDArray[np.uint8], heatmap: NDArray[np.float32], score: float, p_value: float
    ) -> None:
        """Keep a picture for the sheet, in the size of the sheet, as long as it is among the worst."""
        order = -self._taken.total()
        if len(self._worst) == N_ON_SHEET and (score, order) < self._worst[0][:2]:
            return
        tile = fit_tile(pixels)
        cell = Cell(plain(f"{name}  score {score:.3g}  p {p_value:.2g}"), [tile, self._drawn(tile, heatmap)])
        heapq.heappush(self._worst, (float(score), order, cell))
        if len(self._worst) > N_ON_SHEET:
            heapq.heappop(self._worst)

    def _place(self, name: str) -> PurePath:
        """Return where a picture's map goes: below the folder whatever its name is, and never over another one."""
        path = PurePath(name)
        inside = PurePath(*(part for part in path.parts if part not in (path.anchor, "..")))
        self._taken[inside] += 1
        number = self._taken[inside]
        return inside if number == 1 else inside.with_name(f"{inside.name}~{number}")

    def _write(self, name: str, data: bytes) -> None:
        path = self._folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise access_error(path.parent, "create the folder", error) from error
        write_atomically(path, data)


def _as_npy(values: NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()
