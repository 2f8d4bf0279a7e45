"""Every instance of every kernel: the sources, the texts generated for them, the element types."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

import tensorgrad as tg
from tensorgrad import optim
from tensorgrad.kernels.cuda import loader
from tensorgrad.kernels.cuda.optimizers import numbers_of, rule_of
from tests.optimizer_samples import OPTIONS


def rules() -> Iterator[tuple[str, str, str]]:
    """The optimizers' rules, by name, as the texts that are put into steps.cu and counters.cu; the
    latter is empty if no device can count.
    """
    with tg.use_backend("numba"):
        for name, (kind, options) in OPTIONS.items():
            param = tg.ones(3, requires_grad=True)
            param.grad = tg.ones(3)
            optimizer = getattr(optim, kind)([param], **options)
            for _ in range(7):  # some rules change after a few
                optimizer.step()
            trace = optimizer.stepper.traced[1]
            arrays = 1 + max(int(number) for number in re.findall(r"x(\d+)", trace.text))
            counted = numbers_of(tuple(trace.sources()), len(trace.constants))
            counts = optimizer.stepper.count is not None and not trace.has_choices
            rule = rule_of(trace.text, arrays, len(trace.numbers))
            yield name, rule, counted if counts else ""


def texts() -> Iterator[tuple[str, str]]:
    """A name and the whole text of each source; of one with a generated part, for each of those."""
    for path in sorted(loader.FOLDER.glob("*.cu")):
        if '#include "generated"' in path.read_text():
            for name, rule, counted in rules():
                generated = counted if path.name == "counters.cu" else rule
                if generated:
                    yield f"{path.name}, {name}", loader.text_of(path.name, generated)
        else:
            yield path.name, loader.text_of(path.name)


# The numbers that kernels are made for, by the names of their parameters.
NUMBERS = {"GROUP": (4, 32, 256), "ROW_GROUP": (32, 256), "WIDE": (0, 1)}


def kernels(text: str) -> list[str]:
    """The instances of a text's kernels, as C++ names them: by the names of their first parameters
    of all floats, those of 32 bits or more, or integers.
    """
    types = {
        "T": [*loader.C_TYPES.values()],
        "F": ["float", "double"],
        "I": ["int", "long long"],
        "": [""],  # a kernel of its own
    }
    found = re.findall(
        r"(?:template <typename (T|F|I)((?:, int \w+)*)>\n)?"
        r"__global__ void (?:__launch_bounds__\([^)]*\) )?(\w+)\(",
        text,
    )
    assert len(found) == text.count("__global__ void")
    return [
        f"{name}<{', '.join([kind, *map(str, numbers)])}>" if kind else name
        for element, parameters, name in found
        for kind in types[element]
        for numbers in product(*[NUMBERS[p] for p in re.findall(r"int (\w+)", parameters)])
    ]
