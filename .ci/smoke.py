"""Use an installed tensorgrad as a stranger would: one op, one training run, every packaged file.

Run with the folder that tensorgrad must come from, anywhere but in the repository.
"""

import importlib
import importlib.resources
import pkgutil
import sys
from pathlib import Path

import tensorgrad as tg
from tensorgrad import datasets, nn, optim
from tensorgrad.data import DataLoader, TensorDataset


def main() -> None:
    expected_home = Path(sys.argv[1]).resolve()
    home = Path(tg.__file__).resolve()
    if not home.is_relative_to(expected_home):
        raise SystemExit(f"expected tensorgrad from {expected_home}, got {home}")
    for package in ["ops", "autograd", "nn", "optim", "data", "datasets", "backends", "kernels"]:
        importlib.import_module(f"tensorgrad.{package}")
    kernels = {m.name for m in pkgutil.walk_packages(tg.kernels.__path__, "tensorgrad.kernels.")}
    if not {"tensorgrad.kernels.cuda", "tensorgrad.kernels.numba"} <= kernels:
        raise SystemExit(f"expected the kernels to be installed, got {kernels}")
    for backend in ["numpy", "numba"]:
        with tg.use_backend(backend):
            train(backend)


def train(backend: str) -> None:
    tg.manual_seed(0)
    x = tg.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    if x.grad is None or x.grad.tolist() != [2.0, 4.0]:
        raise SystemExit(f"{backend}: expected the gradient [2, 4], got {x.grad}")
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    loss_of = nn.CrossEntropyLoss()
    images, labels = (tg.tensor(part) for part in datasets.digits())
    for _ in range(3):
        for batch, targets in DataLoader(TensorDataset(images, labels), 32, shuffle=True):
            optimizer.zero_grad()
            loss_of(model(batch), targets).backward()
            optimizer.step()
    images, labels = (tg.tensor(part) for part in datasets.digits(train=False))
    with tg.no_grad():
        accuracy = (model(images).argmax(1) == labels).float().mean().item()
    print(f"{backend}: accuracy on the test digits {accuracy:.3f}")
    if accuracy < 0.85:
        raise SystemExit(f"{backend}: expected an accuracy of at least 0.85, got {accuracy}")


if __name__ == "__main__":
    main()
