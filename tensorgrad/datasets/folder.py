"""What data sets of files in folders share: finding files, naming classes, getting the folder.

Knows paths and labels, not what the files hold.
"""

import os
from collections.abc import Callable, Collection, Iterable
from pathlib import Path
from typing import Any

from tensorgrad.data.dataset import Dataset
from tensorgrad.datasets.archives import archive_stem, unpack
from tensorgrad.datasets.download import Remote, fetch

_PARTS = {True: ("train",), False: ("test", "val", "valid", "validation")}


def parent_name(path: Path) -> str:
    """The name of the folder that the file is in."""
    return path.parent.name


class FolderDataset(Dataset[tuple[Any, Any]]):
    """Files under a folder, each with a label; a subclass reads them.

    Attributes:
        root: the folder that was given; `folder` is the one whose files are read.
        samples: list of (path as str, class index), sorted by path.
        targets: list of int, the class index of each.
        classes: list of the labels, sorted; `class_to_idx` gives the index of each.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[[Any], Any] | None,
        target_transform: Callable[[Any], Any] | None,
        *,
        train: bool | None,
        download: bool,
        url: str | None,
        checksum: str | None,
    ) -> None:
        self.root = Path(root)
        self.transform = transform
        self.target_transform = target_transform
        self.train = train
        self.folder = self.root
        name = type(self).__name__
        if url is not None:
            self.folder = _fetched(self.root, url, checksum, download, name)
        elif download:
            raise ValueError(f"{name}: expected a url to download from, got None")
        if not self.folder.is_dir():
            raise FileNotFoundError(f"{name}: expected a folder, got none at {self.folder}")
        if train is not None:
            self.folder = _part(self.folder, train, name)
        self.samples: list[tuple[str, int]] = []
        self.classes: list[Any] = []
        self.class_to_idx: dict[Any, int] = {}

    def _label(self, labelled: Iterable[tuple[Path, Any]], classes: Iterable[Any] = ()) -> None:
        """Number the labels, and those of `classes`, in their order."""
        pairs = list(labelled)
        self.classes = sorted({*classes, *(label for _, label in pairs)})
        self.class_to_idx = {label: index for index, label in enumerate(self.classes)}
        self.samples = [(str(path), self.class_to_idx[label]) for path, label in pairs]

    @property
    def targets(self) -> list[int]:
        return [target for _, target in self.samples]

    def __len__(self) -> int:
        return len(self.samples)

    def _item(self, value: Any, target: int) -> tuple[Any, Any]:
        if self.transform is not None:
            value = self.transform(value)
        return value, target if self.target_transform is None else self.target_transform(target)


def files(folder: Path, endings: Collection[str]) -> list[Path]:
    """The files below `folder`, at any depth, with one of the endings in any case; hidden files and
    folders are passed over.
    """
    found = []
    for place, folders, names in os.walk(folder, followlinks=True):
        folders[:] = [name for name in folders if _visible(name)]
        found += [
            Path(place, name)
            for name in names
            if _visible(name) and name.lower().endswith(tuple(endings))
        ]
    return sorted(found)


def folders_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_dir() and _visible(path.name))


def _visible(name: str) -> bool:
    return not name.startswith(".") and name != "__MACOSX"


def _fetched(root: Path, url: str, checksum: str | None, download: bool, asker: str) -> Path:
    """The folder in `root` that holds what is at `url`, an archive or a single file."""
    name = url.partition("?")[0].rpartition("/")[2]
    stem = archive_stem(name)
    folder = root / (stem or Path(name).stem)
    if not (folder.is_dir() if stem else (folder / name).is_file()):
        if not download:
            raise FileNotFoundError(
                f"{asker}: expected the folder {folder}, got none; download=True fetches {url}"
            )
        if checksum is None:
            raise ValueError(f"{asker}: expected the checksum of {url}, got None")
        path = fetch(Remote(name, [url], checksum.lower()), root if stem else folder, asker)
        if stem:
            unpack(path, folder)
    # An archive often holds one folder with all the rest.
    inner = [path for path in folder.iterdir() if _visible(path.name)]
    while len(inner) == 1 and inner[0].is_dir() and folders_in(inner[0]):
        folder = inner[0]
        inner = [path for path in folder.iterdir() if _visible(path.name)]
    return folder


def _part(folder: Path, train: bool, asker: str) -> Path:
    for name in _PARTS[train]:
        if (folder / name).is_dir():
            return folder / name
    raise FileNotFoundError(
        f"{asker}: expected a folder {' or '.join(_PARTS[train])} for train={train}, "
        f"got none in {folder}"
    )
