"""Sequences of several lengths: a Dataset of its own, random_split, a sampler for unequal classes,
workers, packed sequences.
"""

from functools import partial

import numpy as np
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils import data
from torch.utils.data import DataLoader, WeightedRandomSampler, random_split
from torch.utils.data.dataloader import default_collate


class Sequences(data.Dataset):
    def __init__(self, n, transform=None):
        super().__init__()
        rng = np.random.default_rng(7)
        self.items = []
        for i in range(n):
            label = int(i % 4 == 0)
            length = rng.integers(3, 9)
            drift = np.linspace(0, 1 if label else -1, length)
            self.items.append((drift + 0.1 * rng.standard_normal(length), label))
        self.transform = transform

    def __len__(self):
        return len(self.items)

    def __getitem__(self, idx):
        if torch.is_tensor(idx):
            idx = idx.tolist()
        values, label = self.items[idx]
        sample = {"values": torch.as_tensor(values, dtype=torch.float), "label": label}
        return self.transform(sample) if self.transform else sample


def scale(sample, by):
    return {**sample, "values": sample["values"] * by}


def collate(batch):
    batch.sort(key=lambda sample: len(sample["values"]), reverse=True)
    lengths = torch.tensor([len(sample["values"]) for sample in batch])
    values = pad_sequence([sample["values"].unsqueeze(-1) for sample in batch], batch_first=True)
    return values, lengths, default_collate([sample["label"] for sample in batch])


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.GRU(1, 8, batch_first=True, bidirectional=True)
        self.fc = nn.Linear(16, 2)

    def forward(self, x, lengths):
        packed = pack_padded_sequence(x, lengths.cpu(), batch_first=True)
        self.rnn.flatten_parameters()
        output, hidden = self.rnn(packed)
        unpacked, sizes = pad_packed_sequence(output, batch_first=True)
        assert torch.equal(sizes, lengths) and unpacked.size(1) == lengths.max()
        return self.fc(torch.cat((hidden[-2], hidden[-1]), dim=1))


def main(prepare):
    dataset = Sequences(120, transform=partial(scale, by=2.0))
    generator = torch.Generator().manual_seed(42)
    train_set, val_set = random_split(dataset, [100, 20], generator=generator)
    labels = torch.tensor([sample["label"] for sample in train_set])
    weights = 1.0 / torch.bincount(labels).float()
    sampler = WeightedRandomSampler(weights[labels], num_samples=len(train_set), replacement=True)
    train_loader = DataLoader(
        train_set, batch_size=20, sampler=sampler, collate_fn=collate, drop_last=True
    )
    val_loader = DataLoader(val_set, batch_size=10, collate_fn=collate)
    model = prepare(Classifier())
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    criterion = nn.CrossEntropyLoss(reduction="none", label_smoothing=0.0)
    history = []
    for _ in range(5):
        model.train()
        for values, lengths, target in iter(train_loader):
            loss = criterion(model(values, lengths), target).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            history.append(loss.item())
    model.eval()
    hits = []
    with torch.inference_mode():
        for values, lengths, target in val_loader:
            hits.append((model(values, lengths).argmax(-1) == target).float())
    print("val acc", torch.cat(hits).mean().item())
    batch = next(iter(val_loader))
    assert batch[0].dtype == torch.float32 and len(batch) == 3
    return history
