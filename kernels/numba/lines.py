"""Lines of numbers, written as LLVM vectors: copied, and summed with others. Knows addresses only.

Rows of images are short: of 7 to 30 numbers a loop that LLVM makes vectors of does most one by one,
after tests that take as long. Here what is left of a line is one vector behind a mask.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tensorgrad.kernels.numba.microkernel import ROWS, Emit

_instruction: Any = intrinsic
_INT32 = ir.IntType(32)
DOTS = 5  # dot products at a time of each of LINES lines: sums and addresses fit in registers
LINES = 4 if ROWS == 8 else 2


def _vectors(builder, emit, count):
    """For each vector of a line the place where it begins, and how many numbers are left there."""
    width = emit.number(emit.width)
    some = builder.sdiv(builder.add(count, emit.number(emit.width - 1)), width)
    return cgutils.for_range(builder, some), lambda index: builder.mul(index, width)


def _every_second(emit, halves):
    """The even places of two vectors."""
    lanes = ir.Constant(ir.VectorType(_INT32, emit.width), list(range(0, 2 * emit.width, 2)))
    return emit.builder.shuffle_vector(*halves, lanes)


def _apart(emit, vector):
    """A vector's numbers at the even places of two."""
    for first in 0, emit.width // 2:
        lanes = [first + lane // 2 for lane in range(emit.width)]
        lanes = ir.Constant(ir.VectorType(_INT32, emit.width), lanes)
        yield emit.builder.shuffle_vector(vector, vector, lanes)


def _even(emit, mask):
    kind = ir.VectorType(ir.IntType(1), emit.width)
    return emit.builder.and_(mask, ir.Constant(kind, [1 - lane % 2 for lane in range(emit.width)]))


@_instruction
def copy_line(typing_context, a, a_start, b, b_start, count):
    """b[b_start + j] = a[a_start + j] for j below `count`."""
    n = types.intp

    def generate(context, builder, signature, values):
        emit = Emit(context, builder, signature.args[0].dtype)
        a, a_start, b, b_start, count = values
        source = emit.at(emit.data(signature.args[0], a), a_start)
        target = emit.at(emit.data(signature.args[2], b), b_start)
        loop, place = _vectors(builder, emit, count)
        with loop as found:
            at = place(found.index)
            mask = emit.mask(builder.sub(count, at), 0)
            emit.masked_store(
                emit.masked_load(emit.at(source, at), mask), emit.at(target, at), mask
            )
        return context.get_dummy_value()

    return types.void(a, n, b, n, n), generate


@_instruction
def copy_every_second(typing_context, a, a_start, b, b_start, count):
    """b[b_start + j] = a[a_start + 2 j] for j below `count`."""
    n = types.intp

    def generate(context, builder, signature, values):
        emit = Emit(context, builder, signature.args[0].dtype)
        a, a_start, b, b_start, count = values
        source = emit.at(emit.data(signature.args[0], a), a_start)
        target = emit.at(emit.data(signature.args[2], b), b_start)
        loop, place = _vectors(builder, emit, count)
        with loop as found:
            at = place(found.index)
            left = builder.sub(count, at)
            # Behind the last number, which has an even place, there may be no memory.
            needed = builder.sub(builder.mul(left, emit.number(2)), emit.number(1))
            here = emit.at(source, builder.mul(at, emit.number(2)))
            halves = [
                emit.masked_load(emit.at(here, emit.number(first)), emit.mask(needed, first))
                for first in (0, emit.width)
            ]
            emit.masked_store(_every_second(emit, halves), emit.at(target, at), emit.mask(left, 0))
        return context.get_dummy_value()

    return types.void(a, n, b, n, n), generate


def _add_to_line(step):
    """The instruction that writes a line plus a number, `least` in place of what is below it,
    `step` places apart.
    """

    def instruction(typing_context, a, a_start, added, least, b, b_start, count):
        n = types.intp

        def generate(context, builder, signature, values):
            emit = Emit(context, builder, signature.args[0].dtype)
            a, a_start, added, least, b, b_start, count = values
            source = emit.at(emit.data(signature.args[0], a), a_start)
            target = emit.at(emit.data(signature.args[4], b), b_start)
            added, least = emit.broadcast(added), emit.broadcast(least)
            loop, place = _vectors(builder, emit, count)
            with loop as found:
                at = place(found.index)
                left = builder.sub(count, at)
                mask = emit.mask(left, 0)
                value = builder.fadd(emit.masked_load(emit.at(source, at), mask), added)
                below = builder.fcmp_ordered("<=", value, least)  # no nan is
                value = builder.select(below, least, value)
                if step == 1:
                    emit.masked_store(value, emit.at(target, at), mask)
                else:
                    here, wide = (builder.mul(x, emit.number(2)) for x in (at, left))
                    for half, part in enumerate(_apart(emit, value)):
                        first = half * emit.width
                        where = emit.at(target, here, emit.number(first))
                        emit.masked_store(part, where, _even(emit, emit.mask(wide, first)))
            return context.get_dummy_value()

        return types.void(a, n, a.dtype, a.dtype, b, n, n), generate

    return _instruction(instruction)


# b[b_start + j] = max(a[a_start + j] + added, least) for j below `count`; and at b[b_start + 2 j].
add_to_line, add_to_every_second = _add_to_line(1), _add_to_line(2)


def _sum_of(emit, vector):
    """The sum of a vector's numbers, by halves."""
    builder, size = emit.builder, emit.width
    while size > 1:
        size //= 2
        lanes = [(lane + size) % emit.width for lane in range(emit.width)]
        lanes = ir.Constant(ir.VectorType(_INT32, emit.width), lanes)
        vector = builder.fadd(vector, builder.shuffle_vector(vector, vector, lanes))
    return builder.extract_element(vector, _INT32(0))


def _sums_function(context, module, element, lines):
    """The function that `_dots` calls: (a, a_line, b, steps, terms, length, sums, sums_step).

    Within a kernel's own code the sums and addresses would not all stay in registers: 2.5 times as
    long.
    """
    scalar = context.get_value_type(element)
    number, numbers = ir.IntType(64), scalar.as_pointer()
    places = number.as_pointer()
    given = [numbers, number, numbers, places, number, number, numbers, number]
    kind = ir.FunctionType(ir.VoidType(), given)
    name = f"tensorgrad_dots_{lines}_{element}"
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, kind, name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    emit = Emit(context, builder, element)
    a, a_line, b, steps, terms, length, sums, sums_step = function.args
    at_lines = [emit.at(a, builder.mul(a_line, emit.number(i))) for i in range(lines)]
    last = builder.sub(terms, emit.number(1))
    chosen = []
    for k in range(DOTS):
        inside = builder.icmp_signed("<", emit.number(k), terms)
        chosen.append(builder.select(inside, emit.number(k), last))
    reads = [emit.at(b, builder.load(emit.at(steps, number))) for number in chosen]
    running = [cgutils.alloca_once(builder, emit.vector) for _ in range(lines * DOTS)]
    for place in running:
        builder.store(ir.Constant(emit.vector, None), place)
    with cgutils.for_range(builder, builder.sdiv(length, emit.number(emit.width))) as vector:
        at = builder.mul(vector.index, emit.number(emit.width))
        values = [emit.load(emit.at(line, at)) for line in at_lines]
        for k, read in enumerate(reads):
            gathered = emit.load(emit.at(read, at))
            for i, value in enumerate(values):
                place = running[i * DOTS + k]
                terms_of_sum = [value, gathered, builder.load(place)]
                found = emit.call(f"llvm.fma.{emit.suffix}", emit.vector, terms_of_sum)
                builder.store(found, place)
    totals = []
    for i in range(lines):
        for k, number in enumerate(chosen):
            where = emit.at(sums, emit.number(i), builder.mul(number, sums_step))
            total = _sum_of(emit, builder.load(running[i * DOTS + k]))
            totals.append((builder.fadd(builder.load(where), total), where))
    for total, where in totals:
        builder.store(total, where)
    builder.ret_void()
    return function


def _dots(lines):
    """The instruction for so many lines, `a_line` apart: sums[sums_start + line + k * sums_step] +=
    the sum over j below `length`, whole vectors, of a[a_start + line * a_line + j] times
    b[b_start + steps[step + k] + j], for k below DOTS; those from `terms` on are the last one's
    again.
    """

    def instruction(
        typing_context, a, a_start, a_line, b, b_start, steps, step, terms, length, sums,
        sums_start, sums_step,
    ):  # fmt: skip
        n = types.intp
        signature = types.void(a, n, n, b, n, steps, n, n, n, sums, n, n)

        def generate(context, builder, signature, values):
            kinds = signature.args
            emit = Emit(context, builder, kinds[0].dtype)
            a, a_start, a_line, b, b_start, steps, step, terms, length = values[:9]
            sums, sums_start, sums_step = values[9:]
            a, b = (
                emit.at(emit.data(kinds[0], a), a_start),
                emit.at(emit.data(kinds[3], b), b_start),
            )
            steps = emit.at(emit.data(kinds[5], steps), step)
            sums = emit.at(emit.data(kinds[9], sums), sums_start)
            function = _sums_function(context, builder.module, kinds[0].dtype, lines)
            builder.call(function, [a, a_line, b, steps, terms, length, sums, sums_step])
            return context.get_dummy_value()

        return signature, generate

    return _instruction(instruction)


dots_of_one, dots_of_lines = _dots(1), _dots(LINES)
