"""The transforms of Winograd's filtering F(4 x 4, 3 x 3), as instructions on vectors in registers.

In one dimension, with ' for a transpose and * place by place,

    output = A' [(G window) * (B' input)]
    d window = G' [(A d output) * (B' input)]

(Lavin and Gray, 2015, https://arxiv.org/abs/1509.09308). In two each transform is applied to the
columns of a tile, then to its rows. Points 0, A, -A, B, -B and infinity: A B = 1 saves products,
and of the points tried these give the smallest error by far (0, 1, -1, 2, -2: 2.3 times theirs).
Knows one tile, and not what its lanes are.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tensorgrad.kernels.numba.microkernel import Emit

_instruction: Any = intrinsic

A, B = 2 / 3, 3 / 2
A2, B2 = A * A, B * B
BOTH = A2 + B2
OF_A, OF_B = 1 / (2 * A2 * (A2 - B2)), 1 / (2 * B2 * (B2 - A2))


def of_input(d):
    near, far = d[4] - B2 * d[2], d[4] - A2 * d[2]
    odd_near, odd_far = A * (d[3] - B2 * d[1]), B * (d[3] - A2 * d[1])
    first, last = d[0] - BOTH * d[2] + d[4], d[1] - BOTH * d[3] + d[5]
    return first, near + odd_near, near - odd_near, far + odd_far, far - odd_far, last


def of_window(w):
    near, far = OF_A * (w[0] + A2 * w[2]), OF_B * (w[0] + B2 * w[2])
    odd_near, odd_far = (OF_A * A) * w[1], (OF_B * B) * w[1]
    return w[0], near + odd_near, near - odd_near, far + odd_far, far - odd_far, w[2]


def of_output(m):
    near, far, odd_near, odd_far = m[1] + m[2], m[3] + m[4], m[1] - m[2], m[3] - m[4]
    return (
        m[0] + near + far,
        A * odd_near + B * odd_far,
        A2 * near + B2 * far,
        A2 * A * odd_near + B2 * B * odd_far + m[5],
    )


def of_output_gradient(g):
    near, far = g[0] + A2 * g[2], g[0] + B2 * g[2]
    odd_near, odd_far = A * (g[1] + A2 * g[3]), B * (g[1] + B2 * g[3])
    return g[0], near + odd_near, near - odd_near, far + odd_far, far - odd_far, g[3]


def of_window_gradient(m):
    near, far = OF_A * (m[1] + m[2]), OF_B * (m[3] + m[4])
    odd_near, odd_far = OF_A * (m[1] - m[2]), OF_B * (m[3] - m[4])
    return m[0] + near + far, A * odd_near + B * odd_far, A2 * near + B2 * far + m[5]


class _Vector:
    """A vector in a register, with the arithmetic that the transforms are written in."""

    def __init__(self, emit, value):
        self.emit, self.value = emit, value

    def _of(self, instruction, other):
        value = instruction(self.value, other, flags=("contract",))
        return _Vector(self.emit, value)

    def __add__(self, other):
        return self._of(self.emit.builder.fadd, other.value)

    def __sub__(self, other):
        return self._of(self.emit.builder.fsub, other.value)

    def __rmul__(self, number):
        constant = ir.Constant(self.emit.vector, [float(np.float32(number))] * self.emit.width)
        return self._of(self.emit.builder.fmul, constant)


def _transformation(transform, size, doc):
    """The instruction b = transform applied both ways to a square of `size` x `size` vectors of a.

    a's vectors lie `a_row` apart down and `a_column` across, b's likewise.
    """

    def instruction(typing_context, a, a_start, a_row, a_column, b, b_start, b_row, b_column):
        n = types.intp
        signature = types.void(a, n, n, n, b, n, n, n)

        def generate(context, builder, signature, values):
            emit = Emit(context, builder, signature.args[0].dtype)
            a, a_start, a_row, a_column, b, b_start, b_row, b_column = values
            source = emit.at(emit.data(signature.args[0], a), a_start)
            target = emit.at(emit.data(signature.args[4], b), b_start)

            def place(row, i, column, j):
                down = builder.mul(row, emit.number(i))
                return builder.add(down, builder.mul(column, emit.number(j)))

            lines = []
            for j in range(size):
                line = [emit.at(source, place(a_row, i, a_column, j)) for i in range(size)]
                lines.append(transform([_Vector(emit, emit.load(at)) for at in line]))
            for i in range(len(lines[0])):
                for j, value in enumerate(transform([line[i] for line in lines])):
                    emit.store(value.value, emit.at(target, place(b_row, i, b_column, j)))
            return context.get_dummy_value()

        return signature, generate

    instruction.__doc__ = doc
    return _instruction(instruction)


transform_input = _transformation(of_input, 6, "A tile of 6 x 6 inputs into 6 x 6.")
transform_window = _transformation(of_window, 3, "A window of 3 x 3 into 6 x 6.")
transform_output = _transformation(of_output, 6, "6 x 6 products into 4 x 4 outputs.")
transform_gradient = _transformation(of_output_gradient, 4, "4 x 4 gradients into 6 x 6.")
transform_window_gradient = _transformation(of_window_gradient, 6, "6 x 6 products into 3 x 3.")
