"""CUDA C sources compiled when a kernel is first wanted, for the GPU at hand, by NVRTC.

A source is a template over element types; an instance is named as C++ names it, from the arrays'
dtypes. A process compiles each once; CuPy keeps the binaries on disk by the whole text, so headers
(`*.cuh`) are put in place of their `#include` here. No product is contracted into a sum unless a
source says `fma`: what a kernel computes is then the arithmetic it states, also where the same
source runs on a CPU. CuPy adds -ftz=true, as for its own kernels: numbers of float32 too small to
be normal count as zero.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from tensorgrad.errors import BackendError

FOLDER = Path(__file__).parent
OPTIONS = ("-std=c++17", "--fmad=false")
C_TYPES = {"f": "float", "d": "double", "e": "Half", "E": "BFloat16"}  # storage.cuh has the last
INDEX_TYPES = {"i": "int", "l": "long long", "q": "long long"}

_INCLUDE = re.compile(r'^#include "(\w+(?:\.cuh)?)".*$', re.MULTILINE)


def text_of(name: str, generated: str = "") -> str:
    """A source with its headers in place, each once; `#include "generated"` is the given text."""
    seen = set()

    def whole(name: str) -> str:
        seen.add(name)
        text = generated if name == "generated" else (FOLDER / name).read_text()

        def included(found: re.Match[str]) -> str:
            if found[1] in seen:
                return ""
            after = text.count("\n", 0, found.end()) + 2
            return f'{whole(found[1])}\n#line {after} "{name}"'

        return f'#line 1 "{name}"\n{_INCLUDE.sub(included, text)}'

    return whole(name)


@cache
def kernel(
    source: str, name: str, *parameters: str | int, generated: str = ""
) -> Callable[..., None]:
    """The instance of a kernel for these dtypes, by their characters, and numbers:
    `kernel(grid, block, arguments)`. BackendError if it does not compile.
    """
    import cupy

    types = C_TYPES | INDEX_TYPES
    named = [types[p] if isinstance(p, str) else str(p) for p in parameters]
    instance = f"{name}<{', '.join(named)}>" if named else name
    text = text_of(source, generated)
    module = cupy.RawModule(code=text, options=OPTIONS, name_expressions=(instance,))
    try:
        function: Callable[..., None] = module.get_function(instance)
    except cupy.cuda.compiler.CompileException as error:
        raise BackendError(
            f"{source}: expected {instance} to compile for this GPU, got {_fault(error)}"
        ) from error
    return function


def served(arrays: Sequence[Any]) -> bool:
    """Whether these are arrays of the GPU and of one dtype that kernels know."""
    import cupy

    dtype = arrays[0].dtype
    return dtype.char in C_TYPES and all(
        isinstance(array, cupy.ndarray) and array.dtype == dtype for array in arrays
    )


def served_in_full(arrays: Sequence[Any]) -> bool:
    """Likewise, of those that know float32 and float64 alone."""
    return served(arrays) and arrays[0].dtype.itemsize > 2


def structure(values: Sequence[Any], dtype: str) -> Any:
    """Numbers that a kernel takes as one structure, by value."""
    return np.array(values, dtype).view(np.dtype([("of", dtype, (len(values),))]))


def wide(dtype: Any) -> Any:
    """The dtype that numbers of another are computed in: float32 for those of 16 bits."""
    return np.dtype("f4") if dtype.itemsize == 2 else dtype


def _fault(error: Any) -> str:
    """The first error of a compiler's log."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return next((line for line in lines if "error" in line), lines[0] if lines else "no reason")
