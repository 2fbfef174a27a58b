"""The page is whole and safe: every part is there, whatever stands in names and values stays text."""

import csv
import io
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

import gandetect
from gandetect import Scorer, read_model
from gandetect.column import Column, Kind, Role
from gandetect.schema import Schema

HOSTILE = [
    "<script>alert(1)</script>",
    "</title><img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "' style='x:expression(alert(1))",
    "</style><body onload=alert(1)>",
    "{{ 7 * 7 }}{% for x in y %}",
    "javascript:alert(1)",
    "&lt;b&gt; & <b>bold</b>",
    "<!-- comment",
    "]]><![CDATA[",
    "\u202etxt.exe\u202c",
    "a\x00b\x1b[31mred",
    "<meta http-equiv=refresh content='0;url=https://example.org'>",
    "<link rel=stylesheet href=//example.org/x.css>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "$x^2$ \\(y\\)",
]


class Page(HTMLParser):
    """What a browser would make of a page: its elements, their attributes, and the text."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


def tags(page):
    return {tag for tag, _ in page.elements}


@pytest.fixture(scope="module")
def hostile_model(tmp_path_factory):
    random = np.random.default_rng(0)
    texts = np.array([f"{HOSTILE[i % len(HOSTILE)]}" for i in range(64)], dtype=object)
    columns = {name: random.normal(size=64) for name in HOSTILE[:10]} | {HOSTILE[10]: texts, HOSTILE[14]: texts[::-1]}
    kinds = {True: Kind.CATEGORY, False: Kind.NUMBER}
    schema = Schema(tuple(Column(name, kinds[values.dtype == object]) for name, values in columns.items()))
    settings = gandetect.TableSettings(n_steps=20)
    path = tmp_path_factory.mktemp("hostile") / "<b>model.onnx"
    path.write_bytes(gandetect.fit_table(columns, schema, settings=settings))
    return path


@pytest.fixture(scope="module")
def hostile_rows(hostile_model):
    names = [column.name for column in Scorer(hostile_model).schema.features]
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for i, text in enumerate(HOSTILE * 2):
        safe = text.replace("\x00", "")  # no table may hold one
        writer.writerow([*([i] * (len(names) - 2)), safe, f"{safe} {i}"])
    return out.getvalue().encode()


def test_a_page_holds_all_that_is_known(cli, machines_new, small_model, tmp_path):
    result = cli("report", small_model, machines_new, "--label-column", "label", "-o", "page.html")
    assert (result.code, result.out) == (0, "")
    assert result.err.startswith("252 rows scored, ")
    assert result.err.endswith("wrote page.html\n")
    page = Page((tmp_path / "page.html").read_text())
    for heading in (
        *("Anomaly scores", "Most anomalous rows", "Compared with labels", "Columns and their drift"),
        *("What was learned from", "How the training went", "Rows made by the generator"),
    ):
        assert heading in page.text
    for column in Scorer(small_model).schema.columns:
        assert column.name in page.text
    assert "expected" in page.text
    assert page.text.count("Line ") == 20


def test_a_page_about_the_model_alone_has_no_rows(cli, small_model):
    result = cli("report", small_model, "-o", "-")
    page = Page(result.out)
    assert "What was learned from" in page.text
    assert "Most anomalous rows" not in page.text
    assert "Line " not in page.text


def test_a_page_loads_nothing_and_runs_nothing(cli, machines_new, small_model):
    page = Page(cli("report", small_model, machines_new, "-o", "-").out)
    assert not tags(page) & {"script", "img", "link", "iframe", "object", "embed", "form", "a", "base"}
    policy = [a["content"] for tag, a in page.elements if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy == ["default-src 'none'; style-src 'unsafe-inline'"]
    assert not any(name.startswith("on") or name in ("src", "href") for _, a in page.elements for name in a)


def test_hostile_names_and_values_stay_text(cli, hostile_model, hostile_rows, machines_new, small_model):
    harmless = tags(Page(cli("report", small_model, machines_new, "-o", "-").out))
    result = cli("report", hostile_model, "-", "--delimiter", ",", "-o", "-", stdin=hostile_rows)
    assert result.code == 0, result.err
    page = Page(result.out)
    assert tags(page) <= harmless
    assert not any(name.startswith("on") or name in ("src", "href") for _, a in page.elements for name in a)
    for text in HOSTILE[:10]:
        assert text in page.text
    assert "49" not in re.findall(r"\{\{.*?\}\}|49\{%", result.out)
    assert not {c for c in result.out if not c.isprintable()} - {"\n"}


def test_labels_are_compared_as_evaluate_does(cli, machines_new, small_model):
    page = Page(cli("report", small_model, machines_new, "--label-column", "label", "-o", "-").out)
    said = cli("evaluate", machines_new, "-m", small_model, "--label-column", "label").out
    auroc = re.search(r"AUROC +(0\.\d+)", said).group(1)
    assert f"AUROC {auroc} (95 % interval" in page.text


def test_labels_need_rows_and_rows_need_labels(cli, machines_new, small_model):
    result = cli("report", small_model, "--label-column", "label", "-o", "-")
    sentence = "Expected rows to compare with --label-column, found none; name their file."
    assert (result.code, result.err) == (2, f"gandetect: {sentence}\n")
    result = cli("report", small_model, machines_new, "--anomaly", "1", "-o", "-")
    sentence = "Expected --label-column COLUMN with --anomaly, found none; say where labels stand."
    assert result == (2, "", f"gandetect: {sentence}\n")
    lines = machines_new.read_text().splitlines()
    unlabelled = "\n".join([lines[0], lines[1].rpartition(",")[0] + ",", *lines[2:]]).encode()
    result = cli("report", small_model, "-", "--label-column", "label", "-o", "-", "-q", stdin=unlabelled)
    sentence = "expected a label in every row of column 'label', found rows without one; leave them out."
    assert (result.code, result.err) == (2, f"gandetect: <stdin>: {sentence}\n")


def test_the_rate_moves_the_threshold_and_the_flags(cli, machines_new, small_model):
    few, many = (
        cli("report", small_model, machines_new, "--false-alarm-rate", rate, "-o", "-", "-q").out
        for rate in (0.01, 0.3)
    )
    mark = [float(re.search(r'class="mark" x1="([\d.]+)"', page).group(1)) for page in (few, many)]
    assert mark[1] < mark[0]
    assert "not flagged" not in many


def test_rows_that_were_flagged_otherwise_are_counted(cli, machines_new, small_model):
    scored = cli("score", machines_new, "-m", small_model, "--false-alarm-rate", "0.2").out.encode()
    said = [
        cli("report", small_model, "-", "-o", "page.html", *rate, stdin=scored).err
        for rate in ((), ("--false-alarm-rate", "0.2"))
    ]
    assert "flagged otherwise than the column 'is_anomaly' says; pass the --false-alarm-rate" in said[0]
    assert "otherwise" not in said[1]


def test_generated_examples_are_not_all_alike(small_model):
    scorer = Scorer(small_model)
    inputs = scorer.manifest["golden"]["inputs"]
    assert len({*inputs["machine"]} - {"", "\u2400 unheard of"}) > 1


@pytest.fixture(scope="module")
def given_model(tmp_path_factory):
    """Path of a model with a column called 1, a time, and a given column of 40 levels."""
    random = np.random.default_rng(0)
    regions = np.array([f"R{i % 40:02}" for i in range(200)], dtype=object)
    columns = {"1": random.uniform(1.2, 1.8, 200), "sold at": random.uniform(1e9, 1.1e9, 200), "region": regions}
    schema = Schema(
        (Column("1", Kind.NUMBER), Column("sold at", Kind.TIME), Column("region", Kind.CATEGORY, Role.GIVEN))
    )
    path = tmp_path_factory.mktemp("given") / "given.onnx"
    path.write_bytes(gandetect.fit_table(columns, schema, settings=gandetect.TableSettings(n_steps=20)))
    return path


def test_given_columns_count_among_those_that_can_drift(cli, given_model):
    rows = b"1,sold at,region\n" + b"1.5,2001-09-09 01:46,unheard of\n" * 60
    page = Page(cli("report", given_model, "-", "-o", "-", stdin=rows).out)
    assert "learned from 200 rows and 3 columns" in page.text
    assert re.search(r"\b3\s*of 3 columns drifted", page.text)


def test_all_levels_are_counted_and_times_made_or_expected_are_times_of_day(cli, given_model):
    page = Page(cli("report", given_model, "-o", "-").out)
    assert "... (40 in all)" in page.text
    assert "Rows made by the generator" in page.text
    assert "1970" not in page.text


def test_a_repair_names_its_column_whatever_it_is_called(cli, given_model):
    rows = b"1,sold at,region\n1e9,2001-09-09 01:46,R00\n"
    page = Page(cli("report", given_model, "-", "-o", "-", stdin=rows).out)
    assert re.search(r"Would be normal with 1 1\.\d+", page.text)


def test_a_failure_leaves_no_page(cli, small_model, tmp_path):
    result = cli("report", small_model, "absent.csv", "-o", "page.html")
    assert result.code == 4
    assert not (tmp_path / "page.html").exists()


def test_a_missing_jinja2_is_named_with_the_command_that_installs_it(start, not_installed, small_model):
    process = start("report", small_model, "-o", "-", code=not_installed("jinja2"))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert b"pip install 'gandetect[report]'" in err


def test_labels_without_scikit_learn_are_refused_before_anything_is_read(start, not_installed, small_model):
    arguments = ["absent.csv", "--label-column", "label", "-o", "page.html"]
    process = start("report", small_model, *arguments, code=not_installed("sklearn"))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    sentence = b"Expected sklearn for gandetect.evaluate_scores, found none; pip install 'gandetect[train]'."
    assert err.splitlines() == [b"gandetect: " + sentence]


def test_labels_without_scikit_learn_are_refused_by_the_library(small_model, monkeypatch):
    scorer = Scorer(small_model)
    monkeypatch.delitem(sys.modules, "gandetect.evaluation", raising=False)
    monkeypatch.setitem(sys.modules, "sklearn.metrics", None)
    with pytest.raises(gandetect.MissingExtraError, match=r"to compare with labels, found none; .*gandetect\[train\]"):
        gandetect.render_report(scorer, gandetect.ReportRows(scorer), is_anomaly=np.array([True, False]))


def test_many_columns_are_cut_and_counted(cli, tmp_path):
    columns = {f"c{i}": np.random.default_rng(i).normal(size=40) for i in range(70)}
    schema = Schema(tuple(Column(name, Kind.NUMBER) for name in columns))
    (tmp_path / "wide.onnx").write_bytes(
        gandetect.fit_table(columns, schema, settings=gandetect.TableSettings(n_steps=5))
    )
    page = Page(cli("report", "wide.onnx", "-o", "-").out)
    assert "10 more columns are not drawn." in page.text


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")
def test_a_browser_shows_hostile_names_as_text_within_the_width_of_a_phone(cli, hostile_model, hostile_rows, tmp_path):
    cli("report", hostile_model, "-", "--delimiter", ",", "-o", "page.html", stdin=hostile_rows)
    page = (tmp_path / "page.html").read_text()
    # The page's own policy forbids scripts; without it one measures whether the page is as narrow as its window.
    policy = re.search(r"<meta http-equiv[^>]*>", page).group()
    probe = "<script>document.title = document.documentElement.scrollWidth + ' ' + innerWidth</script>"
    (tmp_path / "probed.html").write_text(page.replace(policy, "").replace("</body>", f"{probe}</body>"))
    flags = [
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *(f"--user-data-dir={tmp_path / 'profile'}", "--window-size=500,900", "--hide-scrollbars", "--dump-dom"),
    ]
    shown = subprocess.run(
        [CHROMIUM, *flags, f"file://{tmp_path / 'probed.html'}"], capture_output=True, timeout=60, check=True
    ).stdout.decode()
    width, window = map(int, re.search(r"<title>(\d+) (\d+)</title>", shown).groups())
    assert width <= window
    assert "onerror=alert" not in re.sub(r"&lt;.*?&gt;", "", re.sub(r'"[^"]*"', "", shown))


def test_a_model_file_with_a_certificate_shows_its_power(small_model):
    scorer = Scorer(small_model)
    scorer.manifest["certificate"] = {
        "alpha": 0.05,
        "strengths": {"local": 5.0, "global": 1.1},
        "false_alarm_rate": {"gandetect": 0.05, "<i>kNN</i>": 0.04},
        "power": {"local": {"gandetect": 0.9, "<i>kNN</i>": 0.95}, "global": {"gandetect": 1.0, "<i>kNN</i>": 0.5}},
    }
    page = Page(gandetect.render_report(scorer))
    assert "What it finds: planted anomalies" in page.text
    assert "<i>kNN</i>" in page.text
    assert read_model(small_model)[1]["columns"]
