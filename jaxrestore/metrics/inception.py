"""The Inception network of the usual FID numbers, pool 3, in JAX; from a user's weight file.

The graph is that of TensorFlow's 2015 model as the PyTorch port of FID has it (`pt_inception-2015-12-05-6726825d.pth`): the
means of blocks pool without counting the border, the last block takes a maximum. Weights come from that file alone; a figure
by any other network is not an FID.
"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxrestore.errors import InputError
from jaxrestore.metrics.weights import read_tensors, taken

SIDE, EPSILON = 299, 1e-3
STEM = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3")


@jax.jit
def inception_features(parameters: dict, image: Float[Array, "b h w 3"]) -> Float[Array, "b 2048"]:
    """The features of images in [-1, 1], resized to 299 x 299 (bilinear, no antialiasing). Pure; for jit, vmap and grad."""
    x = jax.image.resize(image, (image.shape[0], SIDE, SIDE, 3), "linear", antialias=False)
    conv = partial(_conv, parameters)
    for name, stride, padding in zip(STEM[:3], (2, 1, 1), ("VALID", "VALID", "SAME"), strict=True):
        x = conv(name, x, stride, padding)
    x = _pool(x, "max", 2)
    for name in STEM[3:]:
        x = conv(name, x, 1, "VALID")
    x = _pool(x, "max", 2)
    for block in ("Mixed_5b", "Mixed_5c", "Mixed_5d"):
        x = _block_a(conv, block, x)
    x = _block_b(conv, "Mixed_6a", x)
    for block in ("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"):
        x = _block_c(conv, block, x)
    x = _block_d(conv, "Mixed_7a", x)
    x = _block_e(conv, "Mixed_7b", x, "mean")
    x = _block_e(conv, "Mixed_7c", x, "max")
    return jnp.mean(x, axis=(1, 2))


def _conv(parameters: dict, name: str, x: Array, stride: int = 1, padding: str = "SAME") -> Array:
    """A convolution, its batch norm in inference, and a ReLU. "SAME" is symmetric for these odd sides at stride 1."""
    weights = parameters[name]
    strides, axes = (stride, stride), ("NHWC", "HWIO", "NHWC")
    x = jax.lax.conv_general_dilated(x, weights["kernel"], strides, padding, dimension_numbers=axes)
    return jax.nn.relu(x * weights["scale"] + weights["shift"])


def _pool(x: Array, kind: str, stride: int) -> Array:
    """Side 3. At stride 2 without a border; at stride 1 of the same size, and means count what is inside."""
    window, strides, padding = (1, 3, 3, 1), (1, stride, stride, 1), "VALID" if stride == 2 else "SAME"
    if kind == "max":
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, strides, padding)
    total, count = (jax.lax.reduce_window(v, 0.0, jax.lax.add, window, strides, padding) for v in (x, jnp.ones_like(x)))
    return total / count


def _chain(conv: Any, block: str, x: Array, *names: str) -> Array:
    for name in names:
        x = conv(f"{block}.{name}", x)
    return x


def _block_a(conv: Any, block: str, x: Array) -> Array:
    parts = (
        _chain(conv, block, x, "branch1x1"),
        _chain(conv, block, x, "branch5x5_1", "branch5x5_2"),
        _chain(conv, block, x, "branch3x3dbl_1", "branch3x3dbl_2", "branch3x3dbl_3"),
        _chain(conv, block, _pool(x, "mean", 1), "branch_pool"),
    )
    return jnp.concatenate(parts, axis=-1)


def _block_b(conv: Any, block: str, x: Array) -> Array:
    double = _chain(conv, block, x, "branch3x3dbl_1", "branch3x3dbl_2")
    ends = (conv(f"{block}.branch3x3", x, 2, "VALID"), conv(f"{block}.branch3x3dbl_3", double, 2, "VALID"))
    return jnp.concatenate([*ends, _pool(x, "max", 2)], axis=-1)


def _block_c(conv: Any, block: str, x: Array) -> Array:
    parts = (
        _chain(conv, block, x, "branch1x1"),
        _chain(conv, block, x, *(f"branch7x7_{i}" for i in (1, 2, 3))),
        _chain(conv, block, x, *(f"branch7x7dbl_{i}" for i in (1, 2, 3, 4, 5))),
        _chain(conv, block, _pool(x, "mean", 1), "branch_pool"),
    )
    return jnp.concatenate(parts, axis=-1)


def _block_d(conv: Any, block: str, x: Array) -> Array:
    three = _chain(conv, block, x, "branch3x3_1")
    seven = _chain(conv, block, x, "branch7x7x3_1", "branch7x7x3_2", "branch7x7x3_3")
    ends = (conv(f"{block}.branch3x3_2", three, 2, "VALID"), conv(f"{block}.branch7x7x3_4", seven, 2, "VALID"))
    return jnp.concatenate([*ends, _pool(x, "max", 2)], axis=-1)


def _block_e(conv: Any, block: str, x: Array, pool: str) -> Array:
    three = _chain(conv, block, x, "branch3x3_1")
    double = _chain(conv, block, x, "branch3x3dbl_1", "branch3x3dbl_2")
    parts = [_chain(conv, block, x, "branch1x1")]
    parts += [_chain(conv, block, three, f"branch3x3_{end}") for end in ("2a", "2b")]
    parts += [_chain(conv, block, double, f"branch3x3dbl_{end}") for end in ("3a", "3b")]
    return jnp.concatenate([*parts, _chain(conv, block, _pool(x, pool, 1), "branch_pool")], axis=-1)


def load_inception(path: str | Path) -> dict:
    """The parameters for `inception_features` from the FID weight file. Reads a file: not for jit.

    ReadError (`checkpoints_convert`) or InputError where it isn't one.
    """
    return inception_from(read_tensors(path))


def inception_from(tensors: Mapping[str, Any]) -> dict:
    """The same from tensors by their published names; batch norms become a scale and a shift. InputError for one missing."""
    found = {}
    for name in (name.removesuffix(".conv.weight") for name in tensors if name.endswith(".conv.weight")):
        if name.startswith("AuxLogits"):
            continue
        kernel = taken(tensors, f"{name}.conv.weight", (None, None, None, None))
        gain, bias, mean, variance = (
            taken(tensors, f"{name}.bn.{part}", (kernel.shape[0],))
            for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gain / (variance + EPSILON) ** 0.5
        arrays = {"kernel": kernel.transpose(2, 3, 1, 0), "scale": scale, "shift": bias - mean * scale}
        found[name] = jax.tree.map(jnp.asarray, arrays)
    image = jax.ShapeDtypeStruct((1, SIDE, SIDE, 3), jnp.float32)
    try:
        jax.eval_shape(inception_features, found, image)
    except KeyError as error:
        raise InputError(f"The file lacks {error}: it isn't the Inception network of FID.") from error
    return found
