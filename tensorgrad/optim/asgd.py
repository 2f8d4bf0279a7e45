"""Averaged stochastic gradient descent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tensorgrad.ops.creation import tensor
from tensorgrad.optim.adam import decayed
from tensorgrad.optim.optimizer import Group, Optimizer, Params, hints

if TYPE_CHECKING:
    from tensorgrad._tensor import Tensor


class ASGD(Optimizer):
    """SGD with lr_t = lr / (1 + lambd * lr * t)^alpha and a decay of lambd; the state "ax" is the
    average of the parameters from step t0 on.

    Polyak and Juditsky 1992; https://docs.pytorch.org/docs/stable/generated/torch.optim.ASGD.html
    """

    elementwise = True
    on_host = ("step", "eta", "mu")

    def __init__(
        self,
        params: Params,
        lr: float | Tensor = 1e-2,
        lambd: float = 1e-4,
        alpha: float = 0.75,
        t0: float = 1e6,
        weight_decay: float = 0,
        foreach: bool | None = None,
        maximize: bool = False,
        differentiable: bool = False,
        capturable: bool = False,
    ) -> None:
        defaults = {
            "lr": lr,
            "lambd": lambd,
            "alpha": alpha,
            "t0": t0,
            "weight_decay": weight_decay,
            "maximize": maximize,
        }
        super().__init__(
            params,
            defaults | hints(foreach=foreach, capturable=capturable, differentiable=differentiable),
        )

    def check(self, options: Group) -> None:
        self.expect_not_negative(options, "lr", "weight_decay")

    def fresh(self, name: str, param: Tensor, group: Group) -> Tensor:
        if name == "ax":
            return super().fresh(name, param, group)
        return tensor(float(group["lr"]) if name == "eta" else 1.0, device="cpu")

    @staticmethod
    def rule(
        param: Any,
        grad: Any,
        eta: Any,
        mu: Any,
        ax: Any,
        step: int,
        *,
        lr: float,
        lambd: float,
        alpha: float,
        t0: float,
        weight_decay: float,
        maximize: bool,
    ) -> tuple[Any, Any, Any, Any]:
        _, grad = decayed(param, grad, lr, weight_decay, False, maximize)
        rate, share = float(eta), float(mu)
        param = param * (1 - lambd * rate) - rate * grad
        ax = param if share == 1 else ax + share * (param - ax)
        eta = lr / (1 + lambd * lr * step) ** alpha
        return param, eta, 1 / max(1, step - t0), ax
