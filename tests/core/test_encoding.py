"""Raw columns become samples as the docstrings say, whatever the columns hold."""

import numpy as np
import numpy_reference as reference
import pytest
from drawn_tables import raw, tables
from hypothesis import given, settings
from made_tables import DAY, MIXED, hard_rows, mixed_rows, taken

from gandetect.column import Column, Kind
from gandetect.graph.builder import GraphBuilder
from gandetect.graph.encoding import add_encoding, add_inputs
from gandetect.schema import Schema
from gandetect.scorer import open_session, run_in_chunks
from gandetect.tables.encoding import CLIP, EncodedRows, Encoding
from gandetect.tables.encoding_fitting import MAX_LEVELS, fit_encoding


def encoder(encoding, schema):
    """Return a function from raw columns to what the graph computes of them."""
    builder = GraphBuilder()
    encoded = add_encoding(builder, encoding, schema, add_inputs(builder, schema))
    names = (*EncodedRows._fields, "largest_excess")
    for name in names:
        builder.output(name, getattr(encoded, name), np.float32, ["n", None])
    session = open_session(builder.build())

    def encode(columns):
        *rows, largest_excess = run_in_chunks(
            session, names, {column.input_name: columns[column.name] for column in schema.used}
        ).values()
        encoded = EncodedRows(*rows)
        np.testing.assert_array_equal(largest_excess, encoded.excess.max(1, keepdims=True))
        return encoded

    return encode


def encoded_column(kind, training, scored=None):
    """Fit one column and encode it."""
    schema = Schema((Column("c", kind),))
    training = raw(kind, training)
    scored = training if scored is None else raw(kind, scored)
    return encoder(fit_encoding({"c": training}, schema), schema)({"c": scored})


def assert_same(computed, expected, tolerance):
    for name in EncodedRows._fields:
        a, b = getattr(computed, name), getattr(expected, name)
        assert a.shape == b.shape
        assert a.dtype == np.float32
        np.testing.assert_array_less(np.abs(a - b), tolerance * np.maximum(1, np.abs(b)), err_msg=name)


# The sine and cosine are computed in single precision, and their scale may be as small as a tenth.
TOLERANCE = {True: 1e-5, False: 1e-6}


@settings(max_examples=120, deadline=None)
@given(tables())
def test_graph_computes_what_the_reference_computes_for_any_table(table):
    schema, training, scored = table
    encoding = fit_encoding(training, schema)
    encode = encoder(encoding, schema)
    has_time = any(column.kind is Kind.TIME for column in schema.features)
    for columns in (training, scored):
        computed = encode(columns)
        assert_same(computed, reference.encode(encoding, columns), TOLERANCE[has_time])
        assert np.isfinite(computed.samples).all()
        assert np.isfinite(computed.excess).all()
        assert np.abs(computed.samples).max(initial=0) <= CLIP
        assert (computed.growth >= 0).all()
        assert (computed.excess.max(1, keepdims=True) >= computed.growth).all()


@pytest.fixture(scope="module")
def mixed_encoding():
    return fit_encoding(mixed_rows(400), MIXED)


@pytest.fixture(scope="module")
def encode_mixed(mixed_encoding):
    return encoder(mixed_encoding, MIXED)


def test_graph_computes_what_the_reference_computes_on_hard_rows(mixed_encoding, encode_mixed):
    columns = hard_rows(1500)
    assert_same(encode_mixed(columns), reference.encode(mixed_encoding, columns), 1e-5)


def test_a_rows_samples_do_not_depend_on_its_neighbours(encode_mixed):
    columns = hard_rows(40)
    together = encode_mixed(columns)
    order = np.random.default_rng(0).permutation(40)
    shuffled = encode_mixed(taken(columns, order))
    assert_same(shuffled, EncodedRows(*(getattr(together, name)[order] for name in EncodedRows._fields)), 1e-5)
    for i in (0, 7, 39):
        alone = encode_mixed(taken(columns, [i]))
        assert_same(alone, EncodedRows(*(getattr(together, name)[[i]] for name in EncodedRows._fields)), 1e-5)


def test_other_values_of_the_neighbours_change_no_bit_of_a_row(encode_mixed):
    columns, others = hard_rows(40), hard_rows(40, seed=2)
    kept = np.arange(40) % 3 == 0
    mixture = {name: np.where(kept, values, others[name]) for name, values in columns.items()}
    together, between = encode_mixed(columns), encode_mixed(mixture)
    for name in EncodedRows._fields:
        np.testing.assert_array_equal(getattr(between, name)[kept], getattr(together, name)[kept])


def test_every_entry_belongs_to_its_column(mixed_encoding, encode_mixed):
    columns = mixed_rows(50)
    before = encode_mixed(columns).samples
    for i, column in enumerate(MIXED.features):
        changed = columns | {column.name: hard_rows(50)[column.name]}
        differs = (encode_mixed(changed).samples != before).any(0)
        assert not differs[mixed_encoding.column_of != i].any(), column.name


@pytest.mark.parametrize(
    ("kind", "training", "missing"),
    [
        (Kind.NUMBER, [1.0, 2.0, np.nan, 4.0], [np.nan, np.inf, -np.inf]),
        (Kind.TIME, [1.6e9, 1.61e9, 1.7e9], [np.nan, np.inf, -np.inf]),
        (Kind.CATEGORY, ["a", "a", "b", "b", "c"], [""]),
        (Kind.YES_NO, ["yes", "no", "no"], [""]),
        (Kind.NUMBER, [np.nan] * 4, [np.nan]),
        (Kind.CATEGORY, [""] * 4, [""]),
    ],
)
def test_missing_is_zero_everywhere(kind, training, missing):
    encoded = encoded_column(kind, training, missing)
    for name in EncodedRows._fields:
        assert not getattr(encoded, name).any(), name


def test_values_that_are_there_are_present():
    assert encoded_column(Kind.NUMBER, [1.0, -0.0, 5e-324]).present.all()
    assert encoded_column(Kind.TIME, [0.0, 1.6e9]).present.all()
    assert encoded_column(Kind.CATEGORY, ["a", "b"], ["a", "unheard of"]).present.all()


def test_numbers_are_standardised():
    samples = encoded_column(Kind.NUMBER, np.random.default_rng(0).normal(100, 5, 5000)).samples
    assert abs(samples.mean()) < 1e-3
    assert abs(samples.std() - 1) < 1e-2


def test_numbers_with_a_huge_offset_keep_their_differences():
    noise = np.random.default_rng(0).normal(size=500)
    with_offset = encoded_column(Kind.NUMBER, 1e9 + noise).samples
    np.testing.assert_allclose(with_offset, encoded_column(Kind.NUMBER, noise).samples, atol=1e-5)


@pytest.mark.parametrize("outlier", [1e3, 1e6, 1e308])
def test_an_outlier_in_training_does_not_squash_the_scale(outlier):
    values = np.random.default_rng(0).normal(size=200)
    without = encoded_column(Kind.NUMBER, values).samples
    with_one = encoded_column(Kind.NUMBER, np.append(values, outlier), values).samples
    assert with_one.std() > 0.5 * without.std()


def test_numbers_within_three_half_ranges_have_no_excess():
    excess = encoded_column(Kind.NUMBER, [0.0, 10.0, 4.0], [0.0, 10.0, 20.0, -10.0, 20.1, -10.1]).excess[:, 0]
    assert not excess[:4].any()
    assert (excess[4:] > 0).all()


@pytest.mark.parametrize("training", [[0.0, 1.0, 3.0], [7.0, 7.0, 7.0], [1e9, 1e9 + 1, 1e9 + 2], [-1e308, 1e308, 0.0]])
def test_excess_never_falls_further_out(training):
    middle = training[0] / 2 + training[1] / 2
    steps = np.concatenate([np.logspace(-3, 307, 400), [1.7e308]])
    for side in (-1, 1):
        excess = encoded_column(Kind.NUMBER, training, middle + side * steps).excess[:, 0]
        assert (np.diff(excess) >= 0).all()


@pytest.mark.parametrize("constant", [0.0, 7.0, -3.5, 1e9, 1e-300])
def test_a_constant_column_that_leaves_its_value_has_an_excess_that_grows(constant):
    steps = max(1.0, abs(constant)) * np.array([0, 1e-4, 1, 10, 1e6])
    excess = encoded_column(Kind.NUMBER, [constant] * 20, constant + steps).excess[:, 0]
    assert excess[0] == 0
    np.testing.assert_allclose(excess[1:3], Encoding({}).departure)
    assert (np.diff(excess[2:]) > 0).all()


def test_a_constant_in_single_precision_is_still_the_constant():
    for value in (0.1, 1234.567, 1e9 + 1):
        assert encoded_column(Kind.NUMBER, [value] * 9, [float(np.float32(value))]).excess.item() == 0


def test_an_unknown_level_has_excess_and_no_known_one_has():
    excess = encoded_column(Kind.CATEGORY, ["a"] * 50 + ["b"] * 30 + ["c"], ["a", "b", "c", "d", "A", ""]).excess[:, 0]
    assert not excess[[0, 1, 2, 5]].any()
    assert (excess[3:5] > 0).all()


def test_the_words_of_a_file_for_yes_and_no_are_known_in_a_yes_no_column_alone():
    training, words = ["yes", "no", "no", "yes", "maybe"], ["TRUE", "False", "n", "1", "", "maybe", "J"]
    read, unread = (encoded_column(Kind.YES_NO, training, values) for values in (["yes", "no", "no", "yes"], words))
    np.testing.assert_array_equal(unread.samples[:4], read.samples)
    assert (unread.excess[:, 0] > 0).tolist() == [False] * 6 + [True]
    assert (unread.present[:, 0] == 0).tolist() == [False] * 4 + [True] + [False] * 2
    assert (encoded_column(Kind.CATEGORY, training, words[:4]).excess > 0).all()


def test_an_unknown_level_is_the_more_surprising_the_fewer_levels_were_seen_once():
    settled = encoded_column(Kind.CATEGORY, ["a", "b"] * 100, ["new"]).excess.item()
    open_ended = encoded_column(Kind.CATEGORY, [f"level {i}" for i in range(200)], ["new"]).excess.item()
    assert settled > 3 > 1 > open_ended > 0


def test_frequent_levels_have_entries_of_their_own_and_rare_ones_share_one():
    samples = encoded_column(Kind.CATEGORY, ["a"] * 50 + ["b"] * 30 + ["c", "d"]).samples
    rows = {value: samples[i] for value, i in {"a": 0, "b": 50, "c": 80, "d": 81}.items()}
    np.testing.assert_array_equal(rows["c"], rows["d"])
    assert len(np.unique(samples, axis=0)) == 3


def test_an_unknown_level_counts_as_a_rare_one():
    training = ["a"] * 50 + ["b"] * 30 + ["c", "d"]
    np.testing.assert_array_equal(*encoded_column(Kind.CATEGORY, training, ["new", "c"]).samples)


def test_an_unknown_level_is_unlike_all_others_where_none_is_rare():
    unknown, *known = encoded_column(Kind.CATEGORY, ["a", "b", "c"] * 20, ["new", "a", "b", "c"]).samples
    assert all((unknown != level).any() for level in known)


def test_networks_see_nothing_in_an_unknown_level_where_every_level_is_rare():
    samples = encoded_column(Kind.CATEGORY, [f"level {i}" for i in range(200)], ["level 0", "new"]).samples
    np.testing.assert_array_equal(*samples)


def test_the_levels_of_an_encoding_are_those_that_training_rows_have():
    columns = mixed_rows(300)
    encoding = fit_encoding(columns, MIXED)
    rows = encoder(encoding, MIXED)(columns)
    assert len(encoding.level_entries) == encoding.is_category.sum() > 0
    for column, levels in encoding.level_entries.items():
        own = rows.samples[rows.present[:, column] > 0][:, encoding.column_of == column]
        np.testing.assert_array_equal(levels.astype(np.float32), np.unique(own, axis=0))


def test_a_category_of_many_levels_has_a_bounded_width():
    values = [f"level {i}" for i in range(300) for _ in range(5)]
    assert encoded_column(Kind.CATEGORY, values).samples.shape[1] == MAX_LEVELS + 1


def test_two_levels_need_one_entry():
    samples = encoded_column(Kind.YES_NO, ["yes", "no"] * 10).samples
    assert samples.shape == (20, 1)
    assert samples[0] != samples[1]


@pytest.mark.parametrize(("days", "n_cycles"), [(1, 1), (10, 1), (15, 2), (500, 2), (800, 3)])
def test_times_use_the_cycles_that_the_training_data_covers_twice(days, n_cycles):
    values = 1.6e9 + np.linspace(0, days * DAY, 50)
    assert encoded_column(Kind.TIME, values).samples.shape[1] == 2 * n_cycles


def test_the_same_hour_of_another_day_is_the_same_sample():
    values = 1.6e9 + np.random.default_rng(0).uniform(0, 3 * DAY, 100)
    samples = encoded_column(Kind.TIME, values).samples
    later = encoded_column(Kind.TIME, values, values + 1000 * DAY).samples
    np.testing.assert_allclose(later, samples, atol=1e-5)


@pytest.mark.parametrize("unit", [1e-30, 1e-15, 1e15, 1e300])
def test_the_unit_of_a_number_does_not_matter(unit):
    values = np.random.default_rng(0).normal(3, 1, 100)
    scored = np.array([-5.0, 0.0, 3.0, 50.0])
    expected = encoded_column(Kind.NUMBER, values, scored)
    assert_same(encoded_column(Kind.NUMBER, values * unit, scored * unit), expected, 1e-5)


@pytest.mark.parametrize(("n_rows", "step"), [(60, 0.25), (250, 0.5), (500, 1.0), (2000, 1.0)])
def test_where_nothing_but_levels_varies_they_rise_with_the_number_of_rows(n_rows, step):
    levels, constant = raw(Kind.CATEGORY, ["a", "b", "b", "c", ""] * (n_rows // 5)), np.full(n_rows, 7.0)
    samples = fitted_samples(Kind.CATEGORY, levels, Kind.NUMBER, constant)[:, 1:]
    np.testing.assert_allclose(np.ptp(samples, axis=0), step, rtol=1e-6)
    assert not samples[4::5].any()


@pytest.mark.parametrize("kind", [Kind.NUMBER, Kind.TIME])
def test_beside_numbers_and_times_that_vary_levels_rise_by_a_quarter(kind):
    levels, others = raw(Kind.CATEGORY, ["a", "b", "b", "c"] * 500), DAY * np.arange(2000.0) / 7
    samples = fitted_samples(Kind.CATEGORY, levels, kind, others)[:, -3:]
    np.testing.assert_allclose(np.ptp(samples, axis=0), 0.25, rtol=1e-6)


def fitted_samples(kind, values, other_kind, others):
    """Fit two columns and return their training samples."""
    schema = Schema((Column("own", kind), Column("other", other_kind)))
    columns = {"own": values, "other": others}
    return encoder(fit_encoding(columns, schema), schema)(columns).samples


def test_given_levels_rise_four_times_as_much_with_few_rows_and_with_many():
    for n_rows, step in ((60, 0.25), (1000, 1.0)):
        columns = {name: raw(Kind.CATEGORY, ["a", "b", "b", "c"] * (n_rows // 4)) for name in ("own", "given")}
        schema = Schema(tuple(Column(name, Kind.CATEGORY) for name in columns)).with_given(["given"])
        encoding = fit_encoding(columns, schema)
        assert [encoding.columns[name].step for name in columns] == pytest.approx([step, 4 * step])
