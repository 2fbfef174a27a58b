"""The oldest versions that pyproject.toml allows are installed together, and compute what was trained."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.edge


def run(*command):
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, check=True).stdout


def test_the_oldest_versions_are_the_ones_that_are_tested(oldest_python):
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    floors = dict(re.findall(r"^(numpy|onnxruntime)>=(\S+)$", "\n".join(dependencies), re.MULTILINE))
    installed = run(oldest_python, "-c", "import numpy, onnxruntime; print(numpy.__version__, onnxruntime.__version__)")
    assert installed.split() == [f"{floors['numpy']}.0", f"{floors['onnxruntime']}.0"]


@pytest.mark.parametrize("model", sorted((ROOT / "models").glob("*.onnx")), ids=lambda path: path.stem)
def test_the_oldest_versions_compute_the_golden_rows(oldest_python, model):
    assert run(oldest_python.with_name("gandetect"), "verify", model).startswith("OK: ")
