"""Every jitted entry point becomes a program for a GPU and for a TPU, here, where there is neither: JAX lowers for any.

What can't be there: a call back to the host, which would stop a device at each step, and routines that a CPU alone has.
"""

import re
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding, PartitionSpec

import jaxrestore as jr
from jaxrestore import density, metrics
from jaxrestore.networks import DDPMUNet
from jaxrestore.operators import proximal, pseudo_inverse

SHAPE = (8, 8, 3)
KEY = jax.random.key(0)


@pytest.fixture(scope="module", params=["float32", "bfloat16"])
def unet(request):
    """A U-Net with attention, in which nothing is computed."""
    network = DDPMUNet(
        image_size=8, ch=8, ch_mult=(1, 2), num_res_blocks=1, attn_resolutions=(4,), groups=4, dtype=request.param
    )
    parameters = jax.eval_shape(network.init, KEY)
    zeros = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), parameters)
    return jr.Prior(network, zeros, jr.schedule.linear(), SHAPE)


def program(function, *arguments, **jitted):
    """What is handed to the compilers of both, and the routines by name that it calls."""
    traced = jax.jit(function, **jitted).trace(*arguments)
    text = traced.lower(lowering_platforms=("cuda", "tpu")).as_text()
    return text, set(re.findall(r"custom_call @([\w.]+)", text))


def check(function, *arguments, **jitted):
    text, called = program(function, *arguments, **jitted)
    assert "stablehlo." in text
    assert not called  # none of these programs needs one


Y = jnp.zeros(SHAPE)
KERNEL = jr.Blur(jr.SoftmaxKernel(3))
MASK = jr.Mask(np.arange(64).reshape(8, 8) % 3 > 0)
FEW = {"iterations": 2, "skip": 500}
METHODS = {
    "bird": lambda prior: jr.bird(prior, KERNEL, **FEW),
    "bird, full gradient": lambda prior: jr.bird(prior, MASK, gradient="full", **FEW),
    "shred": lambda prior: jr.shred(prior, KERNEL, **FEW),
    "invert2restore": lambda prior: jr.invert2restore(prior, KERNEL, sigma_y=0.1, **FEW),
    "invert2restore, told nothing": lambda prior: jr.invert2restore(prior, settings=jr.LiteralSettings(steps=2)),
    "diip": lambda prior: jr.diip(prior, **FEW),
    "dreamclean": lambda prior: jr.dreamclean(prior, steps=2),
    "dps": lambda prior: jr.dps(prior, MASK, steps=2),
    "pigdm": lambda prior: jr.pigdm(prior, MASK, steps=2),
    "ddnm": lambda prior: jr.ddnm(prior, MASK, steps=2),
    "ddrm": lambda prior: jr.ddrm(prior, MASK, steps=2),
    "diffpir": lambda prior: jr.diffpir(prior, jr.Blur(jr.GaussianKernel(3)), steps=2),
    "daps": lambda prior: jr.daps(prior, MASK, steps=2),
    "repaint": lambda prior: jr.repaint(prior, MASK, steps=2, jump=1),
    "pnp_flow": lambda prior: jr.pnp_flow(prior, MASK, steps=2),
    "flowdps": lambda prior: jr.flowdps(prior, MASK, steps=2),
    "dpir": lambda prior: jr.dpir(prior, jr.Jpeg(30, unknown=True), steps=2),
    "blind_diffpir": lambda prior: jr.blind_diffpir(prior, KERNEL, steps=2),
    "blind_dps": lambda prior: jr.blind_dps(prior, KERNEL, steps=2),
    "fast_em": lambda prior: jr.fast_em(prior, KERNEL, steps=2),
    "gdp": lambda prior: jr.gdp(prior, KERNEL, steps=2),
    "d_flow": lambda prior: jr.d_flow(prior, MASK, **FEW),
    "gen2res": jr.gen2res,
    "dip": lambda prior: jr.dip(prior, MASK, iterations=2),
    "selfdeblur": lambda prior: jr.selfdeblur(prior, KERNEL, iterations=2),
}


@pytest.mark.parametrize("name", METHODS)
def test_a_search_lowers(gaussian, name):
    check(jr.run, METHODS[name](gaussian), Y, KEY)


def test_a_search_over_a_prior_of_any_size_lowers():
    prior = jr.sized(jr.load_prior("photos"), 40, 48)
    check(jr.run, jr.blind_dpir(prior, jr.Blur(jr.SoftmaxKernel(5)), steps=2), jnp.zeros(prior.shape), KEY)


def test_many_searches_lower_over_sharded_measurements(unet):
    mesh = jax.make_mesh((1,), ("images",))
    shard = NamedSharding(mesh, PartitionSpec("images"))
    many = jax.vmap(jr.run, in_axes=(None, 0, 0))
    given = METHODS["bird"](unet), jnp.zeros((4, *SHAPE)), jax.random.split(KEY, 4)
    text, called = program(many, *given, in_shardings=(None, shard, shard))
    assert "sdy.sharding" in text
    assert not called


@pytest.mark.parametrize("gradient", ["frozen", "full"])
def test_the_unroll_and_its_gradient_lower(unet, gradient):
    def misfit(prior, noise):
        return jnp.mean(jr.unroll(prior, noise, skip=500, gradient=gradient) ** 2)

    check(jax.grad(misfit, argnums=1), unet, Y)


def test_inversion_density_and_sampling_lower(gaussian):
    check(partial(jr.invert, skip=500, refinements=1), gaussian, Y)
    check(lambda prior, x: jr.unroll(prior, x, skip=500, solver="midpoint"), gaussian, Y)
    check(jax.grad(density.objective), jnp.ones(SHAPE))


def test_operators_and_scores_lower():
    check(lambda y: proximal(jr.Blur(jr.GaussianKernel(3)), Y, y, 0.1), Y)
    check(lambda y: pseudo_inverse(jr.Compose((jr.Blur(jr.GaussianKernel(3)), jr.AveragePool(2))), y, SHAPE), Y[:4, :4])
    check(lambda image: jr.ParallelBeam(5)(image).sum(), Y)
    check(lambda a, b: (metrics.psnr(a, b), metrics.gradient_deviation(a, b), metrics.estimate_sigma_y(a)), Y, Y + 1)


def test_a_call_back_to_the_host_would_show():
    with pytest.raises(NotImplementedError, match="callback"):
        program(lambda x: jax.pure_callback(np.sin, x, x), Y)
