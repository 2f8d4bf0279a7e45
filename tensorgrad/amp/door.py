"""How ops come to know of autocast, at no cost to those who do not use it.

While a block of `autocast` is open anywhere in the process, the functions of `policies` take a
detour: it looks at the mode of its thread, casts, and calls the function as it was.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tensorgrad import dtypes, modes
from tensorgrad.amp.policies import (
    FULL,
    FULL_UNLESS_TOLD,
    INPUTS,
    KEEP,
    LOWER,
    REFUSED,
    policies,
)
from tensorgrad.detours import Detour
from tensorgrad.graph import Leaf, TensorCore
from tensorgrad.op import OPS

ELIGIBLE = (dtypes.float16, dtypes.bfloat16, dtypes.float32)


class Casting:
    """What autocast asks of ops in one thread: the fast dtype by device type, where it is on.

    `weights` are casts of parameters already made: in a forward pass each is cast once, however
    often it is used, and one gradient comes back through the cast. None: they are not kept.
    `chosen` are fast dtypes by device type for blocks to come that name none.
    """

    __slots__ = ("chosen", "fast", "weights")

    def __init__(
        self, fast: dict[str, Any], weights: dict[int, Any] | None, chosen: dict[str, Any]
    ) -> None:
        self.fast = fast
        self.weights = weights
        self.chosen = chosen

    @contextlib.contextmanager
    def again(self) -> Iterator[None]:
        """The same for a block in another place: what a checkpoint runs a second time."""
        weights: dict[int, Any] | None = None if self.weights is None else {}
        door.open()
        try:
            with modes.ModeContext(autocast=Casting(self.fast, weights, self.chosen)):
                yield
        finally:
            door.close()

    def cast(self, tensor: Any, dtype: dtypes.DType) -> Any:
        if (
            self.weights is None
            or dtype == dtypes.float32
            or tensor._node.__class__ is not Leaf
            or hasattr(tensor, "_view")
            or not modes.current().record
        ):
            return OPS["cast"].call(tensor, dtype)
        written = 0 if tensor._version is None else tensor._version.written
        known = self.weights.get(id(tensor))
        if known is not None and known[1] == written and known[2].dtype == dtype:
            return known[2]
        result = OPS["cast"].call(tensor, dtype)
        self.weights[id(tensor)] = (tensor, written, result)
        return result

    def all_cast(self, value: Any, dtype: dtypes.DType) -> Any:
        """The value, a tensor or a sequence of such, with its eligible tensors in the dtype."""
        if isinstance(value, TensorCore):
            own = value._array.dtype
            return self.cast(value, dtype) if own in ELIGIBLE and own != dtype else value
        if not isinstance(value, list | tuple):
            return value
        parts = [self.all_cast(part, dtype) for part in value]
        return type(value)(*parts) if hasattr(value, "_fields") else type(value)(parts)


def tensors_in(values: Any) -> list[Any]:
    """The tensors among arguments, those of sequences included."""
    found = []
    for value in values:
        if isinstance(value, TensorCore):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += tensors_in(value)
    return found


def casting_call(plain: Callable[..., Any], op: str, by_device: dict[str, str]) -> Any:
    """What stands in for a function, called so, while autocast may be on; `by_device` are its
    policies.
    """
    current, enter = modes.variable.get, modes.variable.set

    def call(*args: Any, **kwargs: Any) -> Any:
        mode = current()
        casting = mode.autocast
        if casting is None:
            return plain(*args, **kwargs)
        tensors = tensors_in((*args, *kwargs.values()))
        if not tensors:
            return plain(*args, **kwargs)
        device_type = mode.backends[tensors[0]._array.__class__].device_type
        policy = by_device.get(device_type)
        if policy is None or device_type not in casting.fast:
            return plain(*args, **kwargs)
        # A result that is written into `out` has the dtype of `out` in any case.
        if policy is not KEEP and kwargs.get("out") is None:
            dtype = dtype_of(policy, casting.fast[device_type], tensors, kwargs, op)
            if dtype is not None:
                args = casting.all_cast(args, dtype)
                kwargs = {name: casting.all_cast(value, dtype) for name, value in kwargs.items()}
        if policy is INPUTS:
            return plain(*args, **kwargs)
        enter(mode.uncast())
        try:
            return plain(*args, **kwargs)
        finally:
            enter(mode)

    return call


def dtype_of(
    policy: str, fast: dtypes.DType, tensors: list[Any], kwargs: dict[str, Any], name: str
) -> dtypes.DType | None:
    """What a call's arguments are cast to; None if nothing is."""
    if policy is LOWER or policy is INPUTS:
        return fast
    if policy is FULL:
        return dtypes.float32
    if policy is FULL_UNLESS_TOLD:
        return dtypes.float32 if kwargs.get("dtype") is None else None
    if policy is REFUSED:
        raise RuntimeError(
            f"{name}: expected no autocast, got a call inside of it (its logarithms overflow in "
            f"{fast}: use binary_cross_entropy_with_logits or BCEWithLogitsLoss, which are safe to "
            "autocast)"
        )
    wide = any(tensor._array.dtype == dtypes.float32 for tensor in tensors)
    return dtypes.float32 if wide else fast


class Door:
    """The detour of the functions of `policies`, and how many blocks are open."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.open_blocks = 0
        self.for_good = False  # opened by a setting, which no end of a block takes back
        self.detour = Detour(place=0)

    def open(self) -> None:
        with self.lock:
            if not self.detour.around:
                for function, by_device in policies().items():
                    casting = partial(casting_call, op=function.__name__, by_device=by_device)
                    self.detour.lead(function, casting)
            if not self.open_blocks:
                self.detour.open()
            self.open_blocks += 1

    def stay_open(self) -> None:
        with self.lock:
            known, self.for_good = self.for_good, True
        if not known:
            self.open()

    def close(self) -> None:
        with self.lock:
            self.open_blocks -= 1
            if not self.open_blocks:
                self.detour.close()


door = Door()
