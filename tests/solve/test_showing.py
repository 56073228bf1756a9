"""Restorations and images as notebooks show them, and pytrees as they are printed."""

import base64
import dataclasses
import io
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import jaxrestore as jr
from jaxrestore import operators as ops
from jaxrestore.solve.result import Restoration

KERNEL = jr.Blur(jr.GaussianKernel(5, unknown=True))


def found(image, operator, restarts=None):
    """A result of these images."""
    zeros = jnp.zeros(image.shape[:-3])
    counts = jnp.full(image.shape[:-3], 3, jnp.int32)
    return Restoration(image, image, operator, zeros, zeros, counts, counts * 0 + 1, zeros, restarts)


def decoded(picture):
    """The pixels of both forms, which are equal."""
    png = Image.open(io.BytesIO(picture._repr_png_()))
    source = re.search(r'src="data:image/png;base64,([^"]+)" alt="([^"]+)"', picture._repr_html_())
    assert base64.b64decode(source[1]) == picture._repr_png_()
    assert source[2] == picture.caption
    return np.asarray(png)


def test_a_strip_of_measurement_image_reference_and_kernel():
    image = jnp.full((8, 8, 3), -1.0)
    picture = jr.show(found(image, KERNEL), image + 1, image + 2)
    assert picture.caption == "measurement, restored, reference, kernel"
    pixels = decoded(picture)
    assert pixels.shape == (192, 3 * 192 + 7 * 24 + 3 * 12, 3)
    np.testing.assert_array_equal(pixels[0, [0, 192, 204, 408]], np.uint8([[128] * 3, [255] * 3, [0] * 3, [255] * 3]))
    kernel = pixels[:168, 612:780, 0].reshape(7, 24, 7, 24)[:, 0, :, 0]  # with its border
    wanted = np.asarray(KERNEL.kernel() / KERNEL.kernel().max())
    np.testing.assert_allclose(kernel[1:-1, 1:-1] / 255, wanted, atol=0.003)


def test_of_a_batch_the_first_eight_are_shown_and_said():
    images = jnp.linspace(-1, 1, 10)[:, None, None, None] * jnp.ones((10, 64, 64, 3))
    operators = jax.tree.map(lambda leaf: jnp.stack([leaf] * 10), KERNEL)
    picture = jr.show(found(images, operators))
    assert picture.caption == "restored, kernel; the first 8 of 10 images"
    pixels = decoded(picture)
    assert pixels.shape[0] == 8 * 196 - 4
    np.testing.assert_array_equal(pixels[::196, 0, 0], np.round(127.5 * (np.linspace(-1, 1, 10)[:8] + 1)))


@pytest.mark.parametrize("shape", [(8, 8, 3), (8, 8, 1), (5, 8, 8, 3), (2000, 30, 1)])
def test_arrays_are_shown(shape):
    pixels = decoded(jr.show(np.full(shape, np.nan, np.float32)))
    assert pixels.max() == (255 if len(shape) == 4 else 0)  # a sheet's last rows are white
    assert max(pixels.shape) <= 1600


@pytest.mark.parametrize("shape", [(8, 8), (8, 8, 4), (0, 8, 8, 3), (2, 2, 8, 8, 3)])
def test_what_is_no_image_is_refused(shape):
    with pytest.raises(jr.InputError, match="What is shown must be a Restoration, or an array"):
        jr.show(np.zeros(shape))


def test_a_restoration_shows_itself_and_its_message_and_restarts_of_a_batch_do_not():
    image = jnp.zeros((8, 8, 3))
    result = found(image, jr.Identity())
    assert result._repr_html_().endswith("<pre>all 3 iterations were run</pre>")
    assert found(jnp.zeros((2, 2, 8, 8, 3)), jr.Identity())._repr_html_() is None
    with pytest.raises(jr.InputError, match="can't be shown"):
        jr.show(found(jnp.zeros((2, 2, 8, 8, 3)), jr.Identity()))


def test_what_is_printed_is_short_and_names_shapes(gaussian):
    operators = [ops.Mask(jr.box_mask((64, 64), 9)), KERNEL, ops.Blur(np.ones((9, 9), np.float32) / 81)]
    for value in (gaussian, jr.bird(gaussian, operators[0]), *operators, found(jnp.zeros((8, 8, 3)), operators[0])):
        assert len(repr(value)) < 800
        assert "\n" not in repr(value)
    assert repr(operators[0]) == "Mask(known=float32[64,64,1], kind='inpaint')"
    assert repr(gaussian).startswith("Prior('gaussian', shape=(8, 8, 3), _gaussian_noise of ")
    tuned = dataclasses.replace(gaussian, settings=type(gaussian.settings).of({"bird": {"any": {}}}))
    assert "tuned for bird" in repr(tuned)


def test_a_tree_whose_leaves_are_anything_is_printed(gaussian):
    """JAX puts placeholders and tracers where arrays were, and prints what it can't trace."""
    for value in (None, object()):
        trees = [jax.tree.map(lambda leaf, value=value: value, tree) for tree in (gaussian, KERNEL)]
        assert all(repr(tree) for tree in trees)
    said = []
    jax.jit(lambda mask: said.append(repr(mask)) or mask.known)(ops.Mask(jr.box_mask((64, 64), 9)))
    assert said == ["Mask(known=float32[64,64,1], kind='inpaint')"]


def test_a_repr_of_ones_own_stays():
    @jr.register
    @dataclasses.dataclass(frozen=True)
    class Own:
        value: float

        def __repr__(self):
            return "mine"

    @jr.register
    @dataclasses.dataclass(frozen=True, repr=False)
    class Hidden:
        value: float

    assert repr(Own(1.0)) == "mine"
    assert "object at" in repr(Hidden(1.0))
