"""Work of a GPU captured once and replayed, over a CuPy of host memory; and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn, optim
from tensorgrad.nn import functional
from tests.cuda_ladder import execution

pytestmark = pytest.mark.skipif(execution.COMPILER is None, reason=execution.MISSING)


def batches(count: int) -> list[tuple[Any, Any]]:
    generator = np.random.default_rng(0)
    return [
        (generator.standard_normal((8, 6), "f4"), generator.integers(0, 3, 8)) for _ in range(count)
    ]


OPTIMIZERS: dict[str, tuple[str, dict[str, Any]]] = {
    "SGD": ("SGD", {"lr": 0.1, "momentum": 0.9}),
    "Adam": ("Adam", {"lr": 0.1}),
    "AMSGrad": ("AdamW", {"amsgrad": True}),
    "Adamax": ("Adamax", {}),
    "Adagrad": ("Adagrad", {"lr_decay": 0.1}),
    "RMSprop": ("RMSprop", {"centered": True}),
    "Adadelta": ("Adadelta", {}),
}


def model_and_optimizer(name: str = "SGD") -> tuple[Any, Any]:
    tg.manual_seed(3)
    model = nn.Sequential(nn.Linear(6, 9), nn.GELU(), nn.Linear(9, 3))
    kind, options = OPTIMIZERS[name]
    return model, getattr(optim, kind)(model.parameters(), **options)


def step(model: Any, optimizer: Any, x: Any, target: Any) -> Any:
    optimizer.zero_grad()
    loss = functional.cross_entropy(model(x), target)
    loss.backward()
    optimizer.step()
    return loss.detach()


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_replays_train_as_the_program_does(name: str, cuda: Any) -> None:
    data = [(tg.tensor(x), tg.tensor(target)) for x, target in batches(6)]
    model, optimizer = model_and_optimizer(name)
    want = [step(model, optimizer, x, target).item() for x, target in data]

    model, optimizer = model_and_optimizer(name)
    x, target = data[0][0].clone(), data[0][1].clone()
    found = [step(model, optimizer, x, target).item()]
    kept = [value.clone() for value in values(model, optimizer)]
    graph = tg.cuda.CUDAGraph()
    with tg.cuda.graph(graph):
        assert tg.cuda.is_current_stream_capturing()
        loss = step(model, optimizer, x, target)
    assert not tg.cuda.is_current_stream_capturing()
    with tg.no_grad():  # the stand-in has computed what a GPU has only written down
        for value, before in zip(values(model, optimizer), kept, strict=True):
            value.copy_(before)
    for new_x, new_target in data[1:]:
        x.copy_(new_x)
        target.copy_(new_target)
        graph.replay()
        found.append(loss.item())
    assert found == want
    for value, other in zip(values(model, optimizer), kept, strict=True):
        assert (value != other).any()


def values(model: Any, optimizer: Any) -> list[Any]:
    states = [
        value for parameter in model.parameters() for value in optimizer.state[parameter].values()
    ]
    return [*[parameter.detach() for parameter in model.parameters()], *states]


def step_of(kind: Any, **options: Any) -> None:
    parameter = tg.ones(3, requires_grad=True)
    parameter.grad = tg.ones(3)
    kind([{"params": [parameter], **options}]).step()


REFUSED = {
    "a wait of the host": lambda: tg.ones(3).sum().item(),
    "a wait of the host for it .synchronize": tg.cuda.synchronize,
    "random numbers of a generator of one's own": lambda: tg.rand(
        3, generator=tg.Generator().manual_seed(9)
    ),
    "random numbers of .* or seeded anew": lambda: (tg.manual_seed(5), tg.randint(5, (3,))),
    "a copy from the host": lambda: tg.tensor([1.0, 2.0]),
    "a step of RAdam, whose numbers change each time": lambda: step_of(optim.RAdam),
    "a step of NAdam, whose numbers change each time": lambda: step_of(optim.NAdam),
    "a step of Adam, whose numbers change each time": lambda: step_of(optim.Adam, fused=False),
    "a step of Adafactor, whose numbers change each time": lambda: step_of(optim.Adafactor),
    "the capture of another graph": lambda: tg.cuda.CUDAGraph().capture_begin(),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_captured_is_refused(words: str, cuda: Any) -> None:
    graph = tg.cuda.CUDAGraph()
    with (
        pytest.raises(RuntimeError, match=f"^graph: expected work of the GPU alone, got {words}"),
        tg.cuda.graph(graph),
    ):
        REFUSED[words]()
    assert tg.ones(2).sum().item() == 2  # the capture has ended
    with pytest.raises(RuntimeError, match=r"^replay: expected a graph that was captured"):
        graph.replay()


def noisy(x: Any) -> Any:
    """All kinds of draws, and a dropout."""
    kept = functional.dropout(x + tg.randn(4), 0.4) * tg.rand(4, dtype=tg.float64)
    return kept + tg.randint(9, (4,)) + tg.bernoulli(tg.full((4,), 0.5))


def test_each_replay_draws_other_numbers_as_the_program_would(cuda: Any) -> None:
    tg.manual_seed(11)
    x = tg.ones(4)
    want = [noisy(x).tolist() for _ in range(4)] + [tg.rand(2).tolist()]
    tg.manual_seed(11)
    found = [noisy(x).tolist()]
    graph = tg.cuda.CUDAGraph()
    with tg.cuda.graph(graph):
        y = noisy(x)
    for _ in range(3):
        graph.replay()
        found.append(y.tolist())
    assert [*found, tg.rand(2).tolist()] == want
    tg.manual_seed(11)  # another stream than that of the capture, too
    graph.replay()
    assert y.tolist() == want[0]


def test_a_graphed_module_drops_in_its_gradient_what_it_dropped(cuda: Any) -> None:
    results = []
    for graphed in (False, True):
        tg.manual_seed(3)
        model = nn.Sequential(nn.Linear(5, 40), nn.Dropout(0.5), nn.Linear(40, 3), nn.Dropout(0.2))
        x = tg.rand(8, 5)
        if graphed:
            tg.cuda.make_graphed_callables(model, (tg.zeros(8, 5),))
        tg.manual_seed(4)
        for _ in range(3):  # gradients add up
            y = model(x)
            tg.rand(3)  # others draw in between
            y.square().sum().backward()
        results.append([y.tolist(), *[parameter.grad.tolist() for parameter in model.parameters()]])
    assert results[0] == results[1]


def test_a_graph_is_captured_once_and_on_a_stream_of_its_own(cuda: Any) -> None:
    graph = tg.cuda.CUDAGraph()
    with pytest.raises(RuntimeError, match=r"^capture_begin: expected a stream of one's own"):
        graph.capture_begin()
    x = tg.ones(2)
    with tg.cuda.graph(graph, stream=tg.cuda.Stream()):
        y = x + 1
    with pytest.raises(RuntimeError, match=r"^capture_begin: expected a new graph"):
        tg.cuda.graph(graph).__enter__()
    x.fill_(5)
    graph.replay()
    assert y.tolist() == [6, 6]
    graph.reset()
    other = tg.cuda.CUDAGraph()
    with tg.cuda.graph(graph), pytest.raises(RuntimeError, match="capture_error_mode"):
        other.capture_begin(capture_error_mode="none")


def test_a_graphed_module_learns_as_the_module_does(cuda: Any) -> None:
    found = []
    for graphed in (False, True):
        model, optimizer = model_and_optimizer()
        if graphed:
            sample = (tg.zeros(8, 6),)
            assert tg.cuda.make_graphed_callables(model, sample) is model
        data = [(tg.tensor(x), tg.tensor(target)) for x, target in batches(4)]
        losses = [step(model, optimizer, x, target).item() for x, target in data]
        model.eval()
        found.append((losses, model(data[0][0][:3]).shape))
    assert found[0] == found[1]


def test_a_graphed_function_of_several_results(cuda: Any) -> None:
    def function(x: Any, y: Any) -> Any:
        return x * y, (x + 1).sum()

    samples = tg.zeros(3, requires_grad=True), tg.zeros(3, requires_grad=True)
    (graphed,) = tg.cuda.make_graphed_callables((function,), (samples,))
    x, y = (tg.tensor([1.0, 2.0, k], requires_grad=True) for k in (3.0, 4.0))
    for _ in range(2):  # gradients add up
        product, total = graphed(x, y)
        (product.sum() + 2 * total).backward()
    assert (product.tolist(), total.item()) == ([1, 4, 12], 9)
    assert (x.grad.tolist(), y.grad.tolist()) == ([6, 8, 12], [2, 4, 6])
    with pytest.raises(TypeError, match=r"^make_graphed_callables: expected tensors"):
        tg.cuda.make_graphed_callables(function, (1.0, x))
