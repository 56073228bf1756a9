"""LPIPS: the distance of two images in the features of a classifier (Zhang et al. 2018), AlexNet's or VGG-16's, in JAX.

No weights come with the package. The backbone's are torchvision's file (`alexnet-owt-7be5be79.pth`, `vgg16-397923af.pth`),
those of its channels LPIPS 0.1's (`alex.pth`, `vgg.pth`); `load_lpips` reads both without PyTorch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxrestore._pytree import register
from jaxrestore.metrics.weights import read_tensors, taken

Backbone = Literal["alex", "vgg"]


class Layer(NamedTuple):
    """A convolution and its ReLU."""

    number: int  # among torchvision's `features`
    stride: int
    padding: int
    pool: int  # side of the max pooling before it, of stride 2; 0: none
    compared: bool  # whether LPIPS looks at its output


def _vgg() -> tuple[Layer, ...]:
    """Thirteen convolutions of side 3; a pooling takes a number, too, and the last of each block is compared."""
    layers, number = [], 0
    for block, length in enumerate((2, 2, 3, 3, 3)):
        for i in range(length):
            layers.append(Layer(number, 1, 1, 2 if block and i == 0 else 0, i == length - 1))
            number += 2
        number += 1
    return tuple(layers)


BACKBONES: dict[str, tuple[Layer, ...]] = {
    "alex": (
        Layer(0, 4, 2, 0, True),
        Layer(3, 1, 2, 3, True),
        Layer(6, 1, 1, 3, True),
        Layer(8, 1, 1, 0, True),
        Layer(10, 1, 1, 0, True),
    ),
    "vgg": _vgg(),
}
SHIFT, SCALE = np.array([-0.030, -0.088, -0.188]), np.array([0.458, 0.448, 0.450])  # of colours in [-1, 1]


@register
@dataclass(frozen=True)
class Lpips:
    """Made by `load_lpips`. Call it with two images or batches; pure, for jit, vmap and grad."""

    convolutions: Any  # number -> {"kernel": [h, w, i, o], "bias": [o]}
    channels: Any  # of each layer that is compared, [c]
    backbone: Backbone = field(metadata={"static": True})

    def features(self, image: Float[Array, "b h w 3"]) -> list[Float[Array, "b hl wl cl"]]:
        """The compared layers' outputs, each position's of length 1 over the channels."""
        x, found = (image - SHIFT) / SCALE, []
        for layer in BACKBONES[self.backbone]:
            if layer.pool:
                window, strides = (1, layer.pool, layer.pool, 1), (1, 2, 2, 1)
                x = jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window, strides, "VALID")
            weights = self.convolutions[str(layer.number)]
            margins, strides = [(layer.padding, layer.padding)] * 2, (layer.stride, layer.stride)
            x = jax.lax.conv_general_dilated(
                x, weights["kernel"], strides, margins, dimension_numbers=("NHWC", "HWIO", "NHWC")
            )
            x = jax.nn.relu(x + weights["bias"])
            if layer.compared:
                found.append(x / (jnp.linalg.norm(x, axis=-1, keepdims=True) + 1e-10))
        return found

    def __call__(self, image: Float[Array, "*b h w 3"], reference: Float[Array, "*b h w 3"]) -> Float[Array, "*b"]:
        """The distance of images in [-1, 1], from 0 (alike) up, lower is better; of at least 32 x 32 pixels."""
        batch, shape = image.shape[:-3], (-1, *image.shape[-3:])
        pairs = zip(
            self.channels, self.features(image.reshape(shape)), self.features(reference.reshape(shape)), strict=True
        )
        parts = [jnp.mean(jnp.sum(weight * (a - b) ** 2, axis=-1), axis=(1, 2)) for weight, a, b in pairs]
        return jnp.sum(jnp.stack(parts), axis=0).reshape(batch)


def load_lpips(backbone: Backbone, features: str | Path, channels: str | Path) -> Lpips:
    """LPIPS from torchvision's file of the backbone and LPIPS's of its channels. Reads files: not for jit.

    ReadError (`checkpoints_convert`) or InputError where a file isn't what it should be.
    """
    return lpips_from(backbone, read_tensors(features), read_tensors(channels))


def lpips_from(backbone: Backbone, features: Mapping[str, Any], channels: Mapping[str, Any]) -> Lpips:
    """The same from tensors by their published names. InputError for one that is missing or misshapen."""
    convolutions, widths, inputs = {}, [], 3
    for layer in BACKBONES[backbone]:
        name = f"features.{layer.number}"
        kernel = taken(features, f"{name}.weight", (None, inputs, None, None))
        inputs = kernel.shape[0]
        bias = taken(features, f"{name}.bias", (inputs,))
        convolutions[str(layer.number)] = {
            "kernel": jnp.asarray(kernel.transpose(2, 3, 1, 0)),
            "bias": jnp.asarray(bias),
        }
        widths += [inputs] * layer.compared
    weights = [taken(channels, f"lin{i}.model.1.weight", (1, width, 1, 1)).ravel() for i, width in enumerate(widths)]
    return Lpips(convolutions, [jnp.asarray(weight) for weight in weights], backbone)
