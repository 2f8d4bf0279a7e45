"""Programs that attack and make images: what they share, and that each learns."""

import gzip
import importlib

import numpy as np
import pytest

import tensorgrad as tg
from tests.example_runs import run


def write_mnist(folder, count):
    """The first digits of the bundled set as if they were MNIST's, in the middle of 28x28."""
    images, labels = tg.datasets.digits()
    large = np.zeros((count, 28, 28), np.uint8)
    large[:, 6:22, 6:22] = (255 * images[:count, 0]).astype(np.uint8).repeat(2, 1).repeat(2, 2)
    for part in ("train", "t10k"):
        for name, array in (("images", large), ("labels", labels[:count].astype(np.uint8))):
            header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
            path = folder / f"{part}-{name}-idx{array.ndim}-ubyte.gz"
            path.write_bytes(gzip.compress(header + array.tobytes()))


def test_digits_are_the_bundled_ones_or_mnist(tmp_path):
    program = importlib.import_module("program")
    parser = program.options_of("doc", 1)
    images, labels, held_out, wanted = program.digit_images(parser.parse_args([]))
    assert images.shape == (1437, 1, 8, 8)
    assert len(labels) == 1437
    assert len(held_out) == len(wanted) == 360
    options = parser.parse_args(["--data", str(tmp_path)])
    with pytest.raises(SystemExit, match="MNIST: expected the file train-images-idx3-ubyte"):
        program.digit_images(options)
    write_mnist(tmp_path, 5)
    large, numbers, *_ = program.digit_images(options)
    assert large.dtype == images.dtype
    tg.testing.assert_close(large[:, :, 6:22:2, 6:22:2], images[:5], atol=1 / 255, rtol=0)
    assert numbers.tolist() == labels[:5].tolist()
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(b"no digits")
    with pytest.raises(SystemExit, match=r"read_idx: expected .* got first bytes"):
        program.digit_images(options)


def test_images_are_laid_side_by_side():
    program = importlib.import_module("program")
    images = tg.arange(12).reshape(3, 1, 2, 2)
    rows = [[0, 1, 0, 4, 5, 0], [2, 3, 0, 6, 7, 0], [8, 9, 0, 0, 0, 0], [10, 11, 0, 0, 0, 0]]
    gap = [0] * 6
    assert program.tiled(images, 2).tolist() == [*rows[:2], gap, *rows[2:], gap]
    assert program.tiled(tg.ones(2, 3, 4, 5), 2).shape == (5, 12, 3)


def test_attacks_on_a_linear_net_are_the_worst_there_are():
    """Within epsilon the margin w x of a linear net falls by epsilon |w|_1 at most."""
    adversarial = importlib.import_module("adversarial")
    model = tg.nn.Sequential(tg.nn.Flatten(), tg.nn.Linear(16, 2))
    images, labels = 0.3 + 0.4 * tg.rand(5, 1, 4, 4), tg.tensor([0, 1, 0, 1, 1])

    def margins(images):
        scores = model(images).detach()
        mine = scores.gather(1, labels[:, None])
        return (mine - scores.gather(1, 1 - labels[:, None])).flatten()

    worst = margins(images) - 0.25 * (model[1].weight[0] - model[1].weight[1]).abs().sum().detach()
    for attacked in (
        adversarial.fgsm(model, images, labels, 0.25),
        adversarial.pgd(model, images, labels, 0.25, 10),
    ):
        assert not attacked.requires_grad
        tg.testing.assert_close(margins(attacked), worst, atol=1e-5, rtol=1e-5)
    far = adversarial.pgd(model, images, labels, 0.9, 10)
    assert far.min() == 0
    assert far.max() == 1
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_net_that_learns_from_attacks_withstands_them(backend, tmp_path, capsys):
    shares = run("adversarial", "--quick", folder=tmp_path)
    assert min(found["clean"] for found in shares.values()) > 0.8
    assert shares["plain"]["noise"] > 0.8  # the size of the change alone does little
    assert shares["plain"]["PGD"] < 0.3
    assert shares["robust"]["PGD"] > shares["plain"]["PGD"] + 0.3
    assert "net  clean  noise   FGSM    PGD\n plain" in capsys.readouterr().out


def test_attacks_that_were_broken_off_go_on(tmp_path):
    write_mnist(tmp_path, 200)
    options = ["--data", str(tmp_path), "--steps", "1", "--epochs"]
    kept = ["--checkpoint", str(tmp_path / "kept.st")]
    run("adversarial", *options, "1", *kept, folder=tmp_path)
    resumed = run("adversarial", *options, "2", *kept, folder=tmp_path)
    assert resumed == run("adversarial", *options, "2", folder=tmp_path)
    assert {path.name for path in tmp_path.glob("*.st")} == {"kept-plain.st", "kept-robust.st"}
    with pytest.raises(SystemExit, match=r"expected an epsilon in \(0, 1\) .* got 1.5 and 7"):
        run("adversarial", "--epsilon", "1.5", folder=tmp_path)


def test_the_bound_and_the_evidence_of_a_linear_decoder():
    """x = W z + b + sigma e is normal with covariance W W^T + sigma^2 I."""
    vae = importlib.import_module("vae")
    model = vae.VAE(4, 2, 8)
    model.decoder = tg.nn.Linear(2, 4)
    x = tg.rand(3, 1, 2, 2)
    with tg.no_grad():
        _, kl = model.terms(x)
        mean, log_variance = model.encode(x)
        found = model.log_evidence(x, 4000)
        weight, sigma = model.decoder.weight, model.log_sigma.exp()
    guess = tg.distributions.Normal(mean, (log_variance / 2).exp())
    prior = tg.distributions.Normal(tg.zeros(3, 2), tg.ones(3, 2))
    tg.testing.assert_close(kl, tg.distributions.kl_divergence(guess, prior).sum(1))
    covariance = (weight @ weight.T + sigma**2 * tg.eye(4)).detach()
    law = tg.distributions.MultivariateNormal(model.decoder.bias.detach(), covariance)
    tg.testing.assert_close(found, law.log_prob(x.flatten(1)), atol=0.1, rtol=0)


def test_digits_become_points_and_points_digits(backend, tmp_path, capsys):
    figures = run("vae", "--quick", folder=tmp_path)
    # Two numbers say much of 64 pixels, and more draws say how much the bound leaves out.
    assert figures["ELBO"] > figures["mean image"] + 10
    assert figures["log p(x)"] > figures["ELBO"]
    assert figures["ELBO"] == pytest.approx(figures["log p(x | z)"] - figures["KL"])
    assert "ELBO  log p(x | z)    KL  log p(x)  mean image\n" in capsys.readouterr().out


def test_a_vae_that_was_broken_off_goes_on(tmp_path):
    write_mnist(tmp_path, 200)
    options = ["--data", str(tmp_path), "--hidden", "16", "--latent", "3", "--epochs"]
    kept = ["--checkpoint", str(tmp_path / "kept.st")]
    run("vae", *options, "2", *kept, folder=tmp_path)
    resumed = run("vae", *options, "3", *kept, folder=tmp_path)
    assert resumed == run("vae", *options, "3", folder=tmp_path)
    with pytest.raises(SystemExit, match="expected a --latent of at least 2, got 1"):
        run("vae", "--latent", "1", folder=tmp_path)


def test_scores_of_what_is_judged():
    gan = importlib.import_module("gan")
    assert gan.inception_score(np.eye(10).repeat(3, 0)) == pytest.approx(10)
    assert gan.inception_score(np.eye(10)[[4] * 9]) == pytest.approx(1)
    assert gan.inception_score(np.full((5, 4), 0.25)) == pytest.approx(1)
    two = np.array([[0.9, 0.1], [0.1, 0.9]])
    kl = 0.9 * np.log(0.9 / 0.5) + 0.1 * np.log(0.1 / 0.5)
    assert gan.inception_score(two) == pytest.approx(np.exp(kl))
    for shape in ((0, 10), (10,)):
        with pytest.raises(ValueError, match=r"expected probabilities \(N, classes\), got \("):
            gan.inception_score(np.zeros(shape))


def test_the_frechet_distance_is_that_of_the_matrix_root():
    gan = importlib.import_module("gan")
    sqrtm = pytest.importorskip("scipy.linalg").sqrtm
    rng = np.random.default_rng(0)
    first = rng.normal(size=(50, 4)) @ rng.normal(size=(4, 4))
    second = rng.normal(size=(60, 4)) @ rng.normal(size=(4, 4)) + 1
    s1, s2 = np.cov(first.T), np.cov(second.T)
    wanted = ((first.mean(0) - second.mean(0)) ** 2).sum() + np.trace(s1 + s2 - 2 * sqrtm(s1 @ s2))
    assert gan.frechet_distance(first, second) == pytest.approx(wanted)
    assert gan.frechet_distance(second, first) == pytest.approx(wanted)
    flat = np.c_[first, np.zeros(50)]  # a feature that never changes: S has no inverse
    assert gan.frechet_distance(flat, flat + 2) == pytest.approx(4 * 5)
    assert gan.frechet_distance(first[:, :1], 3 * first[:, :1] ** 0) > 0
    for bad in (first[:1], first[:, :3], first[0]):
        with pytest.raises(ValueError, match=r"expected two sets .* got \(.*\) and \(60, 4\)"):
            gan.frechet_distance(bad, second)


def test_a_net_draws_digits(backend, tmp_path, capsys):
    figures = run("gan", "--quick", folder=tmp_path)
    drawn, noise, real = (figures[name] for name in ("drawn", "noise", "held out"))
    assert drawn["inception score"] > max(3.5, noise["inception score"] + 0.5)
    assert drawn["inception score"] < real["inception score"]
    assert drawn["Frechet distance"] < noise["Frechet distance"] * 2 / 3
    assert "images  inception score  Frechet distance\n" in capsys.readouterr().out


def test_two_nets_that_were_broken_off_go_on(tmp_path):
    write_mnist(tmp_path, 200)
    options = ["--data", str(tmp_path), "--channels", "2", "--latent", "4", "--epochs"]
    kept = ["--checkpoint", str(tmp_path / "kept.st")]
    run("gan", *options, "1", *kept, folder=tmp_path)
    resumed = run("gan", *options, "3", *kept, folder=tmp_path)
    assert resumed == run("gan", *options, "3", folder=tmp_path)
    with pytest.raises(SystemExit, match="--latent and --channels of at least 1, got 64 and 0"):
        run("gan", "--channels", "0", folder=tmp_path)
