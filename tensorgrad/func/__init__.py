"""Functions of functions: derivatives and mapping, under the names of `torch.func`.

https://docs.pytorch.org/docs/stable/func.api.html
"""

from tensorgrad.func.differentiation import (
    grad,
    grad_and_value,
    hessian,
    jacfwd,
    jacrev,
    jvp,
    vjp,
)
from tensorgrad.func.mapping import vmap

__all__ = [
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "vjp",
    "vmap",
]
