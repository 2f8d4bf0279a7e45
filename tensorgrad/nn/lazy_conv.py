"""Convolution layers that take the number of their channels from their first input."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad.nn.conv import (
    Conv1d,
    Conv2d,
    Conv3d,
    ConvTranspose1d,
    ConvTranspose2d,
    ConvTranspose3d,
    _Conv,
    _ConvNd,
    _ConvTranspose,
)
from tensorgrad.nn.lazy import LazyModuleMixin
from tensorgrad.nn.parameter import UninitializedParameter
from tensorgrad.ops.windows import Sizes

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class _Lazy(LazyModuleMixin, _ConvNd):
    """What lazy convolutions do at their first input."""

    def _wait(self, bias: bool, device: Any, dtype: Any) -> None:
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        if not self.has_uninitialized_params() and self.in_channels:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        name, spatial = type(self).__name__, self._spatial
        if input.ndim not in (spatial + 1, spatial + 2):
            raise RuntimeError(
                f"{name}: expected {spatial + 1}D or {spatial + 2}D input, got shape "
                f"{list(input.shape)}"
            )
        channels = input.shape[-spatial - 1]
        if channels % self.groups:
            raise ValueError(
                f"{name}: expected in_channels divisible by {self.groups} groups, got {channels}"
            )
        self.in_channels = channels
        if self.has_uninitialized_params():
            self._materialize(weight=self._weight_shape(), bias=(self.out_channels,))
            self.reset_parameters()


class _LazyConv(_Lazy, _Conv):
    def __init__(
        self,
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
            0,
            out_channels,
            kernel_size,
            stride,
            padding,
            dilation,
            groups,
            False,
            padding_mode,
            device,
            dtype,
        )
        self._wait(bias, device, dtype)


class LazyConv1d(_LazyConv, Conv1d):
    """A Conv1d whose in_channels are those of its first input."""

    cls_to_become = Conv1d


class LazyConv2d(_LazyConv, Conv2d):
    """A Conv2d whose in_channels are those of its first input."""

    cls_to_become = Conv2d


class LazyConv3d(_LazyConv, Conv3d):
    """A Conv3d whose in_channels are those of its first input."""

    cls_to_become = Conv3d


class _LazyConvTranspose(_Lazy, _ConvTranspose):
    def __init__(
        self,
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
        super().__init__(
            0,
            out_channels,
            kernel_size,
            stride,
            padding,
            output_padding,
            groups,
            False,
            dilation,
            padding_mode,
            device,
            dtype,
        )
        self._wait(bias, device, dtype)


class LazyConvTranspose1d(_LazyConvTranspose, ConvTranspose1d):
    """A ConvTranspose1d whose in_channels are those of its first input."""

    cls_to_become = ConvTranspose1d


class LazyConvTranspose2d(_LazyConvTranspose, ConvTranspose2d):
    """A ConvTranspose2d whose in_channels are those of its first input."""

    cls_to_become = ConvTranspose2d


class LazyConvTranspose3d(_LazyConvTranspose, ConvTranspose3d):
    """A ConvTranspose3d whose in_channels are those of its first input."""

    cls_to_become = ConvTranspose3d
