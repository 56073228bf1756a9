"""Colours: from a file's own space to sRGB, in which all is computed, and back."""

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from jaxrestore.errors import ImageError, InputWarning

if TYPE_CHECKING:
    import PIL.Image

MODES = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK", "Lab": "LAB"}  # of Pillow, by the space that a profile says
DEEP_GREY = ("I;16", "I;16L", "I;16B", "I;16N", "I")  # 16 bits, in one of Pillow's guises


def rgb(image: "PIL.Image.Image", name: str | Path) -> "PIL.Image.Image":
    """An image of any mode as RGB in sRGB, by its colour profile where it has one, transparency laid over white."""
    from PIL import Image

    if image.mode in DEEP_GREY:
        return Image.fromarray(_levels(np.asarray(image, np.float64) / 65535, name)).convert("RGB")
    if image.mode == "F":
        return Image.fromarray(_levels(np.asarray(image, np.float64), name)).convert("RGB")
    colours = _srgb(image, name)
    if not image.has_transparency_data:
        return colours
    colours.putalpha(image.convert("RGBA").getchannel("A"))
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), colours).convert("RGB")


def own_profile(image: "PIL.Image.Image") -> bytes | None:
    """The image's profile, if an RGB image can be converted to it from sRGB; else None."""
    from PIL import ImageCms

    data = image.info.get("icc_profile")
    try:
        if not data:
            return None
        profile = ImageCms.getOpenProfile(io.BytesIO(data))
        if _mode(profile) != "RGB":
            return None
        _transform(ImageCms.createProfile("sRGB"), profile, "RGB", "RGB")
    except (ImageCms.PyCMSError, OSError):
        return None
    return data


def in_profile(image: "PIL.Image.Image", data: bytes) -> "PIL.Image.Image":
    """An RGB image in sRGB with its colours as a profile of `own_profile` says them."""
    from PIL import ImageCms

    profile, srgb = ImageCms.getOpenProfile(io.BytesIO(data)), ImageCms.createProfile("sRGB")
    if _is_srgb(profile):
        return image
    return _applied(_transform(srgb, profile, "RGB", "RGB"), image)


def _srgb(image: "PIL.Image.Image", name: str | Path) -> "PIL.Image.Image":
    """The colours alone, as RGB."""
    from PIL import ImageCms

    data = image.info.get("icc_profile")
    kept = {"LA": "L", "1": "L", "L": "L", "CMYK": "CMYK", "LAB": "LAB"}.get(image.mode, "RGB")
    if image.mode in ("PA", "RGBa"):  # which Pillow makes no RGB of
        image = image.convert("RGBA")
    colours = image if image.mode == kept else image.convert(kept)
    try:
        if data:
            profile = ImageCms.getOpenProfile(io.BytesIO(data))
            mode = _mode(profile)
            if mode == "RGB" and kept == "L":  # grey pixels of a colour space
                colours = colours.convert("RGB")
            if mode == colours.mode and not (mode == "RGB" and _is_srgb(profile)):
                return _applied(_transform(profile, ImageCms.createProfile("sRGB"), colours.mode, "RGB"), colours)
        elif kept == "LAB":
            lab = ImageCms.createProfile("LAB")
            return _applied(_transform(lab, ImageCms.createProfile("sRGB"), "LAB", "RGB"), colours)
    except (ImageCms.PyCMSError, OSError) as error:
        sentence = f"{name} has a colour profile that can't be used ({error}): its colours are taken as sRGB."
        warnings.warn(sentence, InputWarning, stacklevel=4)
    if colours.mode == "LAB":
        raise ImageError(f"{name} is in Lab colours, and their profile can't be used: save it as RGB.")
    return colours.convert("RGB")


def _mode(profile: Any) -> str | None:
    """Of the pixels that a profile is for, in Pillow's words."""
    return MODES.get(profile.profile.xcolor_space.strip())


def _transform(source: Any, target: Any, before: str, after: str) -> Any:
    from PIL import ImageCms

    return ImageCms.buildTransform(
        source,
        target,
        before,
        after,
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )


def _applied(transform: Any, image: "PIL.Image.Image") -> "PIL.Image.Image":
    from PIL import ImageCms

    applied = ImageCms.applyTransform(image, transform)
    assert applied is not None  # it isn't done in place
    applied.info.pop("icc_profile", None)
    return applied


def _is_srgb(profile: Any) -> bool:
    """Whether it is sRGB under whatever name: no colour of a lattice moves by more than a level."""
    from PIL import Image, ImageCms

    levels = np.linspace(0, 255, 9).astype(np.uint8)
    lattice = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
    moved = _applied(_transform(profile, ImageCms.createProfile("sRGB"), "RGB", "RGB"), Image.fromarray(lattice))
    return int(np.abs(np.asarray(moved, int) - lattice).max()) <= 1


def _levels(values: np.ndarray, name: str | Path) -> np.ndarray:
    if not np.all(np.isfinite(values)):
        raise ImageError(f"{name} holds values that are not finite (NaN or infinite).")
    if values.min() < 0 or values.max() > 1:
        raise ImageError(f"{name} holds values outside its range ({values.min():g} to {values.max():g}).")
    return np.round(255 * values).astype(np.uint8)
