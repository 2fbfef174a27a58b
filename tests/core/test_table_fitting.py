"""From raw columns to the bytes of a model file: blind members, honest p-values, and what the manifest says."""

import json
import re
from dataclasses import fields

import numpy as np
import numpy_reference as reference
import pytest
import torch
from made_tables import MIXED, QUICK, by_column, hide, mixed_rows, numbers, quick, taken
from recording import recorded_fit

from gandetect.calibration import default_alpha
from gandetect.column import Column, Kind, Role
from gandetect.errors import InputError
from gandetect.modality import MIN_ROWS
from gandetect.schema import Schema
from gandetect.scorer import Scorer
from gandetect.tables.encoding import EncodedRows
from gandetect.tables.encoding_fitting import fit_encoding
from gandetect.tables.fitting import TableSettings, fit_table


def normal_rows(n_rows, n_columns=4, seed=0):
    """Correlated normal rows."""
    mixing = np.random.default_rng(99).normal(size=(n_columns, n_columns))
    return np.random.default_rng(seed).normal(size=(n_rows, n_columns)) @ mixing


def fit_numbers(X, **settings):
    return Scorer(fit_table(by_column(X), numbers(X.shape[1]), settings=quick(**settings)))


# --- out-of-fold ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def unseen(mixed):
    """Return, for each member, the training rows that it is never shown."""
    random = torch.Generator().manual_seed(0)
    batches = [mixed.draw(step, random).samples for step in range(300)]
    shown = torch.cat(batches, dim=1).double().numpy()  # (members, n_samples, sample_dim)
    training = reference.encode(mixed.encoding, mixed_rows(300)).samples
    return [~_is_among(training, own) for own in shown]


def _is_among(rows, others):
    others = np.unique(others.round(4), axis=0)
    return np.array([np.abs(others - row).max(1).min() < 1e-3 for row in rows])


def test_every_training_row_is_unseen_by_exactly_one_member(unseen):
    np.testing.assert_array_equal(np.sum(unseen, axis=0), 1)
    sizes = [own.sum() for own in unseen]
    assert max(sizes) - min(sizes) <= 1


def test_calibration_scores_come_from_the_member_that_never_saw_the_row(mixed, unseen):
    columns, networks = mixed_rows(300), mixed.networks()
    encoded = reference.encode(mixed.encoding, columns)
    errors, values = np.zeros_like(encoded.present), []
    for member, own in enumerate(unseen):
        rest = fit_encoding(taken(columns, ~own), MIXED)
        surprise = reference.encode(rest, taken(columns, own)).excess
        excess = np.where(rest.is_category, surprise, mixed.encoding.departure * (rest.is_constant & (surprise > 0)))
        rows = EncodedRows(encoded.samples[own], encoded.present[own], np.zeros((len(excess), 1)), excess)
        alone = networks.member(member)
        errors[own] = alone.column_errors(rows)
        values.append(reference.components(alone, rows, mixed.error_scale)[0])
    scores = reference.anomaly_score(mixed.evidence, np.concatenate(values))
    np.testing.assert_allclose(mixed.calibration.scores, np.sort(scores), rtol=1e-5, atol=1e-5)
    scale = (errors * encoded.present).sum(0) / np.maximum(encoded.present.sum(0), 1)
    spread_out = [list(columns).index(name) for name in ("amount", "price", "heavy")]
    np.testing.assert_allclose(mixed.error_scale[spread_out], scale[spread_out], rtol=1e-4)
    assert (mixed.error_scale >= (1 - 1e-4) * scale).all()


def test_the_typical_row_is_about_the_mean_of_the_training_rows(mixed):
    encoded = reference.encode(mixed.encoding, mixed_rows(300))
    missing = 1 - encoded.present[:, mixed.encoding.column_of]
    mean = encoded.samples.sum(0) / np.maximum((1 - missing).sum(0), 1)
    for typical in mixed.weights.typical:
        assert np.abs(typical - mean).mean() < 0.5 * np.abs(encoded.samples - mean).mean()


# --- p-values ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0.05, 0.1])
def test_fresh_normal_rows_are_flagged_about_as_often_as_announced(normal_detectors, alpha):
    shares = [
        detector(by_column(normal_rows(3000, seed=100 + seed)), ["is_anomaly"], alpha=alpha)["is_anomaly"].mean()
        for seed, detector in enumerate(normal_detectors)
    ]
    assert 0.5 * alpha <= np.mean(shares) <= 1.3 * alpha


@pytest.fixture(scope="module")
def normal_detectors():
    """Return detectors of several seeds, each trained on rows of its own."""
    return [fit_numbers(normal_rows(500, seed=seed), n_steps=60, n_members=4) for seed in range(4)]


@pytest.mark.parametrize("alpha", [0.05, 0.1])
def test_missing_cells_alone_do_not_raise_the_flagged_share(normal_detectors, alpha):
    whole, masked = [], []
    for seed, detector in enumerate(normal_detectors):
        X = normal_rows(3000, seed=100 + seed)
        holes = np.where(np.random.default_rng(seed).random(X.shape) < 0.2, np.nan, X)
        for rows, shares in ((X, whole), (holes, masked)):
            shares.append(detector(by_column(rows), ["is_anomaly"], alpha=alpha)["is_anomaly"].mean())
    assert np.mean(masked) <= np.mean(whole) + 0.3 * alpha


def test_missing_cells_of_correlated_columns_do_not_raise_the_flagged_share():
    schema = Schema(tuple(Column(f"x{i}", Kind.NUMBER) for i in range(12)))
    training, X = normal_rows(500, 12, seed=0), normal_rows(3000, 12, seed=1)
    settings = TableSettings(n_steps=300)
    scorer = Scorer(fit_table(by_column(training), schema, settings=settings))
    holes = np.where(np.random.default_rng(2).random(X.shape) < 0.2, np.nan, X)
    whole, masked = (scorer(by_column(rows), ["is_anomaly"], alpha=0.1)["is_anomaly"].mean() for rows in (X, holes))
    assert masked <= 1.1 * whole


def test_a_row_without_any_value_is_not_flagged(normal_detectors):
    for detector in normal_detectors:
        assert not detector(by_column(np.full((1, 4), np.nan)))["is_anomaly"].any()


def test_missing_cells_of_every_kind_do_not_raise_the_flagged_share(scorer):
    columns, holes = mixed_rows(3000, seed=11), mixed_rows(3000, seed=11)
    random = np.random.default_rng(0)
    for values in holes.values():
        hide(values, random.random(3000) < 0.2)
    whole, masked = (scorer(rows, ["is_anomaly"], alpha=0.1)["is_anomaly"].mean() for rows in (columns, holes))
    assert masked <= whole + 0.02


@pytest.mark.parametrize("column", ["colour", "active", "city"])
def test_an_unknown_category_raises_the_score(scorer, column):
    columns = mixed_rows(500, seed=12)
    strange = columns | {column: np.full(500, "unheard of", dtype=object)}
    known, unknown = (scorer(rows, ["anomaly_score"])["anomaly_score"] for rows in (columns, strange))
    assert np.mean(unknown > known) > 0.95


def test_a_constant_column_that_leaves_its_value_is_flagged_and_blamed(scorer):
    columns = mixed_rows(200, seed=13)
    answers = scorer(columns | {"status": np.full(200, 8.0)})
    assert answers["is_anomaly"].all()
    assert (answers["contributions"].argmax(1) == 4).all()


# --- the rule of the flag ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("contamination", [0.01, 0.1, 0.25, 0.5, np.float32(0.1)])
def test_a_contamination_flags_that_share_of_the_training_rows(contamination):
    columns = by_column(normal_rows(200))
    model = fit_table(columns, numbers(4), settings=quick(n_steps=5), contamination=contamination)
    assert Scorer(model)(columns)["is_anomaly"].sum() == round(200 * float(contamination))


def test_an_alpha_overrules_the_contamination():
    columns = by_column(normal_rows(200))
    contaminated, plain = (
        Scorer(fit_table(columns, numbers(4), settings=quick(n_steps=5), contamination=contamination))
        for contamination in (0.3, "auto")
    )
    for alpha in (0.02, 0.2):
        answers = contaminated(columns, alpha=alpha)
        np.testing.assert_array_equal(answers["is_anomaly"], answers["p_value"] <= np.float32(alpha))
        np.testing.assert_array_equal(answers["is_anomaly"], plain(columns, alpha=alpha)["is_anomaly"])


# --- what the file says of itself -------------------------------------------------------------------------------------


def test_the_manifest_says_how_the_detector_was_made(scorer):
    manifest = scorer.manifest
    assert manifest["modality"] == "table"
    assert manifest["training"]["n_rows"] == manifest["calibration"]["n"] == 300
    assert manifest["training"]["seed"] == 0
    assert manifest["training"]["settings"] | {"loss": "hinge"} == quick(loss="hinge", n_planted=50).__dict__
    assert set(manifest["training"]["versions"]) > {"gandetect", "numpy", "onnx", "onnxruntime", "torch"}
    assert manifest["calibration"]["alpha"] == default_alpha(300)
    assert manifest["calibration"]["threshold"] is None
    assert len(manifest["health"]["members"]) == QUICK.n_members
    assert len(manifest["health"]["realness_real"]) >= 20


def test_the_manifest_remembers_columns_but_no_rows(scorer):
    summaries = {column.name: column.summary for column in scorer.schema.columns}
    assert summaries["status"]["quantiles"] == [7.0] * 7
    assert (summaries["nothing"]["missing"], summaries["nothing"]["quantiles"]) == (1.0, [])
    assert summaries["active"]["known"] == ["no", "yes"]
    assert 0.05 < summaries["amount"]["missing"] < 0.15


def test_the_critical_score_of_the_manifest_is_that_of_the_flag(scorer):
    answers = scorer(mixed_rows(2000, seed=5))
    critical = scorer.manifest["calibration"]["critical_score"]
    np.testing.assert_array_equal(answers["is_anomaly"], answers["anomaly_score"] > critical)


def test_the_file_proves_itself_on_golden_rows(scorer):
    golden = scorer.manifest["golden"]
    assert scorer.verify() <= 1e-6
    assert len(golden["outputs"]["p_value"]) >= 6  # rows beside a step of the p-value are left out
    assert golden["inputs"]["amount"][-2:] == [None, 1e30]
    assert golden["inputs"]["colour"][-2] == ""


def test_the_file_names_no_place_and_no_machine(mixed):
    text = mixed.model.decode("latin-1")
    assert not re.search(r"/(home|root|tmp|usr|work)/|\.py\b|hostname", text)


def test_columns_that_are_no_features_are_kept_in_the_schema_and_never_read():
    left_out = Column("id", Kind.ID, Role.LEFT_OUT, reason="every value is different")
    label = Column("label", Kind.CATEGORY, Role.LABEL)
    columns = by_column(normal_rows(40, 2))
    schema = Schema((left_out, *numbers(2).columns, label))
    scorer = Scorer(fit_table(columns, schema, settings=quick(n_steps=2)))
    assert [column.name for column in scorer.schema.columns] == ["id", "x0", "x1", "label"]
    assert scorer.schema["id"].reason == left_out.reason
    assert scorer(columns)["contributions"].shape == (40, 2)


def test_progress_is_told_while_fitting():
    told = []
    fit_table(by_column(normal_rows(30)), numbers(4), settings=quick(n_steps=7), callback=told.append)
    again = list(range(1, 8))  # so few steps leave members sick, which are trained once more
    assert [progress.step for progress in told] == list(range(1, 8)) + again


def test_an_exception_in_the_callback_ends_the_fit():
    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit_table(by_column(normal_rows(30)), numbers(4), settings=quick(), callback=stop)


def test_wide_tables_train_on_smaller_batches():
    fitted = recorded_fit(by_column(normal_rows(20, 600)), numbers(600), quick(n_steps=1, batch_size=64))
    assert fitted.draw(0, torch.Generator()).samples.shape == (3, 64 * 256 // 600, 600)


# --- what cannot be fitted --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("n_rows", "found"), [(0, "0 samples"), (1, "1 sample"), (MIN_ROWS - 1, f"{MIN_ROWS - 1} samples")]
)
def test_too_few_rows_are_refused_with_the_number_needed(n_rows, found):
    message = f"Expected at least {MIN_ROWS} rows to fit, found {found}; add normal rows."
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        fit_table(by_column(np.zeros((n_rows, 2))), numbers(2))


def test_every_member_needs_a_row_of_its_own():
    with pytest.raises(InputError, match=r"^Expected at least 20 rows to fit, found 19 samples; add normal rows\.$"):
        fit_table(by_column(normal_rows(19)), numbers(4), settings=TableSettings(n_members=20))
    assert fit_table(by_column(normal_rows(20)), numbers(4), settings=quick(n_members=20, n_steps=1))


def test_a_table_without_features_is_refused():
    schema = Schema((Column("id", Kind.ID, Role.LEFT_OUT),))
    with pytest.raises(InputError, match=r"^Expected at least one column to learn from, found none\.$"):
        fit_table({"id": np.arange(20.0)}, schema)


COLUMNS, TWO = by_column(normal_rows(20, 2)), numbers(2)


@pytest.mark.parametrize("role", ["columns", "known_anomalies"])
@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"x0": COLUMNS["x0"]}, "found no 'x1' among 'x0'; add what is missing or rename a column."),
        (COLUMNS | {"x1": np.zeros(19)}, "Expected columns of one length, found lengths [19, 20]."),
        (COLUMNS | {"x1": np.array(["a"] * 20, dtype=object)}, "Expected numbers in column 'x1', found object; "),
        (COLUMNS | {"x1": np.zeros((20, 1))}, "Expected column 'x1' to have one dimension, found shape (20, 1)."),
    ],
)
def test_columns_that_are_not_those_of_the_schema_are_refused(role, columns, message):
    arguments = {"columns": COLUMNS, "schema": TWO, "settings": quick(), "callback": pytest.fail} | {role: columns}
    with pytest.raises(InputError, match=re.escape(message)):
        fit_table(**arguments)


def test_whole_numbers_and_plain_lists_are_columns_too():
    whole = np.arange(20) % 7
    settings = quick(n_steps=1)
    model = fit_table({"x0": COLUMNS["x0"], "x1": whole.astype(float)}, TWO, settings=settings)
    assert fit_table({"x0": COLUMNS["x0"].tolist(), "x1": whole}, TWO, settings=settings) == model


def test_a_kind_that_nothing_can_be_learned_from_is_refused():
    schema = Schema((*TWO.columns, Column("id", Kind.ID)))
    message = "Expected columns to learn from of the kinds 'category', 'number', 'time', 'yes/no', found 'id' of others"
    with pytest.raises(InputError, match=re.escape(message)):
        fit_table(COLUMNS | {"id": np.array(["a"] * 20, dtype=object)}, schema)


@pytest.mark.parametrize("column", ["columns", "known_anomalies"])
def test_text_that_utf8_cannot_hold_is_refused_with_its_column(column):
    rows = {part: {"a": np.array(["a", "b"] * 10, dtype=object)} for part in ("columns", "known_anomalies")}
    rows[column] = {"a": np.array(["a", "\ud800"] * 10, dtype=object)}
    message = "Expected the values of column 'a' as text in UTF-8, found '\\ud800'; write it with other characters."
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        fit_table(rows["columns"], Schema((Column("a", Kind.CATEGORY),)), known_anomalies=rows["known_anomalies"])


@pytest.mark.parametrize("seed", [-1, 2**32, 0.5, "0"])
def test_a_seed_out_of_range_is_refused(seed):
    message = f"Expected the seed to be a whole number from 0 to 4294967295, found {seed!r}."
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        fit_table(COLUMNS, TWO, seed=seed)


def test_a_seed_of_numpy_is_a_seed_too():
    model = fit_table(COLUMNS, TWO, settings=quick(n_steps=1), seed=np.int64(3))
    assert model == fit_table(COLUMNS, TWO, settings=quick(n_steps=1), seed=3)


def test_resuming_needs_a_checkpoint():
    with pytest.raises(InputError, match=r"^Expected a checkpoint to resume from, found none; name its file, or start"):
        fit_table(COLUMNS, TWO, resume=True)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"loss": "x"}, "Expected loss to be one of 'logistic', 'least-squares', 'hinge', 'wasserstein', found 'x'."),
        ({"n_members": 1}, "Expected n_members to be a whole number of at least 2, found 1."),
        ({"n_steps": 0}, "Expected n_steps to be a whole number of at least 1, found 0."),
        ({"n_steps": 2.5}, "Expected n_steps to be a whole number of at least 1, found 2.5."),
        ({"width": "64"}, "Expected width to be a whole number of at least 1, found '64'."),
        ({"depth": 0}, "Expected depth to be a whole number of at least 1, found 0."),
        ({"optimizer": "Muon"}, "Expected optimizer to be one of 'adamw', 'muon', found 'Muon'."),
        ({"effort": "some"}, "Expected effort to be one of 'low', 'default', 'high', found 'some'."),
        ({"n_codes": 0}, "Expected n_codes to be a whole number of at least 1, found 0."),
        ({"noise_dim": -1}, "Expected noise_dim to be a whole number of at least 0, found -1."),
        ({"generator_width": 0}, "Expected generator_width to be a whole number of at least 1, found 0."),
        ({"n_planted": -3}, "Expected n_planted to be a whole number of at least 0, found -3."),
        ({"learning_rate": -0.1}, "Expected learning_rate to be a number of at least 0, found -0.1."),
        ({"known_weight": float("nan")}, "Expected known_weight to be a number of at least 0, found nan."),
        ({"excess_weight": float("inf")}, "Expected excess_weight to be a number of at least 0, found inf."),
        ({"weight_decay": None}, "Expected weight_decay to be a number of at least 0, found None."),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        fit_table(by_column(normal_rows(20)), numbers(4), settings=TableSettings(**changes))


@pytest.mark.parametrize("contamination", [0, 0.51, -0.1, "some", True, float("nan")])
def test_a_contamination_out_of_range_is_refused(contamination):
    message = f"Expected contamination to be 'auto' or in (0, 0.5], found {contamination!r}."
    with pytest.raises(InputError, match=f"^{re.escape(message)}$"):
        fit_table(by_column(normal_rows(20)), numbers(4), contamination=contamination)


def test_an_unknown_device_is_refused():
    with pytest.raises(InputError, match=r"^Expected a device that torch can train on, found 'toaster'; try 'cpu'\.$"):
        fit_table(by_column(normal_rows(20)), numbers(4), device="toaster")


@pytest.mark.parametrize("field", fields(TableSettings), ids=lambda field: field.name)
def test_every_setting_is_checked(field):
    with pytest.raises(InputError, match=rf"^Expected {field.name} to be .*, found \[\]\.$"):
        TableSettings(**{field.name: []}).checked()


def test_numbers_of_numpy_are_settings_too():
    settings = quick(n_steps=np.int64(2), known_weight=np.float32(0.5))
    model = fit_table(by_column(normal_rows(20)), numbers(4), settings=settings, seed=3)
    found = Scorer(model).manifest["training"]["settings"]
    assert json.dumps([found["n_steps"], found["known_weight"]]) == "[2, 0.5]"


def test_the_distance_to_the_typical_row_counts_the_more_the_fewer_rows_train():
    def weights(n_rows, *, linear=False):
        return TableSettings().evidence_weights(n_rows, knows_anomalies=False, linear=linear)[0]

    none, few, some, many = (weights(n) for n in (0, 100, 400, 500))
    assert 2 == none[2] > few[2] > some[2] > many[2] == 0
    assert np.delete(few, 2).tolist() == np.delete(many, 2).tolist()
    assert weights(500).tolist() == weights(100_000).tolist()
    assert weights(100, linear=True).tolist() == weights(1_000, linear=True).tolist()


def test_rows_without_any_value_are_no_rows_to_learn_from():
    columns = {name: np.where(np.arange(20) < 5, 1.0, np.nan) for name in ("a", "b")}
    message = r"^Expected at least 8 rows to fit, found 5 samples with a value; add normal rows\.$"
    with pytest.raises(InputError, match=message):
        fit_table(columns, Schema(tuple(Column(name, Kind.NUMBER) for name in columns)))
