"""What compiled code does with addresses, which it gets as integers: it reads words there and calls
C functions, and is itself compiled to such. A word is 64 bits. Knows nothing of what lies there.
"""

from typing import Any

from llvmlite import ir
from numba import types
from numba.core.ccallback import CFunc
from numba.core.cgutils import unpack_tuple
from numba.extending import intrinsic

from tensorgrad.kernels.numba.cache import KernelCache

instruction: Any = intrinsic

WORD = ir.IntType(64)


def at(builder, address, place):
    """In code that is generated: where word number `place` at an address lies."""
    return builder.gep(builder.inttoptr(address, WORD.as_pointer()), [place])


@instruction
def word(typing_context, address, place):
    """Word number `place` of those at an address."""

    def generate(context, builder, signature, arguments):
        return builder.load(at(builder, *arguments))

    return types.int64(types.int64, types.int64), generate


@instruction
def pointer(typing_context, address, kind):
    """An address as a pointer to numbers of type `kind`."""
    result = types.CPointer(kind.dtype)

    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], context.get_value_type(result))

    return result(address, kind), generate


@instruction
def call(typing_context, code, words):
    """Call the C function at an address with a tuple of words; what it returns, as one.

    Of a function that returns nothing, or less than a word, the rest is of no meaning.
    """

    def generate(context, builder, signature, arguments):
        given = unpack_tuple(builder, arguments[1])
        kind = ir.FunctionType(WORD, [WORD] * len(given))
        return builder.call(builder.inttoptr(arguments[0], kind.as_pointer()), given)

    return types.int64(types.int64, types.UniTuple(types.int64, len(words))), generate


def c_function(count, **options):
    """Compile a function of so many words that returns one; its `address` is an attribute.

    It is kept on disk under its name and line.
    """

    def decorate(function):
        signature = (types.int64,) * count, types.int64
        flags = {"error_model": "numpy", **options}
        compiled: Any = CFunc(function, signature, locals={}, options=flags)
        compiled._cache = KernelCache(function)
        compiled.compile()
        return compiled

    return decorate
