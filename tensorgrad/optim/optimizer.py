"""What all optimizers share: parameter groups, state, and how a step is carried out.

An optimizer is one short function, its `rule`: the new parameter and state arrays from the old,
written in operators and ops on arrays. The rule's parameters say what it works with: the state by
its names ("step" is the number of the step), keyword-only the numbers of the group. Where a rule
is elementwise a backend may compile it, from its trace, to one pass over all tensors of a group:
see `tensorgrad.elementwise`. Knows tensors and backends, no graph: an update is never recorded.

https://docs.pytorch.org/docs/stable/optim.html
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from typing import Any, TypeAlias

from tensorgrad import modes
from tensorgrad._tensor import Tensor
from tensorgrad.detours import shown
from tensorgrad.errors import ShapeError
from tensorgrad.graph import HookHandle, written
from tensorgrad.ops.creation import zeros_like
from tensorgrad.optim.counting import Counting
from tensorgrad.optim.rows import step_rows
from tensorgrad.sparse_rows import SparseRows
from tensorgrad.stepping import Stepper, these

Group: TypeAlias = dict[str, Any]
Params: TypeAlias = Iterable[Tensor] | Iterable[Group]


def hints(**given: bool | None) -> Group:
    """PyTorch's options about how a step is carried out, as they are in a group: `foreach`,
    `capturable`, `differentiable`, `fused`.

    A group's tensors go to one kernel in any case, and on a GPU what can be counted there is, so
    `foreach` and `capturable` change nothing; fused=False asks for the rule itself.
    """
    if given.get("differentiable"):
        raise ValueError("differentiable: expected False, got True (a step is never recorded)")
    if given.get("fused") and given.get("foreach"):
        raise RuntimeError("fused: expected one of fused and foreach, got both")
    return dict(given)


class Optimizer(Counting):
    """Base of all optimizers.

    params: tensors, pairs of a name and a tensor, or dicts with "params" and the options in which a
    group differs from `defaults`.
    """

    sparse = False  # whether gradients may be sparse
    on_host: tuple[str, ...] = ("step",)  # states that are numbers, kept on the CPU
    numbers: list[str]

    def __init_subclass__(cls) -> None:
        code = cls.rule.__code__
        names = code.co_varnames
        cls.states = list(names[2 : code.co_argcount])
        cls.numbers = list(names[code.co_argcount : code.co_argcount + code.co_kwonlyargcount])

    def __init__(self, params: Params, defaults: Group) -> None:
        if isinstance(params, Tensor) or not hasattr(params, "__iter__"):
            kind = "a tensor" if isinstance(params, Tensor) else type(params).__name__
            raise TypeError(f"{self._name}: expected an iterable of tensors or dicts, got {kind}")
        self.defaults = defaults
        self.stepped = False  # a schedule asks
        self.found_inf = None
        self.stepper = Stepper(self.rule, self.states, self.on_host)
        self.before_step: dict[int, Any] = {}
        self.after_step: dict[int, Any] = {}
        self.state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        self.param_groups: list[Group] = []
        groups: list[Any] = list(params)
        if not groups:
            raise ValueError(f"{self._name}: expected parameters, got an empty parameter list")
        for group in groups if isinstance(groups[0], dict) else [{"params": groups}]:
            self.add_param_group(group)

    @property
    def _name(self) -> str:
        return type(self).__name__

    # ---- what a subclass defines

    @staticmethod
    def rule(param: Any, grad: Any, *state: Any, **numbers: Any) -> tuple[Any, ...]:
        """The new parameter and the new state arrays, in the order of the arguments."""
        raise NotImplementedError

    def check(self, options: Group) -> None:
        """Raise ValueError for options outside their range."""

    def wants(self, state: str, group: Group) -> bool:
        """Whether the options of a group need this state of the rule."""
        return True

    def fresh(self, name: str, param: Tensor, group: Group) -> Tensor:
        """The state called `name` of a parameter before its first step."""
        return zeros_like(param)

    # ---- groups

    def add_param_group(self, param_group: Group) -> None:
        """Add parameters under "params", with options of their own; what is absent is taken from
        `defaults`.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"add_param_group: expected a dict, got {type(param_group).__name__}")
        if "params" not in param_group:
            raise KeyError(f"add_param_group: expected 'params', got {list(param_group)}")
        params = param_group["params"]
        if isinstance(params, set) or not hasattr(params, "__iter__"):
            kind = "a set" if isinstance(params, set) else type(params).__name__
            raise TypeError(f"add_param_group: expected parameters in an order, got {kind}")
        params = [params] if isinstance(params, Tensor) else list(params)
        if named := [param for param in params if isinstance(param, tuple)]:
            if len(named) != len(params):
                raise ValueError(
                    f"{self._name}: expected all optimizer params with names or all without, got "
                    "some of either"
                )
            param_group = {**param_group, "param_names": [name for name, _ in named]}
            params = [param for _, param in named]
        for param in params:
            if not isinstance(param, Tensor):
                raise TypeError(f"{self._name}: expected tensors, got {type(param).__name__}")
            if not param.is_leaf:
                raise ValueError(
                    f"{self._name}: expected leaves, got a tensor with a history (can't optimize a "
                    "non-leaf Tensor)"
                )
        if len(set(params)) != len(params):
            warnings.warn(
                f"{self._name}: expected each parameter once, got duplicates", stacklevel=3
            )
        known = set(chain.from_iterable(group["params"] for group in self.param_groups))
        if not known.isdisjoint(params):
            raise ValueError(
                f"{self._name}: expected each parameter in one group, got some parameters in more "
                "than one"
            )
        if self.param_groups and ("param_names" in self.param_groups[0]) != bool(named):
            raise ValueError(
                f"{self._name}: expected all optimizer param groups with names or all without, got "
                "some of either"
            )
        group = {**param_group, "params": params}
        for name, default in self.defaults.items():
            group.setdefault(name, default)
        if isinstance(group.get("lr"), Tensor) and group["lr"].numel() != 1:
            raise ValueError(
                f"{self._name}: expected lr of one element, got shape {list(group['lr'].shape)} "
                "(Tensor lr must be 1-element)"
            )
        try:
            self.check(group)
        except TypeError as error:
            plain = {k: v for k, v in group.items() if k not in ("params", "param_names")}
            odd = {k: v for k, v in plain.items() if not isinstance(v, int | float | Tensor)}
            raise TypeError(f"{self._name}: expected numbers as options, got {odd}") from error
        self.param_groups.append(group)

    @shown(lambda self, *args, **kwargs: f"Optimizer.zero_grad#{self._name}.zero_grad")
    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop all gradients, or fill them with zeros."""
        for group in self.param_groups:
            for param in group["params"]:
                if set_to_none:
                    param._grad = None
                elif param.grad is not None:
                    param.grad = param.grad.detach().zero_()

    # ---- the step

    @shown(lambda self, *args, **kwargs: f"Optimizer.step#{self._name}.step")
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update what has a gradient. `closure` computes the loss first, and it is returned."""
        for hook in list(self.before_step.values()):
            hook(self, (closure,) if closure is not None else (), {})
        loss = None
        if closure is not None:
            with modes.enable_grad():
                loss = closure()
        self.step_all()
        for hook in list(self.after_step.values()):
            hook(self, (closure,) if closure is not None else (), {})
        return loss

    def step_all(self) -> None:
        self.stepped = True
        groups = []
        for group in self.param_groups:
            params = [p for p in group["params"] if getattr(p, "_grad", None) is not None]
            self.check_gradients(params)
            groups.append((group, params))
        for group, params in groups:
            if params:
                self.update(group, params)

    def update(self, group: Group, params: list[Tensor]) -> None:
        """Step the parameters of a group, all of which have gradients."""
        states: list[Any] = []
        for name in self.states:
            wanted = name != "step" and self.wants(name, group)
            states.append(self.tensors(params, name, group) if wanted else None)
        numbers = self.numbers_of(group)
        counters = None
        if self.counted:
            if self.on_device(group, params, states, numbers):
                counters = self.counters(params, beside=True)
            else:
                counts = self.count_steps(params)
                if "step" in self.states:
                    states[self.states.index("step")] = counts
        self.apply(group, params, states, counters, **numbers)

    def numbers_of(self, group: Group) -> Group:
        """What the rule takes by keyword; a learning rate that is a tensor is read here."""
        known = group
        if "betas" in group:
            beta1, beta2 = group["betas"]
            known = {**group, "beta1": beta1, "beta2": beta2}
        found = {name: known[name] for name in self.numbers}
        for name, value in found.items():
            if value.__class__ is not float and isinstance(value, Tensor):
                found[name] = value.item()
        return found

    def register_step_pre_hook(self, hook: Callable[..., None]) -> HookHandle:
        """Call `hook(optimizer, args, kwargs)` before each step."""
        return HookHandle(self.before_step, hook)

    def register_step_post_hook(self, hook: Callable[..., None]) -> HookHandle:
        """Call `hook(optimizer, args, kwargs)` after each step."""
        return HookHandle(self.after_step, hook)

    def check_gradients(self, params: Sequence[Tensor]) -> None:
        """Before anything is written: `param.data = ...` may have left a gradient of another
        shape.
        """
        for param in params:
            shape, gradient = param._array.shape, param._grad
            if gradient.__class__ is not SparseRows:
                found = gradient._array.shape
            elif self.sparse:
                found = gradient.shape
            else:
                raise RuntimeError(
                    f"{self._name}: expected dense gradients, got a sparse one (it does not "
                    "support sparse gradients)"
                )
            if shape != found:
                raise ShapeError(
                    f"{self._name}: expected gradients of their parameters' shapes, got "
                    f"{list(found)} for {list(shape)}"
                )

    def apply(
        self,
        group: Group,
        params: Sequence[Tensor],
        states: Sequence[Sequence[Any] | None],
        counters: Sequence[Tensor] | None = None,
        **numbers: Any,
    ) -> None:
        """Step `params` as the backend compiles the rule, or by the rule itself where it does not
        or group["fused"] is False.

        states: for each state of the rule a list aligned with params, of tensors or numbers; or
        None if it is unused. counters: the state "step" of each, where a device counts. Parameters
        with sparse gradients are stepped row by row.
        """
        compiled = self.compiles(group)
        sparse = [i for i, p in enumerate(params) if p._grad.__class__ is SparseRows]
        for i in sparse:
            own = [None if values is None else values[i] for values in states]
            device = self.left_to_device(counters and counters[i : i + 1])
            step_rows(self.stepper, params[i], own, numbers, compiled, device)
        if sparse:
            dense = [i for i in range(len(params)) if i not in sparse]
            if not dense:
                return
            params, counters, *states = these([params, counters, *states], dense)
        arrays = [param._array for param in params]
        grads = [param._grad._array for param in params]
        lists = [
            None if values is None else [getattr(value, "_array", value) for value in values]
            for values in states
        ]
        device = self.left_to_device(counters)
        self.stepper.step([arrays, grads, *lists], numbers, compiled, device)
        for param in params:
            written(param)

    def tensors(self, params: Sequence[Tensor], name: str, group: Group) -> list[Tensor]:
        """The state called `name` of each parameter, made at the first time."""
        found = []
        for param in params:
            state = self.state[param]
            value = state.get(name)
            if value is None:
                value = state[name] = self.fresh(name, param, group)
            found.append(value)
        return found

    def can_skip(self, device: Any) -> bool:
        """Whether this device alone can leave a step out, by `found_inf` on it, so that the host
        need not wait to know.
        """
        for group in self.param_groups:
            params = [param for param in group["params"] if param.grad is not None]
            for param in params:
                backend = modes.current().backends[param._array.__class__]
                counts = hasattr(backend, "count_steps") and self.compiles(group)
                if not counts or param.device != device:
                    return False
            if params and self.counted:
                wanted = [self.wants(name, group) or None for name in self.states]
                if not self.stepper.can_count(self.used(wanted), self.numbers_of(group)):
                    return False
        return True

    # ---- state

    def state_dict(self) -> Group:
        """{"state": {number: {name: tensor}}, "param_groups": [...]}; parameters are named by their
        number.
        """
        numbers: dict[Tensor, int] = {}
        groups = []
        for group in self.param_groups:
            for param in group["params"]:
                numbers.setdefault(param, len(numbers))
            options = {name: value for name, value in group.items() if name != "params"}
            groups.append(options | {"params": [numbers[param] for param in group["params"]]})
        state = {numbers.get(param, param): values for param, values in self.state.items()}
        return {"state": state, "param_groups": groups}

    def load_state_dict(self, state_dict: Group) -> None:
        """Continue from what `state_dict` gave: copies, in the dtypes and on the devices of these
        parameters.
        """
        groups = state_dict["param_groups"]
        if len(groups) != len(self.param_groups):
            raise ValueError(
                f"load_state_dict: expected {len(self.param_groups)} parameter groups, got "
                f"{len(groups)}"
            )
        by_number: dict[int, Tensor] = {}
        for group, saved in zip(self.param_groups, groups, strict=True):
            if len(group["params"]) != len(saved["params"]):
                raise ValueError(
                    f"load_state_dict: expected a group of {len(group['params'])} parameters, "
                    f"got {len(saved['params'])}"
                )
            by_number.update(zip(saved["params"], group["params"], strict=True))
        state: defaultdict[Tensor, dict[str, Any]] = defaultdict(dict)
        for number, values in state_dict["state"].items():
            param = by_number.get(number)
            if param is not None:
                state[param] = {
                    name: _state_like(param, value, name in self.on_host)
                    for name, value in values.items()
                }
        self.state = state
        self.param_groups = [
            {**group, **saved, "params": group["params"]}
            for group, saved in zip(self.param_groups, groups, strict=True)
        ]

    def __repr__(self) -> str:
        lines = [f"{self._name} ("]
        for number, group in enumerate(self.param_groups):
            lines.append(f"Parameter Group {number}")
            lines += [f"    {name}: {group[name]}" for name in sorted(group) if name != "params"]
        return "\n".join([*lines, ")"])

    # ---- checks that subclasses share

    def expect(self, options: Group, condition: bool, name: str, what: str) -> None:
        if not condition:
            raise ValueError(f"{self._name}: expected {name} {what}, got {options[name]}")

    def expect_not_negative(self, options: Group, *names: str) -> None:
        for name in names:
            self.expect(options, options[name] >= 0, name, ">= 0")


def _state_like(param: Tensor, value: Any, on_host: bool) -> Any:
    """A copy of a saved state: a moment like its parameter, anything else as it is."""
    if not isinstance(value, Tensor):
        return value
    if on_host:
        return value.detach().clone()
    return value.detach().to(device=param.device, dtype=param.dtype, copy=True)
