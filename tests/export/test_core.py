"""Core models: the device encodes, and the graph does with the words that every host knows."""

import functools
import hashlib
import json
import re
import runpy
from pathlib import Path

import numpy as np
import onnx
import pytest

from gandetect import FileAccessError, GANDetector, InputError, Scorer, explain, export_model, read_model
from gandetect.export import variants
from gandetect.export.comparison import Bound
from gandetect.export.distillation import StudentSettings, distilled
from gandetect.export.source import Source
from gandetect.graph.core import OPERATORS
from gandetect.readers.tables import read_table
from gandetect.readers.values import parse_columns
from gandetect.tensor_names import DEFAULT_OUTPUTS

ROOT = Path(__file__).parents[2]
encode = runpy.run_path(str(ROOT / "docs" / "edge" / "core.py"))["encode"]
"""The program for devices: it knows nothing but the JSON beside the model."""


@pytest.fixture(scope="module")
def source(small_model):
    return Source(small_model.read_bytes())


@pytest.fixture(scope="module")
def exported(small_model):
    return export_model(small_model.read_bytes(), core=True)


@pytest.fixture(scope="module")
def taught(small_model):
    with pytest.MonkeyPatch.context() as patch:
        settings = StudentSettings(width=48, depth=2, n_steps=200, batch_size=256)
        patch.setattr(variants, "distilled", lambda source, _, *more: distilled(source, settings, *more))
        patch.setitem(variants.BOUNDS, "distilled", Bound(np.inf, 0.3, 0.5))
        yield functools.partial(export_model, small_model.read_bytes(), distill=True)


@pytest.fixture(scope="module")
def rows(machines_new, source):
    """Rows of every sort: new ones, and some with strange or no values."""
    (chunk,) = read_table(machines_new)
    columns = parse_columns(chunk.columns, chunk.lines, source.schema).columns
    random = np.random.default_rng(0)
    for values in columns.values():
        pool = np.array(["", "unheard of"] if values.dtype == object else [np.nan, np.inf, 1e308, -1e308, -0.0, 1e6])
        strange = random.random(len(values)) < np.where(np.arange(len(values)) % 2, 0.3, 0)
        values[strange] = random.choice(pool, strange.sum())
    return columns


def answers_of(exported, columns):
    """Encode as a device does, and run the graph."""
    return Scorer(exported.model)(encode(json.loads(exported.encoding), columns))


def assert_same(found, expected):
    for name in DEFAULT_OUTPUTS:
        if name in ("p_value", "is_anomaly"):
            np.testing.assert_array_equal(found[name], expected[name], err_msg=name)
        else:
            np.testing.assert_allclose(found[name], expected[name], rtol=1e-5, atol=1e-5, err_msg=name)


def test_raw_rows_encoded_by_the_program_for_devices_get_the_answers_of_the_source(exported, source, rows):
    assert_same(answers_of(exported, rows), source.scorer(rows))


def test_the_program_for_devices_encodes_as_the_graph_does(exported, source, rows):
    found = encode(json.loads(exported.encoding), rows)
    np.testing.assert_allclose(found, source.features(rows), rtol=1e-6, atol=1e-6)


def test_the_encoder_for_devices_stays_short():
    program = (ROOT / "docs" / "edge" / "core.py").read_text(encoding="utf-8")
    encoder = program[program.index("def encode") : program.index("if __name__")]
    assert len([line for line in encoder.splitlines() if line.strip()]) <= 45


def graph_of(model):
    return onnx.load_model_from_string(model)


def assert_core(model, types):
    """Assert that a model needs nothing that a small host may lack."""
    graph = model.graph
    assert [opset.domain for opset in model.opset_import] == [""]
    assert {node.domain for node in graph.node} == {""}
    assert {node.op_type for node in graph.node} <= OPERATORS
    assert not any(attribute.HasField("g") or attribute.graphs for node in graph.node for attribute in node.attribute)
    assert {tensor.data_type for tensor in graph.initializer} <= types
    assert [(value.name, value.type.tensor_type.elem_type) for value in graph.input] == [("features", 1)]
    assert {value.type.tensor_type.elem_type for value in graph.output} == {FLOAT, onnx.TensorProto.BOOL}
    casts = {attribute.i for node in graph.node if node.op_type == "Cast" for attribute in node.attribute}
    assert casts <= {FLOAT, onnx.TensorProto.INT32}


FLOAT, INT64, HALF = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64, onnx.TensorProto.FLOAT16


def test_a_core_graph_is_made_of_core_operators_in_single_precision(exported):
    model = graph_of(exported.model)
    assert_core(model, {FLOAT, INT64})
    unused = OPERATORS - {node.op_type for node in model.graph.node}
    assert unused <= {"Greater", "Exp"}  # for models that flag a share of the rows, and those with cautious members


def test_the_false_alarm_rate_of_a_core_model_is_fixed(exported, source, rows):
    with pytest.raises(InputError, match=r"^Expected no alpha, since .* a core model is fixed, found 0\.1; "):
        Scorer(exported.model)(source.features(rows), ["is_anomaly"], alpha=0.1)


def test_half_precision_only_changes_how_a_core_model_is_stored(small_model):
    half = export_model(small_model.read_bytes(), core=True, storage="fp16")
    assert_core(graph_of(half.model), {FLOAT, INT64, HALF})
    assert len(half.model) < 0.7 * len(small_model.read_bytes())


def test_a_distilled_core_model_is_the_distilled_model(taught, rows):
    assert_same(answers_of(taught(core=True), rows), Scorer(taught().model)(rows))


def test_a_core_model_proves_itself_and_says_what_it_was_made_from(exported, small_model):
    assert Scorer(exported.model).verify() <= 1e-5
    manifest = read_model(exported.model)[1]
    assert manifest["export"]["core"]
    assert max(manifest["export"]["largest_differences"].values()) <= 1e-5
    assert manifest["columns"] == read_model(small_model)[1]["columns"]


def test_the_encoding_names_the_model_that_it_is_for(exported):
    assert json.loads(exported.encoding)["model_sha256"] == hashlib.sha256(exported.model).hexdigest()


def test_encoded_rows_of_another_shape_or_type_are_refused(exported):
    scorer = Scorer(exported.model)
    n_features = scorer.schema.n_features
    message = rf"^Expected encoded rows, float32 of shape \(n, {n_features}\), found float64 of shape \(2, "
    with pytest.raises(InputError, match=message):
        scorer(np.zeros((2, n_features)))
    with pytest.raises(InputError, match=r"found float32 of shape \(2, 3\); encode raw rows as the file beside"):
        scorer(np.zeros((2, 3), np.float32))


def test_what_needs_a_table_refuses_a_core_model(exported):
    with pytest.raises(InputError, match=r"^Expected a model for tables, found one for encoded rows; name another"):
        explain(Scorer(exported.model), {})


def test_a_core_model_and_its_encoding_are_written_together_or_not_at_all(exported, tmp_path):
    (tmp_path / "whole.encoding.json").mkdir(parents=True)
    with pytest.raises(FileAccessError):
        exported.write(str(tmp_path / "whole.onnx"))
    assert not (tmp_path / "whole.onnx").exists()
    written = exported.write(tmp_path / "core.onnx")
    assert written == [str(tmp_path / "core.onnx"), str(tmp_path / "core.encoding.json")]
    assert [Path(path).read_bytes() for path in written] == [exported.model, exported.encoding]


def test_what_is_no_path_to_write_a_core_model_to_is_one_sentence(exported):
    with pytest.raises(InputError, match=r"^Expected a path to write to, found None; pass one\.$"):
        exported.write(None)
    for path in ("", "."):
        with pytest.raises(FileAccessError, match=rf"^Cannot write '{re.escape(path)}': "):
            exported.write(path)


@pytest.fixture(scope="module")
def threshold_model():
    """Return a model with a rule of its own, and with a column that was constant."""
    X = np.random.default_rng(0).normal(size=(200, 4))
    X[:, 2] = 7
    return GANDetector(contamination=0.1, n_steps=30, random_state=0).fit(X).model_


def test_a_number_whose_remembered_values_are_close_to_each_other_has_a_core_model():
    """In single precision a product finds the nearest of them no longer."""
    X = np.random.default_rng(0).normal(size=(400, 1))
    exported = export_model(GANDetector(n_steps=150, random_state=0).fit(X).model_, core=True)
    assert max(exported.comparison.largest_differences.values()) <= 1e-5
    assert_core(graph_of(exported.model), {FLOAT, INT64})


def test_what_is_to_blame_has_the_same_share_where_all_is_almost_as_expected(threshold_model):
    exported, source = export_model(threshold_model, core=True), Source(threshold_model)
    (rows,) = source.fresh(np.random.default_rng(0))
    assert_same(answers_of(exported, rows), source.scorer(rows))


def test_a_rule_of_the_models_own_and_constants_that_change_survive(threshold_model):
    exported, source = export_model(threshold_model, core=True), Scorer(threshold_model)
    names = [column.name for column in source.schema.features]
    X = np.random.default_rng(1).normal(size=(300, 4)) * 2
    X[:, 2] = np.where(np.arange(300) % 3, 7, 7.5)
    rows = dict(zip(names, X.T.copy(), strict=True))
    expected = source(rows)
    assert 0 < expected["is_anomaly"].mean() < 1
    assert_same(answers_of(exported, rows), expected)
    assert_core(graph_of(exported.model), {FLOAT, INT64})
