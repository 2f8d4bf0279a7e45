"""How kernels are compiled and launched. Knows flags and threads, but no kernel.

Rules that every kernel keeps:

- Its body is one serial function over whole rows or a flat range. Its parallel twin is a loop over
  chunks of fixed size that calls the body, so no result depends on the number of threads.
- One top-level function per compiled variant: the disk cache does not tell decorator options apart.
- Compiled at first use and cached on disk. Arrays reach Numba C-contiguous, aligned and writable,
  as any other layout would compile the kernel once more.
"""

import contextlib
import ctypes
import os
import site
import sys
import threading
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import njit
from numba.core import cgutils
from numba.extending import intrinsic

from tensorgrad.kernels.numba import memory
from tensorgrad.kernels.numba.cache import cached

_instruction: Any = intrinsic

# Sums may be split over vector lanes and products fused; nan and infinities keep their meaning.
FAST = {"reassoc", "contract", "nsz"}


def serial(function):
    """Compile the body of a kernel."""
    return _compiled(function, parallel=False)


def parallel(function):
    """Compile the parallel twin of a kernel: its `prange` runs on all threads."""
    return _compiled(function, parallel=True)


def _compiled(function, **options):
    options |= {"nogil": True, "fastmath": FAST, "error_model": "numpy"}
    return cached(njit(**options)(function))


FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
INT64 = np.dtype(np.int64)


# ------------------------------------------------------------------------------------------ threads
# Of Numba's threading layers only TBB allows both launches from several Python threads and a fork
# afterwards. Its wheel puts the library where the loader does not look, so it is loaded here by
# path; Numba, which looks for TBB first, then finds it. On the other layers a launch happens only
# where it is safe.
def _load_tbb():
    if os.environ.get("NUMBA_THREADING_LAYER", "tbb") != "tbb":
        return
    for prefix in (sys.prefix, site.getuserbase()):
        for part in ("lib/libtbb.so.12", "Library/bin/tbb12.dll"):
            path = Path(prefix, part)
            if path.exists():
                with contextlib.suppress(OSError):
                    ctypes.CDLL(str(path))
                    return


_load_tbb()
memory.install()

_layer = ""
_forked = False


def _start():
    global _layer
    numba.get_num_threads()  # starts them
    _layer = numba.threading_layer()  # type: ignore[attr-defined]
    return _layer


def _after_fork():
    global _forked
    _forked = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def can_launch():
    """Whether a parallel twin may run here. The number of threads is no reason: the compiler sums
    in another order in the twin than in the body, and results shall not tell how many there are.
    """
    layer = _layer or _start()
    if layer == "omp":
        return not _forked
    if layer == "workqueue":
        return threading.current_thread() is threading.main_thread()
    return True


# -------------------------------------------------------------------------------- in-kernel helpers
@_instruction
def larger(typing_context, a, b):
    """The larger of two floats, nan if one is.

    LLVM's own maximum: unlike a comparison it vectorises without a promise that there is no nan.
    """

    def generate(context, builder, signature, arguments):
        kind = arguments[0].type
        name = "llvm.maximum.f32" if isinstance(kind, ir.FloatType) else "llvm.maximum.f64"
        function = ir.FunctionType(kind, (kind, kind))
        maximum = cgutils.get_or_insert_function(builder.module, function, name)
        return builder.call(maximum, arguments, fastmath=("nsz",))

    return a(a, b), generate


@serial
def first_outside(index, size, allowed):
    """The first position of a number neither in [0, size) nor `allowed`; -1 if there is none."""
    bad = False
    for i in range(index.size):
        bad |= (index[i] < 0 or index[i] >= size) and index[i] != allowed
    if bad:
        for i in range(index.size):
            if (index[i] < 0 or index[i] >= size) and index[i] != allowed:
                return i
    return -1
