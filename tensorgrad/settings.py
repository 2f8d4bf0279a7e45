"""PyTorch's settings of a whole process: threads, determinism, the precision of products, and
compilers.

https://docs.pytorch.org/docs/stable/torch.html. Where nothing here depends on a setting it is kept
and handed back, and its words say why.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = [
    "are_deterministic_algorithms_enabled",
    "compile",
    "get_deterministic_debug_mode",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
    "get_num_threads",
    "is_deterministic_algorithms_warn_only_enabled",
    "set_deterministic_debug_mode",
    "set_float32_matmul_precision",
    "set_flush_denormal",
    "set_num_interop_threads",
    "set_num_threads",
    "use_deterministic_algorithms",
]

PRECISIONS = ("highest", "high", "medium")
DEBUG_MODES = ("default", "warn", "error")

_deterministic = 0  # a place in DEBUG_MODES
_precision = PRECISIONS[0]


# ---- threads


def _positive(op: str, number: Any) -> int:
    if not isinstance(number, int) or number < 1:
        raise RuntimeError(f"{op}: expected a positive int, got {number!r}")
    return number


def get_num_threads() -> int:
    """How many threads a kernel of this thread runs on."""
    import numba  # half a second, and only the kernels need it else

    return int(numba.get_num_threads())


def set_num_threads(number: int, /) -> None:
    """Let Numba's kernels, in this thread, and BLAS run on that many threads, as far as there are.

    No result of a kernel depends on the number.
    """
    import numba
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    count = _positive("set_num_threads", number)
    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    threadpool_limits(count, user_api="blas")


def get_num_interop_threads() -> int:
    """1: ops run one after another."""
    return 1


def set_num_interop_threads(number: int, /) -> None:
    """Nothing, for ops run one after another."""
    _positive("set_num_interop_threads", number)


# ---- determinism


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Keep the wish. On the CPU the same program gives the same bits anyway; on a GPU sums into
    repeated places (index_add, scatter_add) may differ in their last bits all the same.
    """
    if not isinstance(mode, bool):
        raise TypeError(f"use_deterministic_algorithms: expected a bool, got {type(mode).__name__}")
    global _deterministic
    _deterministic = (1 if warn_only else 2) if mode else 0


def are_deterministic_algorithms_enabled() -> bool:
    return _deterministic > 0


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    return _deterministic == 1


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """As `use_deterministic_algorithms`, by 0, 1, 2 or "default", "warn", "error"."""
    global _deterministic
    if debug_mode in DEBUG_MODES:
        _deterministic = DEBUG_MODES.index(str(debug_mode))
    elif debug_mode in range(len(DEBUG_MODES)):
        _deterministic = int(debug_mode)
    else:
        raise RuntimeError(
            f"set_deterministic_debug_mode: expected 0 to 2 or one of {DEBUG_MODES}, got "
            f"{debug_mode!r}"
        )


def get_deterministic_debug_mode() -> int:
    return _deterministic


# ---- precision


def set_float32_matmul_precision(precision: str) -> None:
    """Keep the wish: "highest", "high" or "medium". Products of float32 are computed in float32
    whatever it is.
    """
    global _precision
    if precision not in PRECISIONS:
        raise RuntimeError(
            f"set_float32_matmul_precision: expected one of {PRECISIONS}, got {precision!r}"
        )
    _precision = precision


def get_float32_matmul_precision() -> str:
    return _precision


def set_flush_denormal(mode: bool) -> bool:
    """False: tiny numbers below the smallest normal one are computed, never flushed to 0."""
    return False


# ---- compilers


def compile(
    model: Callable[..., Any] | None = None,
    *,
    fullgraph: bool = False,
    dynamic: bool | None = None,
    backend: Any = "inductor",
    mode: str | None = None,
    options: dict[str, Any] | None = None,
    disable: bool = False,
) -> Any:
    """The model or function itself, or without one a decorator that returns it.

    There is no compiler of whole programs here: kernels are compiled one by one at their first use.
    So the options change nothing.
    """
    if model is None:
        return lambda function: function
    if not callable(model):
        raise TypeError(f"compile: expected a function or a module, got {type(model).__name__}")
    return model
