"""Functions with a backward of their own: a straight-through binarisation, an exponential with
saved result, a gradient that is reversed; a net with two heads trained through them.
"""

import numpy as np
import torch
from torch.autograd import Function, gradcheck
from torch.autograd.function import once_differentiable


class BinarizeSTE(Function):
    @staticmethod
    def forward(ctx, input):
        ctx.save_for_backward(input)
        return torch.where(input >= 0, torch.ones_like(input), -torch.ones_like(input))

    @staticmethod
    def backward(ctx, grad_output):
        (input,) = ctx.saved_tensors
        grad_input = grad_output.clone()
        grad_input[input.abs() > 1] = 0
        return grad_input


class GradientReversal(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, alpha):
        ctx.alpha = alpha
        return x.view_as(x)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_output):
        return grad_output.neg() * ctx.alpha, None


class MyExp(Function):
    @staticmethod
    def forward(ctx, i):
        result = i.exp()
        ctx.save_for_backward(result)
        return result

    @staticmethod
    def backward(ctx, grad_output):
        (result,) = ctx.saved_tensors
        if ctx.needs_input_grad[0]:
            return grad_output * result
        return None


class LinearFunction(Function):
    @staticmethod
    def forward(ctx, input, weight, bias=None):
        ctx.save_for_backward(input, weight, bias)
        output = input.mm(weight.t())
        if bias is not None:
            output += bias.unsqueeze(0).expand_as(output)
        return output

    @staticmethod
    def backward(ctx, grad_output):
        input, weight, bias = ctx.saved_tensors
        grad_input = grad_weight = grad_bias = None
        if ctx.needs_input_grad[0]:
            grad_input = grad_output.mm(weight)
        if ctx.needs_input_grad[1]:
            grad_weight = grad_output.t().mm(input)
        if bias is not None and ctx.needs_input_grad[2]:
            grad_bias = grad_output.sum(0)
        return grad_input, grad_weight, grad_bias


class Linear(torch.nn.Module):
    def __init__(self, input_features, output_features):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(output_features, input_features))
        self.bias = torch.nn.Parameter(torch.empty(output_features))
        torch.nn.init.uniform_(self.weight, -0.5, 0.5)
        torch.nn.init.uniform_(self.bias, -0.5, 0.5)

    def forward(self, input):
        return LinearFunction.apply(input, self.weight, self.bias)

    def extra_repr(self):
        return f"in_features={self.weight.shape[1]}, out_features={self.weight.shape[0]}"


class TwoHeads(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body = Linear(4, 12)
        self.label = Linear(12, 1)
        self.domain = Linear(12, 1)

    def forward(self, x):
        hidden = BinarizeSTE.apply(self.body(x))
        return self.label(hidden), self.domain(GradientReversal.apply(hidden, 0.01))


def main(prepare):
    input = (
        torch.randn(3, 4, dtype=torch.double, requires_grad=True),
        torch.randn(2, 4, dtype=torch.double, requires_grad=True),
    )
    assert gradcheck(LinearFunction.apply, input, eps=1e-6, atol=1e-4)
    assert gradcheck(MyExp.apply, (input[0],))
    rng = np.random.RandomState(0)
    x = torch.tensor(rng.randn(64, 4), dtype=torch.get_default_dtype())
    y = (x[:, :1] > 0).to(x.dtype)
    domain = MyExp.apply(x[:, 1:2]).detach()
    model = prepare(TwoHeads())
    print(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    history = []
    for _ in range(60):
        label, guess = model(x)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(label, y)
        total = loss + 0.1 * (guess - domain).pow(2).mean()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        history.append(loss.item())
    return history
