"""The inner loops of matrix products, written as LLVM vectors. Knows addresses in arrays and the
host's registers, but no matrix, no blocking and no threads.

`tile` multiplies a few rows by a few vectors of columns and keeps all sums in registers: for each
step of the sum it loads VECTORS vectors of one operand and broadcasts ROWS numbers of the other,
for ROWS * VECTORS fused multiply-adds. That is what a loop compiled from scalars does not become:
LLVM would keep the sums in memory. `transpose_square` turns a square of vectors in registers.

Where the numbers lie is left open, so one loop serves products, convolutions and recurrent layers:

    sum over k of  a[a_start + a_rows[a_row + r] + k * a_step]  *  b[b_start + b_at(k) + column]

with b_at(k) = k * COLUMNS for an operand packed into panels, or steps[step + k] for one that is
gathered where it lies.
"""

from typing import Any

import llvmlite.binding as llvm
import numba
import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_instruction: Any = intrinsic

_SETTING: str | None = numba.config.CPU_FEATURES  # type: ignore[attr-defined]
# What Numba compiles for: the host, or what its settings name instead.
_FEATURES = (
    llvm.get_host_cpu_features()
    if _SETTING is None
    else {feature[1:]: feature[0] == "+" for feature in _SETTING.split(",")}
)
_REGISTERS_32 = bool(_FEATURES.get("avx512f") or not _FEATURES.get("sse2"))
BYTES = 64 if _FEATURES.get("avx512f") else 32 if _FEATURES.get("avx2") else 16
ROWS = 8 if _REGISTERS_32 else 6  # sums take ROWS * VECTORS registers, of 32 or of 16
HEIGHTS = [2, 4, 5, 6, 8] if ROWS == 8 else [2, 4, 6]
VECTORS = 2
LINE = 4  # vectors of a row that stands alone: sums enough to hide the latency


def lanes(dtype):
    """Elements of one vector."""
    return BYTES // np.dtype(dtype).itemsize


def columns(dtype):
    """Columns of a tile, which is the width of a packed panel."""
    return VECTORS * lanes(dtype)


_INT32, _INT64, _BIT = ir.IntType(32), ir.IntType(64), ir.IntType(1)


class Emit:
    """What the generators share: addresses in arrays, vectors of the element type, masks."""

    def __init__(self, context, builder, element):
        self.context, self.builder = context, builder
        self.scalar = context.get_value_type(element)
        self.width = BYTES // (element.bitwidth // 8)
        self.vector = ir.VectorType(self.scalar, self.width)
        self.bytes = element.bitwidth // 8
        self.suffix = f"v{self.width}f{element.bitwidth}"
        # A vector's address is known to be aligned as its element is, and no better.
        self.align = ir.Constant(_INT32, self.bytes)

    def data(self, kind, value):
        return self.context.make_array(kind)(self.context, self.builder, value).data

    def at(self, pointer, *offsets):
        for offset in offsets:
            pointer = self.builder.gep(pointer, [offset])
        return pointer

    def number(self, value):
        return ir.Constant(_INT64, value)

    def call(self, name, kind, arguments):
        function = ir.FunctionType(kind, [argument.type for argument in arguments])
        module = self.builder.module
        return self.builder.call(cgutils.get_or_insert_function(module, function, name), arguments)

    def vector_at(self, pointer):
        return self.builder.bitcast(pointer, self.vector.as_pointer())

    def load(self, pointer):
        value = self.builder.load(self.vector_at(pointer))
        value.align = self.bytes
        return value

    def store(self, value, pointer):
        self.builder.store(value, self.vector_at(pointer)).align = self.bytes

    def broadcast(self, scalar):
        undefined = ir.Constant(self.vector, ir.Undefined)
        first = self.builder.insert_element(undefined, scalar, ir.Constant(_INT32, 0))
        zeros = ir.Constant(ir.VectorType(_INT32, self.width), [0] * self.width)
        return self.builder.shuffle_vector(first, undefined, zeros)

    def mask(self, count, first):
        """The lanes whose place, counted from `first`, is below `count`."""
        kind = ir.VectorType(_INT64, self.width)
        undefined = ir.Constant(kind, ir.Undefined)
        spread = self.builder.insert_element(undefined, count, ir.Constant(_INT32, 0))
        zeros = ir.Constant(ir.VectorType(_INT32, self.width), [0] * self.width)
        spread = self.builder.shuffle_vector(spread, undefined, zeros)
        places = ir.Constant(kind, [first + lane for lane in range(self.width)])
        return self.builder.icmp_signed("<", places, spread)

    def masked_load(self, pointer, mask):
        zero = ir.Constant(self.vector, None)
        arguments = self.vector_at(pointer), self.align, mask, zero
        return self.call(f"llvm.masked.load.{self.suffix}.p0{self.suffix}", self.vector, arguments)

    def masked_store(self, value, pointer, mask):
        arguments = value, self.vector_at(pointer), self.align, mask
        name = f"llvm.masked.store.{self.suffix}.p0{self.suffix}"
        self.call(name, ir.VoidType(), arguments)


def _tile(context, builder, kinds, values, height, across=VECTORS, gathered=False):
    emit = Emit(context, builder, kinds[0].dtype)
    a, a_start, a_rows, a_row, a_step, b, b_start, steps, step, terms = values[:10]
    first, first_start, first_by_row, c, c_start, c_rows, c_row, rows, count = values[10:]
    a, b = emit.data(kinds[0], a), emit.data(kinds[5], b)
    first, c = emit.data(kinds[10], first), emit.data(kinds[13], c)
    a_rows, c_rows = emit.data(kinds[2], a_rows), emit.data(kinds[15], c_rows)
    if gathered:
        steps = emit.at(emit.data(kinds[7], steps), step)

    # Rows past the end repeat the last one: they compute its values again and store them again.
    last = builder.sub(rows, emit.number(1))
    a_from, c_from = [], []
    for r in range(height):
        number = emit.number(r)
        row = builder.select(builder.icmp_signed("<", number, rows), number, last)
        offset = builder.load(emit.at(a_rows, a_row, row))
        a_from.append(emit.at(a, a_start, offset))
        c_from.append(builder.load(emit.at(c_rows, c_row, row)))

    entry = builder.block
    loop, done = builder.append_basic_block("terms"), builder.append_basic_block("store")
    builder.cbranch(builder.icmp_signed(">", terms, emit.number(0)), loop, done)

    builder.position_at_end(loop)
    k = builder.phi(_INT64)
    k.add_incoming(emit.number(0), entry)
    running, zero = [], ir.Constant(emit.vector, None)
    for _ in range(height * across):
        phi = builder.phi(emit.vector)
        phi.add_incoming(zero, entry)
        running.append(phi)
    if gathered:
        b_row = emit.at(b, b_start, builder.load(emit.at(steps, k)))
    else:
        b_row = emit.at(b, b_start, builder.mul(k, emit.number(VECTORS * emit.width)))
    a_at = builder.mul(k, a_step)
    vectors = [emit.load(emit.at(b_row, emit.number(j * emit.width))) for j in range(across)]
    grown = []
    for r in range(height):
        spread = emit.broadcast(builder.load(emit.at(a_from[r], a_at)))
        for j in range(across):
            terms_of_sum = [spread, vectors[j], running[r * across + j]]
            grown.append(emit.call(f"llvm.fma.{emit.suffix}", emit.vector, terms_of_sum))
    following = builder.add(k, emit.number(1))
    k.add_incoming(following, loop)
    for phi, value in zip(running, grown, strict=True):
        phi.add_incoming(value, loop)
    builder.cbranch(builder.icmp_signed("<", following, terms), loop, done)

    builder.position_at_end(done)
    totals = []
    for value in grown:
        total = builder.phi(emit.vector)
        total.add_incoming(zero, entry)
        total.add_incoming(value, loop)
        totals.append(total)
    masks = [emit.mask(count, j * emit.width) for j in range(across)]
    # All is read before anything is written: rows past the end must find what the last one found.
    sums = []
    for r in range(height):
        start = emit.at(first, first_start, builder.mul(first_by_row, c_from[r]))
        for j in range(across):
            before = emit.masked_load(emit.at(start, emit.number(j * emit.width)), masks[j])
            sums.append(builder.fadd(before, totals[r * across + j]))
    for r in range(height):
        pointer = emit.at(c, c_start, c_from[r])
        for j in range(across):
            place = emit.at(pointer, emit.number(j * emit.width))
            emit.masked_store(sums[r * across + j], place, masks[j])


_PLACES = (types.intp,) * 8


def _packed_tile(a, a_rows, b, first, c, c_rows, heights, narrows=False):
    """One call of the least height among `heights` that holds the rows; where `narrows` says so, of
    one vector if that holds the columns.
    """
    n = types.intp
    signature = types.void(a, n, a_rows, n, n, b, n, n, first, n, n, c, n, c_rows, n, n, n)

    def generate(context, builder, signature, values):
        kinds = list(signature.args)
        kinds[7:7], values = [None, None], [*values[:7], None, None, *values[7:]]
        (rows, count), end = values[-2:], builder.append_basic_block("end")

        def where(number, limit, height, across):
            """That form where a number is at most its limit, and the code goes on elsewhere."""
            fits, exceeds = (
                builder.append_basic_block("fits"),
                builder.append_basic_block("exceeds"),
            )
            limit = ir.Constant(_INT64, limit)
            builder.cbranch(builder.icmp_signed("<=", number, limit), fits, exceeds)
            builder.position_at_end(fits)
            _tile(context, builder, kinds, values, height, across)
            builder.branch(end)
            builder.position_at_end(exceeds)

        if narrows:
            where(count, BYTES // (kinds[0].dtype.bitwidth // 8), heights[-1], 1)
        for height in heights[:-1]:
            where(rows, height, height, VECTORS)
        _tile(context, builder, kinds, values, heights[-1])
        builder.branch(end)
        builder.position_at_end(end)
        return context.get_dummy_value()

    return signature, generate


@_instruction
def tile(
    typing_context,
    a, a_start, a_rows, a_row, a_step,
    b, b_start,
    terms,
    first, first_start, first_by_row,
    c, c_start, c_rows, c_row,
    rows, count,
):  # fmt: skip
    """c[row, column] = first[row, column] + sum of `terms` products, b packed into a panel.

    Row r of the tile lies in `a` from a_start + a_rows[a_row + r] on, its terms a_step apart, and
    in `c` from c_start + c_rows[c_row + r] on. `first` is c itself (first_by_row 1) or the same
    numbers for every row, as a bias is (0). It is added to the finished sum, so that a long sum cut
    into blocks rounds as a sum of sums. `rows` up to ROWS and `count` columns up to the tile's are
    stored; one vector's columns or fewer take half the time. All places count elements.
    """
    return _packed_tile(a, a_rows, b, first, c, c_rows, [ROWS], narrows=True)


@_instruction
def fitting_tile(
    typing_context,
    a, a_start, a_rows, a_row, a_step,
    b, b_start,
    terms,
    first, first_start, first_by_row,
    c, c_start, c_rows, c_row,
    rows, count,
):  # fmt: skip
    """`tile` of the least height among HEIGHTS that holds `rows`: none of it is idle."""
    return _packed_tile(a, a_rows, b, first, c, c_rows, HEIGHTS)


def _gathering_tile(a, a_rows, b, steps, first, c, c_rows, height, across):
    n = types.intp
    signature = types.void(
        a, n, a_rows, n, n, b, n, steps, n, n, first, n, n, c, n, c_rows, n, n, n
    )

    def generate(context, builder, signature, values):
        _tile(context, builder, signature.args, list(values), height, across, gathered=True)
        return context.get_dummy_value()

    return signature, generate


@_instruction
def gathering_tile(
    typing_context,
    a, a_start, a_rows, a_row, a_step,
    b, b_start, steps, step,
    terms,
    first, first_start, first_by_row,
    c, c_start, c_rows, c_row,
    rows, count,
):  # fmt: skip
    """`tile` with the vectors of b where they lie: term k from b_start + steps[step + k] on.

    The whole width of the tile is read, so b reaches that far past its last term.
    """
    return _gathering_tile(a, a_rows, b, steps, first, c, c_rows, ROWS, VECTORS)


@_instruction
def gathering_line(
    typing_context,
    a, a_start, a_rows, a_row, a_step,
    b, b_start, steps, step,
    terms,
    first, first_start, first_by_row,
    c, c_start, c_rows, c_row,
    rows, count,
):  # fmt: skip
    """`gathering_tile` of one row and LINE vectors."""
    return _gathering_tile(a, a_rows, b, steps, first, c, c_rows, 1, LINE)


def _turn(builder, rows):
    """The columns of a square of vectors, by perfect shuffles of the rows' halves, as many as the
    width has bits: each is one instruction.
    """
    width = len(rows)
    half = width // 2
    low = [lane // 2 + width * (lane % 2) for lane in range(width)]
    masks = [low, [lane + half for lane in low]]
    masks = [ir.Constant(ir.VectorType(_INT32, width), mask) for mask in masks]
    for _ in range(width.bit_length() - 1):
        pairs = zip(rows[:half], rows[half:], strict=True)
        rows = [builder.shuffle_vector(x, y, mask) for x, y in pairs for mask in masks]
    return rows


@_instruction
def transpose_square(typing_context, a, a_start, a_row, b, b_start, b_row):
    """b[column, row] = a[row, column] for a square of as many rows as a vector has elements."""
    n = types.intp
    signature = types.void(a, n, n, b, n, n)

    def generate(context, builder, signature, values):
        emit = Emit(context, builder, signature.args[0].dtype)
        a, a_start, a_row, b, b_start, b_row = values
        source = emit.at(emit.data(signature.args[0], a), a_start)
        target = emit.at(emit.data(signature.args[3], b), b_start)
        places = [emit.number(r) for r in range(emit.width)]
        rows = [emit.load(emit.at(source, builder.mul(a_row, r))) for r in places]
        for r, turned in zip(places, _turn(builder, rows), strict=True):
            emit.store(turned, emit.at(target, builder.mul(b_row, r)))
        return context.get_dummy_value()

    return signature, generate


@_instruction
def transpose_part(
    typing_context, a, a_start, a_row, a_rows, a_count, b, b_start, b_row, b_rows, b_count
):
    """`transpose_square` of what there is: a has a_rows rows of a_count numbers, the others count
    as 0, and of b so many rows and numbers are written.
    """
    n = types.intp
    signature = types.void(a, n, n, n, n, b, n, n, n, n)

    def generate(context, builder, signature, values):
        emit = Emit(context, builder, signature.args[0].dtype)
        a, a_start, a_row, a_rows, a_count, b, b_start, b_row, b_rows, b_count = values
        source = emit.at(emit.data(signature.args[0], a), a_start)
        target = emit.at(emit.data(signature.args[5], b), b_start)

        def lines(start, step, rows, count):
            for r in range(emit.width):
                number = emit.number(r)
                inside = builder.icmp_signed("<", number, rows)
                some = builder.select(inside, count, emit.number(0))
                yield emit.at(start, builder.mul(step, number)), emit.mask(some, 0)

        rows = [emit.masked_load(*line) for line in lines(source, a_row, a_rows, a_count)]
        places = lines(target, b_row, b_rows, b_count)
        for turned, (place, mask) in zip(_turn(builder, rows), places, strict=True):
            emit.masked_store(turned, place, mask)
        return context.get_dummy_value()

    return signature, generate


@_instruction
def copy_rows(typing_context, a, a_start, b, b_start):
    """b[b_start + r] = a[a_start + r] for ROWS numbers, at once."""
    signature = types.void(a, types.intp, b, types.intp)

    def generate(context, builder, signature, values):
        emit = Emit(context, builder, signature.args[0].dtype)
        a, a_start, b, b_start = values
        kind = ir.VectorType(emit.scalar, ROWS).as_pointer()
        source = emit.at(emit.data(signature.args[0], a), a_start)
        target = emit.at(emit.data(signature.args[2], b), b_start)
        rows = builder.load(builder.bitcast(source, kind))
        rows.align = emit.bytes
        builder.store(rows, builder.bitcast(target, kind)).align = emit.bytes
        return context.get_dummy_value()

    return signature, generate
