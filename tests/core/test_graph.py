"""One file computes what was trained: torch, an independent reference in numpy and ONNX Runtime agree."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy_reference as reference
import onnx
import pytest
import torch
from made_tables import DAY, EXTREMES, MIXED, by_column, hard_rows, mixed_rows, numbers, quick, taken
from onnx import shape_inference
from recording import recorded_fit

from gandetect.calibration import calibrate
from gandetect.column import NUMERIC, Column, Kind
from gandetect.graph.builder import GraphBuilder
from gandetect.graph.expectation import add_expectation
from gandetect.graph.score import Measured, add_answers
from gandetect.guard import OPERATORS
from gandetect.modality import ALPHA
from gandetect.networks.tables import TableBatch
from gandetect.schema import Schema
from gandetect.scorer import Scorer, open_session, run_in_chunks
from gandetect.tables.decoding import level_likelihood
from gandetect.tables.encoding import CategoryEncoding, NumberEncoding
from gandetect.tables.encoding_fitting import fit_encoding
from gandetect.tables.fitting import TableSettings, fit_table
from gandetect.tensor_names import OUTPUTS

TOLERANCE = 1e-5
CONTINUOUS = ("anomaly_score", "realness", "reconstruction_error", "contributions")


def assert_equal(computed, expected, message=""):
    """Check the definition of equal: ``abs(a - b) <= 1e-5 * max(1, abs(b))``."""
    assert computed.shape == expected.shape, message
    difference = np.abs(computed - expected) / np.maximum(1, np.abs(expected))
    assert difference.max(initial=0) <= TOLERANCE, message


def assert_as_the_reference(fitted, columns):
    computed = Scorer(fitted.model)(columns)
    expected = reference.answers(fitted.encoding, fitted.networks(), fitted.error_scale, fitted.evidence, columns)
    for name in CONTINUOUS:
        assert computed[name].dtype == np.float32
        assert_equal(computed[name], expected[name], name)
    p_values = reference.p_values(fitted.calibration, computed["anomaly_score"])
    np.testing.assert_array_equal(computed["p_value"], p_values)
    alpha = max(0.05, 1 / (fitted.calibration.n_rows + 1))
    np.testing.assert_array_equal(computed["is_anomaly"], p_values <= np.float32(alpha))


def test_hard_rows_of_every_kind_score_as_the_reference_says(mixed):
    assert_as_the_reference(mixed, hard_rows(330))


def test_training_rows_and_fresh_ones_score_as_the_reference_says(mixed):
    assert_as_the_reference(mixed, mixed_rows(300))
    assert_as_the_reference(mixed, mixed_rows(300, seed=7))


def normal(*shape):
    return np.random.default_rng(0).normal(size=shape)


TABLES = {
    "one column": normal(100, 1),
    "more columns than masks": normal(60, 37),
    "as few rows as allowed": normal(8, 3),
    "duplicates": np.repeat(normal(5, 4), 30, axis=0),
    "two values": (normal(300, 5) > 0).astype(float),
    "constant columns only": np.full((60, 3), 5.0),
    "one rare row": np.repeat(np.arange(200) == 17, 3).reshape(200, 3).astype(float),
    "huge offset": 1e9 + normal(100, 3),
    "huge": 1e308 * np.tanh(normal(100, 3)),
    "tiny": 1e-300 * normal(100, 3),
    "half missing": np.where(normal(200, 4) > 0, np.nan, normal(200, 4)),
}


@pytest.mark.parametrize("table", TABLES)
def test_tables_of_every_sort_score_as_the_reference_says(table):
    X = TABLES[table]
    fitted = recorded_fit(by_column(X), numbers(X.shape[1]), quick(n_members=2, n_steps=30))
    random = np.random.default_rng(1)
    strange = random.choice(EXTREMES, (40, X.shape[1]))
    around = random.choice(X.ravel(), (60, X.shape[1])) + random.normal(size=(60, X.shape[1]))
    mixture = np.where(random.random((60, X.shape[1])) < 0.2, random.choice(EXTREMES, (60, X.shape[1])), around)
    assert_as_the_reference(fitted, by_column(np.concatenate([X, strange, around, mixture])))


def test_a_table_of_words_alone_scores_as_the_reference_says():
    schema = Schema(tuple(column for column in MIXED.columns if column.kind in (Kind.CATEGORY, Kind.YES_NO)))
    columns = {column.name: mixed_rows(100)[column.name] for column in schema.columns}
    fitted = recorded_fit(columns, schema, quick(n_steps=20))
    assert_as_the_reference(fitted, {name: hard_rows(200)[name] for name in columns})


def test_the_torch_networks_say_what_the_file_says(mixed, scorer):
    columns = hard_rows(200)
    encoded = reference.encode(mixed.encoding, columns)
    members = mixed.weights.n_members
    samples, present = (
        torch.from_numpy(values).float().expand(members, -1, -1) for values in (encoded.samples, encoded.present)
    )
    with torch.no_grad():
        logits = mixed.pair.discriminator(mixed.pair.completed(TableBatch(samples, present)))
    realness = logits[..., mixed.networks().scored].mean((0, 2)).sigmoid()
    assert_equal(scorer(columns, ["realness"])["realness"], realness.numpy())


def test_expected_numbers_are_what_the_generator_fills_in(mixed, scorer):
    columns = hard_rows(200)
    filled = mixed.networks().expected(reference.encode(mixed.encoding, columns))
    expected = dict(zip(NUMBERS_AND_TIMES, scorer(columns, ["expected_numbers"])["expected_numbers"].T, strict=True))
    for position, (name, number) in enumerate(mixed.encoding.of_kind(NumberEncoding).items()):
        # A sample begins with its numbers.
        assert_equal((expected[name] - number.centre) / number.scale, filled[:, position], name)


def test_expected_times_are_on_the_rows_own_day_at_the_hour_that_is_usual(scorer):
    columns = mixed_rows(200)
    expected = dict(zip(NUMBERS_AND_TIMES, scorer(columns, ["expected_numbers"])["expected_numbers"].T, strict=True))
    np.testing.assert_array_equal(expected["opened"] // DAY, columns["opened"] // DAY)
    assert (expected["opened"] % 900 == 0).all()
    assert (expected["at"][np.isnan(columns["at"])] < DAY).all()


def test_expected_levels_are_the_likeliest_of_what_the_generator_fills_in(mixed, scorer):
    columns = hard_rows(200)
    filled = mixed.networks().expected(reference.encode(mixed.encoding, columns))
    levels = scorer(columns, ["expected_levels"])["expected_levels"]
    for position, (name, category) in enumerate(mixed.encoding.of_kind(CategoryEncoding).items()):
        if not category.levels:
            assert (levels[:, position] == "").all()
            continue
        names, weight, bias = level_likelihood(category)
        own = mixed.encoding.column_of == list(mixed.encoding.columns).index(name)
        likelihood = filled[:, own] @ weight + bias
        first, second = levels[:, position].T
        chosen = np.array([names.index(level) for level in first])
        found = np.take_along_axis(likelihood, chosen[:, None], axis=1)[:, 0]
        assert_equal(found, likelihood.max(1), name)
        assert set(second) <= {"", *category.levels}
        runner_up = np.sort(likelihood, axis=1)[:, -2] / np.maximum(found, 1e-6)
        assert (second[runner_up < 0.499] == "").all()
        assert (second[runner_up > 0.501] != "").all()


def test_a_level_is_expected_also_where_none_is_likely():
    schema = Schema((Column("x", Kind.CATEGORY),))
    encoding = fit_encoding({"x": np.array(list("abc") * 50, dtype=object)}, schema)
    builder = GraphBuilder()
    entries = builder.input("entries", np.float32, ["n", 3])
    add_expectation(builder, entries, encoding, {})
    everywhere_unlikely = np.float32([[-3, -2, -5]])
    levels = run_in_chunks(open_session(builder.build()), ["expected_levels"], {entries: everywhere_unlikely})
    assert levels["expected_levels"].tolist() == [[["b", ""]]]


NUMBERS_AND_TIMES = [column.name for column in MIXED.columns if column.kind in NUMERIC]


def answers_at(calibration, scores, **options):
    """Run only the last part of a graph on given scores."""
    builder = GraphBuilder()
    names = ("components", "error", "blame", "score")
    inputs = [builder.input(name, np.float32, ["n", 1]) for name in names]
    add_answers(builder, Measured(*inputs[:-1]), inputs[-1], calibration, np.array([0]), **options)
    feeds = dict.fromkeys(inputs, np.asarray(scores, dtype=np.float32)[:, None])
    return run_in_chunks(open_session(builder.build()), ["p_value", "is_anomaly"], feeds)


def at_and_beside(scores):
    """Return values at, just below and just above others, and the ends."""
    ends = np.array([-np.inf, np.inf, 0, -1e30, 1e30], dtype=np.float32)
    return np.concatenate([scores, *(np.nextafter(scores, np.float32(end)) for end in (-np.inf, np.inf)), ends])


@pytest.mark.parametrize("n_rows", [1, 2, 3, 4, 5, 99, 100, 101, 4096, 20_000])
def test_p_values_at_and_beside_every_calibration_score_are_those_of_searchsorted(n_rows):
    calibration = calibrate(np.random.default_rng(0).gamma(2, size=n_rows).astype(np.float32))
    scores = at_and_beside(calibration.scores)
    p_values = answers_at(calibration, scores, threshold=None)["p_value"]
    np.testing.assert_array_equal(p_values, reference.p_values(calibration, scores))


def test_rows_are_flagged_above_a_threshold_and_not_at_it():
    calibration = calibrate(np.arange(50, dtype=np.float32))
    scores = at_and_beside(np.float32([7.5, 8.0, 49.0]))
    for threshold in (7.5, 8.0, 49.0):
        flags = answers_at(calibration, scores, threshold=threshold)["is_anomaly"]
        np.testing.assert_array_equal(flags, scores > np.float32(threshold))


# --- one row, one score -----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def hard():
    return hard_rows(1025)


@pytest.fixture(scope="module")
def together(scorer, hard):
    return scorer(hard, OUTPUTS)


def assert_rows_equal(computed, expected):
    for name in CONTINUOUS:
        assert_equal(computed[name], expected[name], name)


@pytest.mark.parametrize("n_rows", [0, 1, 2, 7, 1024, 1025])
def test_the_size_of_a_batch_does_not_matter(scorer, hard, together, n_rows):
    computed = scorer(taken(hard, slice(n_rows)), OUTPUTS)
    for name in OUTPUTS:
        assert len(computed[name]) == n_rows
    assert_rows_equal(computed, {name: values[:n_rows] for name, values in together.items()})


def test_rows_scored_one_by_one_score_as_together(scorer, hard, together):
    for i in range(60):
        assert_rows_equal(scorer(taken(hard, [i])), {name: values[[i]] for name, values in together.items()})


def test_the_order_of_the_rows_does_not_matter(scorer, hard, together):
    order = np.random.default_rng(0).permutation(1025)
    assert_rows_equal(scorer(taken(hard, order)), {name: values[order] for name, values in together.items()})


def test_other_values_of_the_neighbours_change_no_bit_of_a_row(scorer, hard, together):
    others = hard_rows(1025, seed=4)
    kept = np.arange(1025) % 5 == 0
    computed = scorer({name: np.where(kept, values, others[name]) for name, values in hard.items()}, OUTPUTS)
    for name in OUTPUTS:
        np.testing.assert_array_equal(computed[name][kept], together[name][kept])


def test_answers_are_finite_and_in_range_whatever_the_row_holds(together):
    for name in CONTINUOUS:
        assert np.isfinite(together[name]).all()
    assert (together["anomaly_score"] >= 0).all()
    assert (together["p_value"] > 0).all()
    assert (together["p_value"] <= 1).all()
    assert (together["realness"] >= 0).all()
    assert (together["realness"] <= 1).all()
    assert (together["contributions"] >= 0).all()
    np.testing.assert_allclose(together["contributions"].sum(1), 1, atol=1e-5)


# --- the file ---------------------------------------------------------------------------------------------------------


def test_the_file_is_opset_18_and_ir_8_and_passes_onnxs_own_check(mixed):
    model = onnx.load_model_from_string(mixed.model)
    assert model.ir_version == 8
    assert {opset.domain: opset.version for opset in model.opset_import} == {"": 18, "ai.onnx.ml": 3}
    onnx.checker.check_model(model, full_check=True)


@pytest.mark.parametrize("contamination", ["auto", 0.1])
def test_only_operators_of_the_guards_list_occur(contamination):
    columns = mixed_rows(20)
    model = onnx.load_model_from_string(
        fit_table(columns, MIXED, settings=quick(n_steps=1), contamination=contamination)
    )
    assert all(node.op_type in OPERATORS[node.domain] for node in model.graph.node)


def test_inputs_are_the_columns_by_name_and_outputs_are_the_documented_ones(mixed):
    graph = onnx.load_model_from_string(mixed.model).graph
    types = {"double": onnx.TensorProto.DOUBLE, "string": onnx.TensorProto.STRING}
    inputs = {value.name: value.type.tensor_type for value in graph.input}
    assert list(inputs) == [*(column.name for column in MIXED.columns), ALPHA]
    for column in MIXED.columns:
        text = column.kind in (Kind.CATEGORY, Kind.YES_NO)
        assert inputs[column.name].elem_type == types["string" if text else "double"]
    assert tuple(value.name for value in graph.output) == OUTPUTS


def test_the_file_holds_no_training_row(mixed):
    columns = mixed_rows(300)
    for row in range(0, 300, 50):
        assert np.float64(columns["amount"][row]).tobytes() not in mixed.model
        assert repr(float(columns["heavy"][row])).encode() not in mixed.model


FIT = """
import hashlib
from made_tables import MIXED, mixed_rows, quick
from gandetect.tables.fitting import fit_table
print(hashlib.sha256(fit_table(mixed_rows(300), MIXED, settings=quick(n_planted=50))).hexdigest())
"""


@pytest.mark.parametrize(("hash_seed", "threads"), [("1", "1"), ("2", "2")])
def test_the_same_seed_gives_the_same_bytes_in_every_process_at_any_thread_count(mixed, tmp_path, hash_seed, threads):
    paths = os.pathsep.join([str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONHASHSEED": hash_seed, "OMP_NUM_THREADS": threads, "PYTHONPATH": paths}
    command = [sys.executable, "-c", FIT]
    answer = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == hashlib.sha256(mixed.model).hexdigest()


def test_another_seed_gives_another_model(mixed):
    assert fit_table(mixed_rows(300), MIXED, settings=quick(n_steps=1), seed=1) != mixed.model


NAMES = ["anomaly_score", "p_value", "alpha", "gandetect/constant_0", "column/x", "x", "", "größe ☃", "a\n\t", "n"]


def test_columns_may_have_any_name():
    X = np.random.default_rng(0).normal(size=(50, len(NAMES)))
    schema, columns = Schema(tuple(Column(name, Kind.NUMBER) for name in NAMES)), dict(zip(NAMES, X.T, strict=True))
    named = Scorer(fit_table(columns, schema, settings=quick(n_steps=2)))
    plain = Scorer(fit_table(by_column(X), numbers(len(NAMES)), settings=quick(n_steps=2)))
    answers, expected = named(columns, OUTPUTS), plain(by_column(X), OUTPUTS)
    for name in OUTPUTS:
        np.testing.assert_array_equal(answers[name], expected[name])
    wider = {name: 2 * values for name, values in columns.items()}
    few, many = (named(wider, ["is_anomaly"], alpha=alpha)["is_anomaly"].sum() for alpha in (0.05, 0.5))
    assert many > few


# --- cost -------------------------------------------------------------------------------------------------------------


def default_model(n_columns, n_rows=200):
    X = np.random.default_rng(0).normal(size=(n_rows, n_columns))
    return fit_table(by_column(X), numbers(n_columns), settings=TableSettings(n_steps=1))


def multiply_adds(model):
    """Count the multiply-adds of all matrix products for one row."""
    model = onnx.load_model_from_string(model)
    for value in model.graph.input:
        for dim in value.type.tensor_type.shape.dim:
            dim.dim_value = 1
    graph = shape_inference.infer_shapes(model, data_prop=True, strict_mode=True).graph
    values = {value.name: value.type.tensor_type.shape for value in (*graph.value_info, *graph.input, *graph.output)}
    shapes = {name: [dim.dim_value for dim in shape.dim] for name, shape in values.items()}
    shapes |= {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    products = [node for node in graph.node if node.op_type == "MatMul"]
    assert all(all(shapes[node.output[0]]) for node in products)
    return sum(int(np.prod(shapes[node.output[0]])) * shapes[node.input[0]][-1] for node in products)


def test_multiply_adds_are_counted_from_the_matrix_products():
    columns = by_column(np.random.default_rng(0).normal(size=(20, 2)))
    settings = quick(n_steps=1, n_members=2, width=5, depth=1, generator_width=3, generator_depth=1)
    # First layers have their bias as one more input, and so has the memory its codes' lengths.
    discriminator = 2 * ((2 + 1) * 5 + 5 * 1)  # layer, mean of the scored heads
    completion = 2 * ((2 + 2 + 1) * 3 + 3 * 2)
    reconstruction = 2 * ((2 + 2 + 1) * 3 + 3 * 1)  # each member hides one of both columns
    memory = 2 * (10 * (2 + 1))  # each member saw half of the rows
    evidence = 5 * (5 * 31 + 5) + 5 * 31 * 5 + 2 * 5  # copies, heights, weights
    expected = discriminator + completion + reconstruction + memory + evidence
    assert multiply_adds(fit_table(columns, numbers(2), settings=settings)) == expected


def test_a_row_of_20_columns_costs_at_most_300_000_multiply_adds():
    assert 50_000 < multiply_adds(default_model(20)) <= 300_000


def test_a_file_of_30_columns_has_at_most_2_megabytes():
    assert len(default_model(30, n_rows=5000)) <= 2_000_000


def test_the_file_grows_little_with_the_number_of_training_rows():
    small, large = (len(default_model(2, n_rows)) for n_rows in (1000, 20_000))
    assert large - small <= 4096 * 8 + 2000
