"""Pooling over windows of an image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tensorgrad.nn.module import Module
from tensorgrad.ops.pooling import avg_pool2d, max_pool2d
from tensorgrad.ops.windows import Sizes

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class MaxPool2d(Module):
    """The largest element of each window: (N, C, H, W) or (C, H, W); stride is the kernel's size
    unless told.
    """

    def __init__(
        self,
        kernel_size: Sizes,
        stride: Sizes | None = None,
        padding: Sizes = 0,
        dilation: Sizes = 1,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation

    def forward(self, input: Tensor) -> Tensor:
        return max_pool2d(  # type: ignore[no-any-return]
            input, self.kernel_size, self.stride, self.padding, self.dilation
        )

    def extra_repr(self) -> str:
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode=False"
        )


class AvgPool2d(Module):
    """The mean of each window, padding counted as zeros; stride is the kernel's size unless "
    "told."""

    def __init__(self, kernel_size: Sizes, stride: Sizes | None = None, padding: Sizes = 0) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding

    def forward(self, input: Tensor) -> Tensor:
        return avg_pool2d(input, self.kernel_size, self.stride, self.padding)

    def extra_repr(self) -> str:
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"
