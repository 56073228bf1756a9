"""The samplers of the command line that estimate what is unknown of an operator on their way."""

from dataclasses import dataclass, replace
from typing import Any

from jaxrestore.cli.choosing import ALBUM, GUIDED, STOPPING, Choice
from jaxrestore.cli.flags import AlbumFlags, MethodFlags
from jaxrestore.cli.settled import Constructor, Sampling
from jaxrestore.diffusion.prior import Prior
from jaxrestore.methods import Settings, blind_diffpir, blind_dps, fast_em, gdp, settings_for
from jaxrestore.methods.settings import changed

UNKNOWN = (
    "blind-deblur",
    "blind-motion-deblur",
    "blind-super-resolution",
    "nonuniform-deblur",
    "old-photo",
    "jpeg",
    "derain",
    "exposure",
    "operator",
)


@dataclass(frozen=True)
class BlindSampler(Choice):
    """One that walks down from pure noise and estimates what is unknown of the operator: of its restarts one may be best."""

    tunable = True
    constructor: Constructor = blind_diffpir
    noise_aware: bool = False  # takes --noise-level for what it does

    def settle(self, method: MethodFlags, album: AlbumFlags, prior: Prior, kind: str) -> Sampling:
        preset = settings_for(self.settings, kind, prior, method.preset)
        chosen = changed(preset, steps=method.iterations, operator_lr=method.operator_lr)
        return replace(self.settled_with(chosen), restarts=method.restarts or 1, combine=method.combine or "mean")

    def settled_with(self, settings: Any) -> Sampling:
        told = Settings(kernel=settings.kernel, boundary=settings.boundary)
        return Sampling(self.constructor, settings, 1, self.noise_aware, operator_settings=told)


def blind_sampler(
    name: str, constructor: Constructor, paper: str, guided: str, aware: bool, rate: bool
) -> BlindSampler:
    """A blind sampler's choice: what guides it, whether it takes a noise level, and a rate of the operator."""
    return BlindSampler(
        name,
        name,
        paper,
        f"a differentiable operator, known or not{guided}",
        tasks=UNKNOWN,
        unused=(*ALBUM, "noise_lr", *(() if rate else ("operator_lr",)), "gradient", *STOPPING),
        complaint=f"--method {name} has no use for {{}}.",
        constructor=constructor,
        noise_aware=aware,
    )


BLIND_SAMPLERS = (
    blind_sampler("blind-diffpir", blind_diffpir, "after DiffPIR", "", True, False),
    blind_sampler("fast-em", fast_em, "Fast Diffusion EM, WACV 2024", GUIDED, True, False),
    blind_sampler("blind-dps", blind_dps, "BlindDPS, CVPR 2023", GUIDED, False, True),
    blind_sampler("gdp", gdp, "GDP, CVPR 2023", "", False, True),
)
