"""Images of strings, drawn or read from a folder; captchas.py learns from them.

An item of a data set is the ink, (1, height, width) from 0 to 1, and the numbers of the characters
from 1 on, padded by 0 to the longest string.
"""

from __future__ import annotations

import functools
import random
from pathlib import Path
from typing import Any

import numpy as np

import tensorgrad as tg
from tensorgrad.datasets import read_image, transforms
from tensorgrad.datasets.images import IMG_EXTENSIONS

# Without 0 and O, which the font draws alike.
ALPHABET = "123456789ABCDEFGHIJKLMNPQRSTUVWXYZ"
SIZE = 60, 160  # height and width


class Seeded(random.Random):
    """The functions of `secrets`, from where the package takes its random numbers, with a seed."""

    randbits = random.Random.getrandbits

    def randbelow(self, limit: int) -> int:
        return self.randrange(limit)


@functools.cache
def painter(width: int, height: int) -> Any:
    from captcha.image import ImageCaptcha

    return ImageCaptcha(width, height)


class Drawn(tg.data.Dataset):
    """Images without end: the one of a number is drawn when it is asked for, always the same."""

    def __init__(
        self, seed: str, alphabet: str, lengths: tuple[int, ...], size: tuple[int, int]
    ) -> None:
        self.seed, self.alphabet, self.lengths, self.size = seed, alphabet, lengths, size

    def __len__(self) -> int:
        return 2**31

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        from captcha import image

        image.secrets = chance = Seeded(f"{self.seed} {index}")
        text = "".join(chance.choices(self.alphabet, k=chance.choice(self.lengths)))
        painted = painter(*self.size[::-1]).generate_image(text)
        return ink(painted), spelled(text, self.alphabet, max(self.lengths))


def ink(image: Any) -> np.ndarray[Any, Any]:
    """How far each pixel is from white, (1, height, width)."""
    gray = np.asarray(image, np.float32).mean(2)
    return 1 - gray[None] / 255


def spelled(text: str, alphabet: str, longest: int) -> np.ndarray[Any, Any]:
    return np.array([1 + alphabet.index(letter) for letter in text] + [0] * (longest - len(text)))


def text_of(labels: list[int], alphabet: str) -> str:
    return "".join(alphabet[label - 1] for label in labels if label)


def folder_of(path: Path, size: tuple[int, int]) -> tuple[Any, str]:
    """The images of a folder as a data set of the same items, and the characters in their names."""
    files = [file for file in path.glob("*") if file.suffix.lower() in IMG_EXTENSIONS]
    if len(files) < 2:
        raise SystemExit(f"{path}: expected images whose names are what they say, got {len(files)}")
    files.sort()
    alphabet = "".join(sorted({letter for file in files for letter in file.stem}))
    longest = max(len(file.stem) for file in files)
    resize = transforms.Resize(size)
    try:
        images = np.stack([ink(resize(read_image(file))) for file in files])
    except ValueError as error:
        raise SystemExit(str(error)) from None
    labels = np.stack([spelled(file.stem, alphabet, longest) for file in files])
    return tg.data.TensorDataset(tg.tensor(images), tg.tensor(labels)), alphabet
