"""Large tables of numbers are scored in bulk, and that changes no byte."""

import subprocess
import sys

import numpy as np
import pytest

import gandetect
from gandetect.column import Column, Kind
from gandetect.readers import bulk, tables
from gandetect.schema import Schema
from gandetect_cli import source

N_ROWS = 4000


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Path of a model of two numbers."""
    schema = Schema((Column("a", Kind.NUMBER), Column("b", Kind.NUMBER)))
    random = np.random.default_rng(0)
    columns = {name: random.normal(size=200) for name in "ab"}
    path = tmp_path_factory.mktemp("models") / "numbers.onnx"
    path.write_bytes(gandetect.fit_table(columns, schema, settings=gandetect.TableSettings(n_steps=5), seed=0))
    return path


@pytest.fixture(scope="module")
def lines():
    """Lines of a table with one more column than the model's, some far out and some without a number."""
    random = np.random.default_rng(1)
    values = random.normal(size=(N_ROWS, 2)) * np.where(random.random((N_ROWS, 1)) < 0.01, 1e4, 1)
    rows = [f"{b:.6g},row {i},{a:.6g}\n" for i, (a, b) in enumerate(values.tolist())]
    rows[2500] = rows[1500] = ",nothing,NA\n"
    return ["b,name,a\n", *rows]


@pytest.fixture
def scored(cli, monkeypatch, model, tmp_path):
    """Score a table both ways; return what is the same, and how many chunks were read in bulk."""

    def run(text, *options, code=0):
        (tmp_path / "new.csv").write_bytes(text.encode())
        n_in_bulk = 0

        def parse(chunk, schema):
            nonlocal n_in_bulk
            parsed = read(chunk, schema)
            n_in_bulk += parsed is not None
            return parsed

        read = bulk.parse
        results = []
        for worth in (2**40, 0):
            with monkeypatch.context() as patched:
                patched.setattr(source, "WORTH", worth)
                patched.setattr(tables, "BULK_BYTES", 2**15)
                patched.setattr(bulk, "parse", parse)
                results.append(cli("score", "new.csv", "-m", model, *options))
            assert bool(n_in_bulk) <= (worth == 0)
        assert results[0] == results[1]
        assert results[0].code == code
        return results[0], n_in_bulk

    return run


@pytest.mark.parametrize(
    "options",
    [
        *([], ["--explain", "2"], ["--json"], ["--only-anomalies"], ["--fdr", "0.1"], ["--csv-safe"]),
        *(["--false-alarm-rate", "0.01"], ["--prefix", "x_"]),
    ],
    ids=" ".join,
)
def test_answers_and_messages_are_the_same(scored, lines, options):
    result, n_in_bulk = scored("".join(lines), *options)
    assert n_in_bulk >= 2
    assert "4 missing values" in result.err
    assert len(result.out.splitlines()) == 1 + N_ROWS or "--only-anomalies" in options or "--json" in options


@pytest.mark.parametrize("change", ["CRLF", "no last line end", "semicolons", "a byte order mark"])
def test_tables_may_be_written_in_many_ways(scored, lines, change):
    text = "".join(lines)
    changed = {
        "CRLF": text.replace("\n", "\r\n"),
        "no last line end": text[:-1],
        "semicolons": text.replace(",", ";"),
        "a byte order mark": "\ufeff" + text,
    }[change]
    assert scored(changed)[1] >= 2


ODD = {
    "a quoted field": '1,"a, b",2\n',
    "a field over two lines": '1,"a\nb",2\n',
    "a letter beyond ASCII": "1,\u00e9,2\n",
    "a word that is no number": "one,x,2\n",
    "a number with a limit": "<0.5,x,2\n",
    "a field too few": "1,x\n",
    "a blank line": "\n",
}

REFUSED_BY = {"a field too few": ["missing", "fail"], "a word that is no number": ["fail"]}


@pytest.mark.parametrize("on_error", ["skip", "missing", "fail"])
@pytest.mark.parametrize("odd", ODD)
def test_odd_rows_are_read_as_they_are_without_bulk(scored, lines, odd, on_error):
    fails = on_error in REFUSED_BY.get(odd, ())
    text = "".join([*lines[:3000], ODD[odd], *lines[3000:]])
    assert scored(text, "--on-error", on_error, code=2 if fails else 0)[1] >= 1


def test_where_pyarrow_is_not_installed_nothing_is_read_in_bulk(scored, monkeypatch, lines):
    monkeypatch.setattr(bulk, "find_spec", lambda _: None)
    assert scored("".join(lines))[1] == 0


def test_pyarrow_is_not_loaded_for_a_small_table(model, lines, tmp_path):
    (tmp_path / "new.csv").write_text("".join(lines))
    program = (
        "import sys; from gandetect_cli.main import main; "
        f"main(['score', 'new.csv', '-m', {str(model)!r}, '-q', '-o', 'scored.csv']); "
        "sys.exit('pyarrow' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=False).returncode == 0
    assert (tmp_path / "scored.csv").exists()


def test_where_most_chunks_are_odd_no_more_are_tried(scored, lines, monkeypatch):
    tried = []
    monkeypatch.setattr(bulk, "parse", lambda chunk, _: tried.append(chunk))
    odd = [line.replace(",", ",<0.5 ", 1) if number % 50 == 1 else line for number, line in enumerate(lines * 9)]
    assert scored("".join([lines[0], *(line for line in odd if "name" not in line)]))[1] == 0
    assert 2 <= len(tried) <= 2 + 2 * bulk.THREADS


def test_where_pyarrow_cannot_be_loaded_nothing_is_read_in_bulk(scored, monkeypatch, lines):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setattr(bulk, "find_spec", lambda _: True)
    assert scored("".join(lines))[1] == 0
