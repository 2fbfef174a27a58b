"""Hosts that may not be installed."""

import functools
import os
import shutil
from pathlib import Path

import pytest
from hosts import HOSTS, OLDEST_PYTHON


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory):
    """Return a host's folder by its name: a program is compiled once."""
    return functools.cache(lambda name: tmp_path_factory.mktemp("host"))


@pytest.fixture(params=HOSTS)
def host(request, folder_of):
    """Return how a host scores a file of rows: `score(model, rows)`."""
    chosen = HOSTS[request.param]
    require(chosen.needs)
    return lambda model, rows: chosen.score(model, rows, folder_of(request.param))


@pytest.fixture
def oldest_python():
    """Return the Python in which the oldest versions that we allow are installed."""
    require([OLDEST_PYTHON])
    return OLDEST_PYTHON


def require(needs):
    """Skip a test for which something is not installed."""
    missing = [str(need) for need in needs if not (shutil.which(need) or Path(need).exists())]
    if missing:
        # The continuous integration installs every host, and none may go missing unnoticed.
        refuse = pytest.fail if os.environ.get("GANDETECT_ALL_HOSTS") else pytest.skip
        refuse(f"found no {', '.join(missing)}: run tests/edge/install_clients.sh")
