"""The gradient of a table of which few rows were used: the numbers of these rows, and their values.

Knows arrays and backends. `embedding` makes it, a backward pass leaves it in `grad`, and
optimizers step the rows that it names alone; everywhere else it becomes a tensor by `to_dense`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes, modes
from tensorgrad.errors import GraphError, ShapeError
from tensorgrad.graph import TensorCore, wrap

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class SparseRows:
    """Zeros of `shape` (V, D) with row i of `values` (n, D) added at row indices[i].

    A row may be named several times; `coalesce` sums these. PyTorch's names for sparse tensors, as
    far as they concern a gradient.
    """

    __slots__ = ("_coalesced", "_data", "_rows", "shape")
    __array_ufunc__ = None  # an array on the left leaves its operators to ours
    is_sparse = True
    requires_grad = False

    def __init__(self, rows: Any, data: Any, shape: tuple[int, ...], coalesced: bool = False):
        self._rows = rows
        self._data = data
        self.shape = shape
        self._coalesced = coalesced

    @classmethod
    def at(cls, index: Any, data: Any, rows: int, padding_idx: int | None) -> SparseRows:
        """Arrays: rows `data` (*, D) at the places `index` (*), without those at padding_idx."""
        backend = modes.current().backends[data.__class__]
        width = data.shape[-1]
        index = backend.cast(backend.reshape(index, (index.size,)), dtypes.int64)
        data = backend.reshape(data, (index.size, width))
        if padding_idx is not None:
            kept = backend.getitem(backend.nonzero(index != padding_idx), (slice(None), 0))
            index, data = backend.index(index, (kept,)), backend.index(data, (kept,))
        # Copies: the index is the user's own, the data are what other gradients may be, too.
        return cls(backend.copy(index), backend.copy(data), (rows, width))

    @property
    def _backend(self) -> Any:
        return modes.current().backends[self._data.__class__]

    # ---- fields

    @property
    def dtype(self) -> Any:
        return self._data.dtype

    @property
    def device(self) -> Any:
        return self._backend.device_of(self._data)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    def dim(self) -> int:
        return len(self.shape)

    def size(self, dim: int | None = None) -> Any:
        return self.shape if dim is None else self.shape[dim]

    def numel(self) -> int:
        """The elements of the whole table, zeros included."""
        return self.shape[0] * self.shape[1]

    def is_floating_point(self) -> bool:
        return dtypes.is_floating_point(self.dtype)

    def is_coalesced(self) -> bool:
        return self._coalesced

    def _nnz(self) -> int:
        """How many rows are named, those that are named again included."""
        return int(self._rows.shape[0])

    def _indices(self) -> Tensor:
        return wrap(self._backend.reshape(self._rows, (1, self._nnz())))

    def _values(self) -> Tensor:
        return wrap(self._data)

    def indices(self) -> Tensor:
        """The rows' numbers (1, n), in order and each once: of a coalesced gradient alone."""
        self._expect_coalesced("indices")
        return self._indices()

    def values(self) -> Tensor:
        """The rows (n, D), over the gradient's own memory: of a coalesced gradient alone."""
        self._expect_coalesced("values")
        return self._values()

    def _expect_coalesced(self, name: str) -> None:
        if not self._coalesced:
            raise GraphError(f"{name}: expected a coalesced gradient, got another (use coalesce())")

    # ---- the same gradient in other forms

    def coalesce(self) -> SparseRows:
        """The same gradient with each row named once, in order; itself where it is so."""
        if self._coalesced:
            return self
        rows, places = self._backend.distinct_rows(self._rows, self.shape[0])
        data = self._backend.embedding_add(self._data, places, None, rows.shape[0])
        return SparseRows(rows, data, self.shape, True)

    def dense(self) -> Any:
        """The whole table, as an array."""
        return self._backend.embedding_add(self._data, self._rows, None, self.shape[0])

    def to_dense(self) -> Tensor:
        """The whole table."""
        return wrap(self.dense())

    def detach(self) -> SparseRows:
        """Itself: it has no history."""
        return self

    def clone(self) -> SparseRows:
        backend = self._backend
        rows, data = backend.copy(self._rows), backend.copy(self._data)
        return SparseRows(rows, data, self.shape, self._coalesced)

    def to(self, *args: Any, **kwargs: Any) -> SparseRows:
        """In another dtype or on another device, as `Tensor.to`."""
        data = wrap(self._data).to(*args, **kwargs)
        rows = wrap(self._rows).to(data.device)
        return SparseRows(rows._array, data._array, self.shape, self._coalesced)

    def __repr__(self) -> str:
        return (
            f"SparseRows(indices={self._indices()}, values={self._values()}, "
            f"shape={list(self.shape)})"
        )

    # ---- arithmetic: sums of sparse gradients stay sparse

    def __add__(self, other: Any) -> Any:
        """With another sparse gradient sparse, with a tensor or an array dense."""
        if not isinstance(other, SparseRows):
            if isinstance(other, TensorCore):
                return self.to_dense() + other
            return self.dense() + other
        if self.shape != other.shape:
            raise ShapeError(
                f"add: expected gradients of equal shape, got {list(self.shape)} and "
                f"{list(other.shape)}"
            )
        rows = self._backend.cat([self._rows, other._rows], 0)
        return SparseRows(rows, self._backend.cat([self._data, other._data], 0), self.shape)

    __radd__ = __add__

    def __mul__(self, factor: Any) -> SparseRows:
        """By a number, or a tensor of one element."""
        return self.clone().mul_(factor)

    __rmul__ = __mul__

    def mul_(self, factor: Any) -> SparseRows:
        """By a number, or a tensor of one element, in place."""
        wrap(self._data).mul_(factor)
        return self

    def zero_(self) -> SparseRows:
        """No rows any more."""
        backend, none = self._backend, (slice(0, 0),)
        self._rows = backend.copy(backend.getitem(self._rows, none))
        self._data = backend.copy(backend.getitem(self._data, none))
        self._coalesced = True
        return self


def as_dense(gradient: Any) -> Any:
    """The array of a gradient that may be sparse."""
    return gradient.dense() if gradient.__class__ is SparseRows else gradient
