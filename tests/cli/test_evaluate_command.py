import json

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

import gandetect
from gandetect.readers.tables import read_table
from gandetect.readers.values import parse_columns


def relabelled(machines_new, words):
    header, *lines = machines_new.read_text().splitlines()
    rows = [line.rpartition(",") for line in lines]
    return "\n".join([header, *(f"{values},{words[label]}" for values, _, label in rows), ""]).encode()


def test_the_numbers_are_those_of_scikit_learn(cli, machines_new, small_model):
    scorer = gandetect.Scorer(small_model)
    (chunk,) = read_table(machines_new)
    answers = scorer(parse_columns(chunk.columns, chunk.lines, scorer.schema).columns)
    is_anomaly = chunk.columns["label"] == "anomaly"
    result = cli("evaluate", machines_new, "--label-column", "label", "-m", small_model, "--json")
    assert result.code == 0
    summary = json.loads(result.out)
    assert (summary["n_rows"], summary["n_anomalies"]) == (252, 52)
    assert summary["auroc"] == roc_auc_score(is_anomaly, answers["anomaly_score"])
    assert summary["average_precision"] == average_precision_score(is_anomaly, answers["anomaly_score"])
    assert summary["flagged_among_normal"] == np.mean(answers["is_anomaly"][~is_anomaly])
    row = next(row for row in summary["thresholds"] if row["alpha"] == 0.1)
    assert row["n_alarms"] == (answers["p_value"] <= 0.1).sum()
    assert row["n_hits"] == (answers["p_value"] <= 0.1)[is_anomaly].sum()


def test_people_get_a_table(cli, machines_new, small_model):
    result = cli("evaluate", machines_new, "--label-column", "label", "-m", small_model)
    lines = result.out.splitlines()
    assert lines[0] == "252 rows, 52 anomalies among them"
    assert lines[1].startswith("AUROC              0.")
    assert lines[2].startswith("average precision  0.")
    assert lines[3].startswith("normal rows flagged at a false-alarm rate of 0.05: ")
    assert lines[5].split("  ") == ["false-alarm rate", "rows flagged", "anomalies found", "precision", "recall"]
    assert "252 rows scored" in result.err


@pytest.mark.parametrize(("yes", "no"), [("1", "0"), ("Yes", "No"), ("TRUE", "FALSE"), ("outlier", "inlier")])
def test_usual_labels_are_known(cli, machines_new, small_model, yes, no):
    text = relabelled(machines_new, {"anomaly": yes, "normal": no})
    result = cli("evaluate", "-", "--label-column", "label", "-m", small_model, stdin=text)
    assert "252 rows, 52 anomalies among them" in result.out


def test_other_labels_are_not_guessed(cli, machines_new, small_model):
    text = relabelled(machines_new, {"anomaly": "-1", "normal": "1"})
    arguments = ["evaluate", "-", "--label-column", "label", "-m", small_model]
    result = cli(*arguments, stdin=text)
    assert result.code == 2
    assert result.err == (
        "gandetect: <stdin>: expected labels like 1/0, yes/no or anomaly/normal in column 'label', found '-1'; "
        "say which mean an anomaly with --anomaly.\n"
    )
    assert "252 rows, 52 anomalies among them" in cli(*arguments, "--anomaly", "-1", stdin=text).out
    result = cli(*arguments, "--anomaly", "2", stdin=text)
    assert result.code == 2
    assert result.err == (
        "gandetect: <stdin>: expected the label '2' in column 'label', found only '1', '-1'; pass another --anomaly.\n"
    )


def test_a_label_is_found_however_it_is_capitalised(cli, machines_new, small_model):
    text = relabelled(machines_new, {"anomaly": "Broken", "normal": "OK"}).replace(b"Broken", b"BROKEN", 20)
    result = cli("evaluate", "-", "--label-column", "label", "--anomaly", "broken", "-m", small_model, stdin=text)
    assert "252 rows, 52 anomalies among them" in result.out
    text = text.replace(b"BROKEN", b"broken")  # beats of a heart, say, of which A and a are two kinds
    result = cli("evaluate", "-", "--label-column", "label", "--anomaly", "broken", "-m", small_model, stdin=text)
    assert "252 rows, 20 anomalies among them" in result.out


def test_rows_without_a_label_are_left_out(cli, machines_new, small_model):
    lines = machines_new.read_text().splitlines()
    lines[1] = lines[1].rpartition(",")[0] + ","
    text = "\n".join([*lines, ""]).encode()
    result = cli("evaluate", "-", "--label-column", "label", "-m", small_model, stdin=text)
    assert "1 row without a label left out\n" in result.err
    assert result.out.startswith("251 rows, ")


def test_rows_without_a_label_are_not_taken_for_normal_ones(cli, machines_new, small_model):
    text = relabelled(machines_new, {"anomaly": "X", "normal": ""})
    result = cli("evaluate", "-", "--label-column", "label", "--anomaly", "X", "-m", small_model, stdin=text)
    assert result.code == 2
    assert result.err == (
        "gandetect: <stdin>: expected labels of normal rows, too, in column 'label', found 200 rows without a label, "
        "which may be either; write one, such as normal.\n"
    )


def test_labels_of_one_sort_cannot_be_compared_with(cli, machines_new, small_model):
    text = relabelled(machines_new, {"anomaly": "0", "normal": "0"})
    result = cli("evaluate", "-", "--label-column", "label", "-m", small_model, stdin=text)
    assert result.code == 2
    assert result.err == (
        "gandetect: Expected both normal data and anomalies to compare with, found only normal data; add the others.\n"
    )


def test_a_missing_label_column_is_named(cli, machines_new, small_model):
    result = cli("evaluate", machines_new, "--label-column", "fault", "-m", small_model)
    assert result.code == 2
    assert result.err.startswith(f"gandetect: {machines_new}: expected the label column 'fault', found only 'job_id', ")


def test_a_model_that_learned_from_the_label_is_refused(cli, machines_new, small_model):
    result = cli("evaluate", machines_new, "--label-column", "status", "-m", small_model)
    assert result.code == 2
    assert result.err == (
        "gandetect: Expected a model that has not learned from the label column, found 'status' among its features; "
        "fit again with --label-column 'status'.\n"
    )


def test_without_scikit_learn_evaluate_says_what_to_install(start, machines_new, small_model, not_installed):
    arguments = ["evaluate", machines_new, "--label-column", "label", "-m", small_model]
    process = start(*arguments, code=not_installed("sklearn"))
    out, err = process.communicate()
    assert (process.returncode, out) == (2, b"")
    assert err == (
        b"gandetect: Expected sklearn for gandetect.evaluate_scores, found none; pip install 'gandetect[train]'.\n"
    )
