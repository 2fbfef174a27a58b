"""Schemas found from a few values."""

import numpy as np
import pytest

from gandetect.errors import InputError
from gandetect.readers.schemas import find_schema


def schema_of(columns, **options):
    columns = {name: np.array(list(values), dtype=object) for name, values in columns.items()}
    n_rows = len(next(iter(columns.values())))
    return find_schema(columns, range(2, n_rows + 2), **options)


def column_of(values, name="x", **options):
    values = list(values)
    return schema_of({name: values, "other": ["1.5"] * len(values)}, **options)[name]


def failure(values, name="x", **options):
    with pytest.raises(InputError) as caught:
        column_of(values, name, **options)
    return str(caught.value)
