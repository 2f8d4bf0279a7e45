"""Convolution layers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from tensorgrad.nn import init
from tensorgrad.nn.functional import pad
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import Parameter
from tensorgrad.ops.convolution import conv_nd
from tensorgrad.ops.creation import empty
from tensorgrad.ops.windows import Sizes, each

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class _Conv(Module):
    """Cross-correlation of (N, C, *size) with weight (O, C / groups, *kernel), plus bias (O,).

    Both start uniform in +-1 / sqrt(C / groups * kernel elements). padding: numbers, "same" or
    "valid"; padding_mode: "zeros", "reflect", "replicate" or "circular".
    """

    weight: Parameter
    bias: Parameter | None
    _spatial: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes | str = 0,
        dilation: Sizes = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        name, spatial = type(self).__name__, self._spatial
        if groups <= 0:
            raise ValueError(f"{name}: expected groups > 0, got {groups}")
        for what, channels in (("in_channels", in_channels), ("out_channels", out_channels)):
            if channels % groups:
                raise ValueError(
                    f"{name}: expected {what} divisible by {groups} groups, got {channels}"
                )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = each(name, "kernel_size", kernel_size, spatial)
        self.stride = each(name, "stride", stride, spatial)
        self.dilation = each(name, "dilation", dilation, spatial)
        self.groups = groups
        if padding_mode not in ("zeros", "reflect", "replicate", "circular"):
            raise ValueError(
                f"{name}: expected padding_mode 'zeros', 'reflect', 'replicate' or 'circular', got "
                f"{padding_mode!r}"
            )
        self.padding_mode = padding_mode
        self.padding: tuple[int, ...] | str
        if isinstance(padding, str):
            if padding not in ("same", "valid"):
                raise ValueError(f"{name}: expected padding 'same' or 'valid', got {padding!r}")
            if padding == "same" and any(step != 1 for step in self.stride):
                raise ValueError(f"{name}: expected stride 1 with padding='same', got {stride}")
            self.padding = padding
        else:
            self.padding = each(name, "padding", padding, spatial)
        size: dict[str, Any] = {"device": device, "dtype": dtype}
        shape = (out_channels, in_channels // groups, *self.kernel_size)
        self.weight = Parameter(empty(shape, **size))
        self.register_parameter("bias", Parameter(empty(out_channels, **size)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        fan_in = math.prod(self.weight.shape[1:])
        if self.bias is not None and fan_in:
            bound = 1 / math.sqrt(fan_in)
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        padding: Sizes | str = self.padding
        if self.padding_mode != "zeros":
            input, padding = pad(input, self._widths(), self.padding_mode), 0
        return conv_nd(
            self._spatial,
            input,
            self.weight,
            self.bias,
            self.stride,
            padding,
            self.dilation,
            self.groups,
        )

    def _widths(self) -> list[int]:
        """The padding as (left, right) of each dimension, the last first."""
        if self.padding == "valid":
            return [0] * 2 * self._spatial
        if self.padding == "same":
            whole = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
            pairs = [(width // 2, width - width // 2) for width in whole]
        else:
            pairs = [(int(width), int(width)) for width in self.padding]
        return [width for pair in reversed(pairs) for width in pair]

    def extra_repr(self) -> str:
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}"
        )
        if self.padding != (0,) * self._spatial:
            text += f", padding={self.padding}"
        if self.dilation != (1,) * self._spatial:
            text += f", dilation={self.dilation}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class Conv1d(_Conv):
    """Over (N, C, L) or (C, L)."""

    _spatial = 1


class Conv2d(_Conv):
    """Over (N, C, H, W) or (C, H, W)."""

    _spatial = 2
