"""Convolution layers and transposed ones."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from tensorgrad import modes
from tensorgrad.nn import functional, init
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import Parameter
from tensorgrad.ops.convolution import conv_nd, rectified_convolution
from tensorgrad.ops.creation import empty
from tensorgrad.ops.windows import Sizes, each

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

_PADDING_MODES = ("zeros", "reflect", "replicate", "circular")


class _ConvNd(Module):
    """What convolutions and transposed ones share: the parameters.

    Both start uniform in +-1 / sqrt(weight.shape[1] * kernel elements).
    """

    weight: Parameter
    bias: Parameter | None
    padding: tuple[int, ...] | str
    output_padding: tuple[int, ...]
    transposed = False
    _spatial: int

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes,
        padding: Sizes | str,
        dilation: Sizes,
        output_padding: Sizes,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: Any,
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
        if padding_mode not in _PADDING_MODES:
            raise ValueError(
                f"{name}: expected padding_mode of {_PADDING_MODES}, got {padding_mode!r}"
            )
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = each(name, "kernel_size", kernel_size, spatial)
        self.stride = each(name, "stride", stride, spatial)
        self.dilation = each(name, "dilation", dilation, spatial)
        self.output_padding = each(name, "output_padding", output_padding, spatial)
        self.groups = groups
        self.padding_mode = padding_mode
        if not isinstance(padding, str):
            self.padding = each(name, "padding", padding, spatial)
        elif padding not in ("same", "valid"):
            raise ValueError(f"{name}: expected padding 'same' or 'valid', got {padding!r}")
        elif padding == "same" and any(step != 1 for step in self.stride):
            raise ValueError(f"{name}: expected stride 1 with padding='same', got {stride}")
        else:
            self.padding = padding
        size: dict[str, Any] = {"device": device, "dtype": dtype}
        self.weight = Parameter(empty(self._weight_shape(), **size))
        self.register_parameter("bias", Parameter(empty(out_channels, **size)) if bias else None)
        self.reset_parameters()

    def _weight_shape(self) -> tuple[int, ...]:
        ends = (self.out_channels, self.in_channels)
        first, second = reversed(ends) if self.transposed else ends
        return (first, second // self.groups, *self.kernel_size)

    def reset_parameters(self) -> None:
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        fan_in = math.prod(self.weight.shape[1:])
        if self.bias is not None and fan_in:
            bound = 1 / math.sqrt(fan_in)
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        none, one = (0,) * self._spatial, (1,) * self._spatial
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}"
        )
        if self.padding != none:
            text += f", padding={self.padding}"
        if self.dilation != one:
            text += f", dilation={self.dilation}"
        if self.output_padding != none:
            text += f", output_padding={self.output_padding}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


class _Conv(_ConvNd):
    """Cross-correlation of (N, C, *size) with weight (O, C / groups, *kernel), plus bias (O,).

    padding: numbers, "same" or "valid"; padding_mode: "zeros", "reflect", "replicate" or
    "circular".
    """

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
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            0,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor) -> Tensor:
        convolve = (functional.conv1d, functional.conv2d, functional.conv3d)[self._spatial - 1]
        return convolve(*self._given(input))

    def rectified(self, input: Tensor) -> Tensor:
        """max(forward, 0), in one pass over the result."""
        return conv_nd(self._spatial, *self._given(input), convolve=rectified_convolution)

    def joins_relu(self) -> bool:
        """Whether `rectified` computes what calls of this layer and of a ReLU do: nothing looks at
        what is between them, and autocast, which goes by functions, is off.
        """
        return (
            type(self).forward is _Conv.forward
            and "forward" not in self.__dict__
            and self._hooks is None
            and modes.current().autocast is None
        )

    def _given(
        self, input: Tensor
    ) -> tuple[Tensor, Parameter, Parameter | None, Sizes, Sizes | str, Sizes, int]:
        """The arguments of conv1d, conv2d and conv3d."""
        padding: Sizes | str = self.padding
        if self.padding_mode != "zeros":
            input, padding = functional.pad(input, self._widths(), self.padding_mode), 0
        return input, self.weight, self.bias, self.stride, padding, self.dilation, self.groups

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


class Conv1d(_Conv):
    """Over (N, C, L) or (C, L)."""

    _spatial = 1


class Conv2d(_Conv):
    """Over (N, C, H, W) or (C, H, W)."""

    _spatial = 2


class Conv3d(_Conv):
    """Over (N, C, D, H, W) or (C, D, H, W)."""

    _spatial = 3


class _ConvTranspose(_ConvNd):
    """The gradient of a convolution in its input, as a layer: (N, C, *size) with weight (C, O /
    groups, *kernel), plus bias (O,).

    A size n becomes (n - 1) stride - 2 padding + dilation (k - 1) + output_padding + 1.
    """

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Sizes,
        stride: Sizes = 1,
        padding: Sizes = 0,
        output_padding: Sizes = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Sizes = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if padding_mode != "zeros":
            raise ValueError(
                f"{type(self).__name__}: expected padding_mode 'zeros', got {padding_mode!r}"
            )
        super().__init__(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            output_padding,
            groups,
            bias,
            padding_mode,
            device,
            dtype,
        )

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """output_size: which of the sizes that the convolution would take to the input's."""
        more = self.output_padding if output_size is None else self._missing(input, output_size)
        convolve = (
            functional.conv_transpose1d,
            functional.conv_transpose2d,
            functional.conv_transpose3d,
        )[self._spatial - 1]
        padding: Any = self.padding
        return convolve(
            input, self.weight, self.bias, self.stride, padding, more, self.groups, self.dilation
        )

    def _missing(self, input: Tensor, output_size: Sequence[int]) -> tuple[int, ...]:
        """The output_padding that makes the output of this size."""
        spatial = self._spatial
        wanted = tuple(output_size)
        if len(wanted) > spatial and len(wanted) == input.ndim:
            wanted = wanted[-spatial:]
        geometry = zip(input.shape[-spatial:], self.kernel_size, self.stride, self.dilation)
        padding: Any = self.padding
        least = [
            (n - 1) * s - 2 * p + d * (k - 1) + 1 for (n, k, s, d), p in zip(geometry, padding)
        ]
        most = [size + step - 1 for size, step in zip(least, self.stride)]
        if len(wanted) != spatial or any(
            not low <= size <= high for low, size, high in zip(least, wanted, most)
        ):
            raise ValueError(
                f"{type(self).__name__}: expected output_size from {least} to {most}, got "
                f"{list(output_size)}"
            )
        return tuple([size - low for size, low in zip(wanted, least)])


class ConvTranspose1d(_ConvTranspose):
    """Over (N, C, L) or (C, L)."""

    _spatial = 1


class ConvTranspose2d(_ConvTranspose):
    """Over (N, C, H, W) or (C, H, W)."""

    _spatial = 2


class ConvTranspose3d(_ConvTranspose):
    """Over (N, C, D, H, W) or (C, D, H, W)."""

    _spatial = 3
