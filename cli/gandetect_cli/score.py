"""``gandetect score``: a table in, the same table with an anomaly score for every row out; pictures in, a table out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

from gandetect import InputError, PValueCounts, Scorer
from gandetect.errors import quoted
from gandetect.explanation import EXPLAINED
from gandetect.image_schema import ImageSchema
from gandetect.modality import VERDICT
from gandetect.schema import Schema
from gandetect_cli import options
from gandetect_cli.answers import Csv, Format, JsonLines, Scored, answer_columns, answer_names, decimal_mark
from gandetect_cli.exit_codes import FOUND
from gandetect_cli.output import open_output, require_other_files
from gandetect_cli.progress import ProgressBar
from gandetect_cli.scoring import Scoring, TableScoring, flag_rule
from gandetect_cli.source import Table
from gandetect_cli.terminal import Reporter, counted

if TYPE_CHECKING:
    from gandetect_cli.heatmaps import HeatmapFolder

HELP = {
    "score": """\
\b
Examples:
  gandetect score new.csv
  gandetect score new.csv -o scored.csv --explain 3
  gandetect score new.csv --only-anomalies --false-alarm-rate 0.01
  gandetect score new.csv --fdr 0.1 -o scored.csv
  zcat new.csv.gz | gandetect score - --json | jq .anomaly_score
  tail -n +1 -F sensors.csv | gandetect score - --line-buffered --only-anomalies
  gandetect score new.csv --quiet -o scored.csv --fail-on-anomalies || echo look
  gandetect score photos/ -o scored.csv --heatmaps maps/
  find . -name '*.png' -mtime -1 | gandetect score - -o scored.csv

Add anomaly_score (the higher, the more anomalous), p_value (the share of normal rows at least as anomalous) and
is_anomaly to every row. Columns and rows stay as they are; the columns that the model was trained on may stand in any
order, among others. Of pictures the answers are a table with their names; those that cannot be read are named and left
out. Exit code 3 says that --fail-on-anomalies found some.
"""
}


def score(
    context: typer.Context,
    data: options.NewData,
    model: options.Model = options.MODEL_FILE,
    output: options.DataOutput = "-",
    alpha: options.Alpha = None,
    fdr: options.Fdr = None,
    explain: options.Explain = 0,
    only_anomalies: options.OnlyAnomalies = False,
    on_error: options.OnError = "fail",
    delimiter: options.Delimiter = None,
    as_json: options.JsonLines = False,
    csv_safe: options.CsvSafe = False,
    prefix: options.Prefix = "",
    fail_on_anomalies: options.FailOnAnomalies = False,
    heatmaps: options.Heatmaps = None,
    raw_maps: options.RawMaps = False,
    pixel_rate: options.PixelRate = 0.001,
    line_buffered: options.LineBuffered = False,
    threads: options.Threads = 1,
    quiet: options.Quiet = False,
) -> None:
    """Add an anomaly score, a p-value and a flag to every row, or list them for pictures."""
    _require_one_layout(as_json=as_json, csv_safe=csv_safe, prefix=prefix)
    _require_one_rule(alpha, fdr, line_buffered=line_buffered)
    require_other_files([output], [data, model])
    scorer = Scorer(model, threads=threads)
    if isinstance(scorer.schema, ImageSchema):
        options.refuse_others(context, "pictures")
        from gandetect_cli.pictures import PictureScoring  # only where it is called for: a table is to start fast

        maps = _heatmap_folder(context, heatmaps, data, pixel_rate, raw=raw_maps)
        scoring: Scoring = PictureScoring(data, scorer, scorer.schema, maps, only_anomalies=only_anomalies)
    else:
        options.refuse_others(context, "tables")
        scoring = TableScoring(
            Table(data, delimiter, allow_empty=True, twice=fdr is not None, line_buffered=line_buffered),
            scorer,
            on_error,
        )
    chosen = _Chosen(scoring.schema, explain, prefix, only_anomalies)
    with scoring, open_output(output) as write, ProgressBar("scoring", quiet=quiet, delay=1) as bar:
        rule = flag_rule(scorer, alpha)
        if fdr is not None:
            alpha, rule = _discoveries(_counted_p_values(scoring, bar), fdr, scorer)
        layout: Format | None = None
        for scored in scoring.scored(chosen.outputs, alpha):
            if layout is None:
                added = chosen.names(scored.chunk.names, scoring.name)
                layout = JsonLines(scoring.schema) if as_json else Csv(decimal_mark(scoring.schema), csv_safe)
                write(layout.header(scored.chunk, added))
            write(chosen.lines(scored, layout))
            bar.update(*scoring.progress)
    scoring.report(Reporter(quiet), rule)
    if fail_on_anomalies and scoring.n_flagged:
        raise typer.Exit(FOUND)


def _counted_p_values(scoring: Scoring, bar: ProgressBar) -> PValueCounts:
    """Go through all that is scored, and count how often each p-value occurs."""
    counts = PValueCounts()
    for p_values in scoring.p_values():
        counts.add(p_values)
        bar.update(*scoring.progress)
    return counts


def _heatmap_folder(
    context: typer.Context, folder: str | None, data: str, pixel_rate: float, *, raw: bool
) -> HeatmapFolder | None:
    """Return the folder that heat maps are drawn into, if any; refuse what is said of maps that are not asked for."""
    if folder:
        from gandetect_cli.heatmaps import HeatmapFolder

        return HeatmapFolder(folder, data, pixel_rate, raw=raw)
    for name, option in options.on_command_line(context).items():
        if name in ("raw_maps", "pixel_rate"):
            raise InputError(f"Expected --heatmaps FOLDER with {option}, found none; say where the maps are to go.")
    return None


def _require_one_layout(*, as_json: bool, csv_safe: bool, prefix: str) -> None:
    """Refuse wishes for the form of the answers that do not go together, or cannot be written."""
    if as_json and csv_safe:
        raise InputError("Expected one of --json and --csv-safe, found both; JSON needs no protection.")
    if prefix.encode(errors="ignore").decode() != prefix:
        raise InputError(
            f"Expected text in UTF-8 as --prefix, found {prefix!r}; put other characters before the names."
        )


def _require_one_rule(alpha: float | None, fdr: float | None, *, line_buffered: bool) -> None:
    """Refuse two rules by which rows are flagged, and one that cannot be followed."""
    if fdr is None:
        return
    if alpha is not None:
        raise InputError("Expected one of --false-alarm-rate and --fdr, found both; leave one out.")
    if not 0 < fdr < 1:
        raise InputError(f"Expected a false discovery rate between 0 and 1, found --fdr {fdr!r}.")
    if line_buffered:
        raise InputError("Expected one of --line-buffered and --fdr, found both; --fdr has to see all rows first.")


def _discoveries(counts: PValueCounts, rate: float, scorer: Scorer) -> tuple[float, str]:
    """Return the p-value up to which rows or pictures are flagged, and the rule in words."""
    limit = counts.discovery_limit(rate)
    rule = f"a false discovery rate of {rate:g}"
    if limit:
        return limit, f"{rule}, which flags p-values up to {limit:.3g}"
    fewest = counts.fewest_discoveries(rate, scorer.manifest["calibration"]["n"])
    of = counted(counts.n_rows, scorer.schema.noun)
    needed = f": of {of} at least {fewest:,} would have to share the smallest p-value there is"
    return _NO_P_VALUE, rule + needed if counts.n_rows else rule


_NO_P_VALUE = 1e-30
"""A false-alarm rate that no p-value reaches."""


@dataclass(frozen=True)
class _Chosen:
    """What the caller wants to see."""

    schema: Schema
    explain: int
    prefix: str
    only_anomalies: bool

    @property
    def outputs(self) -> list[str]:
        """The outputs of the model that this takes."""
        return list(EXPLAINED if self.explain else VERDICT)

    def names(self, given: Sequence[str], source: str) -> list[str]:
        """Return the names of the answers; refuse one that is called like a column of the input."""
        added = answer_names(self.schema, self.explain, self.prefix)
        taken = [name for name in added if name in given]
        if taken:
            raise InputError(
                f"{source}: expected no columns called like the answers, found {quoted(taken)}; "
                "pass --prefix TEXT to put it before the answers' names."
            )
        return added

    def lines(self, scored: Scored, layout: Format) -> bytes:
        """Return the lines of a chunk."""
        wanted = scored.only(scored.answers["is_anomaly"]) if self.only_anomalies else scored
        if wanted.lines is not None and layout == Csv():
            return wanted.lines
        return layout.rows(wanted, answer_columns(wanted, self.schema, self.explain, self.prefix))
