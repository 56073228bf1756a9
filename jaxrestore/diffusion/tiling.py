"""Images larger than the prior: a prior of any size whose network looks at overlapping tiles of the prior's own.

What it predicts for a pixel is the weighted mean of what it predicts in every tile that holds it, at each step of an unroll
(as in MultiDiffusion, Bar-Tal et al. 2023), so that tiles agree while the image forms and no seam is left to hide. All else
sees one image: one noise, one operator, one kernel for the whole photograph.
"""

from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxrestore.diffusion.prior import Prior
from jaxrestore.errors import InputError


def tiled(prior: Prior, height: int, width: int, overlap: int | None = None, at_once: int = 16) -> Prior:
    """The prior over images ``[height, width, c]``, of at least its own size. Any method, operator and function takes it.

    `overlap`: the least number of pixels that neighbours share; default: a quarter of the shorter side. `at_once`: how many
    tiles the network evaluates together; memory grows with it. Cost: an evaluation for each of `len(corners(...))` tiles.
    InputError for an image that is smaller, or an overlap that is no part of a tile.

    >>> import jax.numpy as jnp, jaxrestore as jr
    >>> jr.tiled(jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.5), 16, 20).shape
    (16, 20, 3)
    """
    if prior.latent is not None:
        raise InputError(f"The prior {prior.name!r} is one of latents: it can't be tiled.")
    h, w, c = prior.shape
    overlap = min(h, w) // 4 if overlap is None else overlap
    if height < h or width < w:
        raise InputError(
            f"An image of {height} x {width} is smaller than the prior's {h} x {w}: there is nothing to tile."
        )
    if not 0 <= overlap < min(h, w) or at_once < 1:
        raise InputError(f"overlap must lie between 0 and {min(h, w) - 1}, and at_once be at least 1.")
    if (height, width) == (h, w):
        return prior
    network = _Tiled(prior.network, (h, w), (height, width), overlap, at_once)
    return replace(prior, network=network, shape=(height, width, c))


def starts(side: int, tile: int, overlap: int) -> list[int]:
    """Where tiles begin along a side: evenly, the first at 0, the last at the end, sharing at least `overlap`."""
    count = 1 if side <= tile else 1 + -(-(side - tile) // (tile - overlap))
    return np.round(np.linspace(0, side - tile, count)).astype(int).tolist()


def corners(size: tuple[int, int], tile: tuple[int, int], overlap: int) -> list[tuple[int, int]]:
    """The upper left pixel of each tile, row by row."""
    rows, columns = (starts(side, part, overlap) for side, part in zip(size, tile, strict=True))
    return [(row, column) for row in rows for column in columns]


def cut(image: Float[Array, "*b h w c"], tile: tuple[int, int], overlap: int) -> Float[Array, "n *b th tw c"]:
    """The tiles of an image, or of a batch."""
    places = corners((image.shape[-3], image.shape[-2]), tile, overlap)
    return jnp.stack([image[..., i : i + tile[0], j : j + tile[1], :] for i, j in places])


def blend(tiles: Float[Array, "n *b th tw c"], size: tuple[int, int], overlap: int) -> Float[Array, "*b h w c"]:
    """The image of which `cut` gives such tiles; where they differ their mean, each weighing most in its middle."""
    tile = (tiles.shape[-3], tiles.shape[-2])
    ramps = [np.minimum(np.arange(1, side + 1), np.arange(side, 0, -1)) for side in tile]
    weight = np.outer(*ramps).astype(np.float32)[..., None]
    total = np.zeros((*size, 1), np.float32)
    image = jnp.zeros((*tiles.shape[1:-3], *size, tiles.shape[-1]), tiles.dtype)
    for part, (i, j) in zip(tiles, corners(size, tile, overlap), strict=True):
        image = image.at[..., i : i + tile[0], j : j + tile[1], :].add(weight * part)
        total[i : i + tile[0], j : j + tile[1]] += weight
    return image / total


@dataclass(frozen=True)
class _Tiled:
    """The network over the tiles of a larger image; static, as every network is."""

    network: Any
    tile: tuple[int, int]
    size: tuple[int, int]
    overlap: int
    at_once: int

    def __call__(self, parameters: Any, x: Any, t: Any, label: Any = None, key: Any = None) -> Any:
        b = x.shape[0]
        tiles = cut(x, self.tile, self.overlap)
        number = len(tiles)

        def of_each(value: Any) -> Any:
            """``[]`` or ``[b]`` for every tile."""
            return None if value is None else jnp.tile(jnp.broadcast_to(value, (b,)), number)

        flat = tiles.reshape(number * b, *tiles.shape[2:])
        arguments = (flat, of_each(t), of_each(label))

        def evaluate(one: Any) -> Any:
            return self.network(parameters, *jax.tree.map(lambda leaf: leaf[None], one), key)[0]

        if number * b <= self.at_once:
            output = self.network(parameters, *arguments, key)
        else:
            output = jax.lax.map(evaluate, arguments, batch_size=self.at_once)
        return blend(output.reshape(number, b, *output.shape[1:]), self.size, self.overlap)
