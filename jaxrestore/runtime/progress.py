"""The progress of a long loop: a bar that moves and ticks, and how long the rest will take."""

import contextlib
import shutil
import threading
from collections.abc import Callable, Iterator
from typing import Any

MOVE = 1.0  # seconds after which a bar should have moved
KNOWN = 2.0  # seconds of iterations that say how long the rest will take

Estimate = Callable[[float], None]  # takes seconds


@contextlib.contextmanager
def progress_bar(total: int, unit: str, show: bool, done: int = 0, tick: float = 1.0) -> Iterator[Any]:
    """A bar of tqdm at a terminal, if `show`; its clock ticks while an iteration lasts. `done`: what an earlier run did."""
    from tqdm import tqdm

    columns, lines = shutil.get_terminal_size()  # 80 x 24 of a terminal that doesn't know: in 0 x 0 nothing is shown
    disable = None if show else True  # None: where there is no terminal
    with tqdm(total=total, initial=done, unit=unit, disable=disable, leave=False, ncols=columns, nrows=lines) as bar:
        if bar.disable:
            yield bar
            return
        ended = threading.Event()

        def refresh() -> None:
            while not ended.wait(tick):
                bar.refresh()

        clock = threading.Thread(target=refresh, name="clock of a bar", daemon=True)
        clock.start()
        try:
            yield bar
        finally:
            ended.set()
            clock.join()


class Pace:
    """How fast the iterations of a loop are: how many to run before the bar moves, and how long all will take.

    `on_estimate` is called once with the seconds that the rest of the bar will take, as soon as they are known.

    >>> with progress_bar(60, "it", show=False) as bar:
    ...     pace = Pace(bar, print)
    ...     pace.count(10)
    ...     pace.ran(1, 0.25)
    ...     pace.count(10)
    ...     pace.ran(9, 2.25)
    1
    4
    12.5
    """

    def __init__(self, bar: Any, on_estimate: Estimate | None):
        self.bar, self.on_estimate = bar, on_estimate
        self.iterations, self.seconds, self.left = 0, 0.0, bar.total

    @property
    def watched(self) -> bool:
        """Whether anybody wants to know."""
        return not self.bar.disable or self.on_estimate is not None

    def count(self, most: int) -> int:
        """How many of `most` iterations to run at once."""
        if not self.watched:
            return most
        each = self.seconds / self.iterations if self.iterations else MOVE
        return max(1, min(most, int(MOVE / max(each, 1e-6))))

    def ran(self, iterations: int, seconds: float) -> None:
        """So many were run in so many seconds."""
        self.iterations, self.seconds = self.iterations + iterations, self.seconds + seconds
        self.skipped(iterations)
        if self.on_estimate is not None and self.seconds >= KNOWN:
            self.on_estimate(self.left * self.seconds / self.iterations)
            self.on_estimate = None

    def skipped(self, iterations: int) -> None:
        """So many need not be run: an earlier run did them, or all searches have ended."""
        self.left -= iterations
        self.bar.update(iterations)


def duration(seconds: float) -> str:
    """A length of time as one says it.

    >>> [duration(seconds) for seconds in (8.0, 99.0, 5400.0, 300000.0)]
    ['8 s', '99 s', '90 min', '83 h']
    """
    for unit, size in (("s", 1), ("min", 60)):
        if seconds < 120 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 3600:.0f} h"
