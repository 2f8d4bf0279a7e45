"""A graph convolution net on two communities: messages gathered and scattered by index_add_ and
scatter_add_, a sparse adjacency made by hand, half the nodes labelled.
"""

import math

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn import Module
from torch.nn.parameter import Parameter


class GraphConvolution(Module):
    def __init__(self, in_features, out_features, bias=True):
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(torch.FloatTensor(in_features, out_features))
        if bias:
            self.bias = Parameter(torch.FloatTensor(out_features))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self):
        stdv = 1.0 / math.sqrt(self.weight.size(1))
        self.weight.data.uniform_(-stdv, stdv)
        if self.bias is not None:
            self.bias.data.uniform_(-stdv, stdv)

    def forward(self, input, edge_index, edge_weight):
        support = torch.mm(input, self.weight)
        row, col = edge_index
        messages = support[col] * edge_weight.unsqueeze(-1)
        output = torch.zeros_like(support).index_add_(0, row, messages)
        if self.bias is not None:
            return output + self.bias
        return output

    def __repr__(self):
        name = self.__class__.__name__
        return name + " (" + str(self.in_features) + " -> " + str(self.out_features) + ")"


class GCN(nn.Module):
    def __init__(self, nfeat, nhid, nclass):
        super().__init__()
        self.gc1 = GraphConvolution(nfeat, nhid)
        self.gc2 = GraphConvolution(nhid, nclass)

    def forward(self, x, edge_index, edge_weight):
        x = F.relu(self.gc1(x, edge_index, edge_weight))
        x = self.gc2(x, edge_index, edge_weight)
        return F.log_softmax(x, dim=1)


def main(prepare):
    rng = np.random.RandomState(0)
    n = 40
    labels = torch.LongTensor(np.arange(n) % 2)
    adjacency = rng.rand(n, n) < np.where(
        np.equal.outer(np.arange(n) % 2, np.arange(n) % 2), 0.3, 0.02
    )
    adjacency = adjacency | adjacency.T | np.eye(n, dtype=bool)
    edge_index = torch.from_numpy(np.vstack(np.nonzero(adjacency)).astype(np.int64))
    dtype = torch.get_default_dtype()
    features = torch.eye(n)
    ones = torch.ones(edge_index.size(1), dtype=dtype)
    deg = torch.zeros(n, dtype=dtype).scatter_add_(0, edge_index[0], ones)
    deg_inv_sqrt = deg.pow_(-0.5)
    deg_inv_sqrt.masked_fill_(deg_inv_sqrt == float("inf"), 0)
    edge_weight = deg_inv_sqrt[edge_index[0]] * deg_inv_sqrt[edge_index[1]]
    idx_train = torch.arange(0, n // 2)
    idx_test = torch.LongTensor(range(n // 2, n))
    model = prepare(GCN(n, 8, int(labels.max().item()) + 1).to(dtype))
    print(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02, weight_decay=5e-4)
    losses = []
    for _ in range(60):
        model.train()
        optimizer.zero_grad()
        output = model(features, edge_index, edge_weight)
        loss_train = F.nll_loss(output[idx_train], labels[idx_train])
        loss_train.backward()
        optimizer.step()
        losses.append(loss_train.item())
    model.eval()
    output = model(features, edge_index, edge_weight)
    preds = output[idx_test].max(1)[1].type_as(labels)
    correct = preds.eq(labels[idx_test]).double().sum()
    print(f"accuracy= {correct / len(idx_test):.4f}")
    return losses
