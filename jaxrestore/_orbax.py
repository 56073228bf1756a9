"""What Orbax leaves undone where it fails."""

import asyncio
import contextlib
from collections.abc import Iterator


@contextlib.contextmanager
def reading_to_the_end() -> Iterator[None]:
    """Orbax reads all arrays at once, and closes the event loop that they are read in as soon as one fails: each of the
    others then prints a traceback, of its own failure or that the event loop is closed, whenever it is done. In here the loop
    is closed after the last of them, and the failure that is raised is the only one that is told.

    It is a function of Orbax's own that closes the loop: a version without it is left as it is.
    """
    from orbax.checkpoint._src import asyncio_utils

    usual = getattr(asyncio_utils, "_run_event_loop", None)
    if usual is not None:
        asyncio_utils._run_event_loop = _run_and_wait
    try:
        yield
    finally:
        if usual is not None:
            asyncio_utils._run_event_loop = usual


def _run_and_wait(loop: asyncio.AbstractEventLoop) -> None:
    loop.set_exception_handler(lambda loop, context: None)
    try:
        loop.run_forever()
        if left := asyncio.all_tasks(loop):
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    finally:
        loop.close()
