"""The Tensor: an array, a device, and perhaps a node.

Here are the readers of its fields, conversions, and what concerns the graph; operators and methods
that are ops stand in `tensorgrad.tensor_ops`.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from tensorgrad import codegen, dtypes, engine, graph, modes, printing
from tensorgrad.backend import Device, backend_for
from tensorgrad.errors import DTypeError, GraphError, ShapeError
from tensorgrad.graph import HookHandle, Leaf, Node, TensorCore, hooks_of, unwrap, version_of, wrap
from tensorgrad.ops import choice, conversion, creation, indexing, logic, reduction
from tensorgrad.ops import shape as shaping
from tensorgrad.tensor_ops import TensorOps


class Tensor(TensorOps):
    """A multi-dimensional array that can record what is computed from it."""

    __slots__ = ()
    __hash__ = object.__hash__
    __array_priority__ = 1000  # an ndarray on the left leaves its operators to ours

    def __new__(cls, data: Any = None, *more: int) -> Tensor:
        """As `tensorgrad.tensor` in the default floating dtype; ints are sizes, as in PyTorch's
        `Tensor(2, 3)`.
        """
        dtype = dtypes.get_default_dtype()
        if isinstance(data, int):
            return creation.empty(data, *more)
        return creation.tensor([] if data is None else data, dtype=dtype)

    # ---- what it holds

    @property
    def shape(self) -> tuple[int, ...]:
        return self._array.shape  # type: ignore[no-any-return]

    @property
    def ndim(self) -> int:
        return self._array.ndim  # type: ignore[no-any-return]

    @property
    def dtype(self) -> dtypes.DType:
        return self._array.dtype  # type: ignore[no-any-return]

    @property
    def device(self) -> Device:
        array = self._array
        return modes.current().backends[array.__class__].device_of(array)  # type: ignore[no-any-return]

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size along one dimension."""
        return self.shape if dim is None else self.shape[shaping.one_dim("size", dim, self.ndim)]

    def dim(self) -> int:
        return self.ndim

    def numel(self) -> int:
        return int(self._array.size)

    def element_size(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.numel() * self.element_size()

    def stride(self, dim: int | None = None) -> Any:
        """Elements (not bytes) from one place to the next, along each dimension or one."""
        strides = tuple([n // self.dtype.itemsize for n in self._array.strides])
        return strides if dim is None else strides[dim]

    def is_contiguous(self) -> bool:
        return bool(self._array.flags.c_contiguous)

    def is_floating_point(self) -> bool:
        return dtypes.is_floating_point(self.dtype)

    def __len__(self) -> int:
        if not self.ndim:
            raise TypeError("len: expected a tensor with dimensions, got a 0-d tensor")
        return self.shape[0]

    def __iter__(self) -> Iterator[Tensor]:
        if not self.ndim:
            raise TypeError("iter: expected a tensor with dimensions, got a 0-d tensor")
        return iter(shaping.unbind(self, 0))

    def __repr__(self) -> str:
        return printing.describe(self)

    def __format__(self, spec: str) -> str:
        return format(self.item(), spec) if not self.ndim and spec else repr(self)

    # ---- reading values: these wait for the device

    def item(self) -> Any:
        """The one element as a Python number."""
        if self.numel() != 1:
            raise ShapeError(
                f"item: expected a tensor of one element, got shape {list(self.shape)} "
                "(a Tensor with several elements cannot be converted to Scalar)"
            )
        return self._on_host().item()

    def tolist(self) -> Any:
        """Nested lists of Python numbers."""
        return self._on_host().tolist()

    def numpy(self, *, force: bool = False) -> np.ndarray[Any, Any]:
        """The elements as a NumPy array that shares the tensor's memory; `force` detaches and
        copies to the host.
        """
        if not force:
            if self._node is not None:
                raise GraphError(
                    "numpy: expected a tensor that does not require grad, got one that "
                    "does (use detach())"
                )
            if self.device.type != "cpu":
                raise TypeError(
                    f"numpy: expected a tensor on the CPU, got one on {self.device} (use cpu())"
                )
        return self._on_host()

    def _on_host(self) -> np.ndarray[Any, Any]:
        array = self._array
        return modes.current().backends[array.__class__].to_numpy(array)  # type: ignore[no-any-return]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        array = self.numpy()
        return array if dtype in (None, array.dtype) else array.astype(dtype)

    def __bool__(self) -> bool:
        if self.numel() != 1:
            raise ShapeError(
                f"bool: expected a tensor of one element, got shape {list(self.shape)} "
                "(Boolean value of Tensor with more than one value is ambiguous)"
            )
        return bool(self.item())

    def __int__(self) -> int:
        return int(self.item())

    def __float__(self) -> float:
        return float(self.item())

    def __index__(self) -> int:
        if not dtypes.category(self.dtype) == dtypes.INTEGRAL:
            raise TypeError(f"index: expected an integer tensor, got {self.dtype}")
        return int(self.item())

    def __contains__(self, value: Any) -> bool:
        return bool(reduction.any(logic.eq(self, value)))

    # ---- the graph

    @property
    def requires_grad(self) -> bool:
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self.requires_grad_(wanted)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Let a leaf collect gradients, or stop it."""
        if requires_grad:
            if self._node is None:
                creation.as_leaf(self)
        elif self._node is not None:
            if not self.is_leaf:
                raise GraphError(
                    "requires_grad_: expected a leaf, got a tensor with a history "
                    "(you can only change requires_grad flags of leaf variables; use detach())"
                )
            self._node = None
        return self

    @property
    def is_leaf(self) -> bool:
        return self._node is None or self._node.__class__ is Leaf

    @property
    def grad_fn(self) -> Node | None:
        """The node that made this tensor; None for a leaf."""
        if self.is_leaf:
            return None
        node = self._node
        return node.source if isinstance(node, graph.Pick) else node

    @property
    def grad(self) -> Tensor | None:
        """What backward passes have summed here; None before the first."""
        return getattr(self, "_grad", None)

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, Tensor):
                raise TypeError(f"grad: expected a tensor or None, got {type(value).__name__}")
            if value.shape != self.shape:
                raise ShapeError(
                    f"grad: expected a gradient of shape {list(self.shape)}, got "
                    f"{list(value.shape)}"
                )
            if value.dtype != self.dtype:
                raise DTypeError(
                    f"grad: expected a gradient of dtype {self.dtype}, got {value.dtype}"
                )
        self._grad = value

    @grad.deleter
    def grad(self) -> None:
        self._grad = None

    def backward(
        self,
        gradient: Tensor | None = None,
        retain_graph: bool | None = None,
        create_graph: bool = False,
        inputs: Any = None,
    ) -> None:
        """Add the gradient of this tensor (times `gradient`) to the `grad` of every leaf it was
        computed from.
        """
        if isinstance(inputs, Tensor):
            inputs = (inputs,)
        engine.backward((self,), (gradient,), retain_graph, create_graph, inputs)

    def detach(self) -> Tensor:
        """The same memory without a history."""
        alias: Tensor = wrap(self._array)
        alias._version = version_of(self)
        return alias

    def detach_(self) -> Tensor:
        """Forget the history; the tensor becomes a leaf that requires no gradient."""
        if getattr(self, "_view", None) is not None:
            raise GraphError(
                "detach_: expected a tensor that is no view, got a view (use detach())"
            )
        self._node = None
        return self

    @property
    def data(self) -> Tensor:
        """A detached tensor over the same memory, whose in-place changes backward does not notice.

        Assigning gives the tensor other memory.
        """
        alias: Tensor = wrap(self._array)
        return alias

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"data: expected a tensor, got {type(value).__name__}")
        self._array = value._array
        self._version = version_of(value)
        graph.written(self)
        if isinstance(self._node, Leaf):
            self._node.shape = self._array.shape

    def retain_grad(self) -> None:
        """Let a tensor with a history keep its gradient in `grad`, too."""
        if self._node is None:
            raise GraphError(
                "retain_grad: expected a tensor that requires grad, got one that does not"
            )
        if self.is_leaf or self.retains_grad:
            return
        myself = weakref.ref(self)

        def keep(g: Tensor) -> None:
            tensor = myself()
            if tensor is not None:
                known = tensor.grad
                tensor._grad = g.clone() if known is None else known + g

        hooks_of(self._node).add("retain", keep)

    @property
    def retains_grad(self) -> bool:
        """Whether `retain_grad` was called on this tensor, which is no leaf."""
        node = self._node
        return node is not None and node.hooks is not None and bool(node.hooks.of("retain"))

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> HookHandle:
        """Call `hook(gradient)` when this tensor's gradient is known; a tensor that it returns
        replaces it.
        """
        if self._node is None:
            raise GraphError(
                "register_hook: expected a tensor that requires grad, got one that does not"
            )
        return hooks_of(self._node).add("tensor", hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Tensor], None]) -> HookHandle:
        """Call `hook(tensor)` after a backward pass has added to this leaf's `grad`."""
        if not isinstance(self._node, Leaf):
            raise GraphError(
                "register_post_accumulate_grad_hook: expected a leaf, got another tensor"
            )
        return HookHandle(hooks_of(self._node).accumulated, hook)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if not self.is_leaf:
            raise GraphError(
                "deepcopy: expected a tensor created by the user, got one with a history "
                "(only leaves support the deepcopy protocol; use detach())"
            )
        backend = modes.current().backends[self._array.__class__]
        copy = creation.finish(backend.copy(self._array), self.requires_grad)
        if self.grad is not None:
            copy._grad = wrap(backend.copy(self.grad._array))
        if hasattr(self, "_role"):
            copy._role = self._role
        memo[id(self)] = copy
        return copy

    def __reduce__(self) -> Any:
        role = getattr(self, "_role", None)
        return _rebuild, (self.detach()._on_host(), str(self.device), self.requires_grad, role)

    # ---- conversion

    def to(self, *args: Any, **kwargs: Any) -> Tensor:
        """`to(dtype)`, `to(device)`, `to(device, dtype)`, `to(other)`: itself where nothing
        changes.

        Keywords: device, dtype, non_blocking, copy.
        """
        device, dtype = kwargs.get("device"), kwargs.get("dtype")
        for arg in args:
            if isinstance(arg, Tensor):
                device, dtype = arg.device, arg.dtype
            elif isinstance(arg, str | Device) or (
                isinstance(arg, int) and not isinstance(arg, bool)
            ):
                device = arg
            elif arg is not None and not isinstance(arg, bool):
                dtype = np.dtype(arg)
        result = self
        if device is not None and backend_for(device)[1] != self.device:
            result = indexing.move(result, backend_for(device)[1])
        if dtype is not None and dtype != result.dtype:
            result = result if dtypes.is_differentiable(np.dtype(dtype)) else result.detach()
            result = conversion.cast(result, np.dtype(dtype))
        return shaping.clone(result) if kwargs.get("copy") and result is self else result

    def type_as(self, other: Tensor) -> Tensor:
        return self.to(other.dtype)

    def cpu(self) -> Tensor:
        return self.to("cpu")

    def cuda(self, device: Any = None) -> Tensor:
        return self.to("cuda" if device is None else device)

    def float(self) -> Tensor:
        return self.to(dtypes.float32)

    def double(self) -> Tensor:
        return self.to(dtypes.float64)

    def half(self) -> Tensor:
        return self.to(dtypes.float16)

    def bfloat16(self) -> Tensor:
        return self.to(dtypes.bfloat16)

    def int(self) -> Tensor:
        return self.to(dtypes.int32)

    def long(self) -> Tensor:
        return self.to(dtypes.int64)

    def bool(self) -> Tensor:
        return self.to(dtypes.bool_)

    def new_tensor(self, data: Any, **options: Any) -> Tensor:
        return creation.tensor(data, **creation.like(self, options))

    def new_zeros(self, *size: Any, **options: Any) -> Tensor:
        return creation.zeros(*size, **creation.like(self, options))

    def new_ones(self, *size: Any, **options: Any) -> Tensor:
        return creation.ones(*size, **creation.like(self, options))

    def new_full(self, size: Any, fill_value: Any, **options: Any) -> Tensor:
        return creation.full(size, fill_value, **creation.like(self, options))

    def where(self, condition: Tensor, other: Any) -> Tensor:
        return choice.where(condition, self, other)

    @property
    def T(self) -> Tensor:
        """The dimensions in reverse order."""
        return shaping.permute(self, tuple(range(self.ndim))[::-1])

    @property
    def mT(self) -> Tensor:
        """The last two dimensions exchanged."""
        return shaping.transpose(self, -2, -1)


graph.register_tensor_class(Tensor)
codegen.fill_in_tensor_class()


class _ParameterType(type):
    """Makes `isinstance(x, Parameter)` ask for the role: a parameter is a plain Tensor to every op,
    and as fast.
    """

    def __instancecheck__(cls, value: Any) -> bool:
        role = getattr(value, "_role", None) if isinstance(value, Tensor) else None
        return role is not None and issubclass(role, cls)


class Parameter(Tensor, metaclass=_ParameterType):
    """A tensor that a Module registers as its parameter when it is assigned; requires grad unless
    told.
    """

    __slots__ = ()

    def __new__(cls, data: Any = None, requires_grad: bool = True) -> Parameter:
        tensor: Any = wrap(unwrap(data)) if data is not None else creation.empty(0)
        if isinstance(data, TensorCore):
            tensor._version = version_of(data)
        tensor._role = cls
        tensor.requires_grad_(requires_grad)
        return tensor  # type: ignore[no-any-return]


def _rebuild(array: Any, device: str, requires_grad: bool, role: type | None) -> Tensor:
    """A pickled tensor again."""
    tensor = creation.as_tensor(array, device=device)
    if requires_grad:
        tensor.requires_grad_(True)
    if role is not None:
        tensor._role = role
    return tensor
