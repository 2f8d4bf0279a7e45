"""Speech of three sounds, read without alignment: a residual convolution and a bidirectional GRU
over packed recordings of unequal length, the CTC loss, a greedy decoder, one cycle of the rate.
"""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader, Dataset

WORDS = "abc"


class Recordings(Dataset):
    """Words of two to four letters; each letter hums for a while at two of eight pitches."""

    def __init__(self, count, seed):
        rng = np.random.RandomState(seed)
        self.items = []
        for _ in range(count):
            word = [rng.randint(3)]
            for _ in range(rng.randint(1, 4)):
                word.append((word[-1] + rng.randint(1, 3)) % 3)
            frames = np.concatenate([np.eye(8)[[2 * k] * rng.randint(3, 6)] for k in word])
            frames = frames + np.roll(frames, 1, 1) + 0.1 * rng.randn(*frames.shape)
            self.items.append((frames, [k + 1 for k in word]))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        frames, word = self.items[index]
        return torch.tensor(frames, dtype=torch.get_default_dtype()), torch.tensor(word)


def collate(batch):
    spectrograms, labels = zip(*batch)
    input_lengths = [s.shape[0] for s in spectrograms]
    label_lengths = [len(label) for label in labels]
    spectrograms = pad_sequence(spectrograms, batch_first=True).transpose(1, 2)
    labels = pad_sequence(labels, batch_first=True)
    return spectrograms, labels, input_lengths, label_lengths


class ResidualCNN(nn.Module):
    def __init__(self, channels, kernel):
        super().__init__()
        self.cnn1 = nn.Conv1d(channels, channels, kernel, padding=kernel // 2)
        self.cnn2 = nn.Conv1d(channels, channels, kernel, padding="same")
        self.layer_norm1 = nn.LayerNorm(channels)
        self.layer_norm2 = nn.LayerNorm(channels)

    def forward(self, x):
        residual = x
        x = self.layer_norm1(x.transpose(1, 2).contiguous()).transpose(1, 2).contiguous()
        x = self.cnn1(F.gelu(x))
        x = self.layer_norm2(x.mT).mT
        x = self.cnn2(F.gelu(x))
        x += residual
        return x


class SpeechModel(nn.Module):
    def __init__(self, n_feats, n_class, hidden):
        super().__init__()
        self.cnn = nn.Conv1d(n_feats, hidden, 3, padding=1)
        self.rescnn = ResidualCNN(hidden, 3)
        self.birnn = nn.GRU(hidden, hidden, num_layers=2, bidirectional=True, batch_first=True)
        self.classifier = nn.Sequential(
            nn.Linear(2 * hidden, hidden), nn.GELU(), nn.Linear(hidden, n_class)
        )

    def forward(self, x, lengths):
        x = self.rescnn(self.cnn(x)).transpose(1, 2)
        packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
        x, _ = pad_packed_sequence(self.birnn(packed)[0], batch_first=True)
        return self.classifier(x)


def greedy_decoder(output, lengths, blank=0):
    arg_maxes = torch.argmax(output, dim=2)
    decodes = []
    for args, length in zip(arg_maxes, lengths):
        best = torch.unique_consecutive(args[:length])
        decodes.append("".join(WORDS[k - 1] for k in best[best != blank].tolist()))
    return decodes


def main(prepare):
    train = Recordings(64, 1)
    loader = DataLoader(train, batch_size=16, shuffle=False, collate_fn=collate)
    model = prepare(SpeechModel(8, 4, 16))
    criterion = nn.CTCLoss(blank=0, zero_infinity=True)
    optimizer = torch.optim.AdamW(model.parameters(), 5e-3)
    epochs = 10
    scheduler = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=1e-2, steps_per_epoch=len(loader), epochs=epochs, anneal_strategy="linear"
    )
    losses = []
    for _ in range(epochs):
        for spectrograms, labels, input_lengths, label_lengths in loader:
            optimizer.zero_grad()
            output = F.log_softmax(model(spectrograms, input_lengths), dim=2)
            loss = criterion(output.transpose(0, 1), labels, input_lengths, label_lengths)
            loss.backward()
            optimizer.step()
            scheduler.step()
            losses.append(loss.item())
    model.eval()
    with torch.no_grad():
        spectrograms, labels, input_lengths, label_lengths = collate([train[i] for i in range(32)])
        words = greedy_decoder(model(spectrograms, input_lengths), input_lengths)
    wanted = [
        "".join(WORDS[k - 1] for k in row[:n]) for row, n in zip(labels.tolist(), label_lengths)
    ]
    losses.append(sum(a != b for a, b in zip(words, wanted)) / len(words) + 1e-3)
    return losses
