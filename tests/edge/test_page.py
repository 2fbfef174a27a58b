"""The page for devices says what is true of the files that it speaks of."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gandetect import Scorer

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "edge" / "README.md").read_text(encoding="utf-8")
MACHINES = ROOT / "models" / "machines.onnx"


def test_every_output_is_explained_in_order():
    section = PAGE.split("## What comes out")[1].split("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE) == list(Scorer(MACHINES).schema.outputs)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", PAGE))))
def test_every_link_leads_somewhere(target):
    assert (ROOT / "docs" / "edge" / target).exists()


def test_the_first_command_scores_the_rows_beside_it():
    arguments = shlex.split(re.search("^python (.*)$", PAGE, re.MULTILINE)[1])
    run = subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    assert json.loads(run.stdout)["is_anomaly"] == [False, True, True]
    assert run.stderr == ""
