"""Small programs that write into recorded tensors, whole or through views.

Each takes the library and two leaves, x (3, 4) and w (4), and returns a tensor;
tests/test_inplace.py runs them in both libraries.
"""


def base(m, x):
    """A recorded tensor that may be written: not a leaf, and nobody has saved it."""
    return x * 2


def added(m, x, w):
    y = base(m, x)
    y.add_(w)
    return y * y


def multiplied(m, x, w):
    y = base(m, x)
    y.mul_(w)
    y *= 3
    return y * x


def operators(m, x, w):
    y = base(m, x)
    y += w
    y -= x
    y *= w
    y /= 2
    y **= 2
    return y


def power_overwritten(m, x, w):
    y = x**2
    y += 1
    return y * w


def repeated(m, x, w):
    y = w.repeat(3, 1)
    y += x
    return y * w


def function_in_place(name, *args):
    def program(m, x, w):
        y = base(m, x)
        return getattr(y, name)(*args) * w

    program.__name__ = name
    return program


def function_on_view(name, *args):
    def program(m, x, w):
        y = base(m, x)
        getattr(y[1:, 1:], name)(*args)
        return y * w

    program.__name__ = f"{name}on_view"
    return program


def column_of_view(m, x, w):
    y = base(m, x)
    y[:, 0].mul_(2)
    return y * y


def row_added(m, x, w):
    y = base(m, x)
    y[1] += w
    return y * w


def view_of_view(m, x, w):
    y = base(m, x)
    y[1:][0][2:].mul_(w[:2])
    return y * y


def transposed_view(m, x, w):
    y = base(m, x)
    y.t()[1].add_(x[:, 0])
    return y * y


def transposed_whole(m, x, w):
    y = base(m, x)
    y.transpose(0, 1).mul_(w.unsqueeze(1))
    return y * y


def reshaped_view(m, x, w):
    y = base(m, x)
    y.view(-1)[3:7].mul_(w)
    return y * y


def through_select_and_unsqueeze(m, x, w):
    y = base(m, x)
    y.select(0, 2).unsqueeze(0).mul_(w)
    return y * y


def narrow_and_split(m, x, w):
    y = base(m, x)
    y.narrow(1, 1, 2).mul_(3)
    first, _second = y.split(2, 1)
    return first * w[:2] + y.sum()


def assigned_number(m, x, w):
    y = base(m, x)
    y[0, 1] = 5.0
    y[2] = 0
    return y * y


def assigned_row(m, x, w):
    y = base(m, x)
    y[1] = w * w
    return y * y


def assigned_broadcast(m, x, w):
    y = base(m, x)
    y[:, 1:3] = w[:2]
    return y * y


def assigned_mask(m, x, w):
    y = base(m, x)
    y[x > 0] = 2.0
    return y * w


def assigned_mask_values(m, x, w):
    y = base(m, x)
    mask = m.tensor([True, False, True])
    y[mask] = w * 3
    return y * y


def assigned_indices(m, x, w):
    y = base(m, x)
    y[m.tensor([2, 0]), m.tensor([1, 3])] = w[:2]
    return y * y


def assigned_column_by_array(m, x, w):
    y = base(m, x)
    y[:, m.tensor([0, 2])] = x[:, 1:3]
    return y * y


def assigned_itself(m, x, w):
    y = base(m, x)
    y[0] = y[1]
    return y * y


def assigned_into_zeros(m, x, w):
    y = m.zeros(3, 4, dtype=x.dtype)
    y[0] = w
    y[1:] = x[1:]
    return y * y


def assigned_in_a_loop(m, x, w):
    y = m.zeros(3, 4, dtype=x.dtype)
    for i in range(3):
        y[i] = x[i] * (y[i - 1] if i else w)
    return y


def masked_fill_in_place(m, x, w):
    y = base(m, x)
    y.masked_fill_(x > 0, 0.5)
    return y * w


def masked_fill_on_view(m, x, w):
    y = base(m, x)
    y[:, 1:].masked_fill_(x[:, 1:] > 0, 0.5)
    return y * w


def scatter_add_in_place(m, x, w):
    y = base(m, x)
    y.scatter_add_(0, m.tensor([[0, 2, 1, 0]]), w.unsqueeze(0))
    return y * y


def copied_into_view(m, x, w):
    y = base(m, x)
    y[1].copy_(w)
    return y * y


def copied_whole(m, x, w):
    y = base(m, x)
    y.copy_(w)
    return y * x


def filled(m, x, w):
    y = base(m, x)
    y.fill_(3.0)
    return y * x


def zeroed_view(m, x, w):
    y = base(m, x)
    y[:, 2].zero_()
    return y * w


def view_before_base_changes(m, x, w):
    y = base(m, x)
    row = y[1]
    y.mul_(w)
    return row * row


def view_after_view_changes(m, x, w):
    y = base(m, x)
    row, column = y[1], y[:, 2]
    row.mul_(w)
    return column * column + y.sum()


def overlapping_views(m, x, w):
    y = base(m, x)
    upper, lower = y[:2], y[1:]
    upper.mul_(2)
    lower.add_(w)
    return upper * 3 + lower * lower


def view_of_a_changed_view(m, x, w):
    y = base(m, x)
    row = y[0]
    row.mul_(w)
    row[1:].add_(1)
    return y * row


def chain_of_changes(m, x, w):
    y = base(m, x)
    for i in range(4):
        y[:, i].mul_(w[i])
        y.add_(i)
    return y * y


def used_between_changes(m, x, w):
    y = base(m, x)
    first = y.sum()
    y.add_(1)
    second = y.sum() * 2
    y.mul_(w)
    return y.sum() + first + second


def constant_becomes_recorded(m, x, w):
    y = m.ones(4, dtype=x.dtype)
    y.mul_(w)
    return y * x


def constant_through_view(m, x, w):
    y = m.ones(3, 4, dtype=x.dtype)
    y[1].mul_(w)
    return y * x


def view_of_constant_before(m, x, w):
    y = m.ones(3, 4, dtype=x.dtype)
    row = y[1]
    y.mul_(x)
    return row * w


def detached_then_written(m, x, w):
    y = base(m, x)
    y.detach().mul_(2)
    return y + w


def without_grad(m, x, w):
    y = base(m, x)
    with m.no_grad():
        y.mul_(2)
    return y + w


def leaf_without_grad_mode(m, x, w):
    with m.no_grad():
        x.mul_(2)
    return x * w


def expanded_operand(m, x, w):
    y = base(m, x)
    y.add_(w[:1].expand(4))
    return y * y


def integer_power(m, x, w):
    y = base(m, x)
    y.pow_(3)
    return y * w


def by_itself(m, x, w):
    y = base(m, x)
    y.mul_(y)
    return y * w


def softmax_then_scaled(m, x, w):
    y = m.softmax(x, 1) + 0
    y.mul_(w)
    return y
