"""Scores become p-values and thresholds that can never disagree; evidence is monotone and gentle."""

from dataclasses import replace

import numpy as np
import numpy_reference as reference
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gandetect.calibration import (
    COARSER_BY,
    MAX_SCORES,
    STRONG,
    UNSEEN_SLOPE,
    Calibration,
    Disagreement,
    calibrate,
    default_alpha,
    fit_evidence,
    float32_at_most,
)
from gandetect.graph.builder import GraphBuilder
from gandetect.graph.score import add_score
from gandetect.scorer import open_session, run_in_chunks

scores = st.floats(-100, 100, width=32) | st.sampled_from([0.0, 1.0, 1.5])
score_lists = st.lists(scores, min_size=1, max_size=60).map(lambda values: np.array(values, dtype=np.float32))
alphas = st.floats(0, 1, exclude_min=True, exclude_max=True)


def p_value(calibration, at):
    return calibration.p_values[np.searchsorted(calibration.scores, np.float32(at), side="left")]


@settings(deadline=None)
@given(score_lists, scores)
def test_a_p_value_is_the_share_of_scores_at_least_as_high(training, score):
    expected = (1 + np.sum(training >= np.float32(score))) / (1 + len(training))
    assert p_value(calibrate(training), score) == np.float32(expected)


@settings(deadline=None)
@given(score_lists)
def test_p_values_fall_from_one_to_the_smallest_possible(training):
    calibration = calibrate(training)
    assert (np.diff(calibration.scores) > 0).all()
    assert (np.diff(calibration.p_values) < 0).all()
    assert calibration.p_values[0] == 1
    assert calibration.p_values[-1] == np.float32(1 / (1 + len(training)))
    assert calibration.n_rows == len(training)


def test_the_order_of_the_rows_does_not_matter():
    training = np.random.default_rng(0).normal(size=500).astype(np.float32)
    first, second = calibrate(training), calibrate(training[::-1])
    np.testing.assert_array_equal(first.scores, second.scores)
    np.testing.assert_array_equal(first.p_values, second.p_values)


@pytest.fixture(scope="module", params=[4097, 30_000])
def many(request):
    training = np.random.default_rng(0).gamma(2, size=request.param).astype(np.float32)
    return training, calibrate(training)


def exact(training, at):
    larger = len(training) - np.searchsorted(np.sort(training), at, side="left")
    return ((1 + larger) / (1 + len(training))).astype(np.float32)


def test_thinning_never_gives_a_smaller_p_value_than_all_scores_would(many):
    training, calibration = many
    at = np.linspace(-1, 20, 20_001, dtype=np.float32)
    computed = reference.p_values(calibration, at)
    assert len(calibration.scores) <= MAX_SCORES
    assert (computed >= exact(training, at)).all()
    assert (computed <= exact(training, at) + 0.001).all()


def test_thinning_leaves_the_largest_scores_exact(many):
    training, calibration = many
    at = np.sort(training)[-2000:]
    for side in (at, np.nextafter(at, np.float32(np.inf))):
        np.testing.assert_array_equal(reference.p_values(calibration, side), exact(training, side))


def test_fewer_steps_give_hardly_larger_p_values_and_the_same_flags(many):
    _, calibration = many
    coarser = calibration.coarser(0.07)
    at = np.concatenate([np.linspace(-1, 20, 20_001, dtype=np.float32), calibration.scores])
    before, after = (reference.p_values(steps, at) for steps in (calibration, coarser))
    assert len(coarser.scores) < 500
    assert (after >= before).all()
    assert (after <= before * np.float32(1 + COARSER_BY)).all()
    np.testing.assert_array_equal(after <= np.float32(0.07), before <= np.float32(0.07))


@given(score_lists, alphas)
def test_fewer_steps_of_few_scores_keep_what_is_flagged(training, alpha):
    calibration = calibrate(training)
    assert calibration.coarser(alpha).critical_score(alpha) == calibration.critical_score(alpha)


@settings(deadline=None, max_examples=300)
@given(score_lists, alphas, scores)
@example(np.zeros(9, dtype=np.float32), 0.1, 0.0)
@example(np.zeros(9, dtype=np.float32), 0.09, 1.0)
def test_a_score_above_the_critical_one_is_a_p_value_of_at_most_alpha(training, alpha, score):
    calibration = calibrate(training)
    critical = calibration.critical_score(alpha)
    for at in (np.float32(score), *training):
        assert (at > critical) == (p_value(calibration, at) <= np.float32(alpha))


def test_nothing_is_above_the_critical_score_of_an_alpha_that_no_p_value_reaches():
    assert calibrate(np.arange(9, dtype=np.float32)).critical_score(0.05) == np.inf


def test_everything_is_above_the_critical_score_where_all_p_values_are_small_enough():
    calibration = Calibration(np.array([1], dtype=np.float32), np.array([0.2, 0.1], dtype=np.float32), 9)
    assert calibration.critical_score(0.5) == -np.inf


@given(st.integers(1, 10_000))
def test_the_default_alpha_is_reached_by_the_most_anomalous_score(n_rows):
    alpha = default_alpha(n_rows)
    assert alpha >= 0.05
    assert np.float32(1 / (n_rows + 1)) <= np.float32(alpha)
    assert alpha == 0.05 or n_rows < 19


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9, width=32))
def test_float32_scores_compare_with_a_threshold_and_with_its_single_precision_in_the_same_way(value, score):
    rounded = float32_at_most(value)
    above = np.nextafter(rounded, np.float32(np.inf))
    assert rounded.dtype == np.float32
    assert float(rounded) <= value < float(above)
    for at in (np.float32(score), rounded, above):
        assert (float(at) > value) == (at > rounded)


# --- evidence ---------------------------------------------------------------------------------------------------------


def scorer_of(evidence):
    """Return a function from components (n, n_components) to the graph's scores (n,)."""
    builder = GraphBuilder()
    components = builder.input("components", np.float32, ["n", len(evidence.weights)])
    no_growth, excess = builder.floats([[0.0]]), builder.node("Gather", components, builder.ints([-1]), axis=1)
    builder.output("score", add_score(builder, components, no_growth, excess, evidence), np.float32, ["n", 1])
    session = open_session(builder.build())
    return lambda values: run_in_chunks(session, ["score"], {"components": values.astype(np.float32)})["score"][:, 0]


WEIGHTS, STRONG_WEIGHTS = np.array([1.0, 0.5, 0.5]), np.array([0.0, 2.0, 0.0])
SMALLEST = np.array([0.1, 0.1, 1.0])


def made_components(n_rows=500, seed=0):
    """Components of three kinds: spread out, on few values, and mostly zero as the excess is."""
    random = np.random.default_rng(seed)
    excess = np.where(random.random(n_rows) < 0.05, random.gamma(1, size=n_rows), 0)
    return np.column_stack([random.normal(-2, 3, n_rows), random.integers(0, 4, n_rows), excess])


@pytest.fixture(scope="module")
def evidence():
    return fit_evidence(made_components(), WEIGHTS, STRONG_WEIGHTS, SMALLEST)


@pytest.fixture(scope="module")
def score_of(evidence):
    return scorer_of(evidence)


def along(component, at):
    """Return rows that differ in one component only."""
    rows = np.tile(np.median(made_components(), axis=0), (len(at), 1))
    rows[:, component] = at
    return rows


@pytest.mark.parametrize("n_rows", [8, 50, 5000])
def test_the_graph_adds_the_evidence_up_as_the_reference_does(n_rows):
    evidence = fit_evidence(made_components(n_rows), WEIGHTS, STRONG_WEIGHTS, SMALLEST)
    rows = np.vstack([made_components(1000, seed=1), 100 * made_components(200, seed=2)]).astype(np.float32)
    expected = reference.anomaly_score(evidence, rows.astype(float))
    np.testing.assert_allclose(scorer_of(evidence)(rows), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("component", range(3))
def test_evidence_never_falls_where_a_component_grows(score_of, component):
    computed = score_of(along(component, np.linspace(-50, 50, 5001)))
    assert (np.diff(computed) >= -1e-5).all()


@pytest.mark.parametrize("component", range(3))
def test_evidence_is_continuous(score_of, evidence, component):
    at = np.linspace(-20, 20, 400_001)
    steepest = np.abs(np.diff(score_of(along(component, at)).astype(float))).max() / (at[1] - at[0])
    assert steepest < 20


def test_evidence_is_gentle_even_for_components_that_hardly_vary():
    constant = np.full((200, 3), 0.3)
    constant[:, :2] += np.random.default_rng(0).normal(0, 1e-7, (200, 2))
    score = scorer_of(fit_evidence(constant, WEIGHTS, STRONG_WEIGHTS, SMALLEST))
    rows = np.tile(constant[:1], (201, 1))
    rows[:, :2] += np.linspace(-1e-6, 1e-6, 201)[:, None]
    assert np.ptp(score(rows)) < 2e-5


@pytest.mark.parametrize("component", range(3))
def test_evidence_keeps_the_order_beyond_the_largest_training_value(score_of, component):
    largest = made_components()[:, component].max()
    computed = score_of(along(component, largest + np.logspace(0, 6, 50)))
    assert (np.diff(computed) > 0).all()


def test_the_score_outgrows_everything_with_an_unseen_excess(score_of, evidence):
    far, further = score_of(along(2, evidence.excess_limit + np.array([50.0, 51.0])))
    assert further - far == pytest.approx(UNSEEN_SLOPE, abs=0.01)


def test_the_evidence_of_a_training_value_is_about_the_logarithm_of_its_tail(evidence):
    components = made_components()
    values = np.sort(components[:, 0])
    rows = np.tile([0.0, -100.0, -100.0], (len(values), 1))
    rows[:, 0] = values
    tail = 0.1 * np.arcsinh(np.maximum((values - evidence.mean[0]) / evidence.deviation[0], 0))
    rank = reference.anomaly_score(evidence, rows) - tail
    expected = -np.log((np.arange(len(values), 0, -1) - 0.5) / len(values))
    np.testing.assert_allclose(rank[:-3], expected[:-3], atol=0.15)


def test_only_the_part_of_evidence_above_the_limit_counts_as_strong(evidence):
    rows = along(1, np.linspace(-5, 5, 101))
    weak, strong = (
        reference.anomaly_score(replace(evidence, strong_weights=np.array([0.0, weight, 0.0])), rows)
        for weight in (0.0, 2.0)
    )
    others = reference.anomaly_score(evidence, along(1, [-1000.0]))
    strength = (weak - others) / WEIGHTS[1]
    assert strength.max() > STRONG
    np.testing.assert_allclose(strong - weak, 2 * np.maximum(strength - STRONG, 0), atol=1e-9)


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.tuples(*[st.floats(-10, 10)] * 2, st.floats(0, 10)), min_size=8, max_size=30),
    st.integers(0, 2),
    st.lists(st.floats(-50, 50), min_size=2, max_size=10),
)
def test_evidence_of_any_components_is_finite_and_never_falls(rows, component, at):
    evidence = fit_evidence(np.array(rows), WEIGHTS, STRONG_WEIGHTS, SMALLEST)
    values = np.tile(np.array(rows[0]), (len(at), 1))
    values[:, component] = np.sort(at)
    computed = reference.anomaly_score(evidence, values)
    assert np.isfinite(computed).all()
    assert (np.diff(computed) >= -1e-9).all()
    assert (evidence.widths > 0).all()


# --- averaging --------------------------------------------------------------------------------------------------------


def members(random, n_rows, n_members, spread):
    """Scores that members give to rows: what a row is, and what each member thinks of it."""
    return (random.normal(size=(n_rows, 1)) + spread * random.normal(size=(n_rows, n_members))).astype(np.float32)


def disagreement_of(scores, spread, random, n_members=4):
    """Disagreement among all members but one, as on training rows."""
    seen = spread * random.normal(size=(len(scores), n_members - 1))
    return Disagreement(scores, (seen - seen.mean(1, keepdims=True)).astype(np.float32))


def test_with_the_disagreement_as_many_normal_rows_are_flagged_as_announced():
    random, spread = np.random.default_rng(0), 0.6
    training, new = members(random, 200_000, 1, spread)[:, 0], members(random, 200_000, 4, spread).mean(1)
    plain = calibrate(training)
    corrected = calibrate(training, disagreement_of(training, spread, random))
    for alpha in (0.01, 0.05, 0.1):
        few, right = (np.mean(reference.p_values(c, new) <= alpha) for c in (plain, corrected))
        assert few < 0.8 * alpha
        assert 0.95 * alpha < right < 1.1 * alpha


def test_members_that_agree_change_nothing():
    scores = np.random.default_rng(0).normal(size=300).astype(np.float32)
    same = calibrate(scores, Disagreement(scores, np.zeros((300, 3), dtype=np.float32)))
    np.testing.assert_array_equal(same.p_values, calibrate(scores).p_values)


@settings(deadline=None)
@given(score_lists, st.integers(0, 9), st.floats(0, 50))
def test_a_disagreement_never_more_than_halves_a_p_value_and_never_raises_it(training, seed, spread):
    random = np.random.default_rng(seed)
    plain, corrected = calibrate(training), calibrate(training, disagreement_of(training, spread, random))
    assert (corrected.p_values <= plain.p_values).all()
    assert (corrected.p_values >= plain.p_values / 2 * (1 - 1e-6)).all()
    assert (np.diff(corrected.p_values) <= 0).all()
    assert corrected.p_values[0] == 1
    assert corrected.p_values[-1] >= np.float32(1 / (1 + len(training)))
