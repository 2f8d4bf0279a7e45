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
    before = execution.launches.total()
    for order in execution.ORDERS:
        monkeypatch.setattr(execution, "order", order)
        CHECKS[name].run(cuda, dtype, False)
    assert execution.launches.total() >= before + 3


@pytest.mark.parametrize("sanitizer", ["address", "thread"])
def test_sanitizers_see_no_fault(sanitizer: str) -> None:
    small = ["--small"] if sanitizer == "thread" else []
    done = execution.sanitized(sanitizer, ["-m", "tests.cuda_ladder.checks", "--once", *small])
    assert done.returncode == 0, done.stderr[-4000:]
