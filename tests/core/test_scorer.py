"""The scorer: raw columns and a model file in, answers out, and one sentence for anything else."""

import copy
import json
import os
import pickle
import re
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import onnx
import onnxruntime
import pytest
from made_tables import MIXED, hard_rows, mixed_rows, taken
from small_image_model import image_model

from gandetect.errors import FileAccessError, InputError, ModelFileError
from gandetect.manifest import manifest_json
from gandetect.modality import CHUNK_ROWS
from gandetect.model_file import DIGEST_KEY, DIGEST_PLACEHOLDER, MANIFEST_KEY, seal
from gandetect.scorer import STUDENT_CHUNKS, Scorer, open_session, run_in_chunks
from gandetect.tensor_names import DEFAULT_OUTPUTS, OUTPUTS


@pytest.fixture
def columns():
    return mixed_rows(20, seed=2)


def assert_same(answers, expected):
    assert list(answers) == list(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(answers[name], values)


def test_path_text_and_bytes_are_the_same_model(mixed, scorer, columns, tmp_path):
    path = tmp_path / "detector.onnx"
    path.write_bytes(mixed.model)
    for model in (path, str(path), mixed.model):
        assert_same(Scorer(model)(columns), scorer(columns))


def test_all_outputs_come_in_the_documented_order_with_their_shapes(scorer, columns):
    answers = scorer(columns, OUTPUTS)
    assert tuple(answers) == OUTPUTS
    assert answers["is_anomaly"].dtype == bool
    n_columns = len(MIXED.features)
    shapes = {"contributions": (20, n_columns), "expected_numbers": (20, 7), "expected_levels": (20, n_columns - 7, 2)}
    for name in OUTPUTS:
        assert answers[name].shape == shapes.get(name, (20,))


def test_without_a_choice_all_comes_but_what_was_expected(scorer, columns):
    assert tuple(scorer(columns)) == DEFAULT_OUTPUTS


def test_only_the_outputs_asked_for_are_returned(scorer, columns):
    expected = scorer(columns)
    assert_same(scorer(columns, ["p_value", "realness"]), {name: expected[name] for name in ("p_value", "realness")})


def test_a_student_takes_more_rows_at_once(mixed, columns):
    scorer = Scorer(mixed.model)
    feeds = scorer.schema.feeds(columns)
    assert scorer.chunk_size(feeds) == CHUNK_ROWS
    scorer.manifest["export"] = {"kind": "distilled"}
    assert scorer.chunk_size(feeds) == STUDENT_CHUNKS * CHUNK_ROWS


def without_contributions(model):
    """Return a model in which the contributions cannot be computed, since they are to be taken from nowhere."""
    broken = onnx.load_model_from_string(model)
    (last,) = (node for node in broken.graph.node if list(node.output) == ["contributions"])
    last.CopyFrom(onnx.helper.make_node("Gather", [last.input[0], "gandetect/nowhere"], ["contributions"]))
    broken.graph.initializer.append(onnx.numpy_helper.from_array(np.array([10**6]), "gandetect/nowhere"))
    (digest,) = (prop for prop in broken.metadata_props if prop.key == DIGEST_KEY)
    digest.value = DIGEST_PLACEHOLDER
    return seal(broken.SerializeToString(deterministic=True))


def test_outputs_that_are_not_asked_for_are_not_computed(mixed, scorer, columns):
    broken, others = Scorer(without_contributions(mixed.model)), DEFAULT_OUTPUTS[:-1]
    assert_same(broken(columns, others), {name: scorer(columns)[name] for name in others})
    with pytest.raises(Exception, match="out of data bounds"):
        broken(columns, ["p_value", "contributions"])


@pytest.mark.parametrize("name", OUTPUTS)
def test_every_output_alone_is_the_same_to_the_bit(scorer, name):
    columns = hard_rows(64)
    assert_same(scorer(columns, [name]), {name: scorer(columns, OUTPUTS)[name]})


def test_columns_may_come_in_any_order_and_with_others(scorer, columns):
    others = {"another": np.arange(20), **dict(reversed(columns.items()))}
    assert_same(scorer(others), scorer(columns))


def test_numbers_of_any_numeric_type_and_text_of_numpys_are_read(scorer, columns):
    amount, colour = np.arange(20) + 40, columns["colour"]
    expected = scorer(columns | {"amount": amount.astype(np.float64)})
    for dtype in (np.float32, np.int64, np.uint8):
        assert_same(scorer(columns | {"amount": amount.astype(dtype)}), expected)
    assert_same(scorer(columns | {"colour": colour.astype(str)}), scorer(columns))


@pytest.mark.parametrize("alpha", [0.001, 0.05, 0.3, 0.999])
def test_alpha_decides_what_is_flagged(scorer, alpha):
    answers = scorer(mixed_rows(300, seed=4), alpha=alpha)
    np.testing.assert_array_equal(answers["is_anomaly"], answers["p_value"] <= np.float32(alpha))


def test_without_alpha_the_files_own_decides(scorer, columns):
    assert_same(scorer(columns), scorer(columns, alpha=scorer.manifest["calibration"]["alpha"]))


def test_threads_within_a_run_do_not_change_the_answers(mixed, scorer, columns):
    answers, expected = Scorer(mixed.model, threads=2)(columns), scorer(columns)
    for name in DEFAULT_OUTPUTS:
        np.testing.assert_allclose(answers[name].astype(float), expected[name].astype(float), rtol=1e-5, atol=1e-5)


def test_no_more_threads_run_than_there_are_processors(mixed, monkeypatch):
    """ONNX Runtime would open a hundred thousand of them, which takes minutes and keeps the process from stopping."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 2, 5}, raising=False)
    scorer, few = Scorer(mixed.model, threads=100_000), Scorer(mixed.model, threads=2)
    assert (scorer.threads, few.threads) == (3, 2)
    session = scorer._session(frozenset(OUTPUTS))
    assert session.get_session_options().intra_op_num_threads == 3
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    assert copy.copy(scorer).threads == 64  # it may have gone to another machine


class Failing:
    """Stands in for a session whose runs fail."""

    def __init__(self, message):
        self._message = message

    def run(self, *_):
        raise RuntimeError(self._message)


def test_a_run_that_fails_is_one_sentence():
    with pytest.raises(ModelFileError) as failed:
        run_in_chunks(Failing("indices out of bounds\n"), ["x"], {"x": np.zeros(2)})
    assert str(failed.value) == (
        f"Expected a model that ONNX Runtime {onnxruntime.__version__} can run, found: indices out of bounds; update "
        "onnxruntime, or fit the model again."
    )


@pytest.mark.parametrize("message", ["Failed to allocate memory for requested buffer of size 8", "std::bad_alloc"])
def test_a_run_without_memory_says_so(message):
    with pytest.raises(MemoryError, match=r"^Expected enough memory to run the model, found too little; "):
        run_in_chunks(Failing(message), ["x"], {"x": np.zeros(2)})


def test_one_scorer_may_be_shared_by_several_threads(mixed, scorer):
    """Each task has rows of its own, in number, too, and outputs of its own: a mix-up would show."""
    tasks = [(hard_rows(1 + 37 * (i % 7), seed=i), OUTPUTS[i % len(OUTPUTS) :]) for i in range(40)]
    expected = [scorer(columns, outputs) for columns, outputs in tasks]
    shared = Scorer(mixed.model)
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda task: shared(*task), tasks)
        for found, wanted in zip(answers, expected, strict=True):
            assert_same(found, wanted)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda scorer: pickle.loads(pickle.dumps(scorer))])
def test_a_copy_answers_what_the_scorer_does_whatever_became_of_its_file(mixed, columns, copied, tmp_path):
    path = tmp_path / "detector.onnx"
    path.write_bytes(mixed.model)
    scorer = Scorer(path, threads=2)
    expected = scorer(columns)  # a session is open
    path.write_bytes(b"another file")
    again = copied(scorer)
    assert_same(again(columns), expected)
    assert (again.manifest, again.schema) == (scorer.manifest, scorer.schema)


def test_a_scorer_can_be_sent_to_other_processes(scorer, columns):
    halves = [taken(columns, slice(10)), taken(columns, slice(10, 20))]
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        for answers, half in zip(pool.map(scorer, halves), halves, strict=True):
            assert_same(answers, scorer(half))


def test_a_name_alone_asks_for_one_output(scorer, columns):
    assert_same(scorer(columns, "p_value"), scorer(columns, ["p_value"]))


@pytest.mark.parametrize("threads", [0, -1, 2.5, "2", None, True])
def test_threads_are_a_whole_number_of_at_least_one(mixed, threads):
    message = f"Expected threads to be a whole number of at least 1, found {threads!r}."
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        Scorer(mixed.model, threads=threads)


@pytest.mark.parametrize("columns", [None, 5, "amount", [1.0], np.zeros((2, 3))])
def test_what_has_no_columns_by_name_is_refused(scorer, columns):
    found = type(columns).__name__
    refused(scorer, f"Expected raw columns by name, found {found}; pass a mapping to arrays.", columns)


def test_lists_in_a_column_are_refused(scorer, columns):
    message = "Expected column 'amount' to have one dimension, found lists in it."
    refused(scorer, message, columns | {"amount": [[1.0, 2.0], [3.0]]})


def test_scoring_leaves_the_columns_as_they_are(scorer, columns):
    before = {name: values.copy() for name, values in columns.items()}
    scorer(columns)
    for name, values in before.items():
        np.testing.assert_array_equal(columns[name], values)


def refused(scorer, message, columns, *arguments, **options):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        scorer(columns, *arguments, **options)


def test_missing_columns_are_named(scorer, columns):
    rest = {name: columns[name] for name in ("amount", "at", "price")}
    refused(
        scorer,
        "Expected the columns that the model learns from, found no 'colour', 'status', 'active', 'nothing', 'city', "
        "'opened', 'heavy', 'no word' among 'amount', 'at', 'price'; add what is missing or rename a column.",
        rest,
    )


def test_half_a_character_is_refused(scorer, columns):
    values = columns["colour"].copy()
    values[3] = "r\ud800d"
    message = r"Expected text that UTF-8 can hold, found 'r\ud800d'; decode its bytes anew."
    refused(scorer, message, columns | {"colour": values})


def test_no_columns_at_all_are_refused(scorer):
    with pytest.raises(InputError, match=r"found no 'amount', .* among none; add what is missing"):
        scorer({})


def test_columns_of_different_lengths_are_refused(scorer, columns):
    refused(
        scorer, "Expected columns of one length, found lengths [19, 20].", columns | {"amount": columns["amount"][:19]}
    )


def test_a_column_of_two_dimensions_is_refused(scorer, columns):
    refused(
        scorer,
        "Expected column 'amount' to have one dimension, found shape (20, 1).",
        columns | {"amount": columns["amount"][:, None]},
    )


@pytest.mark.parametrize("dtype", [str, object, "datetime64[s]", complex])
def test_anything_but_numbers_in_a_column_of_numbers_is_refused(scorer, columns, dtype):
    values = np.zeros(20).astype(dtype)
    refused(
        scorer,
        f"Expected numbers in column 'amount', found {values.dtype}; convert them to float64.",
        columns | {"amount": values},
    )


@pytest.mark.parametrize("value", [None, np.nan, 5, b"red", np.str_("red")])
def test_anything_but_text_in_a_column_of_text_is_refused(scorer, columns, value):
    values = columns["colour"].copy()
    values[3] = value
    refused(
        scorer,
        "Expected text in column 'colour', found other values; use '' for a missing one.",
        columns | {"colour": values},
    )


def test_numbers_in_a_column_of_text_are_refused(scorer, columns):
    refused(
        scorer,
        "Expected text in column 'active', found other values; use '' for a missing one.",
        columns | {"active": np.ones(20)},
    )


def test_unknown_outputs_are_refused(scorer, columns):
    message = f"Expected outputs out of {', '.join(map(repr, OUTPUTS))}, found 'score'."
    refused(scorer, message, columns, ["p_value", "score"])
    refused(scorer, message.replace("'score'", "none"), columns, [])
    refused(scorer, message.replace("'score'", "5"), columns, 5)


@pytest.mark.parametrize("alpha", [0, 1, -0.1, 5, float("nan"), "0.05", [0.05], 1j])
def test_an_alpha_out_of_range_is_refused(scorer, columns, alpha):
    message = f"Expected a false-alarm rate alpha between 0 and 1, found {alpha!r}."
    refused(scorer, message, columns, alpha=alpha)


def test_a_file_that_is_not_there_is_an_access_error(tmp_path):
    with pytest.raises(FileAccessError, match=r"no\.onnx"):
        Scorer(tmp_path / "no.onnx")


def test_a_damaged_model_is_refused(mixed):
    damaged = bytearray(mixed.model)
    damaged[len(damaged) // 2] ^= 1
    with pytest.raises(ModelFileError):
        Scorer(bytes(damaged))


def test_a_model_that_the_runtime_cannot_load_is_one_sentence():
    with pytest.raises(
        ModelFileError, match=r"^Expected a model that ONNX Runtime .* can load, found: .*; update onnx"
    ):
        open_session(b"nothing")


# --- golden rows ------------------------------------------------------------------------------------------------------


def with_golden(mixed, scorer, output, change):
    """Return the model with one golden answer changed."""
    golden = scorer.manifest["golden"]
    first, *others = golden["outputs"][output]
    changed = golden | {"outputs": golden["outputs"] | {output: [change(first), *others]}}
    manifest = manifest_json(scorer.manifest | {"golden": changed})
    model = onnx.load_model_from_string(mixed.model)
    for entry in model.metadata_props:
        entry.value = manifest if entry.key == MANIFEST_KEY else DIGEST_PLACEHOLDER
    return Scorer(seal(model.SerializeToString(deterministic=True)))


def test_golden_rows_are_computed_as_they_were_stored(scorer):
    assert scorer.verify() == 0  # this very machine stored them


@pytest.mark.parametrize(
    ("output", "change"),
    [
        ("anomaly_score", lambda value: value + 1e-3),
        ("p_value", lambda value: value * 0.99),
        ("is_anomaly", lambda value: not value),
        ("contributions", lambda value: [share + 1e-3 for share in value]),
        ("anomaly_score", lambda value: 1e30),
    ],
)
def test_golden_rows_that_come_out_otherwise_are_an_error(mixed, scorer, output, change):
    message = rf"^Expected the golden rows' {output} within 1e-05, found a difference of .*: this machine does not "
    with pytest.raises(ModelFileError, match=message):
        with_golden(mixed, scorer, output, change).verify()


def test_verify_says_what_the_runtime_says_of_a_model_that_it_cannot_load(mixed, monkeypatch):
    def refuse(*arguments, **options):
        raise RuntimeError("no such kernel")

    monkeypatch.setattr(onnxruntime, "InferenceSession", refuse)
    with pytest.raises(
        ModelFileError, match=r"^Expected a model that ONNX Runtime .* can load, found: no such kernel; "
    ):
        Scorer(mixed.model).verify()


def test_golden_rows_hold_no_training_row(scorer):
    golden = scorer.manifest["golden"]["inputs"]["amount"][:-2]
    training = mixed_rows(300)["amount"]
    assert not np.isin(golden, training).any()


def test_a_slice_of_the_rows_scores_as_the_slice_of_the_answers(scorer, columns):
    answers, expected = scorer(taken(columns, slice(5, 15))), scorer(columns)
    np.testing.assert_allclose(answers["anomaly_score"], expected["anomaly_score"][5:15], rtol=1e-5, atol=1e-5)


def test_a_golden_answer_that_no_answer_can_be_is_one_sentence(mixed, scorer):
    with pytest.raises(ModelFileError, match=r"^Expected golden rows and their outputs in the model file, found none"):
        with_golden(mixed, scorer, "anomaly_score", lambda value: 1e300).verify()


@pytest.mark.parametrize("golden", [{}, {"inputs": {}}, {"inputs": {}, "outputs": {}}, "empty"])
def test_golden_rows_that_cannot_be_used_are_one_sentence(mixed, golden):
    model = onnx.load_from_string(mixed.model)
    (manifest,) = (prop for prop in model.metadata_props if prop.key == MANIFEST_KEY)
    content = json.loads(manifest.value)
    none = {part: {name: [] for name in content["golden"][part]} for part in ("inputs", "outputs")}
    manifest.value = manifest_json(content | {"golden": none if golden == "empty" else golden})
    (digest,) = (prop for prop in model.metadata_props if prop.key == DIGEST_KEY)
    digest.value = DIGEST_PLACEHOLDER
    with pytest.raises(ModelFileError, match=r"^Expected golden rows and their outputs in the model file, found none"):
        Scorer(seal(model.SerializeToString(deterministic=True))).verify()


def test_golden_pictures_with_values_that_no_pixel_has_cannot_be_used():
    scorer = Scorer(image_model())
    scorer.manifest["golden"] = {"inputs": {"images": [[[[256]]]]}, "outputs": {}}
    with pytest.raises(
        ModelFileError, match=r"^Expected golden pictures and their outputs in the model file, found none"
    ):
        scorer.verify()
