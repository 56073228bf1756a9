import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrestore.networks import ADMUNet, DDPMUNet
from jaxrestore.networks.channels_last import convolution
from jaxrestore.networks.ddpm_unet import depth_to_space, space_to_depth, timestep_embedding
from jaxrestore.networks.layers import Dropout, attend


def count(network):
    return sum(leaf.size for leaf in jax.tree.leaves(network.shapes()))


def test_parameter_count_of_celeba_hq():
    assert count(DDPMUNet()) == 113_673_219
    assert len(jax.tree.leaves(DDPMUNet().shapes())) == 450


def test_space_to_depth_order_is_colour_row_column():
    image = np.arange(2 * 4 * 6 * 3, dtype=np.float32).reshape(2, 4, 6, 3)
    patches = np.asarray(jax.jit(space_to_depth, static_argnums=1)(image, 2))
    for c in range(3):
        for i in range(2):
            for j in range(2):
                np.testing.assert_array_equal(patches[..., 4 * c + 2 * i + j], image[:, i::2, j::2, c])
    np.testing.assert_array_equal(jax.jit(depth_to_space, static_argnums=1)(patches, 2), image)


def test_timestep_embedding_is_sines_then_cosines():
    found = np.asarray(jax.jit(timestep_embedding, static_argnums=1)(np.array([0, 7]), 8))
    angles = 7 * 1e4 ** (-np.arange(4) / 3)
    np.testing.assert_allclose(found[0], [0, 0, 0, 0, 1, 1, 1, 1])
    np.testing.assert_allclose(found[1], np.concatenate([np.sin(angles), np.cos(angles)]), atol=1e-5)


@pytest.fixture(scope="module")
def ddpm(tiny):
    """A network of each kind with its parameters, images of a batch and their labels, and what comes of them at t = 500."""
    x = np.random.default_rng(0).standard_normal((3, *tiny.shape), np.float32)
    return tiny.network, tiny.parameters, x, None, tiny.network(tiny.parameters, x, 500, None)


@pytest.fixture(scope="module")
def adm():
    network = ADMUNet(
        image_size=16, ch=32, ch_mult=(1, 2), num_res_blocks=1, attn_resolutions=(8,), head_channels=16, num_classes=5
    )
    parameters = network.init(jax.random.key(0))
    x, label = np.random.default_rng(0).standard_normal((2, 16, 16, 3), np.float32), np.array([1, 4])
    return network, parameters, x, label, network(parameters, x, 500, label)


@pytest.fixture(params=["ddpm", "adm"])
def unet(request):
    return request.getfixturevalue(request.param)


def test_images_of_a_batch_do_not_see_each_other(unet):
    network, parameters, x, label, plain = unet
    others = x[::-1].copy()
    others[1] = x[1]
    np.testing.assert_allclose(network(parameters, others, 500, label)[1], plain[1], atol=2e-5)


def test_other_sizes_are_taken_and_impossible_ones_named(tiny):
    assert jax.eval_shape(lambda x: tiny.predict_noise(x, 1), jnp.zeros((1, 20, 24, 3))).shape == (1, 20, 24, 3)
    with pytest.raises(ValueError, match="divisible by 4, not 18 x 16"):
        tiny.predict_noise(jnp.zeros((1, 18, 16, 3)), 1)


def test_bfloat16_is_near_float32_with_float32_parameters(unet):
    network, parameters, x, label, plain = unet
    found = dataclasses.replace(network, dtype="bfloat16")(parameters, x, 500, label)
    assert found.dtype == jnp.float32
    assert 0 < np.linalg.norm(found - plain) / np.linalg.norm(plain) < 0.05


def test_an_adm_network_has_labels_and_a_variance(adm):
    network, parameters, x, _, plain = adm
    assert plain.shape == (2, 16, 16, 6)
    other = network(parameters, x, 500, np.array([1, 3]))
    np.testing.assert_array_equal(other[0], plain[0])
    assert not np.allclose(other, plain, atol=1e-3)


def test_dropout_is_drawn_from_a_key(unet):
    network, parameters, x, label, plain = unet
    wet, keys = dataclasses.replace(network, dropout=0.5), jax.random.split(jax.random.key(2))
    one, same, other = (np.asarray(wet(parameters, x, 500, label, key)) for key in (keys[0], keys[0], keys[1]))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).mean() > 0.01
    assert np.abs(one - plain).mean() > 0.01
    dry = (jax.jit(lambda x, n=n: n(parameters, x, 500, label)).lower(x).as_text() for n in (wet, network))
    assert next(dry) == next(dry)  # without a key there is none: the programs are the same
    with pytest.raises(ValueError, match="dropout must lie"):
        dataclasses.replace(network, dropout=1.5).shapes()


def test_dropout_keeps_the_mean():
    kept = np.asarray(jax.jit(Dropout(0.3, 1))(np.ones(20_000, np.float32), jax.random.key(0)))
    np.testing.assert_allclose(np.unique(kept), [0, 1 / 0.7], rtol=1e-6)
    assert float(kept.mean()) == pytest.approx(1, abs=0.02)


def test_attention_heads_must_divide_the_channels():
    for network in (ADMUNet(ch=24, head_channels=16, groups=4), DDPMUNet(ch=24, head_channels=7, groups=4)):
        with pytest.raises(ValueError, match="can't be divided"):
            network.shapes()


@pytest.mark.parametrize(("strides", "padding"), [((1, 1), "SAME"), ((2, 2), ((0, 1), (0, 1)))])
def test_our_convolution_has_the_derivatives_of_a_convolution(strides, padding):
    draw = np.random.default_rng(0)
    x, dx = draw.standard_normal((2, 2, 8, 8, 3), np.float32)
    kernel, dkernel = draw.standard_normal((2, 3, 3, 3, 5), np.float32)
    numbers = jax.lax.conv_dimension_numbers(x.shape, kernel.shape, ("NHWC", "HWIO", "NHWC"))

    def ours(x, kernel):
        return convolution(x, kernel, strides, padding, dimension_numbers=numbers)

    def plain(x, kernel):
        return jax.lax.conv_general_dilated(x, kernel, strides, padding, dimension_numbers=numbers)

    @functools.partial(jax.jit, static_argnums=0)
    def derivatives(function, x, dx, kernel, dkernel):
        value, forward = jax.jvp(function, (x, kernel), (dx, dkernel))
        backward = jax.vjp(function, x, kernel)[1](value)
        of_one = jax.grad(lambda x: jnp.sum(function(x, kernel) ** 2))(x)
        batched = jax.vmap(jax.grad(lambda x, k: jnp.sum(function(x[None], k) ** 2), (0, 1)), (0, None))(x, kernel)
        second = jax.jvp(jax.grad(lambda x: jnp.sum(function(x, kernel) ** 3)), (x,), (dx,))[1]
        return value, forward, backward, of_one, batched, second

    both = (jax.tree.leaves(derivatives(function, x, dx, kernel, dkernel)) for function in (ours, plain))
    for mine, theirs in zip(*both, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize(("asked", "around"), [(None, "highest"), ("highest", None)])
def test_attention_has_the_precision_that_is_asked_for_wherever_it_is_asked(asked, around):
    q = jnp.ones((1, 4, 1, 8))
    with jax.default_matmul_precision(around):
        program = str(jax.make_jaxpr(lambda q: attend(q, q, q, asked))(q))
    assert program.count("(Precision.HIGHEST, Precision.HIGHEST)") == program.count("dot_general[") == 2
