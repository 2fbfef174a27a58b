"""Who is to blame, what was expected, and which repair helps: the model file is asked, and must be right."""

from dataclasses import replace

import numpy as np
import pytest
from made_tables import quick

from gandetect.column import Column, Kind
from gandetect.explaining import explain
from gandetect.explanation import MAX_REPAIRS
from gandetect.schema import Schema
from gandetect.scorer import Scorer
from gandetect.tables.fitting import fit_table

SCHEMA = Schema(
    (
        Column("size", Kind.NUMBER),
        Column("price", Kind.NUMBER),
        Column("grade", Kind.CATEGORY),
        Column("noise", Kind.NUMBER),
    )
)


def made(n_rows, seed=0):
    """Make rows in which the price follows from the size, and the grade from both."""
    random = np.random.default_rng(seed)
    size = random.uniform(10, 90, n_rows)
    grade = np.where(size < 35, "small", np.where(size < 65, "middle", "large")).astype(object)
    return {
        "size": size,
        "price": 1000 + 10 * size + random.normal(0, 5, n_rows),
        "grade": grade,
        "noise": random.normal(size=n_rows),
    }


@pytest.fixture(scope="module")
def scorer():
    settings = quick(n_steps=500, width=32, generator_width=32)
    return Scorer(fit_table(made(600), SCHEMA, settings=settings))


@pytest.fixture(scope="module")
def wrong(scorer):
    """Return rows whose price does not fit to all the rest, and their explanation."""
    rows = made(60, seed=1)
    true = rows["price"].copy()
    rows["price"] = np.where(rows["size"] < 50, 1850.0, 1150.0)
    clear = np.abs(rows["price"] - true) > 300
    rows = {name: values[clear] for name, values in rows.items()}
    return rows, true[clear], explain(scorer, rows)


def test_the_column_that_contradicts_the_others_is_to_blame(wrong):
    rows, _, explanation = wrong
    assert explanation.blame.shape == (len(rows["price"]), 4)
    np.testing.assert_allclose(explanation.blame.sum(1), 1, atol=1e-5)
    assert (explanation.blame.argmax(1) == 1).mean() > 0.8


def test_a_printed_explanation_says_what_is_odd_about_its_first_rows(scorer, wrong):
    rows, _, explanation = wrong
    lines = str(explanation).splitlines()
    assert lines[3] == f"row 3: {'; '.join(explanation.reasons(3))}"
    assert lines[10:] == [f"... {len(rows['price'])} rows in all"]
    few = explain(scorer, {name: values[:2] for name, values in rows.items()})
    assert str(few).splitlines() == lines[:2]


def test_what_is_expected_is_close_to_what_was_there(wrong):
    rows, true, explanation = wrong
    expected = explanation.expected["price"]
    assert np.median(np.abs(expected - true)) < 0.3 * np.median(np.abs(rows["price"] - true))


def test_the_likely_level_is_expected(scorer):
    rows = made(100, seed=2)
    expected = explain(scorer, rows).expected["grade"]
    assert (expected == rows["grade"]).mean() > 0.8


def test_a_repair_makes_the_row_normal_and_touches_only_the_columns_it_names(scorer, wrong):
    rows, _, explanation = wrong
    repaired = explanation.repaired
    assert repaired.any(1).mean() > 0.5
    assert repaired.sum(1).max() <= MAX_REPAIRS
    mended = scorer(explanation.repaired_values, ["is_anomaly"])["is_anomaly"]
    assert not mended[repaired.any(1)].any()
    for position, name in enumerate(rows):
        changed = explanation.repaired_values[name] != rows[name]
        np.testing.assert_array_equal(changed, repaired[:, position])
    row = int(np.flatnonzero(repaired.any(1))[0])
    assert list(explanation.repair(row)) == [name for name, own in zip(rows, repaired[row], strict=True) if own]


def test_no_repair_can_do_without_one_of_its_columns(scorer, wrong):
    rows, _, explanation = wrong
    for row, feature in zip(*np.nonzero(explanation.repaired), strict=True):
        trial = {name: values[[row]] for name, values in explanation.repaired_values.items()}
        name = list(rows)[feature]
        trial[name] = rows[name][[row]]
        assert scorer(trial, ["is_anomaly"])["is_anomaly"].all()


def test_rows_that_are_not_flagged_need_no_repair(scorer):
    rows = made(100, seed=3)
    explanation = explain(scorer, rows)
    normal = ~explanation.answers["is_anomaly"]
    assert not explanation.repaired[normal].any()
    assert explanation.repair(int(np.flatnonzero(normal)[0])) == {}


def test_a_row_is_explained_alike_alone_and_among_others(scorer, wrong):
    rows, _, explanation = wrong
    alone = explain(scorer, {name: values[[3]] for name, values in rows.items()})
    assert alone.reasons(0) == explanation.reasons(3)
    assert list(alone.repair(0)) == list(explanation.repair(3))


def test_the_false_alarm_rate_decides_what_is_repaired(scorer):
    rows = made(100, seed=3)
    few, many = (explain(scorer, rows, alpha=alpha) for alpha in (0.01, 0.5))
    assert few.repaired.any(1).sum() < many.repaired.any(1).sum()


def test_a_level_that_was_expected_is_no_reason_while_there_are_others(scorer):
    explanation = explain(scorer, made(60, seed=2))
    blame = np.tile([0.1, 0.2, 0.7, 0.0], (len(explanation.blame), 1))  # the grade most of all
    explanation = replace(explanation, blame=blame)
    expected = explanation.values["grade"] == explanation.expected["grade"]
    row, other = np.flatnonzero(expected)[0], np.flatnonzero(~expected)
    assert explanation.most_to_blame(row, 2) == [2, 1]
    assert explanation.to_name(row, 2) == [1, 0]
    assert not any(reason.startswith("grade") for reason in explanation.reasons(row, 99))
    assert any(explanation.to_name(row, 2) == [2, 1] for row in other)


def test_no_rows_have_no_explanation(scorer):
    explanation = explain(scorer, {name: values[:0] for name, values in made(1).items()})
    assert explanation.blame.shape == (0, 4)
    assert len(explanation.expected["grade"]) == 0


def test_what_never_varied_is_not_blamed_for_what_others_do():
    # A constant, and times that are always midnight, beside columns far outside their range.
    random, day = np.random.default_rng(0), 86_400.0
    schema = Schema((*SCHEMA.columns, Column("fixed", Kind.NUMBER), Column("date", Kind.TIME)))
    rows = made(300) | {"fixed": np.full(300, 7.0), "date": day * random.integers(0, 300, 300)}
    scorer = Scorer(fit_table(rows, schema, settings=quick(n_steps=200)))
    strange = {name: values[:20].copy() for name, values in rows.items()}
    strange["size"] *= -40
    strange["price"] *= 50
    explanation = explain(scorer, strange)
    assert explanation.blame[:, 4].max() < 1e-3
    assert explanation.blame[:, 5].max() < 0.05  # its days of the week do vary
    np.testing.assert_allclose(explanation.expected["fixed"], 7)
    np.testing.assert_array_equal(explanation.expected["date"], strange["date"])


def test_what_is_expected_could_be_there():
    # The price follows from the size beyond all bounds, but no price like that was ever seen, nor a half piece.
    random = np.random.default_rng(0)
    schema = Schema(tuple(Column(name, Kind.NUMBER) for name in ("size", "price", "pieces")))
    size = random.uniform(10, 90, 300)
    rows = {"size": size, "price": 10 * size, "pieces": np.rint(size / 10)}
    scorer = Scorer(fit_table(rows, schema, settings=quick(n_steps=300)))
    strange = {"size": np.linspace(-2000, 2000, 50), "price": 10 * size[:50], "pieces": np.rint(size[:50] / 10)}
    expected = explain(scorer, strange).expected
    assert expected["price"].min() > rows["price"].min() - 1e-9
    assert expected["price"].max() < rows["price"].max() + 1e-9
    np.testing.assert_array_equal(expected["pieces"], np.rint(expected["pieces"]))
