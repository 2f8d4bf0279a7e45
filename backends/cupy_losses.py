"""Linear maps and losses of classes on the CuPy backend: few launches where the compositions have
many, and no wait for the GPU.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from tensorgrad.backends.array_backend import Array, ArrayBackend
from tensorgrad.kernels.cuda import faults, losses, softmax


class CupyLosses(ArrayBackend):
    """Part of CupyBackend."""

    @cached_property
    def faults(self) -> faults.Faults:
        return faults.Faults()

    def class_report(self, op: str, shape: tuple[int, ...]) -> Any:
        """For classes that are not there, of scores of this shape."""
        classes = shape[1] if len(shape) > 1 else 0
        return self.faults.report(
            faults.Outside(op, "targets", 0, classes, "Target is out of bounds")
        )

    # ---- linear maps: products of cuBLAS

    def linear(self, input: Array, weight: Array, bias: Array | None) -> Any:
        """One product of all rows, the bias added where it lies."""
        if input.ndim < 2 or weight.ndim != 2 or not self._multiplies(input, weight):
            return NotImplemented
        if bias is not None and (bias.dtype != weight.dtype or bias.shape != weight.shape[:1]):
            return NotImplemented
        if input.shape[-1] != weight.shape[1]:
            return NotImplemented
        out = self.matmul(input.reshape(-1, input.shape[-1]), weight.transpose(1, 0))
        if bias is not None:
            out += bias
        return out.reshape(*input.shape[:-1], len(weight))

    def linear_vjp(
        self,
        g: Array,
        input: Array,
        weight: Array,
        bias: Array | None,
        needs: tuple[bool, ...],
    ) -> Any:
        """The three rules without the ops around them."""
        if input.ndim < 2 or not (g.size and input.size) or not self._multiplies(g, input, weight):
            return NotImplemented
        if bias is not None and bias.ndim != 1:
            return NotImplemented
        outputs, inputs = g.reshape(-1, g.shape[-1]), input.reshape(-1, input.shape[-1])
        return (
            self.matmul(outputs, weight).reshape(input.shape) if needs[0] else None,
            self.matmul(outputs.transpose(1, 0), inputs) if needs[1] else None,
            self.sum(outputs, 0, False) if needs[2] else None,
        )

    def _multiplies(self, *arrays: Array) -> bool:
        """Whether cuBLAS takes these as they are."""
        kinds = {array.dtype.char for array in arrays}
        return kinds in ({"f"}, {"d"}, {"e"})

    # ---- losses of classes

    def softmax_cross_entropy(
        self, input: Array, target: Array, ignore_index: int, label_smoothing: float = 0.0
    ) -> Any:
        report = self.class_report("cross_entropy", input.shape)
        return softmax.cross_entropy(input, target, ignore_index, label_smoothing, report)

    def softmax_cross_entropy_vjp(
        self,
        g: Array,
        input: Array,
        target: Array,
        ignore_index: int,
        label_smoothing: float,
        aux: Array,
    ) -> Any:
        found = softmax.cross_entropy_vjp(g, input, target, ignore_index, label_smoothing, aux)
        return found if found is NotImplemented else (found, None)

    def picked(self, input: Array, target: Array, ignore_index: int) -> Any:
        report = self.class_report("nll_loss", input.shape)
        return losses.picked(input, target, ignore_index, report)

    def picked_vjp(
        self, g: Array, input_shape: tuple[int, ...], target: Array, ignore_index: int
    ) -> Any:
        found = losses.picked_vjp(g, input_shape, target, ignore_index)
        return found if found is NotImplemented else (found, None)

    def counted_mean(self, input: Array, target: Array, ignore_index: int) -> Any:
        return losses.counted_mean(input, target, ignore_index)

    def counted_mean_vjp(self, g: Array, input_shape: tuple[int, ...], aux: Array) -> Any:
        found = losses.counted_mean_vjp(g, input_shape, aux)
        return found if found is NotImplemented else (found, None)
