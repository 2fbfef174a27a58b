"""The page for devices says what is true of the files that it speaks of."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gandetect import Scorer

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "edge" / "README.md").read_text(encoding="utf-8")
MACHINES, DIGITS = (ROOT / "models" / f"{name}.onnx" for name in ("machines", "digit_pictures"))


def test_every_output_is_explained_in_order():
    section = PAGE.split("## What comes out")[1].split("\n## ")[0]
    of_rows, of_pictures = (Scorer(model).schema.outputs for model in (MACHINES, DIGITS))
    explained = [*of_rows, *(name for name in of_pictures if name not in of_rows)]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == explained
    assert of_pictures[:5] == of_rows[:5]


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", PAGE))))
def test_every_link_leads_somewhere(target):
    assert (ROOT / "docs" / "edge" / target).exists()


def test_the_first_command_scores_the_rows_beside_it():
    arguments = shlex.split(re.search("^python (.*)$", PAGE, re.MULTILINE)[1])
    run = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(run.stdout)["is_anomaly"] == [False, True, True]
    assert run.stderr == ""


def update(folder, new):
    """Run the commands of the page that put a new model in the place of the old one."""
    commands = re.search("^## Updating a model$.*?^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)[1]
    environment = os.environ | {"NEW": str(new), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    return subprocess.run(["bash", "-euc", commands], cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture
def device(tmp_path):
    """Return a folder with a model that is in use."""
    shutil.copy(ROOT / "models" / "breast_cancer.onnx", tmp_path / "model.onnx")
    return tmp_path


def test_the_update_takes_a_good_model_and_keeps_the_one_before(device):
    before = (device / "model.onnx").read_bytes()
    assert update(device, MACHINES).returncode == 0
    assert (device / "model.onnx").read_bytes() == MACHINES.read_bytes()
    assert (device / "model.onnx.previous").read_bytes() == before


def test_the_update_leaves_the_old_model_where_the_new_one_is_bad(device):
    before = (device / "model.onnx").read_bytes()
    cut = device / "cut.onnx"
    cut.write_bytes(MACHINES.read_bytes()[:-1])
    ended = update(device, cut)
    assert ended.returncode == 2
    assert ended.stderr.startswith("gandetect: Expected a whole model file")
    assert (device / "model.onnx").read_bytes() == before
