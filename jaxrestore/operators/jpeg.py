"""The JPEG codec with a continuous quality: forward as libjpeg's, with derivatives in the image and in the quality.

Colour transform, chroma at half resolution (4:2:0), DCT of 8 x 8 blocks, quantisation, and back. Tables and the meaning of
the quality are those of ITU-T T.81, annex K, and libjpeg, which Pillow and nearly all else write with.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxrestore._dct import block_dct, inverse_block_dct
from jaxrestore._promotion import against
from jaxrestore._pytree import assign, register, replaced
from jaxrestore.errors import InputError
from jaxrestore.operators.borders import Frame
from jaxrestore.operators.checks import Number, check_word, holds
from jaxrestore.operators.contract import Step
from jaxrestore.operators.unknown import Unknown, unknown_fields

BLOCK = 8
SHARE = 0.5  # of a quantisation step, in which a coefficient is looked for: nearer to the middle than it need be
Found = Literal["measurement", "gradient"]
_LUMA = """16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56 14 17 22 29 51 87 80 62
18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92 49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"""
LUMA_TABLE = np.array(_LUMA.split(), np.float32).reshape(BLOCK, BLOCK)
CHROMA_TABLE = np.full((BLOCK, BLOCK), 99, np.float32)
CHROMA_TABLE[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
TO_YCC = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)


def rounded(values: Array) -> Array:
    """To the nearest whole number, halves away from zero as libjpeg has them, with the derivative of the identity
    (straight-through): the true one is zero everywhere.

    >>> rounded(jnp.array([0.4, 0.5, -0.5])).tolist(), float(jax.grad(rounded)(0.4))
    ([0.0, 1.0, -1.0], 1.0)
    """
    nearest = jnp.sign(values) * jnp.floor(jnp.abs(values) + 0.5001)
    return values + jax.lax.stop_gradient(nearest - values)


@register
@dataclass(frozen=True, init=False)
class Jpeg:
    """H(image) = the image after the codec, for ``[*b, h, w, 3]``, or ``[*b, h, w, 1]`` without colours: on photographs
    within 1.5 grey levels of Pillow's on average (white noise, whose colours leave the gamut, up to 4.5).

    `quality` lies between 1 and 99, as programs ask for it (InputError otherwise); it needn't be whole. An `unknown` one is
    where the estimate starts. It is found `by` its derivative ("gradient"), or read off the "measurement" before a search
    (`begin`) and then constant: descents run away to high qualities, through which every y explains itself.

    The field `log_scale` ``[]`` is the logarithm of what multiplies the quantisation tables, so that a step of any optimiser
    leaves it positive and means the same at every quality. The forward pass rounds where the codec does; derivatives pass
    straight through the rounding, so that of a coefficient in the size of its step is its rounding error (as in learned step
    size quantisation, Esser et al. 2020).

    >>> round(float(Jpeg(30).quality))
    30
    """

    log_scale: Float[Array, ""]
    by: Found = field(metadata={"static": True})
    unknown: tuple[str, ...] = field(metadata={"static": True})
    kind = "jpeg"

    def __init__(self, quality: Number, unknown: Unknown = False, by: Found = "measurement") -> None:
        check_word("way to find a quality", by, Found)
        if not holds(lambda value: (value >= 1) & (value <= 99), quality):
            raise InputError(f"A JPEG quality must lie between 1 and 99, not be {quality}.")
        fields = unknown_fields(type(self), unknown, ("log_scale",))
        assign(self, log_scale=jnp.log(_scale(jnp.asarray(quality, jnp.float32))), by=by, unknown=fields)

    @property
    def quality(self) -> Float[Array, "*b"]:
        """From the scale; within 0 to 100."""
        scale = jnp.exp(self.log_scale)
        return jnp.where(scale > 1, 50 / scale, 100 - 50 * scale)

    def begin(self, y: Float[Array, "h w c"]) -> "Jpeg":
        """With an unknown quality read off what the codec made: whole ones are tried, 1 to 99, and of each it is asked how
        near the coefficients of brightness, where they aren't 0, lie to multiples of the steps.
        """
        if not self.unknown or self.by == "gradient":
            return self
        levels = (y + 1) * 127.5
        luma = levels if y.shape[-1] == 1 else levels @ TO_YCC[:1].T.astype(y.dtype)
        coefficients = _spectrum(luma - 128)

        def evidence(quality: Array) -> Array:
            multiples = coefficients / against(_steps(LUMA_TABLE, _scale(quality)), coefficients)
            telling = jnp.abs(multiples) > 0.5
            error = 12 * (multiples - jnp.round(multiples)) ** 2 - 1  # of any other image of mean 0 and variance 0.8
            return -jnp.sum(jnp.where(telling, error, 0)) / jnp.sqrt(1 + 0.8 * jnp.sum(telling, dtype=jnp.float32))

        qualities = jnp.arange(1, 100, dtype=jnp.float32)
        best = qualities[jnp.argmax(jax.lax.map(evidence, qualities))]
        return replaced(self, log_scale=jnp.log(_scale(best)))

    def __call__(self, image: Float[Array, "*b h w c"]) -> Float[Array, "*b h w c"]:
        levels = (image + 1) * 127.5
        if image.shape[-1] == 1:
            return jnp.clip(self._coded(levels - 128, LUMA_TABLE) + 128, 0, 255) / 127.5 - 1
        h, w = image.shape[-3:-1]
        ycc = rounded(levels @ TO_YCC.T.astype(image.dtype)) - against(np.array([128, 0, 0]), image)
        half = rounded(_half(ycc[..., 1:]))
        small = self._coded(half, CHROMA_TABLE)
        chroma = jax.image.resize(small, (*small.shape[:-3], 2 * small.shape[-3], 2 * small.shape[-2], 2), "linear")
        coded = jnp.concatenate([self._coded(ycc[..., :1], LUMA_TABLE) + 128, chroma[..., :h, :w, :]], -1)
        return jnp.clip(coded @ np.linalg.inv(TO_YCC).T.astype(image.dtype), 0, 255) / 127.5 - 1

    def proximal(self, point: Float[Array, "h w c"], y: Float[Array, "h w c"], weight: Any = 0.0) -> Array:
        """The image nearest to a point among those whose coefficients lie within `SHARE` of a step about those that the codec
        wrote of y. `weight` is idle: what was quantised is bounded, and not noisy."""
        step = jnp.exp(jax.lax.stop_gradient(self.log_scale))

        def moved(plane: Array, coded: Array, table: np.ndarray) -> Array:
            (h, w), steps = plane.shape[-3:-1], _steps(table, step)
            centre = steps * rounded(_spectrum(coded) / steps)
            within = jnp.clip(_spectrum(plane), centre - SHARE / 2 * steps, centre + SHARE / 2 * steps)
            return inverse_block_dct(within)[..., :h, :w, :] - plane

        levels, coded = ((image + 1) * 127.5 for image in (point, y))
        if point.shape[-1] == 1:
            return point + moved(levels - 128, coded - 128, LUMA_TABLE) / 127.5
        levels, coded = (image @ TO_YCC.T - np.array([128, 0, 0], np.float32) for image in (levels, coded))
        luma = moved(levels[..., :1], coded[..., :1], LUMA_TABLE)
        half = moved(_half(levels[..., 1:]), _half(coded[..., 1:]), CHROMA_TABLE)
        chroma = jnp.repeat(jnp.repeat(half, 2, axis=-3), 2, axis=-2)[..., : point.shape[-3], : point.shape[-2], :]
        return point + jnp.concatenate([luma, chroma], axis=-1) @ np.linalg.inv(TO_YCC).T.astype(np.float32) / 127.5

    def framed(self, frame: Frame) -> Frame:
        """Wider by a block of chroma, wherever the sides end, and the pixel from which it is enlarged beside it."""
        return (frame[0] + 2 * BLOCK, frame[1] + 2 * BLOCK) if any(frame) else frame

    def describe(self) -> Step:
        """As a step of chains.py."""
        return {"operator": "jpeg", "quality": round(float(self.quality), 4)}

    def _coded(self, plane: Float[Array, "*b h w c"], table: np.ndarray) -> Float[Array, "*b h w c"]:
        """Quantised in the DCT of its blocks."""
        h, w = plane.shape[-3:-1]
        scale = jnp.exp(self.log_scale if self.by == "gradient" else jax.lax.stop_gradient(self.log_scale))
        coefficients = _spectrum(plane)
        step = against(_steps(table, scale), coefficients)
        return inverse_block_dct(step * rounded(coefficients / step))[..., :h, :w, :]


def _scale(quality: Array) -> Array:
    """What multiplies the tables at a quality."""
    return jnp.where(quality < 50, 50 / quality, 2 - quality / 50)


def _steps(table: np.ndarray, scale: Array) -> Float[Array, "8 1 8 1"]:
    """The quantisation steps, whole numbers."""
    return jnp.clip(rounded(jnp.asarray(table, jnp.float32) * scale), 1, 255)[:, None, :, None]


def _spectrum(plane: Float[Array, "*b h w c"]) -> Float[Array, "*b y 8 x 8 c"]:
    """The DCT of each block; the last ones are filled up by repeating the border."""
    *batch, h, w, _ = plane.shape
    margins = [(0, 0)] * len(batch) + [(0, -h % BLOCK), (0, -w % BLOCK), (0, 0)]
    return block_dct(jnp.pad(plane, margins, mode="edge"), BLOCK)


def _half(planes: Float[Array, "*b h w c"]) -> Float[Array, "*b h2 w2 c"]:
    """Means of 2 x 2 pixels, the last row and column repeated where there is an odd number."""
    *batch, h, w, c = planes.shape
    padded = jnp.pad(planes, [(0, 0)] * len(batch) + [(0, h % 2), (0, w % 2), (0, 0)], mode="edge")
    return padded.reshape(*batch, (h + 1) // 2, 2, (w + 1) // 2, 2, c).mean((-4, -2))
