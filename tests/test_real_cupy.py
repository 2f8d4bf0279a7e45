"""CupyBackend's calls, and the CuPy of host memory, against the real package where it is installed:
no GPU is needed to see whether a call fits a signature.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.backends import (
    array_backend,
    complex_primitives,
    cupy_backend,
    cupy_tables,
    cupy_windows,
    gamma_primitives,
    index_primitives,
    linalg_primitives,
    order_primitives,
    pointwise_primitives,
    random_primitives,
    reduction_primitives,
    special_primitives,
    view_primitives,
    window_primitives,
)
from tensorgrad.backends.array_backend import ArrayBackend
from tensorgrad.backends.cupy_backend import CupyBackend
from tensorgrad.kernels.cuda import loader
from tests import cupy_stand_in
from tests.cupy_stand_in.cublas import CUBLAS


@pytest.fixture(scope="session")
def real() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # CuPy tells of CUDA toolkits it did not find
        cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
        importlib.import_module("cupyx.scipy.special")
    return cupy


def chain(node: ast.AST, aliases: dict[str, list[str]]) -> list[str] | None:
    """`self.xp.a.b` as ["cupy", "a", "b"]; None for what does not start at a module."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.insert(0, node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    if node.id == "self":
        if names[:1] == ["xp"]:
            return ["cupy", *names[1:]]
        return ["cupyx", "scipy", "special", *names[1:]] if names[:1] == ["_special"] else None
    return [*aliases[node.id], *names] if node.id in aliases else None


def functions_that_run_on_cupy() -> Iterator[tuple[str, ast.FunctionDef]]:
    """Of the reference those that CupyBackend does not override, and all of its own and of its
    kernels'.
    """
    reference = (
        array_backend,
        gamma_primitives,
        complex_primitives,
        index_primitives,
        linalg_primitives,
        order_primitives,
        pointwise_primitives,
        random_primitives,
        reduction_primitives,
        special_primitives,
        view_primitives,
        window_primitives,
    )
    kernels = [
        importlib.import_module(f"tensorgrad.kernels.cuda.{path.stem}")
        for path in sorted(loader.FOLDER.glob("[!_]*.py"))
    ]
    for module in (*reference, cupy_backend, cupy_tables, cupy_windows, *kernels):
        cls = ArrayBackend if module in reference else CupyBackend
        source = inspect.getsource(module)
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef):
                overridden = cls is ArrayBackend and node.name in vars(CupyBackend)
                if not overridden:
                    yield f"{cls.__name__}.{node.name}", node


def uses() -> Iterator[tuple[str, list[str], ast.Call | None]]:
    """Every name of CuPy's that the backend reads, and the call where it is one."""
    for place, function in functions_that_run_on_cupy():
        aliases = {"cupy": ["cupy"], "cupyx": ["cupyx"]}
        for node in ast.walk(function):
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                found = chain(node.value, aliases)
                if found:
                    aliases[node.targets[0].id] = found
        called = set()
        for node in ast.walk(function):
            if isinstance(node, ast.Call) and (path := chain(node.func, aliases)):
                called.add(node.func)
                yield place, path, node
        for node in ast.walk(function):
            if (
                isinstance(node, ast.Attribute)
                and node not in called
                and (path := chain(node, aliases))
            ):
                yield place, path, None


UFUNC_METHODS = {"reduce": ("axis", "dtype", "out", "keepdims"), "at": ()}


WITHOUT_SIGNATURE = (
    "Device", "RawModule", "alloc_pinned_memory", "driverGetVersion", "from_dlpack",
    "get_cublas_handle", "getDeviceCount", "memGetInfo", "runtimeGetVersion",
)  # fmt: skip


def test_every_call_binds_to_the_real_signature(real: Any) -> None:
    modules = {"cupy": real, "cupyx": sys.modules["cupyx"]}
    calls = 0
    for place, path, call in uses():
        target: Any = modules[path[0]]
        if path[-1] == "getVersion" or path[1:3] == ["cuda", "cublas"]:
            continue  # needs the CUDA libraries
        for name in path[1:]:
            assert hasattr(target, name), f"{place}: {'.'.join(path)} does not exist"
            owner, target = target, getattr(target, name)
        if call is None:
            continue
        calls += 1
        keywords = {keyword.arg: 0 for keyword in call.keywords}
        if isinstance(target, real.ufunc):
            assert len(call.args) == target.nin, f"{place}: {ast.unparse(call)}"
            assert not keywords
        elif path[-1] in UFUNC_METHODS:
            assert (owner.name, path[-1]) in (
                ("cupy_add", "at"),
                ("cupy_add", "reduce"),
                ("cupy_multiply", "reduce"),
            )
            assert set(keywords) <= set(UFUNC_METHODS[path[-1]])
        elif path[-1] not in WITHOUT_SIGNATURE:
            arguments = [0 for arg in call.args if not isinstance(arg, ast.Starred)]
            try:
                inspect.signature(target).bind(*arguments, **keywords)
            except TypeError as error:
                pytest.fail(f"{place}: {ast.unparse(call)}: {error}")
    assert calls >= 90


def test_the_stand_in_has_the_real_names_and_signatures(real: Any) -> None:
    for function in cupy_stand_in.FUNCTIONS:
        ours = inspect.signature(function).parameters.values()
        theirs = inspect.signature(getattr(real, function.__name__)).parameters.values()
        assert [(p.name, p.kind, p.default) for p in ours] == [
            (p.name, p.kind, p.default) for p in theirs
        ], function.__name__
    for name in cupy_stand_in.UFUNCS.split():
        assert isinstance(getattr(real, name), real.ufunc)
        assert getattr(real, name).nin == getattr(cupy_stand_in.module, name).compute.nin
    invented = {name for name in vars(cupy_stand_in.ndarray) if not hasattr(real.ndarray, name)}
    assert invented <= {"_host", "_places", "_showing", "__slots__", "__weakref__"}
    assert real.ndarray.__weakrefoffset__  # Cython's classes show no `__weakref__`


def test_the_stand_in_of_cublas_has_the_real_parameters(real: Any) -> None:
    """Read from the module's file: loading it needs the CUDA libraries."""
    found = importlib.util.find_spec("cupy_backends.cuda.libs.cublas")
    text = Path(found.origin).read_bytes()
    for name, ours in CUBLAS.items():
        assert name.encode() in text
        if callable(ours):
            signature = re.search(rf"{name}\(([^)]*)\)".encode(), text)
            theirs = [word.split()[-1] for word in signature[1].decode().split(", ")]
            assert list(inspect.signature(ours).parameters) == theirs


def test_the_stand_in_refuses_what_cupy_refuses(real: Any) -> None:
    """Arrays over an address that nobody reads: CuPy's checks come before its kernels."""
    memory = real.cuda.UnownedMemory(0x10000, 1 << 12, object(), device_id=0)
    pointer = real.cuda.MemoryPointer(memory, 0)

    def probe(cupy: Any, f32: Any, i8: Any, zero: Any) -> dict[str, Any]:
        numpys = np.ones((3, 4), np.float32)
        strided = cupy.lib.stride_tricks.as_strided(f32, (2, 2), (4, 4))
        found: dict[str, Any] = {
            "base": (strided.base, strided.view().base is strided, f32[1:][1:].base is f32),
            "views": [
                view.base is f32
                for view in (
                    f32.reshape(12),
                    f32.transpose(1, 0),
                    cupy.broadcast_to(f32, (2, 3, 4)),
                )
            ],
        }
        attempts = {
            "maximum.reduce": lambda: cupy.maximum.reduce(f32, axis=0),
            "minimum.at": lambda: cupy.logical_and.at(f32, (0,), f32),
            "add.at": lambda: cupy.add.at(i8, i8, i8),
            "flip": lambda: cupy.flip(zero, -1),
            "sum": lambda: cupy.sum(zero, axis=-1),
            "array": lambda: np.asarray(f32),
            "matmul": lambda: cupy.matmul(f32, numpys),
            "set": lambda: f32.__setitem__(Ellipsis, numpys),
            "number": lambda: f32[7],
            "shape": lambda: f32.reshape(5, 5),
        }
        for name, attempt in attempts.items():
            with pytest.raises(Exception) as caught:  # noqa: PT011
                attempt()
            found[name] = caught.type
        return found

    stand_in = cupy_stand_in.module
    ours = probe(
        stand_in,
        stand_in.zeros((3, 4), np.float32),
        stand_in.zeros(3, np.int8),
        stand_in.zeros((), np.float32),
    )
    theirs = probe(
        real,
        real.ndarray((3, 4), np.float32, memptr=pointer),
        real.ndarray((3,), np.int8, memptr=pointer),
        real.ndarray((), np.float32, memptr=pointer),
    )
    assert ours == theirs


def test_without_a_gpu_the_real_cupy_is_refused(real: Any) -> None:
    if real.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(
        tg.BackendError, match=r"^cupy: expected an NVIDIA GPU and its driver, got "
    ):
        CupyBackend()
