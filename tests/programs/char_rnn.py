"""A character-level recurrent net: LSTM, hidden state detached between chunks, sampling."""

import numpy as np
import torch
import torch.nn as nn
from torch.autograd import Variable

text = "the quick brown fox jumps over the lazy dog; " * 20
chars = sorted(set(text))
char_to_ix = {ch: i for i, ch in enumerate(chars)}
ix_to_char = dict(enumerate(chars))


class CharRNN(nn.Module):
    def __init__(self, vocab_size, hidden_size, n_layers=2):
        super().__init__()
        self.hidden_size = hidden_size
        self.n_layers = n_layers
        self.encoder = nn.Embedding(vocab_size, hidden_size)
        self.rnn = nn.LSTM(hidden_size, hidden_size, n_layers, batch_first=True)
        self.decoder = nn.Linear(hidden_size, vocab_size)

    def forward(self, x, hidden):
        out, hidden = self.rnn(self.encoder(x), hidden)
        out = self.decoder(out.contiguous().view(-1, self.hidden_size))
        return out, hidden

    def init_hidden(self, batch_size):
        weight = next(self.parameters()).data
        return (
            weight.new(self.n_layers, batch_size, self.hidden_size).zero_(),
            weight.new(self.n_layers, batch_size, self.hidden_size).zero_(),
        )


def sample(model, start, length, temperature=0.8):
    model.eval()
    hidden = model.init_hidden(1)
    with torch.no_grad():
        for ch in start:
            x = torch.tensor([[char_to_ix[ch]]], dtype=torch.long)
            output, hidden = model(x, hidden)
        out = start
        for _ in range(length):
            output_dist = output.data.view(-1).div(temperature).exp()
            top_i = torch.multinomial(output_dist, 1)[0]
            out += ix_to_char[top_i.item()]
            output, hidden = model(Variable(top_i.view(1, 1)), hidden)
    model.train()
    return out


def main(prepare):
    torch.manual_seed(1)
    data = torch.LongTensor([char_to_ix[c] for c in text])
    batch_size, seq_len = 4, 25
    n = len(data) // batch_size
    data = data[: n * batch_size].view(batch_size, n)
    model = prepare(CharRNN(len(chars), 32))
    criterion = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for epoch in range(6):
        hidden = model.init_hidden(batch_size)
        for i in range(0, n - 1 - seq_len, seq_len):
            x = data[:, i : i + seq_len]
            y = data[:, i + 1 : i + 1 + seq_len].contiguous().view(-1)
            hidden = tuple(h.detach() for h in hidden)
            model.zero_grad()
            output, hidden = model(x, hidden)
            loss = criterion(output, y)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            optimizer.step()
            losses.append(loss.item())
        if epoch % 2 == 0:
            print(f"epoch {epoch}, perplexity {np.exp(losses[-1]):5.2f}")
    written = sample(model, "the ", 30)
    assert len(written) == 34
    assert set(written) <= set(chars)
    return losses
