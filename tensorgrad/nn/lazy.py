"""Modules that take the shapes of their parameters from their first input.

https://docs.pytorch.org/docs/stable/generated/torch.nn.modules.lazy.LazyModuleMixin.html
"""

from __future__ import annotations

from typing import Any, ClassVar

from tensorgrad.nn.module import Module
from tensorgrad.nn.parameter import is_lazy

__all__ = ["LazyModuleMixin"]


class LazyModuleMixin(Module):
    """Stands before the base in a class statement; `initialize_parameters` has the arguments of
    forward.

    The first call initializes the parameters and turns the module into `cls_to_become`, if there
    is one. A state that is loaded before brings the shapes.
    """

    cls_to_become: ClassVar[type[Module] | None] = None

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Give the uninitialized parameters and buffers their shapes and values."""
        raise NotImplementedError(
            f"{type(self).__name__}: expected the subclass to define initialize_parameters"
        )

    def has_uninitialized_params(self) -> bool:
        """Whether a parameter or buffer of this module alone has no shape yet."""
        return any(is_lazy(self.__dict__[name]) for name in self._roles)

    def _materialize(self, **shapes: tuple[int, ...]) -> None:
        """Give those that have none their shape."""
        for name, shape in shapes.items():
            if is_lazy(self.__dict__[name]):
                self.__dict__[name].materialize(shape)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.initialize_parameters(*args, **kwargs)
        if self.has_uninitialized_params():
            raise RuntimeError(
                f"{type(self).__name__}: expected initialize_parameters to leave nothing "
                "uninitialized, got an uninitialized parameter or buffer"
            )
        if self.cls_to_become is None:
            return super().__call__(*args, **kwargs)
        self.__class__ = self.cls_to_become  # type: ignore[assignment]
        return self(*args, **kwargs)
