"""Every sickness of a training is found in a run that has it; sick members are trained once more."""

import numpy as np
import pytest
import torch
from made_tables import by_column, numbers

from gandetect import InputError, Scorer, TableSettings, fit_table
from gandetect.networks.tables import Generator, TablePair
from gandetect.tables import ensemble as table_ensemble
from gandetect.training.healing import Retrained, heal, summarised
from gandetect.training.health import DIAGNOSES, Health
from gandetect.training.losses import LOSSES, Logistic

# --- what is made of what was found -----------------------------------------------------------------------------------


def test_members_with_the_same_sickness_share_a_sentence():
    found = [Health(diagnoses=("blind", "collapsed")), Health(), Health(diagnoses=("blind",))]
    assert summarised(found) == [
        f"1 of 3 members: {DIAGNOSES['collapsed']}",
        f"2 of 3 members: {DIAGNOSES['blind']}",
    ]


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


# --- sick runs --------------------------------------------------------------------------------------------------------

SCHEMA, COLUMNS = numbers(3), by_column(np.random.default_rng(0).normal(size=(240, 3)))


def health_of(n_rows=240, seed=0, **settings):
    settings = TableSettings(**{"n_members": 2, "n_steps": 150, "width": 16} | settings)
    columns = {name: values[:n_rows] for name, values in COLUMNS.items()}
    return Scorer(fit_table(columns, SCHEMA, settings=settings, seed=seed)).manifest["health"]


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


@pytest.mark.parametrize("n_rows", [239, 240])  # in folds of different and of the same size
def test_a_sick_member_alone_is_trained_once_more(n_rows, monkeypatch):
    new_pair, made = table_ensemble._new_pair, []

    def one_sick(*arguments):
        pair = new_pair(*arguments)
        if not made:
            with torch.no_grad():
                pair.generator.memory[1] = torch.nan
        made.append(pair)
        return pair

    monkeypatch.setattr(table_ensemble, "_new_pair", one_sick)
    health = health_of(n_rows)
    assert health["restarted"] == [1]
    assert health["diagnoses"] == []
    assert [pair.generator.n_members for pair in made] == [2, 1]
    assert all(torch.isfinite(parameter).all() for parameter in made[0].generator.parameters())
