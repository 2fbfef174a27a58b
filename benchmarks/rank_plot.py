"""Draw the mean ranks of detectors with the Nemenyi critical difference as SVG, from a results file of `tables.py`.

    python benchmarks/rank_plot.py --results benchmarks/results/tables_one_class.csv --output docs/ranks.svg

Ranks are by AUROC on each set, averaged over seeds. Each bar reaches half of the critical difference to both sides: two
detectors whose bars do not overlap differ at the level of 0.05 (Demsar, "Statistical Comparisons of Classifiers over
Multiple Data Sets", JMLR 2006).
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from xml.sax.saxutils import escape

import pandas as pd
from report import latest, ranks, tried_by_all
from scipy.stats import studentized_range

LEVEL = 0.05
WIDTH, LEFT, RIGHT, TOP, ROW = 720, 190, 60, 70, 24
"""Pixels: of the picture, beside and above the plot, and of one detector's row."""

# The background is drawn too: the page around may be of another theme than the one that the reader's system prefers.
STYLE = """
  .page { fill: #ffffff } text { fill: #1f2328; font: 13px sans-serif } .title { font-weight: bold; font-size: 15px }
  .tick { stroke: #d1d9e0 } .bar { stroke: #818b98; stroke-width: 5 } .dot { fill: #59636e }
  .ours .bar { stroke: #54aeff } .ours .dot { fill: #0969da } .ours text { font-weight: bold }
  @media (prefers-color-scheme: dark) {
    .page { fill: #0d1117 } text { fill: #f0f6fc } .tick { stroke: #3d444d }
    .bar { stroke: #656c76 } .dot { fill: #b7bdc8 }
    .ours .bar { stroke: #1f6feb } .ours .dot { fill: #79c0ff }
  }
"""


def critical_difference(n_detectors: int, n_sets: int) -> float:
    """Return the difference of mean ranks from which two detectors differ at `LEVEL`, by the Nemenyi test."""
    quantile = studentized_range.ppf(1 - LEVEL, n_detectors, math.inf) / math.sqrt(2)
    return float(quantile * math.sqrt(n_detectors * (n_detectors + 1) / (6 * n_sets)))


def draw(mean_ranks: pd.Series, n_sets: int, setting: str) -> str:
    """Return the picture; ``mean_ranks`` is indexed by detector."""
    mean_ranks = mean_ranks.sort_values()
    n_detectors = len(mean_ranks)
    difference = critical_difference(n_detectors, n_sets)
    low, high = mean_ranks.min() - difference / 2, mean_ranks.max() + difference / 2

    def x(rank: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (rank - low) / (high - low)

    bottom = TOP + ROW * n_detectors
    what = f"Mean rank by AUROC, {setting}, {n_sets} sets (1 = best)"
    how = f"Detectors whose bars do not overlap differ (Nemenyi, level {LEVEL}: by more than {difference:.2f} ranks)."
    ticks = [
        tick(x(rank), rank, bottom) for rank in range(max(1, math.ceil(low)), min(n_detectors, math.floor(high)) + 1)
    ]
    rows = [
        detector_row(
            str(name), float(rank), TOP + ROW * (i + 0.5), x(rank - difference / 2), x(rank), x(rank + difference / 2)
        )
        for i, (name, rank) in enumerate(mean_ranks.items())
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {bottom + 44}" role="img">',
            f"<title>{escape(what)}</title>",
            f"<style>{STYLE}</style>",
            '<rect class="page" width="100%" height="100%"/>',
            f'<text class="title" x="16" y="28">{escape(what)}</text>',
            *ticks,
            *rows,
            f'<text x="16" y="{bottom + 28}">{escape(how)}</text>',
            "</svg>\n",
        ]
    )


def tick(x: float, rank: int, bottom: float) -> str:
    """Draw a line through the plot at a rank, with its number above."""
    line = f'<line class="tick" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom}"/>'
    return f'{line}<text x="{x:.1f}" y="{TOP - 8}" text-anchor="middle">{rank}</text>'


def detector_row(name: str, rank: float, y: float, x_low: float, x: float, x_high: float) -> str:
    """Draw a detector's name, bar, dot and mean rank."""
    owner = "ours" if name.startswith("gandetect") else "peer"
    return (
        f'<g class="{owner}"><text x="16" y="{y + 4:.1f}">{escape(name)}</text>'
        f'<line class="bar" x1="{x_low:.1f}" x2="{x_high:.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<circle class="dot" cx="{x:.1f}" cy="{y:.1f}" r="6"/>'
        f'<text x="{WIDTH - 16}" y="{y + 4:.1f}" text-anchor="end">{rank:.2f}</text></g>'
    )


def main() -> None:
    """Read the results and write the picture."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--results", type=Path, required=True, help="CSV file that tables.py wrote")
    parser.add_argument("--setting", default="one-class")
    parser.add_argument("--detectors", type=lambda text: text.split(","), help="a,b; default: all in the file")
    parser.add_argument("--output", type=Path, default=Path("docs/ranks.svg"))
    arguments = parser.parse_args()
    by_set = ranks(tried_by_all(latest(pd.read_csv(arguments.results), arguments.setting, arguments.detectors)))
    arguments.output.write_text(draw(by_set.mean(), len(by_set), arguments.setting), encoding="utf-8")


if __name__ == "__main__":
    main()
