"""The differentiable codec, tone and rain: against Pillow, at their neutral point, and as things to be estimated."""

import dataclasses

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
        found = np.asarray(coded(ops.Jpeg.create(quality), image))
        difference = 127.5 * np.abs(found - jpeg(image, quality)).mean()
        assert difference < 1.5, quality


def test_qualities_and_other_shapes():
    with pytest.raises(ValueError, match="between 1 and 99, not be 0"):
        ops.Jpeg.create(0)
    qualities = jnp.array([1.0, 30, 50, 80, 99])
    made = [ops.Jpeg.create(float(q)).quality for q in qualities]
    np.testing.assert_allclose(made, qualities, rtol=1e-5)
    batch = jax.random.uniform(jax.random.key(0), (2, 17, 24, 3), minval=-1)
    op = jax.jit(ops.Jpeg.create(40).__call__)
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
    (smooth, change), (coded, fine) = push(ops.Jpeg.create(99)), push(ops.Jpeg.create(10))
    unclipped = (jnp.abs(smooth) < 1) & (jnp.abs(coded) < 1)
    np.testing.assert_allclose(change[unclipped], fine[unclipped], atol=1e-3)

    lost = jax.jit(jax.grad(lambda op: jnp.mean((op(image) - image) ** 2)))
    start = ops.Jpeg.create(20, known=False, by="gradient")
    assert float(lost(start).log_scale) > 0  # coarser steps lose more
    assert float(lost(ops.Jpeg.create(20, known=False)).log_scale) == 0
    assert ops.begin(start, image) is start


@pytest.mark.parametrize("quality", [5, 12, 60])
def test_the_quality_is_read_off_the_measurement(quality):
    """Also of one in a chain, and in grey; with an 8-bit file's rounding."""
    image = read_image(FLOWER, (64, 64), "crop")
    y = jnp.asarray(jpeg(image, quality))
    start, begin = ops.Jpeg.create(30, known=False), jax.jit(ops.begin)
    assert abs(begin(start, y).quality - quality) < 0.05 * quality + 0.5
    chain = begin(ops.Compose((ops.Blur.create(ops.SoftmaxKernel.create(3)), start)), y)
    assert abs(chain.parts[1].quality - quality) < 0.05 * quality + 0.5
    grey = begin(start, jnp.asarray(jpeg(np.repeat(image[..., :1], 3, -1), quality))[..., :1])
    assert abs(grey.quality - quality) < 0.05 * quality + 0.5
    known = ops.begin(ops.Compose((ops.Jpeg.create(40), ops.Identity())), y)
    np.testing.assert_allclose(known.parts[0].quality, 40, rtol=1e-5)


def test_tone():
    image = jax.random.uniform(jax.random.key(0), (2, 8, 8, 3), minval=-0.98, maxval=0.98)
    np.testing.assert_allclose(ops.Tone.create()(image), image, atol=1e-5)
    darker = ops.Tone.create(-1.0, (1.5, 0.5), 2.0)(image)
    brightness = (image + 1) / 2
    np.testing.assert_allclose((darker + 1) / 2, (brightness * jnp.array([0.75, 0.5, 0.25])) ** 2, atol=1e-4)
    assert float(ops.Tone.create(3.0)(image).max()) == 1
    gradient = jax.grad(lambda op: jnp.sum(op(image - 0.02)), allow_int=True)(ops.Tone.create(0.1))
    assert all(bool(jnp.all(jnp.isfinite(leaf))) for leaf in jax.tree.leaves(gradient))
    with pytest.raises(ValueError, match="two positive numbers"):
        ops.Tone.create(balance=(1.0, -1.0))


def test_a_layer_of_rain():
    """Light is never negative, a point of amplitude makes a streak of its angle, and sparsity is a cost."""
    layer = ops.RainLayer.create((32, 32), length=3.0, start=0.0)
    point = dataclasses.replace(layer, amplitude=layer.amplitude.at[16, 16].set(1.0), angle=jnp.float32(0.5))
    light = point.light()[..., 0]
    assert light.min() > -1e-6
    rows, columns = jnp.mgrid[-16:16, -16:16]
    along, across = (jnp.sum(light * (rows * jnp.cos(a) + columns * jnp.sin(a)) ** 2) for a in (0.5, 0.5 + jnp.pi / 2))
    assert along > 10 * across
    image = jnp.zeros((2, 32, 32, 3))
    np.testing.assert_allclose(point(image)[1, ..., 2], light, atol=1e-6)
    chain = ops.Compose((ops.Identity(), point))
    np.testing.assert_allclose(ops.penalty(chain), point.sparsity / 32**2, rtol=1e-5)
    assert ops.penalty(ops.Identity()) == 0
    with pytest.raises(ValueError, match="don't fit"):
        ops.RainLayer.create((8, 8), length=3.0)
