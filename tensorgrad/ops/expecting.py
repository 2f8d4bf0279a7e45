"""Conditions that all elements must fulfil."""

from __future__ import annotations

from typing import Any

from tensorgrad import modes
from tensorgrad.graph import unwrap


def expect_all(good: Any, sentence: str) -> None:
    """RuntimeError of this sentence unless all of `good` are true; from a GPU, for which nobody
    waits, when the host next does.
    """
    array = unwrap(good)
    modes.current().backends[array.__class__].check_all(array, sentence)
