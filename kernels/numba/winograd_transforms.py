"""The transforms of Winograd's filtering, as instructions on vectors in registers.

F(m x m, r x r) makes m x m outputs of a window of r x r from n x n inputs, n = m + r - 1, with n *
n products. In one dimension, with ' for a transpose and * place by place,

    output = A' [(G window) * (B' input)]
    d window = G' [(A d output) * (B' input)]

(Lavin and Gray, 2015, https://arxiv.org/abs/1509.09308). In two each transform is applied to the
columns of a tile, then to its rows. A and G take values of a polynomial at n - 1 points, and its
highest coefficient; B belongs to the points alone. With n = 6 the points are 0, a, -a, b, -b: a b =
1 saves products, and of those tried these give the smallest error by far (0, 1, -1, 2, -2: 2.3
times theirs). With n = 5 they do without 0, which halves the error of 0, 1, -1, 2. Knows one tile,
and not what its lanes are.
"""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from tensorgrad.kernels.numba.microkernel import Emit

_instruction: Any = intrinsic


class Points:
    """The points a, -a, b, -b, and 0 if `zero`, and the transforms they make."""

    def __init__(self, a, b, zero):
        self.a, self.b, self.zero = a, b, zero
        self.a2, self.b2 = a * a, b * b
        power = 2 if zero else 1
        self.scales = (
            1 / (2 * a**power * (self.a2 - self.b2)),
            1 / (2 * b**power * (self.b2 - self.a2)),
        )

    def of_input(self, d):
        """B' d: each point's value of what vanishes at all others."""
        a, b, a2, b2 = self.a, self.b, self.a2, self.b2
        if self.zero:
            near, far = d[4] - b2 * d[2], d[4] - a2 * d[2]
            odd_near, odd_far = a * (d[3] - b2 * d[1]), b * (d[3] - a2 * d[1])
            first = [d[0] - (a2 + b2) * d[2] + d[4]]
            last = d[1] - (a2 + b2) * d[3] + d[5]
        else:
            near, far = a * (d[2] - b2 * d[0]), b * (d[2] - a2 * d[0])
            odd_near, odd_far = d[3] - b2 * d[1], d[3] - a2 * d[1]
            first = []
            last = (a2 * b2) * d[0] - (a2 + b2) * d[2] + d[4]
        return *first, near + odd_near, near - odd_near, far + odd_far, far - odd_far, last

    def values(self, of, scales=(1, 1)):
        """A and G: the polynomial of coefficients `of` at the points, and its last coefficient."""
        found = [of[0]] if self.zero else []
        for point, scale in zip((self.a, self.b), scales, strict=True):
            even, odd = _polynomial(of[0::2], point * point), _polynomial(of[1::2], point * point)
            even, odd = scale * even, (scale * point) * odd
            found += [even + odd, even - odd]
        return *found, of[-1]

    def coefficients(self, of, count, scales=(1, 1)):
        """A' and G': the transpose of `values`, to `count` coefficients."""
        first = int(self.zero)
        sums = scales[0] * (of[first] + of[first + 1]), scales[1] * (of[first + 2] + of[first + 3])
        odds = scales[0] * (of[first] - of[first + 1]), scales[1] * (of[first + 2] - of[first + 3])
        found = []
        for power in range(count):
            near, far = odds if power % 2 else sums
            found.append(self.a**power * near + self.b**power * far)
        if self.zero:
            found[0] = of[0] + found[0]
        return *found[:-1], found[-1] + of[-1]


def _polynomial(coefficients, x):
    total = coefficients[-1]
    for coefficient in coefficients[-2::-1]:
        total = coefficient + x * total
    return total


class Form:
    """F(outputs x outputs, window x window) on some points."""

    def __init__(self, outputs, window, points):
        self.outputs, self.window, self.points = outputs, window, points
        self.size = outputs + window - 1

    def of_input(self, inputs):
        return self.points.of_input(inputs)

    def of_window(self, window):
        return self.points.values(window, self.points.scales)

    def of_output(self, products):
        return self.points.coefficients(products, self.outputs)

    def of_gradient(self, gradient):
        return self.points.values(gradient)

    def of_window_gradient(self, products):
        return self.points.coefficients(products, self.window, self.points.scales)


FIVE, SIX = Points(0.5, 1.2, False), Points(2 / 3, 3 / 2, True)
FORMS = {form.window: form for form in (Form(4, 2, FIVE), Form(4, 3, SIX), Form(2, 5, SIX))}


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
    """The instruction b = transform applied both ways to a square of vectors of a, in the form
    whose window has `window` elements a side; size(form) vectors a side has the square.

    a's vectors lie `a_row` apart down and `a_column` across, b's likewise.
    """

    def instruction(
        typing_context, window, a, a_start, a_row, a_column, b, b_start, b_row, b_column
    ):
        n = types.intp
        signature = types.void(n, a, n, n, n, b, n, n, n)

        def generate(context, builder, signature, values):
            emit = Emit(context, builder, signature.args[1].dtype)
            window, a, a_start, a_row, a_column, b, b_start, b_row, b_column = values
            source = emit.at(emit.data(signature.args[1], a), a_start)
            target = emit.at(emit.data(signature.args[5], b), b_start)

            def place(row, i, column, j):
                down = builder.mul(row, emit.number(i))
                return builder.add(down, builder.mul(column, emit.number(j)))

            end = builder.append_basic_block("end")
            choice = builder.switch(window, end)
            for form in FORMS.values():
                block = builder.append_basic_block("form")
                choice.add_case(emit.number(form.window), block)
                builder.position_at_end(block)
                lines = []
                for j in range(size(form)):
                    line = [
                        emit.at(source, place(a_row, i, a_column, j)) for i in range(size(form))
                    ]
                    lines.append(transform(form, [_Vector(emit, emit.load(at)) for at in line]))
                for i in range(len(lines[0])):
                    for j, value in enumerate(transform(form, [line[i] for line in lines])):
                        emit.store(value.value, emit.at(target, place(b_row, i, b_column, j)))
                builder.branch(end)
            builder.position_at_end(end)
            return context.get_dummy_value()

        return signature, generate

    instruction.__doc__ = doc
    return _instruction(instruction)


transform_input = _transformation(
    Form.of_input, lambda form: form.size, "A tile of inputs, n x n vectors, to n x n."
)
transform_window = _transformation(
    Form.of_window, lambda form: form.window, "A window, r x r vectors, to n x n."
)
transform_output = _transformation(
    Form.of_output, lambda form: form.size, "n x n vectors of products to m x m of outputs."
)
transform_gradient = _transformation(
    Form.of_gradient, lambda form: form.outputs, "m x m vectors of gradients to n x n."
)
transform_window_gradient = _transformation(
    Form.of_window_gradient, lambda form: form.size, "n x n vectors of products to a window."
)
