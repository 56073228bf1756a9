import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrestore.networks import ADMUNet, DDPMUNet
from jaxrestore.networks.channels_last import convolution
from jaxrestore.networks.ddpm_unet import depth_to_space, space_to_depth, timestep_embedding
from jaxrestore.networks.layers import Dropout


def count(network):
    return sum(leaf.size for leaf in jax.tree.leaves(network.shapes()))


def test_parameter_count_of_celeba_hq():
    assert count(DDPMUNet()) == 113_673_219
    assert len(jax.tree.leaves(DDPMUNet().shapes())) == 450


def test_space_to_depth_order_is_colour_row_column():
    image = np.arange(2 * 4 * 6 * 3).reshape(2, 4, 6, 3)
    patches = space_to_depth(jnp.asarray(image, jnp.float32), 2)
    for c in range(3):
        for i in range(2):
            for j in range(2):
                np.testing.assert_array_equal(patches[..., 4 * c + 2 * i + j], image[:, i::2, j::2, c])
    np.testing.assert_array_equal(depth_to_space(patches, 2), image)


def test_timestep_embedding_is_sines_then_cosines():
    found = timestep_embedding(jnp.array([0, 7]), 8)
    angles = 7 * 1e4 ** (-np.arange(4) / 3)
    np.testing.assert_allclose(found[0], [0, 0, 0, 0, 1, 1, 1, 1])
    np.testing.assert_allclose(found[1], np.concatenate([np.sin(angles), np.cos(angles)]), atol=1e-5)


def test_images_of_a_batch_do_not_see_each_other(tiny):
    x = jax.random.normal(jax.random.key(0), (3, *tiny.shape))
    alone = tiny.predict_noise(x[1:2], 40)
    np.testing.assert_allclose(tiny.predict_noise(x, 40)[1:2], alone, atol=2e-5)


def test_other_sizes_run_and_impossible_ones_are_named(tiny):
    assert tiny.predict_noise(jnp.zeros((1, 20, 24, 3)), 1).shape == (1, 20, 24, 3)
    with pytest.raises(ValueError, match="divisible by 4, not 18 x 16"):
        tiny.predict_noise(jnp.zeros((1, 18, 16, 3)), 1)


def test_bfloat16_is_near_float32_with_float32_parameters(tiny):
    x = jax.random.normal(jax.random.key(0), (1, *tiny.shape))
    half = dataclasses.replace(tiny, network=dataclasses.replace(tiny.network, dtype="bfloat16"))
    found, wanted = half.predict_noise(x, 500), tiny.predict_noise(x, 500)
    assert found.dtype == jnp.float32
    assert 0 < float(jnp.linalg.norm(found - wanted) / jnp.linalg.norm(wanted)) < 0.05


def test_an_adm_network_in_bfloat16_with_labels_and_variance():
    network = ADMUNet(
        image_size=16, ch=32, ch_mult=(1, 2), num_res_blocks=1, attn_resolutions=(8,), head_channels=16, num_classes=5
    )
    parameters, x = network.init(jax.random.key(0)), jax.random.normal(jax.random.key(1), (2, 16, 16, 3))
    wanted = network(parameters, x, 500, jnp.asarray([1, 4]))
    assert wanted.shape == (2, 16, 16, 6)
    assert not np.allclose(wanted, network(parameters, x, 500, jnp.asarray([1, 3])), atol=1e-3)
    found = dataclasses.replace(network, dtype="bfloat16")(parameters, x, 500, jnp.asarray([1, 4]))
    assert found.dtype == jnp.float32
    assert 0 < float(jnp.linalg.norm(found - wanted) / jnp.linalg.norm(wanted)) < 0.05


@pytest.mark.parametrize("kind", [DDPMUNet, ADMUNet])
def test_dropout_is_drawn_from_a_key(kind):
    network = kind(image_size=16, ch=32, ch_mult=(1, 2), num_res_blocks=1, attn_resolutions=(), head_channels=None)
    parameters, x = network.init(jax.random.key(0)), jax.random.normal(jax.random.key(1), (1, 16, 16, 3))
    wet = dataclasses.replace(network, dropout=0.5)
    plain, keys = network(parameters, x, 5), jax.random.split(jax.random.key(2))
    np.testing.assert_array_equal(wet(parameters, x, 5), plain)  # without a key there is none
    one, same, other = (wet(parameters, x, 5, None, key) for key in (keys[0], keys[0], keys[1]))
    np.testing.assert_array_equal(one, same)
    assert float(jnp.abs(one - other).mean()) > 0.01
    with pytest.raises(ValueError, match="dropout must lie"):
        dataclasses.replace(network, dropout=1.5).shapes()


def test_dropout_keeps_the_mean():
    kept = Dropout(0.3, 1)(jnp.ones(20_000), jax.random.key(0))
    np.testing.assert_allclose(np.unique(kept), [0, 1 / 0.7], rtol=1e-6)
    assert float(kept.mean()) == pytest.approx(1, abs=0.02)


def test_attention_heads_must_divide_the_channels():
    for network in (ADMUNet(ch=24, head_channels=16, groups=4), DDPMUNet(ch=24, head_channels=7, groups=4)):
        with pytest.raises(ValueError, match="can't be divided"):
            network.shapes()


@pytest.mark.parametrize(("strides", "padding"), [((1, 1), "SAME"), ((2, 2), ((0, 1), (0, 1)))])
def test_our_convolution_has_the_derivatives_of_a_convolution(strides, padding):
    keys = jax.random.split(jax.random.key(0), 4)
    x, dx = jax.random.normal(keys[0], (2, 2, 8, 8, 3))
    kernel, dkernel = jax.random.normal(keys[1], (2, 3, 3, 3, 5))
    numbers = jax.lax.conv_dimension_numbers(x.shape, kernel.shape, ("NHWC", "HWIO", "NHWC"))

    def ours(x, kernel):
        return convolution(x, kernel, strides, padding, dimension_numbers=numbers)

    def plain(x, kernel):
        return jax.lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=numbers)

    def derivatives(function):
        value, forward = jax.jvp(function, (x, kernel), (dx, dkernel))
        backward = jax.vjp(function, x, kernel)[1](value)
        of_one = jax.grad(lambda x: jnp.sum(function(x, kernel) ** 2))(x)
        batched = jax.vmap(jax.grad(lambda x, k: jnp.sum(function(x[None], k) ** 2), (0, 1)), (0, None))(x, kernel)
        second = jax.jvp(jax.grad(lambda x: jnp.sum(function(x, kernel) ** 3)), (x,), (dx,))[1]
        return value, forward, backward, of_one, batched, second

    for mine, theirs in zip(*(jax.tree.leaves(derivatives(function)) for function in (ours, plain)), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-3)
