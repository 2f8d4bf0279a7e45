"""Tools around training: the names of `torch.utils`."""

from tensorgrad.utils import checkpoint

__all__ = ["checkpoint"]
