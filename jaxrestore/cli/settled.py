"""What a choice of a method is settled to: the method with all its settings, which makes that of any image."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Array

from jaxrestore.diffusion.prior import Prior
from jaxrestore.methods import (
    CalibratedSettings,
    Constraint,
    DreamCleanSettings,
    LiteralSettings,
    Method,
    Settings,
    UntrainedSettings,
    dreamclean,
    gen2res,
    invert2restore,
)
from jaxrestore.methods.contract import Combine
from jaxrestore.methods.settings import WalkSettings, values_of
from jaxrestore.operators import Operator
from jaxrestore.solve.record import Record
from jaxrestore.stopping import Rule

Constructor = Callable[..., Method]  # of the library's
TOLD_NOTHING, TOLD_OPERATOR = Settings(identity=True), Settings()


@runtime_checkable
class Settled(Protocol):
    """A method with all its settings, but for prior, operator and noise."""

    @property
    def restarts(self) -> int: ...

    @property
    def combine(self) -> Combine: ...

    @property
    def operator_settings(self) -> Settings:
        """What is said of the operator that is made for it."""
        ...

    @property
    def about(self) -> Record:
        """What the record says of it, beside the settings of the method itself."""
        ...

    @property
    def noise_aware(self) -> bool:
        """Whether what becomes of an image depends on its noise level, and not only which restart is best."""
        ...

    def method(self, prior: Prior, operator: Operator, sigma_y: float | Array) -> Method:
        """For images of a prior that an operator measures with noise of that rms."""
        ...


@dataclass(frozen=True)
class Descending:
    """BIRD, SHRED, Invert2Restore with an operator."""

    constructor: Constructor
    settings: Settings
    stop: Rule | None

    @property
    def noise_aware(self) -> bool:
        """Its steps on an operator count the noise."""
        return self.settings.operator_every > 0

    @property
    def restarts(self) -> int:
        return self.settings.restarts

    @property
    def combine(self) -> Combine:
        return self.settings.combine

    @property
    def operator_settings(self) -> Settings:
        return self.settings

    @property
    def about(self) -> Record:
        return {}

    def method(self, prior: Prior, operator: Operator, sigma_y: float | Array) -> Method:
        return self.constructor(prior, operator, settings=self.settings, sigma_y=sigma_y, stop=self.stop)


class BlindlyDescending(Descending):
    """DIIP, which takes no operator."""

    def method(self, prior: Prior, operator: Operator, sigma_y: float | Array) -> Method:
        return self.constructor(prior, settings=self.settings, sigma_y=sigma_y, stop=self.stop)


@dataclass(frozen=True)
class Rounds:
    """Invert2Restore without an operator: it searches nothing, and has one answer."""

    settings: CalibratedSettings | LiteralSettings
    restarts: int = 1
    combine: Combine = "best"
    operator_settings: Settings = TOLD_NOTHING
    noise_aware: bool = False

    @property
    def about(self) -> Record:
        return {}

    def method(self, prior: Prior, operator: Operator, sigma_y: float | Array) -> Method:
        return invert2restore(prior, settings=self.settings)


@dataclass(frozen=True)
class Drawing:
    """Gen2Res: each restart is a random draw."""

    constraint: Constraint
    restarts: int
    combine: Combine = "mean"
    operator_settings: Settings = TOLD_NOTHING
    noise_aware: bool = False

    @property
    def about(self) -> Record:
        return {"constraint": values_of(self.constraint)}

    def method(self, prior: Prior, operator: Operator, sigma_y: float | Array) -> Method:
        return gen2res(prior, settings=self.constraint, restarts=self.restarts)


@dataclass(frozen=True)
class Cleaning:
    """DreamClean: each restart has fresh noise of its own."""

    settings: DreamCleanSettings
    restarts: int
    combine: Combine = "mean"
    operator_settings: Settings = TOLD_NOTHING
    noise_aware: bool = False

    @property
    def about(self) -> Record:
        return {}

    def method(self, prior: Prior, operator: Operator, sigma_y: float | Array) -> Method:
        return dreamclean(prior, settings=self.settings, restarts=self.restarts)


@dataclass(frozen=True)
class Sampling:
    """DPS and its like, through a known operator or one that is estimated on the way: each restart is a draw."""

    constructor: Constructor
    settings: WalkSettings
    restarts: int
    noise_aware: bool
    combine: Combine = "mean"
    operator_settings: Settings = TOLD_OPERATOR

    @property
    def about(self) -> Record:
        return {}

    def method(self, prior: Prior, operator: Operator, sigma_y: float | Array) -> Method:
        return self.constructor(
            prior, operator, settings=self.settings, sigma_y=sigma_y, restarts=self.restarts, combine=self.combine
        )


@dataclass(frozen=True)
class Fitting:
    """DIP, SelfDeblur: each restart is a network of its own."""

    constructor: Constructor
    settings: UntrainedSettings
    stop: Rule | None
    restarts: int
    combine: Combine
    operator_settings: Settings
    noise_aware: bool = False

    @property
    def about(self) -> Record:
        return {}

    def method(self, prior: Prior, operator: Operator, sigma_y: float | Array) -> Method:
        how = {"restarts": self.restarts, "combine": self.combine, "stop": self.stop}
        return self.constructor(prior, operator, settings=self.settings, sigma_y=sigma_y, **how)
