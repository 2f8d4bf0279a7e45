"""What single ops refuse beyond the kinds of numbers and the shapes of their family; writes into
memory that is read, and numbers that a dtype cannot hold.
"""

from __future__ import annotations

import numpy as np

from tensorgrad.errors import DTypeError, IndexRangeError, ShapeError
from tests.cases.table import *


def F(m):
    """`nn.functional` of either library."""
    return m.nn.functional


# fmt: off

bad("adaptive_avg_pool3d", lambda m, x: F(m).adaptive_avg_pool3d(x, 2), X, error=ShapeError,
    words="adaptive_avg_pool3d: expected input of 5")
bad("adaptive_max_pool1d", lambda m, x: F(m).adaptive_max_pool1d(x, 2), floats(), error=ShapeError,
    words="adaptive_max_pool1d: expected input of 3")
bad("adaptive_max_pool3d", lambda m, x: F(m).adaptive_max_pool3d(x, 2), X, error=ShapeError,
    words="adaptive_max_pool3d: expected input of 5")
bad("addbmm", lambda m, x, y: m.addbmm(x, y, y), X, floats(2, 3, 4), error=ShapeError,
    words="matmul: expected matrices whose inner sizes agree, got shapes [2,")
bad("addmv", lambda m, x, y: m.addmv(x, y, x), floats(4), X, error=ShapeError,
    words="addmv: expected an input that broadcasts to [3], got [4]")
bad("addr", lambda m, x, y: m.addr(x, y, y), X, X, error=ShapeError,
    words="outer: expected tensors of 1 and 1 dimensions, got shapes [3, 4]")
bad("adjoint", lambda m, x: m.adjoint(x), floats(3), error=ShapeError,
    words="mT: expected matrices, got shape [3]")
bad("all dim", lambda m, x: m.all(x, 5), X, error=IndexRangeError,
    words="all: expected a dimension in [-2, 1], got shapes [3, 4] with")
bad("as_strided_scatter", lambda m, x, y: m.as_strided_scatter(x, y, (2,), (1,)),
    X, floats(3), error=ShapeError,
    words="as_strided_scatter: expected src of shape [2], got [3]",
    ops="restride")
bad("avg_pool1d", lambda m, x: F(m).avg_pool1d(x, 9), floats(1, 3, 4), error=ShapeError,
    words="avg_pool1d: expected a kernel no larger than the padded input,",
    ops="window_sum windows")
bad("avg_pool3d", lambda m, x: F(m).avg_pool3d(x, 2), X, error=ShapeError,
    words="avg_pool3d: expected input of 5")
bad("baddbmm", lambda m, x, y: m.baddbmm(x, y, y), X, floats(2, 3, 4), error=ShapeError,
    words="matmul: expected matrices whose inner sizes agree, got shapes [2,")
bad("binary_cross_entropy_with_logits", lambda m, x, y: F(m).binary_cross_entropy_with_logits(x, y),
    X, floats(3), error=ShapeError,
    words="binary_cross_entropy_with_logits: expected a target of the",
    ops="surprise")
bad("broadcast_tensors", lambda m, x, y: m.broadcast_tensors(x, y),
    X, floats(3, 5), error=ShapeError,
    words="broadcast_shapes: expected shapes that broadcast, got [3, 4] and")
bad("broadcast_to", lambda m, x: m.broadcast_to(x, (3, 5)), X, error=ShapeError,
    words="expand: expected a size that the input's shape broadcasts to, got")
bad("cartesian_prod", lambda m, x: m.cartesian_prod(x, x), X, error=ShapeError,
    words="cartesian_prod: expected vectors, got shape [3, 4]")
bad("cat of numbers only", lambda m: m.concat([1.0]), error=TypeError,
    words="cat: expected at least one tensor, got float",
    ops="concat concatenate")
bad("chain_matmul", lambda m, x, y: m.chain_matmul(x, y), X, floats(3, 5), error=ShapeError,
    words="chain_matmul: expected matrices whose inner sizes agree, got")
bad("cholesky_ex", lambda m, x: m.linalg.cholesky_ex(x), X, error=ShapeError,
    words="linalg.cholesky_ex: expected square matrices, got shape [3, 4]")
bad("cholesky_inverse", lambda m, x: m.cholesky_inverse(x), X, error=ShapeError,
    words="cholesky_inverse: expected square matrices, got shape [3, 4]")
bad("cholesky_solve", lambda m, x, y: m.cholesky_solve(x, y), X, floats(4, 4), error=ShapeError,
    words="cholesky_solve: expected sizes that fit, got shapes [4, 4] and")
bad("clamp bounds", lambda m, x, y: m.clamp(x, y, y), X, floats(3, 5), error=ShapeError,
    words="clamp_between: expected shapes that broadcast, got shapes [3, 4]",
    ops="clamp_between clamp_to")
bad("column_stack", lambda m, x, y: m.column_stack([x, y]), X, floats(2, 4), error=ShapeError,
    words="cat: expected tensors of equal sizes but for the joined")
bad("cond", lambda m, x: m.linalg.cond(x), floats(3), error=ShapeError,
    words="linalg.cond: expected at least 2 dimensions, got shape [3]")
bad("cond order", lambda m, x: m.linalg.cond(x, "max"), floats(3, 3), error=ShapeError,
    words="linalg.matrix_norm: expected order 'fro', 'nuc', 1, 2, inf or")
bad("conj_physical bools out", lambda m, x, y: m.conj_physical(x * 1j, out=y),
    X, floats(3, 4), error=DTypeError,
    words="conj_physical: expected out of a dtype that complex64 can be cast",
    ops="conj")
bad("conv1d", lambda m, x, y: F(m).conv1d(x, y), floats(1, 3, 5), floats(2, 4, 3), error=ShapeError,
    words="conv1d: expected input with 4 channels for weight [2, 4, 3] in 1",
    ops="convolution")
bad("conv3d", lambda m, x, y: F(m).conv3d(x, y),
    floats(1, 3, 5, 5, 5), floats(2, 4, 3, 3, 3), error=ShapeError,
    words="conv3d: expected input with 4 channels for weight [2, 4, 3, 3, 3]")
bad("conv3d kernel", lambda m, x, y: F(m).conv3d(x, y),
    floats(1, 3, 2, 2, 2), floats(2, 3, 3, 3, 3), error=ShapeError,
    words="conv3d: expected a kernel no larger than the padded input, got")
bad("conv_transpose1d", lambda m, x, y: F(m).conv_transpose1d(x, y),
    floats(1, 3, 5), floats(2, 4, 3), error=ShapeError,
    words="conv_transpose1d: expected input with 2 channels for weight [2,",
    ops="transposed_convolution")
bad("conv_transpose3d", lambda m, x, y: F(m).conv_transpose3d(x, y),
    floats(1, 3, 2, 2, 2), floats(2, 4, 3, 3, 3), error=ShapeError,
    words="conv_transpose3d: expected input with 2 channels for weight [2,")
bad("corrcoef", lambda m, x: m.corrcoef(x), floats(2, 2, 2), error=ShapeError,
    words="cov: expected at most 2 dimensions, got [2, 2, 2]")
bad("count_nonzero dim", lambda m, x: m.count_nonzero(x, 5), X, error=IndexRangeError,
    words="sum: expected a dimension in [-2, 1], got shapes [3, 4] with")
bad("cumulative_trapezoid", lambda m, x, y: m.cumulative_trapezoid(x, y),
    X, floats(5), error=ShapeError,
    words="cumulative_trapezoid: expected as many x as y along dimension -1,")
bad("det", lambda m, x: m.det(x), X, error=ShapeError,
    words="linalg.det: expected square matrices, got shape [3, 4]",
    ops="cofactors")
bad("diag_embed 0-d", lambda m, x: m.diag_embed(x), floats(), error=IndexRangeError,
    words="diag_embed: expected a tensor with dimensions")
bad("diag_embed", lambda m, x: m.diag_embed(x, 0, 1, 1), X, error=ShapeError,
    words="diag_embed: expected two dimensions, got 1 and 1",
    ops="embed_diagonal")
bad("diagflat", lambda m, x: m.diagflat(x, "a"), X, error=TypeError,
    words="diagflat: expected offset to be a whole number, got 'a'")
bad("diagonal_scatter", lambda m, x, y: m.diagonal_scatter(x, y), X, floats(4), error=ShapeError,
    words="diagonal_scatter: expected src of shape [3], got [4]")
bad("dstack", lambda m, x, y: m.dstack([x, y]), X, floats(2, 4), error=ShapeError,
    words="cat: expected tensors of equal sizes but for the joined")
bad("eig", lambda m, x: m.linalg.eig(x), X, error=ShapeError,
    words="linalg.eig: expected square matrices, got shape [3, 4]")
bad("eigvals", lambda m, x: m.linalg.eigvals(x), X, error=ShapeError,
    words="linalg.eigvals: expected square matrices, got shape [3, 4]")
bad("eigvalsh", lambda m, x: m.linalg.eigvalsh(x, "M"), floats(3, 3), error=ShapeError,
    words="linalg.eigvalsh: expected UPLO 'L' or 'U', got 'M'")
bad("embedding index", lambda m, x, y: F(m).embedding(x, y),
    floats(2), floats(5, 2), error=DTypeError,
    words="embedding: expected dtypes that it is defined for, got float32",
    ops="embed embedding_add embedding_by_frequency embedding_sparse")
bad("flatten", lambda m, x: x.flatten(1, 0), X, error=ShapeError,
    words="flatten: expected start_dim <= end_dim, got 1 and 0")
bad("flipud", lambda m, x: m.flipud(x), floats(), error=ShapeError,
    words="flipud: expected at least 1 dimension, got a 0-d tensor")
bad("grid_sampler", lambda m, x, y: m.grid_sampler(x, y, 0, 0, True),
    floats(1, 2, 3, 4), floats(2, 2, 2, 2), error=ShapeError,
    words="grid_sampler: expected")
bad("hstack", lambda m, x, y: m.hstack([x, y]), X, floats(2, 4), error=ShapeError,
    words="cat: expected tensors of equal sizes but for the joined")
bad("inverse", lambda m, x: m.inverse(x), X, error=ShapeError,
    words="linalg.inv: expected square matrices, got shape [3, 4]")
bad("is_nonzero", lambda m, x: m.is_nonzero(x), X, error=ShapeError,
    words="bool: expected a tensor of one element, got shape [3,")
for name in ("cross", "cdist"):
    bad(f"{name} dtypes", lambda m, x, y, name=name: getattr(m, name)(x, y),
        floats(2, 3), floats(2, 3).astype(F64), error=DTypeError,
        words=f"{name}: expected tensors of one dtype, got float32 and float64")
bad("bilinear dtypes", lambda m, x, w: F(m).bilinear(x, x.double(), w), floats(2, 3),
    floats(1, 3, 3), error=DTypeError,
    words="bilinear: expected tensors of one dtype, got float32 and float64 and float32")
bad("is_nonzero of nothing", lambda m, x: bool(x), floats(0), error=ShapeError,
    words="bool: expected a tensor of one element, got shape [0] (Boolean value of Tensor with no")
bad("isin of bools", lambda m, x: m.isin(x, x), MASK, error=DTypeError,
    words="isin: expected numbers, got bool")
bad("kl_div reduction", lambda m, x: F(m).kl_div(x, x, reduction="max"), X, error=ValueError,
    words="kl_div: expected reduction to be 'mean', 'sum' or 'none', got")
bad("l1_loss reduction", lambda m, x: F(m).l1_loss(x, x, reduction="max"), X, error=ValueError,
    words="l1_loss: expected reduction to be 'mean', 'sum' or 'none', got")
bad("logdet", lambda m, x: m.logdet(x), X, error=ShapeError,
    words="logdet: expected square matrices, got shape [3, 4]")
bad("lp_pool1d", lambda m, x: F(m).lp_pool1d(x, 2.0, 9), floats(1, 3, 4), error=ShapeError,
    words="avg_pool1d: expected a kernel no larger than the padded input,")
bad("lp_pool2d", lambda m, x: F(m).lp_pool2d(x, 2.0, 9), floats(1, 3, 4, 4), error=ShapeError,
    words="avg_pool2d: expected a kernel no larger than the padded input,")
bad("lp_pool3d", lambda m, x: F(m).lp_pool3d(x, 2.0, 2), X, error=ShapeError,
    words="avg_pool3d: expected input of 5")
bad("lu", lambda m, x: m.linalg.lu(x), floats(3), error=ShapeError,
    words="linalg.lu: expected at least 2 dimensions, got shape [3]",
    ops="pivots_to_order")
bad("lu_factor", lambda m, x: m.linalg.lu_factor(x), floats(3), error=ShapeError,
    words="linalg.lu_factor: expected at least 2 dimensions, got shape [3]")
bad("lu_unpack", lambda m, x, y: m.lu_unpack(x, y), X, floats(3), error=DTypeError,
    words="lu_unpack: expected int32 pivots, got float32")
bad("matrix_power", lambda m, x: m.matrix_power(x, 2), X, error=ShapeError,
    words="linalg.matrix_power: expected square matrices, got shape [3, 4]")
bad("matrix_rank", lambda m, x: m.linalg.matrix_rank(x), floats(3), error=ShapeError,
    words="linalg.matrix_rank: expected at least 2 dimensions, got shape [3]")
bad("max_pool3d", lambda m, x: F(m).max_pool3d(x, 2), X, error=ShapeError,
    words="max_pool3d: expected input of 5",
    ops="largest_in_windows max_windows")
bad("fractional_max_pool2d", lambda m, x: F(m).fractional_max_pool2d(x, 2, 3), floats(1, 2, 3, 5),
    error=ShapeError, words="fractional_max_pool2d: expected output + kernel - 1 to be at most")
bad("fractional_max_pool3d", lambda m, x: F(m).fractional_max_pool3d(x, 2, 3),
    floats(1, 2, 3, 5, 5), error=ShapeError,
    words="fractional_max_pool3d: expected output + kernel - 1 to be at most")
bad("max_unpool1d", lambda m, x, y: F(m).max_unpool1d(x, y, 2),
    floats(1, 2, 3), ints([[0, 2]]), error=ShapeError,
    words="max_unpool1d: expected input of 3")
bad("max_unpool3d", lambda m, x, y: F(m).max_unpool3d(x, y, 2),
    floats(1, 2, 2, 2, 2), ints([[0, 2]]), error=ShapeError,
    words="max_unpool3d: expected input of 5")
bad("moveaxis", lambda m, x: m.moveaxis(x, 0, 5), X, error=IndexRangeError,
    words="movedim: expected a dimension in [-2, 1], got")
bad("multilabel_margin_loss", lambda m, x, y: F(m).multilabel_margin_loss(x, y),
    X, ints(0, 1), error=ShapeError,
    words="multilabel_margin_loss: expected")
bad("multilabel_soft_margin_loss",
    lambda m, x, y: F(m).multilabel_soft_margin_loss(x, y, reduction="max"),
    X, X, error=ValueError,
    words="multilabel_soft_margin_loss: expected reduction to be 'mean',")
bad("normalize dim", lambda m, x: F(m).normalize(x, dim=5), X, error=IndexRangeError,
    words="norm: expected a dimension in [-2, 1], got",
    ops="root_of_powers root_of_squares root")
bad("one_hot", lambda m, x: F(m).one_hot(x, 2), ints(0, 3), error=IndexRangeError,
    words="one_hot: expected class numbers in [0, 2), got")
bad("one_hot of floats", lambda m, x: F(m).one_hot(x), floats(3), error=DTypeError,
    words="one_hot: expected class numbers of dtype int64, got float32")
bad("pad", lambda m, x: F(m).pad(x, (1, 1, 1, 1, 1, 1)), X, error=ShapeError,
    words="pad: expected pairs of widths for at most 2 dimensions, got [1,",
    ops="pad_constant")
bad("pairwise_distance", lambda m, x, y: F(m).pairwise_distance(x, y),
    X, floats(3, 5), error=ShapeError,
    words="sub: expected shapes that broadcast, got shapes [3, 4] and [3,")
bad("pinv", lambda m, x: m.linalg.pinv(x), floats(3), error=ShapeError,
    words="linalg.pinv: expected at least 2 dimensions, got shape [3]")
bad("pinverse", lambda m, x: m.pinverse(x), floats(3), error=ShapeError,
    words="linalg.pinv: expected at least 2 dimensions, got shape [3]")
bad("relu6 of bools", lambda m, x: F(m).relu6(x), MASK, error=DTypeError,
    words="hardtanh: expected a dtype that holds 0.0, got bool")
bad("reshape_as", lambda m, x, y: x.reshape_as(y), X, floats(5), error=ShapeError,
    words="reshape: expected a shape of as many elements, got shapes [3, 4]")
bad("rmatmul", lambda m, x, y: x.__rmatmul__(y), X, floats(3, 5), error=ShapeError,
    words="matmul: expected matrices whose inner sizes agree, got shapes [3,")
bad("row_stack", lambda m, x, y: m.vstack([x, y]), X, floats(2, 5), error=ShapeError,
    words="cat: expected tensors of equal sizes but for the joined",
    ops="vstack")
bad("slogdet", lambda m, x: m.slogdet(x), X, error=ShapeError,
    words="linalg.slogdet: expected square matrices, got shape [3, 4]")
bad("smooth_l1_loss beta", lambda m, x: F(m).smooth_l1_loss(x, x, beta=-1.0), X, error=RuntimeError,
    words="smooth_l1_loss: expected beta >= 0, got -1.0")
bad("softmax dim None", lambda m, x: m.softmax(x, None), X, error=TypeError,
    words="softmax: expected dim to be a whole number, got None")
bad("log_softmax dim None", lambda m, x: m.log_softmax(x, None), X, error=TypeError,
    words="log_softmax: expected dim to be a whole number, got None")
bad("logsumexp dim None", lambda m, x: m.logsumexp(x, None), X, error=TypeError,
    words="logsumexp: expected dim to be a number or several, got None")
bad("cross_entropy of integers", lambda m, x, y: F(m).cross_entropy(x, y),
    ints([1, 2], [3, 4]), ints(0, 1), error=DTypeError,
    words="cross_entropy: expected a floating point dtype, got int64",
    ops="softmax_cross_entropy")
bad("softmin dim", lambda m, x: F(m).softmin(x, 5), X, error=IndexRangeError,
    words="softmax: expected a dimension in [-2, 1], got shapes [3, 4] with")
bad("softsign of bools", lambda m, x: F(m).softsign(x), MASK, error=DTypeError,
    words="abs: expected numbers, got bool")
bad("solve_ex", lambda m, x: m.linalg.solve_ex(x, x), X, error=ShapeError,
    words="linalg.solve_ex: expected square matrices, got shape [3, 4]")
bad("solve_triangular", lambda m, x: m.linalg.solve_triangular(x, x, upper=True),
    X, error=ShapeError,
    words="linalg.solve_triangular: expected square matrices, got shape [3,")
bad("solve_triangular sizes", lambda m, x, y: m.linalg.solve_triangular(x, y, upper=True),
    floats(3, 3), floats(2, 3), error=ShapeError,
    words="linalg.solve_triangular: expected sizes that fit, got shapes [3,")
bad("split_with_sizes", lambda m, x: m.split_with_sizes(x, [1, 1]), X, error=ShapeError,
    words="split: expected sizes that sum to",
    ops="unsafe_split_with_sizes")
bad("std_mean of integers", lambda m, x: m.std_mean(x), LONG, error=DTypeError,
    words="std_mean: expected a floating point dtype, got int64")
bad("svdvals", lambda m, x: m.linalg.svdvals(x), floats(3), error=ShapeError,
    words="linalg.svdvals: expected at least 2 dimensions, got shape [3]",
    ops="indefinite_minor")
bad("swapaxes", lambda m, x: m.swapaxes(x, 0, 5), X, error=IndexRangeError,
    words="transpose: expected a dimension in [-2, 1], got")
bad("swapdims", lambda m, x: m.swapdims(x, 0, 5), X, error=IndexRangeError,
    words="transpose: expected a dimension in [-2, 1], got")
bad("tensorsolve", lambda m, x, y: m.linalg.tensorsolve(x, y), X, floats(5), error=ShapeError,
    words="linalg.tensorsolve: expected a square system, got shapes [3, 4]")
bad("tile", lambda m, x: m.tile(x, (-1, 2)), X, error=ShapeError,
    words="repeat: expected numbers >= 0, got [-1, 2]")
bad("trapz", lambda m, x, y: m.trapz(x, y), X, floats(5), error=ShapeError,
    words="trapezoid: expected as many x as y along dimension -1, got 5 and 4")
bad("triangular_solve", lambda m, x, y: m.triangular_solve(x, y), X, X, error=ShapeError,
    words="triangular_solve: expected square matrices, got shape [3, 4]")
bad("tril_indices", lambda m: m.tril_indices(-1, 2), error=ShapeError,
    words="tril_indices: expected sizes >= 0, got -1 and 2")
bad("triplet_margin_with_distance_loss",
    lambda m, x: F(m).triplet_margin_with_distance_loss(x, x, x, margin=-1.0),
    X, error=ValueError,
    words="triplet_margin_with_distance_loss: expected margin > 0, got -1.0")
bad("triu", lambda m, x: m.triu(x), floats(3), error=ShapeError,
    words="triu: expected at least 2 dimensions, got shape [3]")
bad("trunc_divide", lambda m, x: m.div(x, 0, rounding_mode="trunc"), LONG, error=RuntimeError,
    words="div: expected integer divisors other than 0, got",
    ops="trunc_divide")
bad("unfold dim", lambda m, x: x.unfold(5, 1, 1), X, error=IndexRangeError,
    words="unfold: expected a dimension in [-2, 1], got",
    ops="unfold_dim")
bad("unique_consecutive dim", lambda m, x: m.unique_consecutive(x, dim=5), X, error=IndexRangeError,
    words="unique_consecutive: expected a dimension in [-2, 1], got")
bad("unsafe_chunk", lambda m, x: m.unsafe_chunk(x, 0), X, error=RuntimeError,
    words="chunk: expected chunks > 0, got 0")
bad("unsafe_split", lambda m, x: m.unsafe_split(x, -1), X, error=RuntimeError,
    words="split: expected a split size > 0, got -1")
bad("upsample_bilinear", lambda m, x: F(m).upsample_bilinear(x, 4),
    floats(1, 2, 4), error=NotImplementedError,
    words="interpolate: expected a mode of ['nearest', 'nearest-exact',",
    in_torch=False)  # where PyTorch warns of a deprecation first
bad("upsample mode", lambda m, x: F(m).upsample(x, 4, mode="cubic"),
    floats(1, 2, 4), error=NotImplementedError,
    words="interpolate: expected a mode of ['nearest', 'nearest-exact',",
    in_torch=False)  # where PyTorch warns of a deprecation first
bad("var dim", lambda m, x: m.var(x, 5), X, error=IndexRangeError,
    words="mean: expected a dimension in [-2, 1], got shapes [3, 4] with")
bad("vdot", lambda m, x, y: m.vdot(x, y), floats(3), floats(4), error=ShapeError,
    words="matmul: expected matrices whose inner sizes agree, got shapes [3]")
bad("vecdot", lambda m, x, y: m.linalg.vecdot(x, y), X, floats(3, 5), error=ShapeError,
    words="mul: expected shapes that broadcast, got shapes [3, 4] and [3,")
bad("view to doubles", lambda m, x: x.view(m.float64), floats(3), error=ShapeError,
    words="view: expected a last dimension whose bytes are elements of",
    ops="view_dtype")
bad("vsplit", lambda m, x: m.vsplit(x, 2), X, error=ShapeError,
    words="vsplit: expected sections that divide")
bad("kron of texts", lambda m, x: m.kron(x, "a"), X, error=TypeError,
    words="kron: expected other to be a tensor, got 'a'")
bad("fft of nothing", lambda m, x: m.fft.fft(x), floats(3, 0), error=ShapeError,
    words="fft: expected at least 1 data point, got 0 (Invalid number)",
    ops="fft_complex fft_of_real")
bad("irfft n", lambda m, x: m.fft.irfft(x, n=0), X, error=ShapeError,
    words="irfft: expected at least 1 data point, got 0 (Invalid number)",
    ops="fft_to_real")
bad("layer_norm dtypes", lambda m, x, y: F(m).layer_norm(x, (4,), y),
    X, floats(4).astype("float64"), error=DTypeError,
    words="layer_norm: expected weight of dtype float32, got float64")
bad("group_norm dtypes", lambda m, x, y: F(m).group_norm(x, 2, y),
    X, floats(4).astype("float64"), error=DTypeError,
    words="group_norm: expected weight of dtype float32, got float64",
    ops="standardize")
bad("fold sizes", lambda m, x: F(m).fold(x, (4, 4), 2), floats(1, 4, 3), error=ShapeError,
    words="fold: expected input (N, C * 4, 9), or without N, for output_size",
    ops="fold_windows")
bad("scatter_along range", lambda m, x, y: m.scatter_reduce(x, 0, y, x, "sum"),
    X, ints([0, 3]), error=IndexRangeError,
    words="scatter_add: expected indices in [0, 3), got",
    ops="scatter_along")
bad("combine", lambda m, x, y: m.complex(x, y), X, floats(3, 5), error=ShapeError,
    words="complex: expected real and imaginary parts whose shapes",
    ops="combine")
bad("real out", lambda m, x, y: x.real.copy_(y), X, floats(3), error=ShapeError,
    words="copy_: expected a value that broadcasts to [3, 4], got [3]",
    ops="real")
bad("ctc_loss", lambda m, x, y: F(m).ctc_loss(x, y, y, y), X, ints(1, 2), error=ShapeError,
    words="ctc_loss: expected 1 input_lengths from 0 to 3, got [1, 2]",
    ops="alignments")
bad("nonzero out", lambda m, x: m.nonzero(x, out=m.zeros(2, 2)), X, error=DTypeError,
    words="nonzero: expected out of dtype int64, got float32",
    ops="argwhere")
bad("frexp out", lambda m, x: m.frexp(x, out=(m.zeros(3, 4), m.zeros(3, 4, dtype=m.bool))),
    X, error=DTypeError,
    words="frexp: expected out of a dtype that int32 can be cast to, got",
    ops="mantissa exponent")
bad("ger", lambda m, x: m.ger(x, x), X, error=ShapeError,
    words="outer: expected tensors of 1 and 1 dimensions, got shapes [3, 4]")
bad("overlap", lambda m, x: x[1:].copy_(x[:-1]), floats(5), error=ShapeError,
    words="copy_: expected arguments that share no memory with what is")
bad("overlap set", lambda m, x: x.__setitem__(slice(1, None), x[:-1]), floats(5), error=ShapeError,
    words="setitem: expected arguments that share no memory with what is")
bad("overlap add_", lambda m, x: x[1:].add_(x[:-1]), floats(5), error=ShapeError,
    words="add_: expected arguments that share no memory with what is")
bad("overlap out", lambda m, x: m.add(x[1:], 1, out=x[:-1]), floats(5), error=ShapeError,
    words="add: expected arguments that share no memory with what is")
bad("overlap transposed", lambda m, x: x.copy_(x.t()), floats(3, 3), error=ShapeError,
    words="copy_: expected arguments that share no memory with what is")
bad("argmax of bools", lambda m, x: m.argmax(x), MASK, error=DTypeError,
    words="argmax: expected numbers, got bool")
bad("fill_ past uint8", lambda m, x: x.fill_(300), np.array([1, 2], "uint8"), error=DTypeError,
    words="fill_: expected a number that uint8 holds, got")
bad("setitem past uint8", lambda m, x: x.__setitem__(0, 300),
    np.array([1, 2], "uint8"), error=DTypeError,
    words="setitem: expected a number that uint8 holds, got")
bad("full past float32", lambda m: m.full((2,), 1e40), error=DTypeError,
    words="full: expected a number that float32 holds, got")
bad("scatter past uint8", lambda m, x, y: x.scatter(0, y, 300),
    np.array([1, 2], "uint8"), ints(0), error=DTypeError,
    words="scatter: expected a number that uint8 holds, got")
bad("gather dim kind", lambda m, x, y: m.gather(x, "a", y), X, ints([0]), error=TypeError,
    words="gather: expected dim to be a whole number, got 'a'")
bad("topk k kind", lambda m, x: m.topk(x, "a"), X, error=TypeError,
    words="topk: expected k to be a whole number, got 'a'")
bad("celu alpha kind", lambda m, x: F(m).celu(x, "a"), X, error=TypeError,
    words="celu: expected alpha to be a number, got 'a'")
bad("upsample_nearest", lambda m, x: F(m).upsample_nearest(x, 4), X, error=NotImplementedError,
    words="interpolate: expected a mode of ['nearest', 'nearest-exact',",
    in_torch=False)  # where PyTorch warns of a deprecation first
bad("binary_cross_entropy dtypes", lambda m, x, y: F(m).binary_cross_entropy(x, y),
    np.float32([0.5]), np.float64([0.5]), error=DTypeError,
    words="binary_cross_entropy: expected tensors of one dtype, got float32 and")
bad("nll_loss of integers", lambda m, x, y: F(m).nll_loss(x, y),
    ints([1, 2], [3, 4]), ints(0, 1), error=DTypeError,
    words="nll_loss: expected a floating point dtype, got int64")
bad("multi_margin_loss of integers", lambda m, x, y: F(m).multi_margin_loss(x, y),
    ints([1, 2], [3, 4]), ints(0, 1), error=DTypeError,
    words="multi_margin_loss: expected a floating point dtype, got int64")
bad("linear bias of more", lambda m, x, w, b: F(m).linear(x, w, b), X, floats(2, 4),
    floats(2, 3, 2), error=ShapeError, words="linear: expected bias of shape [2], got [2, 3, 2]")
bad("linear dtypes", lambda m, x, w, b: F(m).linear(x, w, b), X, floats(2, 4),
    floats(2).astype("float64"), error=DTypeError,
    words="linear: expected tensors of one dtype, got float32 and float64")
bad("sizes of bools", lambda m: m.zeros((True, 2)), error=TypeError,
    words="zeros: expected whole numbers, got (True, 2)", ops="zeros")
