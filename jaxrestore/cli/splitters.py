"""The methods of the command line that turn steps on the data and of the prior: nothing is drawn, there is one answer."""

from dataclasses import dataclass
from typing import Any

from jaxtyping import Array

from jaxrestore.cli.choosing import ALBUM, STOPPING, Choice
from jaxrestore.cli.flags import AlbumFlags, MethodFlags
from jaxrestore.cli.settled import TOLD_OPERATOR, Constructor
from jaxrestore.diffusion.prior import Prior
from jaxrestore.methods import Method, Settings, blind_dpir, dpir, settings_for
from jaxrestore.methods.contract import Combine
from jaxrestore.methods.settings import WalkSettings, changed
from jaxrestore.operators import Operator
from jaxrestore.solve.record import Record

SAME = {
    "blind": "denoise",
    "motion-deblur": "deblur",
}  # tasks whose operators are of one kind, which Python's settings go by


@dataclass(frozen=True)
class OneAnswer:
    """DPIR and its blind sibling."""

    constructor: Constructor
    settings: WalkSettings
    operator_settings: Settings = TOLD_OPERATOR
    restarts: int = 1
    combine: Combine = "best"
    noise_aware: bool = True

    @property
    def about(self) -> Record:
        return {}

    def method(self, prior: Prior, operator: Operator, sigma_y: float | Array) -> Method:
        return self.constructor(prior, operator, settings=self.settings, sigma_y=sigma_y)


@dataclass(frozen=True)
class Splitter(Choice):
    """One of them."""

    tunable = True
    constructor: Constructor = dpir

    def serves(self, task: str, blind: bool) -> bool:
        """Told nothing, it has the noise estimated, and takes it away."""
        return self.tasks is not None and task in self.tasks

    def settled_with(self, settings: Any) -> OneAnswer:
        told = {name: getattr(settings, name) for name in ("kernel", "boundary") if hasattr(settings, name)}
        return OneAnswer(self.constructor, settings, Settings(**told))

    def settle(self, method: MethodFlags, album: AlbumFlags, prior: Prior, kind: str) -> OneAnswer:
        preset = settings_for(self.settings, SAME.get(kind, kind), prior, method.preset)
        return self.settled_with(changed(preset, steps=method.iterations))


def splitter(name: str, constructor: Constructor, paper: str, needs: str, tasks: tuple[str, ...]) -> Splitter:
    """A choice: its paper, what it needs of an operator, and the tasks that have such a one."""
    unused = (*ALBUM, "noise_lr", "operator_lr", "gradient", *STOPPING, "restarts", "combine", "uncertainty")
    complaint = f"--method {name} draws nothing, and has no use for {{}}."
    return Splitter(name, name, paper, needs, tasks=tasks, unused=unused, complaint=complaint, constructor=constructor)


BLURS = ("blind-deblur", "blind-motion-deblur")
BLIND_DPIR = splitter("blind-dpir", blind_dpir, "after DPIR", "that one kernel blurred it; a prior of any size", BLURS)
