"""Sample tables, and one small model that many tests share."""

import os
from pathlib import Path

# Tests run beside each other, so that each has one core. Libraries read this when they are loaded.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pytest

from gandetect.readers.schemas import find_schema
from gandetect.readers.tables import read_table
from gandetect.readers.values import parse_columns

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="session")
def machines_train():
    return DATA / "machines" / "train.csv"


@pytest.fixture(scope="session")
def machines_new():
    return DATA / "machines" / "new.csv"


@pytest.fixture(scope="session")
def small_model(machines_train, tmp_path_factory):
    """Path of a model that was trained on the machines for a moment."""
    import gandetect

    chunks = list(read_table(machines_train))
    columns = {name: np.concatenate([chunk.columns[name] for chunk in chunks]) for name in chunks[0].names}
    lines = [line for chunk in chunks for line in chunk.lines]
    schema = find_schema(columns, lines)
    raw = parse_columns(columns, lines, schema).columns
    path = tmp_path_factory.mktemp("models") / "machines.onnx"
    path.write_bytes(gandetect.fit_table(raw, schema, settings=gandetect.TableSettings(n_steps=30), seed=0))
    return path
