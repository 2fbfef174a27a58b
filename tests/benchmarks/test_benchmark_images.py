"""The benchmark of images splits its data as it says, and its report averages what was measured."""

import json
from functools import partial

import images
import numpy as np
import pytest

from gandetect import InputError, read_model


@pytest.fixture(params=[(8, 8), (8, 8, 3)], ids=["grey", "colour"])
def two_classes(tmp_path, request):
    random = np.random.default_rng(0)
    dark, light = (random.integers(low, low + 30, (24, *request.param), dtype=np.uint8) for low in (20, 120))
    path = tmp_path / "classes.npz"
    labels = np.repeat([0, 1], 24)
    np.savez(
        path, X_train=np.concatenate([dark, light]), y_train=labels, X_test=np.concatenate([dark, light]), y_test=labels
    )
    return path


def test_each_class_is_learned_and_told_from_the_others(two_classes):
    rows = list(images.classes(two_classes, 0, ["knn", "pca"]))
    assert [(row["set"], row["detector"]) for row in rows] == [
        *(("class 0", "knn"), ("class 0", "pca"), ("class 1", "knn"), ("class 1", "pca"))
    ]
    assert min(row["auroc"] for row in rows) > 0.99


def test_the_report_averages_over_sets_and_then_over_seeds(tmp_path):
    path = tmp_path / "results.jsonl"
    values = {0: (0.8, 0.9), 1: (0.6, 0.7)}
    rows = [
        {"set": f"class {number}", "seed": seed, "detector": "knn", "auroc": auroc, "seconds": 2.0}
        for seed, pair in values.items()
        for number, auroc in enumerate(pair)
    ]
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert images.report(path).splitlines()[-1] == "| knn | 2 | 2 | 0.750 ± 0.100 | 2.000 ± 0.000 |"


@pytest.mark.parametrize("shape", [(32, 32, 1), (32, 32, 3)])
def test_a_vector_becomes_the_image_that_it_was_made_of(shape):
    picture = np.random.default_rng(0).random(shape)
    found = images.square_images(picture.reshape(1, -1))
    np.testing.assert_allclose(found[0], 2 * picture.transpose(2, 0, 1) - 1, atol=1e-6)


@pytest.mark.parametrize("peer", ["knn", "pca", "iforest", "mahalanobis"])
def test_every_quick_peer_finds_what_is_far_away(peer):
    random = np.random.default_rng(1)
    train, near, far = random.normal(size=(60, 6)), random.normal(size=(20, 6)), random.normal(8, 1, (20, 6))
    scores = images.PEERS[peer](train, np.concatenate([near, far]), 0)
    assert scores[:20].max() < scores[20:].min()


def test_without_the_game_the_generator_learns_from_its_reconstructions_alone(monkeypatch):
    pictures = np.random.default_rng(0).integers(0, 256, (24, 32, 32, 1), dtype=np.uint8)
    monkeypatch.setattr(images, "fit_images", partial(images.fit_images, n_steps=2, n_members=2))
    plain, with_game = (read_model(images.fit_own(name, pictures, 0))[1] for name in ("gandetect-no-game", "gandetect"))
    assert plain["training"]["settings"]["loss"] == "none"
    assert with_game["training"]["settings"]["loss"] == "logistic"
    assert plain["golden"] != with_game["golden"]
    with pytest.raises(InputError):  # and nobody else can choose it
        images.fit_images(pictures, loss="none")
