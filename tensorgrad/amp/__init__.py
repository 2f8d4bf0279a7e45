"""Automatic mixed precision, under PyTorch's names.

https://docs.pytorch.org/docs/stable/amp.html
"""

from tensorgrad.amp.autocast import autocast, custom_bwd, custom_fwd, is_autocast_available
from tensorgrad.amp.grad_scaler import GradScaler

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd", "is_autocast_available"]
