"""The bar ticks while nothing moves, and the pace decides what a loop runs at once."""

import io
import sys
import threading

import pytest

from jaxrestore.runtime.progress import Pace, progress_bar


class Terminal(io.StringIO):
    """A terminal that says when it has been written to a few times."""

    def __init__(self):
        super().__init__()
        self.writes, self.ticked = 0, threading.Event()

    def isatty(self):
        return True

    def write(self, text):
        self.writes += "0/60" in text
        if self.writes > 3:
            self.ticked.set()
        return super().write(text)


def clocks():
    return [thread for thread in threading.enumerate() if thread.name == "clock of a bar"]


def test_a_bar_ticks_at_a_terminal_and_its_clock_stops(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    with progress_bar(60, "it", show=True, tick=0.01):
        assert len(clocks()) == 1
        assert sys.stderr.ticked.wait(60)
    assert clocks() == []
    with pytest.raises(KeyboardInterrupt), progress_bar(60, "it", show=True):
        raise KeyboardInterrupt
    assert clocks() == []


def test_without_a_terminal_nothing_is_shown_and_nothing_runs(capsys):
    for show in (True, False):
        with progress_bar(60, "it", show=show) as bar:
            assert clocks() == []
            assert not Pace(bar, None).watched
            assert Pace(bar, None).count(10) == 10
    assert capsys.readouterr().err == ""


def test_a_part_lasts_about_a_second_and_the_rest_is_estimated_once():
    said = []
    with progress_bar(100, "it", show=False) as bar:
        pace = Pace(bar, said.append)
        assert pace.count(10) == 1
        pace.ran(1, 0.3)
        assert pace.count(10) == 3
        pace.skipped(39)
        assert said == []
        pace.ran(9, 2.7)
        assert said == [pytest.approx(51 * 0.3)]
        assert not pace.watched
        pace.ran(1, 500.0)
    assert len(said) == 1


def test_a_slow_iteration_is_one_part_and_enough_for_an_estimate():
    said = []
    with progress_bar(3, "it", show=False) as bar:
        pace = Pace(bar, said.append)
        pace.ran(1, 190.0)
    assert said == [380.0]
