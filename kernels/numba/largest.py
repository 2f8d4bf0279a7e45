"""The largest element of each window of a plane, and where it is, as LLVM vectors. Knows addresses.

A vector of windows is written by hand: rows of windows are shorter than the loops that LLVM would
make vectors of (of 2 x 2, 12 windows a row: 4 times the speed, 4 a row: 2.3 times; of 3 x 3 with
stride 1, which it left one by one, 20 times). The first element stands until one is larger, the
last NaN to the end.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tensorgrad.kernels.numba.microkernel import Emit

_instruction: Any = intrinsic
_INT32 = ir.IntType(32)


def _spread(builder, number, width):
    """A number in every lane."""
    kind = ir.VectorType(number.type, width)
    undefined, zero = ir.Constant(kind, ir.Undefined), ir.IntType(32)(0)
    first = builder.insert_element(undefined, number, zero)
    zeros = ir.Constant(ir.VectorType(ir.IntType(32), width), [0] * width)
    return builder.shuffle_vector(first, undefined, zeros)


def _first_largest(side):
    """The instruction that does a vector of windows of `side` x `side`, a step of 2 apart, the
    first from place `start` of a plane on: `count` of them go to out and places from `at` on.
    """

    def instruction(typing_context, plane, start, row, out, places, at, count):
        n = types.intp
        signature = types.void(plane, n, n, out, places, n, n)

        def generate(context, builder, signature, values):
            emit = Emit(context, builder, signature.args[0].dtype)
            kinds, (plane, start, row, out, places, at, count) = signature.args, values
            source = emit.at(emit.data(kinds[0], plane), start)
            width, needed = emit.width, builder.mul(count, emit.number(2))
            halves = [range(first, 2 * width, 2) for first in (0, 1)]
            halves = [ir.Constant(ir.VectorType(_INT32, width), list(half)) for half in halves]
            best, step = None, None
            for down in range(side):
                line = builder.mul(row, emit.number(down))
                for beside in range(side):
                    if beside % 2 == 0:
                        place = emit.at(source, line, emit.number(beside))
                        inside = builder.sub(needed, emit.number(beside // 2))
                        pair = [
                            emit.masked_load(
                                emit.at(place, emit.number(first)), emit.mask(inside, first)
                            )
                            for first in (0, width)
                        ]
                    value = builder.shuffle_vector(*pair, halves[beside % 2])
                    far = builder.trunc(builder.add(line, emit.number(beside)), _INT32)
                    far = _spread(builder, far, width)
                    if best is None:
                        best, step = value, far
                        continue
                    larger = builder.or_(
                        builder.fcmp_ordered(">", value, best),
                        builder.fcmp_unordered("uno", value, value),
                    )
                    best = builder.select(larger, value, best)
                    step = builder.select(larger, far, step)
            there = emit.mask(count, 0)
            emit.masked_store(best, emit.at(emit.data(kinds[3], out), at), there)
            kind = ir.VectorType(ir.IntType(64), width)
            firsts = ir.Constant(kind, [2 * lane for lane in range(width)])
            found = builder.add(builder.zext(step, kind), firsts)
            found = builder.add(found, _spread(builder, start, width))
            target = emit.at(emit.data(kinds[4], places), at)
            target = builder.bitcast(target, kind.as_pointer())
            name = f"llvm.masked.store.v{width}i64.p0v{width}i64"
            emit.call(name, ir.VoidType(), (found, target, _INT32(8), there))
            return context.get_dummy_value()

        return signature, generate

    return _instruction(instruction)


two_by_two, three_by_three = _first_largest(2), _first_largest(3)


def _places_of(emit, first, step):
    """The numbers first, first + step, ... of a vector's lanes, in 32 bits."""
    builder = emit.builder
    kind = ir.VectorType(_INT32, emit.width)
    steps = _spread(builder, builder.trunc(step, _INT32), emit.width)
    lanes = builder.mul(steps, ir.Constant(kind, list(range(emit.width))))
    return builder.add(lanes, _spread(builder, builder.trunc(first, _INT32), emit.width))


def _store_places(emit, found, target, there):
    """The places of a vector's lanes in 64 bits, those where `there` holds."""
    builder, width = emit.builder, emit.width
    kind = ir.VectorType(ir.IntType(64), width)
    target = builder.bitcast(target, kind.as_pointer())
    name = f"llvm.masked.store.v{width}i64.p0v{width}i64"
    emit.call(name, ir.VoidType(), (builder.sext(found, kind), target, _INT32(8), there))


def _larger(builder, value, best):
    return builder.or_(
        builder.fcmp_ordered(">", value, best), builder.fcmp_unordered("uno", value, value)
    )


def _gathered(emit, source, columns, inside):
    """The numbers at `columns` where `inside` holds."""
    builder, width = emit.builder, emit.width
    wide = ir.VectorType(ir.IntType(64), width)
    start = _spread(builder, builder.ptrtoint(source, ir.IntType(64)), width)
    size = ir.Constant(wide, [emit.bytes] * width)
    places = builder.add(start, builder.mul(builder.sext(columns, wide), size))
    pointers = builder.inttoptr(places, ir.VectorType(emit.scalar.as_pointer(), width))
    name = f"llvm.masked.gather.{emit.suffix}.v{width}p0{emit.suffix.replace(f'v{width}', '')}"
    zero = ir.Constant(emit.vector, None)
    return emit.call(name, emit.vector, (pointers, emit.align, inside, zero))


def _windows(step):
    """The instruction for windows `step` apart, or `apart` if None: of the first the left edge is
    column `left` of a plane `width` wide, and `rows` rows, `down` apart, begin where `line` does;
    `count` of them go to out and places from `at` on. What lies beside the plane does not count.
    """

    def instruction(
        typing_context, plane, line, left, width, down, across, rows, wide, apart, out, places, at,
        count,
    ):  # fmt: skip
        n = types.intp
        signature = types.void(plane, n, n, n, n, n, n, n, n, out, places, n, n)

        def generate(context, builder, signature, values):
            emit = Emit(context, builder, signature.args[0].dtype)
            kinds, (plane, line, left, width, down, across, rows, wide) = signature.args, values[:8]
            apart, out, places, at, count = values[8:]
            apart = apart if step is None else emit.number(step)
            ints = ir.VectorType(_INT32, emit.width)
            lowest = ir.Constant(
                emit.vector, [ir.Constant(emit.scalar, float("-inf"))] * emit.width
            )
            none, zero = ir.Constant(ints, [-1] * emit.width), ir.Constant(ints, None)
            best_at = cgutils.alloca_once(builder, emit.vector)
            found_at = cgutils.alloca_once(builder, ints)
            builder.store(lowest, best_at)
            builder.store(none, found_at)
            limit = _spread(builder, builder.trunc(width, _INT32), emit.width)
            with cgutils.for_range(builder, rows) as row:
                start = builder.add(line, builder.mul(row.index, builder.mul(down, width)))
                source = emit.at(emit.data(kinds[0], plane), start)
                with cgutils.for_range(builder, wide) as element:
                    column = builder.add(left, builder.mul(element.index, across))
                    columns = _places_of(emit, column, apart)
                    inside = builder.and_(
                        builder.icmp_signed(">=", columns, zero),
                        builder.icmp_signed("<", columns, limit),
                    )
                    if step == 1:
                        value = emit.masked_load(emit.at(source, column), inside)
                    elif step == 2:
                        right, before = builder.sub(width, column), builder.neg(column)
                        halves = []
                        for first in 0, emit.width:
                            mask = builder.and_(
                                emit.mask(right, first), builder.not_(emit.mask(before, first))
                            )
                            place = emit.at(source, column, emit.number(first))
                            halves.append(emit.masked_load(place, mask))
                        even = ir.Constant(ints, list(range(0, 2 * emit.width, 2)))
                        value = builder.shuffle_vector(*halves, even)
                    else:
                        value = _gathered(emit, source, columns, inside)
                    far = builder.trunc(start, _INT32)
                    far = builder.add(columns, _spread(builder, far, emit.width))
                    best, found = builder.load(best_at), builder.load(found_at)
                    better = builder.or_(
                        _larger(builder, value, best), builder.icmp_signed("<", found, zero)
                    )
                    better = builder.and_(better, inside)
                    builder.store(builder.select(better, value, best), best_at)
                    builder.store(builder.select(better, far, found), found_at)
            there = emit.mask(count, 0)
            target = emit.at(emit.data(kinds[9], out), at)
            emit.masked_store(builder.load(best_at), target, there)
            target = emit.at(emit.data(kinds[10], places), at)
            _store_places(emit, builder.load(found_at), target, there)
            return context.get_dummy_value()

        return signature, generate

    return _instruction(instruction)


windows_beside, windows_two_apart, windows_apart = _windows(1), _windows(2), _windows(None)


@_instruction
def largest_of_line(typing_context, plane, start, count, best, where):
    """Each lane's largest so far, in `best`, and its place, in `where` (-1: none), over `count`
    more numbers of a plane.
    """
    n = types.intp
    signature = types.void(plane, n, n, best, where)

    def generate(context, builder, signature, values):
        kinds, (plane, start, count, best, where) = signature.args, values
        emit = Emit(context, builder, kinds[0].dtype)
        width, wide = emit.width, ir.VectorType(ir.IntType(64), emit.width)
        source = emit.at(emit.data(kinds[0], plane), start)
        best_at = emit.data(kinds[3], best)
        where_at = builder.bitcast(emit.data(kinds[4], where), wide.as_pointer())
        running = cgutils.alloca_once(builder, emit.vector)
        found_at = cgutils.alloca_once(builder, wide)
        builder.store(emit.load(best_at), running)
        given = builder.load(where_at)
        given.align = 8
        builder.store(given, found_at)
        lanes = ir.Constant(wide, list(range(width)))
        none = ir.Constant(wide, None)
        vectors = builder.sdiv(builder.add(count, emit.number(width - 1)), emit.number(width))
        with cgutils.for_range(builder, vectors) as vector:
            at = builder.mul(vector.index, emit.number(width))
            there = emit.mask(builder.sub(count, at), 0)
            value = emit.masked_load(emit.at(source, at), there)
            far = builder.add(lanes, _spread(builder, builder.add(start, at), width))
            best, found = builder.load(running), builder.load(found_at)
            better = builder.or_(
                _larger(builder, value, best), builder.icmp_signed("<", found, none)
            )
            better = builder.and_(better, there)
            builder.store(builder.select(better, value, best), running)
            builder.store(builder.select(better, far, found), found_at)
        emit.store(builder.load(running), best_at)
        builder.store(builder.load(found_at), where_at).align = 8
        return context.get_dummy_value()

    return signature, generate
