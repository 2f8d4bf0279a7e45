"""Files from the network, whole or not at all. Knows HTTP and checksums, not what the files hold.

A file is written under another name beside its place, compared with its checksum and only then
renamed, so that whatever stands at its place is complete, however the download ended.
"""

import hashlib
import http.client
import shutil
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import urlsplit

from tensorgrad.io.files import replace_file

TIMEOUT = 30.0  # seconds without an answer, or with hardly a byte of it
_SLOWEST = 1024  # bytes a second, on average over TIMEOUT
_CHUNK = 1 << 18
_ALGORITHMS = {32: "md5", 64: "sha256"}


class Remote(NamedTuple):
    """A file that others publish: its name, where it can be had, and how to know it.

    The checksum is an MD5 or a SHA-256 in hexadecimal digits (small letters), told by its length.
    The size in bytes is None where it is not known.
    """

    name: str
    urls: Sequence[str]
    checksum: str
    size: int | None = None


def fetch(remote: Remote, folder: Path, asker: str) -> Path:
    """The path of `remote` in `folder`, downloaded unless the very file is there already.

    Each address is tried in turn. `asker` begins the messages of errors.

    Raises:
        RuntimeError: no address gave the file; tells what each gave, and where to put the file.
        ValueError: an address that is not HTTP, or a checksum of no known kind.
    """
    for url in remote.urls:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError(f"{asker}: expected an address of http or https, got {url!r}")
    algorithm = _ALGORITHMS.get(len(remote.checksum))
    if algorithm is None:
        raise ValueError(
            f"{asker}: expected a checksum of 32 (MD5) or 64 (SHA-256) hexadecimal digits, "
            f"got {remote.checksum!r}"
        )
    path = folder / remote.name
    failures = []
    if path.is_file():
        with path.open("rb") as present:
            found = hashlib.file_digest(present, algorithm).hexdigest()
        if found == remote.checksum:
            return path
        failures.append(f"{path}: {algorithm} {found}")
    folder.mkdir(parents=True, exist_ok=True)
    for url in remote.urls:
        try:
            _download(url, remote, algorithm, path)
            return path
        except (OSError, http.client.HTTPException, ValueError) as error:
            failures.append(f"{url}: {str(error) or type(error).__name__}")
    raise RuntimeError(
        f"{asker}: expected to download {remote.name} ({algorithm} {remote.checksum}), got\n  "
        + "\n  ".join(failures)
        + f"\nWhere there is no network, put the file at {path} by hand."
    )


def _download(url: str, remote: Remote, algorithm: str, path: Path) -> None:
    request = urllib.request.Request(url, headers={"User-Agent": "tensorgrad"})
    with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
        length = answer.headers.get("Content-Length")
        stated = None if length is None else int(length)
        limit = _limit(remote, stated, path.parent)

        def write(temporary: str) -> None:
            with open(temporary, "wb") as part:
                found = _copy(answer, part, hashlib.new(algorithm), limit, path.name)
                if stated is not None and part.tell() != stated:
                    raise ValueError(f"{part.tell()} bytes, cut short of {stated}")
            if found != remote.checksum:
                raise ValueError(f"{algorithm} {found}")

        replace_file(path, write)


def _limit(remote: Remote, stated: int | None, folder: Path) -> int:
    """The most bytes to take, so that a server that lies or never ends cannot fill the disk."""
    if remote.size is not None:
        if stated not in (None, remote.size):
            raise ValueError(f"a file of {stated} bytes in place of {remote.size}")
        return remote.size
    free = shutil.disk_usage(folder).free
    if stated is not None and stated > free:
        raise ValueError(f"a file of {stated} bytes for a disk with {free} free")
    return stated or free // 2


def _copy(answer: Any, part: BinaryIO, digest: Any, limit: int, title: str) -> str:
    """Copy the answer into `part`; returns its checksum."""
    from tqdm import tqdm

    total = counted = 0
    since = time.monotonic()
    bar = tqdm(total=limit, unit="B", unit_scale=True, desc=title, leave=False, disable=None)
    with bar:
        # `read1` gives what has come, so that the clock is looked at however slowly it comes.
        while chunk := answer.read1(_CHUNK):
            total += len(chunk)
            if total > limit:
                raise ValueError(f"more than the {limit} bytes expected")
            part.write(chunk)
            digest.update(chunk)
            bar.update(len(chunk))
            now = time.monotonic()
            if now - since > TIMEOUT:
                if total - counted < _SLOWEST * TIMEOUT:
                    raise TimeoutError(f"{total - counted} bytes in {now - since:.0f} s")
                since, counted = now, total
    return str(digest.hexdigest())
