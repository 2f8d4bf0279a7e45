"""Module: registration, walks, modes, conversion, copies and text."""

import copy
import pickle

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tests.module_samples import NAMES, Net, Scale

# ---- registration


def test_parameters_are_named_in_order_of_registration_and_once():
    net = Net()
    assert [name for name, _ in net.named_parameters()] == NAMES
    assert next(net.named_parameters(prefix="net"))[0] == "net.first.weight"
    every = [name for name, _ in net.named_parameters(remove_duplicate=False)]
    assert every == [*NAMES, "tied.weight", "tied.bias"]
    assert list(net.parameters(recurse=False)) == []
    assert [name for name, _ in net.named_buffers()] == ["scale.count", "scale.scratch"]


def test_children_and_modules():
    net = Net()
    assert [name for name, _ in net.named_children()] == ["first", "scale", "body"]
    paths = [path for path, _ in net.named_modules()]
    assert paths == ["", "first", "scale", "body", "body.0", "body.1"]
    assert net.get_submodule("body.0") is net.body[0]
    assert net.get_parameter("body.0.bias") is net.body[0].bias
    assert net.get_buffer("scale.count") is net.scale.count
    for path in ("body.7", "first.weight", "nothing"):
        with pytest.raises(AttributeError, match="get_submodule: expected"):
            net.get_submodule(path)


def test_set_submodule():
    net = Net()
    net.set_submodule("body.1", nn.Tanh(), strict=True)
    assert isinstance(net.body[1], nn.Tanh)
    net.set_submodule("body.extra", nn.Sigmoid())
    assert [name for name, _ in net.body.named_children()] == ["0", "1", "extra"]
    for path, error in (("", ValueError), ("head.0", AttributeError)):
        with pytest.raises(error, match="expected a path to a module"):
            net.set_submodule(path, nn.ReLU())
    with pytest.raises(AttributeError, match="expected a path to a module"):
        net.set_submodule("head", nn.ReLU(), strict=True)


def test_assignment_keeps_the_role_of_a_name():
    layer = nn.Linear(2, 2)
    with pytest.raises(TypeError, match=r"Linear.weight: expected a Parameter or None, got Tensor"):
        layer.weight = tg.ones(2, 2)
    layer.bias = None
    assert layer.bias is None
    assert [name for name, _ in layer.named_parameters()] == ["weight"]
    layer.bias = nn.Parameter(tg.ones(2))
    assert [name for name, _ in layer.named_parameters()] == ["weight", "bias"]
    scale = Scale()
    scale.count = tg.tensor(5)
    assert scale.state_dict()["count"].item() == 5
    with pytest.raises(TypeError, match=r"Scale.count: expected a Tensor or None, got int"):
        scale.count = 5
    net = Net()
    with pytest.raises(TypeError, match=r"Net.first: expected a Module or None, got int"):
        net.first = 3


def test_a_name_may_change_its_role():
    module = nn.Module()
    module.part = nn.Linear(1, 1)
    module.part = nn.Parameter(tg.ones(3))
    assert [name for name, _ in module.named_parameters()] == ["part"]
    assert list(module.children()) == []
    del module.part
    assert list(module.parameters()) == []
    assert not hasattr(module, "part")
    module.part = 3
    assert module.part == 3


def test_plain_tensors_are_not_registered_and_buffers_are():
    module = nn.Module()
    module.plain = tg.ones(2)
    module.kept = nn.Buffer(tg.ones(2))
    module.scratch = nn.Buffer(tg.ones(2), persistent=False)
    assert [name for name, _ in module.named_buffers()] == ["kept", "scratch"]
    assert list(module.state_dict()) == ["kept"]
    assert list(module.parameters()) == []


def test_parameters_roles_and_sharing():
    array = tg.ones(3)
    parameter, buffer = nn.Parameter(array), nn.Buffer(array)
    assert isinstance(parameter, nn.Parameter)
    assert not isinstance(parameter, nn.Buffer)
    assert isinstance(buffer, nn.Buffer)
    assert not isinstance(array, nn.Parameter)
    assert not isinstance(parameter * 2, nn.Parameter)
    buffer.fill_(5)
    assert parameter.tolist() == [5, 5, 5]
    assert not nn.Parameter(array, requires_grad=False).requires_grad


def test_parts_before_init_are_refused():
    class Hasty(nn.Module):
        def __init__(self):
            self.layer = nn.Linear(1, 1)

    with pytest.raises(AttributeError, match=r"Hasty: expected super\(\).__init__\(\) before"):
        Hasty()


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda m: m.register_parameter("x", tg.ones(2)), TypeError),
        (lambda m: m.register_parameter("x", nn.Parameter(tg.ones(2)) * 2), TypeError),
        (lambda m: m.register_parameter("a.b", nn.Parameter(tg.ones(2))), KeyError),
        (lambda m: m.register_parameter("", nn.Parameter(tg.ones(2))), KeyError),
        (lambda m: m.register_parameter(3, nn.Parameter(tg.ones(2))), TypeError),
        (lambda m: m.register_parameter("forward", nn.Parameter(tg.ones(2))), KeyError),
        (lambda m: m.register_buffer("x", 3), TypeError),
        (lambda m: m.register_buffer("first", tg.ones(2)), KeyError),
        (lambda m: m.register_module("x", 3), TypeError),
        (lambda m: m.register_module("training", nn.ReLU()), KeyError),
        (lambda m: m.train("yes"), ValueError),
        (lambda m: m.to(tg.int64), TypeError),
        (lambda m: m.load_state_dict([1]), TypeError),
        (lambda m: nn.Module()(tg.ones(1)), NotImplementedError),
    ],
)
def test_wrong_use_is_refused_and_leaves_the_module_as_it_was(call, error):
    net = Net()
    before = repr(net), list(net.state_dict())
    with pytest.raises(error, match="expected"):
        call(net)
    assert (repr(net), list(net.state_dict())) == before


# ---- modes, gradients, conversion


def test_train_and_eval_reach_every_module():
    net = Net()
    assert net.eval() is net
    assert not any(module.training for module in net.modules())
    net.body.train()
    assert net.body[0].training
    assert not net.first.training


def test_requires_grad_and_zero_grad(backend):
    net = Net().requires_grad_(False)
    assert not any(parameter.requires_grad for parameter in net.parameters())
    net.requires_grad_()
    net(tg.ones(2, 3)).sum().backward()
    net.zero_grad(set_to_none=False)
    assert all(float(p.grad.abs().sum()) == 0 for p in net.parameters())
    net.zero_grad()
    assert all(parameter.grad is None for parameter in net.parameters())


def test_apply_visits_children_first():
    seen = []
    net = nn.Sequential(nn.Linear(1, 1), nn.Sequential(nn.ReLU()))
    assert net.apply(lambda module: seen.append(type(module).__name__)) is net
    assert seen == ["Linear", "ReLU", "Sequential", "Sequential"]


def test_dtype_conversion_keeps_the_parameters_and_spares_integers(backend):
    net = Net()
    parameters = list(net.parameters())
    net(tg.ones(2, 3)).sum().backward()
    assert net.double() is net
    assert all(a is b for a, b in zip(net.parameters(), parameters, strict=True))
    assert all(p.dtype == p.grad.dtype == tg.float64 for p in parameters)
    assert net.scale.count.dtype == tg.int64
    assert net.scale.scratch.dtype == tg.float64
    assert net.tied.weight is net.first.weight
    net.zero_grad()
    net(tg.ones(2, 3, dtype=tg.float64)).sum().backward()
    assert parameters[0].grad.dtype == tg.float64
    assert net.to(tg.float16).first.weight.dtype == tg.float16
    assert net.float().to("cpu", tg.float64).to(tg.ones(1)).first.weight.dtype == tg.float32


def test_type_and_memory_without_values(backend):
    net = Net()
    weight = net.first.weight
    before = weight.detach()
    assert net.type(tg.float64) is net
    assert net.first.weight is weight
    assert weight.dtype == net.scale.count.dtype == tg.float64
    assert net.to_empty(device="cpu") is net
    assert weight.shape == before.shape
    assert weight.requires_grad
    assert not np.shares_memory(weight.detach().numpy(), before.numpy())


def test_memory_for_other_processes():
    net = nn.BatchNorm1d(2).share_memory()
    assert all(tensor.is_shared() for tensor in (*net.parameters(), *net.buffers()))


def test_compile_changes_nothing():
    layer = nn.Linear(2, 2)
    x = tg.ones(1, 2)
    before = layer(x)
    assert layer.compile(fullgraph=True) is None
    assert layer(x).tolist() == before.tolist()


class Wrapper(nn.Module):
    """Has every name of the module inside."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def __getattr__(self, name):
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(self.module, name)


def test_a_module_that_looks_elsewhere_for_names():
    wrapper = Wrapper(nn.Linear(2, 3))
    assert wrapper.out_features == 3
    assert list(wrapper.state_dict()) == ["module.weight", "module.bias"]
    for other in (copy.deepcopy(wrapper), pickle.loads(pickle.dumps(wrapper))):
        assert tg.equal(other.weight, wrapper.weight)
    with pytest.raises(AttributeError, match="'Linear' object has no attribute 'absent'"):
        wrapper.absent  # noqa: B018


# ---- copies and text


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_whole_and_apart(copied):
    net = Net()
    twin = copied(net)
    assert [name for name, _ in twin.named_parameters()] == NAMES
    assert twin.tied.weight is twin.first.weight
    assert all(isinstance(p, nn.Parameter) and p.requires_grad for p in twin.parameters())
    x = tg.ones(2, 3)
    np.testing.assert_array_equal(twin(x).detach().numpy(), net(x).detach().numpy())
    with tg.no_grad():
        twin.first.weight.zero_()
    assert float(net.first.weight.abs().sum()) > 0


def test_repr_is_pytorchs():
    expected = """Net(
  (first): Linear(in_features=3, out_features=4, bias=True)
  (scale): Scale(scale)
  (body): Sequential(
    (0): Linear(in_features=4, out_features=4, bias=True)
    (1): ReLU()
  )
  (tied): Linear(in_features=3, out_features=4, bias=True)
)"""
    assert repr(Net()) == expected


def test_reprs_match_torchs():
    torch = pytest.importorskip("torch")
    makers = [
        lambda nn: nn.Linear(2, 3, bias=False),
        lambda nn: nn.Conv2d(4, 6, 3, padding=1, groups=2, bias=False),
        lambda nn: nn.Conv1d(4, 6, 3, dilation=2, padding_mode="circular"),
        lambda nn: nn.MaxPool2d(2, padding=1),
        lambda nn: nn.AvgPool2d((2, 3)),
        lambda nn: nn.Dropout(0.2),
        lambda nn: nn.Embedding(5, 3, padding_idx=-1),
        lambda nn: nn.LSTM(3, 4, 2, bidirectional=True, dropout=0.1, proj_size=2),
        lambda nn: nn.LSTMCell(3, 4, bias=False),
        lambda nn: nn.Flatten(),
        lambda nn: nn.Unflatten(1, (2, 3)),
        lambda nn: nn.LeakyReLU(0.2, inplace=True),
        lambda nn: nn.GELU(approximate="tanh"),
        lambda nn: nn.Softmax(dim=1),
        lambda nn: nn.Softplus(),
        lambda nn: nn.ELU(),
        lambda nn: nn.CrossEntropyLoss(),
        lambda nn: nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2), nn.Sequential(nn.ReLU())]),
        lambda nn: nn.ModuleDict({"a": nn.ReLU(inplace=True)}),
        lambda nn: nn.Sequential(),
    ]
    for make in makers:
        assert repr(make(nn)) == repr(make(torch.nn))


def test_reprs_of_norms():
    assert repr(nn.BatchNorm2d(3, momentum=None)) == (
        "BatchNorm2d(3, eps=1e-05, momentum=None, affine=True, bias=True, track_running_stats=True)"
    )
    assert repr(nn.LayerNorm((3, 4), bias=False)) == (
        "LayerNorm((3, 4), eps=1e-05, elementwise_affine=True, bias=False)"
    )
