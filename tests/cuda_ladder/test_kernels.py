"""Every kernel gives what NumPy gives, in each order of threads, and harms no memory."""

from __future__ import annotations

from typing import Any

import pytest

from tensorgrad.kernels.cuda import loader
from tests.cuda_ladder import execution
from tests.cuda_ladder.checks import CHECKS

pytestmark = pytest.mark.skipif(execution.COMPILER is None, reason=execution.MISSING)


def test_every_source_is_checked() -> None:
    sources = {path.name for path in loader.FOLDER.glob("*.cu")}
    assert len(sources) >= 2
    assert {name.split(":")[0] for name in CHECKS} == sources


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, dtype) for name, check in CHECKS.items() for dtype in check.dtypes],
    ids=str,
)
def test_values(name: str, dtype: Any, cuda: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first dtype in every order of threads, the others in a shuffled one."""
    before = execution.launches.total()
    orders = execution.ORDERS if dtype == CHECKS[name].dtypes[0] else execution.ORDERS[-1:]
    for order in orders:
        monkeypatch.setattr(execution, "order", order)
        CHECKS[name].run(cuda, dtype, False)
    assert execution.launches.total() >= before + len(orders)


PARTS = 4  # of the sources, so that several processes share the work


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("sanitizer", ["address", "thread"])
def test_sanitizers_see_no_fault(sanitizer: str, part: int) -> None:
    sources = sorted({name.split(":")[0] for name in CHECKS})[part::PARTS]
    small = ["--small"] if sanitizer == "thread" else []
    arguments = ["-m", "tests.cuda_ladder.checks", "--once", *small, *sources]
    done = execution.sanitized(sanitizer, arguments)
    assert done.returncode == 0, done.stderr[-4000:]
