"""Deep image prior: an untrained network fitted to the measurement (Ulyanov, Vedaldi & Lempitsky, CVPR 2018, arXiv
1711.10925).

A convolutional encoder-decoder of random weights, of a fixed random code, learns to explain y through H. It learns what
photographs have before it learns noise, and is stopped between the two: after as many iterations as are published, or by
a rule that sees the image settle (`flat_variance`, made for it). The code is shaken anew in each iteration, and the
result is a moving average of outputs.

What is our reading: sizes are enlarged by repetition, borders padded with zeros, and one network serves every task, where
the published code has its own for some.
"""

from dataclasses import dataclass, replace

from jaxrestore._pytree import register
from jaxrestore.diffusion.prior import Prior
from jaxrestore.errors import InputError
from jaxrestore.methods.contract import Combine
from jaxrestore.methods.settings import Scalar, changed, settings_of
from jaxrestore.methods.untrained import Untrained, UntrainedSettings, parts_of
from jaxrestore.operators import Operator, is_blind, kind_of
from jaxrestore.stopping import Rule

# The published code's rates, widths, noise and average, and its iterations for denoising, fourfold super-resolution,
# inpainting.
PUBLISHED = {"any": UntrainedSettings()}
PUBLISHED["super-resolution"] = replace(PUBLISHED["any"], iterations=2000, jitter=0.03)
PUBLISHED["inpaint"] = replace(PUBLISHED["any"], iterations=6000, jitter=0.03)


@register
@dataclass(frozen=True, kw_only=True)
class Dip(Untrained):
    """A step of Adam is an iteration; `dip` makes it."""


def dip(
    prior: Prior,
    operator: Operator,
    *,
    settings: UntrainedSettings | None = None,
    kind: str | None = None,
    sigma_y: Scalar = 0.0,
    lr: Scalar | None = None,
    iterations: int | None = None,
    channels: int | None = None,
    levels: int | None = None,
    skip: int | None = None,
    inputs: int | None = None,
    jitter: Scalar | None = None,
    average: Scalar | None = None,
    variation: Scalar | None = None,
    restarts: int = 1,
    combine: Combine = "mean",
    stop: Rule | None = None,
) -> Dip:
    """An image ``[h, w, c]``, in [-1, 1], that a network makes which has seen nothing but y, of a known, differentiable
    `operator`.

    Of the `prior` its image's shape and its settings are taken, and it is never evaluated: where there is none,
    `gaussian_prior(jnp.zeros(shape), 1.0)` will do. `lr`: Adam's rate, from 0 on. `channels` of each layer, `levels` of
    halved size, `skip` channels across, `inputs` of the code: of the network. `jitter`, from 0 on: the deviation of noise
    on the code, itself in [0, 0.1]. `average`, in [0, 1]: the last image's weight in the moving average. `variation`,
    from 0 on: a weight of the total variation. `iterations`: at most, each an evaluation of the network and a derivative;
    `stop`: a rule that ends them. `sigma_y`, the rms of y's noise in units of [-1, 1], rates answers and serves rules.
    What isn't given comes from `settings`, without those from the prior, for the `kind` of problem (default: the
    operator's), or from what is published. Entries that weren't measured (a mask's) are no part of the loss. InputError
    for a number out of its range, an image of odd sides, an operator without derivatives or of which something is
    unknown.

    >>> import jax, jax.numpy as jnp, jaxrestore as jr
    >>> shape = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 1.0)
    >>> method = jr.dip(shape, jr.AveragePool(2), iterations=20, channels=4, levels=1, average=0.0)
    >>> result = jr.restore(method, jnp.full((4, 4, 3), 0.5), jax.random.key(0))
    >>> result.image.shape, bool(result.data_term < result.history[0])
    ((8, 8, 3), True)
    """
    if is_blind(operator):
        raise InputError(
            f"dip restores by a known operator, and of this {type(operator).__name__} something is unknown: give its "
            "values, or take selfdeblur, which estimates them."
        )
    chosen = changed(
        settings or settings_of("dip", PUBLISHED, prior, kind or kind_of(operator)),
        lr=lr,
        iterations=iterations,
        channels=channels,
        levels=levels,
        skip=skip,
        inputs=inputs,
        jitter=jitter,
        average=average,
        variation=variation,
    )
    return Dip(**parts_of("dip", prior, operator, chosen, sigma_y, restarts, combine, stop))
