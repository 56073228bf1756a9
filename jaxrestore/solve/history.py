"""How a search went, as its record keeps it."""

import math
from typing import Any

import numpy as np

from jaxrestore.solve.result import Restoration

POINTS, SEARCHES = 200, 16  # that are kept


def history_of(result: Restoration) -> dict[str, Any]:
    """The data terms on the way, of each search a list, beside the numbers of their iterations: at most `POINTS` of them, of
    at most `SEARCHES` restarts; None for what isn't finite.

    >>> one = Restoration(*[None] * 5, np.int32(3), None, np.float32([0.5, 0.25, 0.125, 0.125]))
    >>> history_of(one)
    {'iterations': [1, 2, 3], 'data_terms': [[0.5, 0.25, 0.125]]}
    """
    searches = result if result.restarts is None else result.restarts
    terms, run = np.atleast_2d(np.asarray(searches.history)), np.atleast_1d(np.asarray(searches.iterations))
    last = max(1, min(int(run.max()), terms.shape[1]))
    kept = np.unique(np.linspace(0, last - 1, min(last, POINTS)).round().astype(int))
    listed = [_finite(search[kept[kept < max(1, ended)]]) for search, ended in zip(terms, run, strict=True)]
    return {"iterations": (kept + 1).tolist(), "data_terms": listed[:SEARCHES]}


def _finite(numbers: np.ndarray) -> list[float | None]:
    return [float(f"{number:.5g}") if math.isfinite(number) else None for number in numbers.tolist()]
