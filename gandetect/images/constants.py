"""Numbers that networks for images and the graph that takes their place have in common."""

SLOPE = 0.2
"""Slope of the leaky ReLU behind every hidden layer."""

SMALLEST_SQUARE = 0.01
"""Added to the mean square of a channel before its logarithm is taken."""

SMALLEST_LENGTH = 1e-6
"""Added to the mean square of a code before it is scaled to a mean square of one."""
