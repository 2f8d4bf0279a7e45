"""Drift detectors: what is said about the whole, held against the sources and the registry."""

import ast
import importlib
import inspect
from pathlib import Path

import pytest

import tensorgrad as tg
from tensorgrad import backend as backend_module
from tensorgrad.backends.array_backend import ArrayBackend
from tensorgrad.codegen import rule_needs
from tensorgrad.fused import FusedOp
from tensorgrad.nn import functional
from tensorgrad.op import OPS, Op
from tests.cases import CASES

ROOT = Path(__file__).resolve().parent.parent

# ---- every op has a case, every kernel a composition

# Functions that make tensors: they take none, so the table says nothing of them.
MAKING = {
    "bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window",
    "arange", "as_tensor", "asarray", "empty", "empty_like", "empty_permuted", "empty_strided",
    "eye", "from_dlpack", "from_numpy", "frombuffer", "full", "full_like", "linspace", "logspace",
    "ones", "ones_like", "range", "scalar_tensor", "tensor", "zeros", "zeros_like",
    "bernoulli", "multinomial", "normal", "rand", "rand_like", "randint", "randint_like", "randn",
    "randn_like", "randperm", "binomial", "poisson",
}  # fmt: skip


def test_every_op_has_a_case():
    assert set(OPS) - {case.op for case in CASES} == set()


def test_every_public_function_on_tensors_has_a_case():
    functions = {
        name
        for name in dir(tg)
        if inspect.isfunction(value := getattr(tg, name))
        and not name.startswith("_")
        and not name.endswith("_")  # writes into its input
        and (value.__module__.startswith("tensorgrad.ops.") or value.__module__ == "tensorgrad")
    }
    assert len(functions) >= 120
    assert functions - MAKING - {case.op for case in CASES} == set()
    assert functions >= MAKING


def test_every_function_of_nn_functional_has_a_case():
    names = functional.__all__
    assert len(names) == len(set(names)) >= 115
    drawn = {"gumbel_softmax"}  # its values are random; tests/test_functional.py has the rest
    written = {name for name in names if name.endswith("_")}  # into their inputs
    assert set(names) - drawn - written - {case.op for case in CASES} == set()


def test_case_names_are_unique():
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)


def backend_classes():
    """The built-in backends' classes, without making one: CuPy's needs a GPU."""
    found = []
    for target in backend_module.BUILT_IN.values():
        module, _, name = target.partition(":")
        found.append(getattr(importlib.import_module(module), name))
    return found


# What a backend may do to lists of arrays at once: see `tensorgrad.stepping`, `nn.utils` and
# `text.word_steps`.
OVER_LISTS = {
    "count_steps",
    "step_elements",
    "step_rows",
    "total_norm",
    "unscale",
    "word_steps",
}


def public_methods(kind):
    """The methods that a class of a backend defines itself, without those of its bases."""
    return {
        name: value
        for name, value in vars(kind).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }


def parameters(function):
    return [name for name in inspect.signature(function).parameters if name != "self"]


def test_every_primitive_is_a_method_of_the_reference_with_the_ops_parameters():
    primitives = {name: op for name, op in OPS.items() if isinstance(op, Op)}
    assert len(primitives) >= 60
    for name, op in primitives.items():
        assert parameters(getattr(ArrayBackend, name)) == op.args + op.statics, name


@pytest.mark.parametrize("kind", backend_classes(), ids=lambda kind: kind.__name__)
def test_every_method_of_a_backend_overrides_or_is_a_kernel(kind):
    for name, method in public_methods(kind).items():
        own = parameters(method)
        base = getattr(ArrayBackend, name, None)
        op = OPS.get(name)
        if base is not None:
            assert own == parameters(base), name
        elif isinstance(op, FusedOp):
            assert own == op.args + op.statics, name
        elif name.endswith("_vjp"):
            fused = OPS.get(name.removesuffix("_vjp"))
            assert isinstance(fused, FusedOp), f"{name}: a backward kernel of no fused op"
            assert own[0] == "g", name
            assert set(own[1:]) <= {*fused.names, "needs"}, name
            assert hasattr(kind, fused.name), f"{name}: a backward kernel without its forward one"
        else:
            assert name in OVER_LISTS, f"{name}: neither primitive nor fused op"


def test_rules_name_what_there_is():
    """A rule's parameters are arguments of its op, `y`, static parameters, or shapes and dtypes."""
    for op in OPS.values():
        allowed = {*op.args, *op.statics, "y"}
        allowed |= {f"{arg}_{what}" for arg in op.args for what in ("shape", "dtype")}
        for arg, rule in op.rules.items():
            assert arg in op.args, op.name
            assert set(rule_needs(rule)) <= allowed, op.name


# ---- imports go down only

LAYERS = [
    "version", "allocator", "paths", "first_call", "detours", "errors", "formats", "dtypes",
    "arguments", "modes", "graph", "saved", "sparse_rows", "walk", "engine", "backend",
    "elementwise", "formula", "stepping", "codegen", "explain", "out", "op", "several", "fused",
    "inplace", "random", "ops", "profiler", "autograd", "printing", "inplace_ops", "operators",
    "public", "tensor_ops", "tensor_fields", "shared", "tensor_memory", "tensor_graph", "_tensor",
    "typed", "settings", "amp", "cuda", "accelerator", "hub",
    ("audio", "compiler", "data", "distributed", "fft", "func", "linalg", "multiprocessing",
    "signal", "special", "testing", "types", "viz"), "distributions", "utils", "nn", "optim", "io",
    "datasets", "text", "later", "__init__", "warmup",
]  # fmt: skip
OPS_LAYERS = [
    ("creation", "expecting"), ("layouts", "queries", "sequences"), "sampling", "pieces", "shape",
    "joining", "cutting", ("diagonals", "strides"), "rearranging", "conversion", "moving",
    "places", "logic", "choice", "complex_parts", "pointwise", "polar", "arithmetic", "floats",
    "special", "rejection", "index_forms", "indexing", "scattering", "drawing", "reduction",
    "over_elements", "picking", "scan",
    ("closeness", "distinct", "multiplying", "ordering", "softmaxes", "norms", "statistics"),
    ("binning", "quantiles"), "differences",
    "linalg", "matrices", ("products", "einsum", "solving"), ("factors", "decompositions"), "lu",
    ("covariance", "least_squares", "matrix_norms"), "tensor_norm", "linear", "tapers", "fourier",
    ("activation", "rectifiers", "embedding", "normalization", "distance"),
    "bags", "taps", "windows",
    ("convolution", "folding", "grids", "padding", "pooling", "unpooling"),
    ("adaptive", "fractional", "transposed"), "resampling",
    ("dropout", "recurrent", "loss", "spectrogram"),
    ("attention", "class_loss", "margin_loss", "ctc"),
]  # fmt: skip


def height(name, layers):
    for number, layer in enumerate(layers):
        if name in (layer if isinstance(layer, tuple) else (layer,)):
            return number
    raise AssertionError(f"{name}: in no layer")


PACKAGES = {"tensorgrad", *(f"tensorgrad.{name}" for name in ("backends", "nn", "ops", "optim"))}


def imports(path):
    """The modules of tensorgrad that a file imports, anywhere but under TYPE_CHECKING."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.startswith("tensorgrad."))
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module in PACKAGES:
                yield from (f"{node.module}.{alias.name}" for alias in node.names)
            elif node.module.startswith("tensorgrad."):
                yield node.module


def library_files():
    for path in sorted((ROOT / "tensorgrad").rglob("*.py")):
        parts = path.relative_to(ROOT / "tensorgrad").with_suffix("").parts
        if parts[0] not in ("backends", "kernels"):  # links; see below
            yield parts, path


def test_imports_go_down_only():
    seen = 0
    for parts, path in library_files():
        mine = height(parts[0], LAYERS)
        for target in imports(path):
            names = target.split(".")[1:]
            if names[0] in ("backends", "kernels"):
                pytest.fail(f"{path}: imports {target}; backends are found by name")
            theirs = height(names[0], LAYERS)
            assert theirs < mine or names[0] == parts[0], f"{path}: imports {target} from above"
            if names[0] == parts[0] == "ops" and parts[1] != "__init__":
                above = height(names[1], OPS_LAYERS) >= height(parts[1], OPS_LAYERS)
                assert not above, f"{path}: imports {target} from above"
            seen += 1
    assert seen >= 150


def test_backends_and_kernels_know_arrays_only():
    allowed = {
        "backends": (
            *("tensorgrad.backend", "tensorgrad.dtypes", "tensorgrad.errors"),
            "tensorgrad.kernels.cuda",
        ),
        "kernels": ("tensorgrad.errors",),
    }
    count = 0
    for folder, outside in allowed.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            for target in imports(path):
                inside = target.startswith(f"tensorgrad.{folder}.")
                assert inside or target in outside, f"{path}: imports {target}"
                count += 1
    assert count >= 15


def test_only_backends_touch_array_libraries():
    """Above the backends nobody calls NumPy on an array. These make arrays from data on the host,
    read them there, or name dtypes.
    """
    readers = {
        "tensor_memory", "tensor_fields", "_tensor", "shared", "dtypes",
        "random", "ops/creation", "ops/layouts", "ops/sampling", "autograd/gradcheck", "printing",
        "nn/init", "nn/module", "io/__init__", "io/tree", "io/archives",
        "io/pickled",
    }  # fmt: skip
    found = set()
    for parts, path in library_files():
        if parts[0] in ("data", "datasets", "text"):
            continue
        names = {
            alias.name
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
            for alias in node.names
        }
        if "numpy" in names:
            found.add("/".join(parts))
    assert found <= readers


def test_every_module_says_what_it_knows():
    for folder in ("tensorgrad", "backends", "kernels"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            text = path.read_text()
            if text.strip():
                assert ast.get_docstring(ast.parse(text)), f"{path}: no docstring"


def test_no_module_is_long():
    """What does not fit 400 lines is more than one thing."""
    lengths = {
        path: len(path.read_text().splitlines())
        for folder in ("tensorgrad", "backends", "kernels", "bench", "examples", "tests")
        for path in (ROOT / folder).rglob("*.py")
    }
    assert len(lengths) >= 350
    assert {path: n for path, n in lengths.items() if n > 400} == {}
