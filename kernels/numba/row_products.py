"""Products of a few rows that lie anywhere in tables, written as LLVM vectors. Knows addresses in
arrays, as `microkernel` does, whose tiles cost more than they save where a side has one row to ten.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tensorgrad.kernels.numba.microkernel import Emit

_instruction: Any = intrinsic

TOGETHER = 8  # sums of products that are in registers at a time


@_instruction
def fetch(typing_context, array, place):
    """Ask for the cache line with an element, and do not wait."""

    def generate(context, builder, signature, arguments):
        emit = Emit(context, builder, signature.args[0].dtype)
        pointer = emit.at(emit.data(signature.args[0], arguments[0]), arguments[1])
        pointer = builder.bitcast(pointer, ir.IntType(8).as_pointer())
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        function = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        builder.call(function, [pointer, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


def _sums(emit, vectors):
    """The sum of each vector, in order, in as few vectors as hold them: two vectors become one of
    the sums of neighbours, a third of the instructions of summing each alone.
    """

    def halved(x, y, lanes):
        kind = ir.VectorType(ir.IntType(32), lanes)
        even, odd = (
            emit.builder.shuffle_vector(x, y, ir.Constant(kind, list(range(first, 2 * lanes, 2))))
            for first in (0, 1)
        )
        return emit.builder.fadd(even, odd)

    spread = emit.width  # lanes that hold parts of one sum
    while spread > 1 and len(vectors) > 1:
        pairs = zip(vectors[::2], vectors[1::2], strict=True)
        vectors = [halved(*pair, emit.width) for pair in pairs]
        spread //= 2
    return vectors if spread == 1 else [halved(vectors[0], vectors[0], TOGETHER)]


@_instruction
def dots(typing_context, a, a_start, b, b_starts, first, last, size, out, place):
    """out[place + j] = sum of a[a_start + d] * b[b_starts[first + j] + d] for d below `size`, a
    multiple of a vector's lanes. j runs to TOGETHER; past `last` it repeats it.
    """
    n = types.intp
    signature = types.void(a, n, b, b_starts, n, n, n, out, n)

    def generate(context, builder, signature, values):
        emit = Emit(context, builder, signature.args[0].dtype)
        a, a_start, b, b_starts, first, last, size, out, place = values
        kinds = signature.args
        source = emit.at(emit.data(kinds[0], a), a_start)
        table, starts = emit.data(kinds[2], b), emit.data(kinds[3], b_starts)
        rows = []
        for j in range(TOGETHER):
            at = builder.add(first, emit.number(j))
            at = builder.select(builder.icmp_signed("<", at, last), at, last)
            rows.append(emit.at(table, builder.load(emit.at(starts, at))))
        entry = builder.block
        loop, done = builder.append_basic_block("products"), builder.append_basic_block("sums")
        builder.branch(loop)
        builder.position_at_end(loop)
        d = builder.phi(ir.IntType(64))
        d.add_incoming(emit.number(0), entry)
        sums = []
        for _ in rows:
            phi = builder.phi(emit.vector)
            phi.add_incoming(ir.Constant(emit.vector, None), entry)
            sums.append(phi)
        vector = emit.load(emit.at(source, d))
        grown = []
        for row, before in zip(rows, sums, strict=True):
            terms = [vector, emit.load(emit.at(row, d)), before]
            grown.append(emit.call(f"llvm.fma.{emit.suffix}", emit.vector, terms))
        following = builder.add(d, emit.number(emit.width))
        d.add_incoming(following, loop)
        for phi, value in zip(sums, grown, strict=True):
            phi.add_incoming(value, loop)
        builder.cbranch(builder.icmp_signed("<", following, size), loop, done)
        builder.position_at_end(done)
        target = emit.at(emit.data(kinds[7], out), place)
        sums = _sums(emit, grown)
        for j, total in enumerate(sums):
            to = emit.at(target, emit.number(j * TOGETHER // len(sums)))
            builder.store(total, builder.bitcast(to, total.type.as_pointer())).align = emit.bytes
        return context.get_dummy_value()

    return signature, generate


@_instruction
def steps(typing_context, g, g_start, labels, start, rate):
    """g = (label - g) * rate, TOGETHER numbers of each: g's from g_start on."""
    n = types.intp
    signature = types.void(g, n, labels, n, rate)

    def generate(context, builder, signature, values):
        emit = Emit(context, builder, signature.args[0].dtype)
        g, g_start, labels, start, rate = values
        kind = ir.VectorType(emit.scalar, TOGETHER)

        def at(position, array, place):
            pointer = emit.at(emit.data(signature.args[position], array), place)
            return builder.bitcast(pointer, kind.as_pointer())

        target = at(0, g, g_start)
        found = []
        for pointer in (target, at(2, labels, start)):
            found.append(builder.load(pointer))
            found[-1].align = emit.bytes
        first = builder.insert_element(ir.Constant(kind, ir.Undefined), rate, ir.IntType(32)(0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), TOGETHER), [0] * TOGETHER)
        spread = builder.shuffle_vector(first, first, zeros)
        given, label = found
        step = builder.fmul(builder.fsub(label, given), spread)
        builder.store(step, target).align = emit.bytes
        return context.get_dummy_value()

    return signature, generate


@_instruction
def mix(
    typing_context, g, g_start, g_step, b, b_starts, terms, first, first_start, out, out_start, size
):  # fmt: skip
    """out[out_start + d] = first[first_start + d] + sum over k below `terms` of
    g[g_start + k * g_step] * b[b_starts[k] + d], for d below `size`, a multiple of the lanes.
    """
    n = types.intp
    signature = types.void(g, n, n, b, b_starts, n, first, n, out, n, n)

    def generate(context, builder, signature, values):
        kinds = signature.args
        emit = Emit(context, builder, kinds[0].dtype)
        g, g_start, g_step, b, b_starts, terms, first, first_start, out, out_start, size = values
        factors = emit.at(emit.data(kinds[0], g), g_start)
        table, starts = emit.data(kinds[3], b), emit.data(kinds[4], b_starts)
        before = emit.at(emit.data(kinds[6], first), first_start)
        after = emit.at(emit.data(kinds[8], out), out_start)
        word = ir.IntType(64)

        def columns_of(vectors, d):
            """So many vectors from `d` on, whose sums stay in registers."""
            entry, inner = builder.block, builder.append_basic_block("terms")
            places = [builder.add(d, emit.number(j * emit.width)) for j in range(vectors)]
            sums = [emit.load(emit.at(before, place)) for place in places]
            builder.branch(inner)
            builder.position_at_end(inner)
            k = builder.phi(word)
            k.add_incoming(emit.number(0), entry)
            running = [builder.phi(emit.vector) for _ in sums]
            for phi, value in zip(running, sums, strict=True):
                phi.add_incoming(value, entry)
            factor = emit.broadcast(builder.load(emit.at(factors, builder.mul(k, g_step))))
            row = emit.at(table, builder.load(emit.at(starts, k)))
            grown = []
            for place, phi in zip(places, running, strict=True):
                product = [factor, emit.load(emit.at(row, place)), phi]
                grown.append(emit.call(f"llvm.fma.{emit.suffix}", emit.vector, product))
            next_k = builder.add(k, emit.number(1))
            k.add_incoming(next_k, inner)
            for phi, value in zip(running, grown, strict=True):
                phi.add_incoming(value, inner)
            done = builder.append_basic_block("store")
            builder.cbranch(builder.icmp_signed("<", next_k, terms), inner, done)
            builder.position_at_end(done)
            for place, value in zip(places, grown, strict=True):
                emit.store(value, emit.at(after, place))

        entry = builder.block
        head, body, rest, done = (
            builder.append_basic_block(name) for name in ("head", "body", "rest", "done")
        )
        builder.branch(head)
        builder.position_at_end(head)
        d = builder.phi(word)
        d.add_incoming(emit.number(0), entry)
        following = builder.add(d, emit.number(TOGETHER * emit.width))
        builder.cbranch(builder.icmp_signed("<=", following, size), body, rest)
        builder.position_at_end(body)
        columns_of(TOGETHER, d)
        d.add_incoming(following, builder.block)
        builder.branch(head)
        builder.position_at_end(rest)
        left = builder.switch(builder.sdiv(builder.sub(size, d), emit.number(emit.width)), done)
        for vectors in range(1, TOGETHER):
            block = builder.append_basic_block("end")
            left.add_case(emit.number(vectors), block)
            builder.position_at_end(block)
            columns_of(vectors, d)
            builder.branch(done)
        builder.position_at_end(done)
        return context.get_dummy_value()

    return signature, generate
