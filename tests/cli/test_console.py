"""No console ends a command."""

import io
import os
import sys
import warnings

import pytest

from jaxrestore.cli.console import Console, consoles
from jaxrestore.errors import InputWarning, RangeWarning


def latin(name):
    return io.TextIOWrapper(io.BytesIO(), encoding=name, write_through=True)


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "ascii", "shift-jis"])
def test_any_name_can_be_said(encoding):
    stream = latin(encoding)
    print("caf\udce9", "фото", "写真", file=Console(stream))
    said = stream.buffer.getvalue().decode(encoding)
    assert said.startswith("caf\\udce9 ")
    shown = "фото 写真" if encoding in ("utf-8", "shift-jis") else "\\u0444\\u043e\\u0442\\u043e \\u5199\\u771f"
    assert said.endswith(f"{shown}{os.linesep}")


def test_nobody_who_listens_is_no_error():
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as pipe:
        console = Console(pipe)
        os.close(reading)
        for _ in range(2):
            print("said", file=console)
            console.flush()
        assert not console.isatty()
    for gone in (None, io.StringIO()):
        if gone is not None:
            gone.close()
        console = Console(gone)
        print("said", file=console, flush=True)
        assert not console.isatty()


def test_what_else_a_stream_has_is_its_own():
    stream = latin("utf-8")
    assert Console(stream).encoding == "utf-8"
    assert Console(stream).buffer is stream.buffer


def test_hints_are_lines_and_said_once(capsys):
    before = sys.stdout, sys.stderr, warnings.showwarning
    with consoles():
        for _ in range(2):
            warnings.warn("a is inverted", InputWarning, stacklevel=1)
            warnings.warn("of another range", RangeWarning, stacklevel=1)
    assert capsys.readouterr().err == "jaxrestore: a is inverted\n"
    assert before == (sys.stdout, sys.stderr, warnings.showwarning)
    with consoles(), pytest.warns(DeprecationWarning, match="not ours"):
        warnings.warn("not ours", DeprecationWarning, stacklevel=1)
