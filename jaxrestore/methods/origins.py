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
from jaxrestore.diffusion.schedule import GridName, time_grid
from jaxrestore.methods._invert2restore import Invert2Restore


@register
@dataclass(frozen=True)
class Origin:
    """Invert2Restore's first stages as a start: rectify, then find the noise of the result on the search's own grid.

    A measurement of another size or in grey is enlarged, or repeated, first. `fresh` is the weight of fresh noise that is
    mixed in (variance preserved), for restarts to differ; the inversion takes `refinements` fixed-point iterations a step.
    """

    blind: Invert2Restore
    fresh: Any = 0.0
    refinements: int = field(default=4, metadata={"static": True})

    def __call__(
        self, prior: Prior, y: Array, fresh: Float[Array, "h w c"], skip: int, grid: GridName
    ) -> Float[Array, "h w c"]:
        picture = jax.image.resize(y, (*prior.shape[:2], y.shape[-1]), "linear")
        picture = jnp.broadcast_to(picture, prior.shape) if y.shape[-1] == 1 else picture

        def deeper(_: Any, state: Any) -> Any:
            return self.blind.step(state, picture)[0]

        image = jax.lax.fori_loop(0, self.blind.iterations, deeper, self.blind.init(jax.random.key(0), picture)).image
        noise = ascend(prior, image, time_grid(prior.schedule, skip, grid), refinements=self.refinements)
        return mix(noise, fresh, self.fresh)
