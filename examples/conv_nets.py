"""Conv nets that name what is in an image; convnet.py trains them, captcha.py uses their filters.

Images are tensors (N, channels, height, width).
"""

from __future__ import annotations

from typing import Any

from tensorgrad import nn


class ConvNet(nn.Module):
    """Features, the mean of each over all places, and a linear layer: (N, C, H, W) to (N, classes).

    As only the means count, the net is as good at any place and takes images of any size.
    """

    def __init__(self, features: nn.Module, channels: int, classes: int) -> None:
        super().__init__()
        self.features = features
        self.classifier = nn.Linear(channels, classes)

    def forward(self, images: Any) -> Any:
        return self.classifier(self.features(images).mean((2, 3)))


def filtered(inputs: int, outputs: int, size: int = 3, stride: int = 1) -> nn.Sequential:
    """Filters, brought to mean 0 and variance 1 over the batch, and of that what is positive."""
    return nn.Sequential(
        # Batch norm takes the mean away, and a bias with it.
        nn.Conv2d(inputs, outputs, size, stride, padding=size // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    )


def plain(classes: int, width: int) -> ConvNet:
    """For gray images: at half the height and width, twice the features."""
    features = nn.Sequential(
        filtered(1, width, size=5),
        nn.MaxPool2d(2),
        filtered(width, 2 * width),
        filtered(2 * width, 2 * width),
        nn.MaxPool2d(2),
        filtered(2 * width, 4 * width),
        filtered(4 * width, 4 * width),
    )
    return ConvNet(features, 4 * width, classes)


class Residual(nn.Module):
    """relu(x + f(x)): a block has to learn only what is to change; where the shape changes, x is
    filtered by 1 x 1.
    """

    def __init__(self, inputs: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.change = nn.Sequential(
            filtered(inputs, outputs, stride=stride), *filtered(outputs, outputs)[:2]
        )
        same = inputs == outputs and stride == 1
        self.shortcut = nn.Identity() if same else filtered(inputs, outputs, 1, stride)[:2]

    def forward(self, x: Any) -> Any:
        return (self.shortcut(x) + self.change(x)).relu()


def resnet(classes: int, width: int) -> ConvNet:
    """For colour images: two residual blocks at each of three sizes, 13 convolutions in a row."""
    features = nn.Sequential(
        filtered(3, width),
        Residual(width, width),
        Residual(width, width),
        Residual(width, 2 * width, stride=2),
        Residual(2 * width, 2 * width),
        Residual(2 * width, 4 * width, stride=2),
        Residual(4 * width, 4 * width),
    )
    return ConvNet(features, 4 * width, classes)


MODELS = {"plain": plain, "resnet": resnet}
