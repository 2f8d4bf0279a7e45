"""What a tensor says of the graph, and what it can ask of it: gradients, hooks, detaching."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from tensorgrad import engine, graph
from tensorgrad.errors import DTypeError, GraphError, ShapeError
from tensorgrad.graph import HookHandle, Leaf, Node, TensorCore, hooks_of, version_of, wrap
from tensorgrad.ops import creation
from tensorgrad.sparse_rows import SparseRows
from tensorgrad.tensor_memory import TensorMemory

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class TensorGraph(TensorMemory):
    """The part of `Tensor` that concerns gradients."""

    __slots__ = ()

    @property
    def requires_grad(self) -> bool:
        return self._node is not None

    @requires_grad.setter
    def requires_grad(self, wanted: bool) -> None:
        self.requires_grad_(wanted)

    def requires_grad_(self, requires_grad: bool = True) -> Self:
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
        """What backward passes have summed here; None before the first.

        A `SparseRows` where it comes from embeddings with `sparse=True` alone.
        """
        return getattr(self, "_grad", None)

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            if not isinstance(value, TensorCore | SparseRows):
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

    def to_dense(self) -> Self:
        """Itself: the gradient of a sparse embedding, `SparseRows`, has the method too."""
        return self

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
        if isinstance(inputs, TensorCore):
            inputs = (inputs,)
        engine.backward((self,), (gradient,), retain_graph, create_graph, inputs)

    def detach(self) -> Tensor:
        """The same memory without a history."""
        alias: Tensor = wrap(self._array)
        alias._version = version_of(self)
        return alias

    def detach_(self) -> Self:
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
        if not isinstance(value, TensorCore):
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
