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
from tensorgrad.func.stateless import functional_call, stack_module_state

__all__ = [
    "functional_call",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "stack_module_state",
    "vjp",
    "vmap",
]
