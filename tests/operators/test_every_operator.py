"""What holds of every operator: it is the same under jit and vmap, a pytree, says its kind, what is unknown, and itself."""

import json
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrestore import operators as ops
from jaxrestore.operators.chains import parse

KERNEL = np.random.default_rng(0).random((5, 7)).astype(np.float32)
SQUARE = jnp.asarray(KERNEL[:, :5])
SOFTMAX = ops.SoftmaxKernel(5)
GAUSSIAN = (".log_sigmas", ".angle", ".offset")
STREAKS = (".amplitude", ".angle", ".log_length")


class Case(NamedTuple):
    operator: ops.Operator
    kind: str
    unknown: tuple[str, ...] = ()  # the last names on the ways to its unknown leaves, in their order
    linear: bool = True
    described: bool = True
    shape: tuple[int, int, int] = (12, 8, 3)


def blur(kernel):
    return ops.Blur(kernel, algorithm="direct")


CASES = {
    "identity": Case(ops.Identity(), "denoise", described=False),
    "mask": Case(ops.Mask(np.random.default_rng(1).integers(0, 2, (12, 8))), "inpaint", described=False),
    "few pixels": Case(ops.Mask(np.eye(12, 8), kind="compressed-sensing"), "compressed-sensing", described=False),
    "pool": Case(ops.AveragePool(4), "super-resolution"),
    "stride": Case(ops.Stride(2), "super-resolution"),
    "bicubic": Case(ops.Bicubic(4), "super-resolution"),
    "grey": Case(ops.Grayscale(), "colorize"),
    "tomograph": Case(ops.ParallelBeam([0, 17, 45, 90, 123]), "tomography", described=False, shape=(8, 8, 3)),
    "codec": Case(ops.Jpeg(40), "jpeg", linear=False),
    "unknown codec": Case(ops.Jpeg(40, unknown=True), "jpeg", (".log_scale",), linear=False),
    "tone": Case(ops.Tone(0.5, (1.2, 0.8), 1.5), "exposure", linear=False),
    "unknown tone": Case(
        ops.Tone(0.5, unknown=("log_balance", "stops")), "exposure", (".stops", ".log_balance"), linear=False
    ),
    "rain": Case(ops.RainLayer((12, 8), length=1.0), "derain", STREAKS, linear=False),
    "rain of a known angle": Case(
        ops.RainLayer((12, 8), 1.0, 0.5, unknown=("amplitude",)), "derain", (".amplitude",), linear=False
    ),
    **{
        f"blur-{boundary}-{algorithm}": Case(ops.Blur(KERNEL, boundary, algorithm), "deblur")
        for boundary in ("zero", "reflect", "circular", "valid")
        for algorithm in ("direct", "fft")
    },
    "square blur": Case(blur(SQUARE), "deblur"),
    "gaussian": Case(blur(ops.GaussianKernel(5, (2.0, 1.0), 0.3, (0.5, -0.5))), "deblur"),
    "unknown gaussian": Case(blur(ops.GaussianKernel(5, unknown=True)), "blind-deblur", GAUSSIAN),
    "unknown angle": Case(blur(ops.GaussianKernel(5, unknown=("angle",))), "blind-deblur", (".angle",)),
    "disc": Case(blur(ops.DiscKernel(5, 1.6)), "deblur"),
    "unknown disc": Case(blur(ops.DiscKernel(5, unknown=True)), "blind-deblur", (".radius",)),
    "unknown kernel": Case(blur(SOFTMAX), "blind-motion-deblur", (".logits",)),
    "known softmax": Case(blur(ops.SoftmaxKernel(5, 1.0, unknown=False)), "deblur"),
    "generated kernel": Case(
        blur(ops.GeneratedKernel(5, jax.random.key(0), inputs=4, hidden=6)),
        "blind-motion-deblur",
        (".hidden_weight", ".hidden_bias", ".output_weight", ".output_bias"),
    ),
    "varying": Case(
        ops.VaryingBlur((SQUARE, SOFTMAX, SOFTMAX, SQUARE), (12, 8)),
        "nonuniform-deblur",
        (".logits", ".logits"),
        described=False,
    ),
    "blurred and reduced": Case(
        ops.Compose((blur(SOFTMAX), ops.AveragePool(2))), "blind-super-resolution", (".logits",)
    ),
    "blurred, but for the border, and reduced": Case(
        ops.Compose((ops.Blur(SOFTMAX, "valid"), ops.AveragePool(2))), "blind-super-resolution", (".logits",)
    ),
    "old photo": Case(
        ops.Compose((blur(ops.GaussianKernel(5, unknown=True)), ops.Stride(2), ops.Grayscale())), "old-photo", GAUSSIAN
    ),
    "known chain": Case(ops.Compose((blur(SQUARE), ops.AveragePool(2))), "operator"),
    "other chain": Case(
        ops.Compose((ops.Mask(np.eye(12, 8)), ops.Jpeg(40, unknown=True))),
        "operator",
        (".log_scale",),
        linear=False,
        described=False,
    ),
}
each = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
apply = jax.jit(lambda operator, image: operator(image))
of_batch = jax.jit(lambda operator, batch: (operator(batch), jax.vmap(operator)(batch)))
adjoint = jax.jit(ops.adjoint, static_argnums=2)


def picture(case):
    return jax.random.uniform(jax.random.key(0), case.shape, minval=-1)


def assert_same(case, one, other):
    """Up to rounding; in a codec a tie may be rounded either way."""
    if not case.linear and case.kind in ("jpeg", "operator"):
        assert jnp.mean(jnp.abs(one - other)) < 1e-3
    else:
        np.testing.assert_allclose(one, other, atol=1e-5)


@each
def test_batches_jit_vmap_and_dtype(case):
    operator, image = case.operator, picture(case)
    eager, other = operator(image), apply(operator, -image)
    assert ops.measure_shape(operator, image.shape) == eager.shape
    for batched in of_batch(operator, jnp.stack([image, -image])):
        assert_same(case, batched[0], eager)
        assert_same(case, batched[1], other)
    half = jax.eval_shape(operator, jax.ShapeDtypeStruct(image.shape, jnp.bfloat16))
    assert half.dtype == jnp.bfloat16


@each
def test_a_pytree_is_rebuilt_as_it_was(case):
    """Also around things that no constructor would take; and leaves are named as fields are."""
    operator = case.operator
    leaves, structure = jax.tree.flatten(operator)
    again = jax.tree.unflatten(structure, leaves)
    assert type(again) is type(operator)
    assert jax.tree.structure(again) == structure
    assert all(one is other for one, other in zip(jax.tree.leaves(again), leaves, strict=True))
    hollow = jax.tree.map(lambda _: "placeholder", operator)
    assert jax.tree.leaves(hollow) == ["placeholder"] * len(leaves)
    assert isinstance(operator, ops.Operator)
    for path, leaf in jax.tree.leaves_with_path(operator):
        node = operator
        for key in path:
            node = getattr(node, key.name) if hasattr(key, "name") else node[key.idx]
        assert node is leaf


def test_different_operators_have_different_structures():
    """Or a program compiled for one would be taken for the other."""
    structures = [(type(case.operator), jax.tree.structure(case.operator)) for case in CASES.values()]
    assert all(one[1] != other[1] for one in structures for other in structures if one[0] is not other[0])
    kernels = ops.GaussianKernel(5), ops.GaussianKernel(5, unknown=True), ops.GaussianKernel(7)
    assert len({jax.tree.structure(kernel) for kernel in kernels}) == 3


@each
def test_kinds(case):
    assert ops.kind_of(case.operator) == case.kind


@each
def test_what_is_unknown_can_be_taken_out_and_put_back(case):
    unknown, known = ops.partition(case.operator)
    assert tuple(str(path[-1]) for path, _ in jax.tree.leaves_with_path(unknown)) == case.unknown
    assert len(jax.tree.leaves(unknown)) + len(jax.tree.leaves(known)) == len(jax.tree.leaves(case.operator))
    assert ops.is_blind(case.operator) == bool(case.unknown)
    joined = ops.combine(unknown, known)
    assert jax.tree.structure(joined) == jax.tree.structure(case.operator)
    assert all(one is other for one, other in zip(jax.tree.leaves(joined), jax.tree.leaves(case.operator), strict=True))


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.linear])
def test_adjoint_identity(name):
    case = CASES[name]
    image = picture(case)
    measured = apply(case.operator, image)
    other = jax.random.normal(jax.random.key(1), measured.shape)
    back = adjoint(case.operator, other, image.shape)
    np.testing.assert_allclose(jnp.vdot(measured, other), jnp.vdot(image, back), rtol=1e-4, atol=1e-4)


@each
def test_what_is_described_can_be_read_again(case):
    """As a known operator that does the same; the streaks of rain alone start anew."""
    described = ops.described(case.operator)
    assert (described is not None) == case.described
    if case.described:
        again = parse(json.loads(json.dumps(described)), case.shape[:2])
        assert ops.is_blind(again) == (case.kind == "derain")
        image = picture(case)
        assert jnp.mean(jnp.abs(apply(again, image) - apply(case.operator, image))) < 1e-3


@each
def test_a_measurement_can_be_shown_and_has_its_defaults(case):
    y = apply(case.operator, picture(case))
    assert jax.eval_shape(ops.shown, case.operator, y).shape[-1] == 3
    assert ops.is_picture(case.operator) == (case.kind != "tomography")
    assert float(ops.penalty(case.operator)) >= 0
    assert jax.tree.structure(ops.begin(case.operator, y)) == jax.tree.structure(case.operator)
    assert all(kernel.shape in ((5, 5), (5, 7)) for kernel in ops.kernels_of(case.operator))
