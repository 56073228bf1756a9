"""Rectification: move a noise, not far, to where clean photographs' noise lies.

Two ways. `correct` is in closed form: where the energy of a neighbourhood (of pixels; of patches and frequencies) is
untypical for clean photographs, it is brought back. `descend_objective` is by gradient: the nearest noise of small Gaussian-
density objective. Both are our reading of Invert2Restore, of whose rectification no more is known than that it finds local
patches that deviate from normality, by tests, and corrects them. Pure functions of one noise ``[h, w, c]``.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float

from jaxrestore._promotion import against, standard_promotion
from jaxrestore.density.gaussian import BANDS, Terms, band_of, objective
from jaxrestore.density.typical import deviation, from_blocks, from_opponent, on_two_tilings, to_blocks, to_opponent
from jaxrestore.diffusion.statistics import NoiseStatistics


class Strength(NamedTuple):
    """When an energy is untypical, as a multiple of clean photographs' mean, and what is done. Numbers: vmap over them."""

    pixel: Any = 2.0  # of a neighbourhood of 3 x 3 pixels, in one opponent channel
    pixel_power: Any = 0.5  # amplitudes there are divided by this power of the multiple
    local: Any = 3.0  # of a neighbourhood of 3 x 3 patches and 3 x 3 frequencies
    everywhere: Any = 1.5  # of 3 x 3 frequencies over the whole noise: then no local evidence is asked for
    boost: Any = 1.4  # the most by which amplitudes of coarse frequencies are raised, where they have too little


Correction = Callable[[Array, Array, Strength], Array]


class Rectified(NamedTuple):
    noise: Float[Array, "h w c"]
    before: Float[Array, "bands c"]  # z-scores against clean photographs (`typical.deviation`)
    after: Float[Array, "bands c"]
    moved: Float[Array, ""]  # |noise after - before| / sqrt(d)


def rectify(
    noise: Float[Array, "h w c"],
    statistics: NoiseStatistics,
    index: Any,
    strength: Strength | None = None,
    correction: Correction | None = None,
) -> Rectified:
    """The noise corrected at the depth of that index, how untypical it was and is, and how far it moved.

    `correction` is `correct` unless you bring your own: a function of (noise, clean photographs' energy, strength).

    >>> import jax, jaxrestore as jr
    >>> prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.5)
    >>> photographs = 0.5 * jax.random.normal(jax.random.key(0), (8, 8, 8, 3))
    >>> statistics = jr.calibrate(prior, photographs, depths=(100,), steps=2)
    >>> loud = 3 * jax.random.normal(jax.random.key(1), (8, 8, 3))
    >>> rectified = rectify(loud, statistics, 0)
    >>> bool(abs(rectified.after).max() < abs(rectified.before).max())
    True
    """
    corrected = (correction or correct)(noise, statistics.energy[index], strength or Strength())
    moved = jnp.sqrt(jnp.mean((corrected - noise) ** 2))
    return Rectified(corrected, deviation(noise, statistics, index), deviation(corrected, statistics, index), moved)


def correct(
    noise: Float[Array, "h w c"], energy: Float[Array, "p p c"], strength: Strength | None = None
) -> Float[Array, "h w c"]:
    """The noise with untypical energies brought back: outlying pixels first, then the coefficients of patches; or, where
    brightness has lost its coarse frequencies as a whole, those that are too small raised, and nothing else.

    The patches are those of two tilings, half a patch apart, of which the mean is taken: no seams. `energy` is that of clean
    photographs' coefficients (`NoiseStatistics.energy` at a depth).
    """
    strength = strength or Strength()
    lost = has_lost(noise, energy)
    strength = raising(strength, lost)._replace(boost=jnp.where(lost, strength.boost, 1.0))
    calm = correct_pixels(noise, energy, strength)
    return on_two_tilings(lambda noise: correct_coefficients(noise, energy, strength), calm, energy.shape[0])


def has_lost(noise: Float[Array, "h w c"], energy: Float[Array, "p p c"]) -> Bool[Array, ""]:
    """Whether brightness has less energy in coarse frequencies than clean photographs': blur takes away, all else adds."""
    brightness = jnp.mean(to_blocks(noise, energy.shape[0]) ** 2, axis=(0, 2))[..., 0] / energy[..., 0]
    return jnp.mean(brightness.ravel()[band_of(energy.shape[0]) < BANDS // 2]) < 1


def raising(strength: Strength, only: Bool[Array, ""]) -> Strength:
    """The same strength, which does nothing but raise if `only`."""
    limits = {name: jnp.where(only, jnp.inf, getattr(strength, name)) for name in ("pixel", "local", "everywhere")}
    return strength._replace(**limits)


def correct_pixels(
    noise: Float[Array, "h w c"], energy: Float[Array, "p p c"], strength: Strength
) -> Float[Array, "h w c"]:
    """Outliers: rain, edges of drops. What the frequencies of a patch would smear is seen best where it is."""
    values = to_opponent(noise)
    multiple = values**2 / energy.mean((0, 1), keepdims=True)  # by Parseval
    for axis in (0, 1):
        multiple = _mean_of_three(multiple, axis)
    return from_opponent(values * jnp.where(multiple > strength.pixel, multiple**-strength.pixel_power, 1.0))


def correct_coefficients(
    noise: Float[Array, "h w c"], energy: Float[Array, "p p c"], strength: Strength
) -> Float[Array, "h w c"]:
    """Noise, the blocks of a codec: coefficients are divided by the multiple, as Wiener's filter does, where it is large."""
    blocks = to_blocks(noise, energy.shape[0])
    multiple = blocks**2 / against(energy[:, None], blocks)
    local, everywhere = multiple, multiple.mean((0, 2), keepdims=True)
    for axis in range(4):
        local = _mean_of_three(local, axis)
    for axis in (1, 3):
        everywhere = _mean_of_three(everywhere, axis)
    much = (local > strength.local) | ((everywhere > strength.everywhere) & (local > 1))
    coarse = (band_of(energy.shape[0]) < BANDS // 2).reshape(everywhere.shape[1], 1, -1, 1)
    raised = jnp.where(coarse, jnp.clip(everywhere**-0.5, 1.0, strength.boost), 1.0)
    return from_blocks(blocks * jnp.where(much, 1 / local, raised))


def _mean_of_three(values: Array, axis: int) -> Array:
    """The mean of each value and its two neighbours along an axis, the ends repeated; never 0."""
    margin = [(0, 0)] * values.ndim
    margin[axis] = (1, 1)
    padded, n = jnp.pad(values, margin, mode="edge"), values.shape[axis]
    return sum((jax.lax.slice_in_dim(padded, i, i + n, axis=axis) for i in range(3)), jnp.float32(1e-12)) / 3


def descend_objective(
    noise: Float[Array, "h w c"],
    weight: Any = 1e-3,
    *,
    size: int = 8,
    weights: Terms | None = None,
    iterations: int = 100,
    learning_rate: Any = 0.02,
) -> Float[Array, "h w c"]:
    """argmin over z' of mean((z' - z)^2) + weight * objective(z'), by Adam with a rate that decays to 0 (Optax).

    Towards the ideal N(0, I) of `density.gaussian`: where photographs' noise isn't, so that small weights serve best.
    """
    optimizer = optax.adam(optax.cosine_decay_schedule(learning_rate, iterations))

    def loss(moved: Array) -> Array:
        return jnp.mean((moved - noise) ** 2) + weight * objective(moved, size, weights)

    def step(carry: tuple[Array, Any], _: None) -> tuple[tuple[Array, Any], None]:
        moved, state = carry
        gradient = jax.grad(loss)(moved)
        with standard_promotion():
            updates, state = optimizer.update(gradient, state)
        return (jnp.asarray(optax.apply_updates(moved, updates)), state), None

    return jax.lax.scan(step, (noise, optimizer.init(noise)), None, iterations)[0][0]
