"""The page about the library names all that is public, and its code runs as it stands."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import gandetect

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")


def test_every_public_name_is_on_the_page_and_no_other():
    table = PAGE.partition("|---|---|")[2]
    named = [name for name in re.findall(r"`([A-Za-z_]+)`", table) if name not in ("result", "GridSearchCV")]
    assert sorted(named) == gandetect.__all__


def test_the_code_of_the_page_runs(tmp_path):
    shutil.copytree(ROOT / "models", tmp_path / "models")
    (code,) = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
    script = f"import warnings\nwarnings.simplefilter('error')\n{code}"
    ran = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    auroc = float(ran.stdout.split()[0])
    assert auroc > 0.9
