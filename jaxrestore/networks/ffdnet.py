"""FFDNet for colour images (Zhang, Zuo & Zhang 2018), and above the noise it was trained on the exact denoiser of a Gaussian
with the power spectrum of photographs: together they predict a clean image of any size at every time of a schedule.

FFDNet sees the image at half its size in four channels a colour, and the deviation of its noise as one more: convolutions of
3 x 3 pixels with ReLU between them. A pixel depends on those within `Photographs.reach` of it alone: larger images are
computed in tiles, and the numbers are the same. The Gaussian's covariance is diagonal in the cosine transform of three
orthonormal colours: its denoiser scales coefficients.
"""

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxrestore.networks.channels_last import convolution

COLOURS = np.array([[1, 1, 1], [1, 0, -1], [1, -2, 1]]) / np.sqrt([[3], [2], [6]])  # orthonormal: luma and two chromas


@dataclass(frozen=True)
class Photographs:
    """A network ``(parameters, x, t) -> x0`` over images ``[b, h, w, 3]`` of any size, in [-1, 1].

    `layers` convolutions of `width` channels up to a noise of deviation `highest` (units of [-1, 1]); `levels`: times of the
    schedule. Images of more pixels than a square of side `tile` are computed in such tiles. `image_size` is that of a
    prior which was told none (`jaxrestore.sized`).

    >>> import jax, jax.numpy as jnp
    >>> network = Photographs(image_size=8, width=4, layers=2, levels=10)
    >>> network(network.init(jax.random.key(0)), jnp.zeros((1, 9, 12, 3)), 2).shape
    (1, 9, 12, 3)
    """

    image_size: int = 256
    channels: int = 3
    out_channels: int = 3
    width: int = 96
    layers: int = 12
    levels: int = 1000
    highest: float = 150 / 255
    tile: int = 512
    dtype: str = "float32"
    precision: str | None = None

    any_size = True
    stride = 1

    @property
    def reach(self) -> int:
        """How many pixels away a pixel may lie that has a part in another; FFDNet's, not the Gaussian's."""
        return 2 * self.layers + 1

    def shapes(self) -> dict:
        """The nested dict of ShapeDtypeStructs that `parameters` must match."""
        struct = partial(jax.ShapeDtypeStruct, dtype=jnp.float32)
        widths = [4 * self.channels + 1, *[self.width] * (self.layers - 1), 4 * self.channels]
        network = {
            str(number): {"kernel": struct((3, 3, given, made)), "bias": struct((made,))}
            for number, (given, made) in enumerate(pairwise(widths))
        }
        spectrum = {name: struct((3,)) for name in ("mean", "power", "exponent", "corner")}
        return {"network": network, "spectrum": spectrum, "sigmas": struct((self.levels,))}

    def init(self, key: Array) -> dict:
        """Fresh parameters: kernels normal with variance 2 / fan-in, biases zero, white spectra, levels of the range."""
        parameters = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape), self.shapes())
        for number, layer in parameters["network"].items():
            kernel = layer["kernel"]
            drawn = jax.random.normal(jax.random.fold_in(key, int(number)), kernel.shape)
            layer["kernel"] = drawn * (2 / kernel[..., 0].size) ** 0.5
        parameters["spectrum"] |= {"power": jnp.full(3, 0.1), "corner": jnp.ones(3)}
        return parameters | {"sigmas": jnp.geomspace(0.01, 100.0, self.levels)}

    @partial(jax.jit, static_argnums=0)
    def __call__(self, parameters, x: Float[Array, "b h w 3"], t: Any, label=None, key=None) -> Float[Array, "b h w 3"]:
        """The image predicted from x at times `t`, ``[]`` or ``[b]``."""
        sigma = parameters["sigmas"][t]
        image = x * jnp.sqrt(1 + sigma**2).reshape(-1, 1, 1, 1)

        def known(image: Array, sigma: Array) -> Array:
            return self.ffdnet(parameters["network"], image, jnp.minimum(sigma, self.highest))

        def drowned(image: Array, sigma: Array) -> Array:
            return gaussian_denoised(parameters["spectrum"], image, sigma)

        if jnp.ndim(sigma) == 0:  # one of the two is computed
            sigmas = jnp.broadcast_to(sigma, x.shape[:1])
            return jax.lax.cond(sigma <= self.highest, known, drowned, image, sigmas).astype(x.dtype)
        within = (sigma <= self.highest).reshape(-1, 1, 1, 1)
        return jnp.where(within, known(image, sigma), drowned(image, sigma)).astype(x.dtype)

    def ffdnet(self, parameters: dict, image: Float[Array, "b h w 3"], sigma: Float[Array, "b"]) -> Array:
        """The clean image of image = clean + sigma noise. Odd sides are continued by a pixel."""
        h, w = image.shape[1:3]
        even = jnp.pad(image, ((0, 0), (0, h % 2), (0, w % 2), (0, 0)), mode="edge")
        if h * w <= self.tile**2:
            return self._network(parameters, even, sigma)[:, :h, :w]
        sides = [min(side, self.tile + 2 * self.reach + 2 & ~1) for side in even.shape[1:3]]
        margin = self.reach + 1 & ~1  # even, so that tiles halve as the image does
        rows, columns = (_parts(whole, side, margin) for whole, side in zip(even.shape[1:3], sides, strict=True))
        places = jnp.asarray([(i, j) for i in rows[0] for j in columns[0]])

        def of_tile(place: Array) -> Array:
            cut = jax.lax.dynamic_slice(even, (0, place[0], place[1], 0), (len(even), *sides, 3))
            return self._network(parameters, cut, sigma)

        tiles = jax.lax.map(jax.checkpoint(of_tile, prevent_cse=False), places)
        tiles = tiles.reshape(len(rows[0]), len(columns[0]), *tiles.shape[1:])
        bands = [
            jnp.concatenate(
                [tiles[r, c][:, slice(*rows[1][r]), slice(*columns[1][c])] for c in range(len(columns[0]))], 2
            )
            for r in range(len(rows[0]))
        ]
        return jnp.concatenate(bands, 1)[:, :h, :w]

    def _network(self, parameters: dict, image: Array, sigma: Array) -> Array:
        """FFDNet itself, whose own units are [0, 1]; of even sides."""
        half = halved((image + 1) / 2)
        level = jnp.broadcast_to(sigma[:, None, None, None] / 2, (*half.shape[:-1], 1))
        values = jnp.concatenate([half, level], axis=-1).astype(self.dtype)
        for number in range(self.layers):
            layer = jax.tree.map(lambda leaf: leaf.astype(self.dtype), parameters[str(number)])
            values = convolution(
                values,
                layer["kernel"],
                (1, 1),
                "SAME",
                dimension_numbers=jax.lax.conv_dimension_numbers(
                    values.shape, layer["kernel"].shape, ("NHWC", "HWIO", "NHWC")
                ),
                precision=self.precision,
            )
            values = values + layer["bias"]
            values = jax.nn.relu(values) if number < self.layers - 1 else values
        return 2 * doubled(values.astype(image.dtype)) - 1


def halved(x: Float[Array, "b h w c"]) -> Float[Array, "b h2 w2 four_c"]:
    """At half the size: of each channel the four pixels of a square, by rows."""
    b, h, w, c = x.shape
    return x.reshape(b, h // 2, 2, w // 2, 2, c).transpose(0, 1, 3, 5, 2, 4).reshape(b, h // 2, w // 2, 4 * c)


def doubled(x: Float[Array, "b h w four_c"]) -> Float[Array, "b h2 w2 c"]:
    """The inverse of `halved`."""
    b, h, w, c = x.shape
    return x.reshape(b, h, w, c // 4, 2, 2).transpose(0, 1, 4, 2, 5, 3).reshape(b, 2 * h, 2 * w, c // 4)


def _parts(whole: int, side: int, margin: int) -> tuple[list[int], list[tuple[int, int]]]:
    """Where tiles of a side begin along a whole one, and the part of each that is taken: `margin` pixels within it, but at
    the whole one's ends."""
    count = 1 if side >= whole else 1 + -(-(whole - side) // (side - 2 * margin - 2))
    starts = [round((whole - side) * number / max(1, count - 1)) // 2 * 2 for number in range(count)]
    ends = [*(start + margin for start in starts[1:]), whole]
    return starts, [
        (begin - start, end - start) for start, begin, end in zip(starts, [0, *ends[:-1]], ends, strict=True)
    ]


def gaussian_denoised(spectrum: dict, image: Float[Array, "b h w 3"], sigma: Float[Array, "b"]) -> Array:
    """E[x0 | x0 + sigma noise] where x0 is Gaussian: of the mean `mean`, and in the cosine transform of each of `COLOURS` of
    the variance power / (1 + (f / corner)^2)^(exponent / 2), f in cycles a pixel."""
    from jax.scipy.fft import dctn, idctn

    h, w = image.shape[1:3]
    squared = (np.arange(h)[:, None] / (2 * h)) ** 2 + (np.arange(w) / (2 * w)) ** 2
    variance = spectrum["power"] * (1 + squared[..., None] / spectrum["corner"] ** 2) ** (-spectrum["exponent"] / 2)
    kept = variance / (variance + (sigma**2)[:, None, None, None])
    colours = jnp.asarray(COLOURS, jnp.float32)
    coefficients = dctn((image - spectrum["mean"]) @ colours.T, axes=(1, 2), norm="ortho")
    return idctn(coefficients * kept, axes=(1, 2), norm="ortho") @ colours + spectrum["mean"]
