"""What a command says, on whatever console there is: a name that it can't show, or its end, ends no job."""

import contextlib
import io
import os
import sys
import warnings
from collections.abc import Iterator
from typing import Any

from jaxrestore.errors import Notice, RangeWarning


class Nowhere(io.TextIOBase):
    """Takes what is written, and forgets it."""

    encoding = "utf-8"  # type: ignore[assignment]

    def write(self, text: str) -> int:
        return len(text)


class Console:
    """A text stream that takes any text: what its encoding can't write is escaped (``\\\\u4e2d``); after it is closed, or
    where there is none, nothing is written."""

    def __init__(self, stream: Any) -> None:
        self.stream: Any = Nowhere() if stream is None else stream

    def write(self, text: str) -> int:
        with self._until_closed():
            try:
                self.stream.write(text)
            except UnicodeEncodeError:
                encoding = self.stream.encoding or "ascii"
                self.stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def flush(self) -> None:
        with self._until_closed():
            self.stream.flush()

    def isatty(self) -> bool:
        with self._until_closed():
            return self.stream.isatty()
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    @contextlib.contextmanager
    def _until_closed(self) -> Iterator[None]:
        try:
            yield
        except (OSError, ValueError):  # a broken pipe, a full disk, a closed file
            with contextlib.suppress(OSError, ValueError):  # what is buffered must go somewhere at exit
                null = os.open(os.devnull, os.O_WRONLY)
                os.dup2(null, self.stream.fileno())
                os.close(null)
            self.stream = Nowhere()


def say(sentence: str) -> None:
    """A line on standard error, above a bar where there is one."""
    from tqdm import tqdm

    tqdm.write(f"jaxrestore: {sentence}", file=sys.stderr)


@contextlib.contextmanager
def consoles() -> Iterator[None]:
    """While a command runs: both streams take any text, and a Notice is a line on stderr, said once."""
    _open_standard_files()
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Console(sys.stdout), Console(sys.stderr)
    said: set[str] = set()

    def show(message: Warning | str, category: type[Warning], *where: Any, **more: Any) -> None:
        if not issubclass(category, Notice):
            usual(message, category, *where, **more)
        elif str(message) not in said:
            said.add(str(message))
            say(str(message))

    with warnings.catch_warnings():
        usual, warnings.showwarning = warnings.showwarning, show
        warnings.simplefilter("always", Notice)
        warnings.simplefilter("ignore", RangeWarning)  # a file says its range
        try:
            yield
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            sys.stdout, sys.stderr = streams


def _open_standard_files() -> None:
    """Or the next file that is opened would take the place of a closed one, and have in it what a library prints."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free
