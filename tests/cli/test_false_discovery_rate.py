import csv
import io
import os
import threading

import numpy as np
import pytest
from scipy.stats import false_discovery_control

import gandetect
from gandetect_cli import source
from gandetect_cli.source import Table


def rows(text):
    return list(csv.DictReader(io.StringIO(text, newline="")))


def flags(text):
    return [row["is_anomaly"] == "true" for row in rows(text)]


def expected(text, rate):
    p_values = np.array([float(row["p_value"]) for row in rows(text)])
    return (false_discovery_control(p_values) <= rate).tolist()


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3])
def test_the_flags_are_those_of_benjamini_and_hochberg(cli, machines_new, small_model, rate):
    result = cli("score", machines_new, "-m", small_model, "--fdr", rate)
    assert result.code == 0
    assert flags(result.out) == expected(result.out, rate)
    assert f" at a false discovery rate of {rate}" in result.err


def test_a_pipe_gives_the_same_bytes_as_a_file(cli, machines_new, small_model, tmp_path):
    result = cli("score", machines_new, "-m", small_model, "--fdr", 0.1)
    assert any(flags(result.out))
    assert cli("score", "-", "-m", small_model, "--fdr", 0.1, stdin=machines_new.read_bytes()) == result
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_bytes, args=[machines_new.read_bytes()])
    writer.start()
    assert cli("score", pipe, "-m", small_model, "--fdr", 0.1) == result
    writer.join()


def test_where_nothing_can_be_found_the_summary_says_what_it_would_take(cli, machines_new, small_model):
    n_calibration = gandetect.read_model(small_model)[1]["calibration"]["n"]
    result = cli("score", machines_new, "-m", small_model, "--fdr", 0.0001)
    assert not any(flags(result.out))
    fewest = int(np.ceil(252 / (0.0001 * (n_calibration + 1))))
    needed = f"of 252 rows at least {fewest:,} would have to share the smallest p-value there is"
    assert f"0 anomalies (0.0 %) at a false discovery rate of 0.0001: {needed}\n" in result.err


def test_a_table_without_rows_is_no_error(cli, machines_new, small_model):
    header = machines_new.read_text().splitlines()[0]
    result = cli("score", "-", "-m", small_model, "--fdr", 0.1, stdin=f"{header}\n".encode())
    assert (result.code, result.out.count("\n")) == (0, 1)


@pytest.mark.parametrize("rate", ["0", "1", "-0.1", "nan"])
def test_a_rate_is_a_share(cli, machines_new, small_model, rate):
    result = cli("score", machines_new, "-m", small_model, f"--fdr={rate}")
    sentence = f"Expected a false discovery rate between 0 and 1, found --fdr {float(rate)!r}."
    assert (result.code, result.err) == (2, f"gandetect: {sentence}\n")


def test_only_one_rule_can_flag(cli, machines_new, small_model):
    result = cli("score", machines_new, "-m", small_model, "--fdr", 0.1, "--false-alarm-rate", 0.1)
    sentence = "Expected one of --false-alarm-rate and --fdr, found both; leave one out."
    assert (result.code, result.err) == (2, f"gandetect: {sentence}\n")


REFUSED = (
    "expected rows that end, since --fdr reads them twice, found {}; "
    "put them into a file, or pass --false-alarm-rate instead.\n"
)


def test_a_device_is_refused(cli, small_model):
    result = cli("score", "/dev/zero", "-m", small_model, "--fdr", 0.1)
    assert (result.code, result.err) == (2, "gandetect: /dev/zero: " + REFUSED.format("a device"))


def test_a_pipe_without_an_end_is_refused(cli, machines_new, small_model, monkeypatch):
    monkeypatch.setattr(source, "MAX_SPOOLED", 1000)
    result = cli("score", "-", "-m", small_model, "--fdr", 0.1, stdin=machines_new.read_bytes())
    assert (result.code, result.err) == (2, "gandetect: <stdin>: " + REFUSED.format("more than 1,000 bytes"))


def test_a_terminal_is_refused(monkeypatch):
    class Terminal(io.TextIOWrapper):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stdin", Terminal(io.BytesIO(b"a\n1\n")))
    with pytest.raises(gandetect.InputError, match="found a terminal"), Table("-", twice=True):
        pass
    with Table("-") as table:
        assert len(list(table.chunks())) == 1


def test_a_pipe_of_packed_data_is_refused(cli, small_model, tmp_path):
    os.mkfifo(tmp_path / "new.csv.gz")
    result = cli("score", "new.csv.gz", "-m", small_model, "--fdr", 0.1)
    assert (result.code, result.err) == (2, "gandetect: new.csv.gz: " + REFUSED.format("a pipe of packed data"))
