"""Checks of weighted sums along a dimension: near to the composition."""

from __future__ import annotations

from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.ops.taps import Taps, combine
from tests.cuda_ladder.checking import check
from tests.kernel_samples import close, sample

UNEVEN = Taps([[(0, 0.5), (3, 0.25)], [], [(4, 1.0)], [(2, -1.5), (2, 0.5), (1, 3.0)]], 5)
MIRRORED = Taps([[(abs(i - 2), 1.0)] for i in range(9)], 7)
# (shape, dimension, taps)
CASES = [
    ((2, 5, 3), 1, UNEVEN),
    ((5,), 0, UNEVEN),
    ((4, 3, 5), 2, UNEVEN),
    ((3, 7, 20), 1, MIRRORED),
    ((90, 5), 1, UNEVEN),
]


@check("taps.cu")
def weighted_sums(backend: Any, dtype: Any, small: bool) -> None:
    for shape, dim, taps in CASES[:1] if small else CASES:
        x = sample(shape, dtype)
        x.flat[0], x.flat[-1] = np.nan, np.inf
        for table in (taps, taps.adjoint):
            with tg.use_backend("numpy"):
                want = combine(tg.tensor(x.astype("f8")), dim, table).numpy()
            close(backend.combine(backend.xp.asarray(x), dim, table).get(), want)
            x = sample(want.shape, dtype, 1)
