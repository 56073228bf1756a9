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

from jaxrestore._promotion import against
from jaxrestore.diffusion.prior import Prior
from jaxrestore.errors import InputError


def tiled(prior: Prior, height: int, width: int, overlap: int | None = None, at_once: int = 16) -> Prior:
    """The prior over images ``[height, width, c]``, of at least its own size. Any method, operator and function takes it.

    `overlap`: the least number of pixels that neighbours share; default: a quarter of the shorter side. `at_once`: how many
    tiles the network evaluates together. Cost: an evaluation for each of `len(corners(...))` tiles, with ``gradient="full"``
    three and a derivative. Memory: the network's for `at_once` tiles (under vmap: of each image), and a few images.
    The program, and the time to compile it, don't grow with the image. InputError for an image that is smaller, or an overlap
    that is no part of a tile.

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


def tiles_of(prior: Prior) -> int:
    """In how many tiles an image of the prior is evaluated; 1 for one that is not `tiled`.

    >>> import jax.numpy as jnp, jaxrestore as jr
    >>> tiles_of(jr.tiled(jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.5), 16, 20))
    9
    """
    network = prior.network
    return len(corners(network.size, network.tile, network.overlap)) if isinstance(network, _Tiled) else 1


def of_a_tile(prior: Prior, image: Float[Array, "h w c"]) -> tuple[Prior, Float[Array, "th tw c"]]:
    """The prior of the tiles, and an image's part in the middle that is as large; both as they are if it isn't `tiled`."""
    network = prior.network
    if not isinstance(network, _Tiled):
        return prior, image
    (h, w), c = network.tile, prior.shape[2]
    i, j = (prior.shape[0] - h) // 2, (prior.shape[1] - w) // 2
    return replace(prior, network=network.network, shape=(h, w, c)), image[i : i + h, j : j + w]


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
    *batch, h, w, c = image.shape
    places = [(*(0 for _ in batch), i, j, 0) for i, j in corners((h, w), tile, overlap)]
    return _parts(image, jnp.asarray(places), (*batch, *tile, c))


def blend(tiles: Float[Array, "n *b th tw c"], size: tuple[int, int], overlap: int) -> Float[Array, "*b h w c"]:
    """The image of which `cut` gives such tiles; where they differ their mean, each weighing most in its middle."""
    (*batch, th, tw, c), (h, w) = tiles.shape[1:], size
    rows, columns = (np.minimum(np.arange(1, side + 1), np.arange(side, 0, -1)) for side in (th, tw))
    weight = np.outer(rows, columns).astype(np.float32)[..., None]
    # the weights that meet in a pixel: tiles are a grid, so that each side has its own factor
    down, across = (_met(side, ramp, overlap) for side, ramp in ((h, rows), (w, columns)))

    def add(image: Array, tile_at: tuple[Array, Array]) -> tuple[Array, None]:
        tile, (i, j) = tile_at
        place = (*(0 for _ in batch), i, j, 0)
        here = jax.lax.dynamic_slice(image, place, tile.shape)
        return jax.lax.dynamic_update_slice(image, here + against(weight, here) * tile.astype(here.dtype), place), None

    empty = jnp.zeros((*batch, h, w, c), jnp.promote_types(tiles.dtype, jnp.float32))
    # one after the other, so that the sum is the same in every run, on any device
    total = jax.lax.scan(add, empty, (tiles, jnp.asarray(corners(size, (th, tw), overlap))))[0]
    return total / against(down[:, None, None], total) / against(across[:, None], total)


def _met(side: int, ramp: np.ndarray, overlap: int) -> np.ndarray:
    """The sum of the tiles' ramps at each pixel along a side."""
    total = np.zeros(side, np.float32)
    for start in starts(side, len(ramp), overlap):
        total[start : start + len(ramp)] += ramp
    return total


def _parts(x: Array, places: Array, shape: tuple[int, ...]) -> Array:
    """The parts of x of that shape that begin at each of the places ``[n, axes]``: one gather, however many."""
    return jax.vmap(lambda place: jax.lax.dynamic_slice(x, place, shape))(places)


@dataclass(frozen=True)
class _Tiled:
    """The network over the tiles of a larger image; static, as every network is."""

    network: Any
    tile: tuple[int, int]
    size: tuple[int, int]
    overlap: int
    at_once: int

    def __call__(self, parameters: Any, x: Any, t: Any, label: Any = None, key: Any = None) -> Any:
        b, c = x.shape[0], x.shape[-1]
        places = [(image, i, j, 0) for i, j in corners(self.size, self.tile, self.overlap) for image in range(b)]
        groups = -(-len(places) // self.at_once)
        # groups of one size, so that the program holds the network once: the last ends with repetitions
        order = np.minimum(np.arange(groups * -(-len(places) // groups)), len(places) - 1).reshape(groups, -1)

        def predict(group: Array) -> Array:
            def of_each(value: Any) -> Any:
                """``[]`` or ``[b]`` for every tile."""
                return None if value is None else jnp.broadcast_to(value, (b,))[group[:, 0]]

            tiles = _parts(x, group, (1, *self.tile, c))[:, 0]
            return self.network(parameters, tiles, of_each(t), of_each(label), key)

        # on the way back of an exact gradient a group is evaluated again, or all activations would be kept
        output = jax.lax.map(jax.checkpoint(predict, prevent_cse=False), jnp.asarray(np.asarray(places)[order]))
        tiles = output.reshape(-1, *output.shape[2:])[: len(places)]
        return blend(tiles.reshape(-1, b, *tiles.shape[1:]), self.size, self.overlap)
