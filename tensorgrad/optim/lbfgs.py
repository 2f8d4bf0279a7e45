"""L-BFGS: a quasi-Newton method for whole batches, with a line search that wants Wolfe's
conditions.

The curvature is known by the last steps and by the changes of the gradient along them, never as a
matrix. https://docs.pytorch.org/docs/stable/generated/torch.optim.LBFGS.html
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tensorgrad import modes
from tensorgrad.detours import shown
from tensorgrad.ops.creation import zeros_like
from tensorgrad.ops.cutting import narrow
from tensorgrad.ops.joining import cat
from tensorgrad.ops.linalg import dot
from tensorgrad.ops.pointwise import abs
from tensorgrad.ops.shape import clone, reshape
from tensorgrad.optim.optimizer import Group, Optimizer, Params

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

ENOUGH = 1e-4  # Armijo: the loss falls by at least this share of what the slope promises
FLATTER = 0.9  # curvature: the slope falls to at most this share of what it was
POSITIVE = 1e-10  # a pair of step and change is kept where their product is at least that


class Point(NamedTuple):
    """The loss at x + t * direction: t, its value, its gradient, and its slope along the
    direction.
    """

    t: float
    loss: float
    gradient: Any
    slope: float


class LBFGS(Optimizer):
    """step(closure): up to max_iter iterations param += t * d, d = -H grad, H the inverse Hessian
    that the last history_size steps s and gradient changes y tell of.

    t = lr, without line search; "strong_wolfe": a t with sufficient decrease and a flatter slope,
    by cubic interpolation. It stops at max |grad| <= tolerance_grad, at changes below
    tolerance_change, after max_iter iterations, or after max_eval calls of the closure (None: 1.25
    max_iter). One group only. Nocedal and Wright 2006, algorithms 3.5, 3.6 and 7.4.
    """

    counted = False

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError(
                f"LBFGS: expected one parameter group, got {len(self.param_groups)} (LBFGS doesn't "
                "support per-parameter options)"
            )

    def check(self, options: Group) -> None:
        self.expect_not_negative(options, "lr")
        known = (None, "strong_wolfe")
        self.expect(options, options["line_search_fn"] in known, "line_search_fn", f"in {known}")

    @property
    def params(self) -> list[Tensor]:
        return self.param_groups[0]["params"]  # type: ignore[no-any-return]

    @shown("Optimizer.step#LBFGS.step")
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Iterate, calling `closure` (which clears the gradients, computes the loss and calls
        backward) as often as needed; returns the first loss.
        """
        if closure is None:
            raise TypeError("step: expected a closure that computes the loss again, got none")
        for hook in list(self.before_step.values()):
            hook(self, (closure,), {})
        self.stepped = True
        with modes.no_grad():
            loss = self.iterate(closure)
        for hook in list(self.after_step.values()):
            hook(self, (closure,), {})
        return loss

    def iterate(self, closure: Callable[[], Any]) -> Any:
        group = self.param_groups[0]
        state = self.state[self.params[0]]
        for name in ("func_evals", "n_iter"):
            state.setdefault(name, 0)
        evaluate = self.evaluator(closure)
        first, loss, gradient = evaluate()
        calls = 1
        state["func_evals"] += 1
        for iteration in range(1, group["max_iter"] + 1):
            if largest(gradient) <= group["tolerance_grad"]:
                break
            state["n_iter"] += 1
            direction = self.direction(state, gradient, group["history_size"])
            before, slope = loss, along(gradient, direction)
            t = float(group["lr"])
            if state["n_iter"] == 1:
                t *= min(1.0, 1 / float(abs(gradient).sum()))
            state.update(d=direction, t=t, prev_flat_grad=clone(gradient), prev_loss=loss)
            if slope > -group["tolerance_change"]:
                break
            last = iteration == group["max_iter"]
            trials = 0
            if group["line_search_fn"] is not None:
                start = [clone(param) for param in self.params]

                def at(t: float, start: Any = start, direction: Any = direction) -> Point:
                    self.move(start, t, direction)
                    _, loss, gradient = evaluate()
                    return Point(t, loss, gradient, along(gradient, direction))

                origin = Point(0.0, loss, gradient, slope)
                tolerance = group["tolerance_change"] / largest(direction)
                found, trials = strong_wolfe(at, origin, t, tolerance, group["max_eval"] - calls)
                _, loss, gradient, _ = found
                t = state["t"] = found.t
                self.move(start, t, direction)
            else:
                self.move([clone(param) for param in self.params], t, direction)
                if not last:  # the loss after the last step is not asked for
                    _, loss, gradient = evaluate()
                    trials = 1
            calls += trials
            state["func_evals"] += trials
            if last or calls >= group["max_eval"]:
                break
            if largest(direction) * t <= group["tolerance_change"]:
                break
            if math.fabs(loss - before) < group["tolerance_change"]:
                break
        return first

    def evaluator(self, closure: Callable[[], Any]) -> Callable[[], tuple[Any, float, Tensor]]:
        """What calls the closure and gives its result, the loss as a number, and the gradients as
        one vector.
        """

        def evaluate() -> tuple[Any, float, Tensor]:
            with modes.enable_grad():
                result = closure()
            parts = [
                zeros_like(param) if param.grad is None else param.grad.to_dense()
                for param in self.params
            ]
            return result, float(result), cat([reshape(part, (-1,)) for part in parts])

        return evaluate

    def move(self, start: Sequence[Tensor], t: float, direction: Tensor) -> None:
        """param = start + t * direction."""
        offset = 0
        for param, origin in zip(self.params, start, strict=True):
            part = narrow(direction, 0, offset, param.numel())
            param.copy_(origin + t * reshape(part, tuple(param.shape)))
            offset += param.numel()

    def direction(self, state: dict[str, Any], gradient: Tensor, history_size: int) -> Any:
        """-H grad by the two loops over the history, to which the last step is added."""
        if state["n_iter"] == 1:
            state.update(old_dirs=[], old_stps=[], ro=[], H_diag=1.0)
            return -gradient
        changes, steps, inverses = state["old_dirs"], state["old_stps"], state["ro"]
        change = gradient - state["prev_flat_grad"]
        step = state["d"] * state["t"]
        product = along(change, step)
        if product > POSITIVE:
            if len(changes) == history_size:
                for history in (changes, steps, inverses):
                    history.pop(0)
            changes.append(change)
            steps.append(step)
            inverses.append(1.0 / product)
            state["H_diag"] = product / along(change, change)
        direction: Any = -gradient
        weights = []
        for change, step, inverse in zip(changes[::-1], steps[::-1], inverses[::-1], strict=True):
            weights.append(along(step, direction) * inverse)
            direction = direction - weights[-1] * change
        direction = direction * state["H_diag"]
        for change, step, inverse in zip(changes, steps, inverses, strict=True):
            direction = direction + (weights.pop() - along(change, direction) * inverse) * step
        return direction


def along(first: Any, second: Any) -> float:
    return float(dot(first, second))


def largest(vector: Any) -> float:
    return float(abs(vector).max())


def strong_wolfe(
    at: Callable[[float], Point], origin: Point, t: float, tolerance: float, trials: int
) -> tuple[Point, int]:
    """A point that satisfies Wolfe's strong conditions, or after so many trials the best found; and
    how many points were evaluated.
    """
    ends, points = bracketed(at, origin, t, trials)
    if len(ends) == 1:
        return ends[0], points
    low, high = sorted(ends, key=lambda point: point.loss)
    stalled = False
    while points <= trials and math.fabs(high.t - low.t) >= tolerance:
        t = cubic_minimum(low, high)
        least, most = sorted((low.t, high.t))
        margin = 0.1 * (most - least)
        near = min(most - t, t - least) < margin  # an end: the bracket would hardly shrink
        if near and (stalled or t >= most or t <= least):
            t = most - margin if math.fabs(t - most) < math.fabs(t - least) else least + margin
            near = False
        stalled = near
        point = at(t)
        points += 1
        if too_high(point, origin) or point.loss >= low.loss:
            low, high = (low, point) if low.loss <= point.loss else (point, low)
        elif math.fabs(point.slope) <= -FLATTER * origin.slope:
            return point, points
        else:
            if point.slope * (high.t - low.t) >= 0:
                high = low
            low = point
    return low, points


def too_high(point: Point, origin: Point) -> bool:
    return point.loss > origin.loss + ENOUGH * point.t * origin.slope


def bracketed(
    at: Callable[[float], Point], origin: Point, t: float, trials: int
) -> tuple[list[Point], int]:
    """Two points between which a good one lies, or one that is good itself; and how many were
    evaluated.
    """
    before, point = origin, at(t)
    for trial in range(trials):
        if too_high(point, origin) or (trial > 1 and point.loss >= before.loss):
            return [before, point], trial + 1
        if math.fabs(point.slope) <= -FLATTER * origin.slope:
            return [point], trial + 1
        if point.slope >= 0:
            return [before, point], trial + 1
        bounds = point.t + 0.01 * (point.t - before.t), point.t * 10
        before, point = point, at(cubic_minimum(before, point, bounds))
    return [origin, point], trials + 1


def cubic_minimum(a: Point, b: Point, bounds: tuple[float, float] | None = None) -> float:
    """Where the cubic through two points with their slopes is least, within `bounds` (those of the
    points).
    """
    left, right = (a, b) if a.t <= b.t else (b, a)
    least, most = bounds or (left.t, right.t)
    width = right.t - left.t
    if not width:
        return (least + most) / 2
    tilt = left.slope + right.slope - 3 * (right.loss - left.loss) / width
    square = tilt * tilt - left.slope * right.slope
    if square < 0:
        return (least + most) / 2
    root = math.sqrt(square)
    spread = right.slope - left.slope + 2 * root
    if not spread:
        return (least + most) / 2
    share = (right.slope + root - tilt) / spread
    return min(max(right.t - width * share, least), most)
