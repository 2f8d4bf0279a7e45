"""The checks kill kernels with a fault, and only those; `mutants.py` makes all there are."""

from __future__ import annotations

import pytest

from tensorgrad.kernels.cuda import loader
from tests.cuda_ladder import execution
from tests.cuda_ladder.mutants import CHANGES, EQUIVALENT, Mutant, killer, mutants

pytestmark = pytest.mark.skipif(execution.COMPILER is None, reason=execution.MISSING)

# One that gives wrong values, and one each that only a sanitizer sees.
KILLED = {
    "steps.cu: wrong place, 1": "values",
    "lists.cuh: one more, 1": "AddressSanitizer",
    "norms.cu: every thread, 1": "ThreadSanitizer",
}


def test_each_change_is_made_somewhere() -> None:
    names = [mutant.name for mutant in mutants()]
    assert len(set(names)) == len(names) >= 45
    assert {name.split(": ")[1].split(",")[0] for name in names} == set(CHANGES)
    assert set(EQUIVALENT) | set(KILLED) <= set(names)


@pytest.mark.parametrize("name", KILLED)
def test_a_mutant_is_killed(name: str) -> None:
    (mutant,) = [mutant for mutant in mutants() if mutant.name == name]
    assert killer(mutant) == KILLED[name]


def test_a_kernel_without_a_fault_survives() -> None:
    text = (loader.FOLDER / "norms.cu").read_text()
    assert (
        killer(Mutant("none", "norms.cu", text.replace("double sum = 0;", "double sum{};"))) == ""
    )
