"""Measures of a member say what they claim, and every sickness is found in a member that has it."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from gandetect.images.health import LIMITS as IMAGE_LIMITS
from gandetect.tables.health import LIMITS
from gandetect.training.healing import summarised
from gandetect.training.health import (
    FEWEST,
    Probe,
    coverage,
    examine,
    noise_skill,
    precision,
    two_sample,
)

RANDOM = np.random.default_rng(0)


def normal(n_rows, shift=0.0, scale=1.0):
    return (shift + scale * RANDOM.normal(size=(n_rows, 3))).astype(np.float32)


# --- measures ---------------------------------------------------------------------------------------------------------


def test_rows_of_the_same_kind_are_plausible_cover_the_data_and_cannot_be_told_apart():
    real, like_real = normal(400), normal(400)
    assert precision(real, like_real) > 0.9
    assert coverage(real, like_real) > 0.9
    accuracy, p_value = two_sample(real, like_real)
    assert 0.4 < accuracy < 0.6
    assert p_value > 0.01


def test_few_kinds_of_rows_are_plausible_but_do_not_cover_the_data():
    real, few = normal(400), normal(400, scale=0.05)
    assert precision(real, few) > 0.9
    assert coverage(real, few) < 0.2


def test_rows_elsewhere_are_neither_and_are_told_apart():
    real, elsewhere = normal(400), normal(400, shift=10)
    assert precision(real, elsewhere) == coverage(real, elsewhere) == 0
    accuracy, p_value = two_sample(real, elsewhere)
    assert accuracy == 1
    assert p_value < 1e-9


def test_the_skill_against_noise_is_one_for_certainty_zero_for_a_coin_and_less_for_error():
    sure, unsure = np.full((9, 2), 50, np.float32), np.zeros((9, 2), np.float32)
    assert noise_skill(sure, -sure) == pytest.approx(1)
    assert noise_skill(unsure, unsure) == pytest.approx(0, abs=1e-6)
    assert noise_skill(-sure, sure) < -1


def test_equal_rows_are_within_each_others_reach():
    constant = np.zeros((20, 3), np.float32)
    assert precision(constant, constant) == coverage(constant, constant) == 1


# --- diagnoses --------------------------------------------------------------------------------------------------------


def probe(**changes):
    """Return the probe of a member that is well."""
    logits = RANDOM.normal(size=(200, 4)).astype(np.float32)
    well = Probe(normal(200), normal(200), normal(200), logits + 2, logits[::-1], 0.6, 0.4, finite=True)
    return replace(well, **changes)


def test_a_member_that_is_well_has_no_diagnosis():
    health = examine(probe(), LIMITS)
    assert health.diagnoses == ()
    assert min(health.precision, health.coverage, health.noise_skill) > 0.2
    assert (health.realness_real, health.realness_generated) == (0.6, 0.4)
    json.dumps(asdict(health))


@pytest.mark.parametrize(
    ("changes", "diagnosis"),
    [
        ({"finite": False, "generated": normal(200, shift=np.nan)}, "diverged"),
        ({"generated": normal(200, scale=0.05)}, "collapsed"),
        ({"generated": normal(200, scale=6)}, "implausible"),
        ({"generated": normal(200, shift=10)}, "told apart"),
        ({"realness_real": 0.99, "realness_generated": 0.01}, "discriminator wins"),
        ({"realness_real": 0.2, "realness_generated": 0.6}, "generator wins"),
        ({"logits_seen": np.zeros((200, 4), np.float32)}, "blind"),
    ],
)
def test_every_sickness_is_found(changes, diagnosis):
    assert diagnosis in examine(probe(**changes), LIMITS).diagnoses
    assert summarised([examine(probe(**changes), LIMITS)])[0].startswith("1 of 1 members: ")


def test_a_discriminator_of_patches_wins_by_a_wider_margin_before_it_is_sick():
    decided, won = probe(realness_real=0.98, realness_generated=0.02), probe(realness_real=0.999, realness_generated=0)
    assert examine(decided, LIMITS).diagnoses == ("discriminator wins",)
    assert examine(decided, IMAGE_LIMITS["patch"]).diagnoses == ()
    assert examine(won, IMAGE_LIMITS["patch"]).diagnoses == ("discriminator wins",)


def test_too_few_rows_say_nothing():
    few = {name: getattr(probe(), name)[: FEWEST - 1] for name in ("unseen", "seen", "generated")}
    health = examine(probe(**few, logits_seen=np.zeros((FEWEST - 1, 4), np.float32)), LIMITS)
    assert health.diagnoses == ()
    assert health.coverage is None
