import hashlib
import json
import re
import shutil
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import gandetect
from gandetect.image_schema import ImageSchema
from gandetect.modality import CHUNK_ROWS
from gandetect_cli import timing


def test_inspect_shows_what_the_file_says(cli, small_model):
    result = cli("inspect", small_model)
    assert (result.code, result.err) == (0, "")
    assert f"sha256 {hashlib.sha256(small_model.read_bytes()).hexdigest()}\n" in result.out
    assert re.search(r"^machine +category +0\.0 %  +(M0\d \d+ %, ){4}\.\.\. \(6 in all\)$", result.out, re.M)
    assert re.search(r"^started_at +time +0\.0 % +2025-01-01 to 2025-12-31, median 2025-", result.out, re.M)
    assert re.search(r"^temperature_c +number +2\.5 % +36\.3 to 59\.3, median 47\.3$", result.out, re.M)
    assert re.search(r"^job_id +id +every value is different: an id$", result.out, re.M)
    assert "training\n  contamination: auto\n  island_share: 0\n  n_known_anomalies: 0\n  n_rows: 600\n" in result.out
    assert "  trimmed_share: 0\n" in result.out
    assert "trimmed_columns" not in result.out
    assert "calibration\n  alpha: 0.05\n" in result.out


def test_inspect_shows_the_certificate(cli, small_model):
    out = cli("inspect", small_model).out
    assert "certificate\n  share found of 200 planted anomalies of each kind at a false-alarm rate of 0.05" in out
    assert re.search(r"^kind +strength +gandetect +isolation forest +kNN$", out, re.M)
    for kind in ("local +5", "global +1.1", "dependency +1", "cluster +5"):
        assert re.search(rf"^{kind} +\d+ % +\d+ % +\d+ %$", out, re.M)
    assert re.search(r"^false alarms +\d+\.\d % +\d+\.\d % +\d+\.\d %$", out, re.M)
    # After 30 steps a plain detector is better at something, and the file says so.
    assert re.search(
        r"^  on this table a plain (kNN|isolation forest) finds more of kind \w+: \d+ %, this model", out, re.M
    )


def test_inspect_gives_the_whole_manifest_but_the_golden_rows_as_json(cli, small_model):
    about = json.loads(cli("inspect", small_model, "--json").out)
    _, manifest = gandetect.read_model(small_model)
    assert about["bytes"] == small_model.stat().st_size
    assert about["sha256"] == hashlib.sha256(small_model.read_bytes()).hexdigest()
    assert {key: about[key] for key in manifest if key != "golden"} == {
        key: value for key, value in manifest.items() if key != "golden"
    }
    assert "golden" not in about


def test_inspect_strips_control_characters_from_names(cli):
    table = "a,b\x1b[31m\u202e\n" + "".join(f"{i % 3},{i % 5}\n" for i in range(30))
    result = cli("fit", "-", "--steps", 2, "--drop", "b\x1b[31m\u202e", stdin=table.encode())
    assert result.code == 0
    out = cli("inspect").out
    assert "\x1b" not in out + result.err
    assert "\u202e" not in out + result.err
    assert re.search(r"^b\[31m +number +dropped on request$", out, re.M)


def test_verify_recomputes_the_golden_rows(cli, small_model):
    result = cli("verify", small_model)
    assert result.code == 0
    n_rows = len(gandetect.read_model(small_model)[1]["golden"]["outputs"]["p_value"])
    assert n_rows > 4  # those beside a step of the p-value were left out
    assert re.fullmatch(rf"OK: .*: {n_rows} golden rows recomputed, largest difference \S+\n", result.out)
    answer = json.loads(cli("verify", small_model, "--json").out)
    assert answer["ok"] is True
    assert answer["golden_rows"] == n_rows
    assert answer["largest_difference"] <= 1e-5


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(timing, "SECONDS", 0.01)


def test_verify_measures_what_scoring_costs_here(cli, small_model, quick):
    answer = json.loads(cli("verify", small_model, "--timing", "--threads", 100_000, "--json").out)
    costs = answer["timing"]
    assert answer["ok"] is True
    assert (costs["onnxruntime"], costs["batch_rows"]) == (onnxruntime.__version__, CHUNK_ROWS)
    assert costs["threads"] == gandetect.Scorer(small_model, threads=100_000).threads
    assert 0 < costs["row_seconds"] <= costs["row_seconds_95"]
    # How long which takes is a matter of what else the machine does.
    assert costs["batch_seconds"] > 0
    assert costs["load_seconds"] > 0
    assert costs["peak_bytes"] > small_model.stat().st_size


def test_verify_lays_the_costs_out_for_people(cli, small_model, quick):
    out = cli("verify", small_model, "--timing").out
    assert out.startswith("OK: ")
    assert re.search(rf"^ONNX Runtime +{re.escape(onnxruntime.__version__)} +threads: 1$", out, re.M)
    assert re.search(r"^one row +\d+(\.\d)? (us|ms) +95 % within \d+(\.\d)? (us|ms)$", out, re.M)
    assert re.search(rf"^{CHUNK_ROWS} rows +\d+(\.\d)? (us|ms) +[\d,]+ a second$", out, re.M)
    assert re.search(r"^memory +[\d.]+ MB +the most that this process had$", out, re.M)


def test_verify_measures_nothing_unless_asked(cli, small_model):
    assert cli("verify", small_model).out.count("\n") == 1
    assert "timing" not in json.loads(cli("verify", small_model, "--json").out)


def test_any_number_of_golden_rows_can_be_had(small_model):
    scorer = gandetect.Scorer(small_model)
    n_golden = len(scorer.golden_rows()[1]["p_value"])
    speeds = [timing.golden_rows(scorer, n)["speed_rpm"] for n in (1, n_golden, 20)]
    assert [len(values) for values in speeds] == [1, n_golden, 20]
    np.testing.assert_array_equal(speeds[2][n_golden : 2 * n_golden], speeds[1])


def test_verify_speaks_of_pictures_where_the_model_is_for_them(cli, monkeypatch):
    model = Path(__file__).parents[2] / "models" / "digit_pictures.onnx"
    assert ": 4 golden pictures recomputed, largest difference " in cli("verify", model).out
    monkeypatch.setattr(ImageSchema, "tolerance", -1)
    assert "Expected the golden pictures' anomaly_score within -1, found a difference of " in cli("verify", model).err


def test_verify_fails_where_the_machine_computes_something_else(cli, small_model, monkeypatch):
    real = gandetect.Scorer.__call__

    def another(self, *arguments, **options):
        return {name: values + (name == "realness") for name, values in real(self, *arguments, **options).items()}

    monkeypatch.setattr(gandetect.Scorer, "__call__", another)
    result = cli("verify", small_model)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("gandetect: Expected the golden rows' realness within 1e-05, found a difference of ")


def test_the_default_model_file_is_used(cli, small_model, tmp_path):
    shutil.copy(small_model, tmp_path / "gandetect.onnx")
    assert cli("verify").code == 0
    assert cli("inspect").out.startswith("gandetect.onnx: ")


def test_of_a_long_list_only_the_ends_are_shown(cli, small_model):
    percentiles = gandetect.read_model(small_model)[1]["calibration"]["percentiles"]
    low, high = (f"{percentiles[end]:.6g}" for end in (0, -1))
    assert f"  percentiles: 101 values from {low} to {high}\n" in cli("inspect", small_model).out
