"""The Module: a `forward` over named parameters, buffers and submodules.

https://docs.pytorch.org/docs/stable/generated/torch.nn.Module.html. Knows tensors, and nothing of
particular layers; how parts are registered is said in nn/registry.py, what their state is in
nn/state.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from tensorgrad import dtypes
from tensorgrad._tensor import Tensor
from tensorgrad.backend import Device
from tensorgrad.graph import HookHandle, TensorCore
from tensorgrad.nn.hooks import EVERY, HookTable, ModuleHooks, for_every_module
from tensorgrad.nn.registry import BUFFER, MODULE, PARAMETER, REGISTERING
from tensorgrad.nn.state import Stateful
from tensorgrad.ops.creation import empty_like
from tensorgrad.public import constructor, is_argument

Self = TypeVar("Self", bound="Module")


def indented(text: str) -> str:
    return text.replace("\n", "\n  ")


class Module(Stateful):
    """Base of all layers and models: subclasses make their parts in `__init__` and use them in
    `forward`.

    A Parameter, Module or Buffer that is assigned to an attribute is registered under the
    attribute's name.
    """

    training: bool
    _hooks: ModuleHooks | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.__module__.startswith("tensorgrad.") and "__init__" in vars(cls):
            setattr(cls, "__init__", constructor(vars(cls)["__init__"]))  # noqa: B010

    def __init__(self) -> None:
        super().__init__()
        self.training = True

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What calling the module computes."""
        raise NotImplementedError(f"{type(self).__name__}: expected the subclass to define forward")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        try:
            if self._hooks is None:
                return self.forward(*args, **kwargs)
            return self._hooks.run(self, args, kwargs)
        except AttributeError as error:
            if not self._is_no_tensor(error, (args, list(kwargs.values()))):
                raise
            kind = type(error.obj).__name__
            raise TypeError(f"{type(self).__name__}: expected a tensor, got {kind}") from error

    def _is_no_tensor(self, error: AttributeError, given: Any) -> bool:
        """Whether a layer of this library failed since an argument is no tensor."""
        own = type(self).__module__.startswith("tensorgrad.")
        return own and hasattr(Tensor, error.name or "") and is_argument(error.obj, given)

    # ---- what is done to all parts

    def train(self: Self, mode: bool = True) -> Self:
        """Training mode on or off, here and in all modules below."""
        if not isinstance(mode, bool):
            raise ValueError(f"train: expected a bool, got {mode!r}")
        self.training = mode
        for child in self.children():
            child.train(mode)
        return self

    def eval(self: Self) -> Self:
        """`train(False)`."""
        return self.train(False)

    def requires_grad_(self: Self, requires_grad: bool = True) -> Self:
        """Let all parameters collect gradients, or none."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the parameters' gradients, or fill them with zeros."""
        for parameter in self.parameters():
            if parameter.grad is not None:
                if set_to_none:
                    parameter.grad = None
                else:
                    parameter.grad = parameter.grad.detach().zero_()

    def apply(self: Self, fn: Callable[[Module], Any]) -> Self:
        """Call `fn` on all modules below, then on this one."""
        for child in self.children():
            child.apply(fn)
        fn(self)
        return self

    def _apply(self: Self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Give every parameter, its gradient and every buffer the memory that `fn` makes."""
        for tensor in (*self.parameters(recurse), *self.buffers(recurse)):
            gradient = tensor.grad
            tensor.grad = None
            tensor.data = fn(tensor.detach())
            if gradient is not None:
                tensor.grad = fn(gradient.detach())
        return self

    def to(self: Self, *args: Any, **kwargs: Any) -> Self:
        """`to(device)`, `to(dtype)`, `to(device, dtype)`, `to(tensor)`, in place; dtypes of
        floating tensors only.
        """
        device, dtype = kwargs.pop("device", None), kwargs.pop("dtype", None)
        for arg in args:
            if isinstance(arg, TensorCore):
                device, dtype = arg.device, arg.dtype  # type: ignore[attr-defined]
            elif isinstance(arg, str | Device | int) and not isinstance(arg, bool):
                device = arg
            elif arg is not None and not isinstance(arg, bool):
                dtype = arg
        if dtype is not None and not dtypes.is_differentiable(np.dtype(dtype)):
            raise TypeError(f"to: expected a floating-point dtype, got {np.dtype(dtype)}")
        return self._apply(
            lambda x: x.to(device=device, dtype=dtype if x.is_floating_point() else None)
        )

    def float(self: Self) -> Self:
        return self.to(dtype=dtypes.float32)

    def double(self: Self) -> Self:
        return self.to(dtype=dtypes.float64)

    def half(self: Self) -> Self:
        return self.to(dtype=dtypes.float16)

    def bfloat16(self: Self) -> Self:
        return self.to(dtype=dtypes.bfloat16)

    def type(self: Self, dst_type: Any) -> Self:
        """All parameters and buffers in another dtype, or of another type by name."""
        return self._apply(lambda x: x.type(dst_type))

    def to_empty(self: Self, *, device: Any, recurse: bool = True) -> Self:
        """Move to the device without the values: all memory is new and holds none in particular."""
        return self._apply(lambda x: empty_like(x, device=device), recurse)

    def share_memory(self: Self) -> Self:
        """Let all parameters and buffers lie in memory that other processes can share."""
        for tensor in (*self.parameters(), *self.buffers()):
            tensor.share_memory_()
        return self

    def cpu(self: Self) -> Self:
        return self.to("cpu")

    def cuda(self: Self, device: Any = None) -> Self:
        return self.to("cuda" if device is None else device)

    # ---- hooks

    def _hook_table(self) -> ModuleHooks:
        found: ModuleHooks | None = self.__dict__.get("_hooks")
        if found is None:
            found = self._hooks = ModuleHooks()
        return found

    @property
    def _forward_pre_hooks(self) -> HookTable:
        return HookTable(self, "pre")

    @property
    def _forward_hooks(self) -> HookTable:
        return HookTable(self, "post")

    @property
    def _backward_pre_hooks(self) -> HookTable:
        return HookTable(self, "backward_pre")

    @property
    def _backward_hooks(self) -> HookTable:
        return HookTable(self, "backward")

    def register_forward_pre_hook(
        self, hook: Callable[..., Any], *, prepend: bool = False, with_kwargs: bool = False
    ) -> HookHandle:
        """Call `hook(module, args)` before forward; what it returns replaces args.

        with_kwargs: `hook(module, args, kwargs)`, which returns None or both. prepend: before the
        others.
        """
        return ModuleHooks.add(self._hook_table().pre, (hook, with_kwargs), prepend)

    def register_forward_hook(
        self,
        hook: Callable[..., Any],
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> HookHandle:
        """Call `hook(module, args, output)` after forward; what it returns replaces the output.

        with_kwargs: `hook(module, args, kwargs, output)`. prepend: before the others. always_call:
        when forward, or a hook before, raises, too; the output is None then.
        """
        entry = hook, with_kwargs, always_call
        return ModuleHooks.add(self._hook_table().post, entry, prepend)

    def register_full_backward_pre_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> HookHandle:
        """Call `hook(module, grad_output)` before the module's backward; what it returns replaces
        grad_output.
        """
        return ModuleHooks.add(self._hook_table().backward_pre, hook, prepend)

    def register_full_backward_hook(
        self, hook: Callable[..., Any], prepend: bool = False
    ) -> HookHandle:
        """Call `hook(module, grad_input, grad_output)` when the gradients of the inputs are known.

        Both are tuples, aligned with forward's positional arguments and its outputs; a tuple that
        the hook returns replaces grad_input.
        """
        return ModuleHooks.add(self._hook_table().backward, hook, prepend)

    def register_backward_hook(self, hook: Callable[..., Any]) -> HookHandle:
        """`register_full_backward_hook`, under PyTorch's older name."""
        return self.register_full_backward_hook(hook)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Nothing, whatever the options of `tensorgrad.compile`: a module runs as it is written."""

    # ---- text

    def extra_repr(self) -> str:
        """What `repr` shows between the parentheses; subclasses name their arguments here."""
        return ""

    def _get_name(self) -> str:
        return type(self).__name__

    def __repr__(self) -> str:
        extra = self.extra_repr()
        lines = extra.split("\n") if extra else []
        children = [f"({name}): {indented(repr(child))}" for name, child in self._own(MODULE)]
        if not children and len(lines) <= 1:
            return f"{self._get_name()}({extra})"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines + children) + "\n)"


# ---- hooks of all modules, which run before those of one


def register_module_forward_pre_hook(hook: Callable[..., Any]) -> HookHandle:
    """`Module.register_forward_pre_hook` for every module."""
    return for_every_module(Module, EVERY.pre, (hook, False))


def register_module_forward_hook(
    hook: Callable[..., Any], *, with_kwargs: bool = False, always_call: bool = False
) -> HookHandle:
    """`Module.register_forward_hook` for every module."""
    return for_every_module(Module, EVERY.post, (hook, with_kwargs, always_call))


def register_module_full_backward_pre_hook(hook: Callable[..., Any]) -> HookHandle:
    """`Module.register_full_backward_pre_hook` for every module."""
    return for_every_module(Module, EVERY.backward_pre, hook)


def register_module_full_backward_hook(hook: Callable[..., Any]) -> HookHandle:
    """`Module.register_full_backward_hook` for every module."""
    return for_every_module(Module, EVERY.backward, hook)


# ---- hooks of all modules on what is registered: hook(module, name, value), which may give another


def register_module_parameter_registration_hook(hook: Callable[..., Any]) -> HookHandle:
    """Call `hook(module, name, param)` when a parameter is registered, in any module."""
    return HookHandle(REGISTERING[PARAMETER], hook)


def register_module_buffer_registration_hook(hook: Callable[..., Any]) -> HookHandle:
    """Call `hook(module, name, buffer)` when a buffer is registered, in any module."""
    return HookHandle(REGISTERING[BUFFER], hook)


def register_module_module_registration_hook(hook: Callable[..., Any]) -> HookHandle:
    """Call `hook(module, name, submodule)` when a submodule is registered, in any module."""
    return HookHandle(REGISTERING[MODULE], hook)


register_module_backward_hook = register_module_full_backward_hook  # PyTorch's older name
