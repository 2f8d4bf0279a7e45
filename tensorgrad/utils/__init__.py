"""Tools around training: the names of `torch.utils`."""

from tensorgrad.utils import checkpoint, data, model_zoo

__all__ = ["checkpoint", "data", "model_zoo"]
