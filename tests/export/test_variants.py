"""Variants of a model file: what they keep of their source, and what they refuse."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
import torch
from threadpoolctl import threadpool_limits

from gandetect import GANDetector, InputError, ModelFileError, Scorer, export_model, read_model
from gandetect.calibration import calibrate
from gandetect.export import comparison, variants
from gandetect.export.comparison import Bound
from gandetect.export.distillation import (
    MAX_CODES,
    StudentSettings,
    Teacher,
    _answers,
    _condensed,
    _within_range,
    distilled,
    taught,
)
from gandetect.export.p_values import weighted_calibration
from gandetect.export.source import N_FRESH, Drawn, Source
from gandetect.graph.surgery import OpenModel
from gandetect.readers.tables import read_table
from gandetect.readers.values import parse_columns
from gandetect.tables.decoding import decode
from gandetect.tensor_names import OUTPUTS

QUICK = StudentSettings(width=48, depth=2, n_steps=120, batch_size=256)


@pytest.fixture(scope="module")
def model(small_model):
    return small_model.read_bytes()


@pytest.fixture(scope="module")
def source(model):
    return Source(model)


@pytest.fixture(scope="module")
def half(model):
    return export_model(model, storage="fp16")


@pytest.fixture
def new_rows(machines_new, source):
    (chunk,) = read_table(machines_new)
    return parse_columns(chunk.columns, chunk.lines, source.schema).columns


def test_the_source_may_be_named_by_its_path(small_model, half):
    assert export_model(small_model, storage="fp16").model == half.model


def test_half_precision_takes_half_the_space_and_changes_scores_by_less_than_its_bound(half, model, source, new_rows):
    assert len(half.model) < 0.65 * len(model)
    before, after = source.scorer(new_rows), Scorer(half.model)(new_rows)
    difference = np.abs(after["anomaly_score"] - before["anomaly_score"]) / np.maximum(1, before["anomaly_score"])
    assert 0 < difference.max() <= variants.BOUNDS["fp16"].difference
    assert (after["is_anomaly"] != before["is_anomaly"]).mean() <= 0.01


def test_half_precision_halves_the_file_of_twenty_numbers():
    rows = np.random.default_rng(0).normal(size=(3000, 20)) @ np.random.default_rng(1).normal(size=(20, 20))
    model = GANDetector(n_steps=20, random_state=0).fit(rows.round(3)).model_
    half = export_model(model, storage="fp16").model
    assert len(half) <= 0.505 * len(model)
    names = [name for node in onnx.load_model_from_string(half).graph.node for name in node.output]
    assert not any(name.startswith("gandetect/") for name in names)


def test_a_variant_proves_itself_and_says_what_it_was_made_from(half, model):
    assert Scorer(half.model).verify() <= 1e-5
    manifest, before = read_model(half.model)[1], read_model(model)[1]
    assert manifest["export"]["kind"] == "stored"
    assert manifest["export"]["storage"] == "fp16"
    assert len(manifest["export"]["source"]) == 64
    assert manifest["columns"] == before["columns"]
    assert manifest["golden"]["inputs"] == before["golden"]["inputs"]


def test_the_same_source_gives_the_same_bytes(half, model):
    assert export_model(model, storage="fp16").model == half.model


def test_the_comparison_holds_both_sizes_and_times(half, model):
    found, n_golden = half.comparison, len(read_model(model)[1]["golden"]["outputs"]["p_value"])
    assert found.n_bytes == (len(model), len(half.model))
    assert min(*found.one_row, *found.batch) > 0
    assert (found.n_golden, found.n_fresh) == (n_golden, N_FRESH)


def test_a_variant_outside_its_bound_is_refused(model, monkeypatch):
    monkeypatch.setitem(variants.BOUNDS, "fp16", Bound(0.0, 1.0, 0.0))
    message = (
        r"^Expected anomaly_score to differ by at most 0 between the variant and its source, found 0\.\d+; nothing was "
        r"written, go on with the source\.$"
    )
    with pytest.raises(ModelFileError, match=message):
        export_model(model, storage="fp16")


def test_every_answer_has_to_keep_to_the_bound(half):
    assert set(half.comparison.largest_differences) == {
        *("anomaly_score", "realness", "reconstruction_error", "contributions")
    }
    other_blame = replace(half.comparison, largest_differences=half.comparison.largest_differences | BLAME)
    with pytest.raises(ModelFileError, match=r"^Expected contributions to differ by at most 0\.05 between the variant"):
        other_blame.require(variants.BOUNDS["fp16"])


BLAME = {"contributions": 0.06}


def test_rows_of_few_kinds_are_ranked_alike_whatever_the_last_digits_of_their_scores():
    kinds = np.repeat(np.array([0.5, 1.25, 3.0], np.float32), [400, 300, 3])
    rounded = kinds * np.where(np.arange(len(kinds)) % 2, 1, 1 + 1e-7).astype(np.float32)
    assert len(np.unique(rounded)) > 3
    assert comparison._rank_correlation(kinds, rounded) == pytest.approx(1, abs=1e-12)
    assert comparison._rank_correlation(kinds, -kinds) == pytest.approx(-1, abs=1e-2)
    scores = np.random.default_rng(0).permutation(100).astype(np.float32)
    np.testing.assert_array_equal(comparison._ranks(scores), scores + 1)


def test_something_must_be_asked_for(model):
    with pytest.raises(InputError, match=r"^Expected a variant to make, found none; pass storage='fp16', distill=True"):
        export_model(model)
    with pytest.raises(InputError, match=r"^Expected storage to be one of 'fp32', 'fp16', found 'int8'\.$"):
        export_model(model, storage="int8")
    with pytest.raises(InputError, match=r"^Expected the seed to be a whole number from 0 to 4294967295, found -1\.$"):
        export_model(model, storage="fp16", seed=-1)
    with pytest.raises(InputError, match=r"^Expected distill=True together with columns, found columns alone; add it"):
        export_model(model, storage="fp16", columns={})


def test_a_variant_is_made_from_an_original_only(half):
    with pytest.raises(InputError, match=r"^Expected an original model file, found a variant already; export from its"):
        export_model(half.model, distill=True)


def test_a_file_without_labelled_parts_is_refused_with_the_remedy(model):
    opened = OpenModel(model)
    with pytest.raises(ModelFileError, match=r"found no 'momery'; fit the model again with this version of gandetect"):
        opened.constant("momery")


# --- what is read back ------------------------------------------------------------------------------------------------


def test_rows_survive_being_encoded_and_decoded_with_what_was_read_back(source, new_rows):
    whole = {name: values[:50] for name, values in new_rows.items()}
    drawn = source.encode(whole)
    again = source.encode(decode(source.encoding, drawn.samples.astype(np.float64)))
    numbers = ~source.encoding.is_level & drawn.present.astype(bool)[:, source.column_of]
    daily = np.isin(np.arange(source.sample_dim), np.flatnonzero(numbers.any(0)))
    assert daily.any()
    categories = source.encoding.is_level
    known = (drawn.samples[:, categories] != 0).any(1)
    np.testing.assert_allclose(again.samples[known][:, :6], drawn.samples[known][:, :6], atol=1e-4)


def test_drawn_rows_are_encoded_rows_some_of_which_miss_cells(source):
    drawn = source.draw(2000, np.random.default_rng(0))
    assert drawn.samples.shape == (2000, source.sample_dim)
    assert np.abs(drawn.samples).max() <= 8
    assert 0 < (drawn.present == 0).mean() < 0.2
    assert (drawn.samples[drawn.present[:, source.column_of] == 0] == 0).all()


# --- distilled --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def student(source):
    model, calibration = distilled(source, QUICK)
    return variants._sealed(
        model, source.scorer.manifest | {"calibration": source.scorer.manifest["calibration"] | calibration}
    )


def test_the_teachers_values_make_its_score(source):
    teacher, rows = Teacher(source), source.draw(500, np.random.default_rng(1))
    values, expected, score = teacher(rows)
    made = teacher.score(values, expected, torch.from_numpy(rows.samples), torch.from_numpy(rows.present))
    torch.testing.assert_close(made, score, rtol=1e-4, atol=1e-4)


def test_a_student_measures_almost_the_distances_that_its_teacher_measures(source, student, new_rows):
    rows = source.encode(new_rows)
    whole = rows.present.all(1)
    drawn = Drawn(rows.samples[whole], rows.present[whole])
    labels = ["values"]
    found, expected = (
        _answers(_within_range(source, opened, labels), drawn, labels)[0]
        for opened in (OpenModel(student), source.open)
    )
    recalled, typical = ((found[:, i], expected[:, i]) for i in (-2, -1))
    assert np.corrcoef(*recalled)[0, 1] > 0.9
    np.testing.assert_allclose(*typical, atol=0.01)
    assert np.abs(found[:, 0] - expected[:, 0]).max() > 0.01


def test_few_codes_stay_and_many_are_told_by_their_centres_on_one_thread():
    memory = np.random.default_rng(0).normal(size=(2, 10, 3)).astype(np.float32)
    np.testing.assert_array_equal(_condensed(memory, 0), np.unique(memory.reshape(-1, 3), axis=0))
    corners = np.random.default_rng(1).normal(size=(MAX_CODES, 5)).astype(np.float32)
    crowded = np.stack([corners, corners + 1e-3, corners - 1e-3])
    with threadpool_limits(2):
        centres = _condensed(crowded, 0)
    assert centres.shape == (MAX_CODES, 5)
    apart = np.square(corners[:, None] - centres).sum(2).min(1)
    assert np.median(apart) < 1e-4
    np.testing.assert_array_equal(_condensed(crowded, 0), centres)


def test_a_student_is_taught_on_one_thread_since_its_bits_would_depend_on_their_number(source):
    before, threads = torch.get_num_threads(), set()
    torch.set_num_threads(2)
    settings = StudentSettings(width=8, depth=1, n_steps=3, batch_size=16)
    taught(source, settings, 0, lambda *progress: threads.add(torch.get_num_threads()))
    assert (threads, torch.get_num_threads()) == ({1}, 2)
    torch.set_num_threads(before)


def test_a_student_agrees_with_its_teacher_the_more_the_longer_it_is_taught(source):
    rows = source.draw(2000, np.random.default_rng(2))
    samples, present = (torch.from_numpy(part) for part in rows)

    def error(n_steps):
        learner, teacher = taught(source, StudentSettings(width=48, depth=2, n_steps=n_steps, batch_size=256), 0)
        values, _, theirs = teacher(rows)
        with torch.no_grad():
            unreal, expected = learner(samples, 1 - present)
        its = torch.cat([unreal, values[:, teacher.n_logits :]], dim=1)
        score = teacher.score(its, expected, samples, present)
        return float((score.log1p() - theirs.log1p()).abs().mean())

    assert error(120) < 0.5 * error(5)


def test_a_distilled_file_is_smaller_answers_everything_and_is_accepted_by_the_guard(source, student, model, new_rows):
    answers = Scorer(student)(new_rows, OUTPUTS)
    assert len(student) < 0.4 * len(model)
    assert {len(values) for values in answers.values()} == {len(new_rows["machine"])}
    assert np.isfinite(answers["anomaly_score"]).all()
    np.testing.assert_allclose(answers["contributions"].sum(1), 1, atol=1e-5)


def test_the_students_p_values_flag_about_as_many_normal_rows_as_its_teachers(source, student, machines_new):
    (chunk,) = read_table(machines_new)
    normal = chunk.columns["label"] == "normal"
    rows = parse_columns(chunk.columns, chunk.lines, source.schema).columns
    scorer = Scorer(student)
    flags = [s(rows, ["is_anomaly"])["is_anomaly"][normal].mean() for s in (source.scorer, scorer)]
    assert abs(flags[0] - flags[1]) <= 0.08


def test_a_distilled_manifest_tells_the_students_own_critical_score(student, source, new_rows):
    scorer = Scorer(student)
    critical = scorer.manifest["calibration"]["critical_score"]
    answers = scorer(new_rows)
    np.testing.assert_array_equal(answers["is_anomaly"], answers["anomaly_score"] > critical)
    assert critical != source.scorer.manifest["calibration"]["critical_score"]


def test_a_distilled_threshold_flags_about_the_same_share():
    X = np.random.default_rng(0).normal(size=(300, 3))
    detector = GANDetector(contamination=0.1, n_steps=60, random_state=0).fit(X)
    source = Source(detector.model_)
    model, calibration = distilled(source, QUICK)
    scorer = Scorer(variants._sealed(model, source.scorer.manifest))
    flags = scorer(dict(zip([column.name for column in scorer.schema.columns], X.T, strict=True)))["is_anomaly"]
    assert calibration["threshold"] == pytest.approx(float(source.scorer.manifest["calibration"]["threshold"]), rel=0.5)
    assert abs(flags.mean() - 0.1) < 0.08


def test_a_far_number_outweighs_everything_also_in_a_distilled_file(source, student, new_rows):
    scorer = Scorer(student)
    far = {name: values[:5].copy() for name, values in new_rows.items()}
    far["power_kw"][:] = 1e30
    assert (scorer(far)["p_value"] == scorer(far)["p_value"].min()).all()
    assert scorer(far)["anomaly_score"].min() > scorer(new_rows)["anomaly_score"].max()


def test_equal_weights_give_the_p_values_of_a_plain_count():
    scores = np.random.default_rng(0).gamma(2, size=200).astype(np.float32)
    weighted, plain = weighted_calibration(scores, np.ones(200), 200), calibrate(scores)
    at = np.linspace(0, scores.max() + 1, 500, dtype=np.float32)
    found, expected = (c.p_values[np.searchsorted(c.scores, at)] for c in (weighted, plain))
    assert (found >= expected - 1e-6).all()  # thinned, so never smaller
    np.testing.assert_allclose(found, expected, atol=0.02)
    assert found[-1] == pytest.approx(1 / 201)


@pytest.mark.parametrize("n_rows", [12, 200])
def test_a_score_beyond_all_others_has_the_smallest_p_value_that_rows_so_few_allow(n_rows):
    scores = np.random.default_rng(0).gamma(2, size=5000).astype(np.float32)
    found = weighted_calibration(scores, np.ones(5000), n_rows)
    assert found.p_values[-1] == np.float32(1 / (n_rows + 1))
    assert found.critical_score(1 / (n_rows + 1)) == scores.max()


def test_heavier_rows_count_for_more():
    scores = np.arange(100, dtype=np.float32)
    light, heavy = (weighted_calibration(scores, np.where(scores >= 90, w, 1.0), 1000) for w in (0.1, 10.0))
    assert light.p_values[np.searchsorted(light.scores, 90)] < 0.02
    assert heavy.p_values[np.searchsorted(heavy.scores, 90)] > 0.5
