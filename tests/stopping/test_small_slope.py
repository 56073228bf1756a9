"""DIIP's second rule, on data terms that are given."""

import jax
import numpy as np
import pytest

import jaxrestore as jr
from jaxrestore.stopping import Seen, Status, rule_of


def stop_of(rule, data_terms):
    """The iteration at which a rule ends a search with these data terms, and how; None if it doesn't."""
    memory, image, look = rule.start((2, 2, 3)), np.zeros((2, 2, 3), np.float32), jax.jit(rule.look)
    for iteration, data_term in enumerate(data_terms, 1):
        memory, status = look(memory, Seen(np.int32(iteration), image, np.float32(data_term), np.float32(0)))
        if status != Status.RUNNING:
            return iteration, Status(int(status))
    return None


# Adam's overshoot at the start, with a turn from rise to fall in it, a fall by 1 % an iteration, and one by 0.05 %.
START = [1.0, 1.3, 1.5, 1.5005, 1.4]
FALL = [1.3 * 0.99**k for k in range(200)]
FLAT = [FALL[-1] * 0.9995**k for k in range(1, 30)]


def test_a_start_that_rises_and_turns_is_no_end():
    rule = jr.small_slope()
    assert (rule.fraction, rule.after) == (0.001, 100)
    assert stop_of(rule, START + FALL) is None
    assert stop_of(rule, START + FALL + FLAT) == (len(START + FALL) + 1, Status.FLAT)
    assert stop_of(jr.plateau(0.001, patience=1), START + FALL) == (2, Status.FLAT)  # to which a rise is flat
    assert stop_of(jr.small_slope(after=1), START + FALL) == (4, Status.FLAT)  # the turn: what `after` is for


def test_a_slope_is_small_in_magnitude_and_relative_to_the_data_term_before():
    for scale in (1e-6, 1.0, 1e3):
        for rise, stops in ((1.002, None), (1.0005, 3), (0.9995, 3), (0.998, None), (1.0, 3)):
            found = stop_of(jr.small_slope(0.001, after=1), [scale, 0.9 * scale, 0.9 * rise * scale])
            assert found == (stops and (stops, Status.FLAT))
    assert stop_of(jr.small_slope(0.001, after=1), [0.0, 0.0]) == (2, Status.FLAT)


def test_a_file_names_it_and_numbers_are_checked():
    (rule,) = rule_of([{"rule": "small_slope", "fraction": 0.01, "after": 5}]).rules
    assert rule == jr.small_slope(0.01, 5)
    with pytest.raises(jr.InputError, match="after of a stopping rule must be at least 1, not 0"):
        jr.small_slope(after=0)
    with pytest.raises(jr.InputError, match=r"fraction of a stopping rule must be at least 0, not -1\.0"):
        jr.small_slope(-1.0)
    with pytest.raises(jr.InputError, match="The stopping rule small_slope doesn't take that"):
        rule_of([{"rule": "small_slope", "patience": 1}])
