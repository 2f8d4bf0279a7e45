"""A tensor's memory as others see it: NumPy, DLPack, Python functions over its elements, other
processes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from tensorgrad import inplace, modes
from tensorgrad.errors import DTypeError, GraphError, ShapeError
from tensorgrad.graph import TensorCore, version_of, wrap, written
from tensorgrad.ops import creation
from tensorgrad.out import backend_of
from tensorgrad.tensor_fields import TensorFields

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class UntypedStorage:
    """The memory that a tensor shares with its views, counted in bytes."""

    def __init__(self, tensor: Any) -> None:
        self.device = tensor.device
        self._start, self._held = backend_of(tensor).memory_of(tensor._array)
        self._keeper = tensor._array  # so that the address stays good

    def data_ptr(self) -> int:
        """The address of its first byte."""
        return int(self._start)

    def nbytes(self) -> int:
        return int(self._held)

    size = __len__ = nbytes


class TensorMemory(TensorFields):
    """The part of `Tensor` that hands its memory out."""

    __slots__ = ()

    def numpy(self, *, force: bool = False) -> np.ndarray[Any, Any]:
        """The elements as a NumPy array that shares the tensor's memory; `force` detaches and
        copies to the host.
        """
        if not force:
            if self._node is not None:
                raise GraphError(
                    "numpy: expected a tensor that does not require grad, got one that "
                    "does (use detach())"
                )
            if self.device.type != "cpu":
                raise TypeError(
                    f"numpy: expected a tensor on the CPU, got one on {self.device} (use cpu())"
                )
        return self._on_host()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        array = self.numpy()
        return array if dtype in (None, array.dtype) else array.astype(dtype)

    def __array_wrap__(
        self, array: np.ndarray[Any, Any], context: Any = None, return_scalar: bool = False
    ) -> Any:
        """What NumPy's own functions make of a tensor is a tensor; of bools a bool one, by which
        one can index, where PyTorch makes uint8.
        """
        return wrap(array) if array.__class__ is np.ndarray else array

    def __dlpack__(self, **options: Any) -> Any:
        """The memory for another array library (the DLPack protocol)."""
        if self._node is not None:
            raise BufferError(
                "dlpack: expected a tensor that does not require grad, got one that does "
                "(use detach())"
            )
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> tuple[Any, int]:
        return self._array.__dlpack_device__()  # type: ignore[no-any-return]

    # ---- the memory itself

    def untyped_storage(self) -> UntypedStorage:
        """The memory behind this tensor and its views."""
        return UntypedStorage(self)

    def is_set_to(self, tensor: Tensor) -> bool:
        """Whether the other tensor is the same elements of the same memory."""
        own, other = self._array, tensor._array
        address = backend_of(self).address
        return bool(
            address(own) == address(other)
            and own.shape == other.shape
            and own.strides == other.strides
        )

    def set_(self, source: Tensor | None = None) -> Self:
        """Become an alias of the memory of `source`, of the same dtype; without one, empty."""
        other: Any = creation.empty(0, dtype=self.dtype) if source is None else source
        if not isinstance(other, TensorCore):
            raise TypeError(f"set_: expected a tensor, got {type(other).__name__}")
        if other._array.dtype != self.dtype:
            raise DTypeError(f"set_: expected a tensor of {self.dtype}, got {other._array.dtype}")
        if self._node is not None and modes.is_grad_enabled():
            raise GraphError(
                "set_: expected a tensor that does not require grad, got one that does"
            )
        self._array = other._array
        self._version = version_of(other)
        written(self)
        return self

    def pin_memory(self, device: Any = None) -> Self:
        """Itself: memory is never pinned here, and copies to a GPU need no pinned memory."""
        return self

    def is_pinned(self, device: Any = None) -> bool:
        return False

    def share_memory_(self) -> Self:
        """Move to memory that processes share: those forked from now on, and those to which
        `multiprocessing` sends the tensor, see each other's writes. Views made before stay behind.
        Tensors on a GPU stay where they are.
        """
        if self.device.type == "cpu" and not self.is_shared():
            from tensorgrad import shared  # 10 ms, of which most programs need none

            self._array = shared.moved(self._array)
            inplace.forget_views(self)
            shared.register(type(self))
        return self

    def is_shared(self) -> bool:
        """Whether other processes can write into this memory."""
        if self.device.type != "cpu":
            return True
        from tensorgrad import shared

        return shared.block_of(self._array) is not None

    # ---- Python functions over the elements

    def apply_(self, callable: Callable[[Any], Any]) -> Self:
        """Replace each element by `callable(element)`. A loop in Python: slow."""
        return self._looped("apply_", callable)

    def map_(self, tensor: Tensor, callable: Callable[[Any, Any], Any]) -> Self:
        """Replace each element by `callable(element, other)`, where `tensor`, of the same dtype,
        broadcasts to this shape. A loop in Python: slow.
        """
        if not isinstance(tensor, TensorCore):
            raise TypeError(f"map_: expected a tensor, got {type(tensor).__name__}")
        if tensor._array.dtype != self.dtype:
            raise DTypeError(f"map_: expected a tensor of {self.dtype}, got {tensor._array.dtype}")
        try:
            other = np.broadcast_to(tensor._on_host(), self.shape)
        except ValueError as error:
            raise ShapeError(
                f"map_: expected a tensor that broadcasts to {list(self.shape)}, got "
                f"{list(tensor._array.shape)}"
            ) from error
        return self._looped("map_", callable, other)

    def _looped(self, op: str, function: Callable[..., Any], *others: Any) -> Self:
        if self._node is not None:
            raise GraphError(
                f"{op}: expected a tensor that does not require grad, got one that does "
                "(use detach())"
            )
        if self.device.type != "cpu":
            raise TypeError(f"{op}: expected a tensor on the CPU, got one on {self.device}")
        inplace.check_writable(self, op)
        flat = [array.ravel().tolist() for array in (self._array, *others)]
        values = np.array([function(*parts) for parts in zip(*flat)])
        self._array[...] = values.reshape(self.shape).astype(self.dtype)
        written(self)
        return self
