"""Constructors validate what is known, and run under jit, vmap and grad, where nothing is."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from signatures import unchecked

import jaxrestore as jr
from jaxrestore import operators as ops
from jaxrestore._pytree import replaced
from jaxrestore.errors import InputError

KERNEL = np.random.default_rng(0).random((5, 7)).astype(np.float32)


@pytest.mark.parametrize(
    ("construct", "sentence"),
    [
        (lambda: ops.SoftmaxKernel(4), "odd"),
        (lambda: ops.SoftmaxKernel(3, -1.0), "positive"),
        (lambda: ops.SoftmaxKernel.from_weights(np.ones((2, 2))), "odd"),
        (lambda: ops.SoftmaxKernel.from_weights(np.ones((1, 3))), "square matrix"),
        (lambda: ops.SoftmaxKernel.from_weights(-np.ones((3, 3))), "from 0 on, and not all zero"),
        (lambda: ops.SoftmaxKernel.from_weights(np.zeros((3, 3))), "from 0 on, and not all zero"),
        (lambda: ops.GeneratedKernel(4, jax.random.key(0)), "odd"),
        (lambda: ops.GaussianKernel(0), "at least 1, not 0"),
        (lambda: ops.DiscKernel(4), "odd"),
        (lambda: ops.DiscKernel(5, 0.0), "radius of a disc must be a positive number, not 0"),
        (lambda: ops.DiscKernel(5, np.inf), "positive number, not inf"),
        (lambda: ops.DiscKernel(5, (1.0, 2.0)), "positive number"),
        (lambda: ops.GaussianKernel(5, (0.0, 1.0)), "positive"),
        (lambda: ops.GaussianKernel(5, (1.0, np.nan)), "positive"),
        (lambda: ops.GaussianKernel(5, (1.0, np.inf)), "finite"),
        (lambda: ops.GaussianKernel(5, angle=np.nan), "finite"),
        (lambda: ops.GaussianKernel(5, (1.0, 1.0, 1.0)), "two deviations"),
        (lambda: ops.GaussianKernel(5, offset=(1.0,)), "two offsets"),
        (lambda: ops.GaussianKernel(5, unknown=("sigma",)), r"names among log_sigmas, angle, offset, not \('sigma',\)"),
        (lambda: ops.GaussianKernel(5, unknown="angle"), "a tuple of names among"),
        (lambda: ops.Blur(np.ones((4, 5))), "odd sides"),
        (lambda: ops.Blur(np.ones(5)), "odd sides"),
        (lambda: ops.Blur(np.full((3, 3), np.nan)), "not finite"),
        (lambda: ops.Blur(KERNEL, boundary="nonsense"), "Unknown boundary 'nonsense'; known: zero, reflect, circular"),
        (lambda: ops.Blur(KERNEL, algorithm="slow"), "Unknown algorithm 'slow'; known: direct, fft"),
        (lambda: ops.Blur(KERNEL).pinv(jnp.zeros((8, 8, 3))), "for the circular boundary, not for 'reflect'"),
        (lambda: ops.VaryingBlur((KERNEL,) * 3, (8, 8)), "square grid"),
        (lambda: ops.VaryingBlur((), (8, 8)), "square grid"),
        (lambda: ops.VaryingBlur((np.ones((2, 2)),), (8, 8)), "odd sides"),
        (lambda: ops.VaryingBlur((KERNEL,), (8, 8), "none"), "Unknown boundary 'none'"),
        (lambda: ops.Mask(np.full((4, 4), 0.5)), "zeros and ones"),
        (lambda: ops.Mask(np.ones(4)), r"zeros and ones; this one is \(4,\)"),
        (lambda: ops.Mask(None), "zeros and ones"),
        (lambda: ops.Mask(np.zeros((4, 4))), "every pixel is missing"),
        (lambda: ops.AveragePool(0), "from 1 on, not by 0"),
        (lambda: ops.AveragePool(5)(jnp.zeros((8, 8, 3))), "can't be reduced by 5"),
        (lambda: ops.Stride(3)(jnp.zeros((9, 8, 3))), "9 x 8 can't be reduced by 3"),
        (lambda: ops.Bicubic(3)(jnp.zeros((9, 8, 3))), "9 x 8 can't be reduced by 3"),
        (lambda: ops.ParallelBeam(np.zeros(0)), "at least one angle"),
        (lambda: ops.ParallelBeam(0), "at least one angle"),
        (lambda: ops.ParallelBeam([0.0, np.inf]), "finite numbers"),
        (lambda: ops.ParallelBeam(3)(jnp.zeros((8, 6, 3))), "square images"),
        (lambda: ops.Jpeg(0), "between 1 and 99, not be 0"),
        (lambda: ops.Jpeg(np.nan), "between 1 and 99"),
        (lambda: ops.Jpeg(30, by="guess"), "Unknown way to find a quality 'guess'; known: measurement, gradient"),
        (lambda: ops.Tone(balance=(1.0, -1.0)), "two positive numbers"),
        (lambda: ops.Tone(balance=(1.0,)), "two positive numbers"),
        (lambda: ops.Tone(gamma=0.0), "two positive numbers"),
        (lambda: ops.Tone(stops=np.inf), "must be finite"),
        (lambda: ops.Tone(unknown=("balance",)), "names among stops, log_balance, log_gamma"),
        (lambda: ops.RainLayer((8, 8), length=3.0), "don't fit"),
        (lambda: ops.RainLayer((8, 8), length=np.nan), "don't fit"),
        (lambda: ops.RainLayer((8, 8), length=1.0, unknown=("sparsity",)), "names among amplitude, angle, log_length"),
        (lambda: ops.Compose(()), "at least one operator"),
        (lambda: ops.Compose((ops.Identity(), 3)), "operators only"),
    ],
)
def test_what_cant_be_meant_gets_a_sentence(construct, sentence):
    with unchecked(), pytest.raises(InputError, match=sentence):
        construct()


def operators_of(sigmas, kernel, known, angles, number):
    return (
        ops.Blur(ops.GaussianKernel(3, sigmas, number)),
        ops.Blur(ops.SoftmaxKernel(3, sigmas[0])),
        ops.Blur(ops.SoftmaxKernel.from_weights(kernel), "zero"),
        ops.Blur(kernel),
        ops.VaryingBlur((kernel,), (8, 8)),
        ops.Mask(known),
        ops.ParallelBeam(angles),
        ops.Jpeg(20 * number),
        ops.Tone(number, sigmas, number),
        ops.RainLayer((8, 8), 1.0, angle=number, sparsity=number, start=number),
    )


def measurements(image, operators):
    return [operator(image) for operator in operators]


def test_operators_are_made_under_jit_and_vmap():
    image = jax.random.uniform(jax.random.key(0), (8, 8, 3), minval=-1)
    sigmas, kernel, known = jnp.array([1.5, 0.8]), jnp.arange(9.0).reshape(3, 3) / 36, jnp.eye(8)
    arguments = (sigmas, kernel, known, jnp.array([0.0, 30.0]), jnp.float32(1.2))
    known_ones = operators_of(*arguments)
    assert jax.tree.structure(jax.eval_shape(operators_of, *arguments)) == jax.tree.structure(known_ones)
    wanted = jax.jit(measurements)(image, known_ones)
    batch = jax.tree.map(lambda leaf: jnp.stack([leaf, leaf]), arguments)
    traced = jax.jit(jax.vmap(lambda *arguments: measurements(image, operators_of(*arguments))))(*batch)
    for both, one in zip(traced, wanted, strict=True):
        assert jnp.mean(jnp.abs(both - one)) < 1e-4  # in a codec a tie may be rounded either way


def test_operators_are_what_transformations_return_and_are_differentiated_through():
    kernels = jax.vmap(lambda sigma: ops.GaussianKernel(5, (sigma, 2 * sigma)))(jnp.array([1.0, 2.0, 3.0]))
    assert kernels.log_sigmas.shape == (3, 2)
    assert kernels.size == 5
    point = jnp.zeros((5, 5, 1)).at[2, 2].set(1.0)
    height = jax.grad(lambda sigma: ops.Blur(ops.GaussianKernel(5, (sigma, sigma)), "zero")(point)[2, 2, 0])
    assert jax.jit(height)(1.0) < 0


def test_rebuilding_leaves_the_constructor_alone():
    """`register` for a user's class, and `replaced` for fields that its constructor doesn't take."""
    calls = []

    @jr.register
    @dataclasses.dataclass(frozen=True)
    class Gain:
        factor: jax.Array
        name: str = dataclasses.field(default="gain", metadata={"static": True})

        def __post_init__(self):
            calls.append(self.factor)

    gain = Gain(jnp.float32(2.0))
    doubled = jax.jit(lambda gain: jax.tree.map(lambda leaf: 2 * leaf, gain))(gain)
    assert (float(doubled.factor), doubled.name, len(calls)) == (4.0, "gain", 1)
    assert (replaced(gain, name="other").name, gain.name, len(calls)) == ("other", "gain", 1)
    with pytest.raises(TypeError, match="Gain has no field nmae; it has: factor, name"):
        replaced(gain, nmae="other")
    with pytest.raises(dataclasses.FrozenInstanceError):
        gain.factor = 3.0
