import json
import threading
from pathlib import Path

import pytest

from jaxrestore.cli.batches import in_batches, is_finished, pipeline, run_of
from jaxrestore.cli.paths import entries_of


@pytest.fixture
def entries(tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(20):
        (tmp_path / "in" / f"{number:02d}.png").write_bytes(bytes([number]))
    return entries_of(tmp_path / "in", tmp_path / "out")


def test_batches_are_even_and_of_one_mask(entries):
    assert [len(batch.entries) for batch in in_batches(entries, 16)] == [10, 10]
    assert [(len(batch.entries), batch.width) for batch in in_batches(entries, 7)] == [(7, 7), (7, 7), (6, 7)]
    assert [len(batch.entries) for batch in in_batches(entries[:3], 16)] == [3]
    masked = [entry._replace(mask=Path("a") if i < 5 else Path("b")) for i, entry in enumerate(entries)]
    assert [len(batch.entries) for batch in in_batches(masked, 8)] == [5, 8, 7]


def test_an_image_is_finished_by_the_run_that_restored_it_alone(entries):
    entry = entries[0]
    run = run_of(entry, {"task": "denoise"})
    assert run != run_of(entry, {"task": "blind"})
    assert run != run_of(entries[1], {"task": "denoise"})
    assert not is_finished(entry, run)
    entry.files.record.parent.mkdir(parents=True)
    entry.files.record.write_text(json.dumps({"run": run}))
    assert not is_finished(entry, run)  # no image
    entry.files.image.write_bytes(b"image")
    assert is_finished(entry, run)
    assert not is_finished(entry, "another")
    entry.files.record.write_text("[cut sho")
    assert not is_finished(entry, run)
    entry.input.write_bytes(b"another image")
    assert run_of(entry, {"task": "denoise"}) != run


def test_the_next_is_read_and_the_last_written_while_one_is_restored(entries):
    read_ahead, may_write, order = threading.Event(), threading.Event(), []

    def read(batch):
        number = int(batch.entries[0].input.stem)
        order.append(("read", number))
        if number == 10:
            read_ahead.set()
        return None if number == 15 else number

    def restore(number):
        if number == 0:
            assert read_ahead.wait(10)  # the second batch is read before the first is done
        if number == 10:
            may_write.set()  # and the first is written only now

        def write():
            assert may_write.wait(10)
            order.append(("written", number))
            return f"{number} failed" if number == 10 else None

        return [write]

    planned = in_batches(entries, 10)
    planned.append(planned[0]._replace(entries=entries[15:]))
    assert list(pipeline(planned, read, restore)) == ["10 failed"]
    assert [what for what in order if what[0] == "written"] == [("written", 0), ("written", 10)]


def test_what_goes_wrong_in_a_thread_is_raised(entries):
    def fail(batch):
        raise RuntimeError("reading")

    with pytest.raises(RuntimeError, match="reading"):
        list(pipeline(in_batches(entries, 4), fail, lambda ready: []))
