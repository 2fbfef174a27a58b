"""The geometry of a report's pictures: numbers in, numbers out; the page's template draws them as SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gandetect.distribution import Distribution

WIDTH, HEIGHT = 320, 120
"""Size of a picture's plane, in the units of its view box."""

Point = tuple[float, float]
Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Bar:
    """A bar of a picture: what it belongs to, its corner and size, and what it says when it is pointed at."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    says: str


@dataclass(frozen=True)
class Bars:
    """Shares in bins.

    Parameters
    ----------
    bars : tuple of Bar
        Of all kinds.
    low, high : str
        What stands below the axis at its ends.
    mark : float or None
        Where a vertical line stands.
    top : str
        What the height of the plane means.
    """

    bars: tuple[Bar, ...]
    low: str
    high: str
    top: str
    mark: float | None = None


@dataclass(frozen=True)
class Line:
    """A curve of a picture: what it is, and its points as SVG has them."""

    kind: str
    label: str
    points: str


def column_bars(bins: Distribution, new: NDArray[np.int64] | None) -> Bars:
    """Draw how training, generated and new values of a column are spread, one group of bars for each bin.

    The tallest bar of training or new rows fills the plane; one of generated rows beyond it is cut off.
    """
    shares = {"training": bins.training, "generated": bins.generated}
    if new is not None and new.sum():
        shares["new"] = tuple((new / new.sum()).tolist())
    shares = {kind: values for kind, values in shares.items() if values}
    used = [i for i in range(len(bins.labels)) if any(values[i] for values in shares.values())]
    judged = [values[i] for kind, values in shares.items() for i in used if kind != "generated"]
    tallest = max(judged, default=0.0) or 1.0
    step = WIDTH / max(1, len(used))
    width = 0.84 * step / max(1, len(shares))
    bars = [
        _bar(kind, (place + 0.08) * step + order * width, width, values[i] / tallest, f"{bins.labels[i]}: {name}")
        for place, i in enumerate(used)
        for order, (kind, values) in enumerate(shares.items())
        for name in [f"{100 * values[i]:.1f} % of the {kind} rows"]
        if values[i]
    ]
    first, last = (bins.labels[i] for i in (used[0], used[-1])) if used else ("", "")
    return Bars(tuple(bars), first, last, f"{100 * tallest:.0f} %")


def score_bars(percentiles: Sequence[float], new: Doubles, critical: float, n_bins: int = 40) -> Bars:
    """Draw how scores are spread among training rows, out of fold, and among new rows; the last bin is open.

    Parameters
    ----------
    percentiles : sequence of float
        Of the training rows' scores, evenly spaced from the smallest to the largest.
    new : array of shape (n_rows,)
        Scores of new rows; may be empty.
    critical : float
        The score above which rows are flagged.
    n_bins : int
        Number of bins.
    """
    low = min([percentiles[0], *np.quantile(new, [0.0]).tolist()] if len(new) else [percentiles[0]])
    usual = max(percentiles[-2], critical if np.isfinite(critical) else percentiles[-1])
    high = max(low + 1e-6, low + 1.6 * (usual - low))
    edges = np.append(np.linspace(low, high, n_bins), np.inf)
    below = np.interp(edges, percentiles, np.linspace(0, 1, len(percentiles)), left=0, right=1)
    shares = {"training": np.diff(below)}
    if len(new):
        shares["new"] = np.histogram(np.clip(new, low, None), edges)[0] / len(new)
    tallest = max(values.max() for values in shares.values())
    step = WIDTH / n_bins
    # New rows stand as narrow bars before the wide ones of the training rows.
    places = {"training": (0.04, 0.92), "new": (0.27, 0.46)}
    bars = [
        _bar(
            kind, (i + left) * step, step * width, share / tallest, f"{_range(edges, i)}: {percent} of the {kind} rows"
        )
        for kind, values in shares.items()
        for left, width in [places[kind]]
        for i, share in enumerate(values.tolist())
        for percent in [f"{100 * share:.1f} %"]
        if share
    ]
    mark = (critical - low) / (high - low) * (WIDTH - step) if np.isfinite(critical) else None
    return Bars(tuple(bars), f"{low:.3g}", f"{high:.3g} and more", f"{100 * tallest:.0f} %", mark)


def curve(kind: str, label: str, points: Sequence[Point]) -> Line:
    """Draw a curve within the unit square; (0, 0) is at the left below."""
    places = (f"{x * WIDTH:.1f},{(1 - y) * HEIGHT:.1f}" for x, y in points)
    return Line(kind, label, " ".join(places))


def over_time(kind: str, label: str, values: Sequence[float]) -> Line:
    """Draw values between 0 and 1 over evenly spaced steps."""
    last = max(1, len(values) - 1)
    return curve(kind, label, [(i / last, min(1.0, max(0.0, value))) for i, value in enumerate(values)])


def _range(edges: Doubles, i: int) -> str:
    return f"{edges[i]:.3g} to {edges[i + 1]:.3g}" if np.isfinite(edges[i + 1]) else f"{edges[i]:.3g} and more"


def _bar(kind: str, x: float, width: float, share: float, says: str) -> Bar:
    height = min(HEIGHT, max(0.8, share * HEIGHT))
    return Bar(kind, round(x, 1), round(HEIGHT - height, 1), round(width, 1), round(height, 1), says)
