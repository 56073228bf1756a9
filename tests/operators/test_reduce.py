"""Reductions and loss of colour, against Pillow."""

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxrestore import operators as ops


@pytest.mark.parametrize("scale", [2, 4, 8])
def test_bicubic_is_that_of_pillow(smooth, scale):
    side = 32 // scale
    planes = [Image.fromarray(smooth[..., c]).resize((side, side), Image.Resampling.BICUBIC) for c in range(3)]
    np.testing.assert_allclose(ops.Bicubic(scale)(jnp.asarray(smooth)), np.stack(planes, axis=-1), atol=1e-5)


def test_stride_keeps_pixels(smooth):
    np.testing.assert_array_equal(ops.Stride(4)(jnp.asarray(smooth)), smooth[1::4, 1::4])


def test_grey_is_that_of_pillow(smooth):
    levels = np.round((smooth + 1) * 127.5).astype(np.uint8)
    wanted = np.asarray(Image.fromarray(levels).convert("L"), np.float32)
    grey = (ops.Grayscale()(jnp.asarray(levels, jnp.float32) / 127.5 - 1)[..., 0] + 1) * 127.5
    np.testing.assert_allclose(grey, wanted, atol=0.51)  # Pillow rounds
