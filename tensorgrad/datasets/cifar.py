"""CIFAR-10 from the binary files that its authors publish. Knows file names and their records.

The files for Python are pickles, which may run whatever their writer likes; those for C hold the
same images in records of one label and 3 x 32 x 32 pixels. https://www.cs.toronto.edu/~kriz/cifar.html
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from tensorgrad.data.dataset import Dataset
from tensorgrad.datasets.archives import archive_stem, unpack
from tensorgrad.datasets.download import Remote, fetch
from tensorgrad.datasets.transforms import transform_batch
from tensorgrad.ops.creation import from_numpy, tensor

_SHAPE = (3, 32, 32)
_RECORD = 1 + 3 * 32 * 32
_WHITE = 255
_FOLDER = "cifar-10-batches-bin"


class CIFAR10(Dataset[tuple[Any, Any]]):
    """Colour photographs, 32x32: 50,000 to train on and 10,000 to test, of 10 classes (Krizhevsky).

    An item is `(image, label)`: the image as a float32 tensor of shape (3, 32, 32) in [0, 1], the
    label as an int. With `transform` the image is what `transform` makes of the uint8 NumPy array
    of shape (32, 32, 3); with `target_transform` the label is what that makes of the int.

    Args:
        root: the folder with the .bin files, or with the folder `cifar-10-batches-bin` that holds
            them.
        train: the training part, else the test part.
        transform: of the image.
        target_transform: of the label.
        download: get the archive (170 MB) and unpack it in `root`, unless the files are there.

    Attributes:
        data: uint8 array of shape (N, 32, 32, 3).
        targets: list of N ints, 0..9.
        classes: their names; `class_to_idx` gives the number of a name.

    Raises:
        FileNotFoundError: a file is missing; says which, where it was sought and who has it.
        RuntimeError: the download failed; tells where to put the archive by hand.
        ValueError: a file is damaged.
    """

    classes: ClassVar[list[str]] = [
        "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
    ]  # fmt: skip
    class_to_idx: ClassVar[dict[str, int]] = {name: i for i, name in enumerate(classes)}
    # The checksum is that of the page of the data set.
    _archive: ClassVar[Remote] = Remote(
        "cifar-10-binary.tar.gz",
        (
            "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            "https://cave.cs.toronto.edu/kriz/cifar-10-binary.tar.gz",
        ),
        "c32a1d4ab5d03f1284b67883e8d87530",
        170_052_171,
    )

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
        paths = self._find()
        if paths is None and download:
            archive = fetch(self._archive, self.root, type(self).__name__)
            unpack(archive, self.root / str(archive_stem(archive.name)))
            paths = self._find()
        if paths is None:
            raise FileNotFoundError(
                f"{type(self).__name__}: expected the files {', '.join(self._names())} in "
                f"{self.root} or {self.root / _FOLDER}, got not all; download=True fetches "
                f"{self._archive.urls[0]}"
            )
        records = np.concatenate([_read(path, type(self).__name__) for path in paths])
        # Rows last as torchvision has it, over memory that stays as a batch needs it.
        self.data = records[:, 1:].reshape(-1, *_SHAPE).transpose(0, 2, 3, 1)
        self.targets: list[int] = records[:, 0].tolist()

    def __len__(self) -> int:
        return len(self.data)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image = self.data[index]
        target: Any = self.targets[index]
        if self.target_transform is not None:
            target = self.target_transform(target)
        if self.transform is not None:
            return self.transform(image), target
        return _scaled(image.transpose(2, 0, 1)), target

    def _batch(self, indices: list[int]) -> Any:
        if self.target_transform is not None:
            return NotImplemented
        images = self.data.transpose(0, 3, 1, 2)[indices]
        if self.transform is None:
            batch = _scaled(images)
        else:
            batch = transform_batch(self.transform, images.transpose(0, 2, 3, 1))
            if batch is NotImplemented:
                return NotImplemented
        return [batch, tensor([self.targets[index] for index in indices])]

    def _names(self) -> list[str]:
        return [f"data_batch_{n}.bin" for n in range(1, 6)] if self.train else ["test_batch.bin"]

    def _find(self) -> list[Path] | None:
        stem = str(archive_stem(self._archive.name))
        for folder in (self.root, self.root / _FOLDER, self.root / stem / _FOLDER):
            paths = [folder / name for name in self._names()]
            if all(path.is_file() for path in paths):
                return paths
        return None


def _scaled(image: np.ndarray[Any, Any]) -> Any:
    return from_numpy(np.ascontiguousarray(image)) / _WHITE


def _read(path: Path, asker: str) -> np.ndarray[Any, Any]:
    size = path.stat().st_size
    if not size or size % _RECORD:
        raise ValueError(
            f"{asker}: expected records of {_RECORD} bytes, got a file of {size} bytes in {path}"
        )
    records = np.fromfile(path, np.uint8).reshape(-1, _RECORD)
    worst = int(records[:, 0].max())
    if worst >= len(CIFAR10.classes):
        raise ValueError(
            f"{asker}: expected labels in [0, {len(CIFAR10.classes)}), got {worst} in {path}"
        )
    return records
