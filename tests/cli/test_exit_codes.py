import contextlib
import os
import signal
import threading
from importlib.metadata import version

import pytest

import gandetect
from gandetect.wording import plain
from gandetect_cli.stopping import Stopped, stop_if_asked, stoppable, unbroken


def test_the_version_is_shown(cli):
    assert cli("--version") == (0, f"gandetect {version('gandetect')}\n", "")


def test_without_a_command_the_help_is_shown(cli):
    result = cli()
    assert (result.code, result.err) == (0, "")
    assert result.out == cli("--help").out
    assert result.out.index("Examples:") < result.out.index("Options:")
    verbs = ("fit", "score", "evaluate", "inspect", "drift", "report", "verify")
    assert all(f"\n  {verb} " in result.out for verb in verbs)


@pytest.mark.parametrize("verb", ["fit", "score", "evaluate", "inspect", "drift", "report", "verify"])
def test_the_help_of_every_command_starts_with_examples(cli, verb):
    result = cli(verb, "--help")
    assert (result.code, result.err) == (0, "")
    assert result.out.splitlines()[2].strip() == "Examples:"


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (["fitt"], "gandetect"),
        (["--fast"], "gandetect"),
        (["fit"], "gandetect fit"),
        (["fit", "data.csv", "--fast"], "gandetect fit"),
        (["score", "data.csv", "--explain", "many"], "gandetect score"),
        (["score", "data.csv", "--on-error", "ignore"], "gandetect score"),
        (["evaluate"], "gandetect evaluate"),
    ],
)
def test_a_wrong_command_line_is_one_sentence(cli, arguments, where):
    result = cli(*arguments)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith("gandetect: ")
    assert result.err.endswith(f"; see {where} --help.\n")
    assert result.err.count("\n") == 1


@pytest.mark.parametrize("said", ["", "Expected enough memory to run the model, found too little; free some."])
def test_too_little_memory_is_no_bug(cli, small_model, monkeypatch, said):
    def without_memory(*_):
        raise MemoryError(said)

    monkeypatch.setattr(gandetect.Scorer, "verify", without_memory)
    sentence = said or "Expected enough memory, found too little; free some of it."
    assert cli("verify", small_model) == (2, "", f"gandetect: {sentence}\n")


def test_a_bug_is_one_sentence_and_its_traceback_only_on_request(cli, small_model, monkeypatch):
    def broken(*_):
        raise RuntimeError("first\nsecond")

    monkeypatch.setattr(gandetect.Scorer, "verify", broken)
    monkeypatch.delenv("GANDETECT_DEBUG", raising=False)
    result = cli("verify", small_model)
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "gandetect: This is a bug in gandetect (RuntimeError: first second); please report it with what "
        "GANDETECT_DEBUG=1 in the environment shows.\n"
    )
    monkeypatch.setenv("GANDETECT_DEBUG", "1")
    assert cli("verify", small_model).err.startswith("Traceback (most recent call last)")


def test_completion_names_the_commands(start):
    variables = {"_GANDETECT_COMPLETE": "complete_bash", "COMP_WORDS": "gandetect sc", "COMP_CWORD": "1"}
    out, _ = start(variables=variables).communicate()
    assert out.split() == [b"score"]


def test_a_closed_stdout_is_one_sentence(start, small_model):
    process = start("verify", small_model, code="import sys; sys.stdout = None")
    _, err = process.communicate()
    assert process.returncode == 4
    assert err.startswith(b"gandetect: Cannot write '<stdout>': it is closed")


def test_control_characters_never_reach_the_terminal():
    assert plain("a\x1b[31mb\nc\td\x07\u202ee\x9bf") == "a[31mb c def"


def two_parts(number, n_signals):
    """Send signals between the two parts of a block that is not to be broken; return the parts that ran."""
    done = []

    def run():
        with stoppable(), unbroken():
            done.append("first")
            for _ in range(n_signals):
                os.kill(os.getpid(), number)
            done.append("second")

    before = signal.signal(number, signal.SIG_DFL)  # a job in the background is started with SIGINT ignored
    try:
        with pytest.raises(Stopped, match=str(128 + number)):
            run()
    finally:
        signal.signal(number, before)
    return done


def test_a_signal_waits_for_the_end_of_a_line():
    assert two_parts(signal.SIGINT, n_signals=1) == ["first", "second"]


def test_a_second_signal_does_not_wait():
    assert two_parts(signal.SIGTERM, n_signals=2) == ["first"]


def test_a_signal_that_python_dropped_is_not_forgotten():
    with stoppable():
        stop_if_asked()
        with contextlib.suppress(Stopped):
            os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(Stopped, match="143"):
            stop_if_asked()
    with stoppable():
        stop_if_asked()


def test_handlers_are_put_back_and_ignored_signals_stay_ignored():
    before = signal.getsignal(signal.SIGINT)
    ignored = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with stoppable():
            os.kill(os.getpid(), signal.SIGTERM)
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGTERM, ignored)
    assert signal.getsignal(signal.SIGINT) is before


def test_threads_other_than_the_main_one_can_run_commands(cli, small_model):
    codes = []
    thread = threading.Thread(target=lambda: codes.append(cli("verify", small_model).code))
    thread.start()
    thread.join()
    assert codes == [0]
