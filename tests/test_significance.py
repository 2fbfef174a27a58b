"""How often p-values occur, and what that says of many rows together."""

import re
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom, false_discovery_control

from gandetect import InputError, PValueCounts


def counted(p_values, n_chunks=1):
    counts = PValueCounts()
    for chunk in np.array_split(p_values, n_chunks):
        counts.add(chunk)
    return counts


ranks = st.lists(st.integers(1, 40), min_size=1, max_size=200)


@given(ranks, st.floats(0.001, 0.999), st.integers(1, 5))
def test_discoveries_are_those_of_scipy(ranks, rate, n_chunks):
    p_values = (np.array(ranks) / 40).astype(np.float32)
    limit = counted(p_values, n_chunks).discovery_limit(rate)
    adjusted = false_discovery_control(p_values.astype(np.float64))
    clear = np.abs(adjusted - rate) > 1e-9
    assert np.array_equal((p_values <= limit)[clear], (adjusted <= rate)[clear])


@pytest.mark.parametrize("p_values", ["0.1", None, 0.1, ["small"], [1.1], [-0.1], [np.nan], [[0.1]], [[0.1], [1, 2]]])
def test_what_are_no_p_values_is_refused_and_not_counted(p_values):
    counts = counted([0.5])
    with pytest.raises(InputError, match=r"^Expected p-values from 0 to 1, one for each row, found others; "):
        counts.add(p_values)
    assert (counts.n_rows, counts.at_most(1)) == (1, 1)


@pytest.mark.parametrize("rate", [0, 1, -0.1, np.nan, "0.1", None])
def test_a_rate_of_false_discoveries_is_a_share(rate):
    sentence = f"Expected a false discovery rate between 0 and 1, found {rate!r}."
    for ask in (counted([0.5]).discovery_limit, lambda rate: counted([0.5]).fewest_discoveries(rate, 99)):
        with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
            ask(rate)


def test_without_rows_nothing_is_a_discovery():
    counts = PValueCounts()
    assert (counts.n_rows, counts.discovery_limit(0.5)) == (0, 0.0)


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.3])
def test_as_many_rows_as_said_must_share_the_smallest_p_value(rate):
    n_calibration, n_rows = 99, 500
    fewest = counted(np.ones(n_rows)).fewest_discoveries(rate, n_calibration)
    for n_smallest, expected in ((fewest, np.float32(1 / 100)), (fewest - 1, 0.0)):
        p_values = np.ones(n_rows, dtype=np.float32)
        p_values[:n_smallest] = 1 / 100
        assert counted(p_values).discovery_limit(rate) == expected


def test_counts_up_to_a_level_compare_in_single_precision():
    counts = counted(np.array([0.1, 0.1, 0.2], dtype=np.float32))
    assert (counts.at_most(0.1), counts.at_most(0.2), counts.at_most(0.05)) == (2, 3, 0)


def test_of_the_discoveries_among_many_files_no_larger_share_is_normal_than_announced():
    random = np.random.default_rng(0)
    false = []
    for _ in range(300):
        calibration = np.sort(random.normal(size=400))
        scores = np.concatenate([random.normal(size=150), random.normal(4, 1, size=50)])
        p_values = (1 + 400 - np.searchsorted(calibration, scores)) / 401
        flagged = p_values <= counted(p_values).discovery_limit(0.1)
        false.append(flagged[:150].sum() / max(1, flagged.sum()))
    # Benjamini and Hochberg: the expectation is the rate times the share of normal rows.
    assert 0.04 < np.mean(false) < 0.1


@pytest.mark.parametrize(("n_calibration", "n_rows", "alpha"), [(99, 500, 0.1), (999, 200, 0.05), (400, 5000, 0.05)])
def test_the_chance_of_many_small_p_values_is_that_of_scipys_beta_binomial(n_calibration, n_rows, alpha):
    rank = int(alpha * (n_calibration + 1))
    exact = betabinom(n_rows, rank, n_calibration + 1 - rank)
    for n_small in range(int(alpha * n_rows) + 1, n_rows + 1, max(1, n_rows // 50)):
        chance = chance_of(n_small, n_rows, alpha, n_calibration)
        assert chance == pytest.approx(exact.sf(n_small - 1), rel=1e-3, abs=1e-10)
    assert chance_of(int(alpha * n_rows), n_rows, alpha, n_calibration) == 1


def test_many_rows_are_judged_like_a_hundred_thousand():
    few, many = (chance_of(n_rows // 8, n_rows, 0.1, 400) for n_rows in (100_000, 8_000_000))
    assert 0.01 < few < 0.2
    assert many == pytest.approx(few)


def test_how_likely_many_small_p_values_are_is_told_in_bounded_memory():
    counts = counted(np.repeat([1 / 401, 1.0], [200_000, 1_800_000]))
    tracemalloc.start()
    counts.chance_of_so_many(0.05, 400)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 2**18 < peak < 2**23


def chance_of(n_small, n_rows, alpha, n_calibration):
    p_values = np.repeat([1 / (n_calibration + 1), 1.0], [n_small, n_rows - n_small])
    return counted(p_values).chance_of_so_many(alpha, n_calibration)


def test_without_rows_there_are_not_too_many_small_p_values():
    assert PValueCounts().chance_of_so_many(0.1, 100) == 1
    assert counted(np.ones(5) / 100).chance_of_so_many(1.0, 99) == 1
