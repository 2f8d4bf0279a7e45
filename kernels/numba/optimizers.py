"""Steps of SGD and Adam, in place, over lists of arrays. Knows arrays only.

Memory traffic in arrays of a parameter's size: SGD reads 2 and writes 1, with momentum 3 and 2;
Adam reads 4 and writes 3, which beyond a few hundred thousand elements is all its time. Composed of
array operations Adam moves over 25. A small tensor costs about one call of a compiled function. For
that a kernel takes vectors and matrices as they are (`flat` of a C-contiguous array costs nothing,
`reshape` a call), and its numbers as one tuple of floats: Numba unpacks a tuple faster than single
arguments, and is slow to recognise a bool.
"""

import math

from numba import prange

from tensorgrad.kernels.numba.runtime import FLOATS, can_launch, parallel, plain, serial

CHUNK = 8192  # elements a task
PARALLEL = 65536  # elements from which two threads beat one


@serial
def _sgd(p, g, numbers):
    real = p.dtype.type
    lr, weight_decay, sign = numbers
    lr, weight_decay = real(lr * sign), real(weight_decay * sign)
    size, p, g = p.size, p.flat, g.flat
    for i in range(size):
        step = g[i] + weight_decay * p[i] if weight_decay != real(0) else g[i]
        p[i] -= lr * step


@parallel
def _sgd_parallel(p, g, numbers):
    for c in prange((p.size + CHUNK - 1) // CHUNK):
        part = slice(c * CHUNK, (c + 1) * CHUNK)
        _sgd(p[part], g[part], numbers)


@serial
def _momentum(p, g, buffer, numbers):
    real = p.dtype.type
    if buffer.size != p.size:
        raise ValueError("sgd_step: expected momentum buffers of the parameters' shapes")
    fresh = real(1.0 - numbers[2])
    lr, momentum = real(numbers[0]), real(numbers[1])
    weight_decay, nesterov, sign = real(numbers[3]), numbers[4] != 0.0, real(numbers[5])
    size, p, g, buffer = p.size, p.flat, g.flat, buffer.flat
    for i in range(size):
        step = sign * g[i]
        if weight_decay != real(0):
            step += weight_decay * p[i]
        average = momentum * buffer[i] + fresh * step
        buffer[i] = average
        p[i] -= lr * (step + momentum * average if nesterov else average)


@parallel
def _momentum_parallel(p, g, buffer, numbers):
    for c in prange((p.size + CHUNK - 1) // CHUNK):
        part = slice(c * CHUNK, (c + 1) * CHUNK)
        _momentum(p[part], g[part], buffer[part], numbers)


@serial
def _adam(p, g, m, v, numbers):
    real = p.dtype.type
    if m.size != p.size or v.size != p.size:
        raise ValueError("adam_step: expected moments of the parameters' shapes")
    step_size, root, eps = real(numbers[0]), real(numbers[1]), real(numbers[4])
    beta1, fresh1 = real(numbers[2]), real(1.0 - numbers[2])
    beta2, fresh2 = real(numbers[3]), real(1.0 - numbers[3])
    weight_decay, keep, sign = real(numbers[5]), real(numbers[6]), real(numbers[7])
    size, p, g, m, v = p.size, p.flat, g.flat, m.flat, v.flat
    for i in range(size):
        grad = sign * g[i]
        if weight_decay != real(0):
            grad += weight_decay * p[i]
        mean = beta1 * m[i] + fresh1 * grad
        square = beta2 * v[i] + fresh2 * (grad * grad)
        m[i] = mean
        v[i] = square
        p[i] = keep * p[i] - step_size * mean / (math.sqrt(square) * root + eps)


@parallel
def _adam_parallel(p, g, m, v, numbers):
    for c in prange((p.size + CHUNK - 1) // CHUNK):
        part = slice(c * CHUNK, (c + 1) * CHUNK)
        _adam(p[part], g[part], m[part], v[part], numbers)


def _served(params, grads, *states):
    """Whether each parameter can be written flat and its gradient and state are like it."""
    for param, grad in zip(params, grads, strict=True):
        dtype = param.dtype
        if (
            dtype not in FLOATS
            or grad.dtype is not dtype
            or grad.shape != param.shape
            or not param.flags.carray
        ):
            return False
    for arrays in states:
        for param, array in zip(params, arrays, strict=True):
            if array.dtype is not param.dtype or not array.flags.carray:
                return False
    return True


def _run(one, many, arrays, numbers):
    """One tensor that is large or of no or many dimensions, or whose gradient is not contiguous."""
    flat = [plain(array).reshape(-1) for array in arrays]  # only the gradient may be a copy
    (many if flat[0].size >= PARALLEL and can_launch() else one)(*flat, numbers)


# A small model's step is mostly the loops below, so their common case calls the kernel directly.


def sgd_step(params, grads, buffers, *, lr, momentum, dampening, weight_decay, nesterov, maximize):
    """p -= lr (g + weight_decay p), or the same with the running average `buffers` of the step."""
    if not _served(params, grads, *([] if buffers is None else [buffers])):
        return NotImplemented
    sign = -1.0 if maximize else 1.0
    if buffers is None:
        numbers = float(lr), float(weight_decay), sign
        for p, g in zip(params, grads, strict=True):
            if p.size < PARALLEL and 0 < p.ndim < 3 and g.flags.carray:
                _sgd(p, g, numbers)
            else:
                _run(_sgd, _sgd_parallel, (p, g), numbers)
    else:
        averaging = (
            float(lr),
            float(momentum),
            float(dampening),
            float(weight_decay),
            1.0 if nesterov else 0.0,
            sign,
        )
        for p, g, buffer in zip(params, grads, buffers, strict=True):
            if p.size < PARALLEL and 0 < p.ndim < 3 and g.flags.carray:
                _momentum(p, g, buffer, averaging)
            else:
                _run(_momentum, _momentum_parallel, (p, g, buffer), averaging)
    return None


def adam_step(
    params,
    grads,
    exp_avgs,
    exp_avg_sqs,
    steps,
    *,
    lr,
    beta1,
    beta2,
    eps,
    weight_decay,
    decoupled_weight_decay,
    maximize,
):
    """Adam (Kingma and Ba 2015); with `decoupled_weight_decay` AdamW (Loshchilov and Hutter
    2019).
    """
    if not _served(params, grads, exp_avgs, exp_avg_sqs):
        return NotImplemented
    lr, beta1, beta2, eps = float(lr), float(beta1), float(beta2), float(eps)
    keep = 1.0 - lr * float(weight_decay) if decoupled_weight_decay else 1.0
    weight_decay = 0.0 if decoupled_weight_decay else float(weight_decay)
    sign = -1.0 if maximize else 1.0
    known = numbers = None
    for p, g, m, v, step in zip(params, grads, exp_avgs, exp_avg_sqs, steps, strict=True):
        if step != known:  # most often all are equal
            known = step
            step_size, root = lr / (1.0 - beta1**step), 1.0 / math.sqrt(1.0 - beta2**step)
            numbers = step_size, root, beta1, beta2, eps, weight_decay, keep, sign
        if p.size < PARALLEL and 0 < p.ndim < 3 and g.flags.carray:
            _adam(p, g, m, v, numbers)
        else:
            _run(_adam, _adam_parallel, (p, g, m, v), numbers)
    return None
