"""Nodes of a generator that fills in every column from the others, with all columns hidden in a few passes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gandetect.graph.builder import GraphBuilder
from gandetect.graph.layers import AffineLayer, hidden_layers, silu

MAX_MASKS = 16
"""To measure a row's reconstruction error its columns are hidden in at most this many groups, one by one."""


@dataclass(frozen=True)
class Masks:
    """Which member hides which entries in which pass.

    Shape
    -----
    hidden_columns (members, passes, n_columns), hidden_entries (members, passes, sample_dim): one where hidden;
    outputs (members, passes, width): the entries that a pass predicts, padded with 0;
    position (sample_dim,): where each entry stands among the flattened outputs; 0 for what is given
    """

    hidden_columns: NDArray[np.bool_]
    hidden_entries: NDArray[np.bool_]
    outputs: NDArray[np.int64]
    position: NDArray[np.int64]

    @classmethod
    def of(cls, n_members: int, column_of: NDArray[np.int64], given: NDArray[np.bool_]) -> Masks:
        """Share the columns out among at most `MAX_MASKS` masks, and these among the members."""
        columns = np.flatnonzero(~given)
        n_masks = min(MAX_MASKS, len(columns))
        n_passes = -(-n_masks // n_members)
        mask_of = np.arange(len(columns)) % n_masks
        hidden_columns = np.zeros((n_members, n_passes, len(given)), dtype=bool)
        hidden_columns[mask_of % n_members, mask_of // n_members, columns] = True
        hidden_entries = hidden_columns[..., column_of]
        width = hidden_entries.sum(2).max()
        outputs = np.zeros((n_members, n_passes, width), dtype=np.int64)
        position = np.zeros(len(column_of), dtype=np.int64)
        for member, turn in np.ndindex(n_members, n_passes):
            entries = np.flatnonzero(hidden_entries[member, turn])
            outputs[member, turn, : len(entries)] = entries
            position[entries] = (member * n_passes + turn) * width + np.arange(len(entries))
        return cls(hidden_columns, hidden_entries, outputs, position)


def add_expected(
    builder: GraphBuilder,
    seen: str,
    generator: tuple[AffineLayer, ...],
    column_of: NDArray[np.int64],
    given: NDArray[np.bool_],
) -> str:
    """Hide every column once and let the generator fill it in: (n, sample_dim); what is given is not hidden.

    The passes are shared out among the members. Hiding is done to the first layer's weights instead of its input, and
    of the last layer only the hidden entries are computed.

    Parameters
    ----------
    builder : GraphBuilder
        Gets the nodes.
    seen : str
        The generator's input with nothing hidden, (n, sample_dim + n_columns + 1).
    generator : tuple of (weight, bias)
        Layers of all members' generators.
    column_of : array of shape (sample_dim,)
        Raw column of each entry of a sample.
    given : array of bool of shape (n_columns,)
        Columns that are never hidden.
    """
    n_members = len(generator[0][0])
    masks = Masks.of(n_members, column_of, given)
    first, *hidden, (last_weight, last_bias) = generator
    masked_weight = _hiding(builder, first, masks)
    x = hidden_layers(builder, silu(builder, builder.node("MatMul", seen, masked_weight)), hidden, per_mask=True)
    member = np.arange(n_members)[:, None, None]
    weight = last_weight.swapaxes(1, 2)[member, masks.outputs].swapaxes(2, 3)  # (members, passes, width, outputs)
    filled = builder.node("MatMul", x, builder.floats(weight))
    flat = builder.node(
        "Reshape", builder.node("Transpose", filled, perm=[2, 0, 1, 3]), builder.ints([0, masks.outputs.size])
    )
    gathered = builder.node("Gather", flat, builder.ints(masks.position), axis=1)  # (n, sample_dim)
    bias = last_bias[:, 0][member, masks.outputs].ravel()[masks.position]
    return builder.node("Add", gathered, builder.floats(bias))


def _hiding(builder: GraphBuilder, layer: AffineLayer, masks: Masks) -> str:
    """Weights of the generator's first layer, in every pass without those of what is hidden.

    Returns a tensor of shape (members, passes, inputs + 1, width); what the mask says is in the last row, the bias.
    """
    weight, bias = layer
    hides = np.concatenate([masks.hidden_entries, masks.hidden_columns], axis=2)  # (members, passes, inputs)
    mask_weight = weight[:, None, masks.hidden_entries.shape[2] :]  # (members, 1, n_columns, width)
    told = bias[:, None] + (masks.hidden_columns[..., None] * mask_weight).sum(2, keepdims=True)
    # Weights and mask are stored apart, which is smaller; the runtime joins them once, when it loads the model.
    kept = builder.node("Mul", builder.floats(weight[:, None]), builder.floats(~hides[..., None]))
    return builder.node("Concat", kept, builder.floats(told), axis=2)
