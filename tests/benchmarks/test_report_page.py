"""A page of a few rows is measured."""

from __future__ import annotations

import csv
from pathlib import Path

import report_page


def test_rows_are_drawn_from_the_sample(tmp_path: Path) -> None:
    report_page.write_rows(tmp_path / "rows.csv", 300)
    with report_page.ROWS.open(newline="", encoding="utf-8") as file:
        header, *rows = csv.reader(file)
    with (tmp_path / "rows.csv").open(newline="", encoding="utf-8") as file:
        found, *drawn = csv.reader(file)
    assert found == header
    assert len(drawn) == 300
    assert all(row in rows for row in drawn)


def test_a_page_is_timed_and_weighed() -> None:
    seconds, used, megabytes = report_page.measure(20)
    assert 0 < used < 60
    assert 0 < seconds < 60
    assert 0.01 < megabytes < 1
