"""Data flows one way: who may import whom, and what the counter's wing must never load."""

import ast
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import gandetect

ROOT = Path(__file__).parents[2]

FLOORS = {
    # The counter: numpy, ONNX Runtime and the standard library.
    "errors": set(),
    "arguments": {"errors"},
    "modality": set(),
    "tensor_names": {"modality"},
    "column": {"arguments", "errors", "tensor_names"},
    "schema": {"arguments", "column", "errors", "modality", "tensor_names"},
    "files": {"errors"},
    "wire": set(),
    "image_schema": {"errors", "modality"},
    "core_schema": {"errors", "modality", "schema", "tensor_names"},
    "onnx_layout": {"wire"},
    "guard": {"errors", "modality", "onnx_layout", "wire"},
    "readers": {"column", "errors", "modality", "schema"},
    "tables.encoding": set(),
    "tables.encoding_fitting": {"column", "schema", "tables.encoding"},
    "tables.decoding": {"tables.encoding"},
    "tables.summaries": {"column", "schema"},
    "tables.trimming": {"column", "schema"},
    "calibration": set(),
    "tables.linear_path": set(),
    "tables.islands": set(),
    "images.heatmap": set(),
    "images.grid": set(),
    "images.overlap": set(),
    "manifest": {"column", "modality", "schema", "image_schema", "core_schema", "guard", "wire"},
    "model_file": {"arguments", "errors", "files", "guard", "manifest", "onnx_layout", "wire"},
    "pruning": {"wire"},
    "scorer": {"schema", "arguments", "errors", "modality", "manifest", "model_file", "pruning"},
    "significance": {"arguments", "errors"},
    "wording": {"column"},
    "explanation": {"arguments", "modality", "schema", "tensor_names", "wording"},
    "explaining": {"explanation", "schema", "scorer", "tensor_names"},
    "distribution": {"column", "errors"},
    "drift": {"errors", "scorer", "distribution", "significance"},
    # The workshop: torch; it knows neither files nor columns.
    "training.losses": set(),
    "images.constants": set(),
    "networks": {"images.constants", "training.losses"},
    "tables.negatives": set(),
    "images.negatives": set(),
    "images.filters": set(),
    "training.course": set(),
    "training.pair": set(),
    "training.optimizers": set(),
    "training.turns": {"training.course", "training.losses", "training.optimizers", "training.pair"},
    "training.threads": set(),
    "training.loop": {
        *("training.course", "errors", "training.losses", "training.pair", "training.threads", "training.turns"),
    },
    "training.members": {"training.pair"},
    "training.folds": set(),
    # The graph speaks of encodings and calibration, in numpy and onnx.
    "graph": {
        *("column", "errors", "modality", "schema", "image_schema", "core_schema", "tensor_names"),
        *("tables.encoding", "tables.decoding", "calibration", "tables.linear_path"),
        *("images.heatmap", "images.constants"),
    },
    "images.backbone": {"arguments", "errors", "files", "guard", "scorer", "graph"},
    # What wires the rooms.
    "training.checkpoint": {"arguments", "training.course", "errors", "files"},
    "training.health": set(),
    "training.healing": {"errors", "training.health"},
    "tables.settings": {"arguments", "training.course", "training.losses"},
    "tables.ensemble": {
        *("training.course", "training.folds", "tables.encoding", "tables.linear_path", "networks", "tables.negatives"),
        *("tables.settings", "training.losses", "training.loop"),
    },
    "tables.weights": {"networks", "graph", "tables.negatives", "tables.ensemble"},
    "tables.health": {
        *("training.course", "training.health", "training.members", "networks", "training.loop", "tables.negatives"),
        *("tables.ensemble",),
    },
    "record": {"calibration", "model_file"},
    "tables.assembly": {
        *("column", "schema", "tensor_names", "distribution", "tables.encoding", "tables.decoding", "calibration"),
        *("model_file", "record", "scorer", "networks", "graph"),
    },
    "tables.partial_graphs": {"schema", "tables.encoding", "calibration", "scorer", "graph"},
    "tables.calibration": {
        *("schema", "tables.encoding", "calibration", "graph", "tables.settings", "tables.ensemble", "tables.assembly"),
        *("tables.partial_graphs",),
    },
    "tables.planting": {"tables.encoding"},
    "tables.certificate": {
        *("tables.encoding", "tables.ensemble", "tables.assembly", "tables.partial_graphs", "tables.calibration"),
        *("tables.planting",),
    },
    "tables.fitting": {
        *("column", "errors", "modality", "schema", "tables.encoding", "tables.encoding_fitting", "tables.summaries"),
        *("arguments", "calibration", "training.checkpoint", "training.course", "training.folds", "training.healing"),
        *("training.members", "model_file", "record", "networks", "training.loop"),
        *("tables.settings", "tables.ensemble", "tables.weights", "tables.health", "tables.assembly"),
        *("tables.partial_graphs", "tables.calibration", "tables.certificate", "tables.trimming", "tables.islands"),
    },
    "images.settings": {"arguments", "training.course", "training.losses"},
    "images.ensemble": {
        *("training.course", "training.folds", "networks", "images.filters", "images.negatives", "images.settings"),
        *("training.losses", "training.loop", "training.members"),
    },
    "images.weights": {
        *("images.grid", "networks", "graph", "images.settings", "images.ensemble"),
        *("training.members", "training.threads"),
    },
    "images.texture": {"images.grid", "scorer", "graph", "images.ensemble"},
    "images.health": {
        *("training.course", "training.health", "training.members", "networks", "training.loop", "images.ensemble"),
        *("training.threads",),
    },
    "images.maps": {"images.negatives", "training.loop", "scorer", "graph"},
    "images.assembly": {
        *("image_schema", "calibration", "images.heatmap", "model_file", "record", "scorer", "networks", "graph"),
        *("images.ensemble", "images.maps"),
    },
    "images.calibration": {
        *("image_schema", "calibration", "images.grid", "images.heatmap", "scorer", "graph", "images.settings"),
        *("images.ensemble", "images.assembly", "images.texture"),
    },
    "images.fitting": {
        *("training.course", "errors", "modality", "image_schema", "images.heatmap", "training.checkpoint"),
        *("training.folds", "training.healing", "training.members", "model_file", "record", "scorer", "networks"),
        *("training.loop", "graph", "images.settings", "images.ensemble", "images.weights", "images.health"),
        *("images.assembly", "images.calibration", "images.maps", "images.texture", "images.backbone"),
        *("images.overlap", "arguments"),
    },
    "export": {
        *("column", "errors", "modality", "schema", "core_schema", "files", "tables.encoding", "tables.decoding"),
        *("arguments", "calibration", "image_schema", "model_file", "record", "scorer", "graph", "training.threads"),
    },
    "tables.frames": {"column", "errors", "schema", "readers"},
    "images.arrays": {"errors", "image_schema", "readers"},
    "drawing": {"errors", "readers"},
    "evaluation": {"errors"},
    "pixels": {"errors"},
    "report": {
        *("column", "errors", "modality", "schema", "scorer", "wording", "explaining", "distribution", "drift"),
        *("evaluation", "arguments"),
    },
    "detector": {"model_file", "scorer"},
    "tables.estimator": {
        *("column", "errors", "schema", "tables.frames", "detector", "manifest", "explanation", "explaining"),
        *("tables.settings", "tables.fitting", "arguments"),
    },
    "images.estimator": {
        *("errors", "image_schema", "images.arrays", "detector", "manifest", "images.fitting", "wording"),
    },
    "__init__": {
        *("errors", "tables.estimator", "evaluation", "tables.settings", "tables.fitting", "images.estimator"),
        *("images.fitting", "training.course", "model_file", "pixels", "column", "schema", "scorer", "readers"),
        *("significance", "explanation", "explaining", "drift", "report", "export"),
    },
}
"""Every room and the rooms that it may import; its own modules it always may."""

HEAVY = {"torch", "sklearn", "pandas", "scipy", "onnx", "safetensors", "threadpoolctl"}

MAY_IMPORT_HEAVY = {
    "tables.linear_path": {"threadpoolctl"},
    "images.filters": {"threadpoolctl"},
    "images.grid": {"threadpoolctl"},
    "images.texture": {"threadpoolctl"},
    "tables.islands": {"sklearn"},
    "networks": {"torch"},
    "tables.negatives": {"torch"},
    "images.negatives": {"torch"},
    "training.losses": {"torch"},
    "training.pair": {"torch"},
    "training.optimizers": {"torch"},
    "training.turns": {"torch"},
    "training.threads": {"torch"},
    "training.loop": {"torch"},
    "training.checkpoint": {"safetensors"},
    "training.health": {"scipy", "sklearn"},
    "tables.planting": {"sklearn"},
    "tables.certificate": {"sklearn"},
    "tables.ensemble": {"torch"},
    "tables.health": {"torch"},
    "tables.assembly": {"torch"},
    "images.ensemble": {"torch"},
    "images.backbone": {"onnx", "torch"},
    "images.maps": {"torch"},
    "images.weights": {"torch"},
    "images.health": {"torch"},
    "images.assembly": {"torch"},
    "graph": {"onnx"},
    "training.members": {"torch"},
    "export": {"sklearn", "threadpoolctl", "torch"},
    "tables.frames": {"pandas"},
    "evaluation": {"scipy", "sklearn"},
    "pixels": {"scipy", "sklearn"},
    "detector": {"sklearn"},
    "images.estimator": {"scipy", "sklearn"},
    "tables.estimator": {"pandas", "sklearn"},
}
"""The rooms that may import more than numpy, ONNX Runtime and the standard library."""

# Readers of formats beyond CSV load their library inside the function that needs it; so does the frames' reader.
ON_DEMAND = {
    "report": {"jinja2", "markupsafe"},
    "images.backbone": {"timm"},
    "drawing": {"PIL"},
    "readers": {"PIL", "pyarrow", "zstandard"},
    "tables.frames": {"pyarrow"},
}


PACKAGES = {"tables", "images", "training"}
"""Packages whose modules are rooms of their own."""

MODULES = [
    pytest.param(path, id=str(path.relative_to(ROOT)))
    for path in sorted((ROOT / "gandetect").rglob("*.py"))
    if path.name != "__init__.py" or path.parent.name not in PACKAGES  # these hold a docstring only
]


def room_of(path):
    return room_named(path.relative_to(ROOT).with_suffix("").parts)


def room_named(parts):
    """Return the room that the parts of a dotted name, `gandetect` first, are in."""
    return ".".join(parts[1:3] if parts[1] in PACKAGES else parts[1:2])


def rooms_below(path):
    """Return the rooms that a module imports from."""
    return {room_named(name.split(".")) for name in imports(path) if name.startswith("gandetect.")}


def imports(path, *, at_load_only=False):
    """Return the dotted names that a module imports; those for type checkers alone are left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    skipped = {
        inner
        for node in ast.walk(tree)
        if (isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING")
        or (at_load_only and isinstance(node, ast.FunctionDef))
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path} imports relatively"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_every_room_has_a_floor():
    rooms = {room_of(path.values[0]) for path in MODULES}
    assert rooms <= set(FLOORS), f"rooms without a line in the table: {rooms - set(FLOORS)}"


def test_the_map_for_contributors_shows_every_room_once():
    shown = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## The rooms")[2].partition("\n## ")[0]
    named = re.findall(r"`([\w.]+)`", shown.partition("|---|---|")[2])
    assert sorted(named) == sorted(FLOORS.keys() - {"__init__"})


@pytest.mark.parametrize("path", MODULES)
def test_rooms_import_only_from_the_floors_below(path):
    room = room_of(path)
    # A name of the package itself, `from gandetect import wire`, is a room as well.
    assert rooms_below(path) - {room} <= FLOORS[room]


def test_a_name_for_a_type_of_array_means_the_same_in_every_module():
    aliases = re.compile(r"^([A-Z]\w+) = (NDArray\[.*\])$", re.MULTILINE)
    meant = {}
    for path in (one.values[0] for one in MODULES):
        for name, kind in aliases.findall(path.read_text(encoding="utf-8")):
            meant.setdefault(name, set()).add(kind)
    assert {"Floats", "Doubles"} <= meant.keys()
    assert not {name: kinds for name, kinds in meant.items() if len(kinds) > 1}


def test_networks_for_images_know_nothing_of_those_for_tables():
    paths = (ROOT / "gandetect" / "networks").glob("*.py")
    assert not [
        path.name for path in paths if any(name.startswith("gandetect.networks.tables") for name in imports(path))
    ]


def test_no_room_has_a_permission_that_it_does_not_use():
    used = {room: set() for room in FLOORS}
    for path in (one.values[0] for one in MODULES):
        used[room_of(path)] |= rooms_below(path)
    unused = {room: below - used[room] for room, below in FLOORS.items() if room != "__init__"}  # it loads on demand
    assert not {room: rooms for room, rooms in unused.items() if rooms}


def test_the_floors_have_no_cycle():
    order = []
    while len(order) < len(FLOORS):
        free = [room for room, below in FLOORS.items() if room not in order and below <= set(order)]
        assert free, f"a cycle among {set(FLOORS) - set(order)}"
        order += free


@pytest.mark.parametrize("path", MODULES)
def test_heavy_packages_are_imported_in_their_rooms_only(path):
    room = room_of(path)
    packages = {name.partition(".")[0] for name in imports(path)}
    assert packages & HEAVY <= MAY_IMPORT_HEAVY.get(room, set())
    known = {"numpy", "onnxruntime", "gandetect", *HEAVY, *sys.stdlib_module_names, *ON_DEMAND.get(room, ())}
    assert packages <= known


def test_no_room_may_import_a_heavy_package_that_it_does_not_use():
    used = {room: set() for room in MAY_IMPORT_HEAVY}
    for path in (one.values[0] for one in MODULES):
        used.get(room_of(path), set()).update(name.partition(".")[0] for name in imports(path))
    unused = {room: packages - used[room] for room, packages in MAY_IMPORT_HEAVY.items()}
    assert not {room: packages for room, packages in unused.items() if packages}


@pytest.mark.parametrize("path", MODULES)
def test_optional_readers_are_imported_on_demand(path):
    packages = {name.partition(".")[0] for name in imports(path, at_load_only=True)}
    assert not packages & {"PIL", "pyarrow", "zstandard", "polars", "jinja2", "markupsafe", "timm"}


def cli_modules():
    return sorted((ROOT / "cli" / "gandetect_cli").glob("*.py"))


def test_the_command_line_uses_public_names_of_the_counter_only():
    counter = (
        *("drawing", "errors", "modality", "column", "schema", "image_schema", "core_schema", "files", "readers"),
        *("manifest", "model_file", "scorer", "explanation", "wording"),
    )
    for path in cli_modules():
        for name in imports(path):
            package, *parts = name.split(".")
            if package != "gandetect" or not parts:
                continue
            assert not any(part.startswith("_") for part in parts), f"{path.name} imports {name}"
            assert parts[0] in (*counter, *gandetect.__all__), f"{path.name} imports {name}"


def test_the_command_line_loads_no_heavy_package():
    for path in cli_modules():
        packages = {name.partition(".")[0] for name in imports(path)}
        assert not packages & HEAVY, path.name


def loaded_after(code):
    """Return the heavy packages in memory after some code ran in a process of its own."""
    code += f"; import sys; print(' '.join({sorted(HEAVY)!r} & sys.modules.keys()))"
    code = code.replace(repr(sorted(HEAVY)), f"set({sorted(HEAVY)!r})")
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(answer.stdout.split())


@pytest.mark.parametrize(
    "code",
    [
        "import gandetect",
        "import gandetect.scorer",
        "from gandetect import Scorer, InputError, read_model, write_model",
        "import gandetect.readers.tables, gandetect.readers.schemas, gandetect.readers.values",
        "import gandetect.readers.images, gandetect.readers.sources",
    ],
)
def test_the_counter_loads_no_heavy_package(code):
    assert loaded_after(code) == set()


def test_the_estimators_load_torch_in_fit_only():
    made = "from gandetect import GANDetector, ImageGANDetector; GANDetector(); ImageGANDetector()"
    assert "torch" not in loaded_after(made)


def test_scoring_loads_no_heavy_package(mixed, tmp_path):
    (tmp_path / "detector.onnx").write_bytes(mixed.model)
    code = f"""
import numpy as np
from gandetect import Scorer
scorer = Scorer({str(tmp_path / "detector.onnx")!r})
texts, numbers = np.array(["red"], dtype=object), np.zeros(1)
numeric = ("number", "time")
scorer({{column.name: numbers if column.kind in numeric else texts for column in scorer.schema.features}})
scorer.verify()
"""
    assert loaded_after(code.strip()) == set()


def test_scoring_tables_loads_nothing_for_pictures():
    rooms = {"gandetect.drawing", "gandetect.readers.images", "PIL"}
    code = f"import gandetect_cli.score, sys; print({rooms} & {{*sys.modules}})"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout == "set()\n"


def test_every_public_name_can_be_loaded_and_is_listed():
    assert sorted(gandetect.__all__) == gandetect.__all__
    assert dir(gandetect) == gandetect.__all__
    for name in gandetect.__all__:
        assert getattr(gandetect, name).__name__ == name


def test_the_version_is_that_of_the_installed_package():
    assert gandetect.__version__ == version("gandetect")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"^module 'gandetect' has no attribute 'Detektor'$"):
        gandetect.Detektor  # noqa: B018


def test_a_missing_package_is_named_with_the_command_that_installs_it():
    code = """
import sys
class NoTorch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            raise ModuleNotFoundError("No module named 'torch'", name="torch")
sys.meta_path.insert(0, NoTorch())
import gandetect
try:
    gandetect.fit_table
except gandetect.MissingExtraError as error:
    print(error)
"""
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    expected = "Expected torch for gandetect.fit_table, found none; pip install 'gandetect[train]'."
    assert answer.stdout.strip() == expected
