"""Elementwise rules, written down as text: what a backend may compile to one pass over many arrays.

A rule is a function of arrays and numbers in operators and elementwise ops, such as an optimizer's.
Run on symbols in place of arrays it leaves a trace, source text of one assignment a line. x0, x1,
... are an element of each array, c0, c1, ... the numbers it met, t0, t1, ... what it computed, and
y0, y1, ... what becomes of x0, x1, ... where that changes:

    t0 = c0 * x1
    t1 = x0 - t0
    y0 = t1

The rule's own tests of numbers and of None have been decided by then. Numbers are not part of the
text, so that a step with another learning rate has the same one. The text may call what `Tracer`
has as a method. What the rule computes of the step's number is written down as well, with its
tests, so that a later step needs no other trace, and a GPU that counts its steps can compute it.
Symbols stand in for arrays in tensors, too, where `tensorgrad.formula` asks for a gradient. Knows
backends, no tensor.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Sequence
from functools import cache, partial
from typing import Any

from tensorgrad import dtypes, modes
from tensorgrad.backend import CPU, Backends


class Trace:
    """What a rule did: the text, its numbers in their order, and the results that are no arrays."""

    def __init__(
        self,
        rule: Callable[..., Sequence[Any]],
        arguments: Sequence[Any],
        numbers: dict[str, Any],
        targets: Iterable[int],
        count: int | None = None,
    ) -> None:
        """arguments: the rule's by position, with ARRAY for an array; numbers: those by keyword;
        targets: which arguments its results are the new values of; count: which one is the number
        of the step, if it is to be followed. TypeError if the rule does more with it than `Count`
        can.
        """
        tape = Tape()
        given = []
        arrays = 0
        for place, value in enumerate(arguments):
            if value is ARRAY:
                value = Symbol(f"x{arrays}", tape)
                arrays += 1
            elif place == count:
                value = Count(value, "step", tape)
            given.append(value)
        token = modes.variable.set(_tracing)
        try:
            results = rule(*given, **numbers)
        finally:
            modes.variable.reset(token)
        for target, result in zip(targets, results, strict=False):
            symbol = given[target]
            if symbol.__class__ is Symbol and result is not symbol:
                tape.lines.append(f"y{symbol.name[1:]} = {tape.operand(result)}")
        self.text = "\n".join(tape.lines)
        self.numbers = [value_of(number) for number in tape.numbers]
        self.results = [None if value.__class__ is Symbol else value for value in results]
        self.tape = tape

    def renew(self, step: float) -> bool:
        """Let the numbers be those of another step; False if the rule does another thing there."""
        tape = self.tape
        if tape.follow is None:
            sources = ", ".join(self.sources())
            tests = " and ".join(tape.tests) or "True"
            tape.follow = _function(f"lambda step, k: [{sources}] if {tests} else None")
        numbers = tape.follow(step, tape.constants)
        if numbers is None:
            return False
        self.numbers = numbers
        return True

    def sources(self) -> list[str]:
        """How each number follows the step's: Python, and C as well, of the number `step`, of
        `power(x, y)` and of k[0], k[1], ..., which are `constants`.
        """
        tape = self.tape
        if tape.sources is None:
            tape.sources = [tape.source(number) for number in tape.numbers]
        return tape.sources

    @property
    def constants(self) -> list[float]:
        return self.tape.constants

    @property
    def has_choices(self) -> bool:
        """Whether the rule does another thing at some steps than at others."""
        return bool(self.tape.tests)


@cache
def _function(source: str) -> Callable[[float, list[Any]], list[float] | None]:
    return eval(source, {"power": operator.pow})  # type: ignore[no-any-return]


class Tape:
    """What is written while a rule runs. `tests` are Python, as `Trace.sources`."""

    __slots__ = ("constants", "follow", "lines", "numbers", "sources", "tests")

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.numbers: list[Any] = []
        self.constants: list[Any] = []
        self.tests: list[str] = []
        self.sources: list[str] | None = None
        self.follow: Callable[[float, list[Any]], list[float] | None] | None = None

    def source(self, value: Any) -> str:
        if value.__class__ is Count:
            source: str = value.source
            return source
        self.constants.append(value)
        return f"k[{len(self.constants) - 1}]"

    def operand(self, value: Any) -> str:
        if isinstance(value, Symbol):
            name: str = value.name
            return name
        self.numbers.append(value)
        return f"c{len(self.numbers) - 1}"


def _left(sign: str) -> Any:
    """The operator, symbol on the left. Tracing is most of a small model's step: one frame, one
    object.
    """

    def method(self: Symbol, other: Any) -> Symbol:
        tape = self.tape
        lines = tape.lines
        result = _new(Symbol)
        result.tape = tape
        result.name = name = f"t{len(lines)}"
        if other.__class__ is Symbol:
            lines.append(f"{name} = {self.name} {sign} {other.name}")
        else:
            numbers = tape.numbers
            lines.append(f"{name} = {self.name} {sign} c{len(numbers)}")
            numbers.append(other)
        return result

    return method


def _right(sign: str) -> Any:
    def method(self: Symbol, other: Any) -> Symbol:
        tape = self.tape
        lines, numbers = tape.lines, tape.numbers
        result = _new(Symbol)
        result.tape = tape
        result.name = name = f"t{len(lines)}"
        lines.append(f"{name} = c{len(numbers)} {sign} {self.name}")
        numbers.append(other)
        return result

    return method


def _tests(sign: str) -> Any:
    def method(self: Symbol, other: Any) -> Mask:
        tape = self.tape
        name = f"t{len(tape.lines)}"
        tape.lines.append(f"{name} = {self.name} {sign} {tape.operand(other)}")
        return Mask(name, tape)

    return method


class Symbol:
    """An array in a rule that is traced. What it cannot do, no such rule may do."""

    __slots__ = ("name", "tape")
    __array_ufunc__ = None  # a NumPy number on the left leaves the operator to the symbol
    __hash__ = None  # type: ignore[assignment]
    # As a tensor's array it is one element, which meets Python numbers as all floats do.
    dtype: Any = dtypes.float32
    shape = ()
    ndim, size = 0, 1

    def __init__(self, name: str, tape: Tape) -> None:
        self.name = name
        self.tape = tape

    def __neg__(self) -> Any:
        return _call("-", self)

    __add__, __radd__ = _left("+"), _right("+")
    __sub__, __rsub__ = _left("-"), _right("-")
    __mul__, __rmul__ = _left("*"), _right("*")
    __truediv__, __rtruediv__ = _left("/"), _right("/")
    __lt__, __gt__ = _tests("<"), _tests(">")
    __le__, __ge__ = _tests("<="), _tests(">=")
    __eq__, __ne__ = _tests("=="), _tests("!=")


class Mask(Symbol):
    """What a comparison gives: a choice may depend on it."""

    __slots__ = ()
    dtype = dtypes.bool_

    def __invert__(self) -> Any:
        return _call("not", self, kind=Mask)

    __and__, __or__ = _tests("&"), _tests("|")


_new = object.__new__


def value_of(number: Any) -> Any:
    return number.value if number.__class__ is Count else number


def _counted(sign: str, compute: Callable[[Any, Any], Any], swapped: bool = False) -> Any:
    def method(self: Count, other: Any) -> Any:
        if other.__class__ is Symbol:
            return NotImplemented
        pair = (other, self) if swapped else (self, other)
        left, right = [self.tape.source(value) for value in pair]
        result = compute(*[value_of(value) for value in pair])
        source = f"power({left}, {right})" if sign == "**" else f"({left} {sign} {right})"
        return Count(result, source, self.tape)

    return method


def _tested(sign: str, compute: Callable[[Any, Any], bool]) -> Any:
    def method(self: Count, other: Any) -> bool:
        outcome = compute(self.value, value_of(other))
        self.tape.tests.append(f"({self.source} {sign} {self.tape.source(other)}) is {outcome}")
        return outcome

    return method


class Count:
    """The number of the step in a rule that is traced, or what is computed of it: its value now,
    and the source by which it follows the step. A test of it holds for as long as it has the same
    outcome. There is no way to a plain number, whose origin would be lost.
    """

    __slots__ = ("source", "tape", "value")
    __array_ufunc__ = None
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: Any, source: str, tape: Tape) -> None:
        self.value = value
        self.source = source
        self.tape = tape

    def __bool__(self) -> bool:
        outcome = bool(self.value)
        self.tape.tests.append(f"bool({self.source}) is {outcome}")
        return outcome

    def __neg__(self) -> Count:
        return Count(-self.value, f"(-{self.source})", self.tape)

    __add__, __radd__ = _counted("+", operator.add), _counted("+", operator.add, True)
    __sub__, __rsub__ = _counted("-", operator.sub), _counted("-", operator.sub, True)
    __mul__, __rmul__ = _counted("*", operator.mul), _counted("*", operator.mul, True)
    __truediv__ = _counted("/", operator.truediv)
    __rtruediv__ = _counted("/", operator.truediv, True)
    __pow__, __rpow__ = _counted("**", operator.pow), _counted("**", operator.pow, True)
    __mod__, __floordiv__ = _counted("%", operator.mod), _counted("//", operator.floordiv)
    __lt__, __le__ = _tested("<", operator.lt), _tested("<=", operator.le)
    __gt__, __ge__ = _tested(">", operator.gt), _tested(">=", operator.ge)
    __eq__, __ne__ = _tested("==", operator.eq), _tested("!=", operator.ne)


def _call(function: str, *arguments: Any, kind: Any = Symbol) -> Any:
    tape: Tape = next(value.tape for value in arguments if isinstance(value, Symbol))
    name = f"t{len(tape.lines)}"
    given = ", ".join([tape.operand(value) for value in arguments])
    tape.lines.append(f"{name} = {function}({given})")
    return kind(name, tape)


def _limited(input: Symbol, low: float | None, high: float | None) -> Any:
    ends = -math.inf if low is None else low, math.inf if high is None else high
    return _call("clamp_to", input, *ends)


class Tracer:
    """The backend of symbols: it writes down what it is asked for."""

    name = "tracer"
    device_type = "trace"
    default_device = CPU
    array_types = (Symbol, Mask)

    abs = staticmethod(partial(_call, "abs"))
    clamp_to = staticmethod(_limited)
    exp = staticmethod(partial(_call, "exp"))
    log = staticmethod(partial(_call, "log"))
    log1p = staticmethod(partial(_call, "log1p"))
    maximum = staticmethod(partial(_call, "maximum"))
    sigmoid = staticmethod(partial(_call, "sigmoid"))
    sign = staticmethod(partial(_call, "sign"))
    sqrt = staticmethod(partial(_call, "sqrt"))
    where = staticmethod(partial(_call, "where"))
    xlogy = staticmethod(partial(_call, "xlogy"))
    add = staticmethod(operator.add)
    sub = staticmethod(operator.sub)
    mul = staticmethod(operator.mul)
    div = staticmethod(operator.truediv)
    neg = staticmethod(operator.neg)
    lt = staticmethod(operator.lt)
    le = staticmethod(operator.le)
    gt = staticmethod(operator.gt)
    ge = staticmethod(operator.ge)
    eq = staticmethod(operator.eq)
    ne = staticmethod(operator.ne)
    bitwise_and = staticmethod(operator.and_)
    bitwise_or = staticmethod(operator.or_)
    bitwise_not = staticmethod(operator.invert)

    @staticmethod
    def of_scalar(value: Any) -> Any:
        return value

    @staticmethod
    def own(value: Any, shared: bool) -> Any:
        return value

    def __getattr__(self, name: str) -> Any:
        known = [known for known, value in vars(Tracer).items() if isinstance(value, staticmethod)]
        raise AttributeError(
            f"{name}: expected an elementwise rule of operators and {', '.join(known)}, got {name}"
        )


ARRAY = object()
table = Backends()
table.choose(Tracer())
_tracing = modes.Mode(backends=table, grad=False)
