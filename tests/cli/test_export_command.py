import json
import shutil


def test_export_writes_a_variant_that_verify_accepts_and_says_how_it_compares(cli, small_model):
    result = cli("export", small_model, "--storage", "fp16", "-o", "half.onnx")
    assert result.code == 0
    assert result.out.startswith("half.onnx: ")
    assert "compared on 8 golden rows and 10,000 made rows: largest difference of the scores" in result.out
    assert cli("verify", "half.onnx").code == 0
    assert "export\n  flags_changed: " in cli("inspect", "half.onnx").out


def test_export_gives_the_comparison_as_json(cli, small_model):
    found = json.loads(cli("export", small_model, "--storage", "fp16", "-o", "half.onnx", "--json").out)
    assert found["model"] == "half.onnx"
    assert found["n_bytes"][1] < found["n_bytes"][0]


def test_export_without_a_variant_or_with_rows_that_nothing_is_taught_with_is_refused(cli, small_model):
    shutil.copy(small_model, "gandetect.onnx")
    result = cli("export", "-o", "small.onnx")
    assert result.code == 2
    assert "Expected a variant to make, found none; ask for half precision or for a distilled model." in result.err
    result = cli("export", "--storage", "fp16", "--data", "rows.csv", "-o", "small.onnx")
    assert result.code == 2
    assert "Expected --distill together with --data, found --data alone; add --distill." in result.err
