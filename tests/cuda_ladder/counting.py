"""What a launch on the CPU moved and computed: the counts of `counting.cpp`, and the arithmetic of
the instructions that it found visited.
"""

from __future__ import annotations

import ctypes
import re
import subprocess
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np


@dataclass
class Traffic:
    """Bytes of the device's memory that a launch read or wrote: asked for, and in parts of 16;
    moved, in sectors of 32 bytes, by each warp's instruction; and moved if each sector were once.
    """

    asked: int
    by_16: int
    moved: int
    once: int


@dataclass
class Counts:
    """Of one launch. flops: additions, multiplications, divisions, roots, and calls of functions
    as exp, each one; a fused multiplication and addition is two.
    """

    read: Traffic
    written: Traffic
    flops: int


def counted(library: ctypes.CDLL) -> Counts:
    """Since this was asked last."""
    found = (ctypes.c_uint64 * 8)()
    library.counted(found)
    library.visited.restype = ctypes.c_size_t
    visits = np.zeros(library.visited(None), np.uint64)
    library.visited(ctypes.c_void_p(visits.ctypes.data))
    places, flops = arithmetic(library._name)
    done = int(visits[places].astype(np.int64) @ flops)
    return Counts(Traffic(*found[:4]), Traffic(*found[4:]), done)


_LINE = re.compile(r"^ +([0-9a-f]+):\t(\S+) *(.*)$")
_ARITHMETIC = re.compile(r"v?(add|sub|mul|div|sqrt)s[sd]$")
_FUNCTION = re.compile(r"<(exp|exp2|expm1|log|log2|log1p|pow|tanh|erf|erfc|sin|cos)f?(@plt)?>")
_FUSED = re.compile(r"<fmaf?(@plt)?>")


@cache
def arithmetic(file: str) -> tuple[Any, Any]:
    """(where each block of a library's instructions begins, how many of them are arithmetic)."""
    listing = subprocess.run(
        ["objdump", "-d", "--no-show-raw-insn", file], capture_output=True, text=True, check=True
    ).stdout
    places: list[int] = []
    flops: list[int] = []
    begins = False
    for line in listing.splitlines():
        found = _LINE.match(line)
        if found is None:
            continue
        address, instruction, operands = found.groups()
        if begins:
            places.append(int(address, 16))
            flops.append(0)
        begins = instruction == "call" and "<__sanitizer_cov_trace_pc" in operands
        if places:
            flops[-1] += bool(_ARITHMETIC.match(instruction))
            if instruction == "call":
                flops[-1] += bool(_FUNCTION.search(operands)) + 2 * bool(_FUSED.search(operands))
    return np.array(places, np.intp), np.array(flops, np.int64)
