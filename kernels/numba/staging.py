"""Between PyTorch's order of dimensions and channels last, a few lines of an image at a time. Knows
planes and squares of a vector's width, which are turned in registers; what a line is for is not
known here.
"""

import numpy as np

from tensorgrad.kernels.numba.microkernel import lanes, transpose_part, transpose_square
from tensorgrad.kernels.numba.tasks import part

LANES = lanes(np.float32)


@part
def stage(x, plane, size, top, left, channels, pitch, staged, rows, columns):
    """staged (rows, columns, pitch) from planes of x (channels, height, width) from (top, left) on;
    what lies outside is 0.
    """
    height, width = size
    first, last = max(0, -left), min(columns, width - left)
    for i in range(rows):
        y, line = top + i, i * columns * pitch
        if y < 0 or y >= height:
            for j in range(columns * pitch):
                staged[line + j] = 0
            continue
        for j in range(first * pitch):
            staged[line + j] = 0
        for j in range(last * pitch, columns * pitch):
            staged[line + j] = 0
        for channel in range(0, pitch, LANES):
            source = plane + (channel * height + y) * width + left
            target = line + channel
            there = min(LANES, channels - channel)
            j = first
            if there == LANES:
                while j + LANES <= last:
                    transpose_square(
                        x, source + j, height * width, staged, target + j * pitch, pitch
                    )
                    j += LANES
            while j < last:
                some = min(LANES, last - j)
                transpose_part(
                    x, source + j, height * width, there, some,
                    staged, target + j * pitch, pitch, some, LANES,
                )  # fmt: skip
                j += LANES


@part
def unstage(staged, rows, columns, pitch, out, plane, size, top, channels):
    """Planes of out (channels, height, width), lines from `top` on, from staged (rows, columns,
    pitch).
    """
    height, width = size
    for i in range(min(rows, height - top)):
        line = i * columns * pitch
        for channel in range(0, channels, LANES):
            target = plane + (channel * height + top + i) * width
            source = line + channel
            there = min(LANES, channels - channel)
            j = 0
            if there == LANES:
                while j + LANES <= width:
                    transpose_square(
                        staged, source + j * pitch, pitch, out, target + j, height * width
                    )
                    j += LANES
            while j < width:
                some = min(LANES, width - j)
                transpose_part(
                    staged, source + j * pitch, pitch, some, LANES,
                    out, target + j, height * width, there, some,
                )  # fmt: skip
                j += LANES
