"""`autocast`: a block in which ops choose the dtype that they run in.

https://docs.pytorch.org/docs/stable/amp.html. Which ops, and which dtypes: amp/policies.py.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any, TypeVar

from tensorgrad import dtypes, modes
from tensorgrad.amp.door import Casting, door
from tensorgrad.backend import backends
from tensorgrad.errors import BackendError, DTypeError
from tensorgrad.graph import TensorCore

Function = TypeVar("Function", bound=Callable[..., Any])

FAST: dict[str, dtypes.DType] = {"cpu": dtypes.bfloat16, "cuda": dtypes.float16}
SUPPORTED = (dtypes.bfloat16, dtypes.float16)


def known(name: str, device_type: Any) -> str:
    if not isinstance(device_type, str):
        raise ValueError(
            f"{name}: expected device_type to be a string, got {type(device_type).__name__}"
        )
    if device_type not in FAST:
        raise RuntimeError(f"{name}: expected device_type among {list(FAST)}, got {device_type!r}")
    return device_type


def usable(device_type: str) -> bool:
    """Whether there is a backend, and a device, of this type."""
    try:
        backends().on(device_type)
    except BackendError:
        return False
    return True


def is_autocast_available(device_type: str) -> bool:
    """Whether `autocast` knows this type of device."""
    return device_type in FAST


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether ops on tensors of this type of device are cast in this thread."""
    casting = modes.current().autocast
    return casting is not None and known("is_autocast_enabled", device_type) in casting.fast


def get_autocast_dtype(device_type: str) -> dtypes.DType:
    """The fast dtype of this thread's innermost block for the type of device, or else of the blocks
    to come.
    """
    casting = modes.current().autocast
    default = FAST[known("get_autocast_dtype", device_type)]
    if casting is None:
        return default
    found: dtypes.DType = {**casting.chosen, **casting.fast}.get(device_type, default)
    return found


def is_autocast_cache_enabled() -> bool:
    """Whether casts of parameters are kept until the outermost block ends."""
    casting = modes.current().autocast
    return casting is None or casting.weights is not None


# ---- settings without a block: they hold in this thread until the `with` block around them ends


def _setting() -> Casting:
    casting = modes.current().autocast
    return Casting({}, {}, {}) if casting is None else casting


def _set(fast: dict[str, Any], weights: dict[int, Any] | None, chosen: dict[str, Any]) -> None:
    modes.variable.set(modes.current().but(autocast=Casting(fast, weights, chosen)))


def set_autocast_enabled(device_type: str, enabled: bool) -> None:
    """Cast ops on tensors of this type of device from here on, or no longer. Ops that are called
    without autocast look at the setting, too, once it has been used.
    """
    known("set_autocast_enabled", device_type)
    casting = _setting()
    fast = {**casting.fast}
    fast.pop(device_type, None)
    if enabled:
        fast[device_type] = get_autocast_dtype(device_type)
        door.stay_open()
    _set(fast, casting.weights, casting.chosen)


def set_autocast_dtype(device_type: str, dtype: Any) -> None:
    """The fast dtype from here on: where ops are cast, and in blocks to come that name none."""
    known("set_autocast_dtype", device_type)
    dtype = dtypes.as_dtype("set_autocast_dtype", dtype)
    if dtype not in SUPPORTED:
        raise DTypeError(
            f"set_autocast_dtype: expected a dtype among {[str(known) for known in SUPPORTED]}, "
            f"got {dtype}"
        )
    casting = _setting()
    fast = {**casting.fast, device_type: dtype} if device_type in casting.fast else casting.fast
    _set(fast, casting.weights, {**casting.chosen, device_type: dtype})


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Keep casts of parameters, or make them anew at every use."""
    casting = _setting()
    _set(casting.fast, {} if enabled else None, casting.chosen)


def clear_autocast_cache() -> None:
    """Forget the casts of parameters that are kept."""
    casting = modes.current().autocast
    if casting is not None and casting.weights is not None:
        casting.weights.clear()


class autocast(modes.ModeContext):
    """Mixed precision for a `with` block or a decorated function: matrix products, convolutions
    and attention run in the fast dtype, what needs range or precision in float32.

    device_type: "cpu" or "cuda"; tensors elsewhere are left alone. dtype: bfloat16 on the CPU and
    float16 on CUDA unless told. enabled=False switches autocast off within an outer block.
    cache_enabled: a parameter is cast once in the outermost block, not at every use. Gradients
    flow back through the casts: parameters and their gradients stay float32.
    A dtype that is neither, or CUDA where there is none, warns and casts nothing.
    """

    def __init__(
        self,
        device_type: str,
        dtype: Any = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        self.device = known("autocast", device_type)
        fast = get_autocast_dtype(device_type) if dtype is None else dtype
        self.fast_dtype = dtypes.as_dtype("autocast", fast)
        self.cache_enabled = is_autocast_cache_enabled() if cache_enabled is None else cache_enabled
        if enabled and self.fast_dtype not in SUPPORTED:
            warnings.warn(
                f"autocast: expected a dtype among {[str(dtype) for dtype in SUPPORTED]}, got "
                f"{self.fast_dtype}: it casts nothing",
                stacklevel=2,
            )
            enabled = False
        if enabled and not usable(device_type):
            warnings.warn(
                f"autocast: expected a usable {device_type} device, got none: it casts nothing",
                stacklevel=2,
            )
            enabled = False
        self.enabled = enabled

    def _entered(self, outer: Casting | None) -> Casting:
        fast = {} if outer is None else {**outer.fast}
        fast.pop(self.device, None)
        if self.enabled:
            fast[self.device] = self.fast_dtype
        chosen = {} if outer is None else outer.chosen
        if not self.cache_enabled:
            return Casting(fast, None, chosen)
        weights = None if outer is None else outer.weights
        return Casting(fast, {} if weights is None else weights, chosen)

    def __enter__(self) -> None:
        mode = modes.current()
        casting = self._entered(mode.autocast)
        door.open()
        modes.variable.set(mode.but(outer=mode, autocast=casting))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        door.close()

    def __call__(self, function: Function) -> Function:
        if not callable(function):
            raise TypeError(
                f"autocast: expected a function to decorate, got {type(function).__name__}"
            )

        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return inside  # type: ignore[return-value]


# ---- custom functions


def custom_fwd(
    fwd: Callable[..., Any] | None = None, *, device_type: str, cast_inputs: Any = None
) -> Any:
    """Decorates `forward` of an `autograd.Function` that is called inside autocast.

    cast_inputs: a dtype to which floating tensors on the device are cast first; forward then runs
    without autocast.
    """
    known("custom_fwd", device_type)
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)
    forward = fwd

    @functools.wraps(forward)
    def run(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        on = is_autocast_enabled(device_type)
        ctx._autocast = (get_autocast_dtype(device_type), on and cast_inputs is None)
        if cast_inputs is None or not on:
            return forward(ctx, *args, **kwargs)
        with autocast(device_type, enabled=False):
            return forward(
                ctx,
                *_cast(args, device_type, cast_inputs),
                **_cast(kwargs, device_type, cast_inputs),
            )

    return run


def custom_bwd(bwd: Callable[..., Any] | None = None, *, device_type: str) -> Any:
    """Decorates `backward` beside `custom_fwd`: it runs under forward's autocast."""
    known("custom_bwd", device_type)
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)
    backward = bwd

    @functools.wraps(backward)
    def run(ctx: Any, *gradients: Any) -> Any:
        dtype, on = ctx._autocast
        with autocast(device_type, dtype, on):
            return backward(ctx, *gradients)

    return run


def _cast(value: Any, device_type: str, dtype: Any) -> Any:
    """The value with floating tensors of the device in the dtype, in containers at any depth."""
    if isinstance(value, TensorCore):
        tensor: Any = value
        eligible = (
            tensor.is_floating_point()
            and tensor.device.type == device_type
            and tensor.dtype != dtypes.float64
        )
        return tensor.to(dtype) if eligible else tensor
    if isinstance(value, Mapping):
        return {name: _cast(part, device_type, dtype) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)([_cast(part, device_type, dtype) for part in value])
    return value
