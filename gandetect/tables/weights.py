"""Takes out of trained table pairs what scoring needs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gandetect.graph.tables import TableWeights
from gandetect.networks.tables import Discriminator, Generator, TablePair
from gandetect.tables.ensemble import TableRows
from gandetect.tables.negatives import REFERENCES, SCORED

Floats = NDArray[np.float32]


def trained_weights(pair: TablePair, rows: TableRows) -> TableWeights:
    """Take what scoring needs out of the trained networks."""
    heads = [list(REFERENCES).index(name) for name in SCORED]
    *hidden, (weight, bias) = _layers(pair.discriminator)
    (first_weight, first_bias), *others = _layers(pair.generator)
    known = rows.samples.shape[1] + rows.present.shape[1]  # the inputs after these are noise, zero when scoring
    logits = [(values[..., heads].mean(2, keepdims=True)) for values in (weight, bias)]
    if len(rows.known):  # their head stands behind those of the references
        own = slice(len(REFERENCES), len(REFERENCES) + 1)
        logits = [
            np.concatenate([mean, values[..., own]], axis=2)
            for mean, values in zip(logits, (weight, bias), strict=True)
        ]
    return TableWeights(
        discriminator=(*hidden, (logits[0], logits[1])),
        generator=((first_weight[:, :known], first_bias), *others),
        memory=pair.generator.memory.detach().cpu().numpy(),
        typical=pair.generator.typical().cpu().numpy(),
        given=rows.given,
        votes=rows.votes,
        linear=rows.linear_path(pair.generator.column_of.cpu().numpy()),
    )


def _layers(network: Discriminator | Generator) -> list[tuple[Floats, Floats]]:
    return [(layer.weight.detach().cpu().numpy(), layer.bias.detach().cpu().numpy()) for layer in network.linear_layers]
