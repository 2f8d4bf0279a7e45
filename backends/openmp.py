"""What programs ask of `torch.backends.openmp`: threads are Numba's."""

__all__ = ["is_available"]


def is_available() -> bool:
    """False: nothing here is compiled against OpenMP."""
    return False
