"""What programs ask of `torch.backends.mkl`: the BLAS is whichever NumPy was built with."""

__all__ = ["is_available"]


def is_available() -> bool:
    """False: nothing here calls MKL by name."""
    return False
