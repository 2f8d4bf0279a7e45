"""Numerical checks of gradients, for users and for the library's own tests.

In one random direction u of the inputs and one random weighting v of the outputs, the analytic <J^T
v, u> is compared with the central difference <v, (f(x + eps u) - f(x - eps u)) / (2 eps)>. One
direction sees every element with probability one, and costs two evaluations instead of two an
element. Of complex numbers <a, b> is the real part of conj(a) b.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad import dtypes, engine, modes
from tensorgrad.errors import GraphError
from tensorgrad.graph import TensorCore, wrap
from tensorgrad.ops.complex_parts import conjugate
from tensorgrad.ops.creation import as_leaf, as_tensor

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

DIRECTIONS = 2  # independent random directions a check


def gradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    *,
    seed: int = 0,
) -> bool:
    """Whether the gradients of `func` at `inputs` are what central differences say.

    inputs: the arguments of func; float64 and complex128 tensors that require grad are checked,
    everything else is passed along. func returns a tensor or several; integer outputs are
    ignored. On disagreement raises GraphError with both values, or returns False with
    raise_exception=False.
    """
    try:
        _check(func, _as_list(inputs), eps, atol, rtol, np.random.default_rng(seed))
    except GraphError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Callable[..., Any],
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensor | Sequence[Tensor] | None = None,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    *,
    seed: int = 0,
) -> bool:
    """Whether the second derivatives are right: `gradcheck` of the function that returns the first
    ones.
    """
    arguments = _as_list(inputs)
    rng = np.random.default_rng(seed)
    if grad_outputs is None:
        outputs = _outputs(func(*arguments))
        weights = [_random_like(rng, out) for out in outputs]
    else:
        weights = _as_list(grad_outputs)
    for weight in weights:
        if weight._node is None:
            as_leaf(weight)
    count = len(arguments)

    def gradients(*values: Any) -> tuple[Any, ...]:
        given, upstream = values[:count], values[count:]
        with modes.enable_grad():
            leaves = [x for x in given if _is_checked(x)]
            pairs = [
                (out, v)
                for out, v in zip(_outputs(func(*given)), upstream)
                if out._node is not None
            ]
            found = engine.grad(
                [out for out, _ in pairs], leaves, [v for _, v in pairs], True, True, True
            )
        return tuple(g for g in found if g is not None and g._node is not None)

    if not gradients(*arguments, *weights):
        return True  # linear with a constant gradient: nothing left to check
    return gradcheck(
        gradients, [*arguments, *weights], eps, atol, rtol, raise_exception, seed=seed + 1
    )


def _as_list(inputs: Any) -> list[Any]:
    return [inputs] if isinstance(inputs, TensorCore) else list(inputs)


def _is_checked(value: Any) -> bool:
    return isinstance(value, TensorCore) and value._node is not None


def _outputs(result: Any) -> list[Any]:
    """The floating tensors among what a function returned."""
    several = result if isinstance(result, tuple | list) else (result,)
    found = [x for x in several if isinstance(x, TensorCore)]
    return [x for x in found if dtypes.is_differentiable(x._array.dtype)]


def _random_like(rng: np.random.Generator, tensor: Any) -> Any:
    drawn = rng.standard_normal(tensor.shape)
    if tensor.dtype.kind == "c":
        drawn = drawn + 1j * rng.standard_normal(tensor.shape)
    return as_tensor(drawn, device=tensor.device)


def _inner(first: Any, second: Any) -> float:
    if first.dtype.kind == "c":
        return float((conjugate(first) * second).sum().real)
    return float((first * second).sum())


def _check(
    func: Callable[..., Any],
    inputs: list[Any],
    eps: float,
    atol: float,
    rtol: float,
    rng: np.random.Generator,
) -> None:
    checked = [x for x in inputs if _is_checked(x)]
    if not checked:
        raise ValueError("gradcheck: expected at least one input that requires grad, got none")
    for x in checked:
        if x.dtype not in (dtypes.float64, dtypes.complex128):
            raise ValueError(
                f"gradcheck: expected inputs of dtype float64 or complex128, got {x.dtype}"
            )
    outputs = [out for out in _outputs(func(*inputs)) if out._node is not None]
    if not outputs:
        raise GraphError("gradcheck: expected an output that requires grad, got none")
    for _ in range(DIRECTIONS):
        weights = [_random_like(rng, out) for out in outputs]
        directions = {id(x): _random_like(rng, x) for x in checked}
        found = engine.grad(outputs, checked, weights, True, False, True)
        analytic = sum(
            _inner(g, directions[id(x)]) for x, g in zip(checked, found) if g is not None
        )
        ahead = _moved(func, inputs, directions, eps)
        behind = _moved(func, inputs, directions, -eps)
        numerical = sum(_inner(w, a - b) / (2 * eps) for a, b, w in zip(ahead, behind, weights))
        if not abs(analytic - numerical) <= atol + rtol * abs(numerical):  # NaN fails too
            raise GraphError(
                f"gradcheck: expected the directional derivative {numerical:.8g} (central "
                "difference), "
                f"got {analytic:.8g} from backward"
            )


def _moved(
    func: Callable[..., Any], inputs: list[Any], directions: dict[int, Any], step: float
) -> list[Any]:
    """The outputs at inputs + step * direction; those that carry gradients."""
    values = []
    for x in inputs:
        if id(x) in directions:
            moved = wrap((x.detach() + directions[id(x)] * step)._array)
            as_leaf(moved)
            values.append(moved)
        else:
            values.append(x)
    return [out.detach() for out in _outputs(func(*values)) if out._node is not None]
