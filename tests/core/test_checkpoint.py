"""An interrupted fit goes on from its checkpoint, and from no other."""

import re

import numpy as np
import pytest
from made_tables import MIXED, mixed_rows

from gandetect import FileAccessError, InputError, TableSettings, fit_table
from gandetect.training.checkpoint import Checkpoint, digest

STATE = {"step": np.array(7), "weights": np.arange(6, dtype=np.float32).reshape(2, 3)}
IDENTITY = {"data": "abc", "seed": "0"}


class StopError(Exception):
    pass


def interrupted(path, state=STATE):
    checkpoint = Checkpoint(path, IDENTITY)
    checkpoint.keep(state)
    with pytest.raises(StopError), checkpoint:
        raise StopError


def test_an_interruption_leaves_the_latest_state(tmp_path):
    interrupted(tmp_path / "c", STATE | {"step": np.array(8)})
    found = Checkpoint(tmp_path / "c", IDENTITY).load()
    assert found.keys() == STATE.keys()
    assert found["step"] == 8
    np.testing.assert_array_equal(found["weights"], STATE["weights"])
    assert found["weights"].dtype == np.float32


def test_without_an_interruption_only_a_long_training_writes(tmp_path):
    with Checkpoint(tmp_path / "short", IDENTITY) as short, Checkpoint(tmp_path / "long", IDENTITY, every=0) as long:
        short.keep(STATE)
        long.keep(STATE)
    assert [path.name for path in tmp_path.iterdir()] == ["long"]


def test_an_interruption_before_the_first_state_writes_nothing(tmp_path):
    with pytest.raises(StopError), Checkpoint(tmp_path / "c", IDENTITY):
        raise StopError
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("every", [0, 10])
def test_a_training_that_failed_leaves_nothing_to_go_on_from(tmp_path, every):
    checkpoint = Checkpoint(tmp_path / "c", IDENTITY, every)
    checkpoint.keep(STATE)
    with pytest.raises(InputError), checkpoint:
        raise InputError("Expected the training to stay finite.")
    assert not list(tmp_path.iterdir())


def test_a_failure_before_the_first_state_leaves_what_another_training_wrote(tmp_path):
    interrupted(tmp_path / "c")
    with pytest.raises(InputError), Checkpoint(tmp_path / "c", IDENTITY | {"seed": "1"}) as other:
        other.load()
    assert Checkpoint(tmp_path / "c", IDENTITY).load().keys() == STATE.keys()


def test_no_file_is_no_state(tmp_path):
    assert Checkpoint(tmp_path / "c", IDENTITY).load() is None


@pytest.mark.parametrize(
    ("identity", "others"), [({"seed": "1"}, "seed"), ({"data": "x", "seed": "1"}, "data and seed")]
)
def test_the_checkpoint_of_another_fit_is_refused(tmp_path, identity, others):
    interrupted(tmp_path / "c")
    with pytest.raises(InputError, match=f"^Expected the checkpoint .* found one with other {others}; repeat"):
        Checkpoint(tmp_path / "c", IDENTITY | identity).load()


@pytest.mark.parametrize("contents", [b"", b"no checkpoint", b"\x08\0\0\0\0\0\0\0{}      ", b"\xff" * 100])
def test_what_is_no_checkpoint_is_refused(tmp_path, contents):
    (tmp_path / "c").write_bytes(contents)
    with pytest.raises(InputError, match=re.escape(str(tmp_path / "c"))):
        Checkpoint(tmp_path / "c", IDENTITY).load()


def test_a_folder_in_its_place_is_an_error(tmp_path):
    with pytest.raises(FileAccessError, match="Cannot read"):
        Checkpoint(tmp_path, IDENTITY).load()


def test_a_digest_tells_values_types_and_shapes_apart():
    arrays = [np.zeros(4), np.zeros(4, np.float32), np.zeros((2, 2)), np.ones(4), np.zeros(0)]
    assert len({digest(array) for array in arrays}) == len(arrays)
    assert digest(np.zeros((2, 3)).T) == digest(np.zeros((3, 2)))


# --- fits -------------------------------------------------------------------------------------------------------------

SETTINGS = TableSettings(n_members=2, n_steps=30, width=8)


def fitted(path=None, *, stop_after=None, seed=3, n_rows=60, **options):
    def stop(progress):
        if progress.step == stop_after:
            raise StopError

    arguments = {"settings": SETTINGS, "seed": seed, "checkpoint": path, "callback": stop, "device": "cpu"} | options
    return fit_table(mixed_rows(n_rows, seed=0), MIXED, **arguments)


@pytest.mark.parametrize("step", [1, 17, 30])
def test_a_resumed_fit_ends_with_the_same_bytes(tmp_path, step):
    with pytest.raises(StopError):
        fitted(tmp_path / "c", stop_after=step)
    steps = []
    resumed = fitted(tmp_path / "c", resume=True, callback=lambda progress: steps.append(progress.step))
    assert resumed == fitted()
    again = list(range(1, 31))  # so few steps leave members sick, which are trained once more
    assert steps == list(range(step + 1, 31)) + again


def test_a_fit_can_be_interrupted_twice(tmp_path):
    for step in (5, 20):
        with pytest.raises(StopError):
            fitted(tmp_path / "c", stop_after=step, resume=True)
    assert fitted(tmp_path / "c", resume=True) == fitted()


@pytest.mark.parametrize(
    ("change", "other"),
    [
        ({"seed": 4}, "seed"),
        ({"n_rows": 61}, "data"),
        ({"settings": TableSettings(n_members=2, n_steps=30, width=9)}, "settings"),
    ],
)
def test_a_fit_goes_on_from_its_own_checkpoint_only(tmp_path, change, other):
    with pytest.raises(StopError):
        fitted(tmp_path / "c", stop_after=5)
    with pytest.raises(InputError, match=f"found one with other {other};"):
        fitted(tmp_path / "c", resume=True, **change)


def test_without_resume_a_checkpoint_is_not_read(tmp_path):
    (tmp_path / "c").write_bytes(b"no checkpoint")
    assert fitted(tmp_path / "c") == fitted()
