"""Every sickness of a training is found in a run that has it, and not in one that is well."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch

from gandetect import InputError, Scorer, TableSettings, fit_table, table_ensemble
from gandetect.health import (
    DIAGNOSES,
    FEWEST,
    Health,
    Probe,
    Retrained,
    coverage,
    examine,
    heal,
    noise_skill,
    precision,
    summarised,
    two_sample,
)
from gandetect.losses import LOSSES, Logistic
from gandetect.networks.tables import Generator, TablePair
from gandetect.schema import Column, Kind, Schema

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
    health = examine(probe())
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
    assert diagnosis in examine(probe(**changes)).diagnoses
    assert summarised([examine(probe(**changes))])[0].startswith("1 of 1 members: ")


def test_too_few_rows_say_nothing():
    few = {name: getattr(probe(), name)[: FEWEST - 1] for name in ("unseen", "seen", "generated")}
    health = examine(probe(**few, logits_seen=np.zeros((FEWEST - 1, 4), np.float32)))
    assert health.diagnoses == ()
    assert health.coverage is None


def test_members_with_the_same_sickness_share_a_sentence():
    found = [Health(diagnoses=("blind", "collapsed")), Health(), Health(diagnoses=("blind",))]
    assert summarised(found) == [
        f"1 of 3 members: {DIAGNOSES['collapsed']}",
        f"2 of 3 members: {DIAGNOSES['blind']}",
    ]


# --- sick runs --------------------------------------------------------------------------------------------------------

SCHEMA = Schema(tuple(Column(f"x{i}", Kind.NUMBER) for i in range(3)))
COLUMNS = dict(zip((column.name for column in SCHEMA.columns), normal(240).T.astype(np.float64), strict=True))


def health_of(seed=0, **settings):
    settings = TableSettings(**{"n_members": 2, "n_steps": 150, "width": 16} | settings)
    return Scorer(fit_table(COLUMNS, SCHEMA, settings=settings, seed=seed)).manifest["health"]


@pytest.mark.parametrize("loss", LOSSES)
def test_a_short_but_sound_training_is_well_in_every_game(loss):
    health = health_of(loss=loss)
    assert health["diagnoses"] == health["restarted"] == []
    assert all(20 <= len(health[name]) <= 25 for name in ("realness_real", "realness_generated"))


def sick_members(health):
    return {name for member in health["members"] for name in member["diagnoses"]}


def test_a_generator_that_forgets_all_but_one_row_is_found(monkeypatch):
    recall = Generator.recall
    monkeypatch.setattr(Generator, "recall", lambda self, *options: 0 * recall(self, *options))
    complete = Generator.complete
    monkeypatch.setattr(Generator, "complete", lambda self, *options: 0 * complete(self, *options))
    assert "collapsed" in sick_members(health_of())


def test_a_generator_that_leaves_the_data_is_found(monkeypatch):
    imagine = TablePair.imagine
    monkeypatch.setattr(TablePair, "imagine", lambda self, *options: 20 * imagine(self, *options))
    assert sick_members(health_of()) >= {"implausible"}


@pytest.fixture
def far_generator(monkeypatch):
    """Make every generator draw rows far from the data, whatever it learns."""
    generate, imagine = TablePair.generate, TablePair.imagine

    def generate_far(self, *options):
        rows, error = generate(self, *options)
        return 9 + rows - rows.detach(), error

    monkeypatch.setattr(TablePair, "generate", generate_far)
    monkeypatch.setattr(TablePair, "imagine", lambda self, *options: 9 + 0 * imagine(self, *options))


@pytest.mark.usefixtures("far_generator")
def test_a_generator_far_from_the_data_is_found_and_loses_its_game():
    assert sick_members(health_of()) >= {"told apart", "discriminator wins"}


class Reversed(Logistic):
    """A game in which the discriminator is to find generated rows real."""

    def real(self, logits):
        return super().fake(logits)

    def fake(self, logits):
        return super().real(logits)


@pytest.mark.usefixtures("far_generator")
def test_a_discriminator_that_loses_its_game_is_found(monkeypatch):
    monkeypatch.setitem(LOSSES, "hinge", Reversed)
    assert "generator wins" in sick_members(health_of(loss="hinge"))


def test_a_discriminator_that_learns_nothing_is_found():
    assert "blind" in sick_members(health_of(learning_rate=1e-9))


class Exploding(Logistic):
    def generator(self, logits):
        return super().generator(logits) * torch.where(logits.detach().sum() < 1e9, torch.nan, 1.0)


def test_a_training_that_diverges_twice_is_an_error(monkeypatch):
    monkeypatch.setitem(LOSSES, "hinge", Exploding)
    with pytest.raises(InputError, match=r"^Expected the training to stay finite, found that it diverged twice"):
        health_of(loss="hinge")


def retrained(*diagnoses):
    """Return what trains members again to be as sick as this, and the list of those that are then taken."""
    taken = []
    found = [Health(diagnoses=sicknesses) for sicknesses in diagnoses]
    new = Retrained(found, np.full((3, 2, len(found)), 0.75), lambda *places: taken.append(places))
    return lambda sick, seed: new, taken


def test_a_member_that_is_trained_again_is_taken_unless_it_is_sicker():
    found = [Health(), Health(diagnoses=("blind",)), Health(diagnoses=("blind",)), Health(diagnoses=("diverged",))]
    again, taken = retrained(("diverged",), (), ("blind", "collapsed"))
    record = heal(found, np.full((3, 2, 4), 0.25), again, 0, "logistic")
    assert taken == [([2, 3], [1, 2])]
    assert record["restarted"] == [1, 2, 3]
    assert [member["diagnoses"] for member in record["members"]] == [(), ("blind",), (), ("blind", "collapsed")]
    assert record["realness_real"] == [0.5] * 3


def test_a_sick_member_alone_is_trained_once_more(monkeypatch):
    new_pair, made = table_ensemble._new_pair, []

    def one_sick(*arguments):
        pair = new_pair(*arguments)
        if not made:
            with torch.no_grad():
                pair.generator.memory[1] = torch.nan
        made.append(pair)
        return pair

    monkeypatch.setattr(table_ensemble, "_new_pair", one_sick)
    health = health_of()
    assert health["restarted"] == [1]
    assert health["diagnoses"] == []
    assert [pair.generator.n_members for pair in made] == [2, 1]
    assert all(torch.isfinite(parameter).all() for parameter in made[0].generator.parameters())
