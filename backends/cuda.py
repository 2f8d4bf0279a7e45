"""What programs set and ask of `torch.backends.cuda`.

The switches choose among PyTorch's ways to compute on a GPU; here there is one way, and nothing
reads them.
"""

from __future__ import annotations

from types import SimpleNamespace

__all__ = [
    "enable_cudnn_sdp",
    "enable_flash_sdp",
    "enable_math_sdp",
    "enable_mem_efficient_sdp",
    "flash_sdp_enabled",
    "is_built",
    "math_sdp_enabled",
    "matmul",
    "mem_efficient_sdp_enabled",
]

matmul = SimpleNamespace(
    allow_tf32=False,
    allow_fp16_reduced_precision_reduction=True,
    allow_bf16_reduced_precision_reduction=True,
)


def is_built() -> bool:
    """True: nothing is built, the CUDA backend is part of every install. Whether it can run is
    `tensorgrad.cuda.is_available()`.
    """
    return True


def enable_flash_sdp(enabled: bool) -> None:
    """Nothing: attention chooses its way by itself."""


enable_cudnn_sdp = enable_math_sdp = enable_mem_efficient_sdp = enable_flash_sdp


def flash_sdp_enabled() -> bool:
    """True, as `math_sdp_enabled` and `mem_efficient_sdp_enabled`: no way is forbidden."""
    return True


math_sdp_enabled = mem_efficient_sdp_enabled = flash_sdp_enabled
