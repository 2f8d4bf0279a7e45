"""A module called as a function of its parameters and buffers.

https://docs.pytorch.org/docs/stable/generated/torch.func.functional_call.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad.graph import TensorCore
from tensorgrad.ops.joining import stack

if TYPE_CHECKING:
    from tensorgrad.nn import Module

Tensors = dict[str, Any]


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Tensors | tuple[Tensors, ...] | list[Tensors],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """module(*args, **kwargs) with other tensors in the place of its parameters and buffers, by
    their names in `state_dict`; gradients reach those tensors. The module is as before afterwards.

    args that is no tuple is the one argument. tie_weights: where a tensor of the module has several
    names, replacing one replaces all. strict: every parameter and buffer must be given, and nothing
    else; otherwise a missing one stays, and unknown names are passed over.
    """
    given = _merged(parameter_and_buffer_dicts)
    places = {
        f"{prefix}.{name}" if prefix else name: (part.__dict__, name)
        for prefix, part in module.named_modules(remove_duplicate=False)
        for name in (*dict(part.named_parameters(recurse=False, remove_duplicate=False)),
                     *dict(part.named_buffers(recurse=False, remove_duplicate=False)))
    }  # fmt: skip
    if strict and given.keys() != places.keys():
        raise RuntimeError(
            f"functional_call: expected tensors for {sorted(places)}, got {sorted(given)}"
        )
    known = {name: fields[own] for name, (fields, own) in places.items()}
    wanted = {name: value for name, value in given.items() if name in known}
    if tie_weights:
        by_tensor = {id(known[name]): value for name, value in wanted.items()}
        for name, value in known.items():
            if id(value) in by_tensor:
                wanted.setdefault(name, by_tensor[id(value)])
    if args is None:
        args = ()
    elif not isinstance(args, tuple):
        args = (args,)
    try:
        for name, value in wanted.items():
            fields, own = places[name]
            fields[own] = value
        return module(*args, **(kwargs or {}))
    finally:
        for name in wanted:
            fields, own = places[name]
            fields[own] = known[name]


def _merged(given: Any) -> Tensors:
    parts = given if isinstance(given, tuple | list) else [given]
    merged: Tensors = {}
    for part in parts:
        if not isinstance(part, dict):
            raise ValueError(
                f"functional_call: expected a dict of tensors or several, got {type(part).__name__}"
            )
        if twice := sorted(merged.keys() & part.keys()):
            raise ValueError(f"functional_call: expected each name in one dict, got {twice} in two")
        merged |= part
    for name, value in merged.items():
        if not isinstance(value, TensorCore):
            raise TypeError(
                f"functional_call: expected tensors, got {type(value).__name__} as {name!r}"
            )
    return merged


def stack_module_state(models: list[Module]) -> tuple[Tensors, Tensors]:
    """(parameters, buffers) of modules of one class, those of one name stacked: what `vmap` over
    `functional_call` takes for an ensemble.
    """
    if not models:
        raise RuntimeError("stack_module_state: expected at least one model, got none")
    kinds = {type(model) for model in models}
    if len(kinds) > 1:
        names = sorted(kind.__name__ for kind in kinds)
        raise RuntimeError(f"stack_module_state: expected models of one class, got {names}")
    if len({model.training for model in models}) > 1:
        raise RuntimeError(
            "stack_module_state: expected all models in training or all in evaluation, got both"
        )
    stacked = []
    for method in ("named_parameters", "named_buffers"):
        columns = [dict(getattr(model, method)()) for model in models]
        stacked.append({name: _stacked([column[name] for column in columns])
                        for name in columns[0]})  # fmt: skip
    return stacked[0], stacked[1]


def _stacked(tensors: list[Any]) -> Any:
    joined = stack([tensor.detach() for tensor in tensors])
    return joined.requires_grad_(tensors[0].requires_grad)
