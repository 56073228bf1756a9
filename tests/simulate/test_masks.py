"""Masks: which pixels are known."""

import jax
import numpy as np
import pytest

from jaxrestore import simulate
from jaxrestore.errors import InputError


def test_masks():
    box = simulate.box_mask((10, 12), 4)
    assert box.shape == (10, 12)
    assert (1 - box).sum() == 16
    np.testing.assert_array_equal(box, box[::-1, ::-1])
    few = simulate.random_mask(jax.random.key(0), (64, 64), 0.05)
    assert few.sum() == round(0.05 * 64 * 64)
    assert (few != simulate.random_mask(jax.random.key(1), (64, 64), 0.05)).any()
    text = simulate.text_mask((64, 64), "flower")
    assert 0.6 < text.mean() < 0.95
    assert (text.reshape(4, 16, 64).min(axis=(1, 2)) == 0).all()  # every quarter is written on


@pytest.mark.parametrize(
    ("draw", "sentence"),
    [
        (lambda: simulate.box_mask((8, 8), 8), "must lie between 1 and 7"),
        (lambda: simulate.random_mask(jax.random.key(0), (8, 8), 0.0), "fraction"),
        (lambda: simulate.text_mask((8, 8), " "), "no text"),
    ],
)
def test_what_cant_be_meant_gets_a_sentence(draw, sentence):
    with pytest.raises(InputError, match=sentence):
        draw()
