"""Kernels with one thing changed, each of which the checks must kill.

`python -m tests.cuda_ladder.mutants [WORD...]` makes every mutant (those whose names hold all the
words), and says what killed it: values, AddressSanitizer with UBSan, or ThreadSanitizer. The exit
status is the number of survivors.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tensorgrad.kernels.cuda import loader
from tests.cuda_ladder.execution import FOLDER, sanitized

# What is changed, wherever it stands in a source: a pattern, and what takes its place.
CHANGES = {
    "no barrier": (r"__syncthreads\(\);", ""),
    "one more": (r"(?<=\w) < (?=\w)", " <= "),
    "one fewer": (r"(?<=\w) <= (?=\w)", " < "),
    "half the lanes": (r"\b16; step > 0", "8; step > 0"),
    "wrong stride": (r"\+= THREADS\b", "+= THREADS + 1"),
    "wrong start": (r"(?<== )threadIdx\.x\b", "threadIdx.x + 1"),
    "wrong warp": (r"(?<!THREADS)(?<!BLOCK) / 32\b", " / 16"),
    "half the memory": (r" / 32\];", " / 64];"),
    "wrong chunk": (r"\* CHUNK\b", "* (CHUNK - 1)"),
    "wrong place": (r"k == 1\b", "k == 0"),
    "any alignment": (r"\(?\w+ & 15\)? == 0", "true"),
    "any width": (r"width % VECTOR<T> == 0", "true"),
    "any address": (r"tables\.of\[k\] % 16 == 0", "true"),
    "another part": (r"\+ element\b", "+ element + 1"),
    "wrong neighbour": (r"__shfl_xor_sync\(0xffffffffu, value, step\)", "value"),
    "every thread": (r"if \(threadIdx\.x == 0\) ", ""),
    "not a square": (r" \* double\(part\.of\[j\]\)", ""),
    "no root": (r"sqrt\(sum\)", "sum"),
    "wrong sign": (r"return T\(-1\)", "return T(1)"),
    "wrong bound": (r"return x > high \? high : x", "return x"),
    "no peak": (r"exp\(x - peak\)", "exp(x)"),
    "another class": (r"j == named\b", "j == named + 1"),
    "all classes": (r"named == ignored", "false"),
    "another thread": (r" % GROUP\b", " % GROUP + 1"),
    "one more line": (r"number < lines", "number <= lines"),
    "no line ends": (r"< size\b", "< size + 1"),
    "another line": (r"\binner \* \(size - 1\)", "inner * size"),
    "another group": (r"% GROUPS\b", "% GROUPS + 1"),
    "a member less": (r"member < GROUP\b", "member < GROUP - 1"),
    "a warp less": (r"warp < SLOTS<GROUP>", "warp < SLOTS<GROUP> - 1"),
    "none beyond": (r"int from = SPAN", "int from = size"),
    "not smoothed": (r"\bown \* \(Wide<T>\(1\) - part\)", "own"),
    "not centred": (r"\(x - m(?:iddle|ean)\)(?= \*)", "x"),
    "no mean gradient": (r" - (?:first|by_bias)\b(?! \*)", ""),
    "no slope of scale": (r" \* (?:second|by_weight)\b", ""),
    "other weights": (r"\b(weighted|biased|centred|alone|scaled|summed) \?", r"!\1 ?"),
    "another sample": (r"% channels\b", "% channels / 2"),
    "another row's group": (r"% groups\b", "% groups * 0"),
    "another channel": (r"\bj / places\b", "j % places"),
    "first turn again": (r"turn > 0", "turn > 1"),
    "first row again": (r"before == begin", "true"),
    "never begun": (r"before == begin", "false"),
    "rows of one block": (r"before \+= step", "before = rows"),
    "padding counts": (r"\b(?:row|key|index\[i\]) != padding", "true"),
    "padding joins": (r" \|\| !names\.counts\(keys\[last\]\)", ""),
    "rows below": (r"key >= 0 && ", ""),
    "every run goes on": (r"keys\[place \+ 1\] == keys\[place\]", "true"),
    "every run went on": (r"keys\[place - 1\] == keys\[place\]", "true"),
    "from before the first": (r"place > 0 && ", ""),
    "one edge": (r"\(whole \? 1 : 0\)", "0"),
    "one chunk more": (r"names\.keys\[last\] == key && names\.goes_on", "names.goes_on"),
    "sums for means": (r"if \(mean\) ", "if (false) "),
    "names for bags": (r"sourced \? source\[number\]", "sourced ? number"),
    "every leader": (r"first == 0 && ", ""),
    "a round less": (r"round < ROUNDS", "round < ROUNDS - 1"),
    "the same key": (r"k[01] \+= 0x\w+", ""),
    "another word": (r"words\.of\[(i|2 \* i)\]", "words.of[0]"),
    "the least goes": (r">= least", "> least"),
    "no padding": (r" - padding\[k\]", ""),
    "no dilation": (r" \* (windows\.)?step\((k|\d)\)", ""),
    "wrong quotient": (r"\(high \+ number\)", "high"),
    "a later one": (r"value > found\.value", "value >= found.value"),
    "no place for NaN": (r" \|\| value != value", ""),
    "every window": (r"places\[first \+ window\] == mine\.inside", "true"),
    "no bias": (r"\bbiased(?= \?|\) part)", "false"),
    "what is below": (r"\brectified(?= &&|\) (part|\{))", "false"),
    "all together": (r"positions\.by % VECTOR<T> == 0", "true"),
    "another point": (r"\bF\((A2|B2)\)", "F(1)"),
    "not turned": (r"WINDOW \* WINDOW - 1 - k", "k"),
    "always finite": (r"\bfinite\(\w+\)", "true"),
    "of each part": (r"first_tap == 0", "true"),
    "one row more": (r"row >= step\.(rows|next_rows)", r"row > step.\1"),
    "another place": (r"step\.next_first \+ row", "step.next_first"),
    "no beginning": (r"if \(step\.earliest\)", "if (false)"),
    "swapped gates": (r"parts\[1\]\.of", "parts[0].of"),
    "another gate": (r"gate == 2", "gate == 1"),
    "no gradient": (r"given & \d", "false"),
    "any gradient": (r"given \?", "true ?"),
    "flat": (r"\(A\(1\) - (\w) \* \1\)", "A(1)"),
    "half the columns": (r"\b8; step > 0", "4; step > 0"),
    "no scale": (r"\w+\.scale\(scale\)|\*= scale\b", ""),
    "causal by one more": (r"key > query\b", "key >= query"),
    "every key": (r"key >= sizes\.keys", "false"),
    "every query": (r"query >= sizes\.queries", "false"),
    "nothing hidden": (r"mask\.kind == HIDING", "false"),
    "no mask": (r"mask\.kind == NO_MASK", "true"),
    "another head": (r"head \* (heads|mask)\.head", "0"),
    "another batch": (r"batch \* (heads|mask)\.batch", "0"),
    "not rescaled": (r" \*= factor\b", ""),
    "no slope": (r" - kept\.slope", ""),
    "not divided": (r"results\.scale_row\(i, inverse\)", ""),
    "the first group": (r"own \* group \+ member", "own * group"),
    "too soon": (r"sizes\.causal \? first : 0", "first"),
    "unaligned": (r"heads\.aligned && ", ""),
    "the first chunk": (r"\bfrom \+ (?=column|chunk)", ""),
    "wrong choice": (r"condition \? a : b", "condition ? b : a"),
}

# Mutants that compute the same, and why.
EQUIVALENT = {
    "batch_norm.cu: not centred, 1": "sums of x (x - mean) are those of squares, but for rounding",
    "layer_norm.cu: one more, 1": "a turn past the rows has lines of no elements",
    "layer_norm.cu: one more, 3": "no group has the number of the turn past the last",
    "layer_norm.cu: one more, 6": "a turn past the channels has lines of no elements",
    "layer_norm.cu: one more, 8": "a turn past the channels has lines of no elements",
    "tables.cu: one more, 8": "at the count both choices are the count",
    "activation.cu: one fewer, 1": "what becomes of zero is zero",
    "random.cu: one fewer, 1": "the last part may be written number by number",
    "random.cu: one fewer, 2": "the last four may be dropped one by one",
    "random.cu: one more, 4": "in the last part no place past the vector is before the end",
    "attention.cu: one fewer, 1": "a whole tile, looked at number by number, stays what it is",
    "attention.cu: one fewer, 2": "a whole tile, looked at number by number, stays what it is",
    "attention.cu: one more, 1": "at the bound both choices are the bound",
    "attention.cu: one more, 15": "past the end there are zeros, which add nothing",
    "attention.cu: one more, 17": "a tile past the end adds nothing",
    "attention.cu: one more, 23": "a tile past the end adds nothing",
    "attention.cu: one more, 8": "a tile past the end adds nothing",
    "elements.cuh: one more, 1": "at the bound both choices are the bound",
    "norms.cu: one more, 1": "at CHUNK both choices are CHUNK",
    "norms.cu: one more, 2": "past the end there is nothing to load, and zeros are added",
    "norms.cu: one more, 3": "at VECTOR both choices are VECTOR",
    "recurrent.cu: one fewer, 1": "what becomes of zero is zero",
    "convolution.cu: one more, 11": "what is past the end is not stored",
    "direct.cu: of each part, 1": "each part has the same sum for the bias",
    "direct.cu: one more, 9": "at the last sample both choices are the end",
    "winograd.cu: one fewer, 1": "what becomes of zero is zero",
    "tiles.cuh: one fewer, 1": "the last part may be read number by number",
    "tiles.cuh: one fewer, 2": "the last part may be written number by number",
    "tiles.cuh: one more, 11": "past the end there are zeros, which add nothing",
    "tiles.cuh: the first chunk, 1": "past the end there are zeros, which add nothing",
    "windows.cuh: one fewer, 1": "of nothing before, the first window over a place is the first",
    "windows.cuh: one more, 2": "at the end both choices are the end",
    "steps.cu: one more, 5": "of no array past the last is it said that it is written",
    "steps.cu: one more, 7": "at CHUNK both choices are CHUNK",
}


class Mutant(NamedTuple):
    name: str
    file: str
    text: str


def mutants() -> Iterator[Mutant]:
    """Each change at each place where it can be made, outside comments and template brackets."""
    for path in sorted(loader.FOLDER.glob("*.cu*")):
        text = path.read_text()
        for change, (pattern, replacement) in CHANGES.items():
            count = 0
            for found in re.finditer(pattern, text):
                line = text[text.rfind("\n", 0, found.start()) + 1 : found.start()]
                if "//" in line:
                    continue
                count += 1
                changed = text[: found.start()] + found.expand(replacement) + text[found.end() :]
                yield Mutant(f"{path.name}: {change}, {count}", path.name, changed)


def sources_with(file: str) -> list[str]:
    """The sources that a file is part of."""
    return [
        path.name
        for path in sorted(loader.FOLDER.glob("*.cu"))
        if f'#line 1 "{file}"' in loader.text_of(path.name)
    ]


def killer(mutant: Mutant) -> str:
    """What sees that a mutant is wrong; nothing for a survivor."""
    with tempfile.TemporaryDirectory() as folder:
        for path in loader.FOLDER.glob("*.cu*"):
            shutil.copy(path, folder)
        (Path(folder) / mutant.file).write_text(mutant.text)
        words = ["-m", "tests.cuda_ladder.checks", "--sources", folder, *sources_with(mutant.file)]
        plain = subprocess.run(
            [sys.executable, *words], cwd=FOLDER.parents[1], capture_output=True, env=os.environ
        )
        if plain.returncode:
            return "values"
        if sanitized("address", [*words, "--once"]).returncode:
            return "AddressSanitizer"
        if sanitized("thread", [*words, "--once", "--small"]).returncode:
            return "ThreadSanitizer"
    return ""


def main(words: list[str]) -> int:
    """The number of survivors that are not known to compute the same."""
    survivors = 0
    for mutant in mutants():
        if all(word in mutant.name for word in words):
            found = killer(mutant) or EQUIVALENT.get(mutant.name, "")
            survivors += not found
            print(f"{mutant.name:50} {found or 'SURVIVED'}", flush=True)  # noqa: T201
    return survivors


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
