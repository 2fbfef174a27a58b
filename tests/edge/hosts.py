"""The hosts that score with a model file: each takes a model and a file of rows, and gives the answers by name.

`install_clients.sh` installs what they need.
"""

import functools
import html
import http.server
import json
import re
import subprocess
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PROGRAMS = ROOT / "docs" / "edge"
PACKAGES = PROGRAMS / "node_modules"
BARE_PYTHON, OLDEST_PYTHON = (ROOT / "build" / "edge" / name / "bin" / "python" for name in ("bare", "oldest"))
LIBRARIES = PACKAGES / "onnxruntime-node" / "bin" / "napi-v6" / "linux"
HEADERS = (
    PACKAGES
    / "com.github.asus4.onnxruntime/Plugins/iOS~/onnxruntime.xcframework/ios-arm64/onnxruntime.framework/Headers"
)
JSON_HEADERS = Path("/usr/include/nlohmann")
ARM_SYSTEM = Path("/usr/aarch64-linux-gnu")

ARM_PROCESSOR = """processor : 0
Features : fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp
CPU implementer : 0x41
CPU architecture: 8
CPU variant : 0x3
CPU part : 0xd0c
CPU revision : 1
"""
"""A Neoverse N1, in place of the real processor that /proc/cpuinfo would show inside the emulator."""

CHROMIUM = (
    *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
    *("--virtual-time-budget=60000", "--dump-dom"),
)


class Host(NamedTuple):
    """`score(model, rows, folder)` returns the answers; `needs` are commands and files, `folder` is for its own use."""

    score: Callable[[Path, Path, Path], dict[str, list]]
    needs: tuple[str | Path, ...]


class HostError(Exception):
    """A host gave no answers; what it said instead."""


def output_of(*command):
    run = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=120, check=False)
    if run.returncode:
        assert run.stdout == "", "half of an answer"
        raise HostError(run.stderr)
    return run.stdout


def in_python(python, model, rows, folder):
    return json.loads(output_of(python, PROGRAMS / "score.py", model, rows))


def in_node(model, rows, folder):
    return json.loads(output_of("node", PROGRAMS / "score.mjs", model, rows))


def in_cpp(compiler, system, emulator, model, rows, folder):
    program = compiled(compiler, system, folder)
    return json.loads(output_of(*emulator, program, model, rows))


def compiled(compiler, system, folder):
    """Compile score.cpp, once for each folder."""
    program, library = folder / compiler, LIBRARIES / system
    if not program.exists():
        # A cross compiler does not look into the headers of this machine.
        (folder / "nlohmann").symlink_to(JSON_HEADERS)
        headers, libraries = ("-I", HEADERS, "-I", folder), ("-L", library, "-l:libonnxruntime.so.1")
        flags = ("-std=c++17", "-Wall", "-Wextra", "-Werror", f"-Wl,-rpath,{library}")
        output_of(compiler, *flags, *headers, PROGRAMS / "score.cpp", "-o", program, *libraries)
    return program


def in_cpp_on_arm(model, rows, folder):
    system = folder / "system"
    if not system.exists():
        (system / "proc").mkdir(parents=True)
        (system / "proc" / "cpuinfo").write_text(ARM_PROCESSOR)
        (system / "lib").symlink_to(ARM_SYSTEM / "lib")
    return in_cpp("aarch64-linux-gnu-g++", "arm64", ("qemu-aarch64", "-L", system), model, rows, folder)


def in_browser(model, rows, folder):
    site = Path(tempfile.mkdtemp(dir=folder))
    for name, target in {"model.onnx": model, "rows.json": rows}.items():
        (site / name).symlink_to(target)
    for name in ("score.html", "rows.mjs", "node_modules"):
        (site / name).symlink_to(PROGRAMS / name)
    handler = functools.partial(QuietHandler, directory=site)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        page = f"http://127.0.0.1:{server.server_port}/score.html?model=model.onnx&rows=rows.json"
        try:
            shown = output_of(*CHROMIUM, f"--user-data-dir={site / 'user'}", page)
        finally:
            server.shutdown()
    answers = html.unescape(re.search('<pre id="answers">(.*?)</pre>', shown, re.DOTALL)[1])
    if not answers.startswith("{"):
        raise HostError(answers)
    return json.loads(answers)


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    """Serves files and says nothing of it."""

    def log_message(self, *_):
        pass


HOSTS = {
    "Python": Host(functools.partial(in_python, BARE_PYTHON), (BARE_PYTHON,)),
    "Python, oldest runtime": Host(functools.partial(in_python, OLDEST_PYTHON), (OLDEST_PYTHON,)),
    "Node.js": Host(in_node, ("node", PACKAGES / "onnxruntime-node")),
    "browser": Host(in_browser, ("chromium", PACKAGES / "onnxruntime-web")),
    "C++": Host(functools.partial(in_cpp, "g++", "x64", ()), ("g++", JSON_HEADERS, HEADERS, LIBRARIES)),
    "C++ on aarch64": Host(
        in_cpp_on_arm, ("aarch64-linux-gnu-g++", "qemu-aarch64", ARM_SYSTEM, JSON_HEADERS, HEADERS, LIBRARIES)
    ),
}
