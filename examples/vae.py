"""A variational autoencoder: digits as points of a plane, and points of the plane as digits.

    python examples/vae.py --data mnist [--latent 20]

Kingma and Welling 2014, https://arxiv.org/abs/1312.6114. An image x is thought to be drawn by a
decoder p(x | z) from a hidden z, normally distributed; an encoder q(z | x) guesses z from x. What
is made as large as can be is a bound from below of log p(x), in nats:

    ELBO(x) = E over z of q(z | x) of log p(x | z)  -  KL(q(z | x) || N(0, I)),

how well x is restored, less what it takes to say z. Pixels are normally distributed about what the
decoder says, with one sigma for all, which is learnt too (Rybkin et al. 2021,
https://arxiv.org/abs/2006.13202). --data is the folder with MNIST's four IDX files
(train-images-idx3-ubyte.gz, ..., https://yann.lecun.com/exdb/mnist); without it, and with --quick,
the bundled digits of 8x8 pixels.
"""

from __future__ import annotations

import math
from typing import Any

import program
import tensorgrad as tg
from tensorgrad import nn


def normal(errors: Any, log_sigma: Any) -> Any:
    """The log density of each row of errors e: the sum of -e^2 / (2 sigma^2) - log sigma
    - log(2 pi) / 2.
    """
    each = -((errors / log_sigma.exp()) ** 2) / 2 - log_sigma - math.log(2 * math.pi) / 2
    return each.sum(1)


class VAE(nn.Module):
    """Encoder and decoder with two hidden layers each, of images with so many pixels."""

    def __init__(self, pixels: int, latent: int, hidden: int) -> None:
        super().__init__()
        self.latent = latent
        self.encoder = nn.Sequential(
            nn.Flatten(),
            nn.Linear(pixels, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, 2 * latent),
        )  # fmt: skip
        self.decoder = nn.Sequential(
            nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, pixels), nn.Sigmoid(),
        )  # fmt: skip
        self.log_sigma = nn.Parameter(tg.tensor(-1.0))

    def encode(self, x: Any) -> tuple[Any, Any]:
        """Of q(z | x) = N(mean, diag(exp(log_variance))): both, of shape (N, latent)."""
        mean, log_variance = self.encoder(x).chunk(2, 1)
        return mean, log_variance

    def terms(self, x: Any) -> tuple[Any, Any]:
        """Of each image log p(x | z) for one z drawn from q(z | x), and the KL divergence.

        z = mean + sigma * noise, so that gradients reach the encoder through z (the
        reparameterization trick); KL = 1/2 sum(mean^2 + sigma^2 - 1 - log sigma^2).
        """
        mean, log_variance = self.encode(x)
        z = mean + (log_variance / 2).exp() * tg.randn(mean.shape)
        kl = (mean**2 + log_variance.exp() - 1 - log_variance).sum(1) / 2
        return self.log_likelihood(x, z), kl

    def log_likelihood(self, x: Any, z: Any) -> Any:
        """log p(x | z) of each image."""
        return normal(x.flatten(1) - self.decoder(z), self.log_sigma)

    def log_evidence(self, x: Any, draws: int) -> Any:
        """log p(x) of each image by importance: the log of the mean of p(x | z) p(z) / q(z | x)
        over so many z of q(z | x) (Burda et al. 2016, https://arxiv.org/abs/1509.00519). More draws
        bring the bound nearer.
        """
        mean, log_variance = self.encode(x)
        weights = []
        for _ in range(draws):
            noise = tg.randn(mean.shape)
            z = mean + (log_variance / 2).exp() * noise
            # log p(z) - log q(z | x); the constants are equal.
            prior = (noise**2 + log_variance - z**2).sum(1) / 2
            weights.append(self.log_likelihood(x, z) + prior)
        return tg.stack(weights).logsumexp(0) - math.log(draws)

    def images(self, z: Any) -> Any:
        """What the decoder says: (N, 1, side, side)."""
        found = self.decoder(z)
        side = math.isqrt(found.shape[1])
        return found.reshape(-1, 1, side, side)


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Train, print the bound on held-out digits, draw the plane and what it says, and return, in
    nats an image, the bound, its two parts, log p(x), and what it would be with the mean image for
    a decoder.
    """
    options = program.options_of(
        __doc__,
        epochs=30,
        latent={"type": int, "default": 2, "help": "numbers of z"},
        hidden={"type": int, "default": 400, "help": "units of a layer"},
        rate={"type": float, "default": 1e-3, "help": "of learning"},
    ).parse_args(arguments)
    if options.quick:
        options.epochs, options.hidden, options.rate = 30, 128, 3e-3
    if options.latent < 2:
        raise SystemExit(f"vae: expected a --latent of at least 2, got {options.latent}")
    program.begin(options)
    images, _, held_out, labels = program.digit_images(options)
    model = VAE(held_out[0].numel(), options.latent, options.hidden)
    optimizer = tg.optim.Adam(model.parameters(), lr=options.rate)
    batches = tg.data.DataLoader(tg.data.TensorDataset(images), 100, shuffle=True)

    def loss_of(batch: Any) -> Any:
        restored, kl = model.terms(batch[0])
        return (kl - restored).mean()

    def bound(epoch: int) -> dict[str, float]:
        restored, kl = (term.mean().item() for term in model.terms(held_out))
        return {"ELBO": restored - kl, "log p(x | z)": restored, "KL": kl}

    history = program.fit(
        options, model, optimizer, batches, loss_of, size_of=lambda batch: len(batch[0]),
        unit="images", after_epoch=bound,
    )  # fmt: skip
    with tg.no_grad():
        figures = {name: history[-1][name] for name in ("ELBO", "log p(x | z)", "KL")}
        figures["log p(x)"] = model.log_evidence(held_out[:1000], 100).mean().item()
        errors = (images - images.mean(0)).flatten(1)
        log_sigma = (errors**2).mean().log() / 2
        errors = (held_out - images.mean(0)).flatten(1)
        figures["mean image"] = normal(errors, log_sigma).mean().item()
        mean, _ = model.encode(held_out)
        restored = model.images(mean[:10])
        sampled = model.images(tg.randn(20, options.latent))
        # The two numbers of z that say the most.
        first, second = mean.var(0).argsort(descending=True)[:2].tolist()
        places = tg.distributions.Normal(0.0, 1.0).icdf(tg.linspace(0.05, 0.95, 12))
        plane = tg.zeros(144, options.latent)
        plane[:, first], plane[:, second] = places.repeat(12), (-places).repeat_interleave(12)
        over_plane = model.images(plane)
    print(program.table([[f"{value:.2f}" for value in figures.values()]], figures))

    def draw(figure: Any) -> None:
        left, right = figure.subfigures(1, 2, width_ratios=(5, 4))
        axes = left.subplots()
        points = mean.cpu().numpy()[:3000]
        seen = axes.scatter(
            points[:, first], points[:, second], c=labels.cpu().numpy()[:3000], cmap="tab10", s=6
        )
        marks = {"loc": "outside lower center", "ncols": 10, "columnspacing": 0.4}
        left.legend(*seen.legend_elements(), fontsize=8, handletextpad=-0.4, **marks)
        axes.set(xlabel=f"mean of z[{first}]", ylabel=f"mean of z[{second}]")
        axes.set_title("where the encoder puts held-out digits", fontsize=9)
        strips = {
            "digits, and what is restored of them": (tg.cat([held_out[:10], restored]), 10),
            "from z drawn of N(0, I)": (sampled, 10),
            f"z[{first}] from left to right, z[{second}] upwards": (over_plane, 12),
        }
        rows = right.subplots(3, 1, height_ratios=(1, 1, 5))
        for axes, (title, (pictures, columns)) in zip(rows, strips.items(), strict=True):
            axes.imshow(program.tiled(pictures, columns), cmap="gray_r", vmin=0, vmax=1)
            axes.set_title(title, fontsize=9)
            axes.set_axis_off()

    program.picture(options, "vae", draw)
    return figures


if __name__ == "__main__":
    main()
