"""The sample tables that ship with the repository."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_digits, load_wine

DATA = Path(__file__).parents[1] / "data"
SAMPLES = ("breast_cancer", "wine", "digits", "machines")
TABLES = [f"{sample}/{table}.csv" for sample in SAMPLES for table in ("train", "new")]
BUNDLED = {
    "breast_cancer": (load_breast_cancer, {1}),
    "wine": (load_wine, {0, 1}),
    "digits": (load_digits, {0, 1, 2, 3, 4}),
}


def read(table):
    with (DATA / table).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file, strict=True))


def values(row):
    return tuple(value for name, value in row.items() if name != "label")


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    subprocess.run([sys.executable, DATA / "make_samples.py", folder], check=True)
    return folder


@pytest.mark.parametrize("table", TABLES)
def test_script_writes_the_committed_bytes(written, table):
    assert (written / table).read_bytes() == (DATA / table).read_bytes()


def test_script_writes_every_table_and_nothing_else(written):
    assert sorted(path.relative_to(written).as_posix() for path in written.rglob("*.*")) == sorted(TABLES)


@pytest.mark.parametrize("table", TABLES)
def test_table_is_small(table):
    assert (DATA / table).stat().st_size < 300_000


@pytest.mark.parametrize("sample", SAMPLES)
def test_only_new_rows_have_a_label(sample):
    train, new = read(f"{sample}/train.csv"), read(f"{sample}/new.csv")
    assert [*train[0], "label"] == list(new[0])
    assert {row["label"] for row in new} == {"normal", "anomaly"}


@pytest.mark.parametrize("sample", SAMPLES)
def test_no_row_is_in_both_tables(sample):
    train, new = read(f"{sample}/train.csv"), read(f"{sample}/new.csv")
    assert not {values(row) for row in train} & {values(row) for row in new}


@pytest.mark.parametrize("sample", SAMPLES)
def test_readme_counts_the_rows(sample):
    labels = [row["label"] for row in read(f"{sample}/new.csv")]
    n_train, n_columns = len(read(f"{sample}/train.csv")), len(read(f"{sample}/train.csv")[0])
    row = f"| `{sample}` | {n_train} | {labels.count('normal')} | {labels.count('anomaly')} | {n_columns} "
    assert row in (DATA / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("sample", BUNDLED)
def test_labels_are_those_of_the_bundled_set(sample):
    load, normal = BUNDLED[sample]
    data = load()
    is_normal = dict(zip(map(tuple, data.data), np.isin(data.target, list(normal)), strict=True))

    def normality(row):
        return is_normal[tuple(float(value) for value in values(row))]

    assert all(normality(row) for row in read(f"{sample}/train.csv"))
    assert all(normality(row) == (row["label"] == "normal") for row in read(f"{sample}/new.csv"))


def test_training_jobs_of_machines_are_all_normal():
    rows = read("machines/train.csv")
    assert {row["status"] for row in rows} == {"OK"}
    assert len({row["job_id"] for row in rows}) == len(rows)
    assert len({(row["machine"], row["tool"]) for row in rows}) == 6
    assert all(row["coolant"] == "yes" for row in rows if row["material"] == "steel")
    assert {row["started_at"][11:13] for row in rows} <= {f"{hour:02d}" for hour in range(6, 22)}


def test_machines_have_missing_values_and_a_rare_category():
    rows = read("machines/train.csv")
    assert all(any(row[name] == "" for row in rows) for name in ("temperature_c", "vibration_mm_s", "tool_wear_um"))
    assert 1 <= sum(row["material"] == "titanium" for row in rows) <= 0.02 * len(rows)


def test_new_jobs_hold_values_never_seen_in_training():
    train, new = read("machines/train.csv"), read("machines/new.csv")
    for name, unseen in {"machine": {"M99"}, "material": {"oak"}, "status": {"FAULT"}}.items():
        assert {row[name] for row in new} - {row[name] for row in train} == unseen
