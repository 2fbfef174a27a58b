"""Tables with more numbers than rows: a path that sees which directions rows never take, and knows no row by heart."""

import numpy as np
import pytest
from made_tables import numbers, quick
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from gandetect import explain, export_model
from gandetect.column import Column, Kind, Role
from gandetect.export.distillation import StudentSettings, distilled
from gandetect.export.source import Source
from gandetect.graph.builder import GraphBuilder
from gandetect.graph.linear import AXES, add_linear_path
from gandetect.graph.surgery import OpenModel
from gandetect.modality import INTERNAL_PREFIX
from gandetect.schema import Schema
from gandetect.scorer import Scorer, open_session
from gandetect.tables.fitting import fit_table
from gandetect.tables.linear_path import DISTANCE_FLOOR, EXPECTED_FLOOR, LinearPath

N_COLUMNS = 150
WIDE = numbers(N_COLUMNS)


def wide_rows(n_rows, seed=0, n_columns=N_COLUMNS):
    """A few factors that all columns share, and a little noise."""
    factors = np.random.default_rng(99).normal(size=(4, n_columns))
    random = np.random.default_rng(seed)
    return random.normal(size=(n_rows, 4)) @ factors + 0.2 * random.normal(size=(n_rows, n_columns))


def off_the_plane(rows):
    """Move rows along one direction that the factors do not take, by less than rows differ anyway."""
    factors = np.random.default_rng(99).normal(size=(4, rows.shape[1]))
    direction = np.random.default_rng(5).normal(size=rows.shape[1])
    direction -= np.linalg.lstsq(factors.T, direction, rcond=None)[0] @ factors
    return rows + 3 * direction / np.linalg.norm(direction)


def by_column(rows):
    return {f"x{i}": column for i, column in enumerate(rows.T)}


def inverse_of(covariance, floor):
    return np.linalg.inv(covariance + floor * np.eye(len(covariance)))


def has_path(model):
    return INTERNAL_PREFIX + AXES in OpenModel(model).constants


@pytest.fixture(scope="module")
def model():
    return fit_table(by_column(wide_rows(90)), WIDE, settings=quick(n_planted=20))


@pytest.fixture(scope="module")
def scorer(model):
    return Scorer(model)


def scores_of(scorer, rows):
    return scorer(by_column(rows), ["anomaly_score"])["anomaly_score"]


def test_a_row_that_is_odd_only_in_a_direction_that_rows_never_take_is_found(scorer):
    normal, odd = wide_rows(100, seed=1), off_the_plane(wide_rows(100, seed=2))
    is_odd = np.repeat([False, True], 100)
    assert roc_auc_score(is_odd, np.concatenate([scores_of(scorer, normal), scores_of(scorer, odd)])) > 0.95
    neighbours = NearestNeighbors(n_neighbors=5).fit(wide_rows(90))
    assert roc_auc_score(is_odd, neighbours.kneighbors(np.concatenate([normal, odd]))[0].mean(1)) < 0.7


def test_new_rows_are_as_far_away_as_training_rows_that_do_not_count():
    shares = []
    for seed in range(30):
        samples, new = (wide_rows(n, seed=s).astype(np.float32) for n, s in ((50, seed), (300, 100 + seed)))
        path = LinearPath.of(samples, np.arange(N_COLUMNS))
        own, judged = (path.judge_without(rows, np.arange(len(rows)) % 50) for rows in (samples, new))
        for old, unseen in ((own.distance, judged.distance), (own.deviation, judged.deviation)):
            limit = np.quantile(np.square(old).sum(1), 0.9)
            shares.append((np.square(unseen).sum(1) > limit).mean())
    assert 0.07 < np.mean(shares) < 0.14


def test_new_normal_rows_are_not_flagged_much_more_often_than_announced(scorer):
    flagged = scorer(by_column(wide_rows(1000, seed=3)), ["p_value"])["p_value"] <= 0.1
    assert 0.03 < flagged.mean() < 0.22


def test_a_contamination_is_the_share_of_rows_like_those_learned_from():
    model = fit_table(by_column(wide_rows(90)), WIDE, settings=quick(n_steps=5), contamination=0.2)
    assert 0.1 < Scorer(model)(by_column(wide_rows(500, seed=4)))["is_anomaly"].mean() < 0.3


def test_odd_rows_among_those_learned_from_have_the_highest_scores():
    rows = wide_rows(90)
    rows[:8] = off_the_plane(rows[:8]) + 0.5 * np.random.default_rng(0).normal(size=(8, N_COLUMNS))
    scorer = Scorer(fit_table(by_column(rows), WIDE, settings=quick()))
    assert roc_auc_score(np.arange(90) < 8, scores_of(scorer, rows)) > 0.9


def test_the_column_that_contradicts_the_others_is_blamed_and_its_value_expected(scorer):
    rows = wide_rows(20, seed=6)
    wrong = rows.copy()
    wrong[:, 7] += 6
    answers = scorer(by_column(wrong), ["contributions", "expected_numbers"])
    assert (answers["contributions"].argmax(1) == 7).all()
    assert np.abs(answers["expected_numbers"][:, 7] - rows[:, 7]).mean() < 0.5


@pytest.mark.parametrize("most", [1024, 40])
def test_a_row_is_judged_as_by_a_path_that_never_saw_it(monkeypatch, most):
    monkeypatch.setattr("gandetect.tables.linear_path.MAX_ROWS", most)
    samples = wide_rows(60).astype(np.float32)
    path = LinearPath.of(samples, np.arange(N_COLUMNS))
    every = -(-60 // most)
    judged = path.judge_without(samples[:9], np.arange(9))
    for row in range(9):
        learned = np.arange(0, 60, every)
        others = samples[learned[learned != row]].astype(float)
        spread = np.cov(others.T, bias=True) * len(others) / len(learned)
        away = samples[row] - others.mean(0)
        inverse = inverse_of(spread, DISTANCE_FLOOR * path.unit)
        np.testing.assert_allclose(judged.distance[row, 0], away @ inverse @ away, rtol=1e-6)
        inverse = inverse_of(spread, EXPECTED_FLOOR * path.unit)
        np.testing.assert_allclose(judged.deviation[row], inverse @ away / np.diag(inverse), rtol=1e-5, atol=1e-8)


def test_the_graph_computes_the_path():
    samples, new = wide_rows(60).astype(np.float32), wide_rows(30, seed=1).astype(np.float32)
    entries = np.arange(0, N_COLUMNS, 2)
    path = LinearPath.of(samples, entries)
    builder = GraphBuilder()
    outputs = add_linear_path(builder, builder.input("samples", np.float32, ["n", N_COLUMNS]), path)
    for name, tensor in zip(("expected", "distance"), outputs, strict=True):
        builder.output(name, tensor, np.float32, ["n", None])
    expected, distance = open_session(builder.build()).run(None, {"samples": new})
    away = new[:, entries] - samples[:, entries].astype(float).mean(0)
    spread = np.cov(samples[:, entries].T, bias=True)
    inverse = inverse_of(spread, DISTANCE_FLOOR * path.unit)
    np.testing.assert_allclose(distance[:, 0], np.einsum("ni,ij,nj->n", away, inverse, away), rtol=1e-5)
    inverse = inverse_of(spread, EXPECTED_FLOOR * path.unit)
    np.testing.assert_allclose(expected, new[:, entries] - away @ inverse / np.diag(inverse), rtol=1e-3, atol=1e-4)


def test_a_path_is_the_same_at_any_number_of_threads():
    samples = wide_rows(300, n_columns=400).astype(np.float32)
    with threadpool_limits(2):
        several = LinearPath.of(samples, np.arange(400))
    with threadpool_limits(1):
        one = LinearPath.of(samples, np.arange(400))
    np.testing.assert_array_equal(several.axes, one.axes)


def test_there_is_a_path_only_where_there_are_more_numbers_than_rows_and_nothing_is_given(model):
    assert has_path(model)
    few_columns, tall = wide_rows(90)[:, :80], wide_rows(160)
    assert not has_path(fit_table(by_column(few_columns), numbers(80), settings=quick(n_steps=2)))
    assert not has_path(fit_table(by_column(tall), WIDE, settings=quick(n_steps=2)))
    given = WIDE.with_given(["x3"])
    assert not has_path(fit_table(by_column(wide_rows(90)), given, settings=quick(n_steps=2)))


def test_a_path_stands_beside_categories_times_and_missing_values():
    rows = wide_rows(90)
    rows[np.random.default_rng(0).random(rows.shape) < 0.05] = np.nan
    more = {"colour": np.tile(np.array(["red", "green", "blue"], dtype=object), 30), "at": np.arange(90) * 9e4}
    schema = Schema((Column("colour", Kind.CATEGORY), *WIDE.columns, Column("at", Kind.TIME)))
    model = fit_table(by_column(rows) | more, schema, settings=quick())
    assert has_path(model)
    scorer = Scorer(model)
    answers = scorer(by_column(rows) | more, ["anomaly_score", "expected_numbers", "expected_levels"])
    assert np.isfinite(answers["anomaly_score"]).all()
    assert answers["expected_levels"].shape == (90, 1, 2)
    unheard = more | {"colour": np.full(90, "unheard of", dtype=object)}
    strange = scorer(by_column(rows) | unheard, ["anomaly_score"])["anomaly_score"]
    assert (strange > answers["anomaly_score"]).all()


def test_known_anomalies_count_beside_a_path():
    known = by_column(off_the_plane(wide_rows(5, seed=8)))
    model = fit_table(by_column(wide_rows(90)), WIDE, settings=quick(), known_anomalies=known)
    assert has_path(model)
    assert np.isfinite(scores_of(Scorer(model), wide_rows(10, seed=9))).all()


def test_a_row_is_repaired_in_the_column_that_contradicts_the_others(scorer):
    wrong = wide_rows(3, seed=6)
    wrong[:, 7] += 6
    explanation = explain(scorer, by_column(wrong))
    assert (explanation.blame.argmax(1) == 7).all()
    assert explanation.repaired[:, 7].all()


SETTINGS = StudentSettings(width=16, depth=1, n_steps=80, batch_size=64)


def in_range(opened, source, rows, labels):
    """What the part of a model behind its encoding says of rows within the training range."""
    widths = {"samples": source.sample_dim, "present": source.n_columns}
    session = open_session(opened.excerpt(widths, labels))
    names = [INTERNAL_PREFIX + label for label in widths]
    return session.run(None, dict(zip(names, (rows.samples, rows.present), strict=True)))


def test_a_student_keeps_the_path_and_no_memory(model):
    source = Source(model)
    student, _ = distilled(source, SETTINGS)
    rows = source.encode(by_column(wide_rows(40, seed=2)))
    (expected, values), (its_expected, its_values) = (
        in_range(opened, source, rows, ["expected", "values"]) for opened in (source.open, student)
    )
    np.testing.assert_allclose(its_expected, expected, atol=1e-5)
    np.testing.assert_allclose(its_values[:, -1], values[:, -1], atol=1e-5)
    assert np.abs(its_values[:, 0] - values[:, 0]).max() > 1e-3
    assert INTERNAL_PREFIX + "memory" not in student.constants
    # A memory that is left out of the score was of no use.
    np.testing.assert_array_equal(source.open.constant("evidence/weights")[[1, 6]], 0)


def test_a_student_beside_a_path_learns_what_the_path_does_not_expect():
    more = {"colour": np.tile(np.array(["red", "green", "blue"], dtype=object), 30)}
    schema = Schema((Column("colour", Kind.CATEGORY), *WIDE.columns))
    source = Source(fit_table(by_column(wide_rows(90)) | more, schema, settings=quick()))
    student, _ = distilled(source, SETTINGS)
    rows = source.encode(by_column(wide_rows(90, seed=2)) | more)
    (expected,), (its_expected,) = (in_range(o, source, rows, ["expected"]) for o in (source.open, student))
    assert len(source.learned) == source.sample_dim - N_COLUMNS > 0
    np.testing.assert_allclose(its_expected[:, source.numbers], expected[:, source.numbers], atol=1e-5)
    learned = np.abs(its_expected - expected)[:, source.learned]
    assert learned.max() > 1e-3
    assert np.isfinite(its_expected).all()


def test_a_distilled_model_with_a_path_is_much_smaller_and_agrees_with_its_source(model, monkeypatch):
    monkeypatch.setattr(
        "gandetect.export.variants.distilled", lambda source, _, *more: distilled(source, SETTINGS, *more)
    )
    exported = export_model(model, distill=True)
    assert exported.comparison.n_bytes[1] < 0.6 * len(model)
    odd = np.concatenate([wide_rows(100, seed=1), off_the_plane(wide_rows(100, seed=2))])
    assert roc_auc_score(np.repeat([False, True], 100), scores_of(Scorer(exported.model), odd)) > 0.95


def test_a_role_other_than_feature_gives_no_number_to_the_path():
    label = Column("label", Kind.NUMBER, Role.LABEL)
    schema = Schema((*numbers(40).columns, label))
    columns = by_column(wide_rows(40, n_columns=40)) | {"label": np.zeros(40)}
    assert not has_path(fit_table(columns, schema, settings=quick(n_steps=2)))
