"""A picture learnt by a net that is told a place and says its colour, redrawn while it learns.

    python examples/painting.py [--image photo.jpg] [--side 128]

A net of (x, y) learns wide shapes soon and edges hardly ever. Given the place as waves of many
lengths and directions, Fourier features (Tancik et al. 2020, https://arxiv.org/abs/2006.10739),

    (cos 2 pi b x, sin 2 pi b x)  for b in R^2 drawn once from N(0, sigma^2),

the same net learns both. Each is drawn after every epoch: a PNG shows some of it, a GIF beside it
moves. --image is any picture that Pillow reads; without it the program draws one.
"""

from __future__ import annotations

import argparse
import math
from typing import Any

import numpy as np

import program
import tensorgrad as tg
from tensorgrad import nn


class Painter(nn.Module):
    """Places (N, 2) in [0, 1] to colours (N, 3) in (0, 1), through so many waves, or none."""

    def __init__(self, waves: int, sigma: float, hidden: int) -> None:
        super().__init__()
        self.register_buffer("waves", sigma * tg.randn(waves, 2))
        inputs = 2 * waves if waves else 2
        self.layers = nn.Sequential(
            nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(),
            nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 3), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, places: Any) -> Any:
        if len(self.waves):
            angles = 2 * math.pi * places @ self.waves.T
            places = tg.cat([angles.cos(), angles.sin()], 1)
        return self.layers(places)


class Film:
    """What was drawn so far: uint8 (height, width, 3) each, kept with the checkpoint."""

    def __init__(self) -> None:
        self.frames: list[Any] = []

    def state_dict(self) -> dict[str, Any]:
        return {"frames": np.stack(self.frames)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.frames = list(state["frames"])


def places_of(height: int, width: int) -> Any:
    """The middles of the pixels, row by row: (height * width, 2), 1 being the longer side."""
    longer = max(height, width)
    y, x = np.divmod(np.arange(height * width), width)
    return tg.tensor(((np.stack([x, y], 1) + 0.5) / longer).astype(np.float32))


def psnr(found: Any, wanted: Any) -> float:
    """Peak signal-to-noise ratio of colours in [0, 1], in dB: 10 log10(1 / mean squared error)."""
    error = ((found - wanted) ** 2).mean().item()
    return -10 * math.log10(error) if error else math.inf


def landscape(side: int) -> Any:
    """A sun, a sea and hills with a striped tent: (side, side, 3) in [0, 1]."""
    y, x = np.mgrid[:side, :side] / side
    image = np.stack([0.55 + 0.4 * y, 0.65 + 0.2 * y, 0.95 - 0.3 * y], 2)

    def paint(where: Any, *colour: float) -> None:
        image[where] = colour

    for angle in np.linspace(0, 2 * np.pi, 24, endpoint=False):
        across = (x - 0.7) * np.sin(angle) - (y - 0.25) * np.cos(angle)
        along = (x - 0.7) * np.cos(angle) + (y - 0.25) * np.sin(angle)
        paint((abs(across) < 0.008) & (along > 0) & (along < 0.24), 1.0, 0.85, 0.4)
    paint(np.hypot(x - 0.7, y - 0.25) < 0.13, 1.0, 0.75, 0.2)
    sea = y > 0.6
    shine = np.sin(70 * np.pi * (y - 0.6) * (2 - y)) > 0.2
    paint(sea, 0.1, 0.35, 0.6)
    paint(sea & shine, 0.3, 0.6, 0.8)
    for shift, colour in ((0.0, (0.25, 0.45, 0.3)), (0.1, (0.15, 0.3, 0.2))):
        paint(y > 0.72 + shift + 0.06 * np.sin(9 * x + 20 * shift), *colour)
    slope = (y - 0.45) / 0.4
    tent = (abs(x - 0.3) < 0.25 * slope) & (y < 0.85)
    paint(tent, 0.95, 0.95, 0.9)
    paint(tent & (np.floor((x - 0.3) / (slope + 1e-9) * 24) % 2 == 0), 0.8, 0.15, 0.2)
    return image.astype(np.float32)


def picture_of(options: argparse.Namespace) -> Any:
    """What is to be learnt, (height, width, 3) in [0, 1], the longer side at most --side."""
    if options.image is None:
        return landscape(options.side)
    try:
        image = tg.datasets.read_image(options.image)
    except (OSError, ValueError) as error:
        raise SystemExit(f"painting: expected an image that can be read, got {error}") from None
    planes = tg.datasets.transforms.to_tensor(image)
    shrink = min(1, options.side / max(planes.shape[1:]))
    size = [max(1, round(length * shrink)) for length in planes.shape[1:]]
    small = nn.functional.interpolate(planes[None], size, mode="bilinear", antialias=True)
    return small[0].permute(1, 2, 0).cpu().numpy()


def main(arguments: list[str] | None = None) -> dict[str, float]:
    """Learn the picture without and with Fourier features, draw both, and return their ratios of
    signal to noise in dB.
    """
    options = program.options_of(
        __doc__,
        epochs=100,
        image={"help": "a picture to learn"},
        side={"type": int, "default": 128, "help": "pixels of the longer side"},
        waves={"type": int, "default": 128, "help": "directions and lengths of waves"},
        sigma={"type": float, "default": 8.0, "help": "of the waves, in periods a side"},
        hidden={"type": int, "default": 128, "help": "units of a layer"},
        rate={"type": float, "default": 2e-3, "help": "of learning"},
    ).parse_args(arguments)
    if options.quick:
        options.epochs, options.side, options.waves, options.hidden = 25, 48, 64, 64
    if options.side < 1 or options.waves < 1:
        got = f"got {options.side} and {options.waves}"
        raise SystemExit(f"painting: expected a --side and --waves of at least 1, {got}")
    program.begin(options)
    picture = picture_of(options)
    height, width, _ = picture.shape
    places, colours = places_of(height, width), tg.tensor(picture.reshape(-1, 3))
    pixels = tg.data.TensorDataset(places, colours)
    batches = tg.data.DataLoader(pixels, max(64, len(pixels) // 16), shuffle=True)

    films, histories = {}, {}
    for name, waves in (("(x, y)", 0), ("Fourier features", options.waves)):
        print(f"---- {name}")
        tg.manual_seed(options.seed)
        model = Painter(waves, options.sigma, options.hidden)
        film = films[name] = Film()

        def redraw(epoch: int, model: Any = model, film: Film = film) -> dict[str, float]:
            found = model(places)
            film.frames.append((255 * found).round().byte().reshape(picture.shape).cpu().numpy())
            return {"PSNR": psnr(found, colours)}

        histories[name] = program.fit(
            program.of_part(options, "waves" if waves else "places"), model,
            tg.optim.Adam(model.parameters(), lr=options.rate), batches,
            lambda batch, model=model: nn.functional.mse_loss(model(batch[0]), batch[1]),
            size_of=lambda batch: len(batch[0]), unit="pixels", after_epoch=redraw, film=film,
        )  # fmt: skip
    figures = {name: history[-1]["PSNR"] for name, history in histories.items()}
    print(program.table([[f"{value:.1f} dB" for value in figures.values()]], figures))

    # Epochs that are shown: the first and the last, the others ever further apart.
    last = options.epochs
    shown = sorted({round(last ** (step / 4)) for step in range(5)})

    def draw(figure: Any) -> None:
        above, below = figure.subfigures(2, 1, height_ratios=(7, 4))
        for row, (name, film) in zip(above.subplots(2, 5), films.items(), strict=True):
            row[0].set_ylabel(name)
            for cell, epoch in zip(row, shown):
                cell.imshow(film.frames[epoch - 1])
                cell.set_title(f"epoch {epoch}", fontsize=8)
            for cell in row:
                cell.set(xticks=[], yticks=[], frame_on=False)
        left, right = below.subplots(1, 2, width_ratios=(1, 3))
        left.imshow(picture)
        left.set(xticks=[], yticks=[], xlabel="the picture")
        for name, history in histories.items():
            right.plot(range(1, last + 1), [epoch["PSNR"] for epoch in history], label=name)
        right.set(xlabel="epoch", ylabel="PSNR, dB")
        right.legend()

    frames = sorted({round(last ** (step / 23)) for step in range(24)})

    def draw_frame(figure: Any, number: int) -> None:
        epoch = frames[number]
        figure.suptitle(f"epoch {epoch}")
        cells = figure.subplots(1, 3)
        cells[0].imshow(picture)
        cells[0].set_title("the picture")
        for cell, (name, film) in zip(cells[1:], films.items(), strict=True):
            cell.imshow(film.frames[epoch - 1])
            cell.set_title(f"{name}: {histories[name][epoch - 1]['PSNR']:.1f} dB")
        for cell in cells:
            cell.set_axis_off()

    program.picture(options, "painting", draw)
    program.moving_picture(options, "painting", draw_frame, len(frames))
    return figures


if __name__ == "__main__":
    main()
