"""Window functions under the names and arguments of `torch.signal.windows`.

Each gives M weights: of a symmetric window unless `sym` is False, then of a periodic one.
https://docs.pytorch.org/docs/stable/signal.html
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes
from tensorgrad.ops import tapers
from tensorgrad.ops.pointwise import abs, exp, sin
from tensorgrad.public import functions

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "bartlett",
    "blackman",
    "cosine",
    "exponential",
    "gaussian",
    "general_cosine",
    "general_hamming",
    "hamming",
    "hann",
    "kaiser",
    "nuttall",
]

NUTTALL = (0.3635819, 0.4891775, 0.1365995, 0.0106411)


def _options(op: str, M: int, options: dict[str, Any]) -> tuple[Any, Any, bool]:
    """device, dtype and requires_grad."""
    unknown = options.keys() - {"dtype", "layout", "device", "requires_grad"}
    if unknown:
        raise TypeError(f"{op}: expected dtype, layout, device or requires_grad, got {unknown}")
    if M < 0:
        raise ValueError(f"{op}: expected a length M >= 0, got {M}")
    dtype = options.get("dtype") or dtypes.get_default_dtype()
    if dtype not in (dtypes.float32, dtypes.float64):
        raise ValueError(f"{op}: expected float32 or float64, got {dtype}")
    if "strided" not in str(options.get("layout", "strided")):
        raise ValueError(f"{op}: expected a strided layout, got {options['layout']}")
    return options.get("device"), dtype, options.get("requires_grad", False)


def _positive(op: str, name: str, value: float) -> None:
    if value <= 0:
        raise ValueError(f"{op}: expected {name} > 0, got {value}")


def _cosines(op: str, M: int, weights: Any, sym: bool, options: dict[str, Any]) -> Tensor:
    device, dtype, requires_grad = _options(op, M, options)
    if M > 1 and not isinstance(weights, Iterable):
        raise TypeError(f"{op}: expected coefficients in a list, got {type(weights).__name__}")
    if M > 1 and not weights:
        raise ValueError(f"{op}: expected coefficients, got an empty list")
    weights = weights if M > 1 else (1,)
    window = tapers.cosines(M, M - 1 if sym else M, weights, device)
    return tapers.finished(window, dtype, requires_grad)


def general_cosine(M: int, *, a: Iterable[float], sym: bool = True, **options: Any) -> Tensor:
    """Sum over i of (-1)^i a[i] cos(2 pi i k / N), N being M - 1, or M if not `sym`."""
    return _cosines("general_cosine", M, a, sym, options)


def general_hamming(M: int, *, alpha: float = 0.54, sym: bool = True, **options: Any) -> Tensor:
    """alpha - (1 - alpha) cos(2 pi k / N)."""
    return _cosines("general_hamming", M, (alpha, 1 - alpha), sym, options)


def hamming(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """0.54 - 0.46 cos(2 pi k / N)."""
    return _cosines("hamming", M, (0.54, 0.46), sym, options)


def hann(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """0.5 - 0.5 cos(2 pi k / N)."""
    return _cosines("hann", M, (0.5, 0.5), sym, options)


def blackman(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """0.42 - 0.5 cos(2 pi k / N) + 0.08 cos(4 pi k / N)."""
    return _cosines("blackman", M, tapers.BLACKMAN, sym, options)


def nuttall(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """The sum of four cosines whose side lobes are lowest (Nuttall, 1981)."""
    return _cosines("nuttall", M, NUTTALL, sym, options)


def bartlett(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """1 - |2 k / N - 1|."""
    device, dtype, requires_grad = _options("bartlett", M, options)
    return tapers.finished(tapers.triangle(M, M - 1 if sym else M, device), dtype, requires_grad)


def kaiser(M: int, *, beta: float = 12.0, sym: bool = True, **options: Any) -> Tensor:
    """I0(beta sqrt(1 - (2 k / N - 1)^2)) / I0(beta), I0 being the modified Bessel function."""
    device, dtype, requires_grad = _options("kaiser", M, options)
    if beta < 0:
        raise ValueError(f"kaiser: expected beta >= 0, got {beta}")
    window = tapers.bessel(M, M - 1 if sym else M, beta, device)
    return tapers.finished(window, dtype, requires_grad)


def cosine(M: int, *, sym: bool = True, **options: Any) -> Tensor:
    """sin(pi (k + 0.5) / M), or with M + 1 if not `sym`."""
    device, dtype, requires_grad = _options("cosine", M, options)
    turn = math.pi / max(M if sym or M == 1 else M + 1, 1)
    window = sin(tapers.steps(M, turn, turn / 2, device))
    return tapers.finished(window, dtype, requires_grad)


def gaussian(M: int, *, std: float = 1.0, sym: bool = True, **options: Any) -> Tensor:
    """exp(-((k - N / 2) / std)^2 / 2)."""
    device, dtype, requires_grad = _options("gaussian", M, options)
    _positive("gaussian", "std", std)
    middle = (M - 1 if sym or M == 1 else M) / 2
    scale = 1 / (std * math.sqrt(2))
    place = tapers.steps(M, scale, -middle * scale, device)
    return tapers.finished(exp(-(place * place)), dtype, requires_grad)


def exponential(
    M: int,
    *,
    center: float | None = None,
    tau: float = 1.0,
    sym: bool = True,
    **options: Any,
) -> Tensor:
    """exp(-|k - center| / tau); the center is N / 2 unless told."""
    device, dtype, requires_grad = _options("exponential", M, options)
    _positive("exponential", "tau", tau)
    if sym and center is not None:
        raise ValueError(f"exponential: expected no center with sym, got {center}")
    if center is None:
        center = (M - 1 if sym or M == 1 else M) / 2
    window = exp(-abs(tapers.steps(M, 1 / tau, -center / tau, device)))
    return tapers.finished(window, dtype, requires_grad)


globals().update(functions(globals(), __all__))
