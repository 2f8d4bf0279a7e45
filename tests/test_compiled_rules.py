"""What a rule may say for a step to be compiled of it: what its trace holds, what is refused."""

import math

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import optim
from tensorgrad.backends.numba_backend import NumbaBackend
from tensorgrad.elementwise import ARRAY, Trace

backend = NumbaBackend()


def test_a_rule_of_another_class_may_be_compiled():
    """What is documented of rules holds for a user's own."""

    class Halving(optim.optimizer.Optimizer):
        elementwise = True
        counted = False

        @staticmethod
        def rule(param, grad, memory, *, share):
            memory = tg.maximum(memory, tg.abs(grad))
            return tg.where(memory > 1, param * share, param), memory

    results = []
    for name in "numba", "numpy":
        with tg.use_backend(name):
            param = tg.tensor([1.0, 2.0, -4.0], requires_grad=True)
            param.grad = tg.tensor([0.5, -3.0, np.nan])
            Halving([param], {"share": 0.5}).step()
            results.append(param.detach().numpy())
    np.testing.assert_array_equal(results[0], [1.0, 1.0, -4.0])
    np.testing.assert_array_equal(results[1], results[0])


def test_what_a_rule_cannot_be_compiled_of_is_named():
    class Bounded(optim.optimizer.Optimizer):
        elementwise = True
        counted = False

        @staticmethod
        def rule(param, grad, *, lr):
            return (param - lr * (1 - tg.tanh(grad)),)

    param = tg.ones(3, requires_grad=True)
    param.grad = tg.zeros(3)
    with pytest.raises(AttributeError, match="tanh: expected an elementwise rule"):
        Bounded([param], {"lr": 0.5}).step()
    assert param.tolist() == [1.0, 1.0, 1.0]
    Bounded([{"params": [param], "fused": False}], {"lr": 0.5}).step()
    assert param.tolist() == [0.5, 0.5, 0.5]


WARM_UPS = {
    "the lesser": lambda step: min(1, step / 3),
    "a power": lambda step: (1 - 0.5**step) ** 0.5 / (7 - step),
    "a part": lambda step: 2 * step % 3 + step // 2 - 1 / -step,
    "every third": lambda step: 0.1 if step % 3 else 1,
    "some": lambda step: 0.5 if step in (2, 5) or not step - 3 else 1,
    "a function of numbers": lambda step: 1 / math.sqrt(step),
    "a whole number": lambda step: 0.5 ** int(step),
}


@pytest.mark.parametrize("warm_up", WARM_UPS.values(), ids=WARM_UPS)
def test_the_number_of_the_step_is_followed(warm_up):
    """Where its arithmetic is plain and where it is not, past tests that turn out otherwise, and
    when the rate changes between steps.
    """

    class WarmedUp(optim.optimizer.Optimizer):
        elementwise = True

        @staticmethod
        def rule(param, grad, step, *, lr):
            return (param - lr * warm_up(step) * grad,)

    one, other = [tg.tensor([1.0, -2.0], requires_grad=True) for _ in range(2)]
    optimizers = [
        WarmedUp([one], {"lr": 0.25}),
        WarmedUp([{"params": [other], "fused": False}], {"lr": 0.25}),
    ]
    for step in range(6):
        for param, optimizer in zip((one, other), optimizers):
            param.grad = tg.tensor([0.3, step - 2.0])
            optimizer.param_groups[0]["lr"] = 0.25 if step < 4 else 0.125
            optimizer.step()
        assert one.tolist() == other.tolist(), step


def test_a_trace_has_the_decisions_and_not_the_numbers():
    def rule(param, grad, *, rate, decay):
        if decay:
            grad = grad + decay * param
        return (param - rate * grad,)

    traces = [
        Trace(rule, [ARRAY, ARRAY], {"rate": rate, "decay": decay}, [0])
        for rate, decay in [(0.1, 0.0), (0.2, 0.0), (0.1, 0.5)]
    ]
    assert traces[0].text == traces[1].text == "t0 = c0 * x1\nt1 = x0 - t0\ny0 = t1"
    assert [trace.numbers for trace in traces] == [[0.1], [0.2], [0.5, 0.1]]
    assert traces[2].text != traces[0].text


def test_a_rule_that_exchanges_two_arrays():
    def rule(one, other):
        return other, one

    one, other = np.arange(5.0), -np.arange(5.0)
    trace = Trace(rule, [ARRAY, ARRAY], {}, [0, 1])
    assert backend.step_elements(trace.text, [[one], [other]], []) is None
    assert one.tolist() == [0, -1, -2, -3, -4]
    assert other.tolist() == [0, 1, 2, 3, 4]
