"""Whatever fails while a file is written, the earlier file stays, whole, and nothing is left beside it."""

import errno
import io
import itertools
import os
import random
import re
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gandetect import files
from gandetect.errors import FileAccessError, InputError
from gandetect.files import atomic_writer, write_atomically

OLD = b"earlier"
PIECES = [bytes([number]) * 10_000 for number in range(6)]
NEW = b"".join(PIECES)

POSIX = pytest.mark.skipif(os.name == "nt", reason="needs devices, permissions and links of POSIX")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(OLD)
    return path


def stream(path):
    with atomic_writer(path) as file:
        for piece in PIECES:
            file.write(piece)


def write_at_once(path):
    write_atomically(path, NEW)


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def failing(real, n_good, n_bad, error):
    """Return a function that works `n_good` times, then raises `n_bad` times, then works again."""
    count = itertools.count()

    def call(*arguments, **keywords):
        if n_good <= next(count) < n_good + n_bad:
            raise error
        return real(*arguments, **keywords)

    return call


def inject(monkeypatch, point, n_good, error):
    """Make a system call fail: a write for ever, as on a full disk, anything else once."""
    if point in ("write", "close", "__init__"):
        call = failing(getattr(io.FileIO, point), n_good, 10**9 if point == "write" else 1, error)
        # Stands below the class under test, where the system is.
        system = type("System", (io.FileIO,), {point: call})
        monkeypatch.setattr(files, "_Target", type("Target", (files._Target, system), {}))
    else:
        owner = files.os if point in ("fsync", "stat") else files.Path
        monkeypatch.setattr(owner, point, failing(getattr(owner, point), n_good, 1, error))


POINTS = [
    *(("write", n_good) for n_good in range(6)),
    *((point, 0) for point in ("stat", "__init__", "chmod", "fsync", "close", "replace")),
]
REASONS = {
    errno.ENOSPC: "No space left on device; free some space or name a path on another disk",
    errno.EIO: "Input/output error; check the path and the disk",
}


@pytest.mark.parametrize("write", [stream, write_at_once])
@pytest.mark.parametrize("is_there", [True, False], ids=["replaced", "created"])
def test_the_file_is_written_whole_and_nothing_is_left_beside_it(path, write, is_there):
    if not is_there:
        path.unlink()
    write(path)
    assert path.read_bytes() == NEW
    assert names(path.parent) == ["model.onnx"]


def test_the_new_content_appears_only_at_the_end(path):
    with atomic_writer(path) as file:
        file.write(NEW)
        file.flush()
        assert path.read_bytes() == OLD
        assert re.fullmatch(r"\.gandetect-[0-9a-f]{16}\.tmp", names(path.parent)[0])
    assert path.read_bytes() == NEW


def test_the_file_is_forced_to_the_disk_before_it_is_renamed_and_the_folder_afterwards(monkeypatch, path):
    calls = []

    def record(owner, name, what):
        real = getattr(owner, name)
        monkeypatch.setattr(owner, name, lambda *arguments: (calls.append(what(arguments)), real(*arguments))[1])

    record(files.os, "fsync", lambda arguments: "folder" if stat.S_ISDIR(os.fstat(arguments[0]).st_mode) else "file")
    record(files.Path, "replace", lambda _: "rename")
    stream(path)
    assert calls == ["file", "rename", "folder"]


@pytest.mark.parametrize("number", REASONS)
@pytest.mark.parametrize(
    ("write", "point", "n_good"),
    [(stream, *place) for place in POINTS] + [(write_at_once, *place) for place in POINTS if not place[1]],
)
def test_a_system_call_that_fails_leaves_the_earlier_file_alone(monkeypatch, path, write, point, n_good, number):
    inject(monkeypatch, point, n_good, OSError(number, os.strerror(number)))
    with pytest.raises(FileAccessError) as failure:
        write(path)
    assert str(failure.value) == f"Cannot write {str(path)!r}: {REASONS[number]}."
    assert failure.value.__cause__.errno == number
    monkeypatch.undo()
    assert path.read_bytes() == OLD
    assert names(path.parent) == [path.name]


@pytest.mark.parametrize(("point", "n_good"), POINTS)
def test_ctrl_c_at_any_moment_leaves_the_earlier_file_alone(monkeypatch, path, point, n_good):
    inject(monkeypatch, point, n_good, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        stream(path)
    monkeypatch.undo()
    assert path.read_bytes() == OLD
    assert names(path.parent) == [path.name]


@pytest.mark.parametrize(
    "error", [InputError("row 3"), OSError(errno.EIO, "other file"), ValueError("v"), SystemExit()]
)
def test_an_error_of_the_caller_passes_unchanged_and_the_earlier_file_stays(path, error):
    def write():
        with atomic_writer(path) as file:
            file.write(NEW)
            raise error

    with pytest.raises(type(error)) as failure:
        write()
    assert failure.value is error
    assert path.read_bytes() == OLD
    assert names(path.parent) == [path.name]


def test_the_first_reason_is_told_when_closing_fails_too(monkeypatch, path):
    inject(monkeypatch, "write", 0, OSError(errno.ENOSPC, "full"))
    error = InputError("row 3")

    def write():
        with atomic_writer(path) as file:
            file.write(b"still buffered")
            raise error

    with pytest.raises(InputError) as failure:
        write()
    assert failure.value is error
    assert names(path.parent) == [path.name]


@POSIX
def test_a_limit_of_the_system_on_the_size_of_files_is_reported(path):
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(NEW) // 2, limits[1]))
        with pytest.raises(FileAccessError, match="File too large; raise the limit on the size of files or name"):
            stream(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == OLD
    assert names(path.parent) == [path.name]


@POSIX
@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.EACCES])
def test_a_folder_that_cannot_be_synced_is_no_error(monkeypatch, path, number):
    inject(monkeypatch, "fsync", 1, OSError(number, os.strerror(number)))
    stream(path)
    assert path.read_bytes() == NEW


@POSIX
def test_a_failing_disk_after_the_rename_is_reported_and_the_new_file_is_whole(monkeypatch, path):
    inject(monkeypatch, "fsync", 1, OSError(errno.EIO, os.strerror(errno.EIO)))
    with pytest.raises(FileAccessError, match="Cannot confirm that the disk keeps the completely written '"):
        stream(path)
    assert path.read_bytes() == NEW
    assert names(path.parent) == [path.name]


@POSIX
@pytest.mark.parametrize("permissions", [0o600, 0o640, 0o666, 0o755])
def test_an_existing_file_keeps_its_permissions(path, permissions):
    path.chmod(permissions)
    stream(path)
    assert mode(path) == permissions


@POSIX
def test_a_new_file_gets_the_permissions_of_any_new_file(tmp_path):
    earlier = os.umask(0o027)
    try:
        stream(tmp_path / "new")
    finally:
        os.umask(earlier)
    assert mode(tmp_path / "new") == 0o640


def test_a_write_protected_file_is_not_replaced(monkeypatch, path):
    # By a stand-in for the question, because root may write everything.
    monkeypatch.setattr(files.os, "access", lambda *_: False)
    with pytest.raises(FileAccessError, match="Permission denied; change the permissions or name another path"):
        stream(path)
    assert path.read_bytes() == OLD


@POSIX
def test_a_symbolic_link_stays_and_its_target_is_replaced(tmp_path):
    (tmp_path / "models").mkdir()
    target, link = tmp_path / "models" / "v1.onnx", tmp_path / "current.onnx"
    link.symlink_to(Path("models") / "v1.onnx")
    for content in (b"first", NEW):
        write_atomically(link, content)
        assert link.is_symlink()
        assert not target.is_symlink()
        assert target.read_bytes() == content
    assert names(tmp_path) == ["current.onnx", "models"]
    assert names(tmp_path / "models") == ["v1.onnx"]


@POSIX
def test_a_hard_link_keeps_the_old_content(path):
    other = path.with_name("other")
    other.hardlink_to(path)
    stream(path)
    assert (path.read_bytes(), other.read_bytes()) == (NEW, OLD)


@POSIX
def test_a_device_is_written_to_and_not_replaced():
    write_atomically("/dev/null", NEW)
    assert stat.S_ISCHR(Path("/dev/null").stat().st_mode)


@POSIX
def test_a_full_device_is_reported():
    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    with pytest.raises(FileAccessError, match="Cannot write '/dev/full': No space left on device; free some space"):
        write_atomically("/dev/full", b"1")


@POSIX
def test_a_pipe_is_written_to():
    script = "from gandetect.files import write_atomically; write_atomically('/dev/stdout', b'data')"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == b"data"


@POSIX
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("", "No such file or directory; check the path, and that its folder exists"),
        ("{}", "Is a directory; name a file inside that folder"),
        ("{}/absent/x", "No such file or directory; check the path, and that its folder exists"),
        ("{}/file/x", "Not a directory; name a path whose parts are folders"),
        ("{}/loop", "Too many levels of symbolic links; repair the symbolic link or name another path"),
        ("{}/" + "x" * 300, "File name too long; choose a shorter name"),
        ("{}/nul\0", "embedded null byte; check the path"),
    ],
)
def test_a_path_that_cannot_be_written_is_named_with_what_to_do(tmp_path, name, message):
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    place = name.format(tmp_path)
    with pytest.raises(FileAccessError) as failure:
        write_atomically(place, NEW)
    assert str(failure.value) == f"Cannot write {place!r}: {message}."
    assert names(tmp_path) == ["file", "loop"]


def test_the_longest_possible_name_can_be_written(tmp_path):
    write_atomically(tmp_path / ("x" * 255), NEW)
    assert names(tmp_path) == ["x" * 255]


def test_a_name_without_a_folder_is_written_to_the_current_one(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    write_atomically("model.onnx", NEW)
    assert names(tmp_path) == ["model.onnx"]


def test_text_can_be_streamed_through_a_layer_that_is_detached(path):
    with atomic_writer(path) as file:
        text = io.TextIOWrapper(file, encoding="utf-8", newline="")
        text.write("grün\n")
        text.detach()
    assert path.read_bytes() == "grün\n".encode()


WRITE_FOR_EVER = """
import sys
from gandetect.files import write_atomically
letter = 0
print("ready", flush=True)
while True:
    letter = (letter + 1) % 26
    write_atomically(sys.argv[1], bytes([65 + letter]) * 3_000_000)
"""


@POSIX
def test_a_killed_process_leaves_a_whole_file(path):
    path.write_bytes(b"A" * 3_000_000)
    moments = random.Random(0)
    contents = set()
    for _ in range(20):
        command = [sys.executable, "-c", WRITE_FOR_EVER, path]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            process.stdout.readline()
            time.sleep(moments.uniform(0, 0.05))
            process.kill()
        content = path.read_bytes()
        assert len(content) == 3_000_000
        assert len(set(content)) == 1
        contents.add(content[:1])
    assert len(contents) > 1, "no process came to write anything"
    assert all(name == path.name or name.startswith(".gandetect-") for name in names(path.parent))
