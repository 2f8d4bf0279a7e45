"""Small programs that write through views by strides and diagonals or turn tensors in place, and
such as PyTorch refuses.

Each takes the library and two leaves, x (3, 4) and w (4), and returns a tensor;
tests/test_inplace.py runs them in both libraries.
"""

from tests.inplace_programs import base


def strided_view(m, x, w):
    y = base(m, x)
    y.as_strided((2, 3), (4, 1), 1).mul_(w[:3])
    return y * y


def strided_view_of_view(m, x, w):
    y = base(m, x)
    y[1:].as_strided((2, 2), (1, 4), 5).add_(w[:2])
    return y * w


def strided_view_before(m, x, w):
    y = base(m, x)
    part = y.as_strided((3, 3), (4, 1))
    y.mul_(w)
    return part * part


def windows_written(m, x, w):
    y = base(m, x)
    y.unfold(1, 2, 2).mul_(w[:2])
    return y * y


def windows_before(m, x, w):
    y = base(m, x)
    part = y.unfold(1, 3, 1)
    y[1].mul_(w)
    return part * part


def diagonal_written(m, x, w):
    y = base(m, x)
    y.diagonal(1).mul_(w[:3])
    return y * y


def diagonal_before(m, x, w):
    y = base(m, x)
    part = y.diagonal()
    y.mul_(w)
    return part * part


def turned_written(m, x, w):
    y = base(m, x)
    y.T[1:3].mul_(3)
    y.mT[0].add_(x[:, 1])
    return y * w


def moved_written(m, x, w):
    y = base(m, x)
    y.movedim(0, 1)[2].mul_(x[:, 0])
    y.swapaxes(0, 1)[0].zero_()
    return y * w


def unflattened_written(m, x, w):
    y = base(m, x)
    y.unflatten(1, (2, 2))[:, 1].mul_(w[:2])
    return y * y


def flattened_written(m, x, w):
    y = base(m, x)
    y.flatten()[2:6].mul_(w)
    y.ravel()[0].zero_()
    return y * y


def cut_and_written(m, x, w):
    y = base(m, x)
    y[:, 1:].hsplit((1,))[1].mul_(w[:2])
    y.narrow(0, 1, 1).add_(w)
    y.select(1, 3).mul_(2)
    return y * y


def meshgrid_before(m, x, w):
    y = base(m, w)
    rows, _columns = m.meshgrid(y, x[0], indexing="ij")
    y.mul_(w)
    return rows * rows


def diagonal_filled(m, x, w):
    y = base(m, x)
    y.fill_diagonal_(3.0)
    y.t()[:, :1].fill_diagonal_(2.0, wrap=True)
    return y * w


def diagonal_of_a_cube_filled(m, x, w):
    y = (x[:2, :2].unsqueeze(0) * w[:2].reshape(2, 1, 1)).clone()
    y.fill_diagonal_(0.5)
    return y * y


def turned_in_place(m, x, w):
    y = base(m, x)
    y.t_()
    y[1].mul_(x[:, 0])
    return y.t() * w


def turned_in_place_under_views(m, x, w):
    y = base(m, x)
    row, column = y[1], y[:, 1]
    y.transpose_(0, 1)
    y.mul_(w.unsqueeze(1))
    row.add_(1)
    return y.t() * row + column.sum()


def view_turned_in_place(m, x, w):
    y = base(m, x)
    part = y[:, 1:]
    inner = part[0]
    part.swapaxes_(0, 1)
    part.mul_(2)
    inner.mul_(w[1:])
    y.add_(x)
    return part * inner.sum() + y.sum()


def squeezed_in_place(m, x, w):
    y = base(m, x)
    y.unsqueeze_(0).unsqueeze_(-1)
    y[:, 1].mul_(w.unsqueeze(1))
    y.squeeze_(0)
    return y.squeeze_() * w


def strided_in_place(m, x, w):
    y = base(m, x)
    y.as_strided_((2, 3), (4, 1), 1)
    y.mul_(w[:3])
    return y * y


def triangle_in_place(m, x, w):
    y = base(m, x)
    y.tril_()
    y[1:].triu_(1)
    return y * w


# ---- programs that PyTorch refuses


def leaf_turned(m, x, w):
    x.t_()
    return x * 1


def view_of_leaf_squeezed(m, x, w):
    y = x[:1]
    y.squeeze_(0)
    return y * w


def saved_then_turned(m, x, w):
    y = base(m, x)
    z = y * w
    y.t_()
    return z


def saved_strided_overwritten(m, x, w):
    y = base(m, x)
    z = y.as_strided((4,), (1,)) * w
    y.diagonal().zero_()
    return z


def leaf(m, x, w):
    x.mul_(2)
    return x * w


def view_of_leaf(m, x, w):
    x[0].mul_(2)
    return x * w


def leaf_item(m, x, w):
    x[0] = 1.0
    return x * w


def saved_input_overwritten(m, x, w):
    y = base(m, x)
    z = y * w
    y.add_(1)
    return z


def saved_output_overwritten(m, x, w):
    y = m.exp(x)
    y.add_(1)
    return y


def saved_output_of_fused_overwritten(m, x, w):
    y = m.softmax(x, 1)
    y.mul_(2)
    return y


def saved_through_view(m, x, w):
    y = base(m, x)
    z = y * w
    y[0].zero_()
    return z


def saved_view_overwritten_by_base(m, x, w):
    y = base(m, x)
    z = y[0] * w
    y.zero_()
    return z


def saved_overwritten_by_detached(m, x, w):
    y = base(m, x)
    z = y * w
    y.detach().zero_()
    return z


def saved_overwritten_by_data(m, x, w):
    y = base(m, x)
    z = y * w
    y.data.zero_()
    return z * 1


def broadcast_grows(m, x, w):
    y = w * 1
    y.add_(x)
    return y


def int_plus_float(m, x, w):
    y = m.ones(4, dtype=m.int64)
    y.add_(w)
    return y * x


def expanded_written(m, x, w):
    y = (w * 1).expand(3, 4)
    y.mul_(2)
    return y
