"""`RawModule` of CuPy by a C++ compiler: the same CUDA C sources, run on the CPU.

A kernel is compiled with `device.h` before it and linked with `scheduler.cpp`. What CuPy does not
check is checked here: that arguments are of the kinds and sizes of the kernel's parameters, and
that no size of the launch is zero. It shows nothing of speed, of flushing to zero, of the order in
which memory is written, or of the accuracy of a GPU's functions.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.cuda_ladder.counting import Counts, counted

FOLDER = Path(__file__).parent
COMPILER = shutil.which("g++") if platform.machine() == "x86_64" and os.name == "posix" else None
MISSING = "kernels on the CPU: expected g++ on Linux x86-64, got none"
SANITIZER = os.environ.get("KERNEL_SANITIZER", "")  # "address", "thread", "counts" or none
ORDERS = ("ascending", "descending", "shuffled")
BINARIES = Path(tempfile.gettempdir()) / f"tensorgrad-kernels-{os.getuid() if COMPILER else 0}"

FLAGS = "-std=c++17 -O1 -g1 -fPIC -w -ffp-contract=off -fno-strict-aliasing -fvisibility=hidden"
SANITIZER_FLAGS = {
    "": "",
    "address": "-fsanitize=address,undefined -fno-sanitize=vptr -fno-omit-frame-pointer",
    "thread": "-fsanitize=thread",
    # Not optimized, so that an access of 16 bytes stays one.
    "counts": "-fsanitize=thread -fsanitize-coverage=trace-pc -O0",
}
LIBRARIES = {"address": ["libasan.so", "libstdc++.so"], "thread": ["libtsan.so"], "counts": []}
DEFINITIONS = {
    "": [],
    "address": ["-DADDRESS_SANITIZER"],
    "thread": ["-DTHREAD_SANITIZER"],
    "counts": ["-DCOUNTS"],
}

order = ORDERS[0]  # in which threads and blocks run; tests change it
launches: Counter[str] = Counter()  # of each kernel, by its name


counts: list[tuple[str, Counts]] = []  # of each launch, by the kernel's name, if they are counted


class CompileException(Exception):
    """`cupy.cuda.compiler.CompileException`."""


# ---- from a source to a library


_DYNAMIC = re.compile(r"extern __shared__ ([\w: ]+?) (\w+)\[\];")
_SHARED = re.compile(r"__shared__ ([\w:<> ]+?) (\w+)((?:\[[^\]]*\])*);")


def for_the_cpu(source: str) -> str:
    """A source with its shared memory asked of the scheduler."""
    text = _DYNAMIC.sub(r"\1* \2 = static_cast<\1*>(runtime::dynamic_shared_memory());", source)
    count = 0

    def asked(found: re.Match[str]) -> str:
        nonlocal count
        count += 1
        kind, name, sizes = found.groups()
        memory = f"runtime::shared_memory({count - 1}, sizeof(SharedType_{name}))"
        return (
            f"typedef {kind} SharedType_{name}{sizes}; "
            f"auto& {name} = *static_cast<SharedType_{name}*>({memory});"
        )

    return _SHARED.sub(asked, text)


def entries(names: Sequence[str]) -> str:
    """C functions that launch a kernel, and that tell its parameters."""
    return "\n".join(
        f"""#line 1 "entries"
        extern "C" __attribute__((visibility("default"))) const char* launch_{number}(
            void** arguments, const unsigned* grid, const unsigned* block, size_t bytes, int order,
            uint64_t seed) {{
            return runtime::run({{&runtime::Entry<&{name}>::body, arguments, grid, block, bytes,
                                  order, seed}});
        }}
        extern "C" __attribute__((visibility("default"))) const char* signature_{number}() {{
            return runtime::Entry<&{name}>::signature();
        }}"""
        for number, name in enumerate(names)
    )


def made(parts: Sequence[str], suffix: str, compile: Any) -> Path:
    """The file that `compile(path)` makes of these parts; kept from one process to the next."""
    digest = hashlib.sha256("\0".join([platform.platform(), *parts]).encode()).hexdigest()[:24]
    path = BINARIES / f"{digest}{suffix}"
    if not path.exists():
        BINARIES.mkdir(mode=0o700, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=BINARIES) as folder:
            target = Path(folder) / path.name
            compile(target)
            target.replace(path)
    return path


def run_compiler(arguments: Sequence[str], source: str | None = None) -> None:
    done = subprocess.run(
        [COMPILER or "", *arguments], input=source, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise CompileException(done.stderr)


def of_the_host(name: str) -> Path:
    """An object of code that is no kernel's, and not instrumented."""
    source = (FOLDER / name).read_text() + (FOLDER / "runtime.h").read_text()
    flags = ["-std=c++17", "-O2", "-fPIC", "-fvisibility=hidden", *DEFINITIONS[SANITIZER]]

    def compile(target: Path) -> None:
        run_compiler([*flags, "-c", str(FOLDER / name), "-o", str(target)])

    return made([source, *flags], ".o", compile)


def library(source: str, names: Sequence[str]) -> ctypes.CDLL:
    if COMPILER is None:
        import pytest

        pytest.skip(MISSING)
    text = f'#include "device.h"\n{for_the_cpu(source)}\n{entries(names)}\n'
    headers = [(FOLDER / name).read_text() for name in ("device.h", "runtime.h")]
    flags = [*FLAGS.split(), *SANITIZER_FLAGS[SANITIZER].split()]
    others = [str(of_the_host("scheduler.cpp"))]
    if SANITIZER == "counts":
        others.append(str(of_the_host("counting.cpp")))

    def compile(target: Path) -> None:
        # In two steps: linked with its flags, ThreadSanitizer would come with it.
        part = str(target.with_suffix(".o"))
        run_compiler([*flags, f"-I{FOLDER}", "-x", "c++", "-c", "-", "-o", part], text)
        linked = SANITIZER_FLAGS[SANITIZER].split() if SANITIZER != "counts" else []
        run_compiler([*linked, "-shared", part, *others, "-o", str(target)])

    return ctypes.CDLL(str(made([text, *headers, *flags, *others], ".so", compile)))


# ---- launches


class Function:
    """One kernel: `function(grid, block, arguments)`."""

    def __init__(self, module: ctypes.CDLL, number: int, name: str) -> None:
        self.name = name
        self.launch = getattr(module, f"launch_{number}")
        self.launch.restype = ctypes.c_char_p
        signature = getattr(module, f"signature_{number}")
        signature.restype = ctypes.c_char_p
        self.parameters = signature().decode().split()
        self.module = module

    def __call__(
        self, grid: tuple[int, ...], block: tuple[int, ...], args: Any, *, shared_mem: int = 0
    ) -> None:
        sizes = [(*grid, 1, 1)[:3], (*block, 1, 1)[:3]]
        self._check(*sizes, shared_mem)
        if len(args) != len(self.parameters):
            expected = len(self.parameters)
            raise TypeError(f"{self.name}: expected {expected} arguments, got {len(args)}")
        keep = [self._argument(k, arg, self.parameters[k]) for k, arg in enumerate(args)]
        places = (ctypes.c_void_p * max(1, len(keep)))(*map(ctypes.addressof, keep))
        threes = [(ctypes.c_uint * 3)(*size) for size in sizes]
        name = self.name.split("<")[0]
        launches[name] += 1
        how = ctypes.c_size_t(shared_mem), ORDERS.index(order), ctypes.c_uint64(1)
        fault = self.launch(places, *threes, *how)
        if fault:
            raise RuntimeError(f"{self.name}: {fault.decode()}")
        if SANITIZER == "counts":
            counts.append((name, counted(self.module)))

    def _check(self, grid: Sequence[int], block: Sequence[int], shared_mem: int) -> None:
        if min(*grid, *block) < 1:  # CuPy would run one in silence
            raise ValueError(f"{self.name}: expected a launch of some threads, got {grid}, {block}")
        threads = block[0] * block[1] * block[2]
        if grid[0] >= 1 << 31 or max(grid[1:]) > 65535 or threads > 1024 or block[2] > 64:
            raise RuntimeError(f"{self.name}: CUDA_ERROR_INVALID_VALUE of {grid}, {block}")
        if shared_mem > 48 << 10:
            raise RuntimeError(f"{self.name}: CUDA_ERROR_INVALID_VALUE of {shared_mem} bytes")

    def _argument(self, number: int, arg: Any, parameter: str) -> Any:
        """The argument in memory, if it is what the parameter is."""
        expected = f"{self.name}: expected {parameter} for argument {number}"
        host = getattr(arg, "_host", None)
        if host is not None:
            kind = f"{host.dtype.kind}{host.itemsize}"
            if parameter not in (f"Pm{kind}", f"Pc{kind}"):
                raise TypeError(f"{expected}, got an array of {host.dtype}")
            return ctypes.c_void_p(host.ctypes.data)
        if isinstance(arg, np.ndarray):
            if arg.size != 1 or arg.dtype.names is None:
                raise TypeError(f"{expected}, got an array of the host")
            scalar = arg.reshape(())
        else:  # as CuPy takes numbers: int is int64, float is float64
            scalar = np.array(arg)
        if parameter != f"S{scalar.dtype.kind}{scalar.itemsize}":
            raise TypeError(f"{expected}, got {scalar.dtype}")
        return (ctypes.c_char * scalar.itemsize).from_buffer_copy(scalar.tobytes())


class RawModule:
    """`cupy.RawModule`: compiled when a function of it is first wanted."""

    def __init__(
        self,
        code: str | None = None,
        *,
        path: str | None = None,
        options: tuple[str, ...] = (),
        backend: str = "nvrtc",
        name_expressions: Sequence[str] | None = None,
    ) -> None:
        self.code = code if code is not None else Path(path or "").read_text()
        self.names = list(name_expressions or ())
        self.library: ctypes.CDLL | None = None

    def get_function(self, name: str) -> Function:
        if name not in self.names:
            raise RuntimeError("CUDA_ERROR_NOT_FOUND: named symbol not found")
        if self.library is None:
            self.library = library(self.code, self.names)
        return Function(self.library, self.names.index(name), name)


def preload(*names: str) -> str:
    """The files of g++'s libraries, for LD_PRELOAD."""
    files = []
    for name in names:
        command = [COMPILER or "", f"-print-file-name={name}"]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        files.append(done.stdout.strip())
    return " ".join(files)


def sanitized(sanitizer: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run Python with these arguments, its kernels under a sanitizer or counted."""
    environment = {
        **os.environ,
        "KERNEL_SANITIZER": sanitizer,
        "LD_PRELOAD": preload(*LIBRARIES[sanitizer]),
        "ASAN_OPTIONS": "detect_leaks=0:detect_odr_violation=0",
        "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=0",
        "TSAN_OPTIONS": "halt_on_error=1:report_bugs=1",
        "PYTHONMALLOC": "malloc",
        "OPENBLAS_NUM_THREADS": "1",
    }
    return subprocess.run(
        [sys.executable, *arguments],
        env=environment,
        cwd=FOLDER.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
