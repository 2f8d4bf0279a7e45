"""`python -m tests.cuda_ladder.bad NAME` launches a kernel of bad.cu. Tests see what stops it."""

from __future__ import annotations

import sys

import numpy as np

from tests.cuda_ladder.execution import FOLDER, RawModule
from tests.cupy_stand_in import module as cupy


def launch(name: str) -> np.ndarray:
    instance = f"{name}<float>"
    module = RawModule(
        '#line 1 "bad.cu"\n' + (FOLDER / "bad.cu").read_text(), name_expressions=[instance]
    )
    blocks, threads = (4 if name in SEVERAL_BLOCKS else 1), (32 if "past_shared" in name else 64)
    out = cupy.zeros(64, np.float32)
    module.get_function(instance)(
        (blocks,), (threads,), (out, np.int32(63 if blocks == 1 else 64)), shared_mem=128
    )
    return out.get()


SEVERAL_BLOCKS = ("write_past_the_end", "blocks_that_overlap", "add_without_atomic")

if __name__ == "__main__":
    launch(sys.argv[1])
