"""A folder of images, one sub-folder a class. Knows folders and Pillow, which is an extra."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tensorgrad.datasets.folder import FolderDataset, files, folders_in
from tensorgrad.datasets.pillow import pillow
from tensorgrad.datasets.transforms import to_tensor

IMG_EXTENSIONS = (
    ".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp",
)  # fmt: skip


def read_image(path: str | os.PathLike[str]) -> np.ndarray[Any, Any]:
    """The image in a file, in colour: uint8 of shape (height, width, 3).

    Raises:
        ImportError: Pillow is not installed.
        FileNotFoundError: there is no such file.
        ValueError: Pillow cannot read it, or it has more pixels than Pillow thinks sane.
    """
    Image = pillow("read_image")
    with open(path, "rb") as stream:
        try:
            with Image.open(stream) as image:
                return np.array(image.convert("RGB"))
        # Pillow's readers raise these, each for another kind of damage.
        except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
            raise ValueError(
                f"read_image: expected an image that Pillow reads, got {error} in {os.fspath(path)}"
            ) from error


class ImageFolder(FolderDataset):
    """Images under `root/class/`, at any depth; the classes are the names of the sub-folders.

    An item is `(image, class index)`: the image as a float32 tensor of shape (3, height, width) in
    [0, 1]. With `transform` it is what `transform` makes of what `loader` gives. Images of
    different sizes make a batch only after a transform that brings them to one size.

    Args:
        root: the folder.
        transform: of the image: a uint8 array of shape (height, width, 3).
        target_transform: of the class index.
        loader: reads the image at a path; `read_image` unless given.
        is_valid_file: whether the file at a path is an image; tells them by their endings
            (IMG_EXTENSIONS) unless given.
        allow_empty: take a class without an image.
        train: True for the images under `root/train`, False for those under `root/test` or
            `root/val`; unless given the classes are in `root` itself.
        download: get the folder from `url` unless it is there.
        url: the address of a .tar, .tar.gz or .zip, unpacked as a folder in `root` that then
            stands for it.
        checksum: of that archive, an MD5 or SHA-256 in hexadecimal digits.

    Raises:
        FileNotFoundError: no folder, no class, or a class without an image.
        RuntimeError: the download failed; tells where to put the file by hand.
        ValueError: reading an item, if its file is damaged; `url` without `checksum`.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[[Any], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        loader: Callable[[str], Any] = read_image,
        is_valid_file: Callable[[str], bool] | None = None,
        allow_empty: bool = False,
        *,
        train: bool | None = None,
        download: bool = False,
        url: str | None = None,
        checksum: str | None = None,
    ) -> None:
        super().__init__(
            root,
            transform,
            target_transform,
            train=train,
            download=download,
            url=url,
            checksum=checksum,
        )
        self.loader = loader
        classes = folders_in(self.folder)
        if not classes:
            raise FileNotFoundError(
                f"{type(self).__name__}: expected a sub-folder for each class, "
                f"got none in {self.folder}"
            )
        found: list[tuple[Path, str]] = []
        empty = []
        for folder in classes:
            paths = files(folder, IMG_EXTENSIONS if is_valid_file is None else ("",))
            if is_valid_file is not None:
                paths = [path for path in paths if is_valid_file(str(path))]
            if not paths:
                empty.append(folder.name)
            found += [(path, folder.name) for path in paths]
        if empty and not allow_empty:
            endings = "" if is_valid_file else f" ({', '.join(IMG_EXTENSIONS)})"
            raise FileNotFoundError(
                f"{type(self).__name__}: expected an image{endings} for each class in "
                f"{self.folder}, got none for {', '.join(empty)}"
            )
        self._label(found, [folder.name for folder in classes])

    @property
    def imgs(self) -> list[tuple[str, int]]:
        """`samples`, under its older name."""
        return self.samples

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        image = self.loader(path)
        return self._item(to_tensor(image) if self.transform is None else image, target)
