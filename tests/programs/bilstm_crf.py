"""Named entities by a bidirectional LSTM over packed sentences and a conditional random field: the
forward algorithm with masks, Viterbi's path, a span score, early stopping on a best state.
"""

import copy

import numpy as np
import torch
from torch import nn, optim
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence
from torch.utils.data import DataLoader, Dataset

TAGS = ["O", "B", "I"]
PAD = 0


class Sentences(Dataset):
    def __init__(self, count, rng):
        self.items = []
        for _ in range(count):
            length = rng.randint(4, 10)
            words = rng.randint(1, 20, length)
            tags = np.zeros(length, dtype=np.int64)
            for i, word in enumerate(words):
                if word < 5:
                    tags[i] = 1
                elif i and tags[i - 1] and word < 10:
                    tags[i] = 2
            self.items.append((torch.LongTensor(words), torch.LongTensor(tags)))

    def __len__(self):
        return len(self.items)

    def __getitem__(self, idx):
        return self.items[idx]


def collate(batch):
    batch = sorted(batch, key=lambda item: len(item[0]), reverse=True)
    words, tags = zip(*batch)
    lengths = torch.as_tensor([len(w) for w in words])
    words = pad_sequence(words, batch_first=True, padding_value=PAD)
    tags = pad_sequence(tags, batch_first=True, padding_value=-1)
    return words, tags, lengths


class CRF(nn.Module):
    def __init__(self, num_tags):
        super().__init__()
        self.start = nn.Parameter(torch.empty(num_tags))
        self.end = nn.Parameter(torch.empty(num_tags))
        self.transitions = nn.Parameter(torch.empty(num_tags, num_tags))
        for p in self.parameters():
            nn.init.uniform_(p, -0.1, 0.1)

    def score(self, emissions, tags, mask):
        steps, batch = tags.shape
        rows = torch.arange(batch)
        score = self.start[tags[0]] + emissions[0, rows, tags[0]]
        for t in range(1, steps):
            step = self.transitions[tags[t - 1], tags[t]] + emissions[t, rows, tags[t]]
            score += step * mask[t]
        last = mask.long().sum(dim=0) - 1
        return score + self.end[tags[last, rows]]

    def normalizer(self, emissions, mask):
        score = self.start + emissions[0]
        for t in range(1, emissions.size(0)):
            grid = score.unsqueeze(2) + self.transitions + emissions[t].unsqueeze(1)
            score = torch.where(mask[t].unsqueeze(1), torch.logsumexp(grid, dim=1), score)
        return torch.logsumexp(score + self.end, dim=1)

    def forward(self, emissions, tags, mask):
        emissions, tags, mask = emissions.transpose(0, 1), tags.t().clamp(min=0), mask.t()
        return (self.normalizer(emissions, mask) - self.score(emissions, tags, mask)).mean()

    @torch.no_grad()
    def decode(self, emissions, mask):
        emissions, mask = emissions.transpose(0, 1), mask.t()
        score, history = self.start + emissions[0], []
        for t in range(1, emissions.size(0)):
            grid = score.unsqueeze(2) + self.transitions + emissions[t].unsqueeze(1)
            best, idx = grid.max(dim=1)
            score = torch.where(mask[t, :, None], best, score)
            history.append(idx)
        score += self.end
        paths = []
        for b, length in enumerate(mask.sum(0).tolist()):
            tag = score[b].argmax().item()
            path = [tag]
            for idx in reversed(history[: length - 1]):
                tag = idx[b][tag].item()
                path.append(tag)
            paths.append(path[::-1])
        return paths


class Tagger(nn.Module):
    def __init__(self, vocab, embed, hidden, tags):
        super().__init__()
        self.embed = nn.Embedding(vocab, embed, padding_idx=PAD)
        self.lstm = nn.LSTM(embed, hidden // 2, bidirectional=True, batch_first=True)
        self.out = nn.Linear(hidden, tags)
        self.crf = CRF(tags)

    def emissions(self, words, lengths):
        packed = pack_padded_sequence(self.embed(words), lengths.cpu(), batch_first=True)
        output, (h, c) = self.lstm(packed)
        output, _ = pad_packed_sequence(output, batch_first=True)
        return self.out(output)


def main(prepare):
    rng = np.random.RandomState(0)
    train, valid = DataLoader(Sentences(64, rng), 16, collate_fn=collate), Sentences(20, rng)
    model = prepare(Tagger(20, 8, 12, len(TAGS)))
    optimizer = optim.Adam(model.parameters(), lr=0.03)
    losses, best, state = [], -1.0, None
    for epoch in range(6):
        model.train()
        for words, tags, lengths in train:
            model.zero_grad()
            loss = model.crf(model.emissions(words, lengths), tags, tags != -1)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            losses.append(loss.item())
        model.eval()
        words, tags, lengths = collate(list(valid))
        with torch.no_grad():
            paths = model.crf.decode(model.emissions(words, lengths), tags.ne(-1))
        gold = [t[:n].tolist() for t, n in zip(tags, lengths)]
        right = sum(p == g for path, row in zip(paths, gold) for p, g in zip(path, row))
        score = right / int(lengths.sum())
        if score > best:
            best, state = score, copy.deepcopy(model.state_dict())
        print(f"epoch {epoch + 1:02d} | loss {loss:.4f} | accuracy {score:.3f}")
    model.load_state_dict(state)
    return losses
