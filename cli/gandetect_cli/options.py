"""Every option and argument of the commands: their names, limits and help."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import typer

from gandetect import InputError

MODEL_FILE = "gandetect.onnx"
"""Where a model is written and looked for when nothing else is said."""

_MODEL_VARIABLE = "GANDETECT_MODEL"

# What the library allows, written once more: the library would load torch to say it.
EffortChoice: TypeAlias = Literal["low", "default", "high"]
LossChoice: TypeAlias = Literal["logistic", "least-squares", "hinge", "wasserstein"]
DetectorChoice: TypeAlias = Literal["auto", "whole", "patch"]
DecimalChoice: TypeAlias = Literal[".", ","]
StorageChoice: TypeAlias = Literal["fp32", "fp16"]
OnErrorChoice: TypeAlias = Literal["fail", "skip", "missing"]


def _optional(metavar: str, help_text: str) -> Any:
    """Return an option whose absence means something that no value says."""
    return typer.Option(metavar=metavar, help=help_text, show_default=False)


# Several commands
Data = Annotated[str, typer.Argument(metavar="DATA", help="CSV (also .gz, .zst) or Parquet; - is standard input.")]
Model = Annotated[
    str, typer.Option("--model", "-m", metavar="FILE", envvar=_MODEL_VARIABLE, help="The model file to use.")
]
ModelArgument = Annotated[str, typer.Argument(metavar="MODEL", envvar=_MODEL_VARIABLE, help="The model file.")]
Delimiter = Annotated[
    str | None, _optional("CHAR", "Between fields, \\t for a tab; found from the header unless given.")
]
OnError = Annotated[
    OnErrorChoice,
    typer.Option(
        help="A field that cannot be read ends the run, drops its row, or becomes a missing value. skip drops lines "
        "that are no rows, too."
    ),
]
Threads = Annotated[
    int,
    typer.Option(
        min=1, help="Processor threads, at most as many as there are processors; the answers do not depend on it."
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")]

# fit
ModelOutput = Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="The model file to write.")]
UnusedLabel = Annotated[str | None, _optional("COLUMN", "Holds labels: kept away from learning.")]
KnownAnomalies = Annotated[
    list[str] | None,
    _optional("COLUMN=LABEL", "Rows with this label are known anomalies to learn from; repeatable, one column."),
]
Kinds = Annotated[
    list[str] | None,
    typer.Option(
        "--kind",
        metavar="COLUMN=KIND",
        help="number, yes/no, category, time, time:FORMAT, id or text instead of what is found; repeatable.",
        show_default=False,
    ),
]
Drop = Annotated[list[str] | None, _optional("A,B,...", "Leave these columns out; repeatable.")]
Columns = Annotated[str | None, _optional("A,B,...", "Learn from these columns only.")]
Given = Annotated[
    str | None,
    _optional(
        "A,B,...",
        "Judge rows given these columns: among rows that are alike there; they are never to blame. "
        "For pictures: folder, that is among those of the same first folder below DATA.",
    ),
]
Decimal = Annotated[
    DecimalChoice | None,
    typer.Option(
        help="Decimal mark of numbers; found from them unless given, a point where commas delimit fields. "
        "Where it is given the other mark may separate thousands.",
        show_default=False,
    ),
]
Missing = Annotated[
    list[str] | None,
    _optional(
        "[COLUMN=]NUMBER",
        "A number that stands for a missing value, such as -9999, in this column or in all columns of numbers; "
        "repeatable.",
    ),
]
Seed = Annotated[int, typer.Option(min=0, help="Same data, seed and versions: same model file.")]
Effort = Annotated[EffortChoice, typer.Option(help="Time for accuracy.")]
Loss = Annotated[LossChoice, typer.Option(help="The adversarial game.")]
Contamination = Annotated[
    str,
    typer.Option(
        metavar="SHARE", help="Share of the training rows to flag, up to 0.5; auto: at a false-alarm rate of 0.05."
    ),
]
Detector = Annotated[
    DetectorChoice,
    typer.Option(
        help="For pictures: how they are judged; auto: patch where their shorter side has 128 pixels or more."
    ),
]
Backbone = Annotated[
    str | None,
    _optional(
        "NAME_OR_FILE",
        "For pictures: a pretrained network whose feature maps are judged in place of pixels, a name in timm or an "
        "ONNX file.",
    ),
]
Sheet = Annotated[
    str | None,
    _optional("FILE", "For pictures: draw real, reconstructed and generated ones on one sheet, a PNG file."),
]
Steps = Annotated[int | None, typer.Option(min=1, help="Training steps, instead of the effort's.", show_default=False)]
MaxRows = Annotated[int, typer.Option(min=1, help="Learn from at most so many rows, chosen at random by the seed.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on where the same command was interrupted; ends with the same model file.")
]
Device = Annotated[str, typer.Option(help="Where to train: auto, cpu, cuda, ...")]

# score
NewData = Annotated[
    str,
    typer.Argument(
        metavar="DATA",
        help="CSV (also .gz, .zst) or Parquet; or pictures: a folder, a picture, .npy, .npz, or names of files in a "
        ".txt file; - is a CSV, or names of pictures, on standard input.",
    ),
]
DataOutput = Annotated[
    str, typer.Option("--output", "-o", metavar="FILE", help="Where to write; - is standard output.")
]
Alpha = Annotated[
    float | None,
    typer.Option(
        "--alpha",
        "--false-alarm-rate",
        metavar="RATE",
        help="Flag rows with a p-value up to this; without it the model's own rule.",
        show_default=False,
    ),
]
Fdr = Annotated[
    float | None,
    typer.Option(
        "--fdr",
        metavar="RATE",
        help="Flag so that of the flagged rows at most this share is expected to be normal; reads the rows twice.",
        show_default=False,
    ),
]
Explain = Annotated[
    int,
    typer.Option(metavar="K", min=0, help="Add the K columns most to blame, with their shares and what was expected."),
]
Top = Annotated[int, typer.Option(metavar="K", min=1, help="Name the K columns most to blame.")]
EveryRow = Annotated[bool, typer.Option("--all", help="Explain every row, not only flagged ones.")]
OnlyAnomalies = Annotated[bool, typer.Option("--only-anomalies", help="Write flagged rows only.")]
JsonLines = Annotated[bool, typer.Option("--json", help="Write one JSON object per line.")]
CsvSafe = Annotated[
    bool, typer.Option("--csv-safe", help="Put ' before text that a spreadsheet would run as a formula.")
]
LineBuffered = Annotated[
    bool, typer.Option("--line-buffered", help="Answer every row as soon as it is there: for streams that never end.")
]
Prefix = Annotated[str, typer.Option(metavar="TEXT", help="Put before the names of the added columns.")]
Heatmaps = Annotated[
    str | None,
    _optional("FOLDER", "Draw where pictures are anomalous into this folder, and the most anomalous on one sheet."),
]
RawMaps = Annotated[
    bool, typer.Option("--raw-maps", help="With --heatmaps: also write the maps as numbers, NAME.heatmap.npy.")
]
PixelRate = Annotated[
    float,
    typer.Option(
        "--pixel-false-alarm-rate", metavar="RATE", help="With --heatmaps: share of normal pixels that is drawn as hot."
    ),
]
FailOnAnomalies = Annotated[bool, typer.Option("--fail-on-anomalies", help="Exit with code 3 if a row is flagged.")]

# report
RequiredModel = Annotated[str, typer.Argument(metavar="MODEL", help="The model file, of a model for tables.")]
OptionalData = Annotated[
    str | None, typer.Argument(metavar="[DATA]", help="New rows, scored already or not; - is standard input.")
]
ReportOutput = Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="The page; - is standard output.")]
ReportLabels = Annotated[
    str | None, _optional("COLUMN", "Holds the labels to compare with; without it nothing is compared.")
]
TopRows = Annotated[int, typer.Option("--top", metavar="K", min=0, max=200, help="Show the K most anomalous rows.")]

# drift
Tolerance = Annotated[
    float,
    typer.Option(min=0, max=1, help="Smallest shift of a column that counts, as a share of the rows."),
]
FailOnDrift = Annotated[bool, typer.Option("--fail-on-drift", help="Exit with code 3 if anything has drifted.")]

# evaluate
LabelledData = Annotated[
    str,
    typer.Argument(
        metavar="DATA", help="CSV (also .gz, .zst) or Parquet, - is standard input; or a folder of pictures."
    ),
]
LabelColumn = Annotated[
    str | None, _optional("COLUMN", "Holds the labels of a table; the model's own label column, if it has one.")
]
Anomaly = Annotated[
    list[str] | None,
    _optional(
        "LABEL",
        "A label of anomalies; repeatable. Without it those that the model learned from are known, and words like 1/0, "
        "yes/no or anomaly/normal.",
    ),
]

# verify
Timing = Annotated[bool, typer.Option("--timing", help="Measure latency, throughput and memory as well.")]

# export
VariantOutput = Annotated[str, typer.Option("--output", "-o", metavar="FILE", help="The variant to write.")]
Storage = Annotated[
    StorageChoice | None,
    typer.Option(
        help="fp16 stores the weights in half the space; they are computed with as before. "
        "Distilled models are stored so anyway, unless with --core.",
        show_default=False,
    ),
]
Distill = Annotated[
    bool, typer.Option("--distill", help="Teach the ensemble to one small network that takes its place.")
]
Core = Annotated[
    bool,
    typer.Option(
        "--core",
        help="Encoded rows in, core operators only, for hosts that know little; FILE.encoding.json says how to encode.",
    ),
]
TeachingData = Annotated[
    str | None,
    _optional("DATA", "Normal rows to teach with, beside those that the model makes itself; none that miss a cell."),
]


_ONLY_FOR = {
    "tables": {
        *("anomaly", "columns", "decimal", "delimiter", "drop", "explain", "kind", "known_anomalies"),
        *("label_column", "line_buffered", "max_rows", "missing", "on_error"),
    },
    "pictures": {"backbone", "detector", "heatmaps", "pixel_rate", "raw_maps", "sheet"},
}
"""The options that mean something for one modality only, by their names as arguments, whatever the command."""


def on_command_line(context: typer.Context) -> dict[str, str]:
    """Return how each option on the command line is written, by its name as an argument; defaults are none of them."""
    return {
        option.name: option.opts[0]
        for option in context.command.params
        if option.name
        and (source := context.get_parameter_source(option.name)) is not None
        and source.name == "COMMANDLINE"
    }


def refuse_others(context: typer.Context, modality: Literal["tables", "pictures"]) -> None:
    """Refuse the options on the command line that are only for another modality.

    Raises
    ------
    InputError
        There is one.
    """
    for name, option in on_command_line(context).items():
        for other in _ONLY_FOR.keys() - {modality}:
            if name in _ONLY_FOR[other]:
                raise InputError(
                    f"Expected no {option} with a model for {modality}, found one; leave it out: it is for {other}."
                )
