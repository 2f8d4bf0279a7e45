"""The data that come with the package, so that a fresh machine without a network can train.

Knows the bundled files, which `NOTICE` describes. They are read at each call, never at import.
"""

import gzip
from pathlib import Path
from typing import Any

import numpy as np

from tensorgrad.datasets.idx import read_idx

_FOLDER = Path(__file__).parent
_DIGITS_TRAIN = 1437
_DIGITS_WHITE = 16


def digits(train: bool = True) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Handwritten digits of 8x8 pixels (UCI Optical Recognition of Handwritten Digits).

    Returns:
        `(images, labels)`: float32 of shape (N, 1, 8, 8) in [0, 1] and int64 of shape (N,) in
        0..9. The split is fixed, in the order of the source: N is 1,437 with `train`, else the
        remaining 360.
    """
    images = read_idx(_FOLDER / "digits-images-idx3-ubyte.gz")
    labels = read_idx(_FOLDER / "digits-labels-idx1-ubyte.gz")
    part = slice(None, _DIGITS_TRAIN) if train else slice(_DIGITS_TRAIN, None)
    scaled = images[part, None].astype(np.float32) / np.float32(_DIGITS_WHITE)
    return scaled, labels[part].astype(np.int64)


def shakespeare() -> str:
    """Shakespeare's "Hamlet" and "Macbeth" as one text: 277 kB of plain ASCII, lines ended by LF.

    Feed it to `tokenize` for words, or use it as a sequence of characters.
    """
    return gzip.decompress((_FOLDER / "shakespeare.txt.gz").read_bytes()).decode("ascii")
