"""Tensors that share memory, and what a tensor says of its memory: what the op table and the
comparison of views with PyTorch do not reach.
"""

import copy

import numpy as np
import pytest

import tensorgrad as tg
from tensorgrad import nn
from tensorgrad.errors import GraphError, ShapeError


def test_size_counts_its_elements(backend):
    size = tg.zeros(2, 3).size()
    assert size == (2, 3)
    assert isinstance(size, tg.Size)
    assert size.numel() == 6
    assert repr(size) == "tensorgrad.Size([2, 3])"
    assert tg.broadcast_shapes((2, 1), 3).numel() == 6
    assert tg.zeros(size).shape == (2, 3)


def test_memory_formats(backend):
    x = tg.zeros(2, 3, 4, 5)
    assert x.contiguous(memory_format=tg.contiguous_format) is x
    assert x.clone(memory_format=tg.preserve_format).stride() == x.stride()
    assert x.is_contiguous(memory_format=tg.contiguous_format)
    assert not x.is_contiguous(memory_format=tg.channels_last)
    assert x.permute(0, 3, 1, 2).is_contiguous(memory_format=tg.channels_last)
    with pytest.raises(NotImplementedError, match=r"^clone: .* got tensorgrad\.channels_last$"):
        x.clone(memory_format=tg.channels_last)


def test_bytes_as_another_dtype(backend):
    x = tg.tensor([[1.0, 2.0], [3.0, 4.0]])
    bits = x.view(tg.int32)
    assert bits.tolist() == np.array([[1, 2], [3, 4]], "float32").view("int32").tolist()
    bits[0] = 0
    assert x.tolist() == [[0, 0], [3, 4]]
    assert x.view(dtype=tg.float64).shape == (2, 1)
    assert x.t()[0].view(tg.int32).tolist() == [0, bits[1, 0].item()]
    assert not (x.requires_grad_() * 1).view(tg.int32).requires_grad


def test_bytes_written_are_noticed(backend):
    x = tg.ones(3, requires_grad=True)
    y = x * 2
    z = y * y
    with tg.no_grad():
        y.view(tg.int32).zero_()
    with pytest.raises(GraphError, match="modified by an inplace operation"):
        z.sum().backward()


def test_an_empty_tensor_has_no_address(backend):
    assert tg.zeros(0).data_ptr() == 0
    x = tg.zeros(4)
    assert x[1:].data_ptr() == x.data_ptr() + 4
    assert x.detach().data_ptr() == x.data_ptr()
    assert x.clone().data_ptr() != x.data_ptr()


def test_as_strided_over_memory_with_gaps():
    """A view that somebody else made: the memory behind it is known, and used."""
    whole = np.arange(12.0)
    x = tg.from_numpy(whole[2::3])
    assert x.storage_offset() == 2
    assert x.as_strided((3,), (4,)).tolist() == [2, 6, 10]
    assert x.as_strided((2, 2), (1, 1), 0).tolist() == [[0, 1], [1, 2]]
    x.unfold(0, 2, 2)[1] = -1
    assert whole.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, -1, 9, 10, -1]


class Elsewhere:
    """An object whose memory NumPy reads without owning it."""

    def __init__(self, array):
        self.array = array
        self.__array_interface__ = array.__array_interface__


def test_as_strided_over_memory_of_others():
    """All that is known of the memory is an array with gaps in it."""
    whole = np.arange(12.0).reshape(3, 4)
    x = tg.from_numpy(np.asarray(Elsewhere(whole[:, ::2])))
    assert x.tolist() == [[0, 2], [4, 6], [8, 10]]
    assert x.storage_offset() == 0
    assert x.as_strided((3, 3), (4, 1)).tolist() == [[0, 1, 2], [4, 5, 6], [8, 9, 10]]
    assert x[1:].diagonal().tolist() == [4, 10]
    x.unfold(0, 2, 1)[0, 1] = -1
    assert whole[:2].tolist() == [[0, 1, -1, 3], [4, 5, -1, 7]]


def test_gradient_of_strides_that_leave_the_input(backend):
    """Places outside the input are read, and give it no gradient; those read twice give both."""
    memory = tg.arange(10.0)
    x = memory[2:6].requires_grad_()
    y = x.as_strided((3, 3), (2, 1), 0)
    assert y.tolist() == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]
    (g,) = tg.autograd.grad(y.sum(), x)
    assert g.tolist() == [2, 1, 2, 1]


def test_gradient_of_strides_over_repeated_elements(backend):
    """An expanded input shares one gradient among its elements."""
    x = tg.tensor([[3.0]], requires_grad=True)
    y = x.expand(1, 4).as_strided((2,), (0,))
    (y * tg.tensor([2.0, 5.0])).sum().backward()
    assert y.tolist() == [3, 3]
    assert x.grad.tolist() == [[7]]


def test_writing_strides_of_what_lies_otherwise_is_refused(backend):
    x = tg.ones(2, 3, requires_grad=True)
    y = (x * 2).t().clone()
    assert y.stride() == (1, 3)
    y.as_strided((2,), (1,)).mul_(2)
    with pytest.raises(GraphError, match=r"^as_strided: expected elements that lie in order"):
        y.sum().backward()


def test_resize(backend):
    x = tg.arange(6.0).reshape(2, 3)
    view = x[0]
    assert x.resize_(2, 2) is x
    assert x.tolist() == [[0, 1], [2, 3]]
    x[0, 0] = 7
    assert view.tolist() == [7, 1, 2]
    assert x.resize_((6,)).tolist() == [7, 1, 2, 3, 4, 5]
    x.resize_(3, 4)
    assert x.shape == (3, 4)
    assert x.reshape(-1)[:6].tolist() == [7, 1, 2, 3, 4, 5]
    assert x.resize_as_(tg.zeros(1, 2)).tolist() == [[7, 1]]
    assert view.tolist() == [7, 1, 2]


def test_resizing_is_noticed(backend):
    x = tg.ones(4)
    w = tg.ones(4, requires_grad=True)
    y = x * w
    x.resize_(2, 2)
    with pytest.raises(GraphError, match="modified by an inplace operation"):
        y.sum().backward()


def test_a_view_outlives_the_resizing_of_its_base(backend):
    """Written with a history, it changes that of the resized tensor no more."""
    x = tg.ones(2, 2)
    row = x[0]
    x.resize_(4)
    w = tg.full((2,), 3.0, requires_grad=True)
    row.mul_(w)
    assert x.tolist() == [3, 3, 1, 1]
    assert not x.requires_grad
    (g,) = tg.autograd.grad(row.sum(), w)
    assert g.tolist() == [1, 1]


def test_pieces_of_a_view_by_strides_are_views(backend):
    x = tg.zeros(6)
    x.as_strided((2, 2), (3, 1), 1)[1].add_(1)
    assert x.tolist() == [0, 0, 0, 0, 1, 1]
    x.unfold(0, 3, 3).diagonal().fill_(5)
    assert x.tolist() == [5, 0, 0, 0, 5, 1]


def test_a_view_by_strides_outside_the_memory_is_refused(backend):
    x = tg.zeros(4)
    with pytest.raises(ShapeError, match="out of bounds for storage"):
        x[2:].as_strided((3,), (1,))
    assert x[2:].as_strided((4,), (1,), 0).shape == (4,)


def test_a_copied_view_stands_alone(backend):
    x = tg.zeros(2, 3)
    alone = copy.deepcopy(x.diagonal())
    alone.fill_(1)
    assert x.sum().item() == 0


# Calls whose result is a copy in any memory, also where a view could be had.
COPIES = {
    "repeat": lambda x: x[:1].repeat(4, 1, 1),
    "repeat to nothing": lambda x: x.repeat(0, 1, 1),
    "tile": lambda x: x[:, :1].tile(3, 1),
    "repeat_interleave": lambda x: x[:, :, :1].repeat_interleave(3, 2),
    "repeat_interleave counts": lambda x: x.repeat_interleave(tg.tensor([2, 0, 1]), 1),
    "index": lambda x: x[:, :, tg.tensor([1, 0])],
    "index of several": lambda x: x[:, tg.tensor([0, 2]), tg.tensor([1, 0])],
    "index_select": lambda x: x.index_select(-1, tg.tensor([0, 1])),
    "kthvalue": lambda x: x.kthvalue(2, 1)[1],
    "topk": lambda x: x.topk(2)[1],
    "einsum": lambda x: tg.einsum("bij,bkj->bki", x, x),
    "conv_transpose": lambda x: nn.functional.conv_transpose1d(x, tg.ones(3, 2, 3), None, 2, 1),
    "adaptive_avg_pool": lambda x: nn.functional.adaptive_avg_pool2d(x, (3, None)),
    "pixel_shuffle": lambda x: nn.functional.pixel_shuffle(x, 1),
    "pixel_unshuffle": lambda x: nn.functional.pixel_unshuffle(x, 1),
}


@pytest.mark.parametrize("name", COPIES)
def test_a_copy_lies_in_order_in_memory_of_its_own(name, backend):
    x = tg.arange(24.0).reshape(2, 3, 4)
    y = COPIES[name](x)
    assert y.is_contiguous()
    y += 1
    assert x.tolist() == np.arange(24.0).reshape(2, 3, 4).tolist()


def test_a_new_dimension_steps_over_all_that_follow(backend):
    x = tg.zeros(3, 4)
    assert x[None, :, None].stride() == (12, 4, 4, 1)
    assert x[..., None].stride() == (4, 1, 1)
    assert x[0].expand(1, 1, 4).stride() == (4, 4, 1)
    assert x[0].expand(3, 1, 4).stride() == (0, 4, 1)


def test_ravel_gives_elements_in_order(backend):
    every_other = tg.arange(6.0)[::2]
    assert every_other.ravel().is_contiguous()
    assert tg.arange(6.0).reshape(1, 6)[:, ::2].ravel().stride() == (1,)


def test_adjoint_conjugates_complex_numbers(backend):
    x = tg.tensor([[1 + 2j, 3], [4j, 5]])
    expected = [[1 - 2j, -4j], [3, 5]]
    assert x.mH.tolist() == x.H.tolist() == tg.adjoint(x).tolist() == expected
    assert x.mT.tolist() == [[1 + 2j, 4j], [3, 5]]
