import csv
import io
import json

import pytest


@pytest.fixture
def normal(machines_train):
    return list(csv.DictReader(io.StringIO(machines_train.read_text())))


def written(rows):
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def moved(rows):
    return [row | {"power_kw": "99999", "status": "burning"} for row in rows]


def test_training_rows_have_not_drifted_from_themselves(cli, machines_train, small_model):
    result = cli("drift", machines_train, "-m", small_model, "--fail-on-drift", "--tolerance", 0)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("600 rows, drift in 0 of 14 columns\np-values up to 0.05: ")


def test_what_has_moved_is_named_and_told_by_the_exit_code(cli, small_model, normal):
    data = written(moved(normal))
    result = cli("drift", "-", "-m", small_model, "--fail-on-drift", stdin=data)
    assert result.code == 3
    assert "drift in 2 of 14 columns" in result.out
    assert "% expected: drift" in result.out
    lines = result.out.splitlines()
    assert {lines[4].split()[0], lines[5].split()[0]} == {"power_kw", "status"}
    assert "unknown levels: 0.0 % -> 100.0 %" in result.out
    assert cli("drift", "-", "-m", small_model, stdin=data).code == 0


def test_json_says_the_same(cli, small_model, normal):
    found = json.loads(cli("drift", "-", "-m", small_model, "--json", stdin=written(moved(normal))).out)
    assert found["drifted"]
    assert found["too_many_flagged"]
    assert found["n_rows"] == 600
    assert {column["column"] for column in found["columns"] if column["drifted"]} == {"power_kw", "status"}


def test_unreadable_fields_are_counted(cli, small_model, normal):
    rows = [normal[0] | {"power_kw": "much"}, *normal[1:]]
    result = cli("drift", "-", "-m", small_model, "--on-error", "skip", stdin=written(rows))
    assert result.err == "1 field could not be read: 1 row skipped\n"
    assert result.out.startswith("599 rows, ")


def test_scoring_warns_where_too_many_p_values_are_small(cli, small_model, normal):
    result = cli("score", "-", "-m", small_model, "-o", "out.csv", stdin=written(moved(normal)))
    assert result.code == 0
    assert result.err.splitlines()[-1] == (
        "warning: 100.0 % of the rows have a p-value of at most 0.05, where rows like the training rows have about "
        "5 %: there are many anomalies, or the data have changed; gandetect drift shows which columns have."
    )
    assert "warning" not in cli("score", "-", "-m", small_model, "-o", "out.csv", stdin=written(normal)).err
