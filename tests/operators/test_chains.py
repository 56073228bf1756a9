"""Operators as JSON."""

import contextlib
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxrestore import operators as ops
from jaxrestore.errors import InputError
from jaxrestore.operators.chains import STEPS, parse, read_operator

CHAIN = [
    {"operator": "blur", "kernel": "gaussian", "size": 5, "sigmas": {"unknown": [2, 1]}, "angle": {"unknown": 30}},
    {"operator": "tone", "stops": -1, "gamma": "unknown"},
    {"operator": "reduce", "factor": 4},
    {"operator": "jpeg", "quality": "unknown"},
]


def test_a_chain_knows_what_is_unknown_and_is_written_as_it_is_read():
    operator = parse(CHAIN, (32, 48))
    image = jax.random.uniform(jax.random.key(0), (32, 48, 3), minval=-1)
    apply = jax.jit(lambda operator: operator(image))
    assert apply(operator).shape == (8, 12, 3)
    unknown = jax.tree.leaves_with_path(ops.partition(operator)[0])
    assert sorted(str(path[-1]) for path, _ in unknown) == [".angle", ".log_gamma", ".log_scale", ".log_sigmas"]
    written = json.loads(json.dumps(ops.described(operator)))
    assert [step["operator"] for step in written] == ["blur", "tone", "reduce", "jpeg"]
    again = parse(written, (32, 48))
    assert not ops.is_blind(again)
    assert jnp.mean(jnp.abs(apply(again) - apply(operator))) < 1e-3  # a tie may be rounded either way


def test_rain_is_described_by_what_its_streaks_have_in_common():
    made = ops.described(parse({"operator": "rain", "angle": 20, "length": 2.5}, (32, 32)))
    np.testing.assert_allclose([made["angle"], made["length"]], [20, 2.5], rtol=1e-4)
    assert ops.is_blind(parse(made, (32, 32)))


def test_kernels_of_any_weights():
    unknown = parse({"operator": "blur", "kernel": "any", "size": 3}, (8, 8))
    assert ops.is_blind(unknown)
    made = ops.described(unknown)
    assert np.shape(made["kernel"]) == (3, 3)
    assert not ops.is_blind(parse(made, (8, 8)))
    oblong = parse({"operator": "blur", "kernel": [[0.25, 0.5, 0.25]]}, (8, 8))
    assert ops.described(oblong) == {"operator": "blur", "boundary": "reflect", "kernel": [[0.25, 0.5, 0.25]]}
    start = parse({"operator": "blur", "kernel": {"unknown": [[0, 1, 0], [0, 2, 0], [0, 1, 0]]}}, (8, 8))
    np.testing.assert_allclose(start.kernel()[1], [0, 0.5, 0], atol=1e-5)
    gaussian = parse({"operator": "blur", "kernel": "unknown"}, (8, 8))
    assert len(jax.tree.leaves(ops.partition(gaussian)[0])) == 3
    assert ops.described(ops.Compose((ops.Mask(np.eye(8)), ops.Identity()))) is None


def test_a_disc_of_a_known_or_an_unknown_radius():
    told = {"operator": "blur", "kernel": "disc", "size": 7, "radius": 2.5, "boundary": "valid"}
    known = parse(told, (8, 8))
    assert ops.described(known) == told
    assert not ops.is_blind(known)
    for radius in ({"unknown": 2.5}, "unknown"):
        assert ops.is_blind(parse(told | {"radius": radius}, (8, 8)))
    with pytest.raises(InputError, match=r"Step 1: radius must be one of 0\.001 to 10000, not -1"):
        parse(told | {"radius": -1}, (8, 8))


def test_faults_are_named(tmp_path):
    cases = {
        "at least one step": [],
        "A chain of 300 operators is more than can be compiled: give at most 32.": 300 * [{"operator": "grey"}],
        "Step 1: it must be an object": ["blur"],
        'Step 2: it must be an object with an "operator" of blur': [{"operator": "grey"}, {"operator": "blurr"}],
        "reduce has no scale; it has: factor, by": [{"operator": "reduce", "scale": 4}],
        "factor must be a known whole number from 2 to 64, not 1": [{"operator": "reduce", "factor": 1}],
        "quality must be one of 1 to 99, not 100": [{"operator": "jpeg", "quality": 100}],
        "kernel must be numbers of": [{"operator": "blur", "kernel": [[1, 2], [3]]}],
        "weights of a kernel must be": [{"operator": "blur", "kernel": {"unknown": [[-1]]}}],
        "sigmas must be 2 of": [{"operator": "blur", "sigmas": [1]}],
        "must be odd": [{"operator": "blur", "size": 4}],
        "a parameter is a value": [{"operator": "jpeg", "quality": {"start": 4}}],
        "by must be average or stride or bicubic, not mean": [{"operator": "reduce", "by": "mean"}],
        "boundary must be zero or reflect or circular or valid": [{"operator": "blur", "boundary": "none"}],
        "Step 1: ": [{"operator": "reduce", "factor": 7}],
    }
    path = tmp_path / "chain.json"
    for sentence, steps in cases.items():
        path.write_text(json.dumps(steps))
        with pytest.raises(InputError) as caught:
            read_operator(path, (16, 16))
        assert str(path) in str(caught.value)
        assert sentence in str(caught.value)
    with pytest.raises(InputError, match="can't be read as JSON"):
        read_operator(tmp_path / "none.json", (16, 16))


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 99)
    | st.floats()
    | st.sampled_from(["unknown", "gaussian", "any", "x"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["unknown", "a"]), inner, max_size=1),
    max_leaves=8,
)
names = sorted({name for _, defaults in STEPS.values() for name in defaults((16, 16))})
steps = st.dictionaries(st.sampled_from(names), anything, max_size=3)


@given(name=st.sampled_from(sorted(STEPS)), step=steps)
def test_any_json_is_an_operator_or_a_sentence(name, step):
    with contextlib.suppress(ValueError):
        operator = parse({"operator": name, **step}, (16, 16))
        assert ops.measure_shape(operator, (16, 16, 3))
