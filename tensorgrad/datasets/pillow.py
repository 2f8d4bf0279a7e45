"""Pillow, an extra that is imported when the first image is read. Knows how to get it."""

from typing import Any


def pillow(asker: str) -> Any:
    """The module PIL.Image, or an ImportError that says what to install."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError(
            f'{asker}: expected Pillow, got none installed; pip install "tensorgrad[images]"'
        ) from error
    return Image
