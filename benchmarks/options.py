"""What the benchmarks on a folder of labelled tables take on the command line."""

from __future__ import annotations

import argparse
from pathlib import Path


def names(text: str) -> list[str]:
    """Split a list of names given as ``a,b``."""
    return text.split(",")


def numbers(text: str) -> list[int]:
    """Split a list of whole numbers given as ``0,1,2``."""
    return [int(number) for number in names(text)]


def options(description: str | None, output: str) -> argparse.ArgumentParser:
    """Return a parser of the options that all have; `output` is where results go unless told otherwise."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="folder of NAME.npz files with X and y")
    parser.add_argument("--seeds", type=numbers, default=[0], help="0,1,2")
    parser.add_argument("--output", type=Path, default=Path(output), help="results are appended to this CSV file")
    parser.add_argument("--table", action="store_true", help="render the results file as Markdown instead")
    return parser


def parsed(parser: argparse.ArgumentParser, arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line; without ``--table`` there must be a folder."""
    found = parser.parse_args(arguments)
    if found.folder is None and not found.table:
        parser.error("expected the folder with the data, or --table")
    return found
