"""A denoising convolutional autoencoder, encoder and decoder optimised together."""

import itertools

import numpy as np
import torch
from torch import nn
from torch.nn.modules.utils import _pair

from tensorgrad import datasets


class Autoencoder(nn.Module):
    def __init__(self, kernel_size=3):
        super().__init__()
        kernel_size = _pair(kernel_size)
        self.encoder = nn.Sequential(
            nn.Conv2d(1, 8, kernel_size, stride=2, padding=1),
            nn.LeakyReLU(0.1),
            nn.MaxPool2d(2, stride=1),
        )
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(8, 8, 2),
            nn.ReLU(),
            nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
            nn.Conv2d(8, 1, 3, padding="same"),
            nn.Sigmoid(),
        )

    def forward(self, x):
        return self.decoder(self.encoder(x))


def main(prepare):
    images, _ = datasets.digits(train=True)
    rng = np.random.default_rng(0)
    dtype = torch.get_default_dtype()
    clean = torch.as_tensor(images[:128]).to(dtype)
    clean = clean / clean.max()
    noise = torch.tensor(rng.normal(size=tuple(clean.shape)), dtype=dtype)
    noisy = (clean + 0.1 * noise).clamp_(0.0, 1.0)
    model = prepare(Autoencoder())
    params = itertools.chain(model.encoder.parameters(), model.decoder.parameters())
    optimizer = torch.optim.Adam(params, lr=1e-2, weight_decay=1e-5)
    criterion = nn.MSELoss(reduction="mean")
    history = []
    for epoch in range(10):
        for x, y in zip(noisy.split(32), clean.split(32)):
            loss = criterion(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        history.append(loss.data.item())
        print("epoch [{}/{}], loss:{:.4f}".format(epoch + 1, 10, loss.data))
    psnr = -10 * torch.log10(torch.tensor(history[-1]))
    assert psnr > 5
    return history
