"""Data sets: two that are bundled, and readers for files that are already on disk.

Knows files and NumPy; nothing here trains, batches or downloads. The bundled files and their
licences are listed in the file `NOTICE` beside this one.
"""

from tensorgrad.datasets.bundled import digits, shakespeare
from tensorgrad.datasets.idx import read_idx
from tensorgrad.datasets.mnist import MNIST, FashionMNIST
from tensorgrad.datasets.vocabulary import Vocabulary, tokenize

__all__ = [
    "MNIST",
    "FashionMNIST",
    "Vocabulary",
    "digits",
    "read_idx",
    "shakespeare",
    "tokenize",
]
