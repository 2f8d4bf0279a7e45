"""The names that type hints of PyTorch's programs use: https://docs.pytorch.org/docs/stable/."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import TypeAlias

from tensorgrad._tensor import Tensor
from tensorgrad.backend import Device as _Device
from tensorgrad.formats import Size

__all__ = ["Device", "Number", "Tensor"]

Number: TypeAlias = int | float | bool
Device: TypeAlias = _Device | str | int | None
_int: TypeAlias = builtins.int
_float: TypeAlias = builtins.float
_bool: TypeAlias = builtins.bool
_size: TypeAlias = Size | Sequence[int]
_TensorOrTensors: TypeAlias = Tensor | Sequence[Tensor]
