"""Archives from others, unpacked with suspicion. Knows tar and zip, not what the members mean.

Every member is looked at before the first is written: an archive that names a place outside its
folder, holds a link or a device, or unpacks to more than it should, leaves nothing behind.
"""

import lzma
import os
import shutil
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path, PureWindowsPath
from typing import IO, NamedTuple

_ENDINGS = (".tar.gz", ".tgz", ".tar.bz2", ".tar.xz", ".tar", ".zip")
_MAX_MEMBERS = 1_000_000
# How far a folder of texts may shrink; a bomb shrinks by thousands.
_MAX_RATIO = 200
_ALWAYS_ALLOWED = 1 << 20  # bytes
_DAMAGED = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    OSError,
    RuntimeError,  # zipfile's, of encryption and of compression that it does not know
)


class Member(NamedTuple):
    """A file in an archive."""

    name: str
    size: int
    open: Callable[[], IO[bytes] | None]


def archive_stem(name: str) -> str | None:
    """The name without an archive's ending; None for a name without one."""
    for ending in _ENDINGS:
        if name.endswith(ending) and name != ending:
            return name.removesuffix(ending)
    return None


def unpack(path: Path, folder: Path) -> None:
    """Unpack the archive `path` as the new folder `folder`, which is there when it is complete.

    Raises:
        ValueError: the archive is damaged, or one of its members is not to be trusted.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    whole = temporary / folder.name  # with the permissions of a new folder, unlike mkdtemp's
    try:
        whole.mkdir()
        try:
            _unpack(path, whole)
        except _DAMAGED as error:
            raise ValueError(
                f"unpack: expected an intact archive, got {error} in {path}"
            ) from error
        try:
            os.rename(whole, folder)
        except OSError:
            if not folder.is_dir():  # made by another process meanwhile
                raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _unpack(path: Path, folder: Path) -> None:
    limit = max(path.stat().st_size * _MAX_RATIO, _ALWAYS_ALLOWED)
    if path.name.endswith(".zip"):
        with zipfile.ZipFile(path) as archive:
            _write(_checked(_zip_members(archive), path, limit), folder)
    else:
        with tarfile.open(path) as tar:
            _write(_checked(_tar_members(tar, path), path, limit), folder)


def _zip_members(archive: zipfile.ZipFile) -> Iterator[Member]:
    for info in archive.infolist():
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise _distrusted(archive.filename, info.filename, "a link or device")
        if not info.is_dir():
            yield Member(info.filename, info.file_size, partial(archive.open, info))


def _tar_members(archive: tarfile.TarFile, path: Path) -> Iterator[Member]:
    for info in archive:
        if not (info.isreg() or info.isdir()):
            raise _distrusted(path, info.name, "a link or device")
        if info.isreg():
            yield Member(info.name, info.size, partial(archive.extractfile, info))


def _checked(members: Iterable[Member], path: Path, limit: int) -> list[Member]:
    found: list[Member] = []
    total = 0
    for member in members:
        # Windows' rules for separators and drives contain those of the others.
        place = PureWindowsPath(member.name)
        if place.anchor or ".." in place.parts or "\0" in member.name:
            raise _distrusted(path, member.name, "a place outside its folder")
        total += member.size
        if total > limit:
            raise _distrusted(path, member.name, f"more than {limit} bytes")
        found.append(member)
        if len(found) > _MAX_MEMBERS:
            raise _distrusted(path, member.name, f"more than {_MAX_MEMBERS} members")
    return found


def _write(members: list[Member], folder: Path) -> None:
    for member in members:
        target = folder / member.name
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as written:
            source = member.open()
            if source is None:
                raise tarfile.ReadError(f"no data for {member.name}")
            with source:
                shutil.copyfileobj(source, written, 1 << 20)


def _distrusted(path: object, member: str, got: str) -> ValueError:
    return ValueError(
        f"unpack: expected plain files and folders of a sane size, got {got} at {member!r} "
        f"in {path}"
    )
