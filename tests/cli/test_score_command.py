import csv
import gzip
import io
import json
import os
import select
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

import gandetect
from gandetect.readers.tables import CHUNK_ROWS, read_table
from gandetect.readers.values import parse_columns

FULL = Path("/dev/full")
ANSWERS = ["anomaly_score", "p_value", "is_anomaly"]


def table(text, delimiter=","):
    return list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))


@pytest.fixture
def new_rows(machines_new):
    return table(machines_new.read_text())


def written(rows, delimiter=",", names=None):
    out = io.StringIO()
    writer = csv.DictWriter(out, names or list(rows[0]), delimiter=delimiter, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def answers_of(rows):
    return [[row[name] for name in ANSWERS] for row in rows]


def test_rows_and_columns_stay_and_answers_follow(cli, machines_new, small_model, new_rows):
    result = cli("score", machines_new, "-m", small_model)
    assert result.code == 0
    rows = table(result.out)
    assert list(rows[0]) == [*new_rows[0], *ANSWERS]
    assert [{name: row[name] for name in new_rows[0]} for row in rows] == new_rows


def test_an_index_without_a_name_stays_so(cli, machines_new, small_model):
    header, *rows = machines_new.read_text().splitlines()
    text = "\n".join([f",{header}", *(f"{number},{row}" for number, row in enumerate(rows))])
    result = cli("score", "-", "-m", small_model, stdin=text.encode())
    assert result.out.splitlines()[0] == f",{header},{','.join(ANSWERS)}"
    assert answers_of(table(result.out)) == answers_of(table(cli("score", machines_new, "-m", small_model).out))


def test_answers_are_those_of_the_scorer(cli, machines_new, small_model):
    scorer = gandetect.Scorer(small_model)
    (chunk,) = read_table(machines_new)
    expected = scorer(parse_columns(chunk.columns, chunk.lines, scorer.schema).columns)
    rows = table(cli("score", machines_new, "-m", small_model).out)
    for name in ("anomaly_score", "p_value"):
        assert np.array_equal(np.array([row[name] for row in rows], dtype=np.float32), expected[name])
    assert [row["is_anomaly"] == "true" for row in rows] == expected["is_anomaly"].tolist()
    assert {row["is_anomaly"] for row in rows} == {"true", "false"}


def test_the_summary_on_stderr_counts(cli, machines_new, small_model, new_rows):
    result = cli("score", machines_new, "-m", small_model, "-o", "out.csv")
    assert result.out == ""
    flagged = sum(row["is_anomaly"] == "true" for row in table(cli("score", machines_new, "-m", small_model).out))
    share = f"{flagged / 2.52:.1f} %"
    assert f"252 rows scored, {flagged} anomalies ({share}) at a false-alarm rate of 0.05\n" in result.err
    empty = sum(row[name] == "" for row in new_rows for name in row)
    assert f"{empty} missing values\n" in result.err
    assert "values of categories that the model does not know: " in result.err
    assert cli("score", machines_new, "-m", small_model, "-o", "out.csv", "-q") == (0, "", "")


def test_unknown_categories_are_counted_by_column(cli, small_model, new_rows):
    known = [row | {"machine": "M01", "material": "steel", "status": "OK"} for row in new_rows[:20]]
    text = written([row | {"status": "burning"} for row in known[:3]] + [known[4] | {"material": "steel "}] + known[5:])
    result = cli("score", "-", "-m", small_model, "-o", "out.csv", stdin=text.encode())
    assert (
        "4 values of categories that the model does not know: status 3 (such as 'burning'), material 1 (such as "
        "'steel ')\n"
    ) in result.err


def test_columns_in_another_order_and_more_of_them_change_no_answer(cli, machines_new, small_model, new_rows):
    shuffled = [{"extra": "x", **dict(reversed(row.items()))} for row in new_rows]
    result = cli("score", "-", "-m", small_model, stdin=written(shuffled).encode())
    assert result.code == 0
    assert answers_of(table(result.out)) == answers_of(table(cli("score", machines_new, "-m", small_model).out))


def test_stdin_and_stdout_do_as_files_do(cli, start, machines_new, small_model, tmp_path):
    cli("score", machines_new, "-m", small_model, "-o", "out.csv")
    process = start("score", "-", "--model", small_model)
    out, err = process.communicate(machines_new.read_bytes())
    assert process.returncode == 0
    assert out == (tmp_path / "out.csv").read_bytes()
    assert b"252 rows scored" in err


def test_the_model_can_be_named_by_the_environment(cli, machines_new, small_model, monkeypatch):
    monkeypatch.setenv("GANDETECT_MODEL", str(small_model))
    assert cli("score", machines_new).code == 0


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_the_delimiter_stays(cli, small_model, new_rows, delimiter):
    text = written(new_rows[:5], delimiter)
    result = cli("score", "-", "-m", small_model, stdin=text.encode())
    assert [line.rsplit(delimiter, 3)[0] for line in result.out.splitlines()] == text.splitlines()


def test_a_given_delimiter_stays(cli, small_model, new_rows, tmp_path):
    (tmp_path / "new.txt").write_text(written(new_rows[:5], "|"))
    result = cli("score", "new.txt", "-m", small_model, "--delimiter", "|")
    assert result.out.startswith("job_id|started_at|")
    (tmp_path / "new.txt").write_text(written(new_rows[:5], "\t"))
    assert cli("score", "new.txt", "-m", small_model, "--delimiter", r"\t").out.startswith("job_id\tstarted_at\t")


def test_packed_files_are_read_and_written(cli, small_model, new_rows, tmp_path):
    (tmp_path / "new.csv.gz").write_bytes(gzip.compress(written(new_rows[:5], ";").encode()))
    plain = cli("score", "new.csv.gz", "-m", small_model)
    assert plain.out.startswith("job_id;started_at;")
    for _ in range(2):
        assert cli("score", "new.csv.gz", "-m", small_model, "-o", "out.csv.gz").code == 0
    assert gzip.decompress((tmp_path / "out.csv.gz").read_bytes()).decode() == plain.out


def test_parquet_is_read_and_comes_out_as_csv(cli, small_model, new_rows, tmp_path):
    columns = {name: [row[name] for row in new_rows] for name in new_rows[0]}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "new.parquet")
    result = cli("score", "new.parquet", "-m", small_model)
    from_csv = cli("score", "-", "-m", small_model, stdin=written(new_rows).replace("\r\n", "\n").encode())
    assert result.out == from_csv.out


@pytest.mark.parametrize("name", ["out.parquet", "out.csv.zst"])
def test_formats_that_are_not_written_are_refused(cli, machines_new, small_model, name, tmp_path):
    result = cli("score", machines_new, "-m", small_model, "-o", name)
    assert result.code == 2
    assert result.err == (
        f"gandetect: Expected an output file of text, plain or .gz, found '{name}'; choose another name.\n"
    )
    assert not list(tmp_path.iterdir())


def test_awkward_text_passes_through_unchanged(cli, small_model, new_rows):
    awkward = ['say "hi"', "a,b", "two\nlines", "carriage\rreturn", " blanks ", "ünïcödé", "", "\t"]
    rows = [row | {"note": text} for row, text in zip(new_rows, awkward, strict=False)]
    result = cli("score", "-", "-m", small_model, stdin=written(rows).encode())
    assert [row["note"] for row in table(result.out)] == awkward


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("note", ["plain", 'a "quoted"; note'])
def test_rows_come_back_as_they_were_written(cli, small_model, new_rows, mark, line_end, note):
    rows = [row | {"note": note} for row in new_rows[:5]]
    text = mark + written(rows, ";").replace("\r\n", line_end)
    result = cli("score", "-", "-m", small_model, stdin=text.encode())
    lines = result.out.split(line_end)
    assert [";".join(line.split(";")[:-3]) for line in lines] == text.split(line_end)
    unmarked = cli("score", "-", "-m", small_model, stdin=written(rows).encode())
    assert answers_of(table(result.out.removeprefix(mark), ";")) == answers_of(table(unmarked.out))


def test_the_last_row_gets_the_line_end_that_it_lacks(cli, small_model, new_rows):
    text = written(new_rows[:3])
    without = cli("score", "-", "-m", small_model, stdin=text.removesuffix("\r\n").encode())
    assert without.out == cli("score", "-", "-m", small_model, stdin=text.encode()).out


def test_quotes_that_were_not_needed_stay(cli, small_model, new_rows):
    header, row = written(new_rows[:1]).splitlines()
    text = ",".join(f'"{cell}"' for cell in row.split(","))
    result = cli("score", "-", "-m", small_model, stdin=f"{header}\n{text}\n".encode())
    assert result.out.splitlines()[1].startswith(f"{text},")


def test_answers_have_the_decimal_comma_of_the_table(cli):
    rows = [{"a": f"{i % 7},5", "b": f"{i * i % 11},25"} for i in range(60)]
    fitted = cli("fit", "-", "--steps", 2, "--decimal", ",", "-q", stdin=written(rows, ";").encode())
    assert fitted.code == 0
    answers = {}
    for delimiter in ";,":  # the second one needs quotes
        result = cli("score", "-", stdin=written(rows, delimiter).encode())
        answers[delimiter] = answers_of(table(result.out, delimiter))
    assert answers[";"] == answers[","]
    json_lines = cli("score", "-", "--json", stdin=written(rows, ";").encode()).out.splitlines()
    expected = [[json.loads(line)[name] for name in ANSWERS[:2]] for line in json_lines]
    assert [[float(number.replace(",", ".")) for number in row[:2]] for row in answers[";"]] == expected
    assert all("," in number for row in answers[";"] for number in row[:2])


def test_answers_have_a_point_where_not_all_numbers_have_a_comma(cli, machines_new, small_model):
    assert all("." in row["p_value"] for row in table(cli("score", machines_new, "-m", small_model).out))


def test_numbers_with_a_unit_are_judged_as_the_bare_numbers(cli):
    bare = [{"price": f"{37 * i % 60 + 1000}.5", "n": str(i * i % 11)} for i in range(60)]
    priced = [row | {"price": f"€ {float(row['price']):,}"} for row in bare]
    answers = []
    for rows in (bare, priced):
        assert cli("fit", "-", "--steps", 2, "-q", stdin=written(rows).encode()).code == 0
        answers.append(answers_of(table(cli("score", "-", stdin=written(rows).encode()).out)))
    assert answers[0] == answers[1]
    other = cli("score", "-", stdin=written(priced[:1] + bare[:1]).encode())
    assert "line 3: expected a number such as '€ 1,234.5' in column 'price', found '1000.5'" in other.err


def test_json_lines_hold_numbers_and_null_for_missing(cli, small_model, new_rows):
    rows = [
        new_rows[0] | {"speed_rpm": "3052", "power_kw": "3.67", "vibration_mm_s": "", "operator": "", "label": ""},
        new_rows[1] | {"speed_rpm": "inf"},
    ]
    result = cli("score", "-", "-m", small_model, "--json", "--explain", 1, stdin=written(rows).encode())
    first, second = (json.loads(line) for line in result.out.splitlines())
    assert list(first) == [*new_rows[0], *ANSWERS, "blame_1", "blame_1_share", "blame_1_reason"]
    assert (first["speed_rpm"], first["power_kw"], first["started_at"]) == (3052, 3.67, rows[0]["started_at"])
    assert first["vibration_mm_s"] is first["operator"] is first["label"] is None
    assert second["speed_rpm"] is None
    assert isinstance(first["anomaly_score"], float)
    assert isinstance(first["is_anomaly"], bool)


def test_only_anomalies_writes_flagged_rows_and_counts_all(cli, machines_new, small_model):
    everything = table(cli("score", machines_new, "-m", small_model).out)
    result = cli("score", machines_new, "-m", small_model, "--only-anomalies")
    assert table(result.out) == [row for row in everything if row["is_anomaly"] == "true"]
    assert "252 rows scored" in result.err


def test_explain_names_the_columns_most_to_blame(cli, machines_new, small_model):
    scorer = gandetect.Scorer(small_model)
    (chunk,) = read_table(machines_new)
    raw = parse_columns(chunk.columns, chunk.lines, scorer.schema).columns
    shares = scorer(raw, ["contributions"])["contributions"]
    names = [column.name for column in scorer.schema.features]
    rows = table(cli("score", machines_new, "-m", small_model, "--explain", 2).out)
    assert [row["blame_1"] for row in rows] == [names[k] for k in shares.argmax(axis=1)]
    first, second = (np.array([float(row[f"blame_{k}_share"]) for row in rows]) for k in (1, 2))
    assert np.allclose(first, shares.max(axis=1), atol=1e-4)
    assert (first >= second).all()
    assert all(row["blame_1_reason"].startswith(f"{row['blame_1']} ") for row in rows)
    assert all("expected" in row["blame_1_reason"] for row in rows)


def test_explain_names_no_more_columns_than_there_are(cli, machines_new, small_model):
    header = cli("score", machines_new, "-m", small_model, "--explain", 99).out.splitlines()[0]
    assert header.endswith(",blame_14,blame_14_share,blame_14_reason")


def test_a_false_alarm_rate_that_no_row_can_reach_is_named(cli, machines_new, small_model):
    result = cli("score", machines_new, "-m", small_model, "--false-alarm-rate", 1e-9)
    assert (
        "0 anomalies (0.0 %) at a false-alarm rate of 1e-09, which no row can reach: no p-value is below" in result.err
    )


def test_alpha_rules_the_flag(cli, machines_new, small_model):
    for name in ("--alpha", "--false-alarm-rate"):
        result = cli("score", machines_new, "-m", small_model, name, "0.2")
        assert "at a false-alarm rate of 0.2\n" in result.err
        assert all((row["is_anomaly"] == "true") == (float(row["p_value"]) <= 0.2) for row in table(result.out))
    result = cli("score", machines_new, "-m", small_model, "--alpha", "2")
    assert result.code == 2
    assert result.err == "gandetect: Expected a false-alarm rate alpha between 0 and 1, found 2.0.\n"


def test_csv_safe_disarms_text_and_names_but_no_number(cli, small_model, new_rows):
    texts = ["=1+1", "+x", "-x", "@x", "\tx", "\rx", "-1.5", "+2", "-1,5", "x=1", "1e5", ""]
    rows = [row | {"@note": text} for row, text in zip(new_rows, texts, strict=False)]
    text = written(rows).encode("utf-8-sig")
    result = cli("score", "-", "-m", small_model, "--csv-safe", stdin=text).out
    assert result.startswith("\ufeffjob_id,")
    safe = table(result)
    expected = ["'=1+1", "'+x", "'-x", "'@x", "'\tx", "'\rx", "-1.5", "+2", "-1,5", "x=1", "1e5", ""]
    assert [row["'@note"] for row in safe] == expected
    assert [row["@note"] for row in table(cli("score", "-", "-m", small_model, stdin=text).out)] == texts


@pytest.mark.parametrize("index", ["", '""'])
def test_the_index_of_a_data_frame_keeps_having_no_name(cli, small_model, new_rows, index):
    text = (
        written([{"": str(number)} | row for number, row in enumerate(new_rows)]).replace(",", f"{index},", 1).encode()
    )
    plain, safe = (cli("score", "-", "-m", small_model, *options, stdin=text).out for options in ([], ["--csv-safe"]))
    assert plain.startswith(f"{index},job_id,")
    assert safe.startswith(",job_id,")
    assert table(safe) == table(plain)


def test_csv_safe_and_json_exclude_each_other(cli, machines_new, small_model):
    result = cli("score", machines_new, "-m", small_model, "--csv-safe", "--json")
    assert result.code == 2
    assert result.err == ("gandetect: Expected one of --json and --csv-safe, found both; JSON needs no protection.\n")


@pytest.mark.parametrize("layout", [[], ["--json"]])
def test_a_prefix_that_is_no_text_is_refused(cli, machines_new, small_model, layout):
    result = cli("score", machines_new, "-m", small_model, "--prefix", "\udcff", *layout)
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        "gandetect: Expected text in UTF-8 as --prefix, found '\\udcff'; put other characters before the names.\n"
    )


def test_a_column_called_like_an_answer_is_refused_unless_a_prefix_is_given(cli, small_model, new_rows, tmp_path):
    text = written([row | {"p_value": "0.5"} for row in new_rows[:3]]).encode()
    result = cli("score", "-", "-m", small_model, "-o", "out.csv", stdin=text)
    assert result.code == 2
    assert result.err == (
        "gandetect: <stdin>: expected no columns called like the answers, found 'p_value'; "
        "pass --prefix TEXT to put it before the answers' names.\n"
    )
    assert not list(tmp_path.iterdir())
    rows = table(cli("score", "-", "-m", small_model, "--prefix", "g_", stdin=text).out)
    assert list(rows[0])[-4:] == ["p_value", "g_anomaly_score", "g_p_value", "g_is_anomaly"]
    assert rows[0]["p_value"] == "0.5"


def test_unreadable_fields_fail_skip_or_go_missing(cli, small_model, new_rows, tmp_path):
    rows = [new_rows[0], new_rows[1] | {"speed_rpm": "fast"}, new_rows[2]]
    text = written(rows).encode()
    failed = cli("score", "-", "-m", small_model, "-o", "out.csv", stdin=text)
    assert failed.code == 2
    assert failed.err == (
        "gandetect: <stdin>, line 3: expected a number in column 'speed_rpm', found 'fast'; "
        "mend the field, or pass --on-error skip or --on-error missing.\n"
    )
    assert not list(tmp_path.iterdir())
    skipped = cli("score", "-", "-m", small_model, "--on-error", "skip", stdin=text)
    assert [row["job_id"] for row in table(skipped.out)] == [rows[0]["job_id"], rows[2]["job_id"]]
    assert "1 field could not be read: 1 row skipped\n" in skipped.err
    missing = cli("score", "-", "-m", small_model, "--on-error", "missing", stdin=text)
    assert [row["speed_rpm"] for row in table(missing.out)] == [row["speed_rpm"] for row in rows]
    assert "1 field could not be read: taken as missing\n" in missing.err


def test_a_stream_survives_a_rotated_log_and_lines_that_were_cut(cli, small_model, machines_new):
    header, first, second, third, *_ = machines_new.read_bytes().splitlines(keepends=True)
    stream = header + first + second[:20] + b"\n" + header + b"\0" * 9 + b"\n" + b'"J-1,x\n' + third
    failed = cli("score", "-", "-m", small_model, "--line-buffered", stdin=stream)
    assert (failed.code, failed.err.partition(";")[0]) == (
        2,
        "gandetect: <stdin>, line 3: expected 16 fields as in the header, found 2",
    )
    result = cli("score", "-", "-m", small_model, "--line-buffered", "--on-error", "skip", stdin=stream)
    assert result.code == 0
    assert [line.split(",")[0] for line in result.out.splitlines()] == ["job_id", "J-200000", "J-200002"]
    assert "3 lines skipped that could not be read; <stdin>, line 3: expected 16 fields" in result.err


def test_fail_on_anomalies_exits_with_3_after_writing_everything(cli, machines_new, small_model, tmp_path):
    arguments = ["score", machines_new, "-m", small_model, "--fail-on-anomalies"]
    assert cli(*arguments, "-o", "out.csv").code == 3
    assert len(table((tmp_path / "out.csv").read_text())) == 252
    assert cli(*arguments, "--alpha", "1e-6").code == 0


def test_a_table_without_rows_gives_a_header_and_says_so(cli, small_model, new_rows):
    result = cli("score", "-", "-m", small_model, stdin=written([], names=list(new_rows[0])).encode())
    assert result.code == 0
    assert result.out == f"{','.join([*new_rows[0], *ANSWERS])}\r\n"
    assert result.err.startswith("0 rows scored, 0 anomalies (none)")


def test_rows_do_not_depend_on_their_chunk(cli, small_model, new_rows):
    text = written(new_rows * 9).encode()
    rows = table(cli("score", "-", "-m", small_model, "-q", stdin=text).out)
    assert len(rows) == 9 * 252
    assert rows[252 * 4 : 252 * 5] == rows[:252]


def test_a_reader_that_leaves_ends_the_run_quietly(start, small_model, new_rows, tmp_path):
    (tmp_path / "long.csv").write_text(written(new_rows * 40))
    process = start("score", "long.csv", "-m", small_model)
    assert process.stdout.readline().startswith(b"job_id,")
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait() == 0


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize("output", ["-", FULL])
def test_a_full_disk_is_one_sentence(start, machines_new, small_model, output):
    with FULL.open("wb") as full:
        process = start("score", machines_new, "-m", small_model, "-o", output, stdout=full)
        _, err = process.communicate()
    name = "<stdout>" if output == "-" else output
    assert process.returncode == 4
    assert err.decode() == (
        f"gandetect: Cannot write '{name}': No space left on device; free some space or name a path on another disk.\n"
    )


@pytest.mark.skipif(not FULL.exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize(("data", "code"), [("new.csv", 0), ("none.csv", 4)])
def test_messages_that_find_a_full_disk_cost_no_answers(start, machines_new, small_model, tmp_path, data, code):
    (tmp_path / "new.csv").write_bytes(machines_new.read_bytes())
    with FULL.open("wb") as full:
        process = start("score", tmp_path / data, "-m", small_model, "-o", tmp_path / "out.csv", stderr=full)
        process.communicate()
    assert process.returncode == code
    assert (tmp_path / "out.csv").exists() == (code == 0)


def test_stdout_ends_at_a_whole_line_when_a_later_row_is_bad(start, small_model, new_rows):
    text = written([*new_rows * 9, new_rows[0] | {"speed_rpm": "fast"}])
    process = start("score", "-", "-m", small_model)
    out, err = process.communicate(text.encode())
    assert process.returncode == 2
    assert out.count(b"\n") == 1 + 2 * CHUNK_ROWS
    assert out.endswith(b"\n")
    assert err.startswith(b"gandetect: <stdin>, line 2270: expected a number in column 'speed_rpm'")


FORBIDDEN = {"torch", "sklearn", "pandas", "scipy", "onnx", "pyarrow", "rich", "zstandard", "polars", "numpy.ma"}


def test_scoring_loads_nothing_that_only_fitting_needs(start, machines_new, small_model):
    code = f"import atexit, sys; atexit.register(lambda: print({FORBIDDEN!r} & set(sys.modules), file=sys.stderr))"
    process = start("score", machines_new, "-m", small_model, "-q", code=code)
    _, err = process.communicate()
    assert (process.returncode, err) == (0, b"set()\n")


def test_infinities_are_counted_as_missing(cli, small_model, machines_new):
    header, row, *_ = machines_new.read_text().splitlines()
    cells = row.split(",")
    cells[header.split(",").index("power_kw")] = "inf"
    result = cli("score", "-", "-m", small_model, stdin=f"{header}\n{','.join(cells)}\n".encode())
    assert "1 missing value\n" in result.err


def test_a_line_buffered_stream_is_answered_while_it_is_open(start, machines_new, small_model):
    header, first, second, *_ = machines_new.read_bytes().splitlines(keepends=True)
    process = start("score", "-", "-m", small_model, "--line-buffered")

    process.stdin.write(header + first)
    process.stdin.flush()
    answers = b""
    while answers.count(b"\n") < 2:
        assert select.select([process.stdout], [], [], 60)[0], "no answer"
        answers += os.read(process.stdout.fileno(), 1 << 16)
    for answer, line in zip(answers.splitlines(), (header, first), strict=True):
        assert answer.startswith(line.rstrip())
    out, _ = process.communicate(second)
    assert out.startswith(second.rstrip())
    assert process.returncode == 0


def test_line_buffering_gives_the_same_answers(cli, machines_new, small_model, new_rows):
    lines = table(cli("score", machines_new, "-m", small_model, "--line-buffered").out)
    blocks = table(cli("score", machines_new, "-m", small_model).out)
    assert len(lines) == len(new_rows)
    for line, block in zip(lines, blocks, strict=True):
        assert line["is_anomaly"] == block["is_anomaly"]
        for name in ("anomaly_score", "p_value"):
            assert float(line[name]) == pytest.approx(float(block[name]), rel=1e-4)


def test_line_buffering_and_fdr_exclude_each_other(cli, machines_new, small_model):
    result = cli("score", machines_new, "-m", small_model, "--line-buffered", "--fdr", "0.1")
    assert (result.code, result.err) == (
        2,
        "gandetect: Expected one of --line-buffered and --fdr, found both; --fdr has to see all rows first.\n",
    )
