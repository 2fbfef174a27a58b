"""The command ``gandetect``: which commands there are, and what becomes of their errors."""

from __future__ import annotations

import gc
import os
import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated

import typer

from gandetect import FileAccessError, GandetectError
from gandetect_cli.exit_codes import BUG, NO_ACCESS, UNUSABLE
from gandetect_cli.output import ReaderLeftError, emit
from gandetect_cli.stopping import Stopped, stoppable
from gandetect_cli.terminal import show

EXAMPLES = """\
\b
Examples:
  gandetect fit normal.csv                learn what normal rows look like; writes gandetect.onnx
  gandetect score new.csv                 add an anomaly score, a p-value and a flag to every row
  gandetect fit photos/                   pictures, too: all commands but explain, drift and report take them
  gandetect explain new.csv               which columns are to blame, and what was expected
  gandetect evaluate labelled.csv --label-column label
  gandetect drift new.csv                 are these still the data that the model was trained on?
  gandetect report gandetect.onnx new.csv -o report.html
  gandetect inspect                       what a model file says of itself
  gandetect verify                        does this machine compute what was trained?
  gandetect export --distill -o small.onnx            a smaller, faster variant

Find anomalous rows and pictures with a generative adversarial network that lives in one ONNX file.
"""

EXIT_CODES = """\
Exit codes: 0 done; 1 a bug of ours; 2 a command line or content that cannot be used; 3 anomalies or drift found where
--fail-on-anomalies or --fail-on-drift asked; 4 a file that cannot be opened, read or written; 130 and 143 stopped by a
signal.
"""

DEBUG_VARIABLE = "GANDETECT_DEBUG"

# The module of each command, which has a function and a help text of the command's name.
_HOMES = {
    "fit": "gandetect_cli.fit",
    "score": "gandetect_cli.score",
    "explain": "gandetect_cli.explain",
    "evaluate": "gandetect_cli.evaluate",
    "drift": "gandetect_cli.drift",
    "report": "gandetect_cli.report",
    "inspect": "gandetect_cli.model",
    "verify": "gandetect_cli.model",
    "export": "gandetect_cli.export",
}


def main(arguments: Sequence[str]) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : sequence of str
        What stands after the program's name.

    Returns
    -------
    int
        The exit code.
    """
    # A command's module is loaded only where it is called for: scoring is to start fast.
    verbs = [verb for verb in arguments[:1] if verb in _HOMES] or list(_HOMES)
    command = typer.main.get_command(_app(verbs))
    try:
        with stoppable(), _without_warnings():
            code = command.main(args=list(arguments) or ["--help"], prog_name="gandetect", standalone_mode=False)
    except ReaderLeftError:
        return 0
    except Stopped as stopped:
        return _failed("stopped.", int(str(stopped.code)))
    except SystemExit as ended:  # shell completion leaves in this way
        return ended.code if isinstance(ended.code, int) else BUG
    except FileAccessError as error:
        # A pipe that was named like a file may be closed as well.
        return 0 if isinstance(error.__cause__, BrokenPipeError) else _failed(str(error), NO_ACCESS)
    except GandetectError as error:
        return _failed(str(error), UNUSABLE)
    except MemoryError as error:
        return _failed(str(error) or "Expected enough memory, found too little; free some of it.", UNUSABLE)
    except Exception as error:
        return _unexpected(error)
    return code if isinstance(code, int) else 0


def run() -> None:
    """Run the command line and leave with its exit code."""
    code = main(sys.argv[1:])
    gc.freeze()  # else Python looks through all that was loaded for what it could still let go, a tenth of a short run
    sys.exit(code)


def _app(verbs: Sequence[str]) -> typer.Typer:
    # Without markup, and with plain exceptions, typer leaves rich alone.
    app = typer.Typer(
        name="gandetect",
        help=EXAMPLES,
        epilog=EXIT_CODES,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for verb in verbs:
        home = import_module(_HOMES[verb])
        function = getattr(home, verb)
        app.command(verb, help=home.HELP[verb], short_help=function.__doc__)(function)
    return app


def _show_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        emit(f"gandetect {version('gandetect')}\n")
        raise typer.Exit


def _options(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Show the version and exit.")
    ] = False,
) -> None:
    """Take the options that stand before the command."""


def _failed(sentence: str, code: int) -> int:
    show(f"gandetect: {sentence}")
    return code


def _unexpected(error: Exception) -> int:
    """Tell the command line's own errors, which typer raises, from bugs."""
    # Every release of typer keeps this class elsewhere.
    if hasattr(error, "format_message") and hasattr(error, "exit_code"):
        context = getattr(error, "ctx", None)
        where = context.command_path if context is not None else "gandetect"
        return _failed(f"{str(error.format_message()).rstrip('.')}; see {where} --help.", UNUSABLE)
    if os.environ.get(DEBUG_VARIABLE) == "1":
        import traceback

        traceback.print_exception(error)
    return _failed(
        f"This is a bug in gandetect ({type(error).__name__}: {error}); please report it with what "
        f"{DEBUG_VARIABLE}=1 in the environment shows.",
        BUG,
    )


def _without_warnings() -> warnings.catch_warnings[None]:
    """Keep warnings of libraries, which are for programmers, from people who did not ask for them."""
    return warnings.catch_warnings(action=None if sys.warnoptions else "ignore")
