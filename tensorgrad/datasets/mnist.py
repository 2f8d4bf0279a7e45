"""MNIST and Fashion-MNIST from the files that their authors publish. Knows file names and IDX.

The checksums are those by which torchvision knows the same files.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tensorgrad.data.dataset import Dataset
from tensorgrad.datasets.download import Remote, fetch
from tensorgrad.datasets.idx import read_idx
from tensorgrad.datasets.transforms import transform_batch
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
        transform: of the image.
        target_transform: of the label.
        download: get the files of this part into `root/MNIST/raw` unless they are there.

    Attributes:
        data: uint8 tensor of shape (N, 28, 28).
        targets: int64 tensor of shape (N,), 0..9.
        classes: their names; `class_to_idx` gives the number of a name.

    Raises:
        FileNotFoundError: a file is missing; says which, where it was sought and who has it.
        RuntimeError: the download failed; tells where to put the file by hand.
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
    _mirrors: ClassVar[tuple[str, ...]] = (
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    )
    # MD5 and size of the compressed files.
    _published: ClassVar[dict[str, tuple[str, int]]] = {
        "train-images-idx3-ubyte": ("f68b3c2dcbeaaa9fbdd348bbdeb94873", 9_912_422),
        "train-labels-idx1-ubyte": ("d53e105ee54ea40749a09fcbcd1e9432", 28_881),
        "t10k-images-idx3-ubyte": ("9fb629c4189551a2d022fa330f9573f3", 1_648_877),
        "t10k-labels-idx1-ubyte": ("ec29112dd5afa0611ce80d1b7f02629c", 4_542),
    }

    def __init__(
        self,
        root: str | os.PathLike[str],
        train: bool = True,
        transform: Callable[[np.ndarray[Any, Any]], Any] | None = None,
        target_transform: Callable[[int], Any] | None = None,
        download: bool = False,
    ) -> None:
        self.root = Path(root)
        self.train = train
        self.transform = transform
        self.target_transform = target_transform
        part = "train" if train else "t10k"
        images_path = self._find(f"{part}-images-idx3-ubyte", download)
        labels_path = self._find(f"{part}-labels-idx1-ubyte", download)
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
        if self.target_transform is not None:
            return NotImplemented
        images = self.data[indices]
        if self.transform is None:
            return [images.unsqueeze(1) / _WHITE, self.targets[indices]]
        batch = transform_batch(self.transform, images.numpy())
        return NotImplemented if batch is NotImplemented else [batch, self.targets[indices]]

    @property
    def class_to_idx(self) -> dict[str, int]:
        return {name: index for index, name in enumerate(self.classes)}

    def _find(self, stem: str, download: bool) -> Path:
        name = type(self).__name__
        folders = [self.root, self.root / name / "raw"]
        compressed = folders[1] / f"{stem}.gz"
        for folder in folders:
            for path in (folder / stem, folder / f"{stem}.gz"):
                # One that stands where downloads go is compared with its checksum by `fetch`.
                if path.is_file() and not (download and path == compressed):
                    return path
        if download:
            checksum, size = self._published[stem]
            urls = [f"{mirror}{stem}.gz" for mirror in self._mirrors]
            return fetch(Remote(f"{stem}.gz", urls, checksum, size), folders[1], name)
        raise FileNotFoundError(
            f"{name}: expected the file {stem} or {stem}.gz in {folders[0]} or {folders[1]}, "
            f"got neither; download=True fetches it from {self._mirrors[0]}"
        )


class FashionMNIST(MNIST):
    """Articles of clothing, 28x28: 60,000 to train on and 10,000 to test (Zalando Research).

    Files, arguments, items and errors are those of `MNIST`; the folder of downloads is
    `root/FashionMNIST/raw`. The Debian package dataset-fashion-mnist puts the files in
    /usr/share/datasets/fashion-mnist, which can be the `root`.
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
    _mirrors: ClassVar[tuple[str, ...]] = (
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    )
    _published: ClassVar[dict[str, tuple[str, int]]] = {
        "train-images-idx3-ubyte": ("8d4fb7e6c68d591d4c3dfef9ec88bf0d", 26_421_880),
        "train-labels-idx1-ubyte": ("25c81989df183df01b3e8a0aad5dffbe", 29_515),
        "t10k-images-idx3-ubyte": ("bef4ecab320f06d8554ea6380940ec79", 4_422_102),
        "t10k-labels-idx1-ubyte": ("bb300cfdad3c16e7a12a480ee83cd310", 5_148),
    }
