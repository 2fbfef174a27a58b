"""Ways to run the command line: in this process, which is fast, and in another one, where the system is part of it."""

import io
import os
import signal
import subprocess
import sys
from typing import NamedTuple

import pytest

from gandetect_cli.main import main
from gandetect_cli.progress import ProgressBar

NOT_INSTALLED = """
import sys

class NotInstalled:
    @staticmethod
    def find_spec(name, *_):
        if name == {package!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, NotInstalled)
"""


class Result(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def cli(capsys, monkeypatch, tmp_path):
    """Run a command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GANDETECT_MODEL", raising=False)

    def run(*arguments, stdin=b""):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin), encoding="ascii"))
        code = main([str(argument) for argument in arguments])
        return Result(code, *capsys.readouterr())

    return run


@pytest.fixture
def start(tmp_path):
    """Start a command in another process, in an empty folder; `code` runs first, `variables` join its environment."""
    started = []

    def run(*arguments, code="", variables=None, **options):
        program = f"{code}\nfrom gandetect_cli.main import run\nrun()"
        environment = {name: value for name, value in os.environ.items() if name != "GANDETECT_MODEL"}
        environment |= {"OMP_NUM_THREADS": "1"} | (variables or {})
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        command = [sys.executable, "-c", program, *map(str, arguments)]
        process = subprocess.Popen(command, cwd=tmp_path, env=environment, **(pipes | options))
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def not_installed():
    """Code that makes importing a package fail as if it were not there."""
    return lambda package: NOT_INSTALLED.format(package=package)


@pytest.fixture
def numbers():
    """Text of a small table of numbers, and its rows."""
    rows = [f"{i % 7},{(i * 37) % 101 / 10},{(i * 53) % 89}" for i in range(60)]
    return "a,b,c\n" + "".join(f"{row}\n" for row in rows)


@pytest.fixture
def stopping(monkeypatch):
    """Make the first progress of learning a signal to stop, once."""
    stopped = []

    class StoppingBar(ProgressBar):
        def update(self, *_, **__):
            if not stopped:
                stopped.append(True)
                os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr("gandetect_cli.learning.ProgressBar", StoppingBar)
