"""Read handwritten digits: a net with one hidden layer, trained on the bundled 8x8 images.

python examples/digits.py [--backend numba] [--epochs 20] [--seed 0]
"""

from __future__ import annotations

import argparse

from tqdm import tqdm

import tensorgrad as tg
from tensorgrad import nn


def main(arguments: list[str] | None = None) -> float:
    """Train, print the accuracy on the held-out images and return it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--backend", help="who computes (default: TENSORGRAD_BACKEND, or numba)")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    if options.backend:
        tg.set_backend(options.backend)
    tg.manual_seed(options.seed)

    images, labels = map(tg.tensor, tg.datasets.digits(train=True))
    batches = tg.data.DataLoader(tg.data.TensorDataset(images, labels), 64, shuffle=True)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 10))
    optimizer = tg.optim.Adam(model.parameters(), lr=1e-2)
    with tqdm(total=options.epochs, unit="epoch") as progress:
        for _ in range(options.epochs):
            for x, y in batches:
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(model(x), y)
                loss.backward()
                optimizer.step()
            progress.set_postfix(loss=f"{loss.item():.3f}")
            progress.update()

    images, labels = map(tg.tensor, tg.datasets.digits(train=False))
    with tg.no_grad():
        accuracy = (model(images).argmax(1) == labels).float().mean().item()
    print(f"{accuracy:.1%} of {len(labels)} held-out digits read right")
    return accuracy


if __name__ == "__main__":
    main()
