"""Checks of activation functions: near to the compositions in double precision."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.nn import functional
from tests.cuda_ladder.checking import check, shifted
from tests.kernel_samples import close, sample

ACTIVATIONS = {
    "relu": functional.relu,
    "sigmoid": tg.sigmoid,
    "silu": functional.silu,
    "gelu": functional.gelu,
    "gelu_tanh": partial(functional.gelu, approximate="tanh"),
}
OF_OUTPUT = ("relu", "sigmoid")  # whose gradients are made from the output
SIZES = (0, 1, 3, 4, 1023, 1029)
SMALL = (5,)
SPECIAL = (0.0, -0.0, np.inf, -np.inf, np.nan, 30.0, -30.0, 1e-30)


@check("activation.cu")
def activations(backend: Any, dtype: Any, small: bool) -> None:
    for size in SMALL if small else SIZES:
        x, g = sample(size, dtype), sample(size, dtype, 1)
        if size > 1000:
            x[: len(SPECIAL)] = SPECIAL
        for name, function in ACTIVATIONS.items():
            with tg.use_backend("numpy"), np.errstate(all="ignore"):
                tensor = tg.tensor(x.astype("f8"), requires_grad=True)
                y = function(tensor)
                y.backward(tg.tensor(g.astype("f8")))
            for place in (backend.xp.asarray, partial(shifted, backend)):
                found = getattr(backend, name)(place(x))
                close(found.get(), y.detach().numpy())
                kept = place(found.get() if name in OF_OUTPUT else x)
                slope = getattr(backend, f"{name}_vjp")(place(g), kept)
                close(slope.get(), tensor.grad.numpy())
