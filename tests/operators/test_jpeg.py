"""The differentiable codec: against Pillow, at its shapes and derivatives, and as a thing to be estimated."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrestore import operators as ops
from jaxrestore.files.images import jpeg, read_image

FLOWER = "jaxrestore/data/flower.jpg"


@pytest.mark.parametrize("size", [(64, 64), (50, 61)])
def test_the_codec_is_pillows(size):
    image = read_image(FLOWER, size, "crop")
    coded = jax.jit(lambda op, image: op(image))
    for quality in (5, 8, 10, 20, 30, 50, 75, 90, 95):
        difference = 127.5 * np.abs(np.asarray(coded(ops.Jpeg(quality), image)) - jpeg(image, quality)).mean()
        assert difference < 1.5, quality


def test_qualities_and_other_shapes():
    with pytest.raises(ValueError, match="between 1 and 99, not be 0"):
        ops.Jpeg(0)
    qualities = jnp.array([1.0, 30, 50, 80, 99])
    np.testing.assert_allclose([ops.Jpeg(float(q)).quality for q in qualities], qualities, rtol=1e-5)
    batch = jax.random.uniform(jax.random.key(0), (2, 17, 24, 3), minval=-1)
    op = jax.jit(ops.Jpeg(40).__call__)
    difference = jnp.abs(op(batch)[1] - op(batch[1]))  # a tie may be rounded either way
    assert jnp.mean(difference) < 1e-3
    assert op(batch[..., :1]).shape == (2, 17, 24, 1)
    grey = jnp.repeat(batch[0][..., :1], 3, axis=-1)
    assert jnp.mean(jnp.abs(op(grey)[..., :1] - op(grey[..., :1]))) < 2 / 127.5


def test_the_codecs_derivatives():
    """In the image that of a codec that doesn't round; in the quality finite."""
    image = 0.8 * jnp.asarray(read_image(FLOWER, (32, 32), "crop"))
    direction = jax.random.normal(jax.random.key(1), image.shape)
    push = jax.jit(lambda op: jax.jvp(op, (image,), (direction,)))
    (smooth, change), (coded, fine) = push(ops.Jpeg(99)), push(ops.Jpeg(10))
    unclipped = (jnp.abs(smooth) < 1) & (jnp.abs(coded) < 1)
    np.testing.assert_allclose(change[unclipped], fine[unclipped], atol=1e-3)

    lost = jax.jit(jax.grad(lambda op: jnp.mean((op(image) - image) ** 2)))
    start = ops.Jpeg(20, unknown=True, by="gradient")
    assert float(lost(start).log_scale) > 0  # coarser steps lose more
    assert float(lost(ops.Jpeg(20, unknown=True)).log_scale) == 0
    assert ops.begin(start, image) is start


@pytest.mark.parametrize("quality", [5, 12, 60])
def test_the_quality_is_read_off_the_measurement(quality):
    """Also of one in a chain, and in grey; with an 8-bit file's rounding."""
    image = read_image(FLOWER, (64, 64), "crop")
    y = jnp.asarray(jpeg(image, quality))
    start, begin = ops.Jpeg(30, unknown=True), jax.jit(ops.begin)
    assert abs(begin(start, y).quality - quality) < 0.05 * quality + 0.5
    chain = begin(ops.Compose((ops.Blur(ops.SoftmaxKernel(3)), start)), y)
    assert abs(chain.parts[1].quality - quality) < 0.05 * quality + 0.5
    grey = begin(start, jnp.asarray(jpeg(np.repeat(image[..., :1], 3, -1), quality))[..., :1])
    assert abs(grey.quality - quality) < 0.05 * quality + 0.5
    known = ops.begin(ops.Compose((ops.Jpeg(40), ops.Identity())), y)
    np.testing.assert_allclose(known.parts[0].quality, 40, rtol=1e-5)
