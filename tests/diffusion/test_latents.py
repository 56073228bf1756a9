"""Priors in a latent space: G is the decoder after the unroll, for methods, gradients and files as any other."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxrestore as jr
from jaxrestore.diffusion.latents import LatentSpace, latent_space
from jaxrestore.networks import AutoencoderKL, DDPMUNet, VQModel

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def linear():
    """Gaussian latents of 4x4, and images of 8x8 that are linear in them: everything has a closed form."""
    unet = jr.gaussian_prior(jnp.zeros((4, 4, 3)), 0.5)
    space = LatentSpace(
        jnp.float32(0.7),
        lambda gain, latent: gain * jnp.repeat(jnp.repeat(latent, 2, 1), 2, 2),
        lambda gain, image: image.reshape(-1, 4, 2, 4, 2, 3).mean((2, 4)) / gain,
        (4, 4, 3),
    )
    return jr.Prior(unet.network, unet.parameters, unet.schedule, (8, 8, 3), name="linear", latent=space), unet


def test_an_image_is_the_decoded_end_of_the_unroll(linear):
    prior, unet = linear
    noise = jax.random.normal(KEY, (2, *prior.noise_shape))
    image = jr.unroll(prior, noise, clip=False)
    assert image.shape == (2, 8, 8, 3)
    np.testing.assert_allclose(image, prior.latent.decode(jr.unroll(unet, noise, clip=False)), rtol=1e-6)
    np.testing.assert_allclose(jr.unroll(prior, 9 * noise), jnp.clip(jr.unroll(prior, 9 * noise, clip=False), -1, 1))
    back = jr.invert(prior, image[0], skip=20, refinements=8)
    np.testing.assert_allclose(jr.unroll(prior, back, skip=20, clip=False), image[0], atol=1e-3)
    for gradient in ("frozen_v", "full"):
        slope = jax.grad(lambda z, mode=gradient: jr.unroll(prior, z, clip=False, gradient=mode).sum())(noise)
        assert jnp.all(slope > 0)


@pytest.mark.parametrize("name", ["bird", "shred", "diip", "invert2restore", "d_flow"])
def test_methods_find_the_noise_in_the_latent_space(linear, name):
    prior, _ = linear
    mask = jr.Mask(np.arange(64).reshape(8, 8) % 3 > 0)
    truth = jr.unroll(prior, jax.random.normal(jax.random.key(9), prior.noise_shape), clip=False)
    y = truth if name == "diip" else mask(truth)
    arguments, patches = () if name == "diip" else (mask,), {"patch": 4} if name == "invert2restore" else {}
    method = getattr(jr, name)(
        prior,
        *arguments,
        noise_lr=0.1,
        iterations=150,
        gradient="full" if name == "d_flow" else "frozen_v",
        decay="cosine",
        clip=False,
        stop=jr.never(),
        **patches,
    )
    result = jr.restore(method, y, KEY)
    assert result.noise.shape == prior.noise_shape if result.noise is not None else name
    assert result.restarts.data_term[0] < 0.05 * result.history[0]
    np.testing.assert_allclose(result.restarts.image[0], truth, atol=0.25)  # the holes, too: a latent has no holes


def test_what_latents_are_not_for_is_said(linear):
    prior, _ = linear
    for call in (
        lambda: jr.invert2restore(prior),
        lambda: jr.gen2res(prior),
        lambda: jr.dreamclean(prior),
        lambda: jr.dps(prior, jr.Identity()),
        lambda: jr.repaint(prior, jr.Identity()),
        lambda: jr.tiled(prior, 16, 16),
    ):
        with pytest.raises(jr.InputError, match="'linear' is one of latents"):
            call()


@pytest.mark.parametrize(
    "autoencoder",
    [
        AutoencoderKL(block_out_channels=(8, 8), groups=4, latent_channels=4, mid_attention=False),
        VQModel(block_out_channels=(8, 8), groups=4, latent_channels=4, mid_attention=False, num_vq_embeddings=16),
    ],
    ids=["AutoencoderKL", "VQModel"],
)
def test_a_folder_keeps_both_networks(autoencoder, tmp_path):
    width = autoencoder.latent_width
    unet = DDPMUNet(
        image_size=8,
        channels=width,
        out_channels=width,
        ch=8,
        ch_mult=(1,),
        num_res_blocks=1,
        attn_resolutions=(),
        groups=4,
    )
    space = latent_space(autoencoder, autoencoder.init(KEY), 16, 16)
    prior = jr.Prior(unet, unet.init(KEY), jr.schedule.scaled_linear(), (16, 16, 3), name="latent", latent=space)
    jr.save_prior(prior, tmp_path / "prior")
    again = jr.load_prior(tmp_path / "prior")
    jax.tree.map(np.testing.assert_array_equal, again.latent.parameters, prior.latent.parameters)
    assert (again.shape, again.noise_shape) == ((16, 16, 3), (8, 8, width))
    noise = jax.random.normal(KEY, prior.noise_shape)
    np.testing.assert_allclose(jr.unroll(again, noise, skip=500), jr.unroll(prior, noise, skip=500), atol=1e-5)
    image = jnp.linspace(-1, 1, 768).reshape(prior.shape)
    code = autoencoder.encode(prior.latent.parameters, image[None])
    wanted = autoencoder.scaled(code.mean if isinstance(autoencoder, AutoencoderKL) else code)[0]
    np.testing.assert_allclose(again.latent.encode(image), wanted, atol=1e-5)
    own = dataclasses.replace(prior, latent=dataclasses.replace(space, decoder=lambda p, latent: latent))
    with pytest.raises(jr.InputError, match="has a decoder of your own"):
        jr.save_prior(own, tmp_path / "own")
    card = (tmp_path / "prior" / "card.json").read_text()
    (tmp_path / "prior" / "card.json").write_text(card.replace('"latent_channels": 4', '"latent_channels": 5'))
    with pytest.raises(jr.PriorError, match=r"card\.json"):
        jr.load_prior(tmp_path / "prior")
