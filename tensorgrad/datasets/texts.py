"""A folder of text files, by line or by file. Knows folders and encodings, not words."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tensorgrad.datasets.folder import FolderDataset, files, parent_name


def stem(path: Path) -> str:
    """The name of the file without its ending."""
    return path.stem


class TextFolder(FolderDataset):
    """The text files below `root`, at any depth.

    An item is `(text, class index)`. By "line" the text is one line without its end, empty ones
    left out, and the class is the file: `French.txt` with a name a line. By "file" it is a whole
    file, and the class is the folder: `pos/0.txt`, `neg/0.txt`.

    Args:
        root: the folder.
        transform: of the text, for example to ids by `tokenize` and a `Vocabulary`.
        target_transform: of the class index.
        by: "line" or "file".
        label: gives the label of the file at a `Path`, in place of the above.
        ending: of the names of the files to be read.
        encoding: of the files.
        train: True for the files under `root/train`, False for those under `root/test` or
            `root/val`; unless given all below `root`.
        download: get the folder from `url` unless it is there.
        url: the address of a text, or of a .tar, .tar.gz or .zip that is unpacked, as a folder in
            `root` that then stands for it.
        checksum: of the file at `url`, an MD5 or SHA-256 in hexadecimal digits.

    Raises:
        FileNotFoundError: no folder, or no such file in it.
        RuntimeError: the download failed; tells where to put the file by hand.
        ValueError: a file is not text of this encoding; `url` without `checksum`; another `by`.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        transform: Callable[[str], Any] | None = None,
        target_transform: Callable[[Any], Any] | None = None,
        by: str = "line",
        label: Callable[[Path], Any] | None = None,
        *,
        ending: str = ".txt",
        encoding: str = "utf-8",
        train: bool | None = None,
        download: bool = False,
        url: str | None = None,
        checksum: str | None = None,
    ) -> None:
        if by not in ("line", "file"):
            raise ValueError(f"{type(self).__name__}: expected by 'line' or 'file', got {by!r}")
        super().__init__(
            root,
            transform,
            target_transform,
            train=train,
            download=download,
            url=url,
            checksum=checksum,
        )
        self.encoding = encoding
        self.lines: list[str] | None = None
        paths = files(self.folder, (ending,))
        if not paths:
            raise FileNotFoundError(
                f"{type(self).__name__}: expected files that end in {ending}, got none below "
                f"{self.folder}"
            )
        if label is None:
            label = stem if by == "line" else parent_name
        labelled = [(path, label(path)) for path in paths]
        if by == "line":
            self.lines = []
            rows = []
            for path, name in labelled:
                lines = [line for line in self._read(path).split("\n") if line.strip()]
                self.lines += lines
                rows += [(path, name)] * len(lines)
            self._label(rows, [name for _, name in labelled])
        else:
            self._label(labelled)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        path, target = self.samples[index]
        text = self._read(Path(path)) if self.lines is None else self.lines[index]
        return self._item(text, target)

    def _read(self, path: Path) -> str:
        try:
            return path.read_text(self.encoding)
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{type(self).__name__}: expected text in {self.encoding}, got {error} in {path}"
            ) from error
