import errno
import hashlib
import json
import os
import signal
import sys
from typing import get_args

import pytest

import gandetect
from gandetect.column import Role
from gandetect.images import settings as image_settings
from gandetect.tables import settings as table_settings
from gandetect.training.losses import LOSSES
from gandetect_cli.options import DetectorChoice, EffortChoice, LossChoice
from gandetect_cli.progress import ProgressBar


def roles(path):
    schema = gandetect.Scorer(path).schema
    known = (Role.FEATURE, Role.LABEL, Role.LEFT_OUT)
    return {role: [column.name for column in schema.columns if column.role is role] for role in known}


def test_fit_says_what_it_learned_from_and_what_comes_next(cli, machines_train, tmp_path):
    result = cli("fit", machines_train, "--steps", 2)
    assert result.code == 0
    assert result.out == ""
    assert f"{machines_train}: learning from 600 rows\n" in result.err
    assert "14 columns: 1 time, 5 category, 2 yes/no, 6 number\n" in result.err
    assert "left out 'job_id': every value is different: an id\n" in result.err
    assert "wrote gandetect.onnx (" in result.err
    assert result.err.endswith("next: gandetect score NEW.csv\n")
    assert gandetect.Scorer(tmp_path / "gandetect.onnx").verify() <= 1e-5


def test_a_label_column_is_never_a_feature_and_all_its_rows_are_used(cli, machines_new, tmp_path):
    result = cli("fit", machines_new, "--label-column", "label", "--steps", 2, "-o", "some model.onnx")
    assert result.code == 0
    assert "learning from 252 rows\n" in result.err
    assert "left out 'label': the label, not used for learning; every row is taken as normal\n" in result.err
    assert "warning: 'label' holds 2 different labels: anomalies among the training rows are learned" in result.err
    assert result.err.endswith("next: gandetect score NEW.csv --model 'some model.onnx'\n")
    assert roles(tmp_path / "some model.onnx")[Role.LABEL] == ["label"]
    assert "label" not in roles(tmp_path / "some model.onnx")[Role.FEATURE]


def test_json_is_one_object_on_stdout(cli, numbers, tmp_path):
    result = cli("fit", "-", "--steps", 300, "--json", "--quiet", stdin=numbers.encode())
    assert (result.code, result.err) == (0, "")
    summary = json.loads(result.out)
    model = (tmp_path / "gandetect.onnx").read_bytes()
    assert summary["model"] == "gandetect.onnx"
    assert summary["sha256"] == hashlib.sha256(model).hexdigest()
    assert summary["bytes"] == len(model)
    assert summary["rows"] == {"read": 60, "learned": 60, "trimmed": 0, "known_anomalies": 0, "empty": 0, "skipped": 0}
    assert summary["columns"][0] == {"name": "a", "kind": "number", "role": "feature", "reason": ""}
    assert summary["training"]["settings"]["n_steps"] == 300
    assert summary["warnings"] == summary["health"]["diagnoses"] == []


def test_gross_rows_are_trimmed_named_and_flagged_afterwards(cli, numbers):
    header, *rows = numbers.splitlines()
    a, b, c = rows[7].split(",")
    rows[7] = f"{a},{1000 * float(b) + 1000},{c}"
    table = "\n".join([header, *rows, ""]).encode()
    result = cli("fit", "-", "--steps", 50, "--json", stdin=table)
    sentence = "trimmed 1.7 % of the rows: numbers in 'b' lie far beyond all others; rows like these will be flagged"
    assert f"warning: {sentence}\n" in result.err
    summary = json.loads(result.out)
    assert sentence in summary["warnings"]
    assert (summary["rows"]["learned"], summary["rows"]["trimmed"]) == (59, 1)
    assert "  trimmed_columns: b 1\n  trimmed_share: 0.016667\n" in cli("inspect").out
    scored = cli("score", "-", "--only-anomalies", stdin=table)
    assert f"\n{rows[7]}," in scored.out


def test_rows_without_any_value_are_counted_and_not_learned_from(cli, numbers, tmp_path):
    padded = numbers + ",,\n" * 40 + "NA,-, \n"
    result = cli("fit", "-", "--steps", 2, "--json", "-o", "padded.onnx", stdin=padded.encode())
    assert "<stdin>: learning from 60 rows\n" in result.err
    assert "warning: 41 rows without any value to learn from left out\n" in result.err
    found = {"read": 101, "learned": 60, "trimmed": 0, "known_anomalies": 0, "empty": 41, "skipped": 0}
    assert json.loads(result.out)["rows"] == found
    cli("fit", "-", "--steps", 2, stdin=numbers.encode())
    assert (tmp_path / "padded.onnx").read_bytes() == (tmp_path / "gandetect.onnx").read_bytes()


def labelled(numbers):
    """Return the numbers with a column of labels; every tenth row is a fault."""
    header, *rows = numbers.splitlines()
    marked = [f"{row},{'fault' if i % 10 == 0 else ''}" for i, row in enumerate(rows)]
    return "\n".join([f"{header},state", *marked, ""]).encode()


def test_known_anomalies_are_learned_from_as_such(cli, numbers, tmp_path):
    result = cli("fit", "-", "--known-anomalies", "state=fault", "--steps", 50, stdin=labelled(numbers))
    assert result.code == 0
    assert "<stdin>: learning from 54 rows\n" in result.err
    assert "6 known anomalies to learn from\n" in result.err
    assert "left out 'state': the label; every other row is taken as normal\n" in result.err
    assert "holds 2 different labels" not in result.err
    scorer = gandetect.Scorer(tmp_path / "gandetect.onnx")
    assert scorer.manifest["training"]["n_known_anomalies"] == 6
    assert [column.name for column in scorer.schema.features] == ["a", "b", "c"]


def test_a_model_remembers_which_column_holds_labels_and_which_are_anomalies(cli, numbers):
    rows = labelled(numbers)
    cli("fit", "-", "--known-anomalies", "state=fault", "--steps", 50, stdin=rows)
    result = cli("evaluate", "-", stdin=rows.replace(b",\n", b",fine\n"))
    assert result.code == 0
    assert "60 rows, 6 anomalies" in result.out


@pytest.mark.parametrize(("in_table", "asked"), [(" fault ", "Fault"), ("FAULT", "fault ")])
def test_neither_blanks_around_a_label_nor_capitals_matter(cli, numbers, in_table, asked):
    rows = labelled(numbers).replace(b"fault", in_table.encode())
    rows = rows.replace(b",\n", b",fine\n", 20).replace(b",\n", b",Fine\n")
    result = cli("fit", "-", "--known-anomalies", f"state={asked}", "--steps", 2, stdin=rows)
    assert "6 known anomalies to learn from\n" in result.err
    assert "different labels" not in result.err
    for arguments in ([], ["--anomaly", asked]):
        compared = cli("evaluate", "-", *arguments, stdin=rows)
        assert "60 rows, 6 anomalies" in compared.out, compared.err


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--known-anomalies", "state"], "Expected --known-anomalies COLUMN=LABEL, found 'state'"),
        (["--known-anomalies", "state= "], "Expected --known-anomalies COLUMN=LABEL, found 'state= '; name both."),
        (["--known-anomalies", "state=broken"], "label 'broken' in 'state', found only '', 'fault'; correct"),
        (
            ["--known-anomalies", "state=fault", "--label-column", "c"],
            "Expected one column of labels, found 'c', 'state'",
        ),
    ],
)
def test_known_anomalies_that_are_not_there_are_an_error(cli, numbers, options, message):
    result = cli("fit", "-", *options, stdin=labelled(numbers))
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_a_sick_training_is_warned_about(cli, numbers):
    result = cli("fit", "-", "--steps", 1, "-o", "sick.onnx", stdin=numbers.encode())
    assert result.code == 0
    sentence = "4 of 4 members: the discriminator hardly tells samples from noise around them"
    assert f"warning: {sentence}; more steps, more training data or another seed may help\n" in result.err
    shown = cli("inspect", "sick.onnx").out
    assert f"health\n  {sentence}\n  trained once more: 4 members\n  realness real over the training: 0." in shown
    assert "\nnoise skill " in shown


def test_an_effort_is_recorded_and_an_unknown_one_refused(cli, numbers):
    result = cli("fit", "-", "--effort", "low", "--steps", 2, "--json", "--quiet", stdin=numbers.encode())
    settings = json.loads(result.out)["training"]["settings"]
    assert (settings["effort"], settings["n_steps"]) == ("low", 2)
    refused = cli("fit", "-", "--effort", "huge", stdin=numbers.encode())
    assert refused.code == 2
    assert "Invalid value for '--effort': 'huge' is not one of 'low', 'default', 'high'" in refused.err


def test_the_model_can_go_to_stdout(start, numbers, tmp_path):
    out, err = start("fit", "-", "-o", "-", "--steps", 2).communicate(numbers.encode())
    assert gandetect.Scorer(out).verify() <= 1e-5
    assert b"wrote standard output (" in err
    assert not list(tmp_path.iterdir())


def test_the_model_and_json_cannot_share_stdout(cli):
    result = cli("fit", "data.csv", "-o", "-", "--json")
    assert result.code == 2
    assert result.err == ("gandetect: Expected one thing on standard output, found --output - and --json; drop one.\n")


def test_kinds_and_columns_can_be_chosen(cli, numbers, tmp_path):
    options = ["--kind", "a=category", "--drop", "b", "--columns", "a,b"]
    assert cli("fit", "-", "--steps", 2, *options, stdin=numbers.encode()).code == 0
    assert roles(tmp_path / "gandetect.onnx") == {Role.FEATURE: ["a"], Role.LABEL: [], Role.LEFT_OUT: ["b", "c"]}
    assert gandetect.Scorer(tmp_path / "gandetect.onnx").schema["a"].kind == "category"


def test_columns_are_left_out_by_one_line_of_names_or_one_by_one(cli, tmp_path):
    rows = "".join(f"{i % 7},{i % 5},{i % 11},{i % 3}\n" for i in range(60))
    data = f'a,b,"c,d",e\n{rows}'.encode()
    assert cli("fit", "-", "--steps", 2, "--drop", 'a,"c,d"', "--drop", "e", stdin=data).code == 0
    assert roles(tmp_path / "gandetect.onnx")[Role.LEFT_OUT] == ["a", "c,d", "e"]


def test_columns_can_be_given(cli, numbers, tmp_path):
    result = cli("fit", "-", "--steps", 2, "--given", "b", "--columns", "a,c", stdin=numbers.encode())
    assert result.code == 0
    assert "given 'b': rows are judged among their like\n" in result.err
    schema = gandetect.Scorer(tmp_path / "gandetect.onnx").schema
    assert [column.role for column in schema.columns] == [Role.FEATURE, Role.GIVEN, Role.FEATURE]
    assert "\nb (given)  number " in cli("inspect").out
    scored = cli("score", "-", "--explain", 9, "--json", stdin=numbers.encode()).out.splitlines()
    assert {json.loads(row)["blame_1"] for row in scored} <= {"a", "c"}
    assert isinstance(json.loads(scored[0])["b"], float | int)


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--given", "x"], "expected names of its columns 'a', 'b', 'c', found 'x'"),
        (["--given", "a,b,c"], "expected at least one column to learn from, found none"),
        (["--given", "a", "--drop", "a"], "Expected given columns out of those to learn from, 'b', 'c', found 'a'"),
        (
            ["--given", "a\nb"],
            r"Expected --given to hold names with commas between them, found 'a\nb'; put double quotes",
        ),
        (["--drop", "a\nb"], r"Expected --drop to hold names with commas between them, found 'a\nb'; put double"),
        (["--columns", "a\nb"], r"Expected --columns to hold names with commas between them, found 'a\nb'; put double"),
    ],
)
def test_chosen_columns_that_cannot_be_are_one_sentence(cli, numbers, options, found):
    result = cli("fit", "-", "--steps", 2, *options, stdin=numbers.encode())
    assert result.code == 2
    assert found in result.err
    assert len(result.err.splitlines()) == 1


def test_semicolons_and_decimal_commas_are_read(cli, numbers, tmp_path):
    text = numbers.replace(",", ";").replace(".", ",")
    models = []
    for options in ((), ("--decimal", ",")):
        result = cli("fit", "-", "--steps", 2, *options, stdin=text.encode())
        assert "\nnumbers have a decimal comma\n" in result.err
        models.append((tmp_path / "gandetect.onnx").read_bytes())
    assert models[0] == models[1]
    assert gandetect.Scorer(models[0]).schema["b"].decimal == ","


def test_between_commas_a_comma_is_no_decimal_mark(cli):
    text = "a,b\n" + "".join(f'"1,{i}",{i}\n' for i in range(30))
    assert "found '1,0'; pass --decimal ','" in cli("fit", "-", "--steps", 2, stdin=text.encode()).err


def test_a_named_decimal_mark_tells_what_separates_thousands(cli, tmp_path):
    text = ("a,b\n" + "".join(f'"{i % 4 + 1},{i:03}",{i % 7}\n' for i in range(40))).encode()
    assert "pass --decimal '.' if so" in cli("fit", "-", "--steps", 2, stdin=text).err
    assert cli("fit", "-", "--steps", 2, "--decimal", ".", stdin=text).code == 0
    assert gandetect.Scorer(tmp_path / "gandetect.onnx").schema["a"].grouping == ","


def test_numbers_that_stand_for_missing_values_are_missing_in_training_and_in_scoring(cli, tmp_path):
    marked = "".join(
        f"{'-9999.0' if i % 9 == 0 else i % 13},{99 if i % 5 == 0 else i % 7},{i * 7 % 11}\n" for i in range(60)
    )
    bare = "".join(line.replace("-9999.0,", ",") for line in marked.splitlines(True)).replace(",99,", ",,")
    header, files = "t,age,n\n", {}
    for name, rows, options in (("marked", marked, ["--missing", -9999, "--missing", "age=99"]), ("bare", bare, [])):
        result = cli("fit", "-", "--steps", 2, "-o", f"{name}.onnx", *options, stdin=(header + rows).encode())
        assert result.code == 0
        assert "again and again" not in result.err
        files[name] = header + rows + "99,3,99\n"
    scored = [cli("score", "-", "-m", f"{name}.onnx", stdin=rows.encode()) for name, rows in files.items()]
    answers = [[line.split(",")[3:] for line in result.out.splitlines()] for result in scored]
    assert answers[0] == answers[1]
    assert "19 missing values" in scored[0].err


def test_marks_of_missing_values_that_cannot_be_are_one_sentence(cli):
    table = b"a,b\n" + b"1,x\n2,y\n" * 20
    number = cli("fit", "-", "--missing", "a=k.A.", stdin=table)
    assert number.err == (
        "gandetect: Expected --missing NUMBER or COLUMN=NUMBER, found 'a=k.A.'; write the number with a point.\n"
    )
    column = cli("fit", "-", "--missing", "b=9", stdin=table)
    assert column.code == 2
    assert column.err.endswith(
        "expected numbers in column 'b', of which some stand for missing values, found the kind category; drop that "
        "--missing, or pass --kind 'b=number'.\n"
    )


def test_at_most_max_rows_are_learned_from(cli, numbers, tmp_path):
    options = ["--steps", 2, "--max-rows", 40]
    models = []
    for seed in (1, 1, 2):
        result = cli("fit", "-", *options, "--seed", seed, stdin=numbers.encode())
        assert "<stdin>: learning from 40 rows, chosen at random from 60\n" in result.err
        models.append((tmp_path / "gandetect.onnx").read_bytes())
    assert models[0] == models[1]
    assert models[0] != models[2]


def test_a_counter_is_found_among_rows_that_were_chosen_at_random(cli, numbers):
    rows = numbers.splitlines()
    counted = ["n," + rows[0], *(f"{700 + i},{row}" for i, row in enumerate(rows[1:]))]
    result = cli("fit", "-", "--steps", 2, "--max-rows", 40, stdin="\n".join(counted).encode())
    assert "left out 'n': it counts the rows: an id\n" in result.err


def test_unreadable_fields_are_dropped_or_missing_on_request(cli, numbers):
    text = numbers + "1,oops,3\n"
    skipped = cli("fit", "-", "--steps", 2, "--on-error", "skip", stdin=f"{text}1,2\n".encode())
    assert "learning from 60 rows" in skipped.err
    assert "warning: 1 line skipped that could not be read; <stdin>, line 63: expected 3 fields" in skipped.err
    assert "warning: 1 field could not be read: 1 row skipped\n" in skipped.err
    missing = cli("fit", "-", "--steps", 2, "--on-error", "missing", stdin=text.encode())
    assert "learning from 61 rows" in missing.err
    assert "warning: 1 field could not be read: taken as missing\n" in missing.err


def test_few_rows_bring_a_warning(cli):
    table = b"a,b\n" + b"".join(b"%d,%d\n" % (i % 3, i % 5) for i in range(12))
    result = cli("fit", "-", "--steps", 2, stdin=table)
    assert "warning: with 12 rows no p-value is below 0.077: add rows if you can\n" in result.err


def test_contamination_becomes_the_files_threshold(cli, numbers, tmp_path):
    assert cli("fit", "-", "--steps", 2, "--contamination", "0.1", stdin=numbers.encode()).code == 0
    assert gandetect.Scorer(tmp_path / "gandetect.onnx").manifest["calibration"]["threshold"] is not None
    (tmp_path / "same.csv").write_text(numbers)
    result = cli("score", "same.csv", "-o", "out.csv")
    assert "60 rows scored, 6 anomalies (10.0 %) at the model's own threshold, an anomaly score above" in result.err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--contamination", "much"], "Expected --contamination to be auto or a share up to 0.5, found 'much'"),
        (["--contamination", "0.7"], "Expected contamination to be 'auto' or in (0, 0.5], found 0.7"),
        (["--loss", "mean"], "Invalid value for '--loss': 'mean' is not one of 'logistic'"),
        (["--decimal", ";"], "Invalid value for '--decimal': ';' is not one of '.', ','"),
        (["--kind", "category"], "Expected --kind COLUMN=KIND, found 'category'; write the column's name first."),
        (["--kind", "a=colour"], "<stdin>: expected one of the kinds"),
        (["--drop", "z"], "<stdin>: expected names of its columns 'a', 'b', 'c', found 'z'"),
        (["--label-column", "z"], "<stdin>: expected names of its columns 'a', 'b', 'c', found 'z'"),
        (["--columns", "a,z"], "<stdin>: expected names of its columns 'a', 'b', 'c', found 'z'"),
        (["--delimiter", ",,"], "<stdin>: expected a delimiter of one character"),
    ],
)
def test_an_option_that_cannot_be_used_is_one_sentence(cli, numbers, options, sentence, tmp_path):
    result = cli("fit", "-", "-q", *options, stdin=numbers.encode())
    assert result.code == 2
    assert result.err.startswith(f"gandetect: {sentence}")
    assert result.err.count("\n") == 1
    assert not (tmp_path / "gandetect.onnx").exists()


@pytest.mark.parametrize(
    ("choice", "known"),
    [
        (LossChoice, [*LOSSES]),
        (EffortChoice, [*table_settings.EFFORTS]),
        (EffortChoice, [*image_settings.EFFORTS]),
        (DetectorChoice, ["auto", *image_settings.DETECTORS]),
    ],
)
def test_the_command_line_offers_what_the_library_knows(choice, known):
    assert [*get_args(choice)] == known


def test_an_output_that_cannot_be_written_is_found_before_anything_is_read(cli, tmp_path):
    result = cli("fit", "no such data.csv", "-o", tmp_path / "no folder" / "model.onnx")
    assert result.code == 4
    assert result.err.startswith(f"gandetect: Cannot write '{tmp_path}/no folder/model.onnx': No such file")
    result = cli("fit", "no such data.csv", "-o", tmp_path)
    assert result.code == 4
    assert "Is a directory; name a file inside that folder." in result.err
    assert not list(tmp_path.iterdir())


def test_a_full_disk_leaves_the_old_model(cli, numbers, monkeypatch, tmp_path):
    (tmp_path / "gandetect.onnx").write_bytes(b"old")

    def full(descriptor):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    result = cli("fit", "-", "-q", "--steps", 2, stdin=numbers.encode())
    assert result.code == 4
    assert result.err == (
        "gandetect: Cannot write 'gandetect.onnx': No space left on device; "
        "free some space or name a path on another disk.\n"
    )
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("gandetect.onnx", b"old")]


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_during_learning_leaves_the_old_model(start, machines_train, tmp_path, number, code):
    (tmp_path / "gandetect.onnx").write_bytes(b"old")
    # A shell that runs tests in the background has Ctrl-C ignored, and children inherit that.
    heed = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)}
    process = start("fit", machines_train, "--steps", 1_000_000, **heed)
    for line in process.stderr:
        if line.startswith(b"left out"):
            break
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    assert process.returncode == code
    assert err.endswith(b"gandetect: stopped.\n")
    assert (tmp_path / "gandetect.onnx").read_bytes() == b"old"
    assert {path.name for path in tmp_path.iterdir()} <= {"gandetect.onnx", "gandetect.onnx.checkpoint"}


@pytest.mark.usefixtures("stopping")
def test_an_interrupted_fit_goes_on_with_resume_to_the_same_bytes(cli, numbers, tmp_path):
    command = ["fit", "-", "--steps", 20, "-o", "m.onnx"]
    stopped = cli(*command, stdin=numbers.encode())
    assert stopped.code == 143
    assert "interrupted; the same command with --resume goes on from m.onnx.checkpoint\n" in stopped.err
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx.checkpoint"]
    resumed = cli(*command, "--resume", stdin=numbers.encode())
    assert resumed.code == 0
    assert "resuming from m.onnx.checkpoint\n" in resumed.err
    assert [path.name for path in tmp_path.iterdir()] == ["m.onnx"]
    once = (tmp_path / "m.onnx").read_bytes()
    assert cli(*command, stdin=numbers.encode()).code == 0
    assert (tmp_path / "m.onnx").read_bytes() == once


@pytest.mark.usefixtures("stopping")
def test_only_the_same_command_goes_on(cli, numbers, tmp_path):
    assert cli("fit", "-", "--steps", 20, stdin=numbers.encode()).code == 143
    kept = (tmp_path / "gandetect.onnx.checkpoint").read_bytes()
    other = cli("fit", "-", "-q", "--steps", 20, "--seed", 1, "--resume", stdin=numbers.encode())
    assert other.code == 2
    assert "found one with other seed; repeat the interrupted fit exactly" in other.err
    assert (tmp_path / "gandetect.onnx.checkpoint").read_bytes() == kept
    anew = cli("fit", "-", "--steps", 20, stdin=numbers.encode())
    assert anew.code == 0
    assert "warning: gandetect.onnx.checkpoint of an interrupted fit is not used" in anew.err
    assert [path.name for path in tmp_path.iterdir()] == ["gandetect.onnx"]


def test_resume_without_a_checkpoint_learns_from_the_start(cli, numbers):
    result = cli("fit", "-", "--steps", 2, "--resume", stdin=numbers.encode())
    assert result.code == 0
    assert "no gandetect.onnx.checkpoint: learning from the start\n" in result.err


@pytest.mark.parametrize("output", ["-", os.devnull])
def test_resume_needs_a_file_to_write(cli, numbers, output):
    result = cli("fit", "-", "--resume", "-o", output, stdin=numbers.encode())
    assert (result.code, result.out) == (2, "")
    assert "Expected --output to name a file" in result.err


@pytest.mark.usefixtures("stopping")
def test_a_signal_between_two_steps_leaves_the_old_model(cli, numbers, tmp_path):
    (tmp_path / "gandetect.onnx").write_bytes(b"old")
    result = cli("fit", "-", "-q", stdin=numbers.encode())
    assert result == (143, "", "gandetect: stopped.\n")
    assert (tmp_path / "gandetect.onnx").read_bytes() == b"old"


def test_without_torch_fit_says_what_to_install(start, numbers, tmp_path, not_installed):
    process = start("fit", "-", "-q", code=not_installed("torch"))
    out, err = process.communicate(numbers.encode())
    assert (process.returncode, out) == (2, b"")
    assert err.startswith(b"gandetect: Expected torch for gandetect.")
    assert err.endswith(b"found none; pip install 'gandetect[train]'.\n")
    assert not list(tmp_path.iterdir())


def test_a_bar_is_drawn_on_a_terminal_only(monkeypatch, capsys):
    def learn(quiet):
        with ProgressBar("learning", quiet=quiet) as bar:
            bar.update(50, 100, "losses 1.250 and 0.500")
            if bar._bar is not None:
                bar._bar.refresh()
        return capsys.readouterr().err

    assert learn(quiet=False) == ""
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    drawn = learn(quiet=False)
    assert "learning" in drawn
    assert " 50%" in drawn
    assert "losses 1.250 and 0.500" in drawn
    assert learn(quiet=True) == ""


def test_a_bar_with_a_delay_is_not_drawn_for_short_tasks(monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with ProgressBar("scoring", quiet=False, delay=60) as bar:
        bar.update(1, 2)
    assert capsys.readouterr().err == ""
