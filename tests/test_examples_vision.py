"""Programs that see: each learns, goes on where it was broken off, and refuses what is no image."""

import importlib

import numpy as np
import pytest

import tensorgrad as tg
from tests.data_files import write_mnist
from tests.example_runs import run


@pytest.mark.parametrize("model", ["plain", "resnet"])
def test_conv_nets(backend, model, tmp_path, capsys):
    figures = run("convnet", "--quick", "--model", model, folder=tmp_path)
    assert figures["accuracy"] > 0.9
    assert "images named right" in capsys.readouterr().out


def test_a_conv_net_that_was_broken_off_goes_on(tmp_path, monkeypatch, capsys):
    """With the rate that its schedule had reached within the epoch."""
    options = ["--quick", "--epochs", "2", "--backend", "numba"]
    whole = run("convnet", *options, folder=tmp_path)
    options += ["--checkpoint", str(tmp_path / "kept.st")]
    save = tg.save

    def save_and_stop(state, path):
        save(state, path)
        raise KeyboardInterrupt

    monkeypatch.setattr(tg, "save", save_and_stop)
    with pytest.raises(KeyboardInterrupt):
        run("convnet", *options, folder=tmp_path)
    monkeypatch.undo()
    resumed = run("convnet", *options, folder=tmp_path)
    assert "resumed behind epoch 1" in capsys.readouterr().out
    assert [resumed[name] for name in ("loss", "accuracy")] == [whole["loss"], whole["accuracy"]]


def test_a_conv_net_reads_mnist_and_refuses_what_is_not(tmp_path):
    images, labels = tg.datasets.digits()
    large = np.zeros((96, 28, 28), np.uint8)
    large[:, 6:22, 6:22] = (255 * images[:96, 0]).repeat(2, 1).repeat(2, 2)
    for part in ("train", "t10k"):
        write_mnist(tmp_path, large, labels[:96].astype(np.uint8), part)
    options = ["--epochs", "1", "--batch", "32"]
    figures = run("convnet", *options, "--data", str(tmp_path), folder=tmp_path)
    assert figures["loss"] < 2.5
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(b"no archive")
    with pytest.raises(SystemExit, match="train-images-idx3-ubyte"):
        run("convnet", *options, "--data", str(tmp_path), folder=tmp_path)
    with pytest.raises(SystemExit, match="MNIST is needed: name the folder of its files by --data"):
        run("convnet", *options, folder=tmp_path)
    with pytest.raises(SystemExit, match=r"CIFAR10: expected the files data_batch_1\.bin"):
        run("convnet", "--model", "resnet", "--data", str(tmp_path), folder=tmp_path)


def test_grad_cam_of_means_is_the_classifiers_weighing():
    """relu(sum_k W[class, k] A_k) / places, as Zhou et al. 2016 have it."""
    convnet = importlib.import_module("convnet")
    model = importlib.import_module("conv_nets").plain(3, 4).eval()
    images, classes = tg.rand(2, 1, 12, 12), tg.tensor([2, 0])
    maps = model.features(images)
    weighed = tg.einsum("nk,nkhw->nhw", model.classifier.weight[classes], maps).relu() / 9
    wanted = tg.nn.functional.interpolate(weighed[:, None], size=(12, 12), mode="bilinear")[:, 0]
    found = convnet.class_maps(model, model.features, images, classes)
    assert found.shape == (2, 12, 12)
    assert found.max() > 0
    tg.testing.assert_close(found, wanted.detach(), atol=1e-7, rtol=1e-5)
    assert not model.features._forward_hooks  # the hook is gone
