"""What every kernel must give, on sizes and values that are awkward, run on the CPU.

Each check goes through CupyBackend over the CuPy of host memory, so that launches and arguments are
the real ones, and compares with NumPy.

    python -m tests.cuda_ladder.checks [--sources FOLDER] [--once] [--small] [NAME...]

runs them in every order of threads, or once in a shuffled one, of one dtype of each size there that
16 bytes hold 4 or 8 of, and the sources from another folder if one is named; the exit status says
whether all is well. Small sizes are for ThreadSanitizer, to
which every thread of a launch costs a millisecond.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import tensorgrad as tg
from tensorgrad import backend as choice
from tensorgrad.kernels.cuda import loader
from tests import cupy_stand_in
from tests.cuda_ladder import (
    activation_checks,
    attention_checks,
    convolution_checks,
    execution,
    fault_checks,
    loss_checks,
    norm_checks,
    optimizer_checks,
    pooling_checks,
    random_checks,
    recurrent_checks,
    softmax_checks,
    table_checks,
    taps_checks,
    winograd_checks,
    word_checks,
)
from tests.cuda_ladder.checking import CHECKS

__all__ = [
    "CHECKS",
    "activation_checks",
    "attention_checks",
    "convolution_checks",
    "fault_checks",
    "loss_checks",
    "norm_checks",
    "optimizer_checks",
    "pooling_checks",
    "random_checks",
    "recurrent_checks",
    "softmax_checks",
    "table_checks",
    "taps_checks",
    "winograd_checks",
    "word_checks",
]


def run(names: list[str], once: bool = False, small: bool = False) -> None:
    """The checks of these names, or of these sources, or all."""
    orders = execution.ORDERS[-1:] if once else execution.ORDERS
    every = slice(1) if small else slice(None, None, 2) if once else slice(None)
    sys.modules.update(cupy_stand_in.MODULES)
    choice._loaded.clear()
    with tg.use_backend("cupy"):
        backend = tg.get_backend()
        for name, check in CHECKS.items():
            if names and name not in names and name.split(":")[0] not in names:
                continue
            for execution.order in orders:
                for dtype in check.dtypes[every]:
                    check.run(backend, dtype, small)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--sources", type=Path, default=loader.FOLDER)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("names", nargs="*")
    given = parser.parse_args()
    loader.FOLDER = given.sources
    run(given.names, given.once, given.small)
