"""What whitens the features of images."""

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from gandetect.grid import whitening_of

FEATURES = np.random.default_rng(0).normal(size=(667, 1, 1, 96)).astype(np.float32)


@pytest.mark.parametrize("n_threads", [2, 3])
def test_not_one_bit_depends_on_the_number_of_threads(n_threads):
    with threadpool_limits(1):
        alone = whitening_of(FEATURES, 1)
    with threadpool_limits(n_threads):
        assert whitening_of(FEATURES, 1).tobytes() == alone.tobytes()


def test_what_is_whitened_has_variance_one_in_every_direction():
    white = FEATURES[:, 0, 0] @ whitening_of(FEATURES, 1)[0, 0]
    variances = np.linalg.eigvalsh(white.T @ white / len(white))
    assert 0.8 < variances.min() <= variances.max() < 1
