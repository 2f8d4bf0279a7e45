"""Rows that whole numbers name, on the CuPy backend: added without atomic operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tensorgrad.backends.array_backend import Array, ArrayBackend
from tensorgrad.kernels.cuda import tables


class CupyTables(ArrayBackend):
    """Part of CupyBackend."""

    _index_report: Callable[..., Any]

    def embedding(self, input: Array, weight: Array, padding_idx: int | None) -> Array:
        out = tables.take_rows(weight, input, self._index_report("embedding", weight.shape[0]))
        return super().embedding(input, weight, padding_idx) if out is NotImplemented else out

    def embedding_add(
        self, input: Array, index: Array, padding_idx: int | None, rows: int
    ) -> Array:
        values = input.reshape(index.size, input.shape[-1])
        out = tables.embedding_add(values, index.reshape(-1), padding_idx, rows)
        if out is NotImplemented:
            return super().embedding_add(input, index, padding_idx, rows)
        return out

    def embedding_bags(
        self,
        input: Array,
        weight: Array,
        offsets: Array,
        padding_idx: int | None,
        mean: bool,
        sparse: bool,
    ) -> Any:
        report = self._index_report("embedding", weight.shape[0])
        return tables.sum_bags(weight, input, offsets, padding_idx, mean, report)

    def embedding_bags_add(
        self,
        values: Array,
        index: Array,
        offsets: Array,
        padding_idx: int | None,
        mean: bool,
        rows: int,
    ) -> Any:
        return tables.add_bags(values, index, offsets, padding_idx, mean, rows)

    def add_at(self, target: Array, index: Any, value: Array) -> None:
        if isinstance(value, np.ndarray):  # CuPy would copy it over in silence
            raise TypeError("add.at takes arrays of one device")
        if tables.add_at(target, index, value):
            return
        if target.dtype.itemsize >= 4:
            self.xp.add.at(target, index, value)
            return
        # No atomic adds for narrow integers; those of half precision round every time.
        wide = target.astype("int32" if target.dtype.kind in "biu" else "float32")
        self.xp.add.at(wide, index, value)
        target[...] = wide
