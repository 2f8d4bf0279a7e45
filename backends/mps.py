"""What programs ask of `torch.backends.mps`: Apple's GPUs are not served."""

__all__ = ["is_available", "is_built"]


def is_available() -> bool:
    """False: there is no backend for Apple's GPUs."""
    return False


is_built = is_available
