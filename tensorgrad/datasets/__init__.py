"""Data sets: two that are bundled, some that are downloaded, and readers for folders of files.

Knows files and NumPy; nothing here trains or batches. The bundled files and their licences are
listed in the file `NOTICE` beside this one.
"""

from tensorgrad.datasets import transforms
from tensorgrad.datasets.bundled import digits, shakespeare
from tensorgrad.datasets.cifar import CIFAR10
from tensorgrad.datasets.idx import read_idx
from tensorgrad.datasets.images import ImageFolder, read_image
from tensorgrad.datasets.mnist import MNIST, FashionMNIST
from tensorgrad.datasets.texts import TextFolder
from tensorgrad.datasets.vocabulary import Vocabulary, tokenize
from tensorgrad.datasets.wav import WavFolder, read_wav

__all__ = [
    "CIFAR10",
    "MNIST",
    "FashionMNIST",
    "ImageFolder",
    "TextFolder",
    "Vocabulary",
    "WavFolder",
    "digits",
    "read_idx",
    "read_image",
    "read_wav",
    "shakespeare",
    "tokenize",
    "transforms",
]
