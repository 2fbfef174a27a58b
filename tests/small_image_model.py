"""A model file for pictures that needs no training: the heat of a pixel is its distance from middle grey."""

import numpy as np

from gandetect.calibration import calibrate
from gandetect.graph.builder import GraphBuilder
from gandetect.graph.score import add_verdict
from gandetect.image_schema import IMAGE_INPUT
from gandetect.model_file import seal, unsealed_metadata

SIDE = 16
MIDDLE = 128


def image_model(channels=1, scores=tuple(range(20)), threshold=None):
    """Return a model that works at 16 x 16 pixels; `scores` are those of its calibration."""
    builder = GraphBuilder()
    images = builder.input(IMAGE_INPUT, np.uint8, ["n", "height", "width", channels])
    values = builder.node("Transpose", builder.node("Cast", images, to=1), perm=[0, 3, 1, 2])
    size = builder.ints([SIDE, SIDE])
    resized = builder.node("Resize", values, "", "", size, axes=[2, 3], antialias=1, mode="linear")
    distance = builder.node("Abs", builder.node("Sub", resized, builder.floats(MIDDLE)))
    heatmap = builder.node("ReduceMax", distance, builder.ints([1]), keepdims=0)
    score = builder.node("ReduceMax", builder.node("Reshape", heatmap, builder.ints([0, -1])), builder.ints([1]))
    add_verdict(builder, score, calibrate(np.array(scores, np.float32)), threshold)
    flat = builder.node("Reshape", score, builder.ints([-1]))
    builder.output("realness", builder.node("Sigmoid", builder.node("Neg", flat)), np.float32, ["n"])
    builder.output("reconstruction_error", flat, np.float32, ["n"])
    builder.output("heatmap", heatmap, np.float32, ["n", SIDE, SIDE])
    plane = builder.node("Unsqueeze", heatmap, builder.ints([3]))
    builder.output(
        "reconstruction", builder.node("Concat", *[plane] * channels, axis=3), np.float32, ["n", SIDE, SIDE, channels]
    )
    manifest = {
        "format": 1,
        "modality": "image",
        "gandetect_version": "0.1.0",
        "image": {"height": SIDE, "width": SIDE, "channels": channels},
        "training": {
            "n_rows": 20,
            "seed": 0,
            "contamination": "auto",
            "settings": {"loss": "logistic", "n_steps": 1, "n_members": 2},
        },
        "calibration": {"n": 20, "alpha": 0.05, "threshold": threshold, "critical_score": 19.0},
        "health": {},
        "golden": {},
    }
    return seal(builder.build(unsealed_metadata(manifest)))
