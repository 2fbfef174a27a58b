"""Has sick members trained once more, and says what the model file tells of the health of all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gandetect.errors import InputError
from gandetect.training.health import DIAGNOSES, Health


@dataclass(frozen=True)
class Retrained:
    """Members that were trained to take the places of sick ones.

    Parameters
    ----------
    found : list of Health
        Of every one.
    realness : array of shape (n_reports, 2, members)
        As for `health_record`.
    transplant : callable
        From members of the ensemble and as many of these, by number: puts the latter in the places of the former.
    """

    found: list[Health]
    realness: NDArray[np.float64]
    transplant: Callable[[list[int], list[int]], None]


def summarised(found: Sequence[Health]) -> list[str]:
    """Return one sentence for each sickness, with the number of members that have it."""
    return [
        f"{n_sick} of {len(found)} members: {meaning}"
        for name, meaning in DIAGNOSES.items()
        if (n_sick := sum(name in health.diagnoses for health in found))
    ]


def heal(
    found: list[Health],
    realness: NDArray[np.float64],
    train_again: Callable[[list[int], int], Retrained],
    seed: int,
    loss: str,
) -> dict[str, Any]:
    """Have sick members trained once more, from other weights, and return what the model file says of all.

    Parameters
    ----------
    found : list of Health
        Of every member.
    realness : array of shape (n_reports, 2, members)
        As for `health_record`.
    train_again : callable
        From the sick members and a seed to new ones for their places, which are taken where they are no sicker.
    seed : int
        Of the first training.
    loss : str
        Name of the game, for the message.

    Raises
    ------
    InputError
        A member diverged twice.
    """
    sick = [member for member, health in enumerate(found) if health.diagnoses]
    if sick:
        new = train_again(sick, int(np.random.SeedSequence([seed, 1]).generate_state(1)[0]))
        taken = [place for place, member in enumerate(sick) if not found[member].is_healthier_than(new.found[place])]
        replaced = [sick[place] for place in taken]
        new.transplant(replaced, taken)
        healed = {sick[place]: new.found[place] for place in taken}
        found = [healed.get(member, health) for member, health in enumerate(found)]
        realness = realness.copy()
        realness[..., replaced] = new.realness[..., taken]
    if any("diverged" in health.diagnoses for health in found):
        raise InputError(
            f"Expected the training to stay finite, found that it diverged twice with the loss {loss!r}; "
            "choose another loss or seed."
        )
    return health_record(found, sick, realness)


def health_record(found: Sequence[Health], restarted: Sequence[int], realness: NDArray[np.float64]) -> dict[str, Any]:
    """Return what a model file says of its training, as JSON values.

    Parameters
    ----------
    found : sequence of Health
        Of every member.
    restarted : sequence of int
        Members that were trained once more.
    realness : array of shape (n_reports, 2, members)
        What the heads of the game gave to real and to generated samples, in the course of the training.
    """
    curve = realness[:: max(1, len(realness) // 20)].mean(2).round(4)
    return {
        "diagnoses": summarised(found),
        "restarted": list(restarted),
        "members": [asdict(health) for health in found],
        "realness_real": curve[:, 0].tolist(),
        "realness_generated": curve[:, 1].tolist(),
    }
