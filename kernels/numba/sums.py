"""Sums of a row, and what a norm writes of it: the parts that its kernels share. Knows rows only.

Sums go by blocks of BLOCK elements, each spread over vector lanes, so rounding grows with the block
and not with the row.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from tensorgrad.kernels.numba.math import difference
from tensorgrad.kernels.numba.runtime import serial

_instruction: Any = intrinsic

BLOCK = 1024
CHUNK = 16384  # elements a task


def chunks(length, size):
    """(rows of a task, tasks) for so many rows of `size` elements."""
    rows = max(1, CHUNK // size)
    return rows, -(-length // rows)


@_instruction
def _prefetch_line(typing_context, array, place):
    """Ask for the line of memory that holds an element, which need not exist."""

    def generate(context, builder, signature, arguments):
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        name = "llvm.prefetch.p0i8"
        function = cgutils.get_or_insert_function(builder.module, kind, name)
        address = builder.bitcast(builder.gep(data, [arguments[1]]), byte)
        builder.call(function, [address, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return types.void(array, types.intp), generate


@serial
def prefetch(row):
    """Of the row after this one."""
    for j in range(row.size, 2 * row.size, 64 // row.itemsize):
        _prefetch_line(row, j)


@serial
def sum_of(row):
    total = row.dtype.type(0)
    for start in range(0, row.size, BLOCK):
        block = row[start : start + BLOCK]
        part = row.dtype.type(0)
        for j in range(block.size):
            part += block[j]
        total += part
    return total


@serial
def sum_of_squares(row, mean):
    """Of what is left of a row without its mean."""
    total = row.dtype.type(0)
    for start in range(0, row.size, BLOCK):
        block = row[start : start + BLOCK]
        part = row.dtype.type(0)
        for j in range(block.size):
            rest = difference(block[j], mean)
            part += rest * rest
        total += part
    return total


@serial
def sum_of_products(g, row, mean):
    """Of a gradient with a row without its mean."""
    total = row.dtype.type(0)
    for start in range(0, row.size, BLOCK):
        block, factor = row[start : start + BLOCK], g[start : start + BLOCK]
        part = row.dtype.type(0)
        for j in range(block.size):
            part += factor[j] * difference(block[j], mean)
        total += part
    return total


@serial
def write(row, mean, gain, bias, out):
    for j in range(row.size):
        out[j] = difference(row[j], mean) * gain + bias


@serial
def write_vjp(g, row, mean, scale, weight, first, second, out):
    """first and second: what the mean and the variance take back of the weighted gradient."""
    for j in range(row.size):
        along = difference(row[j], mean) * scale * second
        out[j] = (g[j] * weight - first - along) * scale
