"""PyTorch's programs run with their import changed: the sources in tests/programs, as they are.

Each learns on both backends of the CPU. Where PyTorch is installed, those whose random numbers all
come from NumPy give its curve as well, in float64, from the same weights.
"""

import random
import warnings

import numpy as np
import pytest

import tensorgrad as tg
from tests.oracle import needs_torch, torch
from tests.programs import NAMES, load

# The part of the cost at the start that is left at the end.
LEARNS = {
    "actor_critic": 0.7,
    "autoencoder": 0.5,
    "bilstm_crf": 0.3,
    "char_rnn": 0.3,
    "checkpoints": 0.5,
    "ctc_speech": 0.6,
    "custom_data": 0.2,
    "custom_function": 0.3,
    "dcgan": 0.7,
    "diffusion": 0.6,
    "digits_course": 0.7,
    "dqn": 0.7,
    "feature_hooks": 0.7,
    "graph_attention": 0.7,
    "graph_net": 0.7,
    "lbfgs_fit": 0.2,
    "lora": 0.4,
    "maml": 0.7,
    "mixed_precision": 0.5,
    "mixture_density": 0.85,
    "mixture_of_experts": 0.1,
    "model_surgery": 0.7,
    "nerf": 0.4,
    "neural_ode": 0.5,
    "normalizing_flow": 0.5,
    "physics_informed": 0.5,
    "profiled_training": 0.5,
    "quickstart": 0.8,
    "reinforce": 0.6,
    "resnet": 0.9,
    "schedules": 0.1,
    "seq2seq_attention": 0.9,
    "siamese": 0.3,
    "small_gpt": 0.9,
    "style_transfer": 0.2,
    "tensorboard_logging": 0.1,
    "translation_transformer": 0.6,
    "vae": 0.8,
    "vq_vae": 0.7,
    "wgan_gp": 0.5,
    "word2vec": 0.9,
}
# Their random numbers are the library's own, or they ask for single precision.
DRAWN = {"custom_data", "mixed_precision", "reinforce", "vae"}
# The packages that they ask for beside the library.
NEEDS = {"tensorboard_logging": "tensorboardX"}


def test_every_program_is_in_the_table():
    assert sorted(LEARNS) == NAMES
    assert set(LEARNS) > DRAWN | set(NEEDS)


class Weights:
    """Fills models: the same values for each library, in the order in which they are made."""

    def __init__(self, library):
        self.library = library
        self.random = np.random.default_rng(0)

    def __call__(self, model):
        with self.library.no_grad():
            for name, parameter in model.named_parameters():
                noise = self.random.standard_normal(tuple(parameter.shape))
                if parameter.ndim > 1:
                    values = noise / np.sqrt(noise[0].size)
                else:
                    values = 0.1 * noise + name.endswith("weight")
                parameter.copy_(self.library.from_numpy(values))
        return model


def curve(name, library, prepare):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    random.seed(0)
    np.random.seed(0)
    library.manual_seed(0)
    return load(name, library.__name__).main(prepare)


@pytest.mark.parametrize("name", NAMES)
def test_learns(name, backend, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    costs = curve(name, tg, lambda model: model)
    assert len(costs) >= 3
    assert np.isfinite(costs).all()
    tail = max(1, len(costs) // 10)
    assert np.mean(costs[-tail:]) <= LEARNS[name] * np.mean(costs[:tail])


@pytest.fixture
def in_float64():
    libraries = [tg, torch]
    for library in libraries:
        library.set_default_dtype(library.float64)
    yield
    for library in libraries:
        library.set_default_dtype(library.float32)


# What PyTorch's own SummaryWriter needs is not asked for.
COMPARED = sorted(set(NAMES) - DRAWN - set(NEEDS))


@needs_torch
@pytest.mark.parametrize("name", COMPARED)
def test_gives_torchs_curve(name, backend, in_float64, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    # PyTorch's own test helpers, where another test has imported them, forbid to set its switches.
    switches = torch.backends.flags_frozen.__globals__
    monkeypatch.setitem(switches, "__allow_nonbracketed_mutation_flag", True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # PyTorch's advice on how such programs are written
        wanted = curve(name, torch, Weights(torch))
    mine = curve(name, tg, Weights(tg))
    np.testing.assert_allclose(mine, wanted, rtol=1e-4)
