"""Invariants of every operator, closed forms of each."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import ndimage

from jaxrestore import operators as ops
from jaxrestore import simulate

KERNEL = np.random.default_rng(0).random((5, 7)).astype(np.float32)
SOFTMAX = ops.SoftmaxKernel.create(5)
MASK = np.random.default_rng(1).integers(0, 2, (12, 8))
KERNELS = (jnp.asarray(KERNEL[:, :5]), SOFTMAX, SOFTMAX, jnp.asarray(KERNEL[:, :5]))
LINEAR = {
    "identity": ops.Identity(),
    "mask": ops.Mask.create(MASK),
    "pool": ops.AveragePool(4),
    "stride": ops.Stride(2),
    "bicubic": ops.Bicubic(4),
    "grey": ops.Grayscale(),
    "varying": ops.VaryingBlur.create(KERNELS, (12, 8)),
    "old photo": ops.Compose((ops.Blur.create(SOFTMAX), ops.Stride(2), ops.Grayscale())),
    "chain": ops.Compose((ops.Blur.create(SOFTMAX), ops.AveragePool(2))),
    **{
        f"blur-{boundary}-{algorithm}": ops.Blur.create(KERNEL, boundary, algorithm)
        for boundary in ("zero", "reflect", "circular")
        for algorithm in ("direct", "fft")
    },
}


@pytest.fixture
def image():
    return jax.random.normal(jax.random.key(0), (12, 8, 3))


@pytest.mark.parametrize("operator", LINEAR.values(), ids=LINEAR)
def test_adjoint_identity(operator, image):
    measured = operator(image)
    other = jax.random.normal(jax.random.key(1), measured.shape)
    back = ops.adjoint(operator, other, image.shape)
    np.testing.assert_allclose(jnp.vdot(measured, other), jnp.vdot(image, back), rtol=1e-4, atol=1e-4)
    assert ops.measure_shape(operator, image.shape) == measured.shape


@pytest.mark.parametrize("operator", LINEAR.values(), ids=LINEAR)
def test_batches_jit_vmap_and_dtype(operator, image):
    batch = jnp.stack([image, 2 * image])
    single = jnp.stack([operator(one) for one in batch])
    np.testing.assert_allclose(operator(batch), single, atol=1e-5)
    np.testing.assert_allclose(jax.vmap(operator)(batch), single, atol=1e-5)
    np.testing.assert_allclose(jax.jit(lambda op, x: op(x))(operator, batch), single, atol=1e-5)
    assert operator(image.astype(jnp.bfloat16)).dtype == jnp.bfloat16


@pytest.mark.parametrize(
    "name", ["identity", "mask", "pool", "stride", "grey", "blur-circular-direct", "blur-circular-fft"]
)
def test_pseudo_inverses(name, image):
    """H H+ H = H and H+ H H+ = H+; H+ H is symmetric, which makes it the one of least norm."""
    operator = LINEAR[name]
    once = operator.pinv(operator(image))
    np.testing.assert_allclose(operator(once), operator(image), atol=2e-4)
    np.testing.assert_allclose(operator.pinv(operator(once)), once, atol=2e-3)
    other = jax.random.normal(jax.random.key(5), image.shape)
    np.testing.assert_allclose(
        jnp.vdot(other, once), jnp.vdot(operator.pinv(operator(other)), image), rtol=5e-3, atol=0.05
    )


@pytest.mark.parametrize(("boundary", "mode"), [("zero", "constant"), ("reflect", "mirror"), ("circular", "wrap")])
@pytest.mark.parametrize("algorithm", ["direct", "fft"])
def test_blur_is_the_convolution_of_scipy(image, boundary, mode, algorithm):
    found = ops.Blur.create(KERNEL, boundary, algorithm)(image)
    wanted = np.stack([ndimage.convolve(np.asarray(image)[..., c], KERNEL, mode=mode) for c in range(3)], axis=-1)
    np.testing.assert_allclose(found, wanted, atol=2e-5)


def test_a_point_becomes_a_picture_of_the_kernel():
    point = jnp.zeros((9, 9, 1)).at[4, 4].set(1)
    np.testing.assert_allclose(ops.Blur.create(KERNEL, "zero")(point)[2:7, 1:8, 0], KERNEL, atol=1e-6)


def test_kernels_have_sum_one_and_the_gaussian_its_moments():
    generated = ops.GeneratedKernel.create(jax.random.key(0), 9, inputs=20, hidden=30)
    gaussian = ops.GaussianKernel.create(41, (4.0, 2.0), np.pi / 6)
    for kernel in (generated(), SOFTMAX(), gaussian()):
        np.testing.assert_allclose(kernel.sum(), 1, rtol=1e-5)
        assert kernel.min() >= 0
    rows, columns = np.mgrid[-20:21, -20:21]
    along = columns * np.cos(np.pi / 6) + rows * np.sin(np.pi / 6)
    across = rows * np.cos(np.pi / 6) - columns * np.sin(np.pi / 6)
    np.testing.assert_allclose((gaussian() * along**2).sum() ** 0.5, 4, rtol=1e-3)
    np.testing.assert_allclose((gaussian() * across**2).sum() ** 0.5, 2, rtol=1e-3)
    assert generated().shape == (9, 9)


class Exposure(NamedTuple):
    """A user's own operator."""

    gain: jax.Array
    offset: jax.Array
    unknown = ("gain",)

    def __call__(self, image):
        return self.gain * image + self.offset


def test_partition_splits_what_is_declared_unknown(image):
    blind = ops.Compose(
        (ops.Blur.create(ops.GaussianKernel.create(5, (1.0, 2.0), known=False)), Exposure(jnp.ones(3), jnp.zeros(3)))
    )
    unknown, known = ops.partition(blind)
    assert [leaf.shape for leaf in jax.tree.leaves(unknown)] == [(2,), (), (2,), (3,)]
    assert [leaf.shape for leaf in jax.tree.leaves(known)] == [(3,)]
    np.testing.assert_array_equal(ops.combine(unknown, known)(image), blind(image))
    assert ops.is_blind(blind)
    assert not ops.is_blind(ops.Blur.create(ops.GaussianKernel.create(5, (1.0, 2.0))))
    gradient = jax.grad(lambda u: jnp.sum(ops.combine(u, known)(image) ** 2))(unknown)
    assert all(jnp.all(jnp.isfinite(leaf)) and jnp.any(leaf != 0) for leaf in jax.tree.leaves(gradient))


def test_unknown_integers_are_refused():
    with pytest.raises(ValueError, match="not a float"):
        ops.partition(Exposure(jnp.ones(3, jnp.int32), jnp.zeros(3)))


def test_a_declaration_that_names_nothing_is_refused():
    class Misspelt(Exposure):
        unknown = ("gian",)

    class Text(Exposure):
        unknown = "gain"

    @jax.tree_util.register_pytree_node_class
    class Keyless:
        unknown = ("gain",)
        gain = 1.0

        def tree_flatten(self):
            return (self.gain,), None

        @classmethod
        def tree_unflatten(cls, _, leaves):
            return cls()

    for operator in (Misspelt(jnp.ones(3), jnp.zeros(3)), Text(jnp.ones(3), jnp.zeros(3)), Keyless()):
        with pytest.raises(ValueError, match=r"must be a tuple of its fields' names|without names"):
            ops.partition(operator)


def test_known_and_unknown_of_every_kind_of_node():
    tree = {"list": [Exposure(jnp.ones(1), jnp.zeros(1))], "number": 3}
    assert len(jax.tree.leaves(ops.partition(tree)[0])) == 1


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: ops.SoftmaxKernel.create(4), "odd"),
        (lambda: ops.GaussianKernel.create(5, (0.0, 1.0)), "positive"),
        (lambda: ops.Blur.create(np.ones((4, 5))), "odd sides"),
        (lambda: ops.Blur.create(np.full((3, 3), np.nan)), "not finite"),
        (lambda: ops.Mask.create(np.full((4, 4), 0.5)), "zeros and ones"),
        (lambda: ops.Mask.create(np.zeros((4, 4))), "every pixel is missing"),
        (lambda: ops.AveragePool(5)(jnp.zeros((8, 8, 3))), "can't be reduced by 5"),
        (lambda: ops.Blur.create(KERNEL).pinv(jnp.zeros((8, 8, 3))), "for the circular boundary, not for 'reflect'"),
        (lambda: ops.VaryingBlur.create(KERNELS[:3], (8, 8)), "square grid"),
        (lambda: ops.ParallelBeam.create(np.zeros(0)), "at least one angle"),
        (lambda: ops.ParallelBeam.create(3)(jnp.zeros((8, 6, 3))), "square images"),
        (lambda: simulate.box_mask((8, 8), 8), "must lie between 1 and 7"),
        (lambda: simulate.random_mask(jax.random.key(0), (8, 8), 0.0), "fraction"),
        (lambda: simulate.text_mask((8, 8), " "), "no text"),
    ],
)
def test_bad_arguments_get_a_sentence(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def test_photons_and_dead_pixels():
    key, image = jax.random.key(0), jnp.full((200, 200, 3), 0.2)
    photons = simulate.poisson_noise(key, image, peak=100.0)
    np.testing.assert_allclose(jnp.mean(photons), 0.2, atol=2e-3)
    np.testing.assert_allclose(jnp.std(photons), 2 * (0.6 / 100) ** 0.5, rtol=0.02)
    dead = simulate.salt_and_pepper(key, image, 0.1)
    np.testing.assert_allclose([jnp.mean(dead == 1), jnp.mean(dead == -1)], 0.05, rtol=0.1)
    assert jnp.all((dead == 0.2) | (jnp.all(dead == dead[..., :1], axis=-1, keepdims=True)))  # whole pixels
    assert jnp.all(simulate.poisson_noise(key, -jnp.ones((4, 4, 3)), 10.0) == -1)


def test_noise_models_have_their_deviations():
    key, image = jax.random.key(0), jnp.full((200, 200, 3), 0.2)
    brightness = 0.6
    np.testing.assert_allclose(jnp.std(simulate.gaussian_noise(key, image, 0.1)), 0.2, rtol=0.02)
    np.testing.assert_allclose(jnp.std(simulate.speckle_noise(key, image, 0.1)), 0.2 * brightness, rtol=0.02)
    mixture = simulate.bird_noise(key, image, speckle=0.4, gaussian=0.15)
    wanted = 2 * np.hypot(0.8 * 0.4 * brightness, 0.2 * 0.15)
    np.testing.assert_allclose(jnp.std(mixture), wanted, rtol=0.02)
    np.testing.assert_allclose(jnp.mean(mixture), 0.2, atol=5e-3)
