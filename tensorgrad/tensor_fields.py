"""What a tensor says of its array, and its values read by the host.

Reading values waits for the device.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from tensorgrad import dtypes, formats, modes
from tensorgrad.backend import Device
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.formats import Size
from tensorgrad.graph import TensorCore
from tensorgrad.ops import cutting, logic, rearranging, reduction
from tensorgrad.ops.shape import one_dim
from tensorgrad.tensor_ops import TensorOps

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class TensorFields(TensorOps):
    """The part of `Tensor` that reads its fields and its values."""

    __slots__ = ()

    # ---- what it holds

    @property
    def shape(self) -> Size:
        return Size(self._array.shape)

    @property
    def ndim(self) -> int:
        return self._array.ndim  # type: ignore[no-any-return]

    @property
    def dtype(self) -> dtypes.DType:
        return self._array.dtype  # type: ignore[no-any-return]

    @property
    def device(self) -> Device:
        array = self._array
        return modes.current().backends[array.__class__].device_of(array)  # type: ignore[no-any-return]

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size along one dimension."""
        return self.shape if dim is None else self.shape[one_dim("size", dim, self.ndim)]

    def dim(self) -> int:
        """The number of dimensions."""
        return self.ndim

    ndimension = dim

    def numel(self) -> int:
        """The number of elements."""
        return int(self._array.size)

    nelement = numel

    def element_size(self) -> int:
        """Bytes of one element."""
        return self.dtype.itemsize

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.numel() * self.element_size()

    @property
    def is_cuda(self) -> bool:
        return self.device.type == "cuda"

    @property
    def is_cpu(self) -> bool:
        return self.device.type == "cpu"

    # What tensors of PyTorch can be, and none is here.
    is_meta = is_mkldnn = is_mps = is_nested = is_quantized = is_xla = is_xpu = False
    is_sparse = is_sparse_csr = False

    @property
    def layout(self) -> formats.Layout:
        return formats.strided

    def get_device(self) -> int:
        """The number of the GPU that holds the tensor; -1 for the CPU."""
        device = self.device
        return -1 if device.type == "cpu" else device.index or 0

    def is_same_size(self, other: TensorCore) -> bool:
        """Whether the other tensor has the same shape."""
        return self.shape == other._array.shape  # type: ignore[no-any-return]

    def is_floating_point(self) -> bool:
        return dtypes.is_floating_point(self.dtype)

    def is_signed(self) -> bool:
        return self.dtype.kind not in "bu"

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len: expected a tensor with dimensions, got a 0-d tensor")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.ndim:
            raise TypeError("iter: expected a tensor with dimensions, got a 0-d tensor")
        return iter(cutting.unbind(self, 0))  # type: ignore[arg-type]

    def __reversed__(self) -> Any:
        """The places of the first dimension from the last to the first."""
        return rearranging.flip(self, (0,)) if self.ndim else self  # type: ignore[arg-type]

    # ---- reading values: these wait for the device

    def item(self) -> Any:
        """The one element as a Python number."""
        if self.numel() != 1:
            raise ShapeError(
                f"item: expected a tensor of one element, got shape {list(self.shape)} "
                "(a Tensor with several elements cannot be converted to Scalar)"
            )
        return self._on_host().item()

    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
        return self._on_host().tolist()

    def _on_host(self) -> np.ndarray[Any, Any]:
        array = self._array
        return modes.current().backends[array.__class__].to_numpy(array)  # type: ignore[no-any-return]

    def __bool__(self) -> bool:
        return self.is_nonzero()

    def is_nonzero(self) -> bool:
        """Whether the one element is not 0."""
        if self.numel() != 1:
            values = "more than one value" if self.numel() else "no values"
            raise ShapeError(
                f"bool: expected a tensor of one element, got shape {list(self.shape)} "
                f"(Boolean value of Tensor with {values} is ambiguous)"
            )
        return bool(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __complex__(self) -> complex:
        return complex(self.item())

    def __index__(self) -> int:
        if not dtypes.category(self.dtype) == dtypes.INTEGRAL:
            raise TypeError(f"index: expected an integer tensor, got {self.dtype}")
        return int(self.item())

    def __contains__(self, value: Any) -> bool:
        if not isinstance(value, TensorCore | int | float | complex):
            raise DTypeError(f"contains: expected a tensor or a number, got {type(value).__name__}")
        return bool(reduction.any(logic.eq(self, value)))
