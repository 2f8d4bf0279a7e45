"""Lazy layers: their shapes come from the first input."""

import copy
import pickle

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn import init
from tensorgrad.nn.lazy import LazyModuleMixin
from tests.layer_samples import host

LAZY = {
    "LazyLinear": ((4,), (2, 3, 5)),
    "LazyConv1d": ((4, 3), (2, 6, 9)),
    "LazyConv2d": ((4, 3, 1, 1, 1, 2), (2, 6, 9, 8)),
    "LazyConv3d": ((4, 2), (2, 6, 5, 4, 3)),
    "LazyConvTranspose1d": ((4, 3), (6, 9)),
    "LazyConvTranspose2d": ((4, 3, 2, 1, 1, 2), (2, 6, 4, 5)),
    "LazyConvTranspose3d": ((4, 2), (2, 6, 3, 3, 3)),
    "LazyBatchNorm1d": ((), (4, 3)),
    "LazyBatchNorm2d": ((), (4, 3, 2, 2)),
    "LazyBatchNorm3d": ((1e-3, 0.2), (4, 3, 2, 2, 2)),
    "LazyInstanceNorm1d": ((), (3, 4)),
    "LazyInstanceNorm2d": ((), (4, 3, 2, 2)),
    "LazyInstanceNorm3d": ((), (4, 3, 2, 2, 2)),
}


@pytest.mark.parametrize("name", LAZY)
def test_lazy_layers_become_what_they_stand_for(name, backend):
    arguments, shape = LAZY[name]
    lazy = getattr(nn, name)(*arguments)
    kind = getattr(nn, name.removeprefix("Lazy"))
    parameters = list(lazy.parameters())
    assert [repr(p) for p in parameters] == ["<UninitializedParameter>"] * 2
    state = lazy.state_dict()
    assert repr(state["weight"]) == "<UninitializedParameter>"
    with pytest.raises(RuntimeError, match="shape: expected a tensor that is initialized"):
        _ = lazy.weight.shape
    copies = [copy.deepcopy(lazy), pickle.loads(pickle.dumps(lazy))]
    lazy.double()
    x = tg.randn(*shape)
    out = lazy(x.double())
    assert type(lazy) is kind
    assert out.dtype == tg.float64
    assert all(a is b for a, b in zip(lazy.parameters(), parameters, strict=True))
    assert all(isinstance(p, nn.Parameter) and p.numel() for p in parameters)
    out.sum().backward()
    assert parameters[0].grad.shape == lazy.weight.shape
    for twin in copies:  # a state brings the shapes
        twin.load_state_dict(lazy.state_dict())
        assert isinstance(twin, LazyModuleMixin)
        twin.eval()
        lazy.eval()
        np.testing.assert_allclose(host(twin(x)), host(lazy(x.double())), rtol=1e-4, atol=1e-5)
        assert repr(twin) == repr(lazy)


def test_lazy_layers_start_as_their_kind_does():
    layer = nn.LazyLinear(50)
    layer(tg.ones(1, 100))
    assert np.abs(host(layer.weight)).max() <= 0.1
    assert abs(host(layer.weight).std() - 0.1 / 3**0.5) < 0.003
    norm = nn.LazyBatchNorm1d()
    norm(tg.ones(2, 3))
    assert norm.weight.tolist() == [1, 1, 1]
    assert norm.num_batches_tracked.item() == 1
    assert nn.LazyConv2d(2, 3, bias=False).bias is None


def test_lazy_layers_and_states():
    lazy, other = nn.LazyLinear(2), nn.LazyLinear(2)
    lazy.load_state_dict(other.state_dict())
    assert lazy.has_uninitialized_params()
    with pytest.raises(RuntimeError, match=r"weight: expected shape \[2, 3\]"):
        nn.Linear(3, 2).load_state_dict(other.state_dict())
    with pytest.raises(ValueError, match="expected in_channels divisible by 2 groups, got 3"):
        nn.LazyConv1d(4, 1, groups=2)(tg.ones(1, 3, 5))
    with pytest.raises(RuntimeError, match="LazyConv2d: expected 3D or 4D input"):
        nn.LazyConv2d(4, 1)(tg.ones(3, 5))


def test_lazy_module_of_ones_own():
    class Scale(LazyModuleMixin):
        def __init__(self):
            super().__init__()
            self.factor = nn.UninitializedParameter()
            self.count = nn.UninitializedBuffer(dtype=tg.int64)

        def initialize_parameters(self, input):
            if self.has_uninitialized_params():
                self.factor.materialize(input.shape[-1:])
                self.count.materialize(())
                init.ones_(self.factor)

        def forward(self, input):
            return input * self.factor

    scale = Scale()
    assert scale(tg.tensor([1.0, 2.0])).tolist() == [1, 2]
    assert scale(tg.tensor([3.0, 4.0])).tolist() == [3, 4]
    assert list(scale.state_dict()) == ["factor", "count"]
    assert scale.count.dtype == tg.int64

    class Forgetful(Scale):
        def initialize_parameters(self, input):
            pass

    with pytest.raises(RuntimeError, match="Forgetful: expected initialize_parameters"):
        Forgetful()(tg.ones(2))
