"""The model file: what is read back, what is refused and in which words, and that nothing else is ever raised."""

import json
import random
import re
import subprocess
import sys
from contextlib import suppress

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_model import SCHEMA, chunk, manifest, model, sealed, varint, with_manifest

from gandetect import guard, model_file
from gandetect.errors import FileAccessError, ModelFileError
from gandetect.manifest import manifest_json
from gandetect.model_file import DIGEST_KEY, DIGEST_PLACEHOLDER, read_model, seal, write_model
from gandetect.schema import Schema
from gandetect.tensor_names import OUTPUTS

UNSEALED = model().SerializeToString()
SEALED = sealed(UNSEALED)
COLUMN = SCHEMA.to_json()[0]
NO_NUMBER = manifest_json(manifest()).replace("0.05", "%s")


def test_reading_returns_the_bytes_and_the_manifest_of_a_path_or_of_bytes(tmp_path):
    path = tmp_path / "grün.onnx"
    write_model(SEALED, path)
    assert path.read_bytes() == SEALED
    for source in (path, str(path), SEALED):
        content, found = read_model(source)
        assert content == SEALED
        assert found == manifest()
        assert Schema.from_json(found["columns"]) == SCHEMA


def test_a_model_that_was_read_runs_in_onnxruntime():
    # The runtime warns that alpha, being an input, cannot be folded into constants.
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(read_model(SEALED)[0], options, providers=["CPUExecutionProvider"])
    columns = {
        "amount": np.array([np.nan, 2.0]),
        "colour": np.array(["grün", "?"], object),
        "score at": np.zeros(2),
        "column/p_value": np.array(["yes", ""], object),
    }
    answers = dict(zip(OUTPUTS, session.run(OUTPUTS, columns), strict=True))
    np.testing.assert_allclose(answers["realness"], 1 / (1 + np.exp([-0.75, -2.0])), rtol=1e-6)
    assert answers["contributions"].shape == (2, 4)


def test_a_pipe_is_read_like_a_file():
    script = "import sys; from gandetect.model_file import read_model; print(len(read_model('/dev/stdin')[0]))"
    done = subprocess.run([sys.executable, "-c", script], input=SEALED, capture_output=True, check=True)
    assert int(done.stdout) == len(SEALED)


def test_sealing_changes_the_placeholder_alone_and_is_what_an_independent_digest_gives():
    assert seal(UNSEALED) == SEALED
    assert len(SEALED) == len(UNSEALED)
    start = UNSEALED.index(DIGEST_PLACEHOLDER.encode())
    assert SEALED[:start] + UNSEALED[start : start + 64] + SEALED[start + 64 :] == UNSEALED


def test_sealing_finds_the_digest_by_its_key_and_not_by_its_looks():
    decoy = model(manifest_json(manifest(health={"note": DIGEST_PLACEHOLDER}))).SerializeToString()
    content, found = read_model(seal(decoy))
    assert found["health"]["note"] == DIGEST_PLACEHOLDER
    assert content.count(DIGEST_PLACEHOLDER.encode()) == 1


@pytest.mark.parametrize("data", [b"", SEALED, b"text", UNSEALED[:-70]])
def test_sealing_needs_the_placeholder(data):
    with pytest.raises(ModelFileError, match=r"Expected 64 zeros under 'gandetect.sha256' in the model's metadata"):
        seal(data)


def test_a_model_that_could_not_be_read_is_never_written(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"earlier")
    with pytest.raises(ModelFileError, match="does not match its digest"):
        write_model(UNSEALED, path)
    assert path.read_bytes() == b"earlier"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("absent.onnx", "No such file or directory; check the path"),
        (".", "Is a directory; name a file inside that folder"),
        ("file/model.onnx", "Not a directory; name a path whose parts are folders"),
        ("nul\0.onnx", "embedded null byte; check the path"),
    ],
)
def test_files_that_cannot_be_opened_are_named(tmp_path, name, message):
    (tmp_path / "file").touch()
    path = f"{tmp_path}/{name}"
    with pytest.raises(FileAccessError, match=re.escape(f"Cannot read the model file {path!r}: ") + ".*" + message):
        read_model(path)


def test_a_file_without_permission_is_named(monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(model_file.Path, "open", refuse)
    with pytest.raises(FileAccessError, match=r"m\.onnx': Permission denied; change the permissions or name another"):
        read_model(tmp_path / "m.onnx")


def test_a_huge_file_is_refused_unread(tmp_path):
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        file.truncate(guard.MAX_BYTES + 1)
    with pytest.raises(
        ModelFileError, match=r"at most 256 MB, found more in '.*huge.onnx'; name a file that gandetect"
    ):
        read_model(path)


def test_a_file_may_have_exactly_the_largest_size(monkeypatch, tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(SEALED)
    for source in (path, SEALED):
        monkeypatch.setattr(model_file, "MAX_BYTES", len(SEALED))
        assert read_model(source)[0] == SEALED
        monkeypatch.setattr(model_file, "MAX_BYTES", len(SEALED) - 1)
        with pytest.raises(ModelFileError, match="at most 0 MB, found more in"):
            read_model(source)


def test_an_endless_pipe_and_too_many_bytes_are_refused(monkeypatch):
    monkeypatch.setattr(model_file, "MAX_BYTES", 1000)
    for source in ("/dev/zero", bytes(1001)):
        with pytest.raises(ModelFileError, match="at most 0 MB, found more in"):
            read_model(source)


def test_a_newer_format_says_how_to_upgrade_whatever_else_is_new_in_it(tmp_path):
    newer = model(manifest_json({"format": 2, "anything": "else"}))
    newer.metadata_props.add(key="another key", value="")
    newer.graph.node[0].op_type = "NewOperator"
    path = tmp_path / "m.onnx"
    path.write_bytes(seal(newer.SerializeToString() + chunk(99, b"new")))
    message = "m.onnx' was written by a newer gandetect (format 2, this one reads up to 1); upgrade with pip install -U"
    with pytest.raises(ModelFileError, match=re.escape(message)):
        read_model(path)


def edited(edit):
    """Return a sealed model after an edit of its metadata."""
    proto = model()
    edit(proto.metadata_props)
    return sealed(proto)


NOT_OURS = {
    "empty": (b"", "found no manifest"),
    "text": (b"amount,colour\n1,red\n", "is not an ONNX file"),
    "pickle": (b"\x80\x04\x95\x10\x00", "is not an ONNX file"),
    "zip": (b"PK\x03\x04" + bytes(50), "is not an ONNX file"),
    "html": (b"<!DOCTYPE html><html></html>", "is not an ONNX file"),
    "zeros": (bytes(100), "is not an ONNX file"),
    "group": (b"\x0b\x0c", "is not an ONNX file"),
    "cut in the header": (SEALED[:1], "Expected a whole model file"),
    "cut in the graph": (SEALED[:500], "Expected a whole model file"),
    "cut in the digest": (SEALED[:-30], "Expected a whole model file"),
    "cut between fields": (SEALED[:2], "found no manifest"),
    "something appended": (SEALED + b"\n", "Expected a whole model file"),
    "a field appended": (SEALED + chunk(6, b"doc"), "does not match its digest"),
    "never sealed": (UNSEALED, "does not match its digest"),
    "sealed twice": (seal(SEALED.replace(SEALED[-64:], DIGEST_PLACEHOLDER.encode()) + b"\x28\x01")[:-2], "digest"),
    "digest in capitals": (SEALED[:-64] + SEALED[-64:].upper(), "does not match its digest"),
    "no digest": (edited(lambda p: p.pop()), "found no digest"),
    "digest empty": (edited(lambda p: p[1].ClearField("value")), "does not match its digest"),
    "no metadata": (edited(lambda p: p.clear()), "found no manifest"),
    "manifest twice": (edited(lambda p: p.add(key="gandetect", value="{}")), "the metadata key 'gandetect' twice"),
    "digest twice": (edited(lambda p: p.add(key=DIGEST_KEY, value="")), "key 'gandetect.sha256' twice"),
    "other key twice": (edited(lambda p: p.extend([p.add(key="a")])), "the metadata key 'a' twice"),
    "settings": (edited(lambda p: p.add(key="ort_config", value="{}")), "found the metadata key 'ort_config'"),
    "metadata as a number": (sealed(UNSEALED + b"\x70\x01"), "wire type 0 for metadata"),
    "metadata garbage": (sealed(UNSEALED + chunk(14, b"\xff")), "ends beyond the end of its message"),
    "metadata with more": (sealed(UNSEALED + chunk(14, chunk(3, b""))), "field 3 of StringStringEntryProto"),
    "many fields": (sealed(UNSEALED + b"\x28\x01" * 1000), "more than 1000 fields"),
    "key not UTF-8": (sealed(UNSEALED + chunk(14, chunk(1, b"\xff"))), "text at byte .* that is not UTF-8"),
    "endless number": (sealed(UNSEALED + b"\x28" + b"\xff" * 200), "too large or written longer than needed"),
    "field 0": (sealed(UNSEALED + varint(0 << 3) + b"\1"), "field number 0"),
    "field number too large": (sealed(UNSEALED + varint(1 << 40) + b"\1"), "field number"),
}


@pytest.mark.parametrize(("data", "message"), NOT_OURS.values(), ids=NOT_OURS)
def test_files_that_are_not_ours_or_are_damaged_are_refused(data, message):
    with pytest.raises(ModelFileError, match=f"{message}.*; .*"):
        read_model(data)


def without(name):
    return sealed(model(manifest_json({key: value for key, value in manifest().items() if key != name})))


def changed(part, **changes):
    return with_manifest(**{part: manifest()[part] | changes})


def column(**changes):
    return with_manifest(columns=[COLUMN | changes, *SCHEMA.to_json()[1:]])


SMALL = {"height": 32, "width": 32, "channels": 1}
CERTIFICATE = {
    "alpha": 0.05,
    "strengths": {"local": 5.0},
    "n_planted": 200,
    "false_alarm_rate": {"gandetect": 0.05, "kNN": 0.04},
    "power": {"local": {"gandetect": 0.9, "kNN": 0.8}},
}
MANIFESTS = {
    "empty": (sealed(model("")), "text that is not JSON"),
    "not JSON": (sealed(model("{'format': 1}")), "text that is not JSON"),
    "deep": (sealed(model("[" * 100_000)), "text that is not JSON"),
    "long integer": (sealed(model('{"format":' + "1" * 5000 + "}")), "text that is not JSON"),
    "list": (sealed(model("[]")), "JSON that is not a canonical object"),
    "integer that is no float": (sealed(model('{"format":1,"n":' + "1" * 400 + "}")), "text that is not JSON"),
    "not a number": (sealed(model(NO_NUMBER % "NaN")), "text that is not JSON"),
    "overflow": (sealed(model(NO_NUMBER % "1e999")), "text that is not JSON"),
    "unusual number": (sealed(model(NO_NUMBER % "5e-2")), "JSON that is not a canonical object"),
    "key twice": (sealed(model(manifest_json(manifest()).replace("{", '{"format":1,', 1))), "not a canonical object"),
    "with spaces": (sealed(model(json.dumps(manifest(), sort_keys=True))), "JSON that is not a canonical object"),
    "too large": (sealed(model(" " * (8 * 2**20 + 1))), "more than 8 MB"),
    "no format": (sealed(model("{}")), "the format 'None'"),
    "format true": (with_manifest(format=True), "the format 'True'"),
    "format as text": (with_manifest(format="1"), "the format '1'"),
    "format with a point": (with_manifest(format=1.0), "the format '1.0'"),
    "format 0": (with_manifest(format=0), "the format '0'"),
    "format beyond reason": (with_manifest(format=10**100), "the format '1000.*[.]{3}'"),
    "no modality": (sealed(model('{"format":1}')), "no modality"),
    "modality": (with_manifest(modality="smells\x1b[31m"), r"the modality 'smells\\x1b\[31m'"),
    "modality as a list": (with_manifest(modality=["table"]), "a modality that is no str"),
    "training": (with_manifest(training=[]), "a training that is no dict"),
    "golden": (with_manifest(golden=None), "a golden that is no dict"),
    **{f"no {part}": (without(part), f"no {part}") for part in ("training", "calibration", "health", "golden")},
    "calibration on nothing": (with_manifest(calibration={}), "no n"),
    "calibration rows": (changed("calibration", n="20"), "a n that is no int"),
    "no calibration rows": (changed("calibration", n=0), "a calibration on no rows or at an impossible rate"),
    "rate": (changed("calibration", alpha=None), "a alpha that is no float"),
    "impossible rate": (changed("calibration", alpha=1.0), "a calibration on no rows or at an impossible rate"),
    "threshold": (changed("calibration", threshold="high"), r"a threshold that is no float \| None"),
    "training on nothing": (with_manifest(training={"n_rows": 100}), "no seed"),
    "settings as a list": (changed("training", settings=[]), "a settings that is no dict"),
    "settings without a game": (changed("training", settings={}), "no loss"),
    "percentiles as text": (changed("calibration", percentiles=["1.0"]), r"a percentiles that is no list\[float\]"),
    "percentiles as a number": (changed("calibration", percentiles=1.0), r"a percentiles that is no list\[float\]"),
    "one percentile": (changed("calibration", percentiles=[1.0]), "one percentile alone"),
    "diagnoses": (with_manifest(health={"diagnoses": "sick"}), r"a diagnoses that is no list\[str\]"),
    "a diagnosis": (with_manifest(health={"diagnoses": [1]}), r"a diagnoses that is no list\[str\]"),
    "members": (with_manifest(health={"members": [5]}), r"a members that is no list\[dict\[str, .*"),
    "a measure": (
        with_manifest(health={"members": [{"coverage": "all"}]}),
        r"a members that is no list\[dict\[str, .*",
    ),
    "restarted": (with_manifest(health={"restarted": True}), r"a restarted that is no list\[int\]"),
    "realness": (with_manifest(health={"realness_real": [None]}), r"a realness_real that is no list\[float\]"),
    "certificate as a list": (with_manifest(certificate=[]), "a certificate that is no dict"),
    "certificate of nothing": (with_manifest(certificate={"alpha": 0.05}), "no strengths"),
    "power": (with_manifest(certificate=CERTIFICATE | {"power": {"local": [0.5]}}), "a power that is no dict"),
    "power of another kind": (
        with_manifest(certificate=CERTIFICATE | {"strengths": {"global": 1.1}}),
        "a certificate whose parts speak of different kinds or detectors",
    ),
    "power of another detector": (
        with_manifest(certificate=CERTIFICATE | {"power": {"local": {"gandetect": 0.5, "LOF": 0.5}}}),
        "a certificate whose parts speak of different kinds or detectors",
    ),
    "certificate of others alone": (
        with_manifest(certificate=CERTIFICATE | {"false_alarm_rate": {"kNN": 0.1}, "power": {"local": {"kNN": 0.1}}}),
        "a certificate whose parts speak of different kinds or detectors",
    ),
    "no version": (without("gandetect_version"), "no gandetect_version"),
    "names": (changed("training", named="yes"), "a named that is no bool"),
    "backbone without a name": (with_manifest(backbone={}), "no name"),
    "shape of an image": (
        with_manifest(modality="image", image=SMALL, training=manifest()["training"] | {"image_shape": ["8", 8]}),
        r"a image_shape that is no list\[int\] \| None",
    ),
    "names of columns": (
        with_manifest(modality="image", image=SMALL, training=manifest()["training"] | {"feature_names": [1]}),
        r"a feature_names that is no list\[str\]",
    ),
    "overlap": (
        with_manifest(modality="image", image=SMALL, training=manifest()["training"] | {"overlapping_share": "all"}),
        "a overlapping_share that is no float",
    ),
    "usual values": (
        with_manifest(modality="image", image=SMALL, training=manifest()["training"] | {"usual_lowest": "dark"}),
        "a usual_lowest that is no int",
    ),
    "images without a size": (with_manifest(modality="image"), "no image"),
    "image as a list": (with_manifest(modality="image", image=[32, 32, 1]), "a image that is no dict"),
    "image without channels": (with_manifest(modality="image", image={"height": 32, "width": 32}), "no channels"),
    "folders of another kind": (
        with_manifest(modality="image", image=SMALL | {"folders": "ab"}),
        r"a folders that is no list\[str\]",
    ),
    "one folder": (with_manifest(modality="image", image=SMALL | {"folders": ["a"]}), "a folder twice, or one alone"),
    "the same folder twice": (
        with_manifest(modality="image", image=SMALL | {"folders": ["a", "a"]}),
        "a folder twice, or one alone",
    ),
    "image of impossible size": (
        with_manifest(modality="image", image={"height": -1, "width": 32, "channels": 1}),
        "an image of impossible size",
    ),
    "images, but a graph for a table": (
        with_manifest(modality="image", image=SMALL),
        "inputs that are not those",
    ),
    "columns": (with_manifest(columns={}), r"a columns that is no list\[dict\[str, object\]\]"),
    "no column": (with_manifest(columns=[]), "inputs that are not those"),
    "no feature": (with_manifest(columns=[COLUMN | {"role": "label"}]), "inputs that are not those"),
    "column as text": (with_manifest(columns=["amount"]), r"a columns that is no list\[dict\[str, object\]\]"),
    "column without kind": (with_manifest(columns=[{"name": "a", "role": "feature"}]), "no kind"),
    "column name": (column(name=1), "a name that is no str"),
    "column kind": (column(kind="colour"), "a column with an unknown kind, role or property"),
    "column role": (column(role="boss"), "a column with an unknown kind, role or property"),
    "column property": (column(run="rm"), "a column with an unknown kind, role or property"),
    "column summary": (column(summary=3), "a summary that is no dict"),
    "share of missing values": (column(summary={"missing": "none"}), "a missing that is no float"),
    "quantiles": (column(summary={"quantiles": [None] * 7}), r"a quantiles that is no list\[float\]"),
    "too few quantiles": (column(summary={"quantiles": [1.0]}), "quantiles that are not 7"),
    "levels": (column(summary={"levels": ["red"]}), r"a levels that is no dict\[str, float\]"),
    "known levels": (column(summary={"known": "red"}), r"a known that is no list\[str\]"),
    "known anomalies": (column(summary={"known_anomalies": 1}), r"a known_anomalies that is no list\[str\]"),
    "column input": (column(input="other"), "the wrong input name for the column 'amount'"),
    "column renamed": (column(name="other", input="other"), "inputs that are not those"),
    "column of another kind": (column(kind="category"), "inputs that are not those"),
    "column left out": (column(role="left out"), "inputs that are not those"),
    "column twice": (with_manifest(columns=[COLUMN, *SCHEMA.to_json()]), "two columns of the same name"),
    "columns in another order": (with_manifest(columns=SCHEMA.to_json()[::-1]), "inputs that are not those"),
}


@pytest.mark.parametrize(("data", "message"), MANIFESTS.values(), ids=MANIFESTS)
def test_manifests_that_gandetect_does_not_write_are_refused(data, message):
    with pytest.raises(ModelFileError, match=f"found .*{message}.* in the given bytes; do not use this file"):
        read_model(data)


def test_every_single_altered_byte_is_refused():
    generator = random.Random(0)
    for position in range(len(SEALED)):
        altered = bytearray(SEALED)
        altered[position] ^= generator.randrange(1, 256)
        with pytest.raises(ModelFileError):
            read_model(bytes(altered))


def test_every_shortened_file_is_refused():
    for length in range(len(SEALED)):
        with pytest.raises(ModelFileError):
            read_model(SEALED[:length])


@given(st.binary(max_size=200), st.sampled_from([b"", b"\x08\x08", b"\x72", UNSEALED[:40]]))
@settings(max_examples=300, derandomize=True, deadline=None, database=None)
def test_arbitrary_bytes_are_refused(data, start):
    with pytest.raises(ModelFileError):
        read_model(start + data)


def mutated(data, generator):
    """Alter, cut, double, move or insert some bytes."""
    data = bytearray(data)
    for _ in range(generator.choice([1, 1, 1, 2, 4, 16])):
        start, length = generator.randrange(len(data)), generator.choice([1, 1, 2, 8, 64])
        piece = data[start : start + length]
        match generator.randrange(6):
            case 0:
                data[start] = generator.choice([0, 1, 0x7F, 0x80, 0xFF, generator.randrange(256)])
            case 1:
                data[start] ^= 1 << generator.randrange(8)
            case 2:
                del data[start : start + length]
            case 3:
                data[start:start] = piece
            case 4:
                data[start:start] = generator.randbytes(length)
            case 5:
                target = generator.randrange(len(data))
                data[target : target + length] = piece
    return bytes(data)


def test_mutated_files_raise_nothing_but_model_file_errors_also_with_a_digest_made_anew():
    generator = random.Random(1)
    n_accepted = 0
    for _ in range(10_000):
        mutant = sealed(mutated(UNSEALED, generator))
        with suppress(ModelFileError):
            _, found = read_model(mutant)
            Schema.from_json(found["columns"])
            n_accepted += 1
    # Altered weights and names are well-formed: the digest, not the guard, is what detects them.
    assert 0 < n_accepted < 5000
