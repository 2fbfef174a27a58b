"""Data flows one way: who may import whom, and what the counter's wing must never load."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import gandetect

ROOT = Path(__file__).parents[2]

FLOORS = {
    # The counter: numpy, ONNX Runtime and the standard library.
    "errors": set(),
    "modality": set(),
    "schema": {"errors", "modality"},
    "files": {"errors"},
    "wire": set(),
    "image_schema": {"errors", "modality"},
    "core_schema": {"errors", "modality", "schema"},
    "onnx_layout": {"wire"},
    "guard": {"errors", "modality", "onnx_layout", "wire"},
    "readers": {"errors", "modality", "schema"},
    "encoding": set(),
    "encoding_fitting": {"schema", "encoding"},
    "decoding": {"encoding"},
    "summaries": {"schema"},
    "trimming": {"schema"},
    "calibration": set(),
    "linear_path": set(),
    "islands": set(),
    "heatmap": set(),
    "grid": set(),
    "manifest": {"modality", "schema", "image_schema", "core_schema", "guard", "wire"},
    "model_file": {"errors", "files", "guard", "manifest", "onnx_layout", "wire"},
    "pruning": {"wire"},
    "scorer": {"errors", "modality", "manifest", "model_file", "pruning"},
    "significance": set(),
    "wording": {"schema"},
    "explanation": {"modality", "schema", "scorer", "wording"},
    "distribution": {"errors", "schema"},
    "drift": {"errors", "schema", "distribution", "significance"},
    # The workshop: torch; it knows neither files nor columns.
    "losses": set(),
    "image_constants": set(),
    "networks": {"image_constants", "losses"},
    "table_negatives": set(),
    "image_negatives": set(),
    "course": set(),
    "pair": set(),
    "turns": {"course", "losses", "pair"},
    "training": {"course", "errors", "losses", "pair", "turns"},
    "members": {"pair"},
    "folds": set(),
    # The graph speaks of encodings and calibration, in numpy and onnx.
    "graph": {
        *("errors", "modality", "schema", "image_schema", "core_schema", "encoding", "decoding", "calibration"),
        *("linear_path", "heatmap", "image_constants"),
    },
    "backbone": {"errors", "files", "guard", "scorer", "graph"},
    # What wires the rooms.
    "checkpoint": {"course", "errors", "files"},
    "health": set(),
    "healing": {"errors", "health"},
    "table_settings": {"course", "errors"},
    "table_ensemble": {
        *("course", "folds", "linear_path", "networks", "table_negatives", "table_settings", "losses", "training"),
    },
    "table_weights": {"networks", "graph", "table_negatives", "table_ensemble"},
    "table_health": {"course", "health", "members", "networks", "training", "table_negatives", "table_ensemble"},
    "record": {"calibration", "model_file"},
    "table_assembly": {
        *("schema", "distribution", "encoding", "decoding", "calibration", "model_file", "record", "scorer"),
        *("networks", "graph"),
    },
    "certificate": {"encoding"},
    "table_calibration": {
        *("schema", "encoding", "calibration", "certificate", "scorer", "graph", "table_settings", "table_ensemble"),
        "table_assembly",
    },
    "table_fitting": {
        *("errors", "modality", "schema", "encoding", "encoding_fitting", "summaries", "calibration", "checkpoint"),
        *("course", "folds", "healing", "members"),
        *(
            "model_file",
            "record",
            "networks",
            "losses",
            "training",
            "table_settings",
            "table_ensemble",
            "table_weights",
            "table_health",
            "table_assembly",
            "table_calibration",
            "trimming",
            "islands",
        ),
    },
    "image_settings": {"course", "errors", "losses"},
    "image_ensemble": {"course", "folds", "networks", "image_negatives", "image_settings", "losses", "training"},
    "image_weights": {"grid", "networks", "graph", "image_settings", "image_ensemble"},
    "image_texture": {"grid", "scorer", "graph", "image_ensemble"},
    "image_health": {"course", "health", "members", "networks", "training", "image_ensemble"},
    "image_maps": {"image_negatives", "training", "scorer", "graph"},
    "image_assembly": {
        *("image_schema", "calibration", "heatmap", "model_file", "record", "scorer", "networks", "graph"),
        *("image_ensemble", "image_maps"),
    },
    "image_calibration": {
        *("image_schema", "calibration", "grid", "heatmap", "scorer", "graph", "image_settings", "image_ensemble"),
        *("image_assembly", "image_texture"),
    },
    "image_fitting": {
        *("course", "errors", "modality", "image_schema", "heatmap", "checkpoint", "folds", "healing", "members"),
        *("model_file", "record", "scorer", "networks", "training", "graph"),
        *(
            "image_settings",
            "image_ensemble",
            "image_weights",
            "image_health",
            "image_assembly",
            "image_calibration",
            "image_maps",
            "image_texture",
            "backbone",
        ),
    },
    "export": {
        *("errors", "modality", "schema", "core_schema", "files", "encoding", "decoding", "calibration"),
        *("model_file", "scorer", "graph", "training"),
    },
    "frames": {"errors", "schema", "readers"},
    "drawing": set(),
    "evaluation": {"errors"},
    "pixels": {"errors"},
    "report": {
        *("errors", "modality", "schema", "scorer", "wording", "explanation", "distribution", "drift", "evaluation"),
    },
    "detector": {"model_file", "scorer"},
    "table_estimator": {
        *(
            "errors",
            "schema",
            "frames",
            "detector",
            "manifest",
            "model_file",
            "explanation",
            "table_settings",
            "table_fitting",
        ),
    },
    "image_estimator": {
        *("errors", "image_schema", "detector", "manifest", "model_file", "readers", "image_fitting"),
    },
    "__init__": {
        *(
            "errors",
            "table_estimator",
            "evaluation",
            "table_settings",
            "table_fitting",
            "image_estimator",
            "image_fitting",
        ),
        *("course", "model_file", "pixels", "scorer", "readers", "significance", "explanation", "drift"),
        *("report", "export"),
    },
}
"""Every room and the rooms that it may import; its own modules it always may."""

HEAVY = {"torch", "sklearn", "pandas", "scipy", "onnx", "safetensors", "threadpoolctl"}

MAY_IMPORT_HEAVY = {
    "linear_path": {"threadpoolctl"},
    "grid": {"threadpoolctl"},
    "image_texture": {"threadpoolctl"},
    "islands": {"sklearn"},
    "networks": {"torch"},
    "table_negatives": {"torch"},
    "image_negatives": {"torch"},
    "losses": {"torch"},
    "pair": {"torch"},
    "turns": {"torch"},
    "training": {"torch"},
    "checkpoint": {"safetensors"},
    "health": {"scipy", "sklearn"},
    "certificate": {"sklearn"},
    "table_ensemble": {"torch"},
    "table_health": {"torch"},
    "table_assembly": {"torch"},
    "image_ensemble": {"torch"},
    "backbone": {"onnx", "torch"},
    "image_maps": {"torch"},
    "image_weights": {"torch"},
    "image_health": {"torch"},
    "image_assembly": {"torch"},
    "graph": {"onnx"},
    "members": {"torch"},
    "export": {"sklearn", "threadpoolctl", "torch"},
    "frames": {"pandas"},
    "evaluation": {"scipy", "sklearn"},
    "pixels": {"scipy", "sklearn"},
    "detector": {"sklearn"},
    "image_estimator": {"scipy", "sklearn"},
    "table_estimator": {"pandas", "sklearn"},
}
"""The rooms that may import more than numpy, ONNX Runtime and the standard library."""

# Readers of formats beyond CSV load their library inside the function that needs it; so does the frames' reader.
ON_DEMAND = {
    "report": {"jinja2", "markupsafe"},
    "backbone": {"timm"},
    "drawing": {"PIL"},
    "readers": {"PIL", "pyarrow", "zstandard"},
    "frames": {"pyarrow"},
}


MODULES = [pytest.param(p, id=str(p.relative_to(ROOT))) for p in sorted((ROOT / "gandetect").rglob("*.py"))]


def room_of(path):
    return path.relative_to(ROOT / "gandetect").parts[0].removesuffix(".py")


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
    named = re.findall(r"`(\w+)`", shown.partition("|---|---|")[2])
    assert sorted(named) == sorted(FLOORS.keys() - {"__init__"})


@pytest.mark.parametrize("path", MODULES)
def test_rooms_import_only_from_the_floors_below(path):
    room = room_of(path)
    own = {name.split(".")[1] for name in imports(path) if name.startswith("gandetect.")}
    # A name of the package itself, `from gandetect import wire`, is a room as well.
    assert own - {room} <= FLOORS[room]


def test_no_room_has_a_permission_that_it_does_not_use():
    used = {room: set() for room in FLOORS}
    for path in (one.values[0] for one in MODULES):
        used[room_of(path)] |= {name.split(".")[1] for name in imports(path) if name.startswith("gandetect.")}
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
        *("drawing", "errors", "modality", "schema", "image_schema", "core_schema", "files", "readers", "manifest"),
        *("model_file", "scorer", "explanation", "wording"),
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
