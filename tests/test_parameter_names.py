"""Arguments by their names: what PyTorch takes by keyword is taken here, and called the same.

PyTorch's compiled functions have no signature to read, so the calls are made: each op's case, all
of its arguments by the names of this library.
"""

import inspect

import pytest

import tensorgrad as tg
from tests.cases import CASES, draw, map_arrays
from tests.oracle import as_torch, outcome

torch = pytest.importorskip("torch")

HOMES = ("nn.functional", "", "linalg", "special", "fft")

# Where PyTorch documents other names than it takes: the documented ones are here.
DOCUMENTED = {
    "dsplit": "indices_or_sections, taken as indices or sections; both here",
    "hsplit": "indices_or_sections, taken as indices or sections; both here",
    "tensor_split": "indices_or_sections, taken as indices or sections; both here",
    "vsplit": "indices_or_sections, taken as indices or sections; both here",
    "inverse": "A, taken as input; both here",
    "det": "A, taken as input; both here",
    "slogdet": "A, taken as input; both here",
    "linalg.cond": "A, taken as input; both here",
    "linalg.matrix_norm": "A, taken as input; both here",
    "linalg.matrix_rank": "A, taken as input; both here",
    "linalg.norm": "A, taken as input; both here",
    "linalg.pinv": "A, taken as input; both here",
    "linalg.solve_triangular": "A, taken as input; both here",
    "linalg.tensorinv": "A, taken as input; both here",
    "linalg.tensorsolve": "A and B, taken as input and other; A, B and input here",
    "triangular_solve": "b, taken as input; both here",
    "nn.functional.one_hot": "tensor, taken as input; both here",
}


def home_of(library, path):
    for part in filter(None, path.split(".")):
        library = getattr(library, part)
    return library


def public_names():
    """The dotted names of public functions, by the function."""
    found = {}
    for path in HOMES:
        for name, value in vars(home_of(tg, path)).items():
            if callable(value) and callable(getattr(home_of(torch, path), name, None)):
                dotted = f"{path}.{name}".lstrip(".")
                found.setdefault(value, dotted)
                found.setdefault(getattr(value, "__wrapped__", value), dotted)
    return found


def keyword_calls():
    """For each public function of the table, the first case whose arguments all have names."""
    names, found = public_names(), {}
    for case in CASES:
        name = names.get(case.function) if case.function.__hash__ else None
        if name is None or name in found:
            continue
        kinds = [p.kind for p in inspect.signature(case.function).parameters.values()]
        if inspect.Parameter.VAR_POSITIONAL not in kinds:
            found[name] = case
    return found


CALLS = keyword_calls()


def converted(value):
    """A value of the table as PyTorch's: arrays, and dtypes."""
    if type(value).__name__.endswith("DType"):
        return getattr(torch, str(value))
    return map_arrays(as_torch, value)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", sorted(CALLS.keys() - DOCUMENTED.keys()))
def test_pytorch_takes_the_same_names(name):
    case = CALLS[name]
    bound = inspect.signature(case.function).bind(*draw(case), **case.kwargs)
    function = home_of(torch, name)
    named = {key: converted(value) for key, value in bound.arguments.items()}
    result = outcome(lambda: function(**named))
    # What it says of the numbers is nothing about names.
    if isinstance(result, TypeError):
        words = ("unexpected keyword", "required positional", "invalid combination")
        assert not any(part in str(result) for part in words)


def test_second_names():
    x = tg.tensor([[2.0, 1.0], [1.0, 3.0]])
    for name in ("det", "inverse", "linalg.cond", "linalg.norm", "linalg.pinv", "linalg.tensorinv"):
        options = {"ind": 1} if name == "linalg.tensorinv" else {}
        function = home_of(tg, name)
        assert tg.equal(function(input=x, **options), function(A=x, **options))
    for name in ("sections", "indices"):
        assert tg.tensor_split(x, **{name: 2})[1].tolist() == [[1.0, 3.0]]
    assert tg.dropout(x, p=0.5, train=False) is x
    assert tg.sum(x, axis=0, keepdims=True).shape == (1, 2)


def test_dtypes_by_name():
    assert tg.can_cast(from_=tg.int64, to=tg.float32)
    assert not tg.can_cast(from_=tg.float32, to=tg.int64)
    assert tg.promote_types(type1=tg.int64, type2=tg.float16) is tg.float16
    tg.set_default_dtype(d=tg.get_default_dtype())
    tg.set_rng_state(new_state=tg.get_rng_state())


def test_most_functions_are_called():
    assert len(CALLS) >= 370
    assert CALLS.keys() >= DOCUMENTED.keys()
