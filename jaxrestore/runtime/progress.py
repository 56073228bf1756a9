"""The bar of a long loop."""

from typing import Any


def progress_bar(total: int, unit: str, show: bool, done: int = 0) -> Any:
    """A bar of tqdm at a terminal, if `show`; a context manager. `done`: what an earlier run did."""
    from tqdm import tqdm

    return tqdm(total=total, initial=done, unit=unit, disable=None if show else True, leave=False)
