"""Pseudo-inverses: of single operators, and for which chains that of the parts is one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrestore import operators as ops
from jaxrestore.errors import InputError

KERNEL = np.random.default_rng(0).random((5, 7)).astype(np.float32)
MASK = ops.Mask(np.random.default_rng(1).integers(0, 2, (12, 8)))
SINGLE = {
    "identity": ops.Identity(),
    "mask": MASK,
    "pool": ops.AveragePool(4),
    "stride": ops.Stride(2),
    "grey": ops.Grayscale(),
    "blur-direct": ops.Blur(KERNEL, "circular", "direct"),
    "blur-fft": ops.Blur(KERNEL, "circular", "fft"),
}


@pytest.mark.parametrize("operator", SINGLE.values(), ids=SINGLE)
def test_pseudo_inverses(operator, image):
    """H H+ H = H and H+ H H+ = H+; H+ H is symmetric, which makes it the one of least norm."""
    once = operator.pinv(operator(image))
    np.testing.assert_allclose(operator(once), operator(image), atol=2e-4)
    np.testing.assert_allclose(operator.pinv(operator(once)), once, atol=2e-3)
    other = jax.random.normal(jax.random.key(5), image.shape)
    np.testing.assert_allclose(
        jnp.vdot(other, once), jnp.vdot(operator.pinv(operator(other)), image), rtol=5e-3, atol=0.05
    )


SHAPE = (4, 4, 3)
KNOWN, OTHERS = ops.Mask(np.eye(4) + np.eye(4, k=1)), ops.Mask(np.tri(4))
SOFT = ops.Blur(np.array([[0, 0.1, 0], [0.1, 0.6, 0.1], [0, 0.1, 0]], np.float32), "circular")  # can be undone
DELETING = ops.Blur(np.array([[0.25, 0.5, 0.25]], np.float32), "circular")  # no alternation is left of
EXACT = {
    "nothing": (ops.Identity(), ops.Identity()),
    "orthogonal rows, then anything": (ops.AveragePool(2), ops.Grayscale()),
    "three of them": (ops.Grayscale(), ops.Stride(2), ops.AveragePool(2)),
    "reduction, then a mask": (ops.AveragePool(2), ops.Mask(np.array([[1, 0], [1, 1]]))),
    "a blur alone": (ops.Identity(), ops.Stride(1), DELETING),
    "masks": (KNOWN, OTHERS),
    "blurs": (SOFT, DELETING),
    "pixels, then colours": (DELETING, ops.Grayscale()),
    "known pixels, then colours": (KNOWN, ops.Grayscale()),
    "colours, then pixels": (ops.Grayscale(), KNOWN),
}
RIGHT = {"blur, then reduction": (SOFT, ops.AveragePool(2)), "blur, then one of its pixels": (SOFT, ops.Stride(2))}
APPROXIMATE = {
    "mask, then reduction": (KNOWN, ops.AveragePool(2)),
    "mask, then blur that deletes": (KNOWN, DELETING),
    "deleted frequencies, then reduction": (DELETING, ops.Stride(2)),
}


def matrices(parts, matrix_of, shape=SHAPE):
    """The chain, what it calls its pseudo-inverse, and what is it."""
    chain = ops.Compose(parts)
    forward = matrix_of(chain, shape)
    return forward, matrix_of(chain.pinv, ops.measure_shape(chain, shape)), np.linalg.pinv(forward, rcond=1e-4)


@pytest.mark.parametrize("parts", EXACT.values(), ids=EXACT)
def test_the_pseudo_inverse_of_a_chain(parts, matrix_of):
    _, inverse, wanted = matrices(parts, matrix_of)
    np.testing.assert_allclose(inverse, wanted, atol=1e-4)


@pytest.mark.parametrize("parts", RIGHT.values(), ids=RIGHT)
def test_a_right_inverse_only(parts, matrix_of):
    forward, inverse, wanted = matrices(parts, matrix_of, (8, 4, 3))  # a side of 4 has too few frequencies to tell
    np.testing.assert_allclose(forward @ inverse, np.eye(len(forward)), atol=1e-4)
    assert np.linalg.norm(inverse) > 1.01 * np.linalg.norm(wanted)  # of least norm is the other


@pytest.mark.parametrize("parts", APPROXIMATE.values(), ids=APPROXIMATE)
def test_an_approximation_only(parts, matrix_of):
    forward, inverse, _ = matrices(parts, matrix_of)
    assert not np.allclose(forward @ inverse @ forward, forward, atol=1e-2)


def test_the_part_without_one_is_named():
    y = jnp.zeros((2, 2, 1))
    with pytest.raises(InputError, match="Part 2 of the chain, Bicubic, has no pseudo-inverse in closed form"):
        ops.Compose((ops.Identity(), ops.Bicubic(2), ops.Grayscale())).pinv(y)
    with pytest.raises(InputError, match="for the circular boundary, not for 'reflect'"):
        ops.Compose((ops.Blur(KERNEL), ops.Grayscale())).pinv(y)
