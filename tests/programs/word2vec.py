"""Skip-gram with negative sampling, and a bag of words classifier with EmbeddingBag."""

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.utils.data import DataLoader

corpus = ("king rules land queen rules land dog eats meat cat eats fish " * 8).split()
vocab = sorted(set(corpus))
word2idx = {w: i for i, w in enumerate(vocab)}


class SkipGram(nn.Module):
    def __init__(self, vocab_size, dim, sparse=True):
        super().__init__()
        self.in_embed = nn.Embedding(vocab_size, dim, sparse=sparse)
        self.out_embed = nn.Embedding(vocab_size, dim, sparse=sparse)
        initrange = 0.5 / dim
        self.in_embed.weight.data.uniform_(-initrange, initrange)
        self.out_embed.weight.data.zero_()

    def forward(self, center, context, negative):
        v = self.in_embed(center)
        u = self.out_embed(context)
        neg = self.out_embed(negative)
        positive = F.logsigmoid(torch.sum(v * u, dim=1)).squeeze()
        score = torch.bmm(neg, v.unsqueeze(2)).squeeze(2)
        return -(positive + F.logsigmoid(-score).sum(1)).mean()


class TextClassificationModel(nn.Module):
    def __init__(self, vocab_size, embed_dim, num_class):
        super().__init__()
        self.embedding = nn.EmbeddingBag(vocab_size, embed_dim, sparse=False)
        self.fc = nn.Linear(embed_dim, num_class)

    def forward(self, text, offsets):
        return self.fc(self.embedding(text, offsets))


def collate_batch(batch):
    label_list, text_list, offsets = [], [], [0]
    for _label, _text in batch:
        label_list.append(_label)
        processed_text = torch.tensor([word2idx[w] for w in _text], dtype=torch.int64)
        text_list.append(processed_text)
        offsets.append(processed_text.size(0))
    label_list = torch.tensor(label_list, dtype=torch.int64)
    offsets = torch.tensor(offsets[:-1]).cumsum(dim=0)
    return label_list, torch.cat(text_list), offsets


def main(prepare):
    rng = np.random.RandomState(1)
    pairs = []
    for i, word in enumerate(corpus):
        for j in range(max(0, i - 2), min(len(corpus), i + 3)):
            if i != j:
                pairs.append((word2idx[word], word2idx[corpus[j]]))
    freqs = np.bincount([word2idx[w] for w in corpus]) ** 0.75
    freqs = freqs / freqs.sum()
    model = prepare(SkipGram(len(vocab), 8))
    optimizer = torch.optim.SparseAdam(list(model.parameters()), lr=0.02)
    losses = []
    for _ in range(3):
        order = rng.permutation(len(pairs))
        for start in range(0, len(pairs), 64):
            chosen = np.array(pairs)[order[start : start + 64]]
            center = torch.from_numpy(chosen[:, 0])
            context = torch.from_numpy(chosen[:, 1])
            negative = torch.from_numpy(rng.choice(len(vocab), (len(chosen), 4), p=freqs))
            loss = model(center, context, negative)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    embeddings = model.in_embed.weight.detach().cpu()
    similar = F.cosine_similarity(embeddings[word2idx["king"]].unsqueeze(0), embeddings)
    best = similar.argsort(descending=True)
    print("king:", [vocab[i] for i in best[:3].tolist()])

    texts = [(0, ["king", "rules"]), (1, ["dog", "eats", "meat"]), (0, ["queen"]), (1, ["cat"])]
    dataloader = DataLoader(texts, batch_size=2, shuffle=False, collate_fn=collate_batch)
    classifier = prepare(TextClassificationModel(len(vocab), 8, 2))
    optimizer = torch.optim.SGD(classifier.parameters(), lr=1.0)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1.0, gamma=0.9)
    for _ in range(10):
        for label, text, offsets in dataloader:
            optimizer.zero_grad()
            loss = F.cross_entropy(classifier(text, offsets), label)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(classifier.parameters(), 0.1)
            optimizer.step()
        scheduler.step()
    assert np.isfinite(loss.item())
    return losses
