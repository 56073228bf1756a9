"""What depends on pixels beyond the border, and what doesn't: blurs with the boundary "valid", and scenes that are cut."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from closed_forms import matrix_of

import jaxrestore as jr
from jaxrestore import operators as ops
from jaxrestore import simulate
from jaxrestore.errors import InputError
from jaxrestore.methods.operator_steps import gauss_newton

KERNEL = np.random.default_rng(0).random((3, 5)).astype(np.float32) / 7
SQUARE = KERNEL[:, 1:4]
SIZE = (48, 48)
SCENE = jax.random.uniform(jax.random.key(0), (56, 56, 3), minval=-1)
KEY = jax.random.key(1)


def blur(kernel=SQUARE, boundary="valid"):
    return ops.Blur(kernel, boundary)


CHAINS = {  # and the frame of the measurement of 48 x 48
    "blur": (blur(KERNEL), (1, 2)),
    "by spectra": (ops.Blur(KERNEL, "valid", "fft"), (1, 2)),
    "unknown kernel": (blur(ops.GaussianKernel(5, unknown=True)), (2, 2)),
    "varying": (ops.VaryingBlur([SQUARE, KERNEL, KERNEL, SQUARE], SIZE, "valid"), (1, 2)),
    "averages": (ops.Compose((blur(KERNEL), ops.AveragePool(4))), (1, 1)),
    "a pixel of each block": (ops.Compose((blur(KERNEL), ops.Stride(2))), (1, 1)),
    "bicubic": (ops.Compose((blur(KERNEL), ops.Bicubic(4), ops.Grayscale())), (2, 2)),
    "codec": (ops.Compose((blur(KERNEL), ops.Jpeg(60))), (17, 18)),
    "grey codec of a small one": (ops.Compose((blur(), ops.Tone(0.3), ops.Grayscale())), (1, 1)),
    "nested": (ops.Compose((ops.Compose((blur(), ops.Tone(0.3))), ops.Identity())), (1, 1)),
}
each = pytest.mark.parametrize(("operator", "frame"), CHAINS.values(), ids=CHAINS)


@each
def test_inside_the_frame_is_what_was_measured_of_the_scene_and_the_frame_is_zero(operator, frame):
    assert ops.frame_of(operator) == frame
    measured = jax.jit(ops.cut_out, static_argnums=2)(operator, SCENE, SIZE)
    found = jax.jit(lambda operator, image: operator(image))(operator, ops.middle(SCENE, SIZE))
    inner = (slice(frame[0], -frame[0]), slice(frame[1], -frame[1]))
    np.testing.assert_allclose(found[inner], measured[inner], atol=2e-5)
    assert jnp.all(found.at[inner].set(0) == 0)
    assert jnp.max(jnp.abs(measured.at[inner].set(0))) > 0.1  # the scene's own has no frame
    kept = ops.selected(operator, measured)
    np.testing.assert_array_equal(kept[inner], measured[inner])
    assert jnp.all(kept.at[inner].set(0) == 0)
    noise = np.sqrt(kept[inner].size / kept.size) * 0.1
    np.testing.assert_allclose(ops.sigma_of(operator, 0.1, measured), noise, rtol=1e-6)


def test_the_frame_has_no_derivative():
    """Of the data term in what was measured there; and pixels of the image count as far as the kernel takes them inside."""
    operator, image = blur(KERNEL), ops.middle(SCENE, SIZE)

    def misfit(image, y):
        return jnp.mean((operator(image) - ops.selected(operator, y)) ** 2)

    of_image, of_y = jax.grad(misfit, (0, 1))(image, 0 * image)
    assert jnp.all(of_y.at[1:-1, 2:-2].set(0) == 0)
    matrix = matrix_of(operator, (6, 7, 1))
    assert np.count_nonzero(matrix.any(axis=1)) == 4 * 3  # rows of pixels inside
    y = np.random.default_rng(2).standard_normal((6, 7, 1)).astype(np.float32)
    np.testing.assert_allclose(
        ops.adjoint(operator, jnp.asarray(y), (6, 7, 1)).ravel(), matrix.T @ y.ravel(), atol=1e-5
    )
    assert jnp.any(of_image[0] != 0)


def test_a_batch_of_images_and_of_kernels():
    images = jnp.stack([SCENE, -SCENE])
    many = blur(KERNEL)(images)
    np.testing.assert_allclose(many, jnp.stack([blur(KERNEL)(one) for one in images]), atol=1e-6)
    kernels = jnp.stack([jnp.asarray(KERNEL), 2 * jnp.asarray(KERNEL)])
    both = jax.vmap(lambda kernel: ops.Blur(kernel, "valid", "fft")(SCENE))(kernels)
    np.testing.assert_allclose(both[1], 2 * both[0], atol=1e-5)
    np.testing.assert_allclose(both[0], many[0], atol=1e-5)


def test_a_kernel_is_found_whatever_stands_in_the_frame():
    truth, start = ops.GaussianKernel(5, (1.2, 0.7), 0.4), ops.GaussianKernel(5, unknown=True)
    image = ops.middle(SCENE, SIZE)
    y = ops.cut_out(blur(truth), SCENE, SIZE)
    unknown, known = ops.partition(blur(start))

    @jax.jit
    def moved(unknown, y):
        return gauss_newton(lambda leaves: ops.combine(leaves, known)(image), unknown, y, 0.0)

    for _ in range(12):
        found, again = moved(unknown, y), moved(unknown, ops.selected(blur(start), y))
        jax.tree.map(lambda one, other: np.testing.assert_allclose(one, other, atol=1e-5), found, again)
        unknown = found
    np.testing.assert_allclose(ops.combine(unknown, known).kernel(), truth(), atol=1e-3)


@pytest.mark.parametrize("name", ["bird", "diffpir", "ddnm"])
def test_the_driver_doesnt_look_at_the_frame(gaussian, name):
    operator = ops.Blur(SQUARE, "valid")
    y = operator(gaussian.parameters["mean"] if "mean" in gaussian.parameters else jnp.zeros((8, 8, 3)))
    how = {"iterations": 3, "skip": 250} if name == "bird" else {"steps": 3}
    method = getattr(jr, name)(gaussian, operator, **how)
    one, other = (jr.restore(method, seen, jax.random.key(0)) for seen in (y, y.at[0].set(0.7).at[:, -1].set(-0.7)))
    np.testing.assert_array_equal(one.image, other.image)
    assert float(one.data_term) < 0.1


def test_a_scene_is_blurred_then_cut():
    image, operator = ops.middle(SCENE, SIZE), blur(KERNEL, "reflect")
    y = simulate.measure(operator, SCENE, KEY, size=SIZE)
    np.testing.assert_allclose(y[1:-1, 2:-2], operator(image)[1:-1, 2:-2], atol=1e-5)
    assert jnp.max(jnp.abs(y - operator(image))) > 0.05
    np.testing.assert_array_equal(simulate.measure(blur(KERNEL), SCENE, KEY, size=SIZE), y)  # of no boundary
    noisy = simulate.measure(operator, SCENE, KEY, 0.1, size=SIZE)
    np.testing.assert_allclose(noisy, simulate.measure(ops.Identity(), y, KEY, 0.1), atol=1e-6)
    chain = ops.Compose((operator, ops.AveragePool(4), ops.Jpeg(50)))
    small = simulate.measure(chain, SCENE, KEY, size=SIZE)
    assert jnp.mean(jnp.abs(small - ops.Jpeg(50)(ops.AveragePool(4)(y)))) < 1e-3  # a tie may be rounded either way
    np.testing.assert_array_equal(ops.cut_out(ops.Grayscale(), SCENE, SIZE), ops.Grayscale()(image))
    same = ops.VaryingBlur([KERNEL] * 4, SIZE)
    np.testing.assert_allclose(simulate.measure(same, SCENE, KEY, size=SIZE), y, atol=1e-5)


def test_boundaries_are_changed_throughout_a_chain():
    chain = ops.Compose((blur(boundary="zero"), ops.Compose((ops.Grayscale(), blur(boundary="reflect")))))
    changed = ops.with_boundary(chain, "circular")
    assert (changed.parts[0].boundary, changed.parts[1].parts[1].boundary) == ("circular", "circular")
    assert ops.with_boundary(ops.Grayscale(), "valid") == ops.Grayscale()


@pytest.mark.parametrize(
    ("measure", "sentence"),
    [
        (lambda: blur()(jnp.zeros((2, 8, 3))), r'"valid" leaves nothing of 2 x 8 pixels with a kernel of 3 x 3'),
        (lambda: ops.Compose((blur(), blur()))(jnp.zeros((4, 4, 3))), "All of 4 x 4 pixels depend on what lies beyond"),
        (lambda: ops.Compose((blur(), ops.ParallelBeam(3)))(jnp.zeros((8, 8, 3))), "all of what ParallelBeam measures"),
        (lambda: ops.cut_out(blur(), SCENE, (55, 50)), "A scene of 56 x 56 is too small: 55 x 50 pixels are to be cut"),
        (lambda: ops.cut_out(ops.Identity(), SCENE, (60, 50)), "too small"),
        (lambda: blur().pinv(jnp.zeros((8, 8, 3))), "for the circular boundary, not for 'valid'"),
    ],
)
def test_what_has_nothing_inside_is_named(measure, sentence):
    with pytest.raises(InputError, match=sentence):
        measure()
