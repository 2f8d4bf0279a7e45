"""A generative adversarial net: one net draws digits, another tells them from real ones.

    python examples/gan.py --data mnist

Goodfellow et al. 2014 (https://arxiv.org/abs/1406.2661), with the convolutions of DCGAN (Radford et
al. 2016, https://arxiv.org/abs/1511.06434). The discriminator D learns to give real images a high
score and drawn ones, G(z) of a random z, a low one; G learns to be scored high. Their losses are

    of D:  E log(1 + exp(-D(x))) + E log(1 + exp(D(G(z))))
    of G:  E log(1 + exp(-D(G(z)))).

Neither says how good the images are. A judge does, a classifier of digits trained here first: by
its certainty and the variety of what it sees (the inception score, Salimans et al. 2016,
https://arxiv.org/abs/1606.03498), and by how far what it finds in drawn images is from what it
finds in held-out ones (Frechet distance, Heusel et al. 2017, https://arxiv.org/abs/1706.08500).
--data is the folder with MNIST's four IDX files (train-images-idx3-ubyte.gz, ...,
https://yann.lecun.com/exdb/mnist); without it, and with --quick, the bundled digits of 8x8 pixels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

import program
import tensorgrad as tg
from tensorgrad import nn


def generator(side: int, latent: int, channels: int) -> nn.Sequential:
    """z (N, latent) to images (N, 1, side, side) in [0, 1], over a quarter and half of the side."""
    quarter, wide = side // 4, 2 * channels
    return nn.Sequential(
        nn.Linear(latent, wide * quarter**2, bias=False), nn.Unflatten(1, (wide, quarter, quarter)),
        nn.BatchNorm2d(wide), nn.ReLU(),
        nn.ConvTranspose2d(wide, channels, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(channels), nn.ReLU(),
        nn.ConvTranspose2d(channels, 1, 4, stride=2, padding=1), nn.Sigmoid(),
    )  # fmt: skip


def discriminator(side: int, channels: int) -> nn.Sequential:
    """Images (N, 1, side, side) to scores (N, 1), high for real ones."""
    return nn.Sequential(
        nn.Conv2d(1, channels, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
        nn.Conv2d(channels, 2 * channels, 4, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(2 * channels), nn.LeakyReLU(0.2), nn.Flatten(),
        nn.Linear(2 * channels * (side // 4) ** 2, 1),
    )  # fmt: skip


class Judge(nn.Module):
    """Tells which digit an image shows."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 4, stride=2, padding=1), nn.ReLU(),
            nn.Conv2d(16, 32, 4, stride=2, padding=1), nn.ReLU(), nn.Flatten(),
            nn.Linear(32 * (side // 4) ** 2, 32), nn.ReLU(),
        )  # fmt: skip
        self.scores = nn.Linear(32, 10)

    def forward(self, images: Any) -> Any:
        return self.scores(self.features(images))

    def opinion(self, images: Any) -> tuple[Any, Any]:
        """What is found in each image (N, 32), and the probabilities of digits (N, 10)."""
        with tg.no_grad():
            parts = [self.features(some) for some in images.split(500)]
            found = tg.cat(parts)
            return found.cpu().numpy(), self.scores(found).softmax(1).cpu().numpy()


def inception_score(probabilities: Any) -> float:
    """exp of the mean over images of KL(p(digit | image) || p(digit)), by probabilities
    (N, classes): from 1, where all look alike or like nothing, to the number of classes.
    """
    p = np.asarray(probabilities, float)
    if p.ndim != 2 or not len(p):
        raise ValueError(f"inception_score: expected probabilities (N, classes), got {p.shape}")
    safe = np.maximum(p, 1e-12)
    return float(np.exp((p * (np.log(safe) - np.log(safe.mean(0)))).sum(1).mean()))


def frechet_distance(found: Any, wanted: Any) -> float:
    """Between the normal distributions with the means m and covariances S of two sets of features,
    each (N, size): |m1 - m2|^2 + tr(S1 + S2 - 2 (S1 S2)^(1/2)).
    """
    sets = [np.asarray(some, float) for some in (found, wanted)]
    if (
        any(some.ndim != 2 or len(some) < 2 for some in sets)
        or sets[0].shape[1] != sets[1].shape[1]
    ):
        shapes = " and ".join(str(some.shape) for some in sets)
        raise ValueError(f"frechet_distance: expected two sets (N, size), N > 1, got {shapes}")
    means = [some.mean(0) for some in sets]
    first, second = (np.cov(some, rowvar=False).reshape(2 * some.shape[1:]) for some in sets)
    # tr (S1 S2)^(1/2) is the sum of the roots of the eigenvalues of R S2 R, R the root of S1.
    values, vectors = np.linalg.eigh(first)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    roots = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    shift = ((means[0] - means[1]) ** 2).sum()
    return float(max(0, shift + np.trace(first) + np.trace(second) - 2 * roots))


def main(arguments: list[str] | None = None) -> dict[str, dict[str, float]]:
    """Train the judge, then the two nets, print how good drawn images are beside real ones and
    noise, draw some, and return both measures by what was judged.
    """
    options = program.options_of(
        __doc__,
        epochs=15,
        latent={"type": int, "default": 64, "help": "numbers of z"},
        channels={"type": int, "default": 32, "help": "of the nets where images are largest"},
        rate={"type": float, "default": 2e-4, "help": "of learning"},
    ).parse_args(arguments)
    if options.quick:
        options.epochs, options.latent, options.channels, options.rate = 15, 32, 16, 2e-3
    if options.latent < 1 or options.channels < 1:
        got = f"got {options.latent} and {options.channels}"
        raise SystemExit(f"gan: expected a --latent and --channels of at least 1, {got}")
    program.begin(options)
    images, labels, held_out, wanted = program.digit_images(options)
    side = images.shape[-1]

    judging = program.of_part(options, "judge")
    judging.epochs = 10 if options.quick else 3
    judge = Judge(side)
    program.fit(
        judging, judge, tg.optim.Adam(judge.parameters(), lr=2e-3),
        tg.data.DataLoader(tg.data.TensorDataset(images, labels), 64, shuffle=True),
        lambda batch: nn.functional.cross_entropy(judge(batch[0]), batch[1]),
        size_of=lambda batch: len(batch[0]), unit="images",
        after_epoch=lambda epoch: {
            "accuracy": (judge(held_out).argmax(1) == wanted).float().mean().item()
        },
    )  # fmt: skip
    real, _ = judge.opinion(held_out)

    def judged(pictures: Any) -> dict[str, float]:
        found, digits = judge.opinion(pictures)
        distance = frechet_distance(found, real)
        return {"inception score": inception_score(digits), "Frechet distance": distance}

    draws = generator(side, options.latent, options.channels)
    tells = discriminator(side, options.channels)
    nets = nn.ModuleList([draws, tells])
    for parameter in nets.parameters():
        if parameter.ndim > 1:
            nn.init.normal_(parameter, std=0.02)
    settings = {"lr": options.rate, "betas": (0.5, 0.999)}
    drawing, telling = (tg.optim.Adam(net.parameters(), **settings) for net in (draws, tells))
    softplus = nn.functional.softplus  # log(1 + exp(x))

    def loss_of(batch: Any) -> Any:
        drawn = draws(tg.randn(len(batch[0]), options.latent))
        telling.zero_grad()
        (softplus(-tells(batch[0])) + softplus(tells(drawn.detach()))).mean().backward()
        telling.step()
        return softplus(-tells(drawn)).mean()

    def sampled(count: int) -> Any:
        return tg.cat([draws(z) for z in tg.randn(count, options.latent).split(500)])

    count = len(held_out)
    history = program.fit(
        program.of_part(options, "nets"), nets, drawing,
        tg.data.DataLoader(tg.data.TensorDataset(images), 64, shuffle=True, drop_last=True),
        loss_of, size_of=lambda batch: len(batch[0]), unit="images",
        after_epoch=lambda epoch: judged(sampled(min(count, 2000))), telling=telling,
    )  # fmt: skip
    with tg.no_grad():
        pictures = sampled(count)
    sets = {"noise": tg.rand(held_out.shape), "drawn": pictures, "learnt from": images[:count]}
    figures = {name: judged(some) for name, some in sets.items()}
    figures["held out"] = judged(held_out)
    rows = [
        (name, *(f"{value:.2f}" for value in found.values())) for name, found in figures.items()
    ]
    print(program.table(rows, ("images", *figures["drawn"])))

    def draw(figure: Any) -> None:
        left, right = figure.subfigures(1, 2, width_ratios=(3, 2))
        grids = {
            "drawn, in columns by what the judge sees": pictures,
            "held out, likewise": held_out,
        }
        for axes, (title, some) in zip(left.subplots(2, 1), grids.items(), strict=True):
            seen = judge.opinion(some)[1].argmax(1)
            shown = tg.zeros(6, 10, 1, side, side)
            for digit in range(10):
                chosen = some[tg.tensor((seen == digit).nonzero()[0][:6])]
                shown[: len(chosen), digit] = chosen
            axes.imshow(program.tiled(shown.flatten(0, 1), 10), cmap="gray_r", vmin=0, vmax=1)
            axes.set_title(title, fontsize=9)
            axes.set_axis_off()
        for axes, name in zip(right.subplots(2, 1, sharex=True), figures["drawn"], strict=True):
            axes.plot(range(1, len(history) + 1), [epoch[name] for epoch in history], label="drawn")
            level = figures["learnt from"][name]
            axes.axhline(level, linestyle=":", color="gray", label="digits learnt from")
            axes.set(ylabel=name)
            axes.legend(fontsize=8)
        axes.set(xlabel="epoch", yscale="log")

    program.picture(options, "gan", draw)
    return figures


if __name__ == "__main__":
    main()
