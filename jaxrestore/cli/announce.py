"""What a run says on standard error: what it will do, and for about how long, before it has done it."""

import math
from pathlib import Path
from time import perf_counter

import jax
import jax.numpy as jnp

from jaxrestore.cli.batches import Batch
from jaxrestore.cli.console import say
from jaxrestore.cli.plan import Plan
from jaxrestore.diffusion.prior import Prior
from jaxrestore.diffusion.tiling import tiles_of
from jaxrestore.methods import Method
from jaxrestore.runtime.compiling import outermost
from jaxrestore.runtime.progress import duration
from jaxrestore.solve.record import Record

LONG = 10  # seconds that are worth a line


class Announcer:
    """Says both once for a run over `batches`, the second as soon as a batch tells."""

    def __init__(self, plan: Plan):
        self.options, self.batches = plan.options, list[Batch]()
        self.begun = self.estimated = plan.run.quiet
        self.compiled = False
        # elsewhere the score is of the degradation, or of what the prior made of the image (docs/novelty.md)
        put_back = plan.task.name == "inpaint" and plan.sigma == 0 and plan.keep_known is not False
        seen = plan.task.name == "denoise" or put_back
        self.tells_kinds = seen and not plan.run.quiet

    def begins(self, method: Method) -> None:
        """A batch is about to be restored."""
        if not self.begun:
            say(work(self.options, sum(len(batch.entries) for batch in self.batches), method))
        self.begun = True

    def lasts(self, batch: Batch, seconds: float) -> None:
        """The rest of a batch will last so long."""
        self._estimate(seconds * (len(self.batches) - self.batches.index(batch)))

    def lasted(self, batch: Batch, seconds: float) -> None:
        """A batch has lasted so long, too short for an estimate on its way; the first with compiling, which isn't one."""
        if self.compiled:
            self._estimate(seconds * (len(self.batches) - self.batches.index(batch) - 1))
        self.compiled = True

    def written(self, path: Path, record: Record) -> None:
        """An image has been restored: it is named if it is of another kind than the prior's."""
        novelty = record.get("novelty", {})
        score, limit = novelty.get("score", 0.0), novelty.get("limit")
        if self.tells_kinds and limit is not None and score > limit:
            say(
                f"{path} is unlike the photographs that {self.options['prior']} knows (novelty {score:.1f}; theirs is below "
                f"{limit:g}): details that those lack may be lost"
            )

    def _estimate(self, seconds: float) -> None:
        if not self.estimated and seconds >= LONG:
            say(f"about {duration(seconds)} from now")
        self.estimated |= seconds > 0


_predict = outermost(Prior.predict_noise)


def seconds_in_parts(method: Method, prior: Prior, at_once: int) -> float:
    """For about how long a method will search over an image that is evaluated in tiles of a prior, by the prior's own
    evaluation of so many of them; over one of any size, by that of a part of it. Steps on the data aren't counted."""
    parts = tiles_of(method.prior)
    if parts == 1:
        at_once, parts = 1, math.prod(method.prior.shape) / math.prod(prior.shape)
    x, t = jnp.zeros((at_once, *prior.shape)), jnp.int32(0)
    seconds = []
    for _ in range(4):  # the first compiles; the least of the others is what other programs disturbed least
        began = perf_counter()
        jax.block_until_ready(_predict(prior, x, t))
        seconds.append(perf_counter() - began)
    return min(seconds[1:]) / at_once * parts * evaluations(method)


def evaluations(method: Method) -> int:
    """Network evaluations of an image's searches, in each tile; 0 where it isn't known."""
    if method.evaluations is None:
        return 0
    return (method.evaluations_before + method.evaluations * method.iterations) * method.restarts


def work(options: Record, images: int, method: Method) -> str:
    """What will be done to so many images, and what it costs.

    >>> import jax.numpy as jnp, jaxrestore as jr
    >>> method = jr.bird(jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.5), jr.Identity(), iterations=50, restarts=4, skip=250)
    >>> work({"task": "denoise", "method": "bird", "prior": "flowers64"}, 3, method)
    'denoise by bird with flowers64: 3 images, 50 iterations x 4 restarts, 800 network evaluations an image'
    """
    tiles, of_each = tiles_of(method.prior), _counted(method.iterations, "iteration")
    if method.restarts > 1:
        of_each += f" x {method.restarts} restarts"
    if tiles > 1:
        of_each += f" in {tiles} tiles"
    if number := tiles * evaluations(method):
        of_each += f", {_counted(number, 'network evaluation')} an image"
    return f"{options['task']} by {options['method']} with {options['prior']}: {_counted(images, 'image')}, {of_each}"


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' if number > 1 else ''}"
