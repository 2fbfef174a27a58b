"""Small groups of rows apart from all others are found, and some members of an ensemble never see them."""

import numpy as np
import numpy_reference as reference
import pytest
from made_tables import by_column, numbers, quick
from recording import recorded_fit
from sklearn.metrics import roc_auc_score

import gandetect.tables.islands
from gandetect.scorer import Scorer
from gandetect.tables.ensemble import CAUTION, TableRows
from gandetect.tables.fitting import fit_table
from gandetect.tables.islands import LARGEST_SHARE, MOST_SHARE, find_islands


def cloud(n_rows, seed=0, at=0.0, width=1.0):
    random = np.random.default_rng(seed)
    return (at + width * random.normal(size=(n_rows, 4))).astype(np.float32)


def with_groups(n_rows, *groups, seed=0):
    """Return rows of one cloud and of groups, in random order, and which are of a group."""
    rows = np.concatenate([cloud(n_rows - sum(map(len, groups))), *groups])
    order = np.random.default_rng(seed).permutation(len(rows))
    return rows[order], order >= len(rows) - sum(map(len, groups))


# --- the rule ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [20, 35])
def test_a_small_group_apart_from_all_others_is_an_island_and_no_other_row_is(size):
    rows, planted = with_groups(1000, cloud(size, seed=1, at=5, width=0.3))
    np.testing.assert_array_equal(find_islands(rows, 0), planted)


def test_several_islands_are_found():
    rows, planted = with_groups(2000, *(cloud(22, seed=9 + at, at=at, width=0.2) for at in (-6, 5, 9)))
    np.testing.assert_array_equal(find_islands(rows, 0), planted)


@pytest.mark.parametrize(
    "rows",
    [
        cloud(1000),
        np.random.default_rng(0).standard_t(2, size=(1000, 3)).astype(np.float32),
        with_groups(1000, cloud(19, seed=1, at=5, width=0.3))[0],
        with_groups(1000, cloud(60, seed=1, at=5, width=0.3))[0],
        with_groups(480, cloud(21, seed=1, at=5, width=0.3))[0],
        np.zeros((500, 3), np.float32),
        np.empty((500, 0), np.float32),
    ],
    ids=["one cloud", "heavy tails", "too few for a group", "a sort of its own", "a small table", "all alike", "given"],
)
def test_there_are_no_islands_in(rows):
    assert not find_islands(rows, 0).any()


def test_the_order_of_the_rows_does_not_matter():
    rows, _ = with_groups(1500, cloud(30, seed=1, at=5, width=0.3), cloud(25, seed=2, at=-4, width=0.3))
    order = np.random.default_rng(3).permutation(len(rows))
    np.testing.assert_array_equal(find_islands(rows[order], 0), find_islands(rows, 0)[order])


def test_of_many_islands_those_farthest_away_are_taken():
    groups = [cloud(25, seed=at, at=10 * at, width=0.3) for at in (1, 2, 4, 8)]
    rows, planted = with_groups(1000, *groups)
    found = find_islands(rows, 0)
    assert found.sum() == 50 <= MOST_SHARE * len(rows)
    assert planted[found].all()
    assert rows[found].min() > 30


def test_islands_are_found_among_more_rows_than_are_compared(monkeypatch):
    monkeypatch.setattr(gandetect.tables.islands, "MAX_ROWS", 1500)
    rows, planted = with_groups(9000, cloud(240, seed=1, at=6, width=0.3))
    found = find_islands(rows, 0)
    assert not found[~planted].any()
    assert found[planted].mean() > 0.9
    assert planted.mean() < LARGEST_SHARE


# --- what it does to an ensemble --------------------------------------------------------------------------------------


def rows_of(n_members, n_on_islands):
    samples = cloud(60)
    islands = np.arange(60) < n_on_islands
    return TableRows(samples, samples, samples, 1.0, np.arange(60) % n_members, islands, samples[:0], np.zeros(4, bool))


@pytest.mark.parametrize(("n_members", "n_cautious"), [(2, 1), (3, 1), (4, 1), (8, 2)])
def test_one_member_in_four_sees_no_islands_and_the_others_all_but_their_fold(n_members, n_cautious):
    rows = rows_of(n_members, 20)
    cautious = np.array([not rows.islands[rows.seen_by(member)].any() for member in range(n_members)])
    assert cautious.sum() == n_cautious
    for member in range(n_members):
        seen = (rows.folds != member) & ~(rows.islands & cautious[member])
        np.testing.assert_array_equal(rows.seen_by(member), np.flatnonzero(seen))
    np.testing.assert_allclose(rows.votes[cautious].sum(), CAUTION, rtol=1e-6)
    np.testing.assert_allclose(rows.votes.sum(), 1, rtol=1e-6)


def test_without_islands_all_members_are_alike():
    rows = rows_of(4, 0)
    assert [len(rows.seen_by(member)) for member in range(4)] == [45] * 4
    assert rows.votes is None


def test_the_file_computes_the_mean_of_the_odds_by_the_votes_of_the_members():
    rows, _ = with_groups(1000, cloud(20, seed=1, at=5, width=0.3))
    fitted = recorded_fit(by_column(rows), numbers(4), quick(n_members=4))
    columns = by_column(np.concatenate([rows[:200], cloud(200, seed=2, width=4)]))
    values = reference.components(fitted.networks(), reference.encode(fitted.encoding, columns), fitted.error_scale)[0]
    realness = Scorer(fitted.model)(columns, ["realness"])["realness"]
    np.testing.assert_allclose(realness, 1 / (1 + np.exp(values[:, 0])), atol=1e-5)


@pytest.fixture(scope="module")
def mixed_in():
    """Train on a cloud of which 2 % are of a crowd of anomalies."""
    rows, _ = with_groups(1000, cloud(20, seed=1, at=(4, -4, 4, -4), width=0.3))
    return Scorer(fit_table(by_column(rows), numbers(4), settings=quick(n_members=4, n_steps=300)))


def test_anomalies_like_those_among_the_training_rows_are_still_found(mixed_in):
    anomalies, normal = cloud(200, seed=5, at=(4, -4, 4, -4), width=0.3), cloud(2000, seed=6)
    answers = mixed_in(by_column(np.concatenate([normal, anomalies])), ["anomaly_score", "realness"])
    for score in (answers["anomaly_score"], -answers["realness"]):
        assert roc_auc_score(np.repeat([0, 1], [2000, 200]), score) > 0.97


def test_normal_rows_are_flagged_as_rarely_as_announced(mixed_in):
    p_values = mixed_in(by_column(cloud(4000, seed=7)), ["p_value"])["p_value"]
    assert np.mean(p_values <= 0.05) < 0.07


def test_the_manifest_says_how_many_rows_are_in_islands(mixed_in):
    assert mixed_in.manifest["training"]["island_share"] == 0.02


def test_normal_rows_on_an_island_are_flagged_as_rarely_as_announced():
    rows, _ = with_groups(2000, cloud(70, seed=1, at=(4, -4, 4, -4), width=0.3))
    scorer = Scorer(fit_table(by_column(rows), numbers(4), settings=quick(n_members=4, n_steps=300)))
    like_them = np.concatenate([cloud(19_300, seed=7), cloud(700, seed=8, at=(4, -4, 4, -4), width=0.3)])
    p_values = scorer(by_column(like_them), ["p_value"])["p_value"]
    for rate in (0.01, 0.02, 0.05):
        assert np.mean(p_values <= rate) < 1.3 * rate
