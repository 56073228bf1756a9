"""The methods of the command line that fit an untrained network, and know of the prior no more than its images' size."""

from dataclasses import dataclass

from jaxrestore.cli.choosing import ALBUM, Choice, stopping_rule
from jaxrestore.cli.flags import AlbumFlags, MethodFlags
from jaxrestore.cli.settled import Constructor, Fitting
from jaxrestore.diffusion.prior import Prior
from jaxrestore.methods import Settings, dip, settings_for
from jaxrestore.methods.settings import changed


@dataclass(frozen=True)
class Fit(Choice):
    """A network's weights, by Adam."""

    constructor: Constructor = dip

    def settle(self, method: MethodFlags, album: AlbumFlags, prior: Prior, kind: str) -> Fitting:
        preset = settings_for(self.settings, kind, prior, method.preset)
        chosen = changed(preset, iterations=method.iterations, operator_lr=method.operator_lr)
        told = Settings(kernel=chosen.kernel, boundary=chosen.boundary)
        combine = method.combine or ("mean" if self.constructor is dip else "best")
        return Fitting(self.constructor, chosen, stopping_rule(method), method.restarts or 1, combine, told)


def fit(
    name: str, constructor: Constructor, paper: str, needs: str, tasks: tuple[str, ...], unused: tuple[str, ...]
) -> Fit:
    """A fit's choice: what it needs of an operator, the tasks that have such a one, the flags that it has no use for."""
    return Fit(
        name,
        name,
        paper,
        f"{needs}; no prior",
        tasks=tasks,
        unused=(*ALBUM, "noise_lr", "gradient", *unused),
        complaint=f"--method {name} has no use for {{}}.",
        constructor=constructor,
    )
