"""``gandetect explain``: reasons in words and as JSON."""

import csv
import io
import json
import re

import gandetect


def test_every_flagged_row_is_explained_in_words(cli, machines_new, small_model):
    result = cli("explain", machines_new, "-m", small_model, "--top", 2)
    assert result.code == 0
    rows = [line for line in result.out.splitlines() if line.startswith("line ")]
    assert all(": anomaly, score " in row for row in rows)
    assert result.err.startswith(f"252 rows scored, {len(rows)} anomalies (")
    assert len(result.out.splitlines()) == len(rows) * 4  # the row, two reasons, and what would be normal


def test_json_holds_the_same_rows_as_score_flags(cli, machines_new, small_model):
    told = [json.loads(line) for line in cli("explain", machines_new, "-m", small_model, "--json").out.splitlines()]
    scored = [json.loads(line) for line in cli("score", machines_new, "-m", small_model, "--json").out.splitlines()]
    assert [row["line"] for row in told] == [i + 2 for i, row in enumerate(scored) if row["is_anomaly"]]
    names = {column.name for column in gandetect.Scorer(small_model).schema.features}
    for row in told:
        assert row["is_anomaly"]
        assert {reason["column"] for reason in row["reasons"]} <= names
        assert len(row["reasons"]) == 3
        assert row["reasons"][0]["share"] >= row["reasons"][1]["share"]
        assert row["repair"].keys() <= names


def test_json_gives_the_reasons_that_words_give(cli, machines_new, small_model):
    options = machines_new, "-m", small_model, "--all", "--top", 5
    told = [json.loads(line) for line in cli("explain", *options, "--json").out.splitlines()]
    said = re.findall(r"^ +\d+ %  (.*)$", cli("explain", *options).out, re.MULTILINE)
    assert [reason["reason"] for row in told for reason in row["reasons"]] == said
    assert not [reason for reason in said if reason.endswith(", as expected")]


def test_a_repair_that_is_made_leaves_no_anomaly(cli, machines_new, small_model):
    with machines_new.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    told = [json.loads(line) for line in cli("explain", machines_new, "-m", small_model, "--json").out.splitlines()]
    mended = [rows[row["line"] - 2] | row["repair"] for row in told if row["repair"]]
    assert mended
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(mended)
    again = cli("score", "-", "-m", small_model, "--json", stdin=text.getvalue().encode())
    assert not any(json.loads(line)["is_anomaly"] for line in again.out.splitlines())


def test_all_explains_every_row(cli, machines_new, small_model):
    result = cli("explain", machines_new, "-m", small_model, "--all", "--json")
    assert len(result.out.splitlines()) == 252


def test_the_false_alarm_rate_decides_who_is_explained(cli, machines_new, small_model):
    few, many = (
        len(cli("explain", machines_new, "-m", small_model, "--json", "--false-alarm-rate", rate).out.splitlines())
        for rate in (0.01, 0.3)
    )
    assert few < many


def test_names_and_values_from_the_file_cannot_play_tricks_on_a_terminal(cli, machines_new, small_model):
    text = machines_new.read_text(encoding="utf-8").splitlines()
    header, row = text[0].split(","), text[1].split(",")
    row[header.index("operator")] = "\x1b[31mred"
    hostile = "\n".join([text[0], ",".join(row)]).encode()
    result = cli("explain", "-", "-m", small_model, "--all", "--top", 99, stdin=hostile)
    assert "[31mred (never seen before)" in result.out
    assert "\x1b" not in result.out
