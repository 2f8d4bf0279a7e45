"""Signal processing: the names of `torch.signal`."""

from tensorgrad.signal import windows

__all__ = ["windows"]
