"""A CuPy of host memory: the names, signatures and refusals that CupyBackend meets, over NumPy.

It keeps to what CuPy 14 does where that differs from NumPy: arrays of the two never mix, there are
no NumPy scalars, fresh memory holds garbage, indices out of range wrap around, `as_strided` forgets
its base, only `add` and `multiply` reduce, only `add` scatters and not for every dtype.
tests/test_real_cupy.py compares names and signatures with the real package where that is
installed. It shows nothing of speed, streams or rounding on a device.
"""

from __future__ import annotations

import math
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

from tests.cuda_ladder.execution import Function, RawModule
from tests.cupy_stand_in.arrays import module, ndarray, ufunc
from tests.cupy_stand_in.device import cuda
from tests.cupy_stand_in.functions import (
    FUNCTIONS,
    UFUNCS,
    as_strided,
    errstate,
    fft,
    linalg,
    special_function,
)
from tests.cupy_stand_in.recorded import repeatable


def _module(name: str, **members: Any) -> ModuleType:
    made = ModuleType(name)
    made.__dict__.update(members)
    return made


vars(module).update(
    ndarray=ndarray,
    ufunc=ufunc,
    RawModule=RawModule,
    uint32=np.uint32,
    uint64=np.uint64,
    matmul=ufunc("matmul"),
    lib=SimpleNamespace(stride_tricks=SimpleNamespace(as_strided=as_strided)),
    pi=math.pi,
    result_type=np.result_type,
    linalg=linalg,
    fft=fft,
    cuda=cuda,
    **{name: ufunc(name) for name in UFUNCS.split()},
    **{function.__name__: repeatable(function) for function in FUNCTIONS},
)
for _kind, _names in (
    (ndarray, ("copy", "astype", "min", "max", "set", "__getitem__", "__setitem__")),
    (ufunc, ("__call__", "reduce", "at")),
    (Function, ("__call__",)),
    (cuda.cublas, ("gemmStridedBatchedEx",)),
):
    for _name in _names:
        setattr(_kind, _name, repeatable(getattr(_kind, _name)))
special = _module(
    "cupyx.scipy.special",
    erf=special_function("erf"),
    erfc=special_function("erfc"),
    erfinv=special_function("erfinv"),
    gammaln=special_function("lgamma"),
    digamma=special_function("digamma"),
)
scipy = _module("cupyx.scipy", special=special)
cupyx = _module("cupyx", errstate=errstate, scipy=scipy)
MODULES = {"cupy": module, "cupyx": cupyx, "cupyx.scipy": scipy, "cupyx.scipy.special": special}
