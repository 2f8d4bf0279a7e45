"""How recurrent layers run over sequences: layers, directions, forms of input, packed batches.

One matrix product projects the inputs of all steps of a layer; what a layer then does in one
direction is one op, of ops/recurrent.py.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

from tensorgrad import modes
from tensorgrad.errors import ShapeError
from tensorgrad.nn import init
from tensorgrad.nn.functional import dropout
from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import Parameter
from tensorgrad.nn.utils.rnn import PackedSequence
from tensorgrad.ops.creation import empty, zeros
from tensorgrad.ops.cutting import unbind
from tensorgrad.ops.indexing import index_select
from tensorgrad.ops.joining import cat, stack
from tensorgrad.ops.linear import linear
from tensorgrad.ops.recurrent import State
from tensorgrad.ops.shape import squeeze, transpose, unsqueeze

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class Weights(NamedTuple):
    """The parameters of one layer in one direction."""

    input: Tensor
    recurrent: Tensor
    bias_input: Tensor | None
    bias_hidden: Tensor | None
    projection: Tensor | None


def uniform_by_size(parameters: Iterable[Tensor], hidden_size: int) -> None:
    """Uniform in +-1 / sqrt(hidden_size), all of them."""
    bound = 1 / math.sqrt(hidden_size) if hidden_size else 0.0
    for parameter in parameters:
        init.uniform_(parameter, -bound, bound)


def _cast(dtype: Any, state: State, weights: Weights) -> tuple[State, Weights]:
    """What meets the projected inputs, in their dtype: autocast casts products of its own alone."""
    cast = {name: part.to(dtype) for name, part in weights._asdict().items() if part is not None}
    return tuple([part.to(dtype) for part in state]), weights._replace(**cast)


class RNNBase(Module):
    """What recurrent layers share: parameters by PyTorch's names, layers, directions, packing."""

    gates: int  # rows of weight_ih for each of hidden_size

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        proj_size: int,
        device: Any,
        dtype: Any,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = dropout
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._check_options()
        outputs, rows = proj_size or hidden_size, self.gates * hidden_size
        # The parameters' names, for each direction of each layer.
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            inputs = outputs * (1 + bidirectional) if layer else input_size
            shapes: dict[str, tuple[int, ...]] = {
                "weight_ih": (rows, inputs),
                "weight_hh": (rows, outputs),
            }
            if bias:
                shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
            if proj_size:
                shapes["weight_hr"] = (proj_size, hidden_size)
            for direction in ("", "_reverse")[: 1 + bidirectional]:
                names = {name: f"{name}_l{layer}{direction}" for name in shapes}
                for name, shape in shapes.items():
                    parameter = Parameter(empty(shape, device=device, dtype=dtype))
                    self.register_parameter(names[name], parameter)
                self._all_weights.append(list(names.values()))
        self.reset_parameters()

    def _check_options(self) -> None:
        name = type(self).__name__
        for option in ("bias", "batch_first"):
            if not isinstance(getattr(self, option), bool):
                kind = type(getattr(self, option)).__name__
                raise TypeError(f"{name}: expected {option} to be a bool, got {kind}")
        for option in ("input_size", "hidden_size", "num_layers"):
            size = getattr(self, option)
            if not isinstance(size, int):
                raise TypeError(
                    f"{name}: expected {option} to be an int, got {type(size).__name__}"
                )
            if size <= 0:
                raise ValueError(f"{name}: expected {option} > 0, got {size}")
        rate = self.dropout
        if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 <= rate <= 1:
            raise ValueError(f"{name}: expected dropout in [0, 1], got {rate}")
        if rate > 0 and self.num_layers == 1:
            warnings.warn(
                f"{name}: expected num_layers > 1 beside dropout, which acts between layers, got "
                f"dropout={rate} and one layer",
                stacklevel=6,
            )
        if not 0 <= self.proj_size < self.hidden_size:
            raise ValueError(
                f"{name}: expected proj_size in [0, {self.hidden_size}), got {self.proj_size}"
            )

    def reset_parameters(self) -> None:
        uniform_by_size(self.parameters(), self.hidden_size)

    def flatten_parameters(self) -> None:
        """Nothing: parameters need no common memory here."""

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each direction of each layer, in the order of their names."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    # ---- what a subclass defines

    def _sizes(self) -> dict[str, int]:
        """The names of the state's parts and their sizes."""
        return {"h_0": self.hidden_size}

    def _input_bias(self, weights: Weights) -> Tensor | None:
        """What is added to the inputs of all steps at once."""
        if weights.bias_input is None:
            return None
        return weights.bias_input + weights.bias_hidden

    def _sequence(
        self,
        projected: Tensor,
        initial: State,
        weights: Weights,
        sizes: tuple[int, ...] | None,
        backwards: bool,
    ) -> tuple[Tensor, ...]:
        """All h of one layer in one direction, and the parts of its last state."""
        raise NotImplementedError

    # ---- layers

    def _run(self, input: Any, hx: Any) -> tuple[Any, State]:
        """The last layer's h at every step, in the input's form, and the last state of each layer
        and direction, stacked.
        """
        packed = isinstance(input, PackedSequence)
        sizes: tuple[int, ...] | None = None
        if packed:
            input, batch_sizes, order, restore = input
            sizes = tuple(batch_sizes.tolist())
        self._check_input(input, packed)
        single = not packed and input.ndim == 2
        if single:
            input = unsqueeze(input, 1)
        elif self.batch_first and not packed:
            input = transpose(input, 0, 1)
        if hx is not None and packed and order is not None:
            hx = tuple([index_select(part, 1, order) for part in hx])
        batch = input.shape[1] if sizes is None else sizes[0]
        output, last = self._layers(input, sizes, self._initial(input, hx, batch, single))
        if packed:
            if restore is not None:
                last = tuple([index_select(part, 1, restore) for part in last])
            return PackedSequence(output, batch_sizes, order, restore), last
        if single:
            return squeeze(output, 1), tuple([squeeze(part, 1) for part in last])
        return transpose(output, 0, 1) if self.batch_first else output, last

    def _check_input(self, input: Tensor, packed: bool) -> None:
        name = type(self).__name__
        if input.ndim not in ((2,) if packed else (2, 3)):
            wanted = "2D packed data" if packed else "2D or 3D input"
            raise ValueError(f"{name}: expected {wanted}, got shape {list(input.shape)}")
        if input.shape[-1] != self.input_size:
            raise ShapeError(
                f"{name}: expected input of shape (*, {self.input_size}), got {list(input.shape)}"
            )
        if not input.shape[1 if self.batch_first and input.ndim == 3 else 0]:
            raise ShapeError(
                f"{name}: expected at least one step, got input of shape {list(input.shape)}"
            )
        dtype = getattr(self, self._all_weights[0][0]).dtype
        if input.dtype != dtype and modes.current().autocast is None:
            raise ValueError(
                f"{name}: expected input of the weights' dtype {dtype}, got {input.dtype} "
                f"(input.to({dtype}) or module.to({input.dtype}))"
            )

    def _initial(self, input: Tensor, hx: Any, batch: int, single: bool) -> list[State]:
        """The state before the first step, for each layer and direction."""
        sizes, count = self._sizes(), len(self._all_weights)
        if hx is None:
            options: Any = {"dtype": input.dtype, "device": input.device}
            nothing = {size: zeros(batch, size, **options) for size in set(sizes.values())}
            return [tuple([nothing[size] for size in sizes.values()])] * count
        parts = []
        for part, (name, size) in zip(hx, sizes.items(), strict=True):
            shape = [count, size] if single else [count, batch, size]
            if list(part.shape) != shape:
                raise ShapeError(
                    f"{type(self).__name__}: expected {name} of shape {shape}, got "
                    f"{list(part.shape)}"
                )
            parts.append(unbind(unsqueeze(part, 1) if single else part))
        return list(zip(*parts))

    def _layers(
        self, input: Tensor, sizes: tuple[int, ...] | None, initial: list[State]
    ) -> tuple[Tensor, State]:
        last: list[State] = []
        directions = 1 + self.bidirectional
        for layer in range(self.num_layers):
            if layer and self.dropout:
                input = dropout(input, self.dropout, self.training)
            sequences = []
            for backwards in (False, True)[:directions]:
                number = len(last)
                weights, state = self._weights(number), initial[number]
                projected = linear(input, weights.input, self._input_bias(weights))
                if modes.current().autocast is not None:
                    state, weights = _cast(projected.dtype, state, weights)
                result = self._sequence(projected, state, weights, sizes, backwards)
                sequences.append(result[0])
                last.append(result[1:])
            input = sequences[0] if len(sequences) == 1 else cat(sequences, -1)
        return input, tuple([stack(parts) for parts in zip(*last)])

    def _weights(self, number: int) -> Weights:
        parts = {name.partition("_l")[0]: getattr(self, name) for name in self._all_weights[number]}
        return Weights(
            parts["weight_ih"],
            parts["weight_hh"],
            parts.get("bias_ih"),
            parts.get("bias_hh"),
            parts.get("weight_hr"),
        )

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        for name, default in (
            ("proj_size", 0),
            ("num_layers", 1),
            ("bias", True),
            ("batch_first", False),
            ("dropout", 0),
            ("bidirectional", False),
        ):
            value = getattr(self, name)
            text += "" if value == default else f", {name}={value}"
        return text
