"""Given columns are never hidden, filled in, altered, judged or blamed; the others are judged among their like."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
import torch
from made_tables import MIXED, hard_rows, mixed_rows, quick
from recording import recorded_fit
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from gandetect import DriftMonitor, export_model
from gandetect.column import Column, Kind, Role
from gandetect.errors import InputError
from gandetect.explaining import explain
from gandetect.export.distillation import StudentSettings, distilled
from gandetect.export.source import Source
from gandetect.model_file import seal, unsealed_metadata
from gandetect.networks.tables import TableBatch
from gandetect.schema import Schema
from gandetect.scorer import Scorer
from gandetect.tables.fitting import fit_table
from gandetect.tensor_names import OUTPUTS

GIVEN = ("city", "amount", "at")


@pytest.fixture(scope="module")
def fitted():
    return recorded_fit(mixed_rows(300), MIXED.with_given(GIVEN), quick(n_planted=20))


@pytest.fixture(scope="module")
def scorer(fitted):
    return Scorer(fitted.model)


def test_the_networks_keep_what_is_given(fitted):
    pair, entries = fitted.pair, torch.from_numpy(fitted.encoding.is_given[fitted.encoding.column_of])
    random = torch.Generator().manual_seed(0)
    batch = fitted.draw(0, random)
    holes = TableBatch(batch.samples, (torch.rand(batch.present.shape, generator=random) < 0.5).float())
    missing = TableBatch(holes.samples * holes.present[..., pair.generator.column_of], holes.present)
    negatives = pair.references(batch.samples, random)
    assert torch.equal(negatives[..., entries], batch.samples[:, None].expand_as(negatives)[..., entries])
    assert (negatives != batch.samples[:, None])[..., ~entries].any(-1).float().mean() > 0.9
    generated, _ = pair.generate(batch, random)
    assert torch.equal(generated[:, 1][..., entries], batch.samples[..., entries])
    for kept in (pair.real(batch, random), pair.completed(batch)):
        assert torch.equal(kept[..., entries], batch.samples[..., entries])
    assert torch.equal(pair.completed(missing)[..., entries], missing.samples[..., entries])


def test_contributions_and_expectations_are_those_of_the_other_columns(scorer):
    answers = scorer(hard_rows(100), OUTPUTS)
    assert [column.name for column in scorer.schema.features] == [c.name for c in MIXED.columns if c.name not in GIVEN]
    assert answers["contributions"].shape == (100, 8)
    assert answers["expected_numbers"].shape == (100, 5)
    assert answers["expected_levels"].shape == (100, 3, 2)
    assert all(np.isfinite(answers[name]).all() for name in ("anomaly_score", "contributions", "expected_numbers"))
    np.testing.assert_allclose(answers["contributions"].sum(1), 1, atol=1e-5)


def test_a_given_value_that_was_never_seen_is_not_an_anomaly_in_itself(scorer):
    columns = mixed_rows(200, seed=5)
    strange = columns | {"city": np.full(200, "unheard of", dtype=object)}
    absurd = columns | {"nothing": np.zeros(200), "amount": np.full(200, 1e9)}
    usual = np.median(scorer(columns)["anomaly_score"])
    # An unknown category or a number far outside the training range adds more than this where it is judged.
    assert np.median(scorer(strange)["anomaly_score"]) < usual + 10
    assert np.isfinite(scorer(absurd)["anomaly_score"]).all()


def test_half_precision_keeps_what_a_model_with_given_columns_says(fitted, scorer):
    rows, half = hard_rows(100), Scorer(export_model(fitted.model, storage="fp16").model)
    np.testing.assert_allclose(half(rows)["anomaly_score"], scorer(rows)["anomaly_score"], rtol=0.05)
    assert half.verify() <= 1e-5


def test_a_core_model_with_given_columns_answers_as_its_source(fitted, scorer):
    encode = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "edge" / "core.py"))["encode"]
    exported, rows = export_model(fitted.model, core=True), hard_rows(100)
    rows |= {"amount": np.where(np.arange(100) % 2, 1e9, rows["amount"])}  # given, and never judged
    found, expected = Scorer(exported.model)(encode(json.loads(exported.encoding), rows)), scorer(rows)
    for name, values in found.items():
        np.testing.assert_allclose(values, expected[name], rtol=1e-5, atol=1e-5, err_msg=name)


def test_a_student_learns_what_is_normal_under_each_given_condition():
    # Two machines that run at different speeds: each speed is normal for one of them only.
    random = np.random.default_rng(0)

    def rows(n_rows, *, swapped):
        machine = random.integers(2, size=n_rows)
        speed = np.where(machine ^ swapped, 5.0, -5.0) + random.normal(size=n_rows)
        X = np.stack([speed, speed + 0.3 * random.normal(size=n_rows), random.normal(size=n_rows)])
        return dict(zip("abc", X, strict=True)) | {"machine": np.where(machine, "one", "two").astype(object)}

    columns = (*(Column(name, Kind.NUMBER) for name in "abc"), Column("machine", Kind.CATEGORY))
    settings = quick(n_steps=150, n_codes=64)
    model = fit_table(rows(400, swapped=0), Schema(columns).with_given(["machine"]), settings=settings)
    student = StudentSettings(width=48, depth=2, n_steps=300, batch_size=128)
    opened, _ = distilled(Source(model), student)
    scores = [
        Scorer(seal(opened.saved(unsealed_metadata(Scorer(model).manifest))))(columns)["anomaly_score"]
        for columns in (rows(200, swapped=0), rows(200, swapped=1))
    ]
    # 0.976 with the distances that do not know what is given.
    assert roc_auc_score(np.repeat([0, 1], 200), np.concatenate(scores)) >= 0.995


def test_golden_rows_are_computed_as_they_were_stored(scorer):
    assert scorer.verify() <= 1e-5


def test_a_row_does_not_depend_on_its_neighbours(scorer):
    columns = hard_rows(64)
    together = scorer(columns)["anomaly_score"]
    alone = scorer({name: values[:7] for name, values in columns.items()})["anomaly_score"]
    np.testing.assert_allclose(alone, together[:7], rtol=1e-5)


def test_given_columns_can_drift(scorer):
    rows, moved = mixed_rows(300), mixed_rows(300)
    moved["city"] = np.full(300, "elsewhere", dtype=object)
    found = []
    for columns in (rows, moved):
        monitor = DriftMonitor(scorer)
        monitor.add(columns, np.ones(300))
        found.append([column.column for column in monitor.result().columns if column.drifted])
    assert found == [[], ["city"]]


def test_explanations_never_blame_or_repair_what_is_given(scorer):
    columns = hard_rows(40)
    explanation = explain(scorer, columns)
    assert explanation.blame.shape == (40, 8)
    for name in GIVEN:
        assert name not in explanation.expected
        np.testing.assert_array_equal(explanation.repaired_values[name], columns[name])
    assert not any(reason.startswith(GIVEN) for row in range(40) for reason in explanation.reasons(row, 99))


def test_given_is_a_role_that_a_model_file_remembers():
    schema = MIXED.with_given(["colour"])
    assert schema["colour"].role is Role.GIVEN
    assert schema.used == (MIXED.columns[0], schema["colour"], *MIXED.columns[2:])
    assert Schema.from_json(schema.to_json()) == schema
    with pytest.raises(InputError, match=r"^Expected given columns out of those to learn from, 'amount', .* found 'x'"):
        MIXED.with_given(["x"])


def test_all_columns_given_leave_nothing_to_judge():
    columns = {name: mixed_rows(50)[name] for name in ("amount", "price")}
    schema = Schema((Column("amount", Kind.NUMBER, Role.GIVEN), Column("price", Kind.NUMBER, Role.GIVEN)))
    with pytest.raises(InputError, match="Expected at least one column to learn from, found none"):
        fit_table(columns, schema, settings=quick())


# --- what it is for ---------------------------------------------------------------------------------------------------


def shifted(n_rows, shares, share_of_anomalies, seed):
    """Make rows of three regions with own means; an anomaly has the values of another region than its own."""
    random = np.random.default_rng(seed)
    region, anomaly = random.choice(3, n_rows, p=shares), random.random(n_rows) < share_of_anomalies
    followed = np.where(anomaly, (region + random.integers(1, 3, n_rows)) % 3, region)
    values = np.array([[0, 0, 0], [4, -3, 2], [-3, 3, 4]])[followed] + random.normal(size=(n_rows, 3))
    numbers = np.concatenate([values, random.normal(size=(n_rows, 5))], axis=1)
    columns = {f"x{i}": np.ascontiguousarray(numbers[:, i]) for i in range(8)}
    return columns | {"region": np.array(["north", "south", "west"], dtype=object)[region]}, anomaly


def test_rows_are_judged_among_their_like_where_the_shares_of_groups_shift():
    train, _ = shifted(1200, [0.96, 0.02, 0.02], 0.0, seed=0)
    new, anomaly = shifted(1500, [0.1, 0.45, 0.45], 0.1, seed=1)
    schema = Schema((*(Column(f"x{i}", Kind.NUMBER) for i in range(8)), Column("region", Kind.CATEGORY)))
    settings = quick(n_steps=150, width=32, generator_width=32)

    def auroc_of_detector(schema):
        scores = Scorer(fit_table(train, schema, settings=settings))(new, ["anomaly_score"])["anomaly_score"]
        return roc_auc_score(anomaly, scores)

    def as_array(columns):
        one_hot = [columns["region"] == name for name in ("north", "south", "west")]
        return np.column_stack([*(columns[f"x{i}"] for i in range(8)), *one_hot])

    X_train, X_new = as_array(train), as_array(new)
    forest = -IsolationForest(random_state=0).fit(X_train).score_samples(X_new)
    neighbours = NearestNeighbors(n_neighbors=5).fit(X_train).kneighbors(X_new)[0].mean(1)
    others = [auroc_of_detector(schema), *(roc_auc_score(anomaly, scores) for scores in (forest, neighbours))]
    assert auroc_of_detector(schema.with_given(["region"])) > max(others) + 0.2
