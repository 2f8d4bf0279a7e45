"""A sine wave extended by LSTM cells, fitted with LBFGS and a closure, in double precision."""

import numpy as np
import torch
import torch.nn as nn
import torch.optim as optim


class Sequence(nn.Module):
    def __init__(self):
        super(Sequence, self).__init__()
        self.lstm1 = nn.LSTMCell(1, 8)
        self.lstm2 = nn.LSTMCell(8, 8)
        self.linear = nn.Linear(8, 1)

    def forward(self, input, future=0):
        outputs = []
        h_t = torch.zeros(input.size(0), 8, dtype=torch.double)
        c_t = torch.zeros(input.size(0), 8, dtype=torch.double)
        h_t2 = torch.zeros(input.size(0), 8, dtype=torch.double)
        c_t2 = torch.zeros(input.size(0), 8, dtype=torch.double)
        for input_t in input.split(1, dim=1):
            h_t, c_t = self.lstm1(input_t, (h_t, c_t))
            h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
            output = self.linear(h_t2)
            outputs += [output]
        for _ in range(future):
            h_t, c_t = self.lstm1(output, (h_t, c_t))
            h_t2, c_t2 = self.lstm2(h_t, (h_t2, c_t2))
            output = self.linear(h_t2)
            outputs += [output]
        return torch.cat(outputs, dim=1)


def main(prepare):
    data = np.sin((np.arange(20) + 4 * np.arange(6)[:, None]) / 3.0)
    torch.save(torch.from_numpy(data), "traindata.pt")
    data = torch.load("traindata.pt")
    input = data[2:, :-1]
    target = data[2:, 1:]
    test_input = data[:2, :-1]
    seq = Sequence()
    seq.double()
    seq = prepare(seq)
    criterion = nn.MSELoss()
    optimizer = optim.LBFGS(seq.parameters(), lr=0.5, max_iter=5)
    history = []
    for i in range(6):
        print("STEP: ", i)

        def closure():
            optimizer.zero_grad()
            out = seq(input)
            loss = criterion(out, target)
            loss.backward()
            return loss

        history.append(optimizer.step(closure).item())
        with torch.no_grad():
            pred = seq(test_input, future=5)
            y = pred.detach().numpy()
            assert y.shape == (2, 24)
    return history
