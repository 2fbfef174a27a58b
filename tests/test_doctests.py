"""The examples in docstrings run, say what they say, and warn of nothing."""

import doctest
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "gandetect").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]


def test_the_estimators_have_examples():
    assert {"gandetect.tables.estimator", "gandetect.images.estimator"} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name):
    result = doctest.testmod(import_module(name))
    assert result.attempted
    assert not result.failed
