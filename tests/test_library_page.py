"""The page about the library names all that is public, its code runs, and docstrings say what goes in and out."""

import inspect
import re
import shutil
import subprocess
import sys
from enum import Enum
from pathlib import Path

import pytest

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


def public_callables():
    """Return all public classes and functions, and the methods that are written here, by name."""
    found = {name: getattr(gandetect, name) for name in gandetect.__all__}
    found = {
        name: one for name, one in found.items() if not (inspect.isclass(one) and issubclass(one, Enum | Exception))
    }
    for name, one in list(found.items()):
        methods = inspect.getmembers(one, inspect.isroutine) if inspect.isclass(one) else ()
        found |= {
            f"{name}.{own}": method
            for own, method in methods
            if (own == "__call__" or not own.startswith("_")) and method.__module__.startswith("gandetect")
        }
    return found


CALLABLES = public_callables()


def section(docstring, title):
    """Return the lines of a section of a numpydoc docstring."""
    found = re.search(rf"^{title}\n-+\n(.*?)(?=^\S[^\n]*\n-+$|\Z)", docstring, flags=re.DOTALL | re.MULTILINE)
    return found[1].splitlines() if found else []


@pytest.mark.parametrize("name", CALLABLES)
def test_docstrings_name_every_parameter_and_what_is_returned(name):
    one = CALLABLES[name]
    docstring, signature = inspect.getdoc(one), inspect.signature(one)
    heads = [line.partition(" : ")[0] for line in section(docstring, "Parameters") if not line.startswith(" ")]
    described = [each.strip("*") for head in heads for each in head.split(", ")]
    assert sorted(each for each in described if each) == sorted(signature.parameters.keys() - {"self"})
    if not inspect.isclass(one) and signature.return_annotation not in (None, "None"):
        assert section(docstring, "Returns")


@pytest.mark.parametrize("name", [name for name in CALLABLES if "Detector." in name or "Explanation." in name])
def test_docstrings_of_methods_that_take_data_or_positions_say_what_is_raised(name):
    assert section(inspect.getdoc(CALLABLES[name]), "Raises")
