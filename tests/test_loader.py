"""The loader in its own process: orders, seeds, batches by index, options."""

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad.data import DataLoader, Subset, TensorDataset, default_collate
from tests.data_samples import Squares, Stream, generator, pairs, same, visited


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("batch_size", [1, 3, 5, 10, 11])
def test_loader_visits_in_order(batch_size, drop_last):
    loader = DataLoader(Squares(10), batch_size=batch_size, drop_last=drop_last)
    batches = [batch.tolist() for batch in loader]
    kept = 10 // batch_size * batch_size if drop_last else 10
    assert [value for batch in batches for value in batch] == [i * i for i in range(kept)]
    assert len(loader) == len(batches)
    assert all(len(batch) == batch_size for batch in batches[:-1])


def test_loader_shuffles_anew_each_epoch():
    loader = DataLoader(Squares(50), batch_size=8, shuffle=True, generator=generator(5))
    first, second = visited(loader), visited(loader)
    assert sorted(first) == sorted(second) == [i * i for i in range(50)]
    assert first != second


def test_one_seed_gives_one_series_of_orders():
    def two_epochs(seed):
        loader = DataLoader(Squares(50), batch_size=8, shuffle=True, generator=generator(seed))
        return visited(loader) + visited(loader)

    assert two_epochs(5) == two_epochs(5)
    assert two_epochs(5) != two_epochs(6)


def test_shuffling_follows_manual_seed():
    def epoch(seed):
        tg.manual_seed(seed)
        return visited(DataLoader(Squares(50), batch_size=8, shuffle=True))

    assert epoch(5) == epoch(5)
    assert epoch(5) != epoch(6)


def test_a_generator_of_its_own_leaves_the_default_one_alone():
    tg.manual_seed(0)
    before = tg.get_rng_state()
    visited(DataLoader(Squares(50), shuffle=True, generator=generator(5)))
    assert same(tg.get_rng_state(), before)


def test_state_of_the_generator_resumes_the_orders():
    loader_generator = generator(5)
    loader = DataLoader(Squares(50), shuffle=True, generator=loader_generator)
    visited(loader)
    state = loader_generator.get_state()
    second = visited(loader)
    resumed = tg.Generator()
    resumed.set_state(state)
    assert visited(DataLoader(Squares(50), shuffle=True, generator=resumed)) == second


@pytest.mark.parametrize("dataset", [pairs(), Subset(pairs(20), range(19, 9, -1))])
def test_batches_by_index_equal_batches_item_by_item(dataset):
    fast = DataLoader(dataset, 4, sampler=[3, 1, 4, 1, 5, 9, 2])
    slow = DataLoader(
        dataset, 4, sampler=[3, 1, 4, 1, 5, 9, 2], collate_fn=lambda items: default_collate(items)
    )
    assert same(list(fast), list(slow))
    assert [len(batch[0]) for batch in fast] == [4, 3]


def test_batches_by_index_read_each_tensor_once():
    class Counted:
        shape = (10, 2)

        def __init__(self):
            self.reads = []

        def __getitem__(self, index):
            self.reads.append(index)
            return tg.zeros(2)

    tensor = Counted()
    for _ in DataLoader(TensorDataset(tensor), batch_size=5):
        pass
    assert tensor.reads == [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]]


def test_a_dataset_that_redefines_items_gets_its_own_items():
    class Doubled(TensorDataset):
        def __getitem__(self, index):
            return super().__getitem__(index)[0] * 2

    dataset = Doubled(tg.arange(6))
    assert visited(DataLoader(dataset, batch_size=4)) == [0, 2, 4, 6, 8, 10]
    assert visited(DataLoader(Subset(dataset, [5, 1]), batch_size=4)) == [10, 2]


class Together(Squares):
    """Items that are asked for together."""

    def __init__(self, n):
        super().__init__(n)
        self.asked = []

    def __getitems__(self, indices):
        self.asked.append(indices)
        return [self[index] for index in indices]


def test_getitems_of_pytorch():
    dataset = Together(6)
    assert visited(DataLoader(dataset, 4)) == [0, 1, 4, 9, 16, 25]
    assert dataset.asked == [[0, 1, 2, 3], [4, 5]]
    subset = Subset(Subset(dataset, [5, 4, 1]), [2, 0])
    assert visited(DataLoader(subset, 2)) == [1, 25]
    assert subset.__getitems__([1]) == [25]
    assert dataset.asked[2:] == [[1, 5], [5]]

    class Doubled(Together):
        def __getitem__(self, index):
            return 2 * super().__getitem__(index)

    doubled = Doubled(3)
    assert visited(DataLoader(doubled, 3)) == [0, 2, 8]
    assert doubled.asked == []


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_batch_sampler_of_any_kind_of_list(kind):
    loader = DataLoader(pairs(), batch_sampler=[kind([1, 2]), kind([3])])
    assert [batch[1].tolist() for batch in loader] == [[1, 2], [3]]
    assert [batch[0].tolist() for batch in loader] == [[[2, 3], [4, 5]], [[6, 7]]]
    assert len(loader) == 2


def test_a_bad_index_of_a_sampler_is_an_index_error():
    with pytest.raises(IndexError):
        list(DataLoader(pairs(), sampler=[3, 10]))


def test_collate_fn_gets_the_items():
    loader = DataLoader(Squares(4), batch_size=3, collate_fn=lambda items: items)
    assert list(loader) == [[0, 1, 4], [9]]


def test_no_batching():
    dataset = [(np.arange(2), "a"), (np.arange(3), "b")]
    loader = DataLoader(dataset, batch_size=None)
    assert len(loader) == 2
    arrays, names = zip(*loader, strict=True)
    assert [array.tolist() for array in arrays] == [[0, 1], [0, 1, 2]]
    assert names == ("a", "b")


def test_any_sequence_is_a_dataset():
    assert visited(DataLoader([3.0, 1.0], batch_size=2)) == [3.0, 1.0]
    assert list(DataLoader([], batch_size=2)) == []


@pytest.mark.parametrize(
    "arguments",
    [
        {"sampler": [0], "shuffle": True},
        {"batch_sampler": [[0]], "batch_size": 2},
        {"batch_sampler": [[0]], "shuffle": True},
        {"batch_sampler": [[0]], "sampler": [0]},
        {"batch_sampler": [[0]], "drop_last": True},
        {"batch_size": None, "drop_last": True},
        {"batch_size": 0},
    ],
)
def test_loader_refuses_options_that_exclude_each_other(arguments):
    with pytest.raises(ValueError, match="expected"):
        DataLoader(Squares(4), **arguments)
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match=r"\w"):
        torch.utils.data.DataLoader(Squares(4), **arguments)


@pytest.mark.parametrize("options", [{"shuffle": True}, {"sampler": [1]}, {"batch_sampler": [[1]]}])
def test_streams_have_their_own_order(options):
    with pytest.raises(ValueError, match="expected a stream without"):
        DataLoader(Stream(), **options)


def test_options_of_a_loader_that_are_set_later():
    loader = DataLoader(Squares(5), batch_size=2)
    for name in ("batch_size", "dataset", "drop_last", "sampler", "batch_sampler"):
        with pytest.raises(ValueError, match=f"expected {name} to stay"):
            setattr(loader, name, None)
    loader.collate_fn = len
    assert list(loader) == [2, 2, 1]


def test_gradients_reach_the_tensors_of_a_dataset():
    weights = tg.ones(4, requires_grad=True)
    for (batch,) in DataLoader(TensorDataset(weights), batch_size=2, sampler=[3, 0, 3]):
        (batch * batch).sum().backward()
    assert weights.grad.tolist() == [2.0, 0.0, 0.0, 4.0]
