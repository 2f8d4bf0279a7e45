"""Parametrizations that move to another module."""

import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.utils import parametrizations, parametrize


class Doubled(nn.Module):
    def forward(self, x):
        return 2 * x

    def right_inverse(self, x):
        return x / 2


def test_both_modules_share_what_is_trained():
    one, two = nn.Linear(2, 3), nn.Linear(2, 3)
    parametrize.register_parametrization(one, "weight", Doubled())
    assert parametrize.transfer_parametrizations_and_params(one, two) is two
    original = one.parametrizations.weight.original
    assert two.parametrizations.weight.original is original
    assert two.parametrizations.weight[0] is one.parametrizations.weight[0]
    with tg.no_grad():
        original.fill_(3.0)
    assert (two.weight == 6).all()
    assert not parametrize.is_parametrized(two, "bias")


def test_a_tensor_made_of_several():
    one, two = parametrizations.weight_norm(nn.Linear(2, 3)), nn.Linear(2, 3)
    parametrize.transfer_parametrizations_and_params(one, two, "weight")
    assert (one.weight == two.weight).all()
    assert list(two.state_dict()) == [
        "bias",
        "parametrizations.weight.original0",
        "parametrizations.weight.original1",
    ]
    with pytest.raises(ValueError, match="expected a parametrized module, got"):
        parametrize.transfer_parametrizations_and_params(one, two, "bias")
