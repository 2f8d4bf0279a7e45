"""How a tensor reads when printed: PyTorch's layout of the numbers and its words around them, and
the options that govern both.

https://docs.pytorch.org/docs/stable/generated/torch.set_printoptions.html
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from tensorgrad import dtypes

Form = Callable[[Any], str]


class Options(NamedTuple):
    """What `set_printoptions` sets."""

    precision: int = 4  # digits after the point
    threshold: float = 1000  # elements above which only the ends of each dimension are shown
    edgeitems: int = 3  # how many make an end
    linewidth: int = 80
    sci_mode: bool | None = None  # None: where the numbers differ much in size


PROFILES = {
    "default": Options(),
    "short": Options(precision=2, edgeitems=2),
    "full": Options(threshold=math.inf),
}
options = Options()


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Set how tensors are printed from now on; what is None stays, but for sci_mode.

    precision: digits after the point. threshold: elements above which a tensor is summarized.
    edgeitems: how many elements a summary shows at each end of a dimension. linewidth: characters
    of a line. profile: "default", "short" or "full", whose values the others change. sci_mode:
    whether floats are written with an exponent; None lets the numbers decide.
    """
    if profile is not None and profile not in PROFILES:
        raise ValueError(
            f"set_printoptions: expected a profile among {sorted(PROFILES)}, got {profile!r}"
        )
    global options
    given = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    told: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    options = (options if profile is None else PROFILES[profile])._replace(
        sci_mode=sci_mode, **told
    )


def describe(tensor: Any) -> str:
    """`tensor([[1., 2.]], dtype=float64, requires_grad=True)`."""
    array = tensor._on_host()
    if array.dtype == dtypes.bfloat16:
        array = array.astype("float32")
    role = getattr(tensor, "_role", None)
    text = "tensor("
    indent = len(text)
    if array.size:
        cut = array.size > options.threshold
        form, width = _form(_shown(array) if cut else array)
        text += _body(array, indent, cut, form, width)
    else:
        text += "[]"
    text = _with_notes(text, _notes(tensor, array), indent)
    return text if role is None else f"{role.__name__} containing:\n{text}"


def _notes(tensor: Any, array: Any) -> list[str]:
    notes = []
    if tensor.device.type != "cpu":
        notes.append(f"device='{tensor.device}'")
    hidden = not options.edgeitems if array.size else array.ndim != 1
    if hidden:  # the numbers do not tell the shape
        notes.append(f"size={tuple(array.shape)}")
    usual = [dtypes.get_default_dtype()]
    if array.size:
        usual += [dtypes.scalar_dtype(1j), dtypes.int64, dtypes.bool_]
    if tensor.dtype not in usual:
        notes.append(f"dtype={tensor.dtype}")
    if tensor.grad_fn is not None:
        notes.append(f"grad_fn=<{tensor.grad_fn.name()}>")
    elif tensor.requires_grad:
        notes.append("requires_grad=True")
    return notes


def _with_notes(text: str, notes: list[str], indent: int) -> str:
    """The notes after the numbers, each on a new line where the last one is full."""
    taken = len(text) - text.rfind("\n") + 1
    for note in notes:
        if taken + len(note) + 2 > options.linewidth:
            text += ",\n" + " " * indent + note
            taken = indent + len(note)
        else:
            text += ", " + note
            taken += len(note) + 2
    return text + ")"


def _shown(array: Any) -> Any:
    """The elements that a summary shows: the first and last few along each dimension."""
    edge = options.edgeitems
    for axis, size in enumerate(array.shape):
        if size > 2 * edge:
            array = np.take(array, [*range(edge), *range(size - edge, size)], axis=axis)
    return array


def _body(array: Any, indent: int, cut: bool, form: Form, width: int) -> str:
    """The numbers in their brackets; `cut` leaves out the middle of each long dimension."""
    if not array.ndim:
        return form(array.item())
    edge = options.edgeitems
    short = cut and len(array) > 2 * edge
    first = array[:edge] if short else array
    last = array[len(array) - edge :] if short else array[:0]
    start = " " * (indent + 1)
    if array.ndim > 1:
        head, tail = (
            [_body(part, indent + 1, cut, form, width) for part in side] for side in (first, last)
        )
        rows = [*head, *(["..."] if short else []), *tail]
        between: str = "," + "\n" * (array.ndim - 1) + start
        return "[" + between.join(rows) + "]"
    gap = [" ..." if edge else "..."] if short else []
    words = [*map(form, first.tolist()), *gap, *map(form, last.tolist())]
    count = max(1, (options.linewidth - indent) // (width + 2))
    lines = [", ".join(words[i : i + count]) for i in range(0, len(words), count)]
    return "[" + (",\n" + start).join(lines) + "]"


def _form(array: Any) -> tuple[Form, int]:
    """How each element is written so that all stand in columns, and how wide that is."""
    if array.dtype.kind != "c":
        return _real_form(array)
    (real, real_width), (imag, imag_width) = _real_form(array.real), _real_form(array.imag)

    def both(value: Any) -> str:
        second = imag(value.imag).lstrip()
        sign = "" if second[0] in "+-" else "+"
        return f"{real(value.real)}{sign}{second}j"

    return both, real_width + imag_width + 1


def _real_form(array: Any) -> tuple[Form, int]:
    """Whole floats are written as `3.`, others with decimals or an exponent; zeros and what is not
    finite have no say in it.
    """
    form: Form = str
    values = array.ravel()
    if array.dtype.kind == "f":
        values = values.astype("float64")
        values = values[np.isfinite(values) & (values != 0)]
        form = _float_form(values)
    width = max(map(len, map(form, values.tolist())), default=1)
    return lambda value: form(value).rjust(width), width


def _float_form(values: Any) -> Form:
    sizes = np.abs(values)
    whole = bool((sizes == np.ceil(sizes)).all())
    scientific = False
    if sizes.size:
        low, high = sizes.min(), sizes.max()
        scientific = bool(high / low > 1000 or high > 1e8 or low < 1e-4)
        if options.sci_mode is not None:
            scientific = options.sci_mode
    if scientific:
        return f"{{:.{options.precision}e}}".format
    if not whole:
        return f"{{:.{options.precision}f}}".format
    return lambda value: f"{value:.0f}" + ("." if math.isfinite(value) else "")
