"""Images in and out: files to float32 ``[h, w, 3]`` in [-1, 1] and back. Pillow waits until a file is opened."""

import io
import math
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Array, Float, UInt8

from jaxrestore._files import write_aside
from jaxrestore.errors import ImageError

if TYPE_CHECKING:
    import PIL.Image

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM", "GIF")
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".gif")
MAX_PIXELS = 100_000_000  # beyond any photograph that a prior could take: a decompression bomb

PHOTOGRAPH = Path(__file__).parent.parent / "data" / "flower.jpg"  # the one that comes with the package

Fit = Literal["exact", "resize", "crop", "tile"]


@runtime_checkable
class Shaped(Protocol):
    """A prior, say, or an array ``[h, w, c]``."""

    @property
    def shape(self) -> tuple[int, ...]: ...


def read_image(
    path: str | Path, prior_or_size: Shaped | tuple[int, int] | None = None, fit: Fit = "exact"
) -> Float[np.ndarray, "h w 3"]:
    """An image file as float32 ``[h, w, 3]`` in [-1, 1], of the size of a prior's images or of `(height, width)`.

    EXIF orientation is applied, transparency laid over white, 16-bit grey, palette, grey and CMYK converted. A file of
    another size: "exact" refuses, "resize" resizes (Lanczos, the aspect ratio may change), "crop" cuts the largest centred
    part of that aspect ratio and resizes it, "tile" cuts off what is over, to the right and below. ImageError says in a
    sentence why a file can't be used. Without a second argument it keeps its own size.

    >>> import jaxrestore as jr
    >>> jr.read_image(PHOTOGRAPH, (16, 24), fit="crop").shape
    (16, 24, 3)
    """
    image = _rgb(open_image(path), path)
    if prior_or_size is None:
        return _from_uint8(image)
    height, width = (prior_or_size.shape if isinstance(prior_or_size, Shaped) else prior_or_size)[:2]
    if image.size == (width, height):
        return _from_uint8(image)
    if fit == "exact":
        raise ImageError(
            f"{path} is {image.height} x {image.width} pixels where {height} x {width} are needed: "
            "pass --fit crop or --fit resize, or give an image of that size."
        )
    if fit == "tile":
        if image.width < width or image.height < height:
            raise ImageError(f"{path} is {image.height} x {image.width} pixels, smaller than {height} x {width}.")
        return _from_uint8(image.crop((0, 0, width, height)))
    from PIL import Image, ImageOps

    resampling = Image.Resampling.LANCZOS
    fitted = (
        ImageOps.fit(image, (width, height), resampling) if fit == "crop" else image.resize((width, height), resampling)
    )
    return _from_uint8(fitted)


def open_image(path: str | Path) -> "PIL.Image.Image":
    """The decoded, upright Pillow image of a file in one of `FORMATS`, of at most `MAX_PIXELS`; or ImageError."""
    path = Path(path)
    if not path.is_file():
        raise ImageError(f"There is no file {path}.")
    return _decoded(path, path)


def decode(stream: io.BytesIO, name: str, side: int) -> "PIL.Image.Image":
    """The RGB image in a stream, of which the shorter side may be reduced while a JPEG is decoded, but not below `side`.

    `name` is what ImageError calls it.
    """
    return _rgb(_decoded(stream, name, side), name)


def _decoded(file: Path | io.BytesIO, name: str | Path, side: int | None = None) -> "PIL.Image.Image":
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is an error
            image = Image.open(file, formats=FORMATS)
        if image.width * image.height > MAX_PIXELS:
            raise ImageError(f"{name} claims {image.width} x {image.height} pixels, more than {MAX_PIXELS} in all.")
        if side is not None:
            image.draft(None, (side, side))
        image.load()
        return ImageOps.exif_transpose(image)
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} is not an image of a known format ({', '.join(FORMATS)}).") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{name} claims more pixels than any photograph has: it is not read.") from error
    except ImageError:
        raise
    except Exception as error:  # a damaged file may raise anything
        raise ImageError(f"{name} is damaged or truncated: {error}.") from error


def _rgb(image: "PIL.Image.Image", path: str | Path) -> "PIL.Image.Image":
    from PIL import Image

    if image.mode in ("I;16", "I;16L", "I;16B", "I;16N", "I"):  # 16 bits of grey, in one of Pillow's guises
        return Image.fromarray(_levels(np.asarray(image, np.float64) / 65535, path)).convert("RGB")
    if image.mode == "F":
        return Image.fromarray(_levels(np.asarray(image, np.float64), path)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image.convert("RGB")


def _levels(values: np.ndarray, path: str | Path) -> np.ndarray:
    if not np.all(np.isfinite(values)):
        raise ImageError(f"{path} holds values that are not finite (NaN or infinite).")
    if values.min() < 0 or values.max() > 1:
        raise ImageError(f"{path} holds values outside its range ({values.min():g} to {values.max():g}).")
    return np.round(255 * values).astype(np.uint8)


def to_uint8(image: np.ndarray | Array) -> UInt8[np.ndarray, "*s"]:
    """[-1, 1] to 0..255, clipped and rounded."""
    return np.clip(np.round((np.asarray(image, np.float32) + 1) * 127.5), 0, 255).astype(np.uint8)


def as_stored(image: np.ndarray | Array) -> Float[np.ndarray, "*s"]:
    """The image as a file holds it: clipped and rounded to 256 levels, in [-1, 1] again."""
    return to_uint8(image).astype(np.float32) / 127.5 - 1


def _from_uint8(image: "PIL.Image.Image") -> Float[np.ndarray, "h w 3"]:
    return np.asarray(image, np.float32) / 127.5 - 1


def jpeg(image: np.ndarray, quality: int = 8) -> Float[np.ndarray, "h w 3"]:
    """``[h, w, 3]`` in [-1, 1] after a real codec, Pillow's, with colours at half resolution: for simulating. Not for jit."""
    from PIL import Image

    stream = io.BytesIO()
    Image.fromarray(to_uint8(image)).save(stream, "JPEG", quality=quality)
    return _from_uint8(Image.open(stream).convert("RGB"))


def resized(image: np.ndarray, size: tuple[int, int]) -> Float[np.ndarray, "h w 3"]:
    """``[h, w, 3]`` in [-1, 1] at another (height, width), bilinear, in 256 levels."""
    from PIL import Image

    return _from_uint8(Image.fromarray(to_uint8(image)).resize((size[1], size[0]), Image.Resampling.BILINEAR))


def write_image(path: str | Path, image: np.ndarray | Array) -> None:
    """Write ``[h, w, 3]`` or ``[h, w, 1]`` in [-1, 1], or bytes ``[h, w]``, as PNG: aside first, then renamed.

    Values beyond [-1, 1] are clipped, as a file can't hold them. Folders are made. InputError where it can't be written.

    >>> import tempfile, numpy as np, jaxrestore as jr
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     jr.write_image(f"{folder}/grey.png", np.zeros((4, 6, 3)))
    ...     jr.read_image(f"{folder}/grey.png").shape
    (4, 6, 3)
    """
    from PIL import Image

    pixels = np.asarray(image) if image.dtype == np.uint8 else to_uint8(image)
    pixels = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[-1] == 1 else pixels
    write_aside(path, lambda aside: Image.fromarray(pixels).save(aside, format="PNG"))


def strip(images: list[np.ndarray], gap: int = 2) -> Float[np.ndarray, "h w 3"]:
    """Images side by side on white, each enlarged to the tallest by whole-pixel repetition, ``[h, w, 3]`` in [-1, 1]."""
    height = max(image.shape[0] for image in images)
    parts = []
    for image in images:
        enlarged = enlarge(image, height // image.shape[0])
        below = height - enlarged.shape[0]
        parts += [np.pad(enlarged, ((0, below), (0, gap), (0, 0)), constant_values=1.0)]
    return np.concatenate(parts, axis=1)[:, :-gap]


def sheet(images: Float[np.ndarray, "n h w c"]) -> Float[np.ndarray, "rows columns c"]:
    """Images as one, in rows of about as many, small ones enlarged."""
    number, *shape = images.shape
    columns = math.ceil(math.sqrt(number))
    blank = np.ones((columns * math.ceil(number / columns) - number, *shape), np.float32)
    rows = np.concatenate([images, blank]).reshape(-1, columns, *shape)
    joined = np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)
    return enlarge(joined, max(1, 128 // shape[0]))


def enlarge(image: np.ndarray, factor: int) -> np.ndarray:
    """Each pixel repeated `factor` times both ways: a small image made visible."""
    return image.repeat(factor, axis=0).repeat(factor, axis=1)


def list_images(folder: str | Path) -> list[Path]:
    """The image files of a folder, by suffix, sorted by name; ImageError if there is none."""
    files = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    if not files:
        raise ImageError(f"{folder} holds no image file ({', '.join(SUFFIXES)}).")
    return files
