"""Functions and modules whose forward and backward pass are a graph each: `make_graphed_callables`.

https://docs.pytorch.org/docs/stable/generated/torch.cuda.make_graphed_callables.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tensorgrad import autograd, modes
from tensorgrad.cuda.graphs import CUDAGraph, graph
from tensorgrad.cuda.streams import Stream, current_stream, stream
from tensorgrad.graph import TensorCore
from tensorgrad.ops.creation import ones_like


def make_graphed_callables(
    callables: Any,
    sample_args: Any,
    num_warmup_iters: int = 3,
    allow_unused_input: bool = False,
    pool: Any = None,
) -> Any:
    """A function or module, or a tuple of such, that replays what it does with `sample_args`, a
    tuple of tensors (or a tuple of tuples), captured as two graphs: forward and backward.

    Arguments later have the shapes and the dtypes of the samples; results are overwritten by the
    next call. A module replays in the mode, training or not, in which it was captured, and runs as
    it was in the other. pool: a graph's `pool()` to take memory from.
    """
    if isinstance(callables, tuple):
        return tuple(
            _graphed(function, args, num_warmup_iters, allow_unused_input, pool)
            for function, args in zip(callables, sample_args, strict=True)
        )
    return _graphed(callables, sample_args, num_warmup_iters, allow_unused_input, pool)


def _graphed(
    function: Any, samples: Sequence[Any], warm_up: int, allow_unused: bool, pool: Any
) -> Any:
    if not all(isinstance(sample, TensorCore) for sample in samples):
        kinds = [type(sample).__name__ for sample in samples]
        raise TypeError(f"make_graphed_callables: expected tensors as sample_args, got {kinds}")
    parameters = list(function.parameters()) if hasattr(function, "parameters") else []
    pair = Pair(function, samples, parameters, warm_up, allow_unused, pool)
    if not hasattr(function, "forward"):
        return pair.call
    plain, captured = function.forward, function.training

    def forward(*args: Any) -> Any:
        return pair.call(*args) if function.training == captured else plain(*args)

    function.forward = forward
    return function


class Pair:
    """The two graphs of a function, and the tensors that they read and write."""

    def __init__(
        self,
        function: Callable[..., Any],
        samples: Sequence[Any],
        parameters: Sequence[Any],
        warm_up: int,
        allow_unused: bool,
        pool: Any,
    ) -> None:
        self.samples, self.parameters = tuple(samples), parameters
        inputs = [*samples, *parameters]
        self.wanted = [input.requires_grad for input in inputs]
        leaves = [input for input in inputs if input.requires_grad]
        side = Stream()
        side.wait_stream(current_stream())
        with stream(side):
            for _ in range(warm_up):
                outputs = self._outputs(function)
                self._gradients(outputs, given_for(outputs), leaves, allow_unused)
        current_stream().wait_stream(side)
        self.there, self.back = CUDAGraph(), CUDAGraph()
        with graph(self.there, pool, side):
            self.outputs = self._outputs(function)
        # Before the capture: a replay must not write ones over what it is given.
        self.given = given_for(self.outputs)
        self.back.continue_draws(self.there)
        with graph(self.back, self.there.pool(), side):
            self.gradients = self._gradients(self.outputs, self.given, leaves, allow_unused)

    def _outputs(self, function: Callable[..., Any]) -> tuple[Any, ...]:
        outputs = function(*self.samples)
        self.several = isinstance(outputs, tuple)
        return outputs if isinstance(outputs, tuple) else (outputs,)

    @staticmethod
    def _gradients(
        outputs: Sequence[Any], given: Sequence[Any], leaves: Sequence[Any], allow_unused: bool
    ) -> list[Any]:
        """What comes for the leaves."""
        ends = [output for output in outputs if output.requires_grad]
        if not ends or not leaves:
            return [None] * len(leaves)
        return list(autograd.grad(ends, leaves, given, allow_unused=allow_unused))

    def call(self, *args: Any) -> Any:
        outputs = Replayed.apply(self, *args, *self.parameters)
        outputs = outputs if isinstance(outputs, tuple) else (outputs,)
        return outputs if self.several else outputs[0]


def given_for(outputs: Sequence[Any]) -> list[Any]:
    """Places for the gradients of those that have one."""
    return [ones_like(output) for output in outputs if output.requires_grad]


class Replayed(autograd.Function):
    @staticmethod
    def forward(ctx: Any, pair: Pair, *inputs: Any) -> Any:
        ctx.pair = pair
        with modes.no_grad():
            for sample, input in zip(pair.samples, inputs, strict=False):
                if sample is not input:
                    sample.detach().copy_(input.detach())
        pair.there.replay()
        return tuple(output.detach() for output in pair.outputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        pair = ctx.pair
        asked = [g for g, out in zip(gradients, pair.outputs, strict=True) if out.requires_grad]
        for place, gradient in zip(pair.given, asked, strict=True):
            place.copy_(gradient)
        pair.back.replay()
        found = iter(pair.gradients)
        # Copies: a gradient that is kept must not change with the next replay.
        return None, *[
            None if not wanted or (gradient := next(found)) is None else gradient.detach().clone()
            for wanted in pair.wanted
        ]
