"""The op set against PyTorch's own op database: every entry whose name belongs to this library.

PyTorch's wheel carries the table that its own tests loop over: sample inputs, variants and error
inputs of every op. Here each sample is called on both libraries and must agree in values, shapes,
dtypes, gradients and second gradients; what raises there must raise here.
"""

import warnings
from fnmatch import fnmatch
from functools import partial

import pytest

import tensorgrad as tg
from tests.torch_samples import (
    Findings,
    assert_gradient,
    assert_same,
    call,
    cotangents,
    doubled,
    flat,
    leaves,
    our_gradients,
    outside,
    samples_of,
    to_ours,
    torch_gradients,
)

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest", reason="PyTorch's op database imports it")

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from torch.testing._internal.common_methods_invocations import op_db

# PyTorch warns of its own deprecations, and of what both libraries do with an `out` of another
# shape; the warnings are not what is compared here.
pytestmark = pytest.mark.filterwarnings("ignore")

# Entries that this library leaves out, by pattern, and why.
ABSENT = {
    "_[!_]*": "PyTorch's internals",
    "torch.*": "PyTorch's internals",
    "native_*": "PyTorch's internals behind nn.functional",
    "hash_tensor": "an unstable checksum of PyTorch's own bits",
    "jiterator_*": "compiles CUDA source",
    "masked.*": "PyTorch's experimental masked tensors",
    "chalf": "no complex numbers of half precision, which NumPy has not",
    "*[!x]_copy": "twins of views for PyTorch's compilers, of which index_copy is none",
    "sparse.*": "no sparse tensors: embeddings carry sparse gradients of their own",
    "geqrf": "reflectors of LAPACK's, of which qr makes Q",
    "linalg.householder_product": "reflectors of LAPACK's, of which qr makes Q",
    "linalg.ldl_*": "an experimental factorization of PyTorch's without gradients",
    "ormqr": "reflectors of LAPACK's, of which qr makes Q",
    "*_lowrank": "approximations by random vectors: svd is exact",
    "slice": "no public name of PyTorch's",
    "to_sparse": "no sparse tensors: embeddings carry sparse gradients of their own",
    "special.*_polynomial_*": "orthogonal polynomials, without gradients in PyTorch",
    "special.*bessel*": "Bessel functions of physics, without gradients in PyTorch",
    "special.airy_ai": "a function of physics, without gradients in PyTorch",
    "special.zeta": "without gradients in PyTorch; its integer orders are polygamma",
    "max_pool2d_with_indices_backward": "a step of PyTorch's own backward pass",
}

DTYPES = ("float32", "float64", "int64", "bool")
SECOND = 4  # so many samples of an entry are differentiated twice

# Relative errors of PyTorch's second gradients in double precision, where terms that are far larger
# may cancel; its trigamma has ten digits.
SECOND_ROUGH = 1e-10
ROUGH = {"lgamma": 1e-9, "mvlgamma": 1e-9}

# What a call draws is random: shapes and dtypes are compared, numbers are not.
RANDOM = {
    "bernoulli", "cauchy", "empty", "empty_like", "empty_permuted", "empty_strided", "exponential",
    "geometric", "log_normal", "multinomial", "new_empty", "new_empty_strided",
    "nn.functional.alpha_dropout", "nn.functional.dropout", "nn.functional.dropout2d",
    "nn.functional.dropout3d", "nn.functional.feature_alpha_dropout",
    "nn.functional.fractional_max_pool2d", "nn.functional.fractional_max_pool3d",
    "nn.functional.rrelu",
    "normal", "rand_like", "randint", "randint_like", "randn", "randn_like", "uniform",
}  # fmt: skip


# Where PyTorch's gradient is not that of its values.
WRONG_GRADIENT = {
    "as_strided_scatter": "the input gets the gradient of what was overwritten, and no other",
}


def title(entry):
    return f"{entry.name}.{entry.variant_test_name}".rstrip(".")


def absent(entry):
    return any(fnmatch(entry.name, pattern) for pattern in ABSENT)


ENTRIES = [entry for entry in op_db if not absent(entry)]


# Functions whose samples have the tensor first, though the function has it later.
TENSOR_FIRST = {
    "where": lambda input, condition, other, **options: tg.where(
        condition, input, other, **options
    ),
    "polygamma": lambda input, n, **options: tg.polygamma(n, input, **options),
    "special.polygamma": lambda input, n, **options: tg.special.polygamma(n, input, **options),
    "einsum": lambda operands, equation: tg.einsum(equation, *operands),
}

# At 0, where the second gradient of a norm is infinite: PyTorch says NaN of the flat direction too.
NAN_TWICE = ("linalg.norm.subgradients_at_zero",)

# Entries that stand for a function of several calls.
COMPOSED = {
    "linalg.lstsq.grad_oriented": lambda a, b, driver: tg.linalg.lstsq(a, b, driver=driver)[:2],
    "linalg.pinv.singular": lambda a, b: tg.linalg.pinv(a @ b.mT),
}

# Decompositions whose vectors are determined up to their signs: the database says what to compare.
UP_TO_SIGNS = ("linalg.eig", "linalg.eigh", "linalg.svd", "svd")


# Functions whose indices may name any of equal elements, and where among their arguments `dim` is.
ANY_OF_EQUALS = {"argsort": 0, "kthvalue": 1, "mode": 0, "sort": 0, "topk": 1}

# Functions whose samples hand the second argument first.
WEIGHT_FIRST = ("nn.functional.embedding", "nn.functional.embedding_bag")

# PyTorch has no second gradients there, though the database expects them.
ONCE = (
    "nn.functional.ctc_loss",
    "nn.functional.linear_cross_entropy.chunked",
    "nn.functional.linear_cross_entropy.chunked_none",
)

# PyTorch's gradient has a constant (1/6) rounded to single precision, in double precision too.
INEXACT = ("nn.functional.hardsigmoid",)


def find(entry):
    """This library's function of PyTorch's public name; a method where there is no function."""
    name = entry.name
    if title(entry) in COMPOSED:
        return COMPOSED[title(entry)]
    if name in TENSOR_FIRST:
        return TENSOR_FIRST[name]
    if name.startswith("__"):
        return getattr(tg.Tensor, name)
    if entry.variant_test_name == "in_place":
        return getattr(tg.Tensor, f"{name}_")
    if name.endswith("_"):  # in place, on a copy
        write = getattr(tg.Tensor, name)
        return lambda input, *args: write(input.clone(), *args)
    home = tg
    try:
        for part in name.split("."):
            home = getattr(home, part)
    except AttributeError:
        home = None
    if not callable(home):  # none, or a dtype: `tg.float`
        home = getattr(tg.Tensor, name, None) or getattr(tg.Tensor, f"{name}_", None)
    if isinstance(home, property):
        home = home.fget
    if home is None:
        pytest.fail(f"{name}: no such function or method", pytrace=False)
    if name in WEIGHT_FIRST:
        return lambda weight, input, **kwargs: home(input, weight, **kwargs)
    return home


def drawn(entry, sample):
    """Whether a call's numbers are random: of ops that draw, and of attention with dropout."""
    dropped = sample.kwargs.get("dropout_p", 0.0)
    if entry.name == "nn.functional.multi_head_attention_forward":
        dropped = sample.args[9] * sample.kwargs["training"]
    return entry.name in RANDOM or dropped > 0


def dtypes_of(entry):
    return [dtype for dtype in DTYPES if entry.supports_dtype(getattr(torch, dtype), "cpu")]


CALLS = [(entry, dtype) for entry in ENTRIES for dtype in dtypes_of(entry)]
GRADIENTS = [
    (entry, dtype)
    for entry, dtype in CALLS
    if entry.supports_autograd
    and dtype in ("float32", "float64")
    and entry.name not in RANDOM
    and entry.name not in WRONG_GRADIENT
    and not (entry.name in INEXACT and dtype == "float64")
]


def name_of(pair):
    return f"{title(pair[0])}-{pair[1]}"


def elements_at(indices, sample, place):
    """The elements that the indices of either library name along the sample's dimension."""
    dim = sample.kwargs.get("dim", sample.args[place] if len(sample.args) > place else -1)
    ours = isinstance(indices, tg.Tensor)
    named = torch.from_numpy(indices.numpy()) if ours else indices
    assert named.dtype == torch.int64
    named = named if named.ndim == sample.input.ndim else named.unsqueeze(dim)
    found = sample.input.detach().gather(dim, named)
    return to_ours(found) if ours else found


def determined(entry, sample, result):
    """What of a result is to be compared."""
    if entry.name in ANY_OF_EQUALS and not sample.kwargs.get("stable"):
        *values, indices = flat(result)
        return [*values, elements_at(indices, sample, ANY_OF_EQUALS[entry.name])]
    return flat(sample.output_process_fn_grad(result) if entry.name in UP_TO_SIGNS else result)


@pytest.mark.parametrize("pair", CALLS, ids=name_of)
def test_values(pair):
    entry, dtype = pair
    function = find(entry)
    findings = Findings()

    def check(sample):
        theirs = determined(entry, sample, entry(sample.input, *sample.args, **sample.kwargs))
        ours = determined(entry, sample, call(function, sample))
        assert len(ours) == len(theirs)
        for number, (one, two) in enumerate(zip(ours, theirs, strict=True)):

            def truth(number=number, rounded=False):
                arguments = doubled([sample.input, list(sample.args), sample.kwargs], rounded)
                exact = entry(arguments[0], *arguments[1], **arguments[2])
                return determined(entry, sample, exact)[number]

            assert_same(one, two, f"output {number}", not drawn(entry, sample), truth)

    for number, sample in samples_of(entry, dtype):
        findings.of(number, sample, check)
    findings.report(name_of(pair))


@pytest.mark.parametrize("pair", GRADIENTS, ids=name_of)
def test_gradients(pair):
    entry, dtype = pair
    function = find(entry)
    findings = Findings()

    def check(sample, twice):
        if drawn(entry, sample):
            return
        arguments = [sample.input, list(sample.args), list(sample.kwargs.values())]
        places, weights, found = torch_gradients(entry, sample, arguments, twice)
        if not places:
            return
        mine = to_ours(arguments)
        own = our_gradients(function, sample, mine, places, weights, twice)
        for number, (one, two) in enumerate(zip(own, found, strict=True)):

            def truth(number=number, rounded=False):
                exact = doubled(arguments, rounded)
                return torch_gradients(entry, sample, exact, False)[2][number]

            assert_gradient(one, two, f"gradient {number}", truth)
        chosen = [i for i, x in enumerate(found) if x is not None and x.requires_grad]
        if not twice or not chosen:
            return
        found, own = [found[i] for i in chosen], [own[i] for i in chosen]
        assert all(x.requires_grad for x in own), "a gradient without a history"
        weights = cotangents(found, 6)
        second = torch.autograd.grad(found, leaves(arguments), weights, allow_unused=True)
        mine2 = tg.autograd.grad(own, leaves(mine), to_ours(weights), allow_unused=True)
        for number, (one, two) in enumerate(zip(mine2, second, strict=True)):
            rough = ROUGH.get(entry.name, SECOND_ROUGH)
            assert_gradient(one, two, f"second gradient {number}", rough=rough)

    for number, sample in samples_of(entry, dtype, True):
        twice = (
            entry.supports_gradgrad
            and title(entry) not in ONCE
            and number < SECOND
            and dtype == "float64"
        )
        twice = twice and title(entry) not in NAN_TWICE
        findings.of(number, sample, lambda sample, twice=twice: check(sample, twice))
    findings.report(name_of(pair))


def writing(entry, function):
    """The in-place method; a function of nn.functional writes into its input when told so."""
    if entry.name.startswith("nn.functional."):
        return partial(function, inplace=True)
    return getattr(tg.Tensor, entry.inplace_variant.__name__)


@pytest.mark.parametrize("entry", [e for e in ENTRIES if dtypes_of(e)], ids=title)
def test_variants(entry):
    """The method, the in-place method and `out=` are there where PyTorch has them, and agree."""
    dtype = dtypes_of(entry)[0]
    function = find(entry)
    findings = Findings()
    compared = entry.name not in RANDOM and entry.name not in UP_TO_SIGNS
    method, inplace = entry.method_variant, entry.inplace_variant

    def check_method(sample):
        theirs = flat(method(sample.input, *sample.args, **sample.kwargs))
        own = getattr(tg.Tensor, entry.name if method.__name__ == "<lambda>" else method.__name__)
        for one, two in zip(flat(call(own, sample)), theirs, strict=True):
            assert_same(one, two, f"Tensor.{method.__name__}", compared)

    def check_inplace(sample):
        target = sample.input.clone()
        mine = to_ours(sample.input.clone())
        own = writing(entry, function)
        try:
            inplace(target, *sample.args, **sample.kwargs)
        except Exception:
            return
        result = own(mine, *to_ours(sample.args), **to_ours(sample.kwargs))
        assert result is mine, "in place: another tensor"
        assert_same(mine, target, "in place", compared)

    def check_out(sample):
        theirs = entry(sample.input, *sample.args, **sample.kwargs)
        if not all(isinstance(x, torch.Tensor) for x in flat(theirs)):
            return
        outs = [torch.empty(0, dtype=x.dtype) for x in flat(theirs)]
        out = outs[0] if isinstance(theirs, torch.Tensor) else tuple(outs)
        try:
            entry(sample.input, *sample.args, **sample.kwargs, out=out)
        except Exception:
            return
        if any(x.shape != wanted.shape for x, wanted in zip(outs, flat(theirs), strict=True)):
            return  # PyTorch's inverse Hermitian transforms along one dimension leave it unfilled
        mine = to_ours(out)
        call(lambda *args, **kwargs: function(*args, **kwargs, out=mine), sample)
        for one, two in zip(flat(mine), outs, strict=True):
            assert_same(one, two, "out", compared)

    for number, sample in samples_of(entry, dtype):
        if number >= 6:
            break
        if isinstance(sample.input, torch.Tensor):
            if method is not None:
                findings.of(number, sample, check_method)
            if inplace is not None and not sample.broadcasts_input:
                findings.of(number, sample, check_inplace)
        if entry.supports_out:
            findings.of(number, sample, check_out)
    findings.report(title(entry))


@pytest.mark.parametrize("entry", [e for e in ENTRIES if e.error_inputs_func], ids=title)
def test_errors(entry):
    """What PyTorch refuses is refused, with its class of exception."""
    function = find(entry)
    findings = Findings()

    def check(sample, kind):
        try:
            result = call(function, sample)
        except kind:
            return
        except Exception as error:
            raise AssertionError(f"expected {kind}, got {error!r}") from error
        raise AssertionError(f"expected {kind}, got {result!s:.80}")

    def refused(sample):  # some entries name calls that PyTorch takes
        if entry.name.startswith("__") and not isinstance(sample.input, torch.Tensor):
            return False  # by Python, as methods of classes written in C want their own class first
        try:
            entry(sample.input, *sample.args, **sample.kwargs)
        except Exception:
            return True
        return False

    for number, error in enumerate(entry.error_inputs("cpu")):
        if not outside(error.sample_input) and refused(error.sample_input):
            findings.of(
                number, error.sample_input, lambda sample, k=error.error_type: check(sample, k)
            )
    findings.report(title(entry))


def test_the_database_is_whole():
    """Entries can leave by ABSENT alone, and that list is short."""
    assert len(ENTRIES) >= 600
    assert len(CALLS) >= 1850
    assert len(GRADIENTS) >= 940
    assert len(ABSENT) <= 21
