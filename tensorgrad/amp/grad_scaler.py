"""`GradScaler`: keeps the small gradients of a float16 network from vanishing.

https://docs.pytorch.org/docs/stable/amp.html#gradient-scaling. The loss is multiplied by a large
scale and the gradients are divided by it again before a step; a step whose gradients overflowed is
left out, and the scale made smaller. Scale, count and the finding of an overflow are tensors on the
gradients' device; where that counts an optimizer's steps, it leaves one out by itself, and the host
waits for nothing. Else `step` reads one number.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from tensorgrad import dtypes, modes
from tensorgrad.amp.autocast import known, usable
from tensorgrad.graph import TensorCore, wrap, written
from tensorgrad.ops.choice import maximum, where
from tensorgrad.ops.creation import full
from tensorgrad.ops.logic import isfinite, logical_and, logical_not
from tensorgrad.ops.reduction import amax, amin
from tensorgrad.stepping import Stepper

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor

UNSCALED, STEPPED = "unscaled", "stepped"


class _Progress:
    """How far one optimizer has come since the last `update`."""

    def __init__(self) -> None:
        self.stage = ""
        self.found_inf: Tensor | None = None  # on the device, 1.0 if one overflowed


class GradScaler:
    """Scales losses, and steps optimizers whose gradients are finite.

    init_scale: the first scale. growth_factor: the scale is multiplied by it after growth_interval
    steps in a row without an overflow; backoff_factor: by it after an overflow. enabled=False, or
    device "cuda" where there is none: nothing is scaled, and `step` is the optimizer's own.
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        self._device = known("GradScaler", device)
        if enabled and not usable(device):
            warnings.warn(
                f"GradScaler: expected a usable {device} device, got none: it scales nothing",
                stacklevel=2,
            )
            enabled = False
        if enabled and growth_factor <= 1.0:
            raise AssertionError(
                f"GradScaler: expected a growth_factor above 1, got {growth_factor}"
            )
        if enabled and backoff_factor >= 1.0:
            raise AssertionError(
                f"GradScaler: expected a backoff_factor below 1, got {backoff_factor}"
            )
        self._enabled = enabled
        self._init_scale = init_scale
        self._init_growth_tracker = 0
        self._growth_factor = growth_factor
        self._backoff_factor = backoff_factor
        self._growth_interval = growth_interval
        self._scale: Any = None  # float32 on the device of the first outputs
        self._growth_tracker: Any = None  # float32: steps since the last growth or overflow
        self._progress: dict[int, _Progress] = {}

    # ---- the training step

    def scale(self, outputs: Any) -> Any:
        """The outputs, a tensor or (nested) iterables of such, times the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, TensorCore):
            tensor: Any = outputs
            if self._scale is None:
                self._scale = full((), self._init_scale, dtype=dtypes.float32, device=tensor.device)
                self._growth_tracker = full(
                    (), self._init_growth_tracker, dtype=dtypes.float32, device=tensor.device
                )
            return tensor * self._scale.to(tensor.device)
        if isinstance(outputs, list | tuple):
            return type(outputs)([self.scale(part) for part in outputs])
        if isinstance(outputs, Iterable):
            return map(self.scale, outputs)
        raise ValueError(
            f"scale: expected a tensor or an iterable of tensors, got {type(outputs).__name__}"
        )

    def unscale_(self, optimizer: Any) -> None:
        """Divide the optimizer's gradients by the scale, in place, and note whether one is infinite
        or NaN. For those who want to look at them or clip them; otherwise `step` does it.
        """
        if not self._enabled:
            return
        self._expect_scale("unscale_")
        progress = self._progress_of(optimizer)
        if progress.stage == UNSCALED:
            raise RuntimeError(
                "unscale_: expected one call for an optimizer between updates, got another "
                "(unscale_() has already been called on this optimizer since the last update())"
            )
        if progress.stage == STEPPED:
            raise RuntimeError(
                "unscale_: expected a call before step, got one after it (unscale_() is being "
                "called after step())"
            )
        alike: dict[Any, list[Any]] = {}
        for gradient in _gradients(optimizer):
            if gradient.dtype == dtypes.float16:
                raise ValueError(
                    "unscale_: expected gradients of float32 parameters, got float16 "
                    "(attempting to unscale FP16 gradients)"
                )
            alike.setdefault((gradient.device, gradient.dtype), []).append(gradient)
        with modes.no_grad():
            for gradients in alike.values():
                found = self._unscale(gradients).to(self._scale.device)
                progress.found_inf = _greater(progress.found_inf, found)
        progress.stage = UNSCALED

    def _unscale(self, gradients: list[Any]) -> Any:
        """Divide gradients of one device and dtype by the scale; 1.0 if one overflowed, else 0.0.
        By one kernel, where there is one for all.
        """
        scale = self._scale.to(gradients[0].device)
        arrays = [gradient._array for gradient in gradients]
        kernel = getattr(modes.current().backends[arrays[0].__class__], "unscale", None)
        found = NotImplemented if kernel is None else kernel(arrays, scale._array)
        if found is not NotImplemented:
            for gradient in gradients:
                written(gradient)
            return wrap(found)
        inverse = scale.double().reciprocal().to(gradients[0].dtype)
        overflow: Any = full((), 0.0, device=scale.device)
        for gradient in gradients:
            gradient.mul_(inverse)
            if gradient.numel():  # NaN is both of the extremes
                finite = logical_and(isfinite(amax(gradient)), isfinite(amin(gradient)))
                overflow = _greater(overflow, logical_not(finite).to(overflow.dtype))
        return overflow

    def step(self, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        """`optimizer.step(*args, **kwargs)` with unscaled gradients, unless one overflowed; what it
        returns, None if it was left out.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError(
                "step: expected no closure, got one (closure use is not currently supported if "
                "GradScaler is enabled)"
            )
        self._expect_scale("step")
        progress = self._progress_of(optimizer)
        if progress.stage == STEPPED:
            raise RuntimeError(
                "step: expected one call between updates, got another (step() has already been "
                "called since the last update())"
            )
        if progress.stage != UNSCALED:
            self.unscale_(optimizer)
        found_inf = progress.found_inf
        if found_inf is None:
            raise AssertionError(
                "step: expected an optimizer with gradients, got none (no inf checks were recorded "
                "for this optimizer)"
            )
        can_skip = getattr(optimizer, "can_skip", None)
        if can_skip is None or not can_skip(found_inf.device):
            left_out = found_inf.item()
            progress.stage = STEPPED
            return None if left_out else optimizer.step(*args, **kwargs)
        optimizer.found_inf = found_inf
        try:
            return optimizer.step(*args, **kwargs)
        finally:
            optimizer.found_inf = None
            progress.stage = STEPPED

    def update(self, new_scale: Any = None) -> None:
        """Fit the scale to what the steps found, or set it to new_scale: once an iteration, after
        all steps.
        """
        if not self._enabled:
            return
        self._expect_scale("update")
        if isinstance(new_scale, TensorCore):
            self._take(new_scale)
        elif new_scale is not None:
            self._scale.fill_(new_scale)
        else:
            self._adapt()
        self._progress = {}

    def _take(self, new_scale: Any) -> None:
        if (
            new_scale.numel() != 1
            or new_scale.requires_grad
            or new_scale.device.type != self._device
        ):
            raise AssertionError(
                f"update: expected new_scale to be a number or a tensor of 1 element on "
                f"{self._device} that requires no grad, got {new_scale}"
            )
        self._scale.copy_(new_scale.reshape(()))

    def _adapt(self) -> None:
        found_inf: Any = None
        for progress in self._progress.values():
            if progress.found_inf is not None:
                found_inf = _greater(found_inf, progress.found_inf)
        if found_inf is None:
            raise AssertionError(
                "update: expected a step before, got none (no inf checks were recorded prior to "
                "update)"
            )
        lists = [[tensor._array] for tensor in (self._scale, found_inf, self._growth_tracker)]
        numbers = {
            "growth": self._growth_factor,
            "backoff": self._backoff_factor,
            "interval": self._growth_interval,
        }
        ADAPT.step(lists, numbers, compiled=True)
        for changed in (self._scale, self._growth_tracker):
            written(changed)

    def _progress_of(self, optimizer: Any) -> _Progress:
        return self._progress.setdefault(id(optimizer), _Progress())

    def _expect_scale(self, name: str) -> None:
        if self._scale is None:
            raise AssertionError(
                f"{name}: expected scale() to have been called on the loss or outputs before, got "
                "no scale"
            )

    # ---- settings

    def is_enabled(self) -> bool:
        return self._enabled

    def get_scale(self) -> float:
        """The scale, 1.0 if disabled. It waits for the device."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else float(self._scale.item())

    def get_growth_factor(self) -> float:
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        self._growth_interval = new_interval

    def _get_growth_tracker(self) -> int:
        if not self._enabled:
            return 0
        if self._growth_tracker is None:
            return self._init_growth_tracker
        return int(self._growth_tracker.item())

    # ---- state

    def state_dict(self) -> dict[str, Any]:
        """Scale, factors, interval and count as numbers; empty if disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._get_growth_tracker(),
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take what `state_dict` of another scaler gave; nothing if disabled."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "load_state_dict: expected the state of an enabled GradScaler, got an empty one"
            )
        self._init_scale = state_dict["scale"]
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._init_growth_tracker = state_dict["_growth_tracker"]
        if self._scale is not None:
            self._scale.fill_(self._init_scale)
            self._growth_tracker.fill_(self._init_growth_tracker)

    def __getstate__(self) -> dict[str, Any]:
        if self._progress:
            raise AssertionError(
                "GradScaler: expected to be pickled or copied between update and the next scale, "
                "got one in between"
            )
        return {
            **self.__dict__,
            "_init_scale": self.get_scale() if self._enabled else self._init_scale,
            "_init_growth_tracker": self._get_growth_tracker(),
            "_scale": None,
            "_growth_tracker": None,
        }


def _gradients(optimizer: Any) -> list[Any]:
    """The gradients that there are; of a sparse one its values, each row once."""
    found = []
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            gradient = parameter.grad
            if gradient is None:
                continue
            if gradient.is_sparse:
                parameter.grad = gradient.coalesce()
                gradient = parameter.grad.values()
            found.append(gradient)
    return found


def _greater(known: Any, other: Any) -> Any:
    return other if known is None else maximum(known, other)


def _adapted(
    scale: Any, found_inf: Any, count: Any, *, growth: float, backoff: float, interval: int
) -> tuple[Any, Any]:
    """The new scale and count of steps: a scale that can grow no further stays."""
    count = where(found_inf > 0, 0.0, count + 1.0)
    grown = scale * growth
    larger = where(grown <= LARGEST, grown, scale)
    kept = where(count == interval, larger, scale)
    scale = where(found_inf > 0, scale * backoff, kept)
    return scale, where(count == interval, 0.0, count)


LARGEST = float(dtypes.finfo(dtypes.float32).max)
ADAPT = Stepper(_adapted, ["count"])
