"""Blocks of memory in lists by size: taken for an array, put back when it dies.

- Sizes are eight to an octave: at most an eighth of a block lies idle.
- Blocks start at different places of a page: the processor takes a load for one that depends on a
  store where their last 12 bits agree (24 % on a product of 128k floats).
- A header before a block says that it is one: whose memory an array has is seen at its address, and
  what is believed of its size does not matter.
- Kept blocks take no more than a cap. And a new one is made only where all blocks then take no more
  than twice what those of living arrays took at most (or 64 MB): in training they take up to 1.6
  times that. Else the size that was asked for longest ago gives up its blocks first.

All is written with words at addresses, of a state that the caller holds and of the headers. Knows
C functions that give and take back memory, and nothing of arrays, Python or threads.
"""

from llvmlite import ir
from numba import njit, types
from numba.core import cgutils

from tensorgrad.kernels.numba.addresses import at, call, instruction, word

SMALLEST = 1 << 18  # bytes; below it NumPy's own handler is asked
LARGEST = 1 << 46

SLACK = 2  # all blocks take at most so many times what those of living arrays took at most,
ALWAYS = 1 << 26  # or these bytes

CLASSES = 8 * 29
_SMALLEST_SHIFT = 14  # the sizes of an octave are 9 to 16 times 2 ** shift
_PAGE = 4096
STEP, OFFSET = 256, 64  # a block starts 64 bytes after one of the 16 steps of a page

# Words of the state, whose address every function of the handler is called with.
CONTEXT, MALLOC, CALLOC, REALLOC, FREE = range(5)  # NumPy's own handler
CAP, ALLOCATED, ALLOCATED_PEAK, CACHED, CACHED_PEAK, RESERVED_PEAK = range(5, 11)  # bytes
HITS, MISSES, CLOCK = range(11, 14)  # blocks given from the lists, blocks made, their sum
LISTS = 16  # the first kept block of each class
ASKED = LISTS + CLASSES  # what the clock showed when the class was last asked for
WORDS = ASKED + CLASSES

# Words of a header, before the block.
_MARK, _RAW, CLASS, _NEXT = -1, -2, -3, -4
_KEY = 0x6E7AC0DE5EED51AB  # a block's mark: this, exclusive or its address


# ------------------------------------------------------------------------------ words and addresses
_BYTES = ir.IntType(8).as_pointer()


@instruction
def put(typing_context, address, index, value):
    def generate(context, builder, signature, arguments):
        builder.store(arguments[2], at(builder, *arguments[:2]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


@instruction
def clear(typing_context, address, size):
    def generate(context, builder, signature, arguments):
        cgutils.memset(builder, builder.inttoptr(arguments[0], _BYTES), arguments[1], 0)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), generate


@instruction
def copy(typing_context, target, source, size):
    def generate(context, builder, signature, arguments):
        to, start = (builder.inttoptr(address, _BYTES) for address in arguments[:2])
        cgutils.raw_memcpy(builder, to, start, arguments[2], 1)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), generate


# ------------------------------------------------------------------------------------------- blocks
_part = njit(error_model="numpy")


@_part
def _add(state, place, value):
    put(state, place, word(state, place) + value)


@_part
def _raise_to(state, place, value):
    if word(state, place) < value:
        put(state, place, value)


@_part
def class_of(size):
    """The number of the smallest class that has room for `size` bytes."""
    shift = _SMALLEST_SHIFT
    while (size - 1) >> shift >= 16:
        shift += 1
    return 8 * (shift - _SMALLEST_SHIFT) + max((size - 1) >> shift, 8) - 8


@_part
def room(number):
    """Bytes of a block of this class."""
    return (9 + (number & 7)) << (_SMALLEST_SHIFT + (number >> 3))


@_part
def is_block(address):
    return address & (STEP - 1) == OFFSET and word(address, _MARK) == address ^ _KEY


@_part
def served(size):
    return SMALLEST <= size <= LARGEST


@_part
def _make(state, number, zeros):
    """A new block, or 0 if the system has no memory left."""
    size = room(number) + 2 * _PAGE
    if zeros:
        raw = call(word(state, CALLOC), (word(state, CONTEXT), 1, size))
    else:
        raw = call(word(state, MALLOC), (word(state, CONTEXT), size))
    if raw == 0:
        return 0
    place = 5 * word(state, MISSES) % (_PAGE // STEP)  # the next block is a third of a page on
    block = ((raw + _PAGE - 1) & -_PAGE) + place * STEP + OFFSET
    put(block, _MARK, block ^ _KEY)
    put(block, _RAW, raw)
    put(block, CLASS, number)
    return block


@_part
def _unmake(state, block):
    """Give a block back to the system."""
    size = room(word(block, CLASS)) + 2 * _PAGE
    put(block, _MARK, 0)
    call(word(state, FREE), (word(state, CONTEXT), word(block, _RAW), size))


@_part
def _pop(state, number):
    """The first kept block of a class, which has one."""
    block = word(state, LISTS + number)
    put(state, LISTS + number, word(block, _NEXT))
    _add(state, CACHED, -room(number))
    return block


@_part
def drop_all(state):
    for number in range(CLASSES):
        while word(state, LISTS + number) != 0:
            _unmake(state, _pop(state, number))


@_part
def _oldest(state):
    """Of the classes with kept blocks the one that was asked for longest ago; -1 if none has."""
    oldest = -1
    for number in range(CLASSES):
        if word(state, LISTS + number) != 0 and (
            oldest < 0 or word(state, ASKED + number) < word(state, ASKED + oldest)
        ):
            oldest = number
    return oldest


@_part
def _make_way(state, needed):
    """Give up kept blocks, as arrays are about to take `needed` bytes and none of these serves."""
    most = max(SLACK * max(needed, word(state, ALLOCATED_PEAK)), ALWAYS)
    while needed + word(state, CACHED) > most:
        _unmake(state, _pop(state, _oldest(state)))


@_part
def take(state, size, zeros):
    """A block for an array, or 0 if there is no memory left."""
    number = class_of(size)
    _add(state, CLOCK, 1)
    put(state, ASKED + number, word(state, CLOCK))
    if word(state, LISTS + number) != 0:
        _add(state, HITS, 1)
        block = _pop(state, number)
        if zeros:
            clear(block, size)
    else:
        _add(state, MISSES, 1)
        _make_way(state, word(state, ALLOCATED) + room(number))
        block = _make(state, number, zeros)
        if block == 0:
            drop_all(state)
            block = _make(state, number, zeros)
            if block == 0:
                return 0
    _add(state, ALLOCATED, room(number))
    _raise_to(state, ALLOCATED_PEAK, word(state, ALLOCATED))
    _raise_to(state, RESERVED_PEAK, word(state, ALLOCATED) + word(state, CACHED))
    return block


@_part
def put_back(state, block):
    """Keep the block of an array that died."""
    number = word(block, CLASS)
    size = room(number)
    _add(state, ALLOCATED, -size)
    while word(state, CACHED) + size > word(state, CAP):
        oldest = _oldest(state)
        if (
            size > word(state, CAP)
            or oldest < 0
            or word(state, ASKED + oldest) >= word(state, ASKED + number)
        ):
            _unmake(state, block)
            return
        _unmake(state, _pop(state, oldest))
    put(block, _NEXT, word(state, LISTS + number))
    put(state, LISTS + number, block)
    _add(state, CACHED, size)
    _raise_to(state, CACHED_PEAK, word(state, CACHED))
