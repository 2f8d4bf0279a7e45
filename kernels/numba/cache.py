"""Compiled kernels on disk: where they are kept, and how a damaged one is told from a sound one.

Numba's own cache lies beside the sources, compares a kernel with its own file only (although it has
the functions of its neighbours inside), and runs whatever bytes it finds. This one is a folder of
the user's whose name holds a digest of all kernels' sources and of the versions that compile them,
so nothing in it is ever stale; and each file begins with the digest of its content, so one that was
cut or changed is compiled anew. Files are put in place whole: several processes may fill a cache at
once. Where nothing can be written, kernels are compiled in every process.

`NUMBA_CACHE_DIR`, where set, is the folder's place. Knows files; must not know kernels.
"""

import contextlib
import hashlib
import pickle
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import llvmlite
import numba
import numpy as np
from numba.core import config
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    IndexDataCacheFile,
    _CacheLocator,
)
from numba.misc.appdirs import AppDirs

DIGEST = hashlib.sha256().digest_size
KEPT = (
    4  # folders of other sources or versions that are left alone: other environments may use them
)


@cache
def folder():
    """Where the kernels of these sources are kept; the folder need not exist."""
    digest = hashlib.sha256()
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    for library in numba, llvmlite, np:
        digest.update(library.__version__.encode())
    base = (
        getattr(config, "CACHE_DIR", "")
        or AppDirs(appname="tensorgrad", appauthor=False).user_cache_dir
    )
    return Path(base, f"kernels-{digest.hexdigest()[:16]}")


def drop_old(current):
    """Delete the folders of other sources but for the newest."""
    with contextlib.suppress(OSError):
        others = [path for path in current.parent.glob("kernels-*") if path != current]
        for path in sorted(others, key=lambda path: path.stat().st_mtime)[:-KEPT]:
            shutil.rmtree(path, ignore_errors=True)


class _Locator(_CacheLocator):
    """The same folder for every function."""

    def __init__(self, line):
        self.line = line

    @classmethod
    def from_function(cls, py_func, py_file):
        return cls(py_func.__code__.co_firstlineno)

    def get_cache_path(self):
        return str(folder())

    def ensure_cache_path(self):
        path = folder()
        if not path.exists():
            path.mkdir(parents=True, exist_ok=True)
            drop_old(path)

    def get_source_stamp(self):
        return ""  # the folder tells the sources

    def get_disambiguator(self):
        return str(self.line)


class _Sealed(IndexDataCacheFile):
    """A file for each compiled form of a function, named by its key: there is no index, in which
    processes could lose each other's entries. It begins with the digest of the rest; what does not
    agree is not there.
    """

    def _path(self, key):
        name = hashlib.sha256(str(key).encode()).hexdigest()[:16]
        return Path(self._cache_path, self._data_name_pattern.format(number=int(name, 16)))

    def load(self, key):
        try:
            content = self._path(key).read_bytes()
        except OSError:
            return None
        if hashlib.sha256(content[DIGEST:]).digest() != content[:DIGEST]:
            return None
        return pickle.loads(content[DIGEST:])

    def save(self, key, data):
        content = self._dump(data)
        with self._open_for_write(self._path(key)) as file:
            file.write(hashlib.sha256(content).digest() + content)


class _Implementation(CompileResultCacheImpl):
    _locator_classes: list[Any] = [_Locator]


class KernelCache(FunctionCache):
    """What a function's compiled forms are loaded from and saved to."""

    _impl_class = _Implementation

    def __init__(self, function):
        super().__init__(function)
        base = self._impl.filename_base
        self._cache_file = _Sealed(str(folder()), base, "")

    def save_overload(self, sig, data):
        with contextlib.suppress(OSError):  # a full disk, a folder that may only be read
            super().save_overload(sig, data)


def cached(dispatcher):
    """The compiled function, kept on disk from its first use on."""
    dispatcher._cache = KernelCache(dispatcher.py_func)
    return dispatcher
