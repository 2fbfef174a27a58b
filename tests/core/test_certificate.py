"""What is found of planted anomalies is measured out of fold, and said in the model file."""

import numpy as np
import pytest
from made_tables import by_column, numbers, quick

from gandetect.scorer import Scorer
from gandetect.tables.certificate import Scores, certificate, nearest_neighbours, power, scores_of, threshold
from gandetect.tables.fitting import fit_table
from gandetect.wording import verdicts

RANDOM = np.random.default_rng(0)
EXTREME = {
    "constant": np.full((100, 2), 5.0),
    "huge": 1e308 * np.tanh(RANDOM.normal(size=(100, 2))),
    "largest": 0.99 * np.finfo(float).max * RANDOM.choice([-1, 1], (100, 2)),
    "tiny": 1e-300 * RANDOM.normal(size=(100, 2)),
    "few different rows": np.repeat(RANDOM.normal(size=(2, 2)), 50, axis=0),
    "as few rows as there may be": RANDOM.normal(size=(40, 2)),
    "missing": np.where(RANDOM.random((100, 2)) < 0.9, np.nan, 1.5),
    "one column": RANDOM.normal(size=(100, 1)),
}


@pytest.mark.parametrize("table", EXTREME)
def test_extreme_tables_are_certified_without_a_warning(table):
    X = EXTREME[table]
    model = fit_table(by_column(X), numbers(X.shape[1]), settings=quick(n_planted=20, n_steps=5))
    found = Scorer(model).manifest["certificate"]
    assert bool(found) == (table not in ("constant", "missing"))  # all known values are alike: nothing to plant
    assert all(0 <= share <= 1 for shares in found.get("power", {}).values() for share in shares.values())


def test_the_threshold_is_that_of_the_p_value():
    normal = np.random.default_rng(0).normal(size=199)
    for alpha in (0.005, 0.05, 0.1, 0.5):
        limit = threshold(alpha, normal)
        for score in (limit, limit + 1e-9):
            p_value = (1 + (normal >= score).sum()) / 200
            assert (p_value <= alpha) == (score > limit)
    assert threshold(0.001, normal) == np.inf


def test_power_is_the_share_beyond_the_threshold_and_alarms_are_measured_on_folds_left_out():
    normal, folds = np.arange(100.0), np.arange(100) % 4
    rate, found = power(0.05, normal, folds, np.array([[96.0] * 5 + [0.0] * 5, [1e3] * 10]))
    assert found == [0.5, 1.0]
    assert 0.02 <= rate <= 0.08
    # A fold that scores higher than all the others gives many alarms, though none is beyond the common threshold.
    assert power(0.05, np.where(folds == 0, 1e3, normal), folds, np.zeros((1, 1)))[0] > 0.2


def test_plain_detectors_never_see_the_fold_they_score():
    samples = np.random.default_rng(0).normal(size=(40, 2)).astype(np.float32)
    folds = np.arange(40) % 4
    normal, planted = scores_of(nearest_neighbours, samples, folds, samples, folds)
    assert (normal > 0).all()  # the row itself would be its own nearest neighbour, but so are four others counted
    np.testing.assert_array_equal(normal, planted)
    seen = nearest_neighbours(samples)(samples)
    assert (normal > seen).all()


def test_the_model_file_holds_the_certificate_of_every_detector():
    X = np.random.default_rng(0).normal(size=(200, 3))
    model = fit_table(by_column(X), numbers(3), settings=quick(n_planted=40))
    found = Scorer(model).manifest["certificate"]
    assert found["alpha"] == 0.05
    assert found["n_planted"] == 40
    assert found["n_rows"] == {"gandetect": 200, "kNN": 200, "isolation forest": 200}
    assert list(found["strengths"]) == sorted(["local", "global", "dependency", "cluster"])
    for kind in found["strengths"]:
        assert set(found["power"][kind]) == {"gandetect", "kNN", "isolation forest"}
        assert all(0 <= share <= 1 for share in found["power"][kind].values())
    assert found["power"]["global"]["kNN"] > 0.3


def test_what_a_contamination_flags_is_certified():
    X = np.random.default_rng(0).normal(size=(200, 3))
    model = fit_table(by_column(X), numbers(3), settings=quick(n_planted=40), contamination=0.2)
    found = Scorer(model).manifest["certificate"]
    assert found["alpha"] == 0.2
    assert 0.1 < found["false_alarm_rate"]["gandetect"] <= 0.2


@pytest.mark.parametrize(("n_rows", "n_planted"), [(39, 40), (200, 0)])
def test_too_few_rows_or_no_wish_for_one_give_no_certificate(n_rows, n_planted):
    X = np.random.default_rng(0).normal(size=(n_rows, 2))
    model = fit_table(by_column(X), numbers(2), settings=quick(n_planted=n_planted))
    assert Scorer(model).manifest["certificate"] == {}


def scored(normal, planted):
    return Scores(np.asarray(normal, dtype=float), np.arange(len(normal)) % 2, np.asarray(planted, dtype=float))


def test_it_is_said_plainly_where_a_plain_detector_finds_more():
    normal = np.arange(100.0)
    ours, theirs = scored(normal, [0.0] * 10 + [1e3] * 10), scored(normal, [1e3] * 9 + [0.0] + [1e3] * 10)
    found = certificate(0.05, ["local", "global"], {"gandetect": ours, "kNN": theirs})
    assert verdicts(found) == ["on this table a plain kNN finds more of kind local: 90 %, this model 0 %"]
    assert verdicts({}) == []
