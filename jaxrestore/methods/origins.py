"""Where a search may start that is not fresh noise: at the noise of what fully blind restoration makes of the measurement."""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxrestore._pytree import register
from jaxrestore.density.corrections import mix
from jaxrestore.diffusion.ddim import ascend
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.schedule import TimeGrid
from jaxrestore.methods.calibrated import CalibratedSettings, calibrated_rounds


@register
@dataclass(frozen=True)
class Origin:
    """Invert2Restore's stages as a start: rectify, then find the noise of the result on the search's own grid.

    A measurement of another size or in grey is enlarged, or repeated, first. `fresh` is the weight of fresh noise that is
    mixed in (variance preserved), for restarts to differ; the inversion takes `refinements` fixed-point iterations a step.
    """

    fresh: Any = 0.0
    settings: CalibratedSettings = field(default=CalibratedSettings(), metadata={"static": True})
    refinements: int = field(default=4, metadata={"static": True})

    def __call__(self, prior: Prior, y: Array, fresh: Float[Array, "h w c"], times: TimeGrid) -> Float[Array, "h w c"]:
        picture = jax.image.resize(y, (*prior.shape[:2], y.shape[-1]), "linear")
        picture = jnp.broadcast_to(picture, prior.shape) if y.shape[-1] == 1 else picture
        blind = calibrated_rounds(prior, self.settings.strength, self.settings.untypical, self.settings.noisy)

        def deeper(_: Any, state: Any) -> Any:
            return blind.step(state, picture)[0]

        image = jax.lax.fori_loop(0, blind.iterations, deeper, blind.init(picture, jax.random.key(0))).image
        return mix(ascend(prior, image, times, refinements=self.refinements), fresh, self.fresh)
