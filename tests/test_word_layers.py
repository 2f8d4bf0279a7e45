"""Embeddings, bags, and losses over many words: beside PyTorch, and by what they promise."""

import heapq
import math

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.nn.word_losses import huffman_paths
from tests.oracle import needs_torch, torch
from tests.twins import agree, agree_in_all, twins


def normal(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


INDEX = np.array([[0, 2, 2], [4, 1, 3]])

# ---- tables

TABLES = {
    "as it is": {},
    "padded": {"padding_idx": -3},
    "bounded": {"max_norm": 1.0},
    "bounded by another norm": {"max_norm": 1.5, "norm_type": 1},
    "by frequency": {"scale_grad_by_freq": True, "padding_idx": 1},
}


@needs_torch
@pytest.mark.parametrize("options", TABLES.values(), ids=TABLES)
def test_embedding(options, backend):
    pair = twins(lambda nn: nn.Embedding(5, 3, **options))
    agree_in_all(pair, [INDEX])
    agree([pair[0].weight], [pair[1].weight], 1e-9)


@needs_torch
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize("options", [{}, {"padding_idx": 2}, {"max_norm": 1.0}])
def test_embedding_bag(mode, options, backend):
    pair = twins(lambda nn: nn.EmbeddingBag(5, 3, mode=mode, **options))
    agree_in_all(pair, [INDEX])
    agree_in_all(pair, [INDEX.ravel(), np.array([0, 1, 1, 4])])
    if mode == "sum":
        agree_in_all(pair, [INDEX], {"per_sample_weights": normal(2, 3)})
    ending = twins(lambda nn: nn.EmbeddingBag(5, 3, mode=mode, include_last_offset=True))
    agree_in_all(ending, [INDEX.ravel(), np.array([0, 1, 6])])


@needs_torch
@pytest.mark.parametrize(
    "make",
    [
        lambda nn: nn.Embedding(5, 3, 1, 2.0, 1.5, True, True),
        lambda nn: nn.Embedding(5, 3, padding_idx=-1),
        lambda nn: nn.EmbeddingBag(5, 3, 2.0, 1.5, True, "sum", True, None, True, 2),
        lambda nn: nn.EmbeddingBag(5, 3),
    ],
)
def test_positions_and_text_are_pytorchs(make):
    assert repr(make(nn)) == repr(make(torch.nn))


@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
def test_from_pretrained_is_over_the_same_memory(kind):
    table = tg.randn(4, 2)
    frozen = kind.from_pretrained(table, padding_idx=-1, max_norm=2.0)
    assert not frozen.weight.requires_grad
    assert frozen.padding_idx == 3
    assert frozen.max_norm == 2.0
    assert np.shares_memory(frozen.weight.numpy(), table.numpy())
    assert kind.from_pretrained(table, freeze=False).weight.requires_grad


@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
def test_tables_start_standard_normal_but_for_padding(kind):
    values = kind(200, 50, padding_idx=7).weight.detach().numpy()
    assert not values[7].any()
    assert abs(np.delete(values, 7, 0).std() - 1) < 0.03


# ---- adaptive softmax


@needs_torch
@pytest.mark.parametrize("head_bias", [False, True])
def test_adaptive_softmax(head_bias, backend):
    def make(nn):
        return nn.AdaptiveLogSoftmaxWithLoss(16, 20, [4, 10, 15], 2.0, head_bias)

    pair = twins(make)
    x = normal(8, 16)
    for target in (np.arange(0, 16, 2), np.array([0, 1, 2, 3, 3, 2, 1, 0]), np.full(8, 19)):
        agree_in_all(pair, [x, target])
    agree_in_all(pair, [x[0], np.array(17)])
    results = []
    for module, library in zip(pair, (tg, torch), strict=True):
        rows = library.tensor(np.concatenate([x, 5 * x]))
        results.append([module.log_prob(rows), module.predict(rows)])
    agree(*results, 1e-9)


def test_adaptive_softmax_predicts_the_most_probable(backend):
    layer = nn.AdaptiveLogSoftmaxWithLoss(16, 12, [2, 6])
    x = 5 * tg.randn(50, 16)
    log_p = layer.log_prob(x)
    np.testing.assert_allclose(log_p.exp().sum(1).detach(), 1, rtol=1e-5)
    best = layer.predict(x)
    assert set((best < 2).tolist()) == {True, False}
    np.testing.assert_array_equal(best, log_p.argmax(1))
    first = nn.AdaptiveLogSoftmaxWithLoss(16, 12, [2, 6])
    first.load_state_dict(layer.state_dict())
    layer.reset_parameters()
    for before, after in zip(first.parameters(), layer.parameters(), strict=True):
        assert (before != after).any()


# ---- hierarchical softmax

COUNTS = [50, 1, 7, 20, 20, 3, 0]


def test_huffman_paths_are_the_shortest_code():
    for counts in (COUNTS, [1, 1], [1, 2, 4, 8, 16], [3] * 8):
        paths = huffman_paths(counts)
        codes = ["".join("01"[sign > 0] for _, sign in path) for path in paths]
        assert not any(a != b and b.startswith(a) for a in codes for b in codes)
        assert len(set(codes)) == len(counts)
        heap, cost = list(counts), 0
        heapq.heapify(heap)
        while len(heap) > 1:
            merged = heapq.heappop(heap) + heapq.heappop(heap)
            cost += merged
            heapq.heappush(heap, merged)
        lengths = [len(path) for path in paths]
        assert sum(n * count for n, count in zip(lengths, counts, strict=True)) == cost
        assert {node for path in paths for node, _ in path} == set(range(len(counts) - 1))


def test_hierarchical_softmax_is_a_distribution_and_its_loss_is_minus_its_log(backend):
    layer = nn.HierarchicalSoftmax(4, COUNTS, reduction="none", dtype=tg.float64)
    nn.init.normal_(layer.weight)
    x, words = tg.tensor(normal(7, 4)), tg.arange(7)
    log_p = layer.log_prob(x)
    np.testing.assert_allclose(log_p.exp().sum(1).detach(), 1, rtol=1e-12)
    losses = layer(x, words)
    np.testing.assert_allclose(losses.detach(), -log_p.detach().numpy().diagonal(), rtol=1e-12)
    for reduction, value in (("mean", losses.mean()), ("sum", losses.sum())):
        other = nn.HierarchicalSoftmax(4, COUNTS, reduction, dtype=tg.float64)
        other.load_state_dict(layer.state_dict())
        assert other(x, words).item() == pytest.approx(value.item(), rel=1e-12)


def test_hierarchical_softmax_from_its_formula(backend):
    layer = nn.HierarchicalSoftmax(4, COUNTS, dtype=tg.float64)
    np.testing.assert_allclose(
        layer.log_prob(tg.ones(1, 4).double())[0].detach(),
        [-len(path) * math.log(2) for path in huffman_paths(COUNTS)],
    )
    nn.init.normal_(layer.weight)
    x = tg.tensor(normal(1, 4), requires_grad=True)
    weight, path = layer.weight.detach().numpy(), huffman_paths(COUNTS)[5]
    signed = {node: sign * (weight[node] @ x.detach().numpy()[0]) for node, sign in path}
    layer(x, tg.tensor([5])).backward()
    gradient = np.zeros_like(weight)
    for node, sign in path:
        gradient[node] = -sign / (1 + math.exp(signed[node])) * x.detach().numpy()[0]
    np.testing.assert_allclose(layer.weight.grad, gradient, rtol=1e-9)


def test_hierarchical_softmax_learns_how_frequent_words_are():
    counts = np.array([50, 1, 7, 20, 20, 3])
    layer = nn.HierarchicalSoftmax(1, counts.tolist())
    target = tg.tensor(np.repeat(np.arange(6), counts))
    x, optimizer = tg.ones(len(target), 1), tg.optim.SGD(layer.parameters(), 2.0)
    for _ in range(300):
        optimizer.zero_grad()
        layer(x, target).backward()
        optimizer.step()
    found = layer.log_prob(x[:1]).exp()[0].detach()
    np.testing.assert_allclose(found, counts / counts.sum(), atol=2e-3)


# ---- negative sampling


def test_noise_words_come_by_the_power_of_their_counts(backend):
    layer = nn.NegativeSamplingLoss(2, tg.tensor(COUNTS), num_negatives=4)
    drawn = layer.draw(20000).numpy()
    assert drawn.shape == (20000, 4)
    shares = np.array(COUNTS, float) ** 0.75
    expected = shares / shares.sum()
    found = np.bincount(drawn.ravel(), minlength=7) / drawn.size
    assert found[6] == 0
    np.testing.assert_allclose(found, expected, atol=4 * np.sqrt(expected.max() / drawn.size))
    assert list(layer.state_dict()) == ["weight"]


def test_negative_sampling_from_its_formula(backend):
    layer = nn.NegativeSamplingLoss(3, COUNTS, 6, reduction="none", dtype=tg.float64)
    x, target = tg.tensor(normal(5, 3)), tg.tensor([0, 0, 3, 4, 5])
    drawn = layer.draw(5, tg.Generator().manual_seed(3)).numpy()
    assert (drawn == target.numpy()[:, None]).any()
    np.testing.assert_allclose(
        layer(x, target, tg.Generator().manual_seed(3)).detach(),
        ((drawn != target.numpy()[:, None]).sum(1) + 1) * math.log(2),
    )
    nn.init.normal_(layer.weight)
    weight = layer.weight.detach().numpy()
    expected = []
    for row, word, noise in zip(x.numpy(), target.numpy(), drawn, strict=True):
        loss = np.log1p(np.exp(-weight[word] @ row))
        expected.append(loss + sum(np.log1p(np.exp(weight[n] @ row)) for n in noise if n != word))
    got = layer(x, target, tg.Generator().manual_seed(3))
    np.testing.assert_allclose(got.detach(), expected, rtol=1e-9)
    layer.reduction = "mean"
    got = layer(x, target, tg.Generator().manual_seed(3))
    assert got.item() == pytest.approx(np.mean(expected))


def test_negative_sampling_follows_the_librarys_generator():
    layer, x = nn.NegativeSamplingLoss(3, COUNTS), tg.randn(5, 3)
    nn.init.normal_(layer.weight)
    losses = []
    for seed in (1, 1, 2):
        tg.manual_seed(seed)
        losses.append(layer(x, tg.tensor([0, 1, 2, 3, 4])).item())
    assert losses[0] == losses[1] != losses[2]


def test_words_of_one_topic_come_together():
    """Skip-grams over two topics that never mix: within a topic vectors agree more than across."""
    table, loss = nn.Embedding(6, 4), nn.NegativeSamplingLoss(4, [1] * 6)
    pairs = [(a, b) for topic in ((0, 1, 2), (3, 4, 5)) for a in topic for b in topic if a != b]
    center, context = tg.tensor([a for a, _ in pairs]), tg.tensor([b for _, b in pairs])
    optimizer = tg.optim.Adam([*table.parameters(), *loss.parameters()], 0.05)
    for _ in range(150):
        optimizer.zero_grad()
        loss(table(center), context).backward()
        optimizer.step()
    vectors = nn.functional.normalize(table.weight.detach()).numpy()
    likeness = vectors @ vectors.T
    assert likeness[:3, :3].min() > likeness[:3, 3:].max()


ERRORS = {
    "padding": (lambda: nn.Embedding(3, 2, padding_idx=3), AssertionError),
    "padding of bags": (lambda: nn.EmbeddingBag(3, 2, padding_idx=-4), AssertionError),
    "shape": (lambda: nn.Embedding(3, 2, _weight=tg.ones(2, 2)), AssertionError),
    "rank": (lambda: nn.Embedding.from_pretrained(tg.ones(3)), AssertionError),
    "index": (lambda: nn.Embedding(3, 2)(tg.tensor([3])), IndexError),
    "no offsets": (lambda: nn.EmbeddingBag(3, 2)(tg.tensor([1])), RuntimeError),
    "no cutoffs": (lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 9, []), ValueError),
    "order": (lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 9, [3, 2]), ValueError),
    "cutoff": (lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 9, [9]), ValueError),
    "fraction": (lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 9, [2.5]), ValueError),
    "class": (
        lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 9, [2])(tg.ones(1, 4), tg.tensor([9])),
        RuntimeError,
    ),
    "targets": (
        lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 9, [2])(tg.ones(2, 4), tg.tensor([1])),
        RuntimeError,
    ),
    "two targets": (
        lambda: nn.AdaptiveLogSoftmaxWithLoss(4, 9, [2])(tg.ones(2, 4), tg.tensor([[1], [2]])),
        RuntimeError,
    ),
    "one word": (lambda: nn.HierarchicalSoftmax(4, [3]), ValueError),
    "no counts": (lambda: nn.NegativeSamplingLoss(4, [0, 0]), ValueError),
    "no noise": (lambda: nn.NegativeSamplingLoss(4, [1, 2], 0), ValueError),
    "reduction": (lambda: nn.HierarchicalSoftmax(4, [3, 2], "most"), ValueError),
    "word": (lambda: nn.HierarchicalSoftmax(4, [3, 2])(tg.ones(1, 4), tg.tensor([2])), IndexError),
    "word below 0": (
        lambda: nn.NegativeSamplingLoss(4, [3, 2])(tg.ones(1, 4), tg.tensor([-1])),
        IndexError,
    ),
    "features": (
        lambda: nn.HierarchicalSoftmax(4, [3, 2])(tg.ones(1, 3), tg.tensor([1])),
        RuntimeError,
    ),
}


@pytest.mark.parametrize(("call", "error"), ERRORS.values(), ids=ERRORS)
def test_bad_input_is_refused(call, error):
    with pytest.raises(error, match="expected"):
        call()
