"""Which rows train and which are scored."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from splits import MIXED_PERCENTS, SETTINGS, n_labelled

N_NORMAL, N_ANOMALIES = 400, 60
# The only column is the row's number, so that rows can be told apart.
X = np.arange(N_NORMAL + N_ANOMALIES, dtype=float)[:, None]
Y = np.random.default_rng(0).permutation(np.repeat([0, 1], [N_NORMAL, N_ANOMALIES]))
HELD_OUT = sorted(set(SETTINGS) - {"contaminated"})
MIXED = [f"mixed-{percent}" for percent in MIXED_PERCENTS]


def split(setting: str, seed: int = 0, y: np.ndarray = Y):
    return SETTINGS[setting](X[: len(y)], y, seed)


def train_rows(setting: str, seed: int = 0) -> set[float]:
    return set(split(setting, seed).X_train[:, 0])


@pytest.mark.parametrize("setting", HELD_OUT)
@pytest.mark.parametrize("seed", [0, 1])
def test_no_row_is_both_trained_on_and_scored(setting: str, seed: int) -> None:
    found = split(setting, seed)
    rows = np.concatenate([found.X_train, found.X_test])[:, 0]
    assert len(np.unique(rows)) == len(rows)


@pytest.mark.parametrize("setting", sorted(SETTINGS))
def test_test_labels_belong_to_their_rows(setting: str) -> None:
    found = split(setting)
    np.testing.assert_array_equal(found.y_test, Y[found.X_test[:, 0].astype(int)])


@pytest.mark.parametrize("setting", sorted(SETTINGS))
def test_the_number_of_anomalies_in_training_is_told(setting: str) -> None:
    found = split(setting)
    assert found.n_anomalies == Y[found.X_train[:, 0].astype(int)].sum()


@pytest.mark.parametrize("setting", HELD_OUT)
def test_every_setting_trains_on_the_same_normal_rows(setting: str) -> None:
    normal = {row for row in train_rows(setting, seed=3) if Y[int(row)] == 0}
    assert normal == train_rows("one-class", seed=3)


def test_another_seed_gives_other_rows() -> None:
    assert train_rows("one-class", 0) != train_rows("one-class", 1)


@pytest.mark.parametrize("setting", MIXED)
def test_all_mixed_settings_are_tested_on_the_same_rows(setting: str) -> None:
    np.testing.assert_array_equal(split(setting).X_test, split(MIXED[0]).X_test)


@pytest.mark.parametrize("percent", MIXED_PERCENTS)
def test_a_mixed_setting_has_its_share_of_anomalies(percent: int) -> None:
    found = split(f"mixed-{percent}")
    assert found.n_anomalies == pytest.approx(percent / 100 * len(found.X_train), abs=1)


def test_a_larger_share_adds_anomalies_to_the_smaller_one() -> None:
    for smaller, larger in pairwise(MIXED):
        assert train_rows(smaller) < train_rows(larger)


@pytest.mark.parametrize("setting", ["mixed-10", "labelled"])
def test_a_set_with_few_anomalies_gives_at_most_half_of_them(setting: str) -> None:
    y = np.repeat([0, 1], [N_NORMAL, 7])
    found = split(setting, y=y)
    assert found.n_anomalies == 3
    assert found.y_test.sum() == 4


@pytest.mark.parametrize(("n_anomalies", "known"), [(2000, 20), (501, 6), (100, 5), (8, 4), (1, 0)])
def test_one_percent_of_the_anomalies_is_known_at_least_five_at_most_half(n_anomalies: int, known: int) -> None:
    assert n_labelled(n_anomalies) == known


def test_known_anomalies_are_marked_and_kept_from_detectors_without_labels() -> None:
    found = split("labelled")
    np.testing.assert_array_equal(found.known, Y[found.X_train[:, 0].astype(int)])
    assert set(found.unlabelled().X_train[:, 0]) == train_rows("one-class")
    assert found.unlabelled().known is None


def test_contaminated_scores_the_very_rows_it_trains_on() -> None:
    found = split("contaminated")
    assert found.X_train is found.X_test
