"""What is done to one image on its way from a data set to a batch, under torchvision's names.

Before `ToTensor` an image is a uint8 NumPy array of shape (height, width) or (height, width,
channels), after it a float32 tensor of shape (channels, height, width). Crops and flips take both.
Random ones draw from the library's default generator, so that `manual_seed` and a loader's workers
govern them. Follows https://docs.pytorch.org/vision/stable/transforms.html

A transform that does the same to every image may define, beside `__call__`, `_batch(images)`: what
it makes of all images at once, stacked, as the collated batch of what it makes of each.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tensorgrad._tensor import Tensor
from tensorgrad.data.dataset import redefines
from tensorgrad.datasets.pillow import pillow
from tensorgrad.errors import DTypeError, ShapeError
from tensorgrad.ops.creation import from_numpy, tensor
from tensorgrad.ops.sampling import rand, randint

__all__ = [
    "CenterCrop",
    "Compose",
    "Lambda",
    "Normalize",
    "RandomCrop",
    "RandomHorizontalFlip",
    "Resize",
    "ToTensor",
    "to_tensor",
]


def to_tensor(pic: Any) -> Tensor:
    """A float32 tensor of shape (channels, height, width) of an image: a NumPy array of shape
    (height, width) or (height, width, channels), or a Pillow image. uint8 values are divided by
    255; bool and float32 stay as they are.

    Raises:
        ShapeError: another number of dimensions.
        DTypeError: another element type.
    """
    array = np.asarray(pic)
    if array.ndim not in (2, 3):
        raise ShapeError(
            "ToTensor: expected an image of shape (height, width) or (height, width, channels), "
            f"got {array.shape}"
        )
    return from_numpy(_planes(array[None])[0])


def transform_batch(transform: Any, images: np.ndarray[Any, Any]) -> Any:
    """The collated batch that `transform` makes of images of one shape, stacked; NotImplemented
    where it has to see them one by one.
    """
    if redefines(transform, "__call__", "_batch"):
        return transform._batch(images)
    return NotImplemented


def _planes(images: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """What `to_tensor` makes of each of N images: (N, channels, height, width)."""
    if images.dtype not in (np.uint8, np.bool_, np.float32):
        raise DTypeError(f"ToTensor: expected uint8, bool or float32, got {images.dtype}")
    planes = images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)
    values = planes.astype(np.float32, order="C")
    if images.dtype == np.uint8:
        values /= np.float32(255)
    return values


class ToTensor:
    """`to_tensor` as an object, to stand in a `Compose`."""

    def __call__(self, pic: Any) -> Tensor:
        return to_tensor(pic)

    def _batch(self, images: np.ndarray[Any, Any]) -> Tensor:
        return from_numpy(_planes(images))


class Compose:
    """One transform after the other."""

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img

    def _batch(self, images: Any) -> Any:
        for transform in self.transforms:
            images = transform_batch(transform, images)
            if images is NotImplemented:
                break
        return images


class Lambda:
    """A function as a transform. With worker processes it has to stand at the top of a module."""

    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)


class Normalize:
    """(image - mean) / std, with one mean and one standard deviation a channel.

    Raises:
        ValueError: a standard deviation is 0.
        TypeError: called with what is no tensor.
        ShapeError: the image has not as many channels as there are means.
    """

    def __init__(self, mean: Sequence[float], std: Sequence[float], inplace: bool = False) -> None:
        self.mean = tensor(list(mean)).reshape(-1, 1, 1)
        self.std = tensor(list(std)).reshape(-1, 1, 1)
        self.inplace = inplace
        if 0 in list(std):
            raise ValueError(f"Normalize: expected standard deviations above 0, got {list(std)}")

    def __call__(self, tensor: Tensor) -> Tensor:
        if not isinstance(tensor, Tensor):
            raise TypeError(
                f"Normalize: expected a tensor (ToTensor makes one), got {type(tensor).__name__}"
            )
        channels = self.mean.shape[0]
        if tensor.ndim < 3 or tensor.shape[-3] != channels:
            raise ShapeError(
                f"Normalize: expected {channels} channels, got shape {tuple(tensor.shape)}"
            )
        if self.inplace:
            tensor -= self.mean
            tensor /= self.std
            return tensor
        return (tensor - self.mean) / self.std

    def _batch(self, images: Tensor) -> Tensor:
        return self(images)


class Resize:
    """The image in another size, by Pillow's bilinear filter: an array, not a tensor.

    Args:
        size: (height, width), or the length of the shorter edge, the other following.

    Raises:
        ImportError: Pillow is not installed.
        TypeError: called with a tensor.
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = size

    def __call__(self, img: Any) -> np.ndarray[Any, Any]:
        Image = pillow("Resize")
        if isinstance(img, Tensor):
            raise TypeError("Resize: expected an array (stand before ToTensor), got a tensor")
        array = np.asarray(img)
        height, width = array.shape[:2]
        if isinstance(self.size, int):
            short = min(height, width)
            target = (height * self.size // short, width * self.size // short)
        else:
            target = (self.size[0], self.size[1])
        resized = Image.fromarray(array).resize(target[::-1], Image.Resampling.BILINEAR)
        return np.array(resized)


class CenterCrop:
    """The middle of the image.

    Args:
        size: (height, width), or one number for both.

    Raises:
        ShapeError: the image is smaller.
    """

    def __init__(self, size: int | Sequence[int]) -> None:
        self.size = _pair(size)

    def __call__(self, img: Any) -> Any:
        room = _room(img, self.size, "CenterCrop")
        return _crop(img, room[0] // 2, room[1] // 2, self.size)


class RandomCrop:
    """A part of the image at a random place, after `padding` zeros were put at each edge.

    Args:
        size: (height, width), or one number for both.
        padding: how many at every edge, or (left and right, top and bottom).

    Raises:
        ShapeError: the padded image is smaller.
    """

    def __init__(
        self, size: int | Sequence[int], padding: int | Sequence[int] | None = None
    ) -> None:
        self.size = _pair(size)
        self.padding = _pair(padding or 0)

    def __call__(self, img: Any) -> Any:
        if self.padding != (0, 0):
            img = _pad(img, *self.padding)
        rows, columns = _room(img, self.size, "RandomCrop")
        places = (rows + 1) * (columns + 1)  # one draw of one place costs half of two
        top, left = divmod(int(randint(0, places, (1,), device="cpu").item()), columns + 1)
        return _crop(img, top, left, self.size)


class RandomHorizontalFlip:
    """The image, or with probability `p` its mirror image."""

    def __init__(self, p: float = 0.5) -> None:
        self.p = p

    def __call__(self, img: Any) -> Any:
        if float(rand(1, device="cpu").item()) >= self.p:
            return img
        return img.flip(-1) if isinstance(img, Tensor) else np.asarray(img)[:, ::-1]


def _pair(size: int | Sequence[int]) -> tuple[int, int]:
    return (size, size) if isinstance(size, int) else (size[0], size[1])


def _room(img: Any, size: tuple[int, int], name: str) -> tuple[int, int]:
    """How many rows and columns the image has beyond `size`."""
    shape = img.shape if isinstance(img, Tensor) else np.asarray(img).shape
    height, width = shape[-2:] if isinstance(img, Tensor) else shape[:2]
    if height < size[0] or width < size[1]:
        raise ShapeError(
            f"{name}: expected an image of at least {size[0]} x {size[1]}, got {height} x {width}"
        )
    return height - size[0], width - size[1]


def _crop(img: Any, top: int, left: int, size: tuple[int, int]) -> Any:
    rows, columns = slice(top, top + size[0]), slice(left, left + size[1])
    return img[..., rows, columns] if isinstance(img, Tensor) else np.asarray(img)[rows, columns]


def _pad(img: Any, across: int, down: int) -> Any:
    if isinstance(img, Tensor):
        height, width = img.shape[-2:]
        wide = img.new_zeros((*img.shape[:-2], height + 2 * down, width + 2 * across))
        wide[..., down : down + height, across : across + width] = img
        return wide
    array = np.asarray(img)
    height, width = array.shape[:2]
    # Ten times as quick as NumPy's `pad` on small images.
    framed = np.zeros((height + 2 * down, width + 2 * across, *array.shape[2:]), array.dtype)
    framed[down : down + height, across : across + width] = array
    return framed
