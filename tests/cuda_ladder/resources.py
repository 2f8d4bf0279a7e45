"""What kernels take of a GPU, as NVRTC says it: needs the packages of NVRTC and CuPy, no driver.

`python -m tests.cuda_ladder.resources` writes the table, a line for each kernel: registers of a
thread on each architecture, the most shared memory of a block.
"""

from __future__ import annotations

import io
import json
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from tensorgrad.kernels.cuda.loader import OPTIONS
from tests.cuda_ladder.execution import made
from tests.cuda_ladder.instances import kernels, texts

ARCHITECTURES = (75, 80, 86, 89, 90, 100, 120)
TABLE = Path(__file__).parents[2] / "build" / "cuda_resources.txt"


class Use(NamedTuple):
    registers: int
    shared: int  # bytes of a block
    stack: int  # bytes of a thread: what registers could not hold
    spilled: int


def compiler() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CuPy tells of CUDA toolkits it did not find
        from cupy.cuda import compiler
    return compiler


def compiled(text: str, names: list[str], method: str, *options: str) -> tuple[str, Any, str]:
    """What NVRTC makes of a text if that is text (PTX), its own name of each instance, and its log;
    kept from one process to the next.
    """
    version = str(compiler().nvrtc.getVersion())

    def compile(target: Path) -> None:
        log = io.StringIO()
        program = compiler()._NVRTCProgram(text, "k.cu", name_expressions=names, method=method)
        binary, mangled = program.compile((*OPTIONS, "-ftz=true", *options), log)
        words = binary if method == "ptx" else ""
        words = words.decode() if isinstance(words, bytes) else words
        target.write_text(json.dumps([words, mangled, log.getvalue()]))

    path = made([version, text, *names, method, *OPTIONS, *options], ".json", compile)
    words, mangled, log = json.loads(path.read_text())
    return words, mangled, log


def uses(text: str, architecture: int) -> dict[str, Use]:
    """What each kernel of a text takes on one architecture."""
    names = kernels(text)
    arch = f"-arch=sm_{architecture}"
    _, mangled, log = compiled(text, names, "cubin", arch, "--ptxas-options=-v")
    found = {}
    for name in names:
        part = log.split(f"Compiling entry function '{mangled[name]}'")[1]
        part = part.split("Compiling entry function")[0]

        def number(pattern: str, part: str = part) -> int:
            match = re.search(pattern, part)
            return int(match[1]) if match else 0

        found[name] = Use(
            number(r"Used (\d+) registers"),
            number(r"(\d+) bytes smem"),
            number(r"(\d+) bytes stack frame"),
            number(r"(\d+) bytes spill stores") + number(r"(\d+) bytes spill loads"),
        )
    return found


def all_uses() -> Iterator[tuple[str, dict[int, Use]]]:
    """Every kernel, by source and name, with its use of each architecture."""
    for source, text in texts():
        of = {architecture: uses(text, architecture) for architecture in ARCHITECTURES}
        for name in kernels(text):
            yield f"{source}: {name}", {arch: found[name] for arch, found in of.items()}


def table(found: dict[str, dict[int, Use]]) -> str:
    width = max(map(len, found))
    head = "".join(f"{f'sm_{arch}':>8}" for arch in ARCHITECTURES)
    lines = [f"{'registers of a thread':{width}}{head}{'shared':>8}"]
    for name, of in found.items():
        registers = "".join(f"{of[arch].registers:8}" for arch in ARCHITECTURES)
        lines.append(f"{name:{width}}{registers}{max(use.shared for use in of.values()):8}")
    return "\n".join(lines) + "\n"


def write() -> dict[str, dict[int, Use]]:
    found = dict(all_uses())
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(table(found))
    return found


if __name__ == "__main__":
    write()
