"""Programs that see: each learns, goes on where it was broken off, and refuses what is no image."""

import importlib
import importlib.util
import itertools
import re

import numpy as np
import pytest
from PIL import Image

import tensorgrad as tg
from tests.data_files import write_mnist
from tests.example_runs import run


@pytest.mark.parametrize("model", ["plain", "resnet"])
def test_conv_nets(backend, model, tmp_path, capsys):
    figures = run("convnet", "--quick", "--model", model, folder=tmp_path)
    assert figures["accuracy"] > 0.9
    assert "images named right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "options"), [("convnet", []), ("captchas", ["--model", "ctc"])], ids=["convnet", "ctc"]
)
def test_one_that_was_broken_off_goes_on(name, options, tmp_path, monkeypatch, capsys):
    """With the rate that its schedule had reached within the epoch, and the images of the next."""
    options = ["--quick", "--epochs", "2", "--backend", "numba", *options]
    run(name, *options, folder=tmp_path)
    second = re.findall(r"epoch 2: .*", capsys.readouterr().out)
    options += ["--checkpoint", str(tmp_path / "kept.st")]
    save = tg.save

    def save_and_stop(state, path):
        save(state, path)
        raise KeyboardInterrupt

    monkeypatch.setattr(tg, "save", save_and_stop)
    with pytest.raises(KeyboardInterrupt):
        run(name, *options, folder=tmp_path)
    monkeypatch.undo()
    capsys.readouterr()
    run(name, *options, folder=tmp_path)
    out = capsys.readouterr().out
    assert "resumed behind epoch 1" in out
    assert re.findall(r"epoch 2: .*", out) == second != []


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


def test_captchas(backend, tmp_path, capsys):
    shares = run("captchas", "--quick", folder=tmp_path)
    assert shares["heads"] > 0.5  # by chance 1 of 16
    assert shares["ctc"] > 0.8
    assert "taken for another: " in capsys.readouterr().out


@pytest.fixture
def drawn():
    return importlib.import_module("captcha_images").Drawn("some seed", "AB7", (2, 4), (30, 60))


def test_a_number_is_an_image(drawn):
    image, label = drawn[5]
    assert image.shape == (1, 30, 60)
    assert image.dtype == np.float32
    assert 0 <= image.min() < 0.2 < image.max() <= 1
    assert label.shape == (4,)
    length = np.count_nonzero(label)
    assert length in (2, 4)
    assert label[:length].min() >= 1
    again, same = drawn[5]
    assert (again == image).all()
    assert (same == label).all()
    assert (drawn[6][0] != image).any()
    drawn.seed = "another"
    assert (drawn[5][0] != image).any()


def test_other_processes_draw_the_same(drawn):
    sampler = tg.data.RandomSampler(drawn, replacement=True, num_samples=8)
    found = []
    for workers in (0, 2):
        tg.manual_seed(1)
        found.append([*tg.data.DataLoader(drawn, 4, sampler=sampler, num_workers=workers)])
    for (images, labels), (others, same) in zip(*found, strict=True):
        assert tg.equal(images, others)
        assert tg.equal(labels, same)


@pytest.mark.parametrize("name", ["heads", "ctc"])
def test_readers_read_what_their_shares_say(name, drawn):
    """Of each image alone, as of all at once."""
    reader = importlib.import_module("captcha_readers").READERS[name](4, 4, (30, 60), 2).eval()
    for parameter in reader.parameters():
        parameter.data = tg.randn(parameter.shape) * 0.5
    images = tg.tensor(np.stack([drawn[place][0] for place in range(6)]))
    strings = reader.read(images)
    assert any(strings)
    for image, string in zip(images, strings, strict=True):
        shares = reader.shares(image)
        tg.testing.assert_close(shares.sum(1), tg.ones(len(shares)))
        best = shares.argmax(1).tolist()
        if name == "ctc":
            best = [label for label, _ in itertools.groupby(best)]
        assert [label for label in best if label] == string


def test_captchas_of_a_folder(drawn, tmp_path):
    strings = importlib.import_module("captcha_images")
    options = ["--quick", "--epochs", "1", "--data", str(tmp_path / "images")]
    (tmp_path / "images").mkdir()
    with pytest.raises(SystemExit, match=r"images: expected images whose names are .*, got 0"):
        run("captchas", *options, folder=tmp_path)
    for place in range(30):
        image, label = drawn[place]
        name = strings.text_of(label.tolist(), "AB7")
        pixels = (255 * (1 - image[0])).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / "images" / f"{name}.png")
    dataset, alphabet = strings.folder_of(tmp_path / "images", (60, 80))
    assert alphabet == "7AB"
    image, label = dataset[0]
    assert image.shape == (1, 60, 80)
    first = min(path.stem for path in (tmp_path / "images").iterdir())
    assert strings.text_of(label.tolist(), alphabet) == first
    assert run("captchas", *options, folder=tmp_path).keys() == {"heads", "ctc"}
    (tmp_path / "images" / "A7.jpg").write_bytes(b"no image")
    with pytest.raises(SystemExit, match=r"read_image: expected an image .* in .*A7\.jpg"):
        run("captchas", *options, folder=tmp_path)


def test_without_the_package_that_draws_it_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="pip install captcha"):
        run("captchas", "--quick", folder=tmp_path)
