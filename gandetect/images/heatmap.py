"""Maps of images to one heat map: what is usual at each position, and how rare a pixel's value is.

All of it is fitted on maps that each member made of images it never saw. The heat of a pixel is ``-log10`` of the
share of normal pixels that are at least as conspicuous, so one threshold stands for one false-alarm rate of pixels: at
2 one normal pixel in a hundred is hot, at 3 one in a thousand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

N_KNOTS = 16
"""Knots of the heat, equally spaced in ``-log10 p``."""

MAX_PIXELS = 2**20
"""Pixels that the heat is fitted on; of more, evenly chosen ones."""

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class MapRule:
    """How maps become one.

    Parameters
    ----------
    weights : array of shape (n_maps,)
        Of each map.
    shared : float
        Share of the deviation over all positions in that of each: few images leave some position without any.
    blur : float
        Standard deviation of the Gaussian that their sum is blurred with, in positions.
    goes_on : bool
        Whether an image goes on beyond its border as it is there; else all is as usual beyond it.
    """

    weights: Doubles
    shared: float
    blur: float
    goes_on: bool


OF_WHOLE = MapRule(np.ones(1), shared=0.3, blur=1.0, goes_on=False)
"""For the one map of whole images: the reconstruction error."""

OF_PATCHES = MapRule(np.array([0.3, 1.0, 0.2, 2.0]), shared=1.0, blur=0.7, goes_on=True)
"""For maps of realness, distance, reconstruction error and texture, whose positions are four pixels apart.

Distance and texture are in units of what is usual at each position already.
"""

OF_FEATURE_MAPS = MapRule(np.array([1.0, 0.5, 0.2, 1.0]), shared=1.0, blur=0.7, goes_on=True)
"""The same where a backbone comes first: of its features the logit tells more."""


@dataclass(frozen=True)
class MapScale:
    """What is usual: ``sum_k rule.weights[k] * (maps[:, k] - mean[k]) / deviation[k]`` is how conspicuous a pixel is.

    Parameters
    ----------
    mean, deviation : array of shape (n_maps, height, width) or (n_maps, 1, 1)
        At every position, or the same everywhere; where images have folders, (folders, n_maps, ...).
    rule : MapRule
        How maps become one.
    """

    mean: Doubles
    deviation: Doubles
    rule: MapRule


@dataclass(frozen=True)
class Heat:
    """``sum_k step * clip((x - knots[k]) / widths[k], 0, 1)``, and beyond the last knot on with the last slope.

    Parameters
    ----------
    knots, widths : array of shape (n_intervals,)
        Where each interval begins and how wide it is.
    step : float
        Rise over one interval.
    """

    knots: Doubles
    widths: Doubles
    step: float


def depends_on_position(samples: NDArray[np.float32]) -> bool:
    """Return whether images show the same things at the same places, as framed parts do and free texture does not.

    They do if the mean of one half of the images explains at least a tenth of how much the pixels of the other half
    differ within an image.

    Parameters
    ----------
    samples : array of shape (n, channels, height, width)
        Training images.
    """
    centred = samples - samples.mean((2, 3), keepdims=True)
    first, second = centred[::2], centred[1::2]
    unexplained = np.square(second - first.mean(0)).mean()
    return bool(unexplained <= 0.9 * np.square(second).mean())


def fit_scale(maps: NDArray[np.float32], rule: MapRule, *, positional: bool) -> MapScale:
    """Fit what is usual on out-of-fold maps of shape (n, n_maps, height, width)."""
    axes = 0 if positional else (0, 2, 3)
    mean: Doubles = maps.mean(axes, dtype=np.float64, keepdims=True)[0]
    deviation: Doubles = maps.std(axes, dtype=np.float64, keepdims=True)[0]
    overall = maps.std((0, 2, 3), dtype=np.float64)[:, None, None]
    deviation = (1 - rule.shared) * deviation + rule.shared * overall
    return MapScale(mean, np.maximum(deviation, 1e-3), rule)


def fit_heat(conspicuousness: NDArray[np.float32]) -> Heat:
    """Fit the heat on out-of-fold values of any shape."""
    flat = conspicuousness.ravel()
    ordered = np.sort(flat[:: -(-len(flat) // MAX_PIXELS)]).astype(np.float64)
    n_pixels = len(ordered)
    heights = np.linspace(0, np.log10(n_pixels), N_KNOTS)
    position = np.clip(n_pixels * (1 - 10.0**-heights), 0, n_pixels - 1)
    knots = np.interp(position, np.arange(n_pixels), ordered)
    # Steep steps would turn rounding errors into differences between hosts.
    narrowest = max(0.02 * float(ordered.std()), 1e-3)
    for k in range(1, N_KNOTS):
        knots[k] = max(knots[k], knots[k - 1] + narrowest)
    return Heat(knots[:-1], np.diff(knots), float(heights[1]))
