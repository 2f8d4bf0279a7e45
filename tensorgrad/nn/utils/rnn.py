"""Sequences of unequal length in one tensor: padded to the longest, or packed without padding.

A packed batch holds the elements of step 0 of all sequences, longest sequence first, then those of
step 1 of the sequences that have one, and so on; `batch_sizes` counts the elements of each step.

https://docs.pytorch.org/docs/stable/nn.html#module-torch.nn.utils.rnn
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tensorgrad import dtypes
from tensorgrad.errors import ShapeError
from tensorgrad.graph import TensorCore
from tensorgrad.ops.choice import clamp, masked_fill
from tensorgrad.ops.creation import arange, as_tensor
from tensorgrad.ops.indexing import index_select
from tensorgrad.ops.joining import stack
from tensorgrad.ops.ordering import argsort
from tensorgrad.ops.padding import constant_pad_nd
from tensorgrad.ops.scan import cumsum
from tensorgrad.ops.shape import reshape, transpose, unsqueeze

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class _Packed(NamedTuple):
    data: Any
    batch_sizes: Any
    sorted_indices: Any
    unsorted_indices: Any


class PackedSequence(_Packed):
    """data (elements, *), batch_sizes (steps,) of int64 on the CPU, and where each sequence stood
    before they were sorted by length: sorted_indices and unsorted_indices (N,), None for as it is.

    `pack_padded_sequence` and `pack_sequence` make them, recurrent layers take and return them.
    """

    __slots__ = ()

    def __new__(
        cls,
        data: Tensor,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        if batch_sizes is None:
            data, batch_sizes = data
        if batch_sizes.device.type != "cpu":
            raise ValueError(
                f"PackedSequence: expected batch_sizes on the CPU, got {batch_sizes.device}"
            )
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """The data as `Tensor.to` converts it, the indices beside it; itself where nothing
        changes.
        """
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        order = [None if x is None else x.to(data.device) for x in self[2:]]
        return PackedSequence(data, self.batch_sizes, *order)

    def cpu(self) -> PackedSequence:
        return self.to("cpu")

    def cuda(self, device: Any = None) -> PackedSequence:
        return self.to("cuda" if device is None else device)

    def double(self) -> PackedSequence:
        return self.to(dtypes.float64)

    def float(self) -> PackedSequence:
        return self.to(dtypes.float32)

    def half(self) -> PackedSequence:
        return self.to(dtypes.float16)

    def long(self) -> PackedSequence:
        return self.to(dtypes.int64)

    def int(self) -> PackedSequence:
        return self.to(dtypes.int32)

    def short(self) -> PackedSequence:
        return self.to(dtypes.int16)

    def char(self) -> PackedSequence:
        return self.to(dtypes.int8)

    def byte(self) -> PackedSequence:
        return self.to(dtypes.uint8)

    @property
    def is_cuda(self) -> bool:
        return bool(self.data.is_cuda)


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The places p with permutation[p[i]] = i; None for None."""
    return None if permutation is None else argsort(permutation)


def pack_padded_sequence(
    input: Tensor, lengths: Any, batch_first: bool = False, enforce_sorted: bool = True
) -> PackedSequence:
    """The first `lengths` (N,) steps of each sequence in `input` (L, N, *), or (N, L, *) with
    batch_first, packed.

    enforce_sorted: the lengths must not grow from sequence to sequence; otherwise the sequences
    are sorted.
    """
    lengths = as_tensor(lengths, dtype=dtypes.int64, device="cpu").detach()
    input = transpose(input, 0, 1) if batch_first else input
    longest, batch = input.shape[:2]
    known = lengths.tolist()
    if len(known) != batch:
        raise ShapeError(
            f"pack_padded_sequence: expected a length for each of {batch} sequences, got "
            f"{len(known)}"
        )
    if not known or min(known) <= 0 or max(known) > longest:
        raise ShapeError(
            f"pack_padded_sequence: expected lengths in [1, {longest}], got {known} "
            "(Length of all samples has to be greater than 0)"
        )
    order = None
    if not enforce_sorted:
        order = argsort(lengths, descending=True, stable=True)
        lengths = index_select(lengths, 0, order)
        order = order.to(input.device)
        input = index_select(input, 1, order)
    elif known != sorted(known, reverse=True):
        raise RuntimeError(
            "pack_padded_sequence: expected lengths in decreasing order where enforce_sorted is "
            f"set, got {known}"
        )
    steps = max(known)
    present = unsqueeze(arange(steps, device="cpu"), 1) < lengths
    data = input[:steps][present.to(input.device)]
    return PackedSequence(data, present.sum(1), order)


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The sequences in the order in which they were packed, padded behind to the longest or to
    total_length: (L, N, *), or (N, L, *) with batch_first; and their lengths (N,).
    """
    data, sizes, _, unsorted = sequence
    steps = sizes.shape[0]
    if total_length is not None:
        if total_length < steps:
            raise ValueError(
                f"pad_packed_sequence: expected total_length of at least {steps}, the longest "
                f"sequence, got {total_length}"
            )
        steps = total_length
        sizes = constant_pad_nd(sizes, (0, steps - sizes.shape[0]))
    batch = int(sizes[0])
    column = arange(batch, device="cpu")
    present = column < unsqueeze(sizes, 1)
    lengths = present.sum(0)
    if unsorted is not None:
        column = unsorted.to("cpu")
        lengths = lengths[column]
        present = index_select(present, 1, column)
    rows = unsqueeze(cumsum(sizes, 0) - sizes, 1) + column
    index = reshape(clamp(rows, max=data.shape[0] - 1), -1).to(data.device)
    shape = (steps, batch, *data.shape[1:])
    absent = reshape(~present, (steps, batch, *(1 for _ in data.shape[1:]))).to(data.device)
    padded = masked_fill(reshape(index_select(data, 0, index), shape), absent, padding_value)
    return transpose(padded, 0, 1) if batch_first else padded, lengths


def pad_sequence(
    sequences: Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Sequences (length, *) padded on one side to the longest: (L, N, *), or (N, L, *) with
    batch_first.
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            f"pad_sequence: expected an iterable of tensors, got {type(sequences).__name__}"
        )
    if padding_side not in ("left", "right"):
        raise RuntimeError(
            f"pad_sequence: expected padding_side 'left' or 'right', got {padding_side!r}"
        )
    several = list(sequences)
    if not several:
        raise RuntimeError("pad_sequence: expected at least one sequence, got none")
    longest = max(sequence.shape[0] for sequence in several)
    padded = []
    for sequence in several:
        missing = longest - sequence.shape[0]
        first = (0, missing) if padding_side == "right" else (missing, 0)
        widths = (0, 0) * (sequence.ndim - 1) + first
        padded.append(constant_pad_nd(sequence, widths, padding_value) if missing else sequence)
    return stack(padded, 0 if batch_first else 1)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Any, batch_first: bool = False
) -> list[Tensor]:
    """The first `lengths` steps of each sequence in (L, N, *), or in (N, L, *) with batch_first."""
    sequences = padded_sequences if batch_first else transpose(padded_sequences, 0, 1)
    known = lengths.tolist() if isinstance(lengths, TensorCore) else list(lengths)  # type: ignore[attr-defined]
    if len(known) != sequences.shape[0]:
        raise ShapeError(
            f"unpad_sequence: expected a length for each of {sequences.shape[0]} sequences, got "
            f"{len(known)}"
        )
    return [sequence[:length] for sequence, length in zip(sequences, known)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences (length, *) packed; enforce_sorted as in `pack_padded_sequence`."""
    lengths = [sequence.shape[0] for sequence in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences (length, *) of a packed batch, in the order in which they were packed."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
