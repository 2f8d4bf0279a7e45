"""What runs around a module's forward and backward: the hooks that users register, for one module
or for all.

Only modules with hooks come here. Knows `forward` and the graph's node hooks, nothing else of
modules.
"""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tensorgrad import modes
from tensorgrad.autograd.function import Function
from tensorgrad.graph import HookHandle, TensorCore

Hook = Callable[..., Any]


class ModuleHooks:
    """The hooks of one module, in the order in which they run, or those of all modules."""

    def __init__(self) -> None:
        self.pre: OrderedDict[int, tuple[Hook, bool]] = OrderedDict()
        self.post: OrderedDict[int, tuple[Hook, bool, bool]] = OrderedDict()
        self.backward_pre: OrderedDict[int, Hook] = OrderedDict()
        self.backward: OrderedDict[int, Hook] = OrderedDict()

    @staticmethod
    def add(table: OrderedDict[int, Any], entry: Any, prepend: bool) -> HookHandle:
        handle = HookHandle(table, entry)
        if prepend:
            table.move_to_end(handle.id, last=False)
        return handle

    def run(self, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """`module.forward` with the hooks before, after and, through the graph, in its backward."""
        call = _Call(module, [*EVERY.post.values(), *self.post.values()])
        try:
            for hook, with_kwargs in (*EVERY.pre.values(), *self.pre.values()):
                if with_kwargs:
                    replaced = hook(module, args, kwargs)
                    if replaced is not None:
                        if not isinstance(replaced, tuple) or len(replaced) != 2:
                            raise RuntimeError(
                                "forward_pre_hook: expected None or (args, kwargs), got "
                                f"{replaced!r}"
                            )
                        args, kwargs = replaced
                else:
                    args = _replaced(hook(module, args), args)
            before = [*EVERY.backward_pre.values(), *self.backward_pre.values()]
            behind = [*EVERY.backward.values(), *self.backward.values()]
            watch = None
            if (before or behind) and modes.current().record:
                watch = BackwardWatch(module, before, behind)
                args = watch.pass_inputs(args)
            output = call.after(args, kwargs, module.forward(*args, **kwargs))
            return output if watch is None else watch.pass_outputs(output)
        except Exception:
            call.after_failure(args, kwargs)
            raise


class HookTable(Mapping[int, Hook]):
    """The hooks of one kind of a module by their keys, to read and to take hooks away; nothing is
    kept here but the module.
    """

    def __init__(self, module: Any, kind: str) -> None:
        self._module = module
        self._kind = kind

    def _entries(self) -> OrderedDict[int, Any]:
        own = self._module.__dict__.get("_hooks")
        return OrderedDict() if own is None else getattr(own, self._kind)

    def __getitem__(self, key: int) -> Hook:
        entry = self._entries()[key]
        hook: Hook = entry[0] if isinstance(entry, tuple) else entry
        return hook

    def __delitem__(self, key: int) -> None:
        del self._entries()[key]

    def __iter__(self) -> Iterator[int]:
        return iter(self._entries())

    def __len__(self) -> int:
        return len(self._entries())

    def clear(self) -> None:
        self._entries().clear()

    def __repr__(self) -> str:
        return repr(dict(self))


class _Call:
    """The hooks that are still to run after one call of a module."""

    def __init__(self, module: Any, hooks: list[tuple[Hook, bool, bool]]) -> None:
        self.module = module
        self.hooks = hooks
        self.output: Any = None

    def after(self, args: Any, kwargs: dict[str, Any], output: Any) -> Any:
        self.output = output
        while self.hooks:
            hook, with_kwargs, _ = self.hooks.pop(0)
            self.output = self.called(hook, with_kwargs, args, kwargs)
        return self.output

    def called(self, hook: Hook, with_kwargs: bool, args: Any, kwargs: dict[str, Any]) -> Any:
        given = (args, kwargs) if with_kwargs else (args,)
        replaced = hook(self.module, *given, self.output)
        return self.output if replaced is None else replaced

    def after_failure(self, args: Any, kwargs: dict[str, Any]) -> None:
        """Run those that are to run in any case; what they raise must not hide the first error."""
        for hook, with_kwargs, always in self.hooks:
            if always:
                try:
                    self.output = self.called(hook, with_kwargs, args, kwargs)
                except Exception as error:
                    warnings.warn(
                        f"forward hook with always_call=True: expected no error, got {error!r}",
                        stacklevel=2,
                    )


# ---- hooks of all modules

EVERY = ModuleHooks()


class _EveryHandle(HookHandle):
    """Removes a hook of all modules; without such, modules are called directly again."""

    owner: Any

    def remove(self) -> None:
        super().remove()
        if not any(vars(EVERY).values()):
            self.owner._hooks = None


def for_every_module(module_class: Any, table: OrderedDict[int, Any], entry: Any) -> HookHandle:
    """Add a hook of all modules to a table of `EVERY`.

    Modules without hooks of their own, which would be called directly, share an empty table then.
    """
    handle = _EveryHandle(table, entry)
    handle.owner = module_class
    module_class._hooks = ModuleHooks()
    return handle


class Border(Function):
    """The identity: one node through which a module's inputs, or its outputs, pass."""

    @staticmethod
    def forward(ctx: Any, *tensors: Any) -> Any:
        ctx.set_materialize_grads(False)
        return tuple([tensor.detach() for tensor in tensors])

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> Any:
        return gradients


class Crossing:
    """Which of several values passed a border, and the way back for their gradients."""

    def __init__(self, values: tuple[Any, ...]) -> None:
        self.count = len(values)
        self.places = [
            i
            for i, value in enumerate(values)
            if isinstance(value, TensorCore) and value._node is not None
        ]
        mixed = list(values)
        if self.places:
            passed = Border.apply(*[values[i] for i in self.places])
            for i, tensor in zip(self.places, passed, strict=True):
                mixed[i] = tensor
        self.passed = tuple(mixed)

    def release(self) -> tuple[tuple[Any, ...], Any]:
        """The values on the far side and the border's node; kept by neither, as the node's hooks
        hold this object.
        """
        passed = self.passed
        del self.passed
        return passed, passed[self.places[0]].grad_fn if self.places else None

    def spread(self, gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        """Gradients at their places, None where no tensor passed."""
        full = [None] * self.count
        for i, gradient in zip(self.places, gradients, strict=True):
            full[i] = gradient
        return tuple(full)

    def gathered(self, full: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple([full[i] for i in self.places])


class BackwardWatch:
    """One call of a module with backward hooks: nodes at its inputs and outputs see the gradients
    pass.

    The hooks run when the node at the inputs has the gradients of all of them; without an input
    that requires grad, when those of the outputs are known.
    """

    def __init__(self, module: Any, before: list[Hook], behind: list[Hook]) -> None:
        self.module = module
        self.before = before
        self.behind = behind
        self.grad_output: tuple[Any, ...] = ()

    def pass_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        self.inputs = Crossing(args)
        passed, node = self.inputs.release()
        if node is not None:
            node.register_hook(self.after_inputs)
        return passed

    def pass_outputs(self, output: Any) -> Any:
        several = isinstance(output, tuple)
        self.outputs = Crossing(output if several else (output,))
        passed, node = self.outputs.release()
        if node is not None:
            node.register_prehook(self.before_outputs)
        return passed if several else passed[0]

    def before_outputs(self, gradients: tuple[Any, ...]) -> tuple[Any, ...]:
        full = self.outputs.spread(gradients)
        for hook in self.before:
            full = _replaced(hook(self.module, full), full)
        self.grad_output = full
        if not self.inputs.places:
            self.call_hooks((None,) * self.inputs.count)
        return self.outputs.gathered(full)

    def after_inputs(self, gradients: tuple[Any, ...], _: Any) -> tuple[Any, ...]:
        return self.inputs.gathered(self.call_hooks(self.inputs.spread(gradients)))

    def call_hooks(self, grad_input: tuple[Any, ...]) -> tuple[Any, ...]:
        for hook in self.behind:
            grad_input = _replaced(hook(self.module, grad_input, self.grad_output), grad_input)
        return grad_input


def _replaced(returned: Any, known: tuple[Any, ...]) -> tuple[Any, ...]:
    """What a hook returned, as a tuple; what was known where it returned None."""
    if returned is None:
        return known
    return returned if isinstance(returned, tuple) else (returned,)
