"""What a choice of a method is: the tasks that it serves, the flags that it takes, and what it is settled to."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from jaxrestore._ranges import check_ranges
from jaxrestore.cli.flags import AlbumFlags, MethodFlags, as_flag, given
from jaxrestore.cli.settled import Settled
from jaxrestore.diffusion.prior import Prior
from jaxrestore.errors import InputError
from jaxrestore.stopping import Rule, any_of, discrepancy, flat_variance, plateau

ALBUM = ("album", "depth", "finetune_steps", "save_prior")
STOPPING = ("discrepancy", "slope", "window")
DESCENT = ("noise_lr", "operator_lr", "gradient", *STOPPING, "noise_level", "keep_known")
GUIDED = "; derivatives of the network"


@dataclass(frozen=True)
class Choice(ABC):
    """A method of --method."""

    tunable: ClassVar[bool] = False  # whether it has numbers that `jaxrestore tune` compares
    name: str
    settings: str  # the name that its settings stand under
    paper: str
    needs: str  # of what is told
    blind: bool = False  # for the task of which nothing is told, or for others
    tasks: tuple[str, ...] | None = None  # those that it serves; None: all of these
    unused: tuple[str, ...] = ()  # flags that it has no use for
    complaint: str = ""  # about one of them

    def serves(self, task: str, blind: bool) -> bool:
        """Whether it is for a task of that name, of which nothing is told or something."""
        return self.blind == blind and (self.tasks is None or task in self.tasks)

    def check(self, method: MethodFlags, album: AlbumFlags) -> None:
        """InputError for a flag that it has no use for."""
        if ALBUM[0] in self.unused and (foreign := given(album)):
            raise InputError(f"{as_flag(foreign[0])} is for --method gen2res.")
        if idle := [flag for flag in self.unused if flag in given(method)]:
            raise InputError(self.complaint.format(as_flag(idle[0])))

    def settled_with(self, settings: Any) -> Settled:
        """With just those settings; of a method that is tunable."""
        raise NotImplementedError

    @abstractmethod
    def settle(self, method: MethodFlags, album: AlbumFlags, prior: Prior, kind: str) -> Settled:
        """With the preset's settings for a kind of problem, those that flags name in their place; InputError for what can't
        be meant."""


@dataclass(frozen=True)
class Random(Choice):
    """One that draws at random, so that of its restarts there is a mean alone."""

    def check(self, method: MethodFlags, album: AlbumFlags) -> None:
        super().check(method, album)
        if method.combine == "best":
            raise InputError(f"--method {self.name} draws at random, and no draw is best: give --combine mean.")


def stopping_rule(flags: MethodFlags) -> Rule | None:
    """Any of the rules that flags name, or None for the settings' own; InputError for numbers that can't be meant."""
    check_ranges(flags, as_flag)
    if flags.window == 1:
        raise InputError("--window must be 0 or at least 2: one image has no variance.")
    rules: list[Rule] = []
    if flags.discrepancy:
        rules.append(discrepancy(flags.discrepancy))
    if flags.slope:
        rules.append(plateau(flags.slope))
    if flags.window:
        rules.append(flat_variance(flags.window))
    return any_of(*rules) if rules else None
