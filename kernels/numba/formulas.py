"""Elementwise formulas of a few arrays, summed up or not, and their gradients, compiled from text.

Memory traffic is what cannot be done without: each array is read once, and only what is returned is
written, of a sum nothing: of smooth L1 with its mean and gradient 5 arrays, composed of array
operations 35. Against that on two threads and 1M floats: smooth L1 12 times, the mean of squares
3.4, logistic losses 3.2 to 5; of 640 they are as fast, and others twice.

The text is `tensorgrad.formula`'s. No fast-math flag is set within an element, so that each is the
composition's to the last bit, but for exponentials and logarithms. Sums go by blocks of BLOCK
elements spread over vector lanes, in chunks that no number of threads changes.
"""

from typing import Any

import numpy as np

from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.generated import chunk_function
from tensorgrad.kernels.numba.many import CHUNK, layout_holds, run
from tensorgrad.kernels.numba.runtime import FAST, FLOATS
from tensorgrad.kernels.numba.sums import BLOCK
from tensorgrad.kernels.numba.traced import FUNCTIONS

EACH = """
    for i in range(start, stop):
        {targets} = element({operands})
"""
SUM = f"""
    total = 0.0
    for first in range(start, stop, {BLOCK}):
        part = real(0)
        for i in range(first, min(first + {BLOCK}, stop)):
            part += element({{operands}})
        total += part
    numbers[{{last}}] = total
"""


def _source(text, single, summed):
    """The function of one element, the loop over a chunk, and the C function that finds the arrays:
    those that the text names and then its results'. `single`: the names that stand for numbers.
    """
    count, names = len(text.numbers), text.names.split()
    many = [name for name in names if name not in single]
    constants = [f"c{k}" for k in range(count)]
    results = [] if summed else [f"y{k}" for k in range(text.many)]
    loop = (SUM if summed else EACH).format(
        targets=", ".join(f"{name}s[i]" for name in results),
        operands=", ".join([name if name in single else f"{name}s[i]" for name in names])
        + "".join(f", {name}" for name in constants),
        last=count + len(single),
    )
    pointers = [f"{name}s" for name in [*many, *results]]
    found = [f"pointer(word(row, {k}), real)" for k in range(len(pointers))]
    return "\n".join(
        [
            f"def element({', '.join([*names, *constants])}):",
            *[f"    {line}" for line in text.lines.splitlines()],
            f"    return {text.results}",
            f"def loop({', '.join(pointers)}, numbers, start, stop):",
            *[f"    {name} = real(numbers[{k}])" for k, name in enumerate([*constants, *single])],
            loop,
            "def chunk(row, numbers, start, stop):",
            f"    loop({', '.join(found)}, pointer(numbers, double), start, stop)",
            "    return 0",
        ]
    )


_compiled: dict[tuple[str, ...], Any] = {}  # the functions, by text and what it is run on


def _function(text, single, summed, dtype):
    """The address of the C function."""
    key = text.lines, text.results, single, summed, dtype.char
    found = _compiled.get(key)
    if found is None:
        code = _source(text, single.split(), summed)
        found = _compiled[key] = chunk_function(code, dtype.char, FAST, FUNCTIONS, __file__)
    return found[1]


def _run(text, arrays, given, summed, single=""):
    """The sum of the text's only result for all elements, or arrays of all its results.

    given: the numbers that the names in `single` stand for. NotImplemented unless all arrays are of
    one dtype and shape, and plain.
    """
    first = arrays[0]
    code = _function(text, single, summed, first.dtype)
    outs = [] if summed else [np.empty(first.shape, first.dtype) for _ in range(text.many)]
    numbers = np.array([[*text.numbers, *given, 0.0]])
    if summed and first.size > CHUNK:  # each chunk has a row, and room for its sum
        numbers = numbers.repeat(-(-first.size // CHUNK), 0)
    written = (1 << len(outs)) - 1 << len(arrays)
    if run(code, [[x] for x in (*arrays, *outs)], written, numbers) is NotImplemented:
        return NotImplemented
    if summed:
        return numbers[0, -1] if len(numbers) == 1 else numbers[:, -1].sum()
    return outs


def _anyhow(text, operands, summed):
    """The same of arrays in any layout that broadcast to the first one, and of numbers."""
    shape, dtype = operands[0].shape, operands[0].dtype
    if any(x.__class__ is not float and x.dtype is not dtype for x in operands):
        return NotImplemented
    arrays, single = [], {}
    for name, x in zip(text.names.split(), operands, strict=True):
        if x.__class__ is float:
            single[name] = x
        elif not any(x.strides):  # the same number everywhere
            single[name] = float(x[(0,) * x.ndim])
        else:
            arrays.append(x)
    try:
        arrays = [x if x.shape == shape else np.broadcast_to(x, shape) for x in arrays]
    except ValueError:  # the first does not have the shape of all
        return NotImplemented
    if not arrays:
        return NotImplemented
    # With its axes in the order of memory the first array is plain or is copied, and so are others.
    order = sorted(range(len(shape)), key=lambda axis: -abs(arrays[0].strides[axis]))
    arrays = [plain(x.transpose(order)) for x in arrays]
    found = _run(text, arrays, single.values(), summed, " ".join(single))
    return found if summed else [out.transpose(np.argsort(order)) for out in found]


def _of_all(text, operands, summed):
    first, last = operands[0], operands[-1]
    if first.dtype not in FLOATS or not first.size or not layout_holds():
        return NotImplemented
    numbers = last.__class__ is float
    if numbers:
        found = _run(text, operands[:-1], operands[-1:], summed, "g")
    else:
        found = _run(text, operands, (), summed)
    return _anyhow(text, operands, summed) if found is NotImplemented else found


def over_elements(operands, formula, reduction):
    """The formula of each element, or their sum or mean."""
    text = formula.value(len(operands))
    found = _of_all(text, operands, reduction != "none")
    if found is NotImplemented:
        return found
    if reduction == "none":
        return found[0]
    first = operands[0]
    return first.dtype.type(found / first.size if reduction == "mean" else found)


def over_elements_vjp(g, operands, formula, reduction, wanted):
    """The gradients of the wanted operands, None for the others."""
    first = operands[0]
    for want, x in zip(wanted, operands, strict=True):
        if want and x.shape != first.shape:
            return NotImplemented
    if reduction != "none":
        g = float(g) / first.size if reduction == "mean" else float(g)
    elif g.size and not any(g.strides):  # of a sum that follows
        g = float(g[(0,) * g.ndim])
    found = _of_all(formula.slopes(wanted), [*operands, g], False)
    if found is NotImplemented:
        return found
    remaining = iter(found)
    return tuple([next(remaining) if want else None for want in wanted])
