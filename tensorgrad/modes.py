"""What holds for the running thread: whether ops are recorded, and who computes.

One context variable carries it all, so that an op asks once. A context variable is per thread (and
per asyncio task) by itself and costs 8 ns to read, a `threading.local` 30 to 50.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextvars import ContextVar
from types import TracebackType
from typing import Any, TypeVar

GENERATOR = 0x20  # the flag of generator functions in `co_flags` (inspect.CO_GENERATOR)
Packing = tuple[Callable[[Any], Any], Callable[[Any], Any]]
Function = TypeVar("Function", bound=Callable[..., Any])


class Mode:
    """One immutable setting. `record` is what ops read: gradients wanted and not in
    inference mode.
    """

    __slots__ = (
        "_uncast", "anomaly", "autocast", "backends", "check_nan", "grad", "inference", "kinds",
        "outer", "packing", "record", "watched",
    )  # fmt: skip

    def __init__(
        self,
        backends: Any,
        grad: bool = True,
        inference: bool = False,
        anomaly: bool = False,
        check_nan: bool = True,
        outer: Mode | None = None,
        packing: Packing | None = None,
        autocast: Any = None,
    ) -> None:
        self.take(backends)
        self.grad = grad
        self.inference = inference
        self.anomaly = anomaly
        self.check_nan = check_nan
        self.outer = outer  # what held before the innermost `with` block
        self.packing = packing  # who keeps what nodes save, if not the nodes
        self.autocast = autocast  # what `amp.autocast` asks of ops, or None
        self._uncast: Mode | None = None
        self.watched = anomaly or packing is not None
        self.record = grad and not inference

    def take(self, backends: Any) -> None:
        """Let this table say who computes. Ops look into its plain dict, which is quicker."""
        self.backends = backends
        self.kinds = backends.kinds if backends is not None else {}

    def but(self, **changes: Any) -> Mode:
        """A copy with some settings changed."""
        take = changes.get
        return Mode(
            take("backends", self.backends),
            take("grad", self.grad),
            take("inference", self.inference),
            take("anomaly", self.anomaly),
            take("check_nan", self.check_nan),
            take("outer", self.outer),
            take("packing", self.packing),
            take("autocast", self.autocast),
        )

    def uncast(self) -> Mode:
        """The same without autocast: how the insides of an op run. Made once, as each op asks."""
        if self._uncast is None:
            self._uncast = self.but(autocast=None)
        return self._uncast


# The default is filled in by backend.py, which knows what a table of backends is.
default = Mode(backends=None)
variable: ContextVar[Mode] = ContextVar("tensorgrad_mode", default=default)
current = variable.get


class ModeContext:
    """Changes the mode for a `with` block or for a decorated function.

    What to return to is kept by the mode, not by this object, so that several threads may enter
    one object at a time.
    """

    def __init__(self, **changes: Any) -> None:
        self.changes = changes

    def __enter__(self) -> None:
        mode = current()
        variable.set(mode.but(outer=mode, **self.changes))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        outer = current().outer
        if outer is not None:
            variable.set(outer)

    def __call__(self, function: Function) -> Function:
        @functools.wraps(function)
        def inside(*args: Any, **kwargs: Any) -> Any:
            with ModeContext(**self.changes):
                return function(*args, **kwargs)

        @functools.wraps(function)
        def inside_steps(*args: Any, **kwargs: Any) -> Any:
            steps = function(*args, **kwargs)
            while True:
                with ModeContext(**self.changes):
                    try:
                        value = next(steps)
                    except StopIteration as end:
                        return end.value
                yield value  # outside: the caller keeps its own mode

        code = getattr(function, "__code__", None)
        if code is not None and code.co_flags & GENERATOR:
            return inside_steps  # type: ignore[return-value]
        return inside  # type: ignore[return-value]


class _GradMode(ModeContext):
    """A mode that also decorates a function without being called first: `@no_grad`, as
    `@no_grad()`.
    """

    settings: dict[str, Any] = {}

    def __new__(cls, function: Callable[..., Any] | None = None) -> Any:
        context = super().__new__(cls)
        if function is None:
            return context
        context.__init__()  # type: ignore[misc]
        return context(function)

    def __init__(self, function: None = None) -> None:
        super().__init__(**self.settings)


class no_grad(_GradMode):
    """Ops inside are not recorded: results do not require gradients. Context manager
    and decorator.
    """

    settings = {"grad": False}


class enable_grad(_GradMode):
    """Ops inside are recorded again, within `no_grad`. Context manager and decorator."""

    settings = {"grad": True}


class inference_mode(ModeContext):
    """As `no_grad`, and `enable_grad` inside does not switch recording on again."""

    def __init__(self, mode: bool = True) -> None:
        super().__init__(inference=mode)


class set_grad_enabled(ModeContext):
    """Switch recording on or off: from the call on, and as a context manager until the
    block ends.
    """

    def __init__(self, mode: bool) -> None:
        super().__init__(grad=mode)
        self.before = current()
        variable.set(self.before.but(grad=mode))

    def __enter__(self) -> None:
        pass

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        variable.set(self.before)

    def __call__(self, function: Function) -> Function:
        variable.set(self.before)
        return super().__call__(function)


def is_grad_enabled() -> bool:
    """Whether ops on tensors that require gradients are recorded in this thread."""
    return current().record


def is_inference_mode_enabled() -> bool:
    return current().inference


def is_anomaly_enabled() -> bool:
    """Whether `detect_anomaly` or `set_detect_anomaly` holds in this thread."""
    return current().anomaly


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly detection, where it is on, looks for NaN."""
    return current().check_nan


class set_detect_anomaly(set_grad_enabled):
    """Switch anomaly detection on or off: from the call on, and as a context manager until the
    block ends.

    While it is on, every recorded op keeps the stack of its call, `backward` looks for NaN in each
    gradient that a rule returns (unless `check_nan` is false), and an error names the line of the
    forward op.
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        ModeContext.__init__(self, anomaly=mode, check_nan=check_nan)
        self.before = current()
        variable.set(self.before.but(**self.changes))


class detect_anomaly(ModeContext):
    """Anomaly detection for a `with` block; see `set_detect_anomaly`."""

    def __init__(self, check_nan: bool = True) -> None:
        super().__init__(anomaly=True, check_nan=check_nan)
