"""What a model file must compute, written once more: numpy, float64, no ONNX, no torch.

It is the meaning of the formulas in the docstrings of `gandetect.tables.encoding` and `gandetect.calibration`, kept
apart from the graph's way to compute them.
"""

from dataclasses import dataclass, replace

import numpy as np

from gandetect.calibration import STRONG, UNSEEN_SLOPE
from gandetect.tables.encoding import CategoryEncoding, EncodedRows, NumberEncoding, TimeEncoding


def encode(encoding, columns):
    """Return samples, presence, growth and excess of raw columns, all float64."""
    blocks = {name: _block(column, columns[name], encoding.departure) for name, column in encoding.columns.items()}
    kinds = (NumberEncoding, TimeEncoding, CategoryEncoding)
    samples = [blocks[name][0] for kind in kinds for name, c in encoding.columns.items() if type(c) is kind]
    present, growth, excess = (np.stack([block[i] for block in blocks.values()], axis=1) for i in (1, 2, 3))
    return EncodedRows(np.concatenate(samples, axis=1), present.astype(float), growth.max(1, keepdims=True), excess)


def _block(column, values, departure):
    if isinstance(column, CategoryEncoding):
        return _category_block(column, values)
    known = np.isfinite(values)
    values = np.where(known, values, 0.0)
    if isinstance(column, TimeEncoding):
        angles = 2 * np.pi * np.remainder(values[:, None] / column.periods, 1)
        parts = np.stack([np.sin(angles), np.cos(angles)], axis=2).reshape(len(values), -1)
        scaled = np.clip((parts - column.centres) / column.scales, -8, 8)
        return scaled * known[:, None], known, np.zeros(len(values)), np.zeros(len(values))
    with np.errstate(over="ignore"):
        scaled = np.clip((values - column.centre) / column.scale, -8, 8)
        away = np.where(known, np.abs(values - column.middle), 0)
        growth = np.log1p(np.clip(away / column.half_range - 3, 0, 1e300))
    surprise = departure * (column.is_constant & (away > column.scale))
    return np.where(known, scaled, 0)[:, None], known, growth, growth + surprise


def _category_block(column, values):
    row = {level: i for i, level in enumerate(column.levels)}
    unknown = len(column.levels)
    block = np.zeros((len(values), column.block.shape[1]))
    excess = np.zeros(len(values))
    for i, value in enumerate(values):
        if value:
            block[i] = np.clip(column.block[row.get(value, unknown)], -8, 8)
            excess[i] = 0 if value in row else column.unknown_excess
    return block, values != "", np.zeros(len(values)), excess


def silu(x):
    with np.errstate(over="ignore"):
        return x / (1 + np.exp(-x))


def forward(layers, x, member):
    """Pass samples through one member's layers; return the last hidden activations and the output."""
    for weight, bias in layers[:-1]:
        x = silu(x @ weight[member] + bias[member])
    weight, bias = layers[-1]
    return x, x @ weight[member] + bias[member]


@dataclass
class Networks:
    """A trained pair as float64 arrays.

    discriminator, generator: layers of (weight, bias) for all members and all heads; the generator's first layer also
    takes the noise. scored: indices of the heads that count.
    """

    discriminator: list
    generator: list
    scored: list
    memory: np.ndarray
    column_of: np.ndarray
    votes: np.ndarray | None

    @property
    def n_members(self):
        return len(self.memory)

    def member(self, index):
        """Return an ensemble of one member."""
        one = slice(index, index + 1)
        discriminator, generator = (
            [(weight[one], bias[one]) for weight, bias in layers] for layers in (self.discriminator, self.generator)
        )
        return replace(
            self,
            discriminator=discriminator,
            generator=generator,
            memory=self.memory[one],
            votes=None,
        )

    def complete(self, samples, mask, member):
        """Return the generator's samples, given the columns that are not masked; the noise is zero."""
        entries = mask[:, self.column_of]
        noise = np.zeros((len(samples), self.generator[0][0].shape[1] - samples.shape[1] - mask.shape[1]))
        return forward(self.generator, np.concatenate([samples * (1 - entries), mask, noise], axis=1), member)[1]

    def judge(self, encoded, member):
        """Return one member's components: minus its scored heads' mean logit, and two log distances.

        The distances are those to the nearest code of its memory, and to what it expects of a row of which it sees
        nothing; missing cells are filled in.
        """
        missing = 1 - encoded.present
        filled = self.complete(encoded.samples, missing, member)
        samples = np.where(missing[:, self.column_of] == 1, filled, encoded.samples)
        logits = forward(self.discriminator, samples, member)[1]
        nearest = np.min([((samples - code) ** 2).sum(1) for code in self.memory[member]], axis=0)
        typical = self.complete(np.zeros((1, samples.shape[1])), np.ones((1, missing.shape[1])), member)
        atypical = np.abs(samples - typical).sum(1)
        recall, atypical = (np.log(distance + 0.01 * samples.shape[1]) for distance in (nearest, atypical))
        return np.column_stack([-logits[:, self.scored].mean(1), recall, atypical])

    def expected(self, encoded):
        """Hide every column once, in at most 16 groups dealt out to the members; return what they fill in."""
        n_columns = encoded.present.shape[1]
        n_groups = min(16, n_columns)
        filled = np.zeros_like(encoded.samples)
        for group in range(n_groups):
            hidden = np.arange(n_columns) % n_groups == group
            mask = np.maximum(1 - encoded.present, hidden)
            entries = hidden[self.column_of]
            filled[:, entries] = self.complete(encoded.samples, mask, group % self.n_members)[:, entries]
        return filled

    def column_errors(self, encoded):
        """Return the squared error of what is expected in each column."""
        square = (self.expected(encoded) - encoded.samples) ** 2
        return np.stack([square[:, self.column_of == c].sum(1) for c in range(encoded.present.shape[1])], axis=1)


def components(networks, encoded, error_scale):
    """Return the components of the score, the reconstruction error and each column's blame."""
    each = np.stack([networks.judge(encoded, member) for member in range(networks.n_members)])
    judged = np.average(each, axis=0, weights=networks.votes)
    if networks.votes is not None:
        judged[:, 0] = -np.logaddexp.reduce(np.log(networks.votes)[:, None] - each[..., 0], axis=0)
    relative = networks.column_errors(encoded) / error_scale * encoded.present
    capped = np.minimum(relative, 20)
    error = capped.sum(1) / np.maximum(encoded.present.sum(1), 1)
    values = np.column_stack([judged, error, encoded.excess.max(1)])
    return values, error, capped + 0.01 * np.log1p(relative) + encoded.excess


def anomaly_score(evidence, values, growth=0.0):
    """Add up the evidence of all components, and what goes beyond all training rows."""
    score = UNSEEN_SLOPE * np.maximum(values[:, -1] - evidence.excess_limit, growth)
    for c, (weight, strong_weight) in enumerate(zip(evidence.weights, evidence.strong_weights, strict=True)):
        x = values[:, c]
        rise = np.clip((x[:, None] - evidence.knots[c]) / evidence.widths[c], 0, 1).sum(1) * evidence.step
        tail = np.arcsinh(np.maximum((x - evidence.mean[c]) / evidence.deviation[c], 0))
        strength = rise + 0.1 * tail
        score = score + weight * strength + strong_weight * np.maximum(strength - STRONG, 0)
    return score


def answers(encoding, networks, error_scale, evidence, columns):
    """Return all continuous outputs of a model file for raw columns."""
    encoded = encode(encoding, columns)
    values, error, blame = components(networks, encoded, error_scale)
    blame, growth = blame + 1e-6, encoded.growth[:, 0]
    return {
        "anomaly_score": anomaly_score(evidence, values, growth),
        "realness": 1 / (1 + np.exp(values[:, 0])),
        "reconstruction_error": error,
        "contributions": blame / blame.sum(1, keepdims=True),
    }


def p_values(calibration, scores):
    return calibration.p_values[np.searchsorted(calibration.scores, scores, side="left")]
