"""Elements picked and added at places that integers name. Knows arrays only.

An array is seen as (A, K, B), of which the places name one of K. They are `numbers` (n), the same
for every a and b, which move lines of B; or there is one for each element: (A, n, B).

Memory traffic for m elements picked or added: they and their places are read, and m are written, or
read and written. Sums go in the order of the places, as those of `np.add.at` do, on all threads
where A or B share them out. Of 1M floats `np.add.at` takes 30 times as long for rows of 64, 23 for
places of their own in rows of 1000 and 5 in columns; NumPy's picking takes 2, 9 and 2.5 times as
long. Along a single dimension NumPy is as fast.
"""

import math

import numpy as np

from tensorgrad.kernels.numba.copying import plain
from tensorgrad.kernels.numba.runtime import FLOATS, INT64
from tensorgrad.kernels.numba.sums import CHUNK, chunks
from tensorgrad.kernels.numba.tasks import Tasks

SERVED = (*FLOATS, INT64)
WIDTH = 64  # columns of a task: with a quarter of them, a page for each line costs twice the time


# ----------------------------------------------------------------------------- numbers for all rows
@Tasks
def _add(task, rows, values, numbers, out):
    for a in range(task * rows, min((task + 1) * rows, out.shape[0])):
        source, target = values[a], out[a]
        if target.shape[1] == 1:
            for i in range(numbers.size):
                target[numbers[i], 0] += source[i, 0]
        else:
            for i in range(numbers.size):
                line, place = source[i], target[numbers[i]]
                for b in range(line.size):
                    place[b] += line[b]


@Tasks
def _take(task, parts, size, x, numbers, out):
    """A task is one of `parts` of the numbers, for one a."""
    a, part = divmod(task, parts)
    source, target = x[a], out[a]
    for i in range(part * size, min((part + 1) * size, numbers.size)):
        line, place = source[numbers[i]], target[i]
        for b in range(line.size):
            place[b] = line[b]


# ----------------------------------------------------------------------- numbers of their own: rows
@Tasks
def _add_in_rows(task, rows, values, index, out):
    for a in range(task * rows, min((task + 1) * rows, out.shape[0])):
        source, places, target = values[a], index[a], out[a]
        for i in range(places.size):
            target[places[i]] += source[i]


@Tasks
def _take_in_rows(task, rows, x, index, out):
    for a in range(task * rows, min((task + 1) * rows, out.shape[0])):
        source, places, target = x[a], index[a], out[a]
        for i in range(places.size):
            target[i] = source[places[i]]


# -------------------------------------------------------------------- numbers of their own: columns
@Tasks
def _add_in_columns(task, blocks, values, index, out):
    """A task is one of `blocks` of WIDTH columns, for one a."""
    a, block = divmod(task, blocks)
    source, places, target = values[a], index[a], out[a]
    for i in range(places.shape[0]):
        for b in range(block * WIDTH, min((block + 1) * WIDTH, places.shape[1])):
            target[places[i, b], b] += source[i, b]


@Tasks
def _take_in_columns(task, blocks, x, index, out):
    a, block = divmod(task, blocks)
    source, places, target = x[a], index[a], out[a]
    for i in range(places.shape[0]):
        for b in range(block * WIDTH, min((block + 1) * WIDTH, places.shape[1])):
            target[i, b] = source[places[i, b], b]


# ----------------------------------------------------------------------------------- the two bounds
@Tasks
def _extremes(task, index, found):
    part = index[task * CHUNK : (task + 1) * CHUNK]
    low = high = part[0]
    for i in range(part.size):
        low, high = min(low, part[i]), max(high, part[i])
    found[task, 0], found[task, 1] = low, high


def _bounds(index):
    """The smallest and the largest of some integers."""
    flat = plain(index).reshape(-1)
    found = np.empty((-(-flat.size // CHUNK), 2), np.int64)
    _extremes(len(found), flat, found)
    return int(found[:, 0].min()), int(found[:, 1].max())


def _are_inside(index, size):
    """Whether all lie in [0, size)."""
    if index.size <= CHUNK:  # as unsigned numbers the negative ones are the largest
        return int(index.view(np.uint64).max()) < size
    low, high = _bounds(index)
    return low >= 0 and high < size


# -------------------------------------------------------------------------------- an index of NumPy
def _places(shape, index):
    """(first, last, numbers) of an index whose arrays lie side by side among full slices: they name
    places in the dimensions from `first` to before `last`, flattened. None for any other one, and
    for one that NumPy refuses.
    """
    found = _sides(shape, index)
    if found is None:
        return None
    numbers = None
    for part, size in zip(index[slice(*found)], shape[slice(*found)], strict=True):
        if part.dtype is not INT64 or not part.size:
            return None
        if not _are_inside(part, size):
            part = np.where(part < 0, part + size, part)
            if not _are_inside(part, size):
                return None
        numbers = part if numbers is None else numbers * size + part
    return *found, numbers


def _sides(shape, index):
    """Where the arrays of such an index begin and end."""
    places = [d for d, part in enumerate(index) if isinstance(part, np.ndarray)]
    if not places or not len(places) <= len(index) <= len(shape) or len(shape) == 1:
        return None
    first, last = places[0], places[-1] + 1
    others = *index[:first], *index[last:]
    if len(places) != last - first or any(
        not isinstance(part, slice) or part != slice(None) for part in others
    ):
        return None
    return first, last


def add_at(target, index, value):
    """target[index] += value, places that are named twice receive both; whether it was done."""
    if target.dtype not in SERVED or getattr(value, "dtype", None) is not target.dtype:
        return False
    found = _places(target.shape, index) if target.flags.carray else None
    if found is None:
        return False
    first, last, numbers = found
    lead, rest = target.shape[:first], target.shape[last:]
    outer, inner = math.prod(lead), math.prod(rest)
    if outer * inner:
        values = np.broadcast_to(value, (*lead, *numbers.shape, *rest))
        values = plain(values).reshape(outer, -1, inner)
        rows, tasks = chunks(outer, numbers.size * inner)
        out = target.reshape(outer, -1, inner)
        _add(tasks, rows, values, plain(numbers).reshape(-1), out)
    return True


def take_at(x, index):
    """x[index]."""
    found = _places(x.shape, index) if x.dtype in SERVED and x.size else None
    if found is None:
        return NotImplemented
    first, last, numbers = found
    lead, rest = x.shape[:first], x.shape[last:]
    outer, inner = math.prod(lead), math.prod(rest)
    out = np.empty((outer, numbers.size, inner), x.dtype)
    size, parts = chunks(numbers.size, inner)
    values = plain(x).reshape(outer, -1, inner)
    _take(outer * parts, parts, size, values, plain(numbers).reshape(-1), out)
    return out.reshape(*lead, *numbers.shape, *rest)


# --------------------------------------------------------------------- an index along one dimension
def _fits(x, index, dim):
    """Whether index has numbers for each place of x, but for its own along `dim`."""
    return (
        x.dtype in SERVED
        and index.dtype is INT64
        and x.size > 0
        and index.size > 0
        and x.shape[:dim] == index.shape[:dim]
        and x.shape[dim + 1 :] == index.shape[dim + 1 :]
    )


def _line(index, dim):
    """The index of a slice, where it is the same for all places: as (..., numbers)."""
    sides = enumerate(zip(index.shape, index.strides, strict=True))
    if any(d != dim and n > 1 and step for d, (n, step) in sides):
        return None
    numbers = index[tuple(slice(None) if d == dim else 0 for d in range(index.ndim))]
    return (*(slice(None),) * dim, numbers)


def _forms(dim, *arrays):
    """Each as (A, n, B), or (A, n) where B is 1."""
    shape = arrays[0].shape
    outer, inner = math.prod(shape[:dim]), math.prod(shape[dim + 1 :])
    form = (outer, -1) if inner == 1 else (outer, -1, inner)
    return [plain(array).reshape(form) for array in arrays]


def add_along(target, index, value, dim):
    """target[..., index, ...] += value, numbers along `dim`; whether it was done."""
    if not (target.flags.carray and _fits(target, index, dim) and value.dtype is target.dtype):
        return False
    if value.shape != index.shape or not _are_inside(index, target.shape[dim]):
        return False
    line = _line(index, dim)
    if line is not None:
        return add_at(target, line, value)
    values, places, out = _forms(dim, value, index, target)
    if out.ndim == 2:
        rows, tasks = chunks(*places.shape)
        _add_in_rows(tasks, rows, values, places, out)
    else:
        blocks = -(-out.shape[2] // WIDTH)
        _add_in_columns(len(out) * blocks, blocks, values, places, out)
    return True


def take_along(x, index, dim):
    """x[..., index, ...], numbers along `dim`."""
    if not (_fits(x, index, dim) and _are_inside(index, x.shape[dim])):
        return NotImplemented
    line = _line(index, dim)
    if line is not None:
        return take_at(x, line)
    values, places = _forms(dim, x, index)
    out = np.empty(places.shape, x.dtype)
    if out.ndim == 2:
        rows, tasks = chunks(*places.shape)
        _take_in_rows(tasks, rows, values, places, out)
    else:
        blocks = -(-out.shape[2] // WIDTH)
        _take_in_columns(len(out) * blocks, blocks, values, places, out)
    return out.reshape(index.shape)
