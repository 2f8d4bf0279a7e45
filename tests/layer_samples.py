"""What the tests of layers share: numbers, and how near a result must come."""

import numpy as np


def rng():
    return np.random.default_rng(0)


def host(tensor):
    return tensor.detach().numpy()


def close(actual, expected, tolerance=1e-6):
    np.testing.assert_allclose(host(actual), expected, rtol=tolerance, atol=tolerance)
