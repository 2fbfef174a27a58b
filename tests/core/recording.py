"""Fits a table and keeps what the final graph was made from."""

import sys
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy_reference import Networks

from gandetect.graph import encoding, score, tables
from gandetect.tables import weights as table_weights
from gandetect.tables.fitting import fit_table
from gandetect.tables.negatives import REFERENCES, SCORED
from gandetect.training import loop as training


@dataclass
class Fitted:
    model: bytes
    pair: Any
    draw: Any
    encoding: Any
    weights: Any
    error_scale: np.ndarray
    evidence: Any
    calibration: Any

    def networks(self):
        return Networks(
            layers_of(self.pair.discriminator),
            layers_of(self.pair.generator),
            [list(REFERENCES).index(name) for name in SCORED],
            self.pair.generator.memory.detach().double().numpy(),
            self.encoding.column_of,
            self.weights.votes,
        )


def layers_of(network):
    return [
        (layer.weight.detach().double().numpy(), layer.bias.detach().double().numpy())
        for layer in network.linear_layers
    ]


def recorded_fit(columns, schema, settings, **options):
    """Fit and keep the arguments of the last call of every function that the graph comes from."""
    with _recorded(
        training.train,
        table_weights.trained_weights,
        encoding.add_encoding,
        tables.add_networks,
        score.add_measures,
        score.add_score,
        score.add_answers,
    ) as seen:
        model = fit_table(columns, schema, settings=settings, **options)
    return Fitted(
        model,
        pair=seen["trained_weights"][0],
        draw=seen["train"][2][0],  # of the one pair
        encoding=seen["add_encoding"][1],
        weights=seen["add_networks"][2],
        error_scale=seen["add_measures"][6],
        evidence=seen["add_score"][4],
        calibration=seen["add_answers"][3],
    )


@contextmanager
def _recorded(*functions):
    """Replace functions by recorders in every module of the library that knows them."""
    seen = {}

    def recorder(function):
        def record(*arguments, **keywords):
            seen[function.__name__] = arguments
            return function(*arguments, **keywords)

        return record

    rooms = [module for name, module in sys.modules.items() if name.startswith("gandetect.")]
    with pytest.MonkeyPatch.context() as patch:
        for function in functions:
            new = recorder(function)
            for room in rooms:
                if vars(room).get(function.__name__) is function:
                    patch.setattr(room, function.__name__, new)
        yield seen
