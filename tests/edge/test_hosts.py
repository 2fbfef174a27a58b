"""One model file gives one answer: real hosts that are not ours, against the Python scorer."""

import json
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hosts import HostError

from gandetect import GANDetector, Scorer, export_model, fit_images
from gandetect.column import NUMERIC, Kind
from gandetect.core_schema import encoding_beside
from gandetect.export import variants
from gandetect.export.distillation import StudentSettings, distilled
from gandetect.readers.tables import read_table
from gandetect.readers.values import parse_columns

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "machines.onnx"
encode = runpy.run_path(str(ROOT / "docs" / "edge" / "core.py"))["encode"]
STRANGE_NUMBERS = [np.nan, 1e308, -1e308, 5e-324, -0.0, 1e6, 2.0**53 + 1]
STRANGE_TEXT = ["", "unheard of", "steel ", "\u2400", "x" * 1000, "naïve ☃", '"quoted"']

pytestmark = pytest.mark.edge


@pytest.fixture(scope="module")
def scorer():
    return Scorer(MODEL)


@pytest.fixture(scope="module")
def columns(scorer):
    """Rows of the sample table, half of them with missing, unknown and absurd values, one with nothing at all."""
    (chunk,) = read_table(ROOT / "data" / "machines" / "new.csv")
    columns = parse_columns(chunk.columns, chunk.lines, scorer.schema).columns
    random = np.random.default_rng(0)
    for column in scorer.schema.features:
        values = columns[column.name]
        strange = random.random(len(values)) < np.where(np.arange(len(values)) % 2, 0.3, 0)
        pool = np.array(STRANGE_NUMBERS) if column.kind in NUMERIC else np.array(STRANGE_TEXT, dtype=object)
        values[strange] = random.choice(pool, strange.sum())
        values[1] = pool[0]
    return columns


@pytest.fixture(scope="session")
def picture_model(tmp_path_factory):
    """Path of a model that was trained on noise for a moment."""
    pictures = np.random.default_rng(0).integers(0, 256, (20, 8, 8, 3), np.uint8)
    path = tmp_path_factory.mktemp("models") / "pictures.onnx"
    path.write_bytes(fit_images(pictures, n_steps=2, n_members=2))
    return path


def rows_file(folder, scorer, columns, **more):
    """Write rows as the programs read them."""
    rows = {
        column.input_name: [None if value != value else value for value in columns[column.name].tolist()]
        for column in scorer.schema.features
    }
    path = folder / "rows.json"
    path.write_text(json.dumps(rows | more, allow_nan=False), encoding="utf-8")
    return path


def assert_same(answers, scorer, expected):
    """Equal p-values, flags and text, and everything else within 1e-5; see `unit_of`."""
    assert set(answers) == set(expected)
    for name, values in expected.items():
        if values.dtype == object:
            assert answers[name] == values.ravel().tolist(), name
            continue
        found = np.array(answers[name], dtype=float).reshape(values.shape)  # None is JSON's word for what is no number
        if name in ("p_value", "is_anomaly"):
            np.testing.assert_array_equal(found, values, err_msg=name)
        else:
            difference = np.abs(found - values)
            alike = difference <= 1e-5 * np.maximum(unit_of(name, scorer), np.abs(values))
            if name == "expected_numbers" and (~alike).sum() <= alike.size / 100:
                alike |= difference == step_of(values, scorer)
            assert np.all(alike), (name, difference[~alike])


def unit_of(name, scorer):
    """Return what 1e-5 is relative to; for what is computed in units of a column's spread, the training range."""
    if name != "expected_numbers":
        return 1.0
    quantiles = (c.summary["quantiles"] for c in scorer.schema.features if c.kind in NUMERIC)
    return np.array([max(1.0, values[-1] - values[0]) for values in quantiles])


def step_of(expected, scorer):
    """Return to what whole numbers and times are rounded: a last bit may round one the other way."""
    is_time = [c.kind is Kind.TIME for c in scorer.schema.features if c.kind in NUMERIC]
    is_whole = (expected == expected.round()).all(0)
    return np.where(is_time, 900.0, np.where(is_whole, 1.0, np.nan))


def test_every_host_gives_the_answers_of_the_scorer(host, scorer, columns, tmp_path):
    expected = scorer(columns, scorer.schema.outputs)
    assert_same(host(MODEL, rows_file(tmp_path, scorer, columns)), scorer, expected)


@pytest.fixture(scope="session")
def variant(tmp_path_factory):
    """Return the path of a model that was distilled for a moment; its weights are stored in half precision."""
    path, settings = tmp_path_factory.mktemp("models") / "variant.onnx", StudentSettings(n_steps=100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(variants, "distilled", lambda source, _, *more: distilled(source, settings, *more))
        patch.setitem(variants.BOUNDS, "distilled", variants.Bound(np.inf, 1.0, -1.0))
        export_model(MODEL.read_bytes(), distill=True).write(str(path))
    return path


def test_every_host_gives_the_answers_of_a_variant(host, variant, columns, tmp_path):
    scorer = Scorer(variant)
    expected = scorer(columns, scorer.schema.outputs)
    assert_same(host(variant, rows_file(tmp_path, scorer, columns)), scorer, expected)


STRANGE_NAMES = ["0", "17", "alpha", "gandetect/x", "p_value", "__proto__", "constructor", 'q"<b>&', "größe ☃"]


@pytest.fixture(scope="session")
def strangely_named(tmp_path_factory):
    """Return the path of a model whose columns are called like tensors or like what means something to a host."""
    path, random = tmp_path_factory.mktemp("models") / "named.onnx", np.random.default_rng(0)
    table = pd.DataFrame({name: random.normal(size=200) for name in STRANGE_NAMES})
    table["17"] = random.choice(["a", "b"], 200)
    model = GANDetector(n_steps=20, random_state=0).fit(table).model_
    export_model(model, storage="fp16").write(str(path))  # the names of its tensors are numbers
    return path


def test_every_host_takes_columns_of_any_name(host, strangely_named, tmp_path):
    scorer, random = Scorer(strangely_named), np.random.default_rng(1)
    columns = {name: random.normal(size=20) for name in STRANGE_NAMES}
    columns["17"] = np.array(["a", "b", "", "c"] * 5, dtype=object)
    rows = rows_file(tmp_path, scorer, columns)
    assert_same(host(strangely_named, rows), scorer, scorer(columns, scorer.schema.outputs))


@pytest.fixture(scope="session")
def core_model(tmp_path_factory):
    """Return the path of a core model; its encoding is beside it."""
    path = tmp_path_factory.mktemp("models") / "core.onnx"
    export_model(MODEL.read_bytes(), core=True).write(str(path))
    return path


def test_every_host_takes_encoded_rows(host, core_model, columns, tmp_path):
    spec = json.loads(Path(encoding_beside(str(core_model))).read_text(encoding="utf-8"))
    rows, features = tmp_path / "rows.json", encode(spec, columns)
    rows.write_text(json.dumps({"features": features.tolist()}))
    scorer = Scorer(core_model)
    assert_same(host(core_model, rows), scorer, scorer(features))


def test_every_host_takes_a_false_alarm_rate(host, scorer, columns, tmp_path):
    first = {name: values[:20] for name, values in columns.items()}
    expected = scorer(first, scorer.schema.outputs, alpha=0.3)
    assert expected["is_anomaly"].sum() > scorer(first)["is_anomaly"].sum()
    assert_same(host(MODEL, rows_file(tmp_path, scorer, first, alpha=0.3)), scorer, expected)


def test_every_host_takes_no_rows(host, scorer, columns, tmp_path):
    none = {name: values[:0] for name, values in columns.items()}
    expected = scorer(none, scorer.schema.outputs)
    assert_same(host(MODEL, rows_file(tmp_path, scorer, none)), scorer, expected)


def test_no_host_answers_without_all_columns(host, scorer, columns, tmp_path):
    rows = rows_file(tmp_path, scorer, columns)
    rest = {name: values for name, values in json.loads(rows.read_text(encoding="utf-8")).items() if name != "machine"}
    rows.write_text(json.dumps(rest), encoding="utf-8")
    with pytest.raises(HostError, match="machine"):
        host(MODEL, rows)


def test_no_host_answers_with_a_file_that_was_cut(host, scorer, columns, tmp_path):
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(MODEL.read_bytes()[:-1])
    with pytest.raises(HostError):
        host(cut, rows_file(tmp_path, scorer, columns))


def test_every_host_takes_pictures(host, picture_model, tmp_path):
    random, rows = np.random.default_rng(1), tmp_path / "rows.json"
    pictures = random.integers(0, 256, (3, 12, 9, 3), np.uint8)
    rows.write_text(json.dumps({"images": pictures.tolist()}), encoding="utf-8")
    scorer = Scorer(picture_model)
    assert_same(host(picture_model, rows), scorer, scorer(pictures, scorer.schema.outputs))
