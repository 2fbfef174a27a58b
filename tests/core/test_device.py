"""Training on a GPU, as far as that can be seen without one: nothing on it meets what is elsewhere.

No kernel of a GPU runs here. What does is every line that moves tensors: `other_device` refuses what a GPU refuses.
"""

import numpy as np
import pytest
import torch
from made_backbones import backbone_file, few_altered
from made_images import digits, textures
from made_tables import MIXED, by_column, mixed_rows, numbers, quick
from other_device import NAME, OtherDevice

from gandetect import Scorer, fit_images, fit_table
from gandetect.export.distillation import StudentSettings, taught
from gandetect.export.source import Source
from gandetect.training.losses import LOSSES


@pytest.fixture(autouse=True)
def _other_device():
    with OtherDevice():
        yield


def test_tensors_of_two_devices_do_not_mix():
    there, here = torch.ones(3, device=NAME), torch.ones(3)
    with pytest.raises(RuntimeError, match=r"found two in aten\.add"):
        there + here
    with pytest.raises(TypeError, match="can't convert a tensor of the device elsewhere to numpy"):
        there.numpy()
    assert (there + here.to(NAME)).cpu().tolist() == [2, 2, 2]


ROWS = mixed_rows(120)


def table_on(device, **options):
    options = {"settings": quick(n_steps=4), "seed": 0} | options
    return fit_table(ROWS, options.pop("schema", MIXED), device=device, **options)


def assert_same(model, other, raw):
    scores = (Scorer(each)(raw, "anomaly_score")["anomaly_score"] for each in (model, other))
    np.testing.assert_allclose(*scores, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("loss", LOSSES)
def test_tables_are_learned_there_as_on_the_cpu(loss):
    settings = quick(n_steps=3, loss=loss)
    assert_same(table_on("cpu", settings=settings), table_on(NAME, settings=settings), ROWS)


def test_given_columns_and_known_anomalies_are_learned_there_as_on_the_cpu():
    options = {"schema": MIXED.with_given(["city"]), "known_anomalies": mixed_rows(12, seed=5)}
    assert_same(table_on("cpu", **options), table_on(NAME, **options), ROWS)


def test_more_columns_than_rows_are_learned_there_as_on_the_cpu():
    X = np.random.default_rng(0).normal(size=(30, 40))
    options = {"columns": by_column(X), "schema": numbers(40), "settings": quick(n_steps=5)}
    assert_same(fit_table(device="cpu", **options), fit_table(device=NAME, **options), by_column(X))


def test_a_fit_that_is_interrupted_there_goes_on_to_the_same_bytes(tmp_path):
    def stop(progress):
        if progress.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        table_on(NAME, checkpoint=tmp_path / "state", callback=stop)
    assert table_on(NAME, checkpoint=tmp_path / "state", resume=True) == table_on(NAME)


PICTURES = {
    "whole": (digits(3)[:40], {}),
    "folders": (digits(3)[:40], {"folders": ["one", "two"] * 20}),
    "patch": (textures(12), {}),
    "maps": (textures(12), {"backbone": "backbone.onnx"}),
}


@pytest.mark.parametrize("kind", PICTURES)
def test_pictures_are_learned_there(kind, tmp_path, monkeypatch):
    images, options = PICTURES[kind]
    monkeypatch.chdir(tmp_path)
    backbone_file(tmp_path / "backbone.onnx")
    with few_altered():
        model = fit_images(images, effort="low", n_steps=3, device=NAME, **options)
    raw = {"images": images, "folder": options["folders"]} if kind == "folders" else images
    answers = Scorer(model)(raw, ["anomaly_score", "realness", "heatmap"])
    assert all(np.isfinite(values).all() for values in answers.values())


def test_a_student_is_taught_on_the_cpu_whatever_else_is_there():
    settings = StudentSettings(width=8, depth=1, n_steps=1, batch_size=8)
    student, _ = taught(Source(table_on("cpu")), settings, seed=0)
    assert {parameter.device.type for parameter in student.parameters()} == {"cpu"}
