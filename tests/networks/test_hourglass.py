"""The network of deep image prior."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrestore as jr
from jaxrestore.networks import Hourglass
from jaxrestore.networks.hourglass import by_products


@pytest.mark.parametrize(("size", "strides"), [(3, 1), (3, 2), (1, 1)])
def test_products_are_the_convolution(size, strides):
    draw = np.random.default_rng(0)
    x, kernel = draw.standard_normal((2, 8, 6, 3), np.float32), draw.standard_normal((size, size, 3, 4), np.float32)
    how = ((strides, strides), ((size // 2, size // 2),) * 2)
    wanted = jax.lax.conv_general_dilated(x, kernel, *how, dimension_numbers=("NHWC", "HWIO", "NHWC"))
    np.testing.assert_allclose(by_products(jnp.asarray(x), jnp.asarray(kernel), *how), wanted, atol=1e-5)


def test_images_of_a_batch_know_nothing_of_each_other_and_lie_within_their_range():
    network = Hourglass(channels=3, out_channels=2, ch=4, levels=2, skip=2)
    parameters = network.init(jax.random.key(0))
    codes = jax.random.uniform(jax.random.key(1), (2, 8, 12, 3))
    images = network(parameters, codes, jnp.int32(0))
    assert images.shape == (2, 8, 12, 2)
    assert 0.01 < jnp.std(images) < 1
    assert jnp.abs(images).max() <= 1
    swapped = network(parameters, codes[::-1], jnp.int32(0))
    np.testing.assert_allclose(swapped, images[::-1], atol=1e-5)
    assert sum("inner" in jax.tree_util.keystr(path) for path, _ in jax.tree.leaves_with_path(parameters)) > 0
    with pytest.raises(jr.InputError, match="needs image sides divisible by 4, not 6 x 8"):
        network(parameters, jnp.zeros((1, 6, 8, 3)), jnp.int32(0))
