"""Graph attention over lists of edges: a softmax over each node's neighbours by scatter_reduce and
scatter_add, several heads, weights on the edges dropped, graphs pooled and classified in batches.
"""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F


def scatter_softmax(scores, index, size):
    expanded = index.unsqueeze(-1).expand_as(scores)
    largest = torch.full((size, scores.size(1)), float("-inf"), dtype=scores.dtype)
    largest = largest.scatter_reduce(0, expanded, scores, reduce="amax", include_self=False)
    weights = (scores - largest.detach().index_select(0, index)).exp()
    total = torch.zeros(size, scores.size(1), dtype=scores.dtype)
    total = total.scatter_add(0, expanded, weights)
    return weights / (total.index_select(0, index) + 1e-16)


class GATLayer(nn.Module):
    def __init__(self, in_features, out_features, heads, concat=True):
        super().__init__()
        self.heads, self.out_features, self.concat = heads, out_features, concat
        self.proj = nn.Linear(in_features, heads * out_features, bias=False)
        self.scoring_source = nn.Parameter(torch.Tensor(1, heads, out_features))
        self.scoring_target = nn.Parameter(torch.Tensor(1, heads, out_features))
        self.bias = nn.Parameter(torch.zeros(heads * out_features if concat else out_features))
        self.skip = nn.Linear(in_features, heads * out_features, bias=False)
        self.leaky = nn.LeakyReLU(0.2)
        self.init_params()

    def init_params(self):
        for tensor in (self.proj.weight, self.scoring_source, self.scoring_target):
            nn.init.xavier_uniform_(tensor)

    def forward(self, data):
        x, edge_index = data
        n = x.size(0)
        h = self.proj(x).view(-1, self.heads, self.out_features)
        source, target = edge_index
        scores_source = (h * self.scoring_source).sum(dim=-1)
        scores_target = torch.einsum("nhf,ohf->nh", h, self.scoring_target)
        scores = self.leaky(scores_source[source] + scores_target[target])
        attention = scatter_softmax(scores, target, n).unsqueeze(-1)
        out = torch.zeros(n, self.heads, self.out_features, dtype=x.dtype)
        out.index_add_(0, target, h.index_select(0, source) * attention)
        out += self.skip(x).view_as(out)
        out = out.flatten(1) if self.concat else out.mean(dim=1)
        return F.elu(out + self.bias), edge_index


class Classifier(nn.Module):
    def __init__(self, features, classes):
        super().__init__()
        self.gat = nn.Sequential(GATLayer(features, 4, 3), GATLayer(12, 8, 2, concat=False))
        self.norm = nn.BatchNorm1d(8)
        self.out = nn.Linear(16, classes)

    def forward(self, x, edge_index, batch):
        x, _ = self.gat((x, edge_index))
        x = self.norm(x)
        graphs = int(batch.max()) + 1
        count = torch.bincount(batch, minlength=graphs).clamp(min=1).to(x.dtype)
        mean = torch.zeros(graphs, x.size(1), dtype=x.dtype).index_add(0, batch, x)
        mean = mean / count[:, None]
        index = batch[:, None].expand(-1, x.size(1))
        most = torch.zeros(graphs, x.size(1), dtype=x.dtype).scatter_reduce(
            0, index, x, "amax", include_self=False
        )
        return self.out(torch.cat([mean, most], dim=-1))


def ring_or_star(rng):
    """The edges of a ring of nodes, or of a star; both ways, and of each node to itself."""
    n, label = rng.randint(5, 9), rng.randint(2)
    a = np.arange(n) if label else np.arange(1, n)
    b = (a + 1) % n if label else np.zeros(n - 1, dtype=int)
    loops = np.arange(n)
    edges = np.stack([np.concatenate([a, b, loops]), np.concatenate([b, a, loops])])
    return rng.randn(n, 3), edges, label


def batched(graphs):
    sizes = torch.tensor([len(x) for x, _, _ in graphs])
    offsets = torch.cumsum(sizes, 0) - sizes
    x = torch.cat([torch.from_numpy(x) for x, _, _ in graphs]).to(torch.get_default_dtype())
    edges = [torch.from_numpy(e) + offset for (_, e, _), offset in zip(graphs, offsets)]
    batch = torch.repeat_interleave(torch.arange(len(graphs)), sizes)
    return x, torch.cat(edges, dim=1), batch, torch.tensor([label for _, _, label in graphs])


def main(prepare):
    rng = np.random.RandomState(0)
    graphs = [ring_or_star(rng) for _ in range(48)]
    model = prepare(Classifier(3, 2))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, weight_decay=1e-4)
    losses = []
    for epoch in range(12):
        for start in range(0, len(graphs), 16):
            x, edge_index, batch, labels = batched(graphs[start : start + 16])
            loss = F.cross_entropy(model(x, edge_index, batch), labels, label_smoothing=0.02)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach().item())
    model.eval()
    with torch.inference_mode():
        x, edge_index, batch, labels = batched(graphs)
        right = (model(x, edge_index, batch).softmax(-1).argmax(-1) == labels).sum()
    print(f"epoch {epoch}: {right.item() / len(graphs):.2%}")
    return losses
