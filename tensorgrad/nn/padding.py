"""Padding layers: `nn.functional.pad` in its modes.

padding: one width for all sides, or (left, right) of the last dimension, then of the one before,
... Negative widths crop.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorgrad.nn import functional
from tensorgrad.nn.module import Module
from tensorgrad.ops.windows import Sizes, each

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class _Pad(Module):
    _spatial: int
    _mode: str

    def __init__(self, padding: Sizes) -> None:
        super().__init__()
        self.padding = each(type(self).__name__, "padding", padding, 2 * self._spatial)

    def forward(self, input: Tensor) -> Tensor:
        return functional.pad(input, self.padding, self._mode)

    def extra_repr(self) -> str:
        return str(self.padding)


class _ConstantPad(_Pad):
    _mode = "constant"

    def __init__(self, padding: Sizes, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        return functional.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_ConstantPad):
    def __init__(self, padding: Sizes) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        return str(self.padding)


class _ReflectionPad(_Pad):
    _mode = "reflect"


class _ReplicationPad(_Pad):
    _mode = "replicate"


class _CircularPad(_Pad):
    _mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        spatial = self._spatial
        if input.ndim not in (spatial + 1, spatial + 2):
            raise ValueError(
                f"{type(self).__name__}: expected {spatial + 1}D or {spatial + 2}D input, got "
                f"shape {list(input.shape)}"
            )
        return super().forward(input)


class ConstantPad1d(_ConstantPad):
    """`value` around (N, C, L) or (C, L)."""

    _spatial = 1


class ConstantPad2d(_ConstantPad):
    """`value` around (N, C, H, W) or (C, H, W)."""

    _spatial = 2


class ConstantPad3d(_ConstantPad):
    """`value` around (N, C, D, H, W) or (C, D, H, W)."""

    _spatial = 3


class ZeroPad1d(_ZeroPad):
    """Zeros around (N, C, L) or (C, L)."""

    _spatial = 1


class ZeroPad2d(_ZeroPad):
    """Zeros around (N, C, H, W) or (C, H, W)."""

    _spatial = 2


class ZeroPad3d(_ZeroPad):
    """Zeros around (N, C, D, H, W) or (C, D, H, W)."""

    _spatial = 3


class ReflectionPad1d(_ReflectionPad):
    """(N, C, L) or (C, L) mirrored at its border elements."""

    _spatial = 1


class ReflectionPad2d(_ReflectionPad):
    """(N, C, H, W) or (C, H, W) mirrored at its border elements."""

    _spatial = 2


class ReflectionPad3d(_ReflectionPad):
    """(N, C, D, H, W) or (C, D, H, W) mirrored at its border elements."""

    _spatial = 3


class ReplicationPad1d(_ReplicationPad):
    """The border elements of (N, C, L) or (C, L) repeated."""

    _spatial = 1


class ReplicationPad2d(_ReplicationPad):
    """The border elements of (N, C, H, W) or (C, H, W) repeated."""

    _spatial = 2


class ReplicationPad3d(_ReplicationPad):
    """The border elements of (N, C, D, H, W) or (C, D, H, W) repeated."""

    _spatial = 3


class CircularPad1d(_CircularPad):
    """(N, C, L) or (C, L) continued at the other side."""

    _spatial = 1


class CircularPad2d(_CircularPad):
    """(N, C, H, W) or (C, H, W) continued at the other side."""

    _spatial = 2


class CircularPad3d(_CircularPad):
    """(N, C, D, H, W) or (C, D, H, W) continued at the other side."""

    _spatial = 3
