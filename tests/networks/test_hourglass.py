"""The network of deep image prior."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrestore as jr
from jaxrestore.networks import Hourglass


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
