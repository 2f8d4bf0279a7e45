"""The program that measures a machine: what it counts, and that it measures all there is."""

import importlib
import re

import pytest

import tensorgrad as tg
from tests.example_runs import run


def test_layers_are_counted(backend):
    hardware = importlib.import_module("hardware")
    net, x = hardware.conv_net(), tg.randn(2, 1, 28, 28)
    found = {work.name: work for work in hardware.layers(net, x, 0.0)}
    assert list(found) == [
        "conv1",
        "norm",
        "relu",
        "pool1",
        "conv2",
        "relu2",
        "pool2",
        "linear1",
        "relu3",
        "linear2",
    ]  # but for "flatten", a view
    image, plane = 28 * 28, 32 * 28 * 28
    conv = found["conv1"]
    assert conv.flops == 2 * 2 * 9 * plane
    assert conv.bytes == 4 * (2 * image + 2 * plane + 32 * 9 + 32)
    assert found["relu"].flops == 2 * plane
    assert found["relu"].intensity == 1 / 8  # one number read and one written
    assert found["linear2"].flops == 2 * 2 * 256 * 10
    assert found["linear2"].rate == found["linear2"].flops / found["linear2"].seconds
    step = hardware.step(net, x, list(found.values()), 0.0)
    assert step.flops == 3 * sum(work.flops for work in found.values())
    few, many = hardware.rows_at_once((1, 64), 0.0)
    assert many.flops == 64 * few.flops
    assert many.intensity > 50 * few.intensity  # the weights move once


def test_the_roof_is_the_lower_of_two_limits():
    hardware = importlib.import_module("hardware")
    machine = hardware.Machine({64: 50e9, 512: 100e9}, {10**4: 40e9, 10**8: 10e9})
    for flops, moved, roof in [
        (10**6, 10**4, 100e9),  # 100 operations a byte: products
        (10**4, 10**4, 40e9),  # small: the caches' rate
        (10**8, 10**8, 10e9),  # large: the memory's
        (4 * 10**4, 9 * 10**3, 100e9),
    ]:
        assert machine.roof(hardware.Work("", flops, moved, 1.0)) == roof


def test_a_machine_is_measured(backend, tmp_path, capsys):
    ((limits, works),) = run("hardware", "--quick", "--batch", "2", folder=tmp_path).values()
    assert list(limits.products) == [32, 64, 128, 256, 512]
    assert min(*limits.products.values(), *limits.additions.values()) > 0
    assert {name: len(group) for name, group in works.items()} == {
        "layers": 10,
        "a step of training": 1,
        "linear layer": 5,
    }
    out = capsys.readouterr().out
    assert f"---- {backend}, 2 images at once\n" in out
    assert re.search(r"GFLOP/s +roof +reached +bound by\n +conv1 +0.90 ", out)
    with pytest.raises(SystemExit, match="a --batch of at least 1, got 0"):
        run("hardware", "--batch", "0", folder=tmp_path)


def test_a_gpu_is_measured_beside_the_cpu(stand_in, tmp_path, monkeypatch):
    hardware = importlib.import_module("hardware")
    devices = []

    def machine(quick, patience):
        devices.append(tg.randn(1).device.type)
        return hardware.Machine({64: 1e9}, {10**6: 1e9})

    monkeypatch.setattr(hardware, "machine", machine)
    monkeypatch.setattr(hardware, "rows_at_once", lambda counts, patience: [])
    monkeypatch.setattr(hardware, "layers", lambda net, x, patience: [hardware.Work("a", 2, 1, 1)])
    with tg.use_backend("numpy"):
        assert list(run("hardware", "--batch", "1", folder=tmp_path)) == ["numpy", "cupy"]
    assert devices == ["cpu", "cuda"]
