"""The README's Python blocks run as they stand; its shell blocks are run by the continuous integration."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)


def test_the_python_blocks_run_one_after_the_other(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "models", tmp_path / "models")
    script = "import warnings\nwarnings.simplefilter('error')\n" + "\n".join(blocks("python"))
    ran = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert (tmp_path / "tumours.onnx").exists()


def test_the_first_screen_has_the_two_commands_of_a_fresh_machine() -> None:
    first, second = blocks("sh")[:2]
    assert "gandetect fit data/" in first
    assert "gandetect score data/" in first
    assert "pytest" in second
    assert README[: README.index(second)].count("\n") < 30


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_every_link_leads_somewhere(target: str) -> None:
    assert (ROOT / target).exists()
