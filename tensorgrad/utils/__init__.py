"""Tools around training: the names of `torch.utils`."""

from tensorgrad.utils import checkpoint, data

__all__ = ["checkpoint", "data"]
