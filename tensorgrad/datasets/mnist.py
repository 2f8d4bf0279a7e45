"""MNIST and Fashion-MNIST from the files that their authors publish. Knows file names and IDX."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tensorgrad.data.dataset import Dataset
from tensorgrad.datasets.idx import read_idx
from tensorgrad.ops.creation import from_numpy

_SIDE = 28
_WHITE = 255
_CLASSES = 10


class MNIST(Dataset[tuple[Any, Any]]):
    """Handwritten digits, 28x28: 60,000 to train on and 10,000 to test (LeCun, Cortes, Burges).

    An item is `(image, label)`: the image as a float32 tensor of shape (1, 28, 28) in [0, 1], the
    label as an int. With `transform` the image is what `transform` makes of the uint8 NumPy array
    of shape (28, 28); with `target_transform` the label is what that makes of the int.

    Args:
        root: the folder of the IDX files, with or without `.gz`. `root/MNIST/raw` is searched
            too, where torchvision puts them.
        train: the training part, else the test part.

    Attributes:
        data: uint8 tensor of shape (N, 28, 28).
        targets: int64 tensor of shape (N,), 0..9.

    Raises:
        FileNotFoundError: a file is missing; says which, where it was sought and who has it.
        ValueError: a file is damaged, or does not hold what its name promises.
    """

    classes: ClassVar[list[str]] = [
        "0 - zero",
        "1 - one",
        "2 - two",
        "3 - three",
        "4 - four",
        "5 - five",
        "6 - six",
        "7 - seven",
        "8 - eight",
        "9 - nine",
    ]
    _source: ClassVar[str] = "https://ossci-datasets.s3.amazonaws.com/mnist/"

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        transform: Callable[[np.ndarray[Any, Any]], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
    ) -> None:
        self.root = Path(root)
        self.train = train
        self.transform = transform
        self.target_transform = target_transform
        part = "train" if train else "t10k"
        images_path = self._find(f"{part}-images-idx3-ubyte")
        labels_path = self._find(f"{part}-labels-idx1-ubyte")
        images = read_idx(images_path)
        labels = read_idx(labels_path)
        name = type(self).__name__
        if images.dtype != np.uint8 or images.shape[1:] != (_SIDE, _SIDE):
            raise ValueError(
                f"{name}: expected uint8 images of shape (N, {_SIDE}, {_SIDE}), "
                f"got {images.dtype} {images.shape} in {images_path}"
            )
        if labels.dtype != np.uint8 or labels.shape != images.shape[:1]:
            raise ValueError(
                f"{name}: expected uint8 labels of shape {images.shape[:1]}, "
                f"got {labels.dtype} {labels.shape} in {labels_path}"
            )
        if labels.size and labels.max() >= _CLASSES:
            raise ValueError(
                f"{name}: expected labels in [0, {_CLASSES}), got {labels.max()} in {labels_path}"
            )
        self.data = from_numpy(images)
        self.targets = from_numpy(labels.astype(np.int64))

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image = self.data[index]
        target: Any = int(self.targets[index].item())
        if self.target_transform is not None:
            target = self.target_transform(target)
        if self.transform is not None:
            return self.transform(image.numpy()), target
        return image.unsqueeze(0) / _WHITE, target

    def _batch(self, indices: list[int]) -> Any:
        if self.transform is not None or self.target_transform is not None:
            return NotImplemented
        return [self.data[indices].unsqueeze(1) / _WHITE, self.targets[indices]]

    def _find(self, stem: str) -> Path:
        name = type(self).__name__
        folders = [self.root, self.root / name / "raw"]
        for folder in folders:
            for path in (folder / stem, folder / f"{stem}.gz"):
                if path.is_file():
                    return path
        raise FileNotFoundError(
            f"{name}: expected the file {stem} or {stem}.gz in {folders[0]} or {folders[1]}, "
            f"got neither; it can be downloaded from {self._source}"
        )


class FashionMNIST(MNIST):
    """Articles of clothing, 28x28: 60,000 to train on and 10,000 to test (Zalando Research).

    Files, arguments, items and errors are those of `MNIST`; torchvision's folder is
    `root/FashionMNIST/raw`.
    """

    classes: ClassVar[list[str]] = [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ]
    _source: ClassVar[str] = (
        "https://github.com/zalandoresearch/fashion-mnist, or as the Debian package "
        "dataset-fashion-mnist, which puts it in /usr/share/datasets/fashion-mnist"
    )
