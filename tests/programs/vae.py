"""A variational autoencoder with the reparameterisation trick."""

import argparse

import torch
import torch.utils.data
from torch import nn, optim
from torch.nn import functional as F

from tensorgrad import datasets

parser = argparse.ArgumentParser(description="VAE")
parser.add_argument("--batch-size", type=int, default=64)
parser.add_argument("--epochs", type=int, default=8)
parser.add_argument("--no-cuda", action="store_true", default=False)
parser.add_argument("--seed", type=int, default=1)
args = parser.parse_args([])
args.cuda = not args.no_cuda and torch.cuda.is_available()

torch.manual_seed(args.seed)
device = torch.device("cuda" if args.cuda else "cpu")
kwargs = {"num_workers": 1, "pin_memory": True} if args.cuda else {}


class VAE(nn.Module):
    def __init__(self):
        super(VAE, self).__init__()
        self.fc1 = nn.Linear(64, 48)
        self.fc21 = nn.Linear(48, 6)
        self.fc22 = nn.Linear(48, 6)
        self.fc3 = nn.Linear(6, 48)
        self.fc4 = nn.Linear(48, 64)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        eps = torch.randn_like(std)
        return mu + eps * std

    def decode(self, z):
        h3 = F.relu(self.fc3(z))
        return torch.sigmoid(self.fc4(h3))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 64))
        z = self.reparameterize(mu, logvar)
        return self.decode(z), mu, logvar


def loss_function(recon_x, x, mu, logvar):
    BCE = F.binary_cross_entropy(recon_x, x.view(-1, 64), reduction="sum")
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return BCE + KLD


def main(prepare):
    images, labels = datasets.digits(train=True)
    images = torch.as_tensor(images[:640]).float().div(float(images.max())).unsqueeze(1)
    train_loader = torch.utils.data.DataLoader(
        list(zip(images, labels[:640].tolist())), batch_size=args.batch_size, shuffle=True, **kwargs
    )
    model = prepare(VAE()).to(device)
    optimizer = optim.Adam(model.parameters(), lr=3e-3)
    history = []
    for epoch in range(1, args.epochs + 1):
        model.train()
        train_loss = 0
        for data, _ in train_loader:
            data = data.to(device)
            optimizer.zero_grad()
            recon_batch, mu, logvar = model(data)
            loss = loss_function(recon_batch, data, mu, logvar)
            loss.backward()
            train_loss += loss.item()
            optimizer.step()
        print(f"====> Epoch: {epoch} Average loss: {train_loss / len(train_loader.dataset):.4f}")
        history.append(train_loss / len(train_loader.dataset))
    with torch.no_grad():
        sample = torch.randn(64, 6).to(device)
        sample = model.decode(sample).cpu()
        grid = sample.view(64, 1, 8, 8)
        assert grid.min() >= 0 and grid.max() <= 1
    return history
