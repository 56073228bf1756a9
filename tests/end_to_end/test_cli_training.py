"""`train`, `finetune` and `restore --method gen2res` from the command line, on tiny networks."""

import io
import json
import sys
import tarfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

import jaxrestore as jr
from jaxrestore.errors import ImageError
from jaxrestore.training.sources import View, batches, photographs


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    """Six photographs, and two files that can't be used."""
    folder = tmp_path_factory.mktemp("album")
    draw = np.random.default_rng(0)
    for i in range(6):
        Image.fromarray(draw.integers(0, 256, (20, 24 + i, 3), np.uint8)).save(folder / f"{i}.png")
    Image.fromarray(draw.integers(0, 256, (9, 40, 3), np.uint8)).save(folder / "small.png")
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 nothing more")
    return folder


@pytest.fixture(scope="module")
def degraded(tmp_path_factory):
    path = tmp_path_factory.mktemp("degraded") / "x.png"
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (16, 16, 3), np.uint8)).save(path)
    return path


@pytest.mark.slow
def test_train_makes_a_prior_in_pieces(command, album, tmp_path):
    flags = [
        "--size",
        16,
        "--ch",
        32,
        "--ch-mult",
        1,
        "--num-res-blocks",
        1,
        "--steps",
        3,
        "--batch-size",
        4,
        "--report-every",
        2,
        "--objective",
        "flow",
    ]
    few = command("train", album, tmp_path / "mine", *flags)
    assert few[0] == 2
    assert "holds 6 usable photographs; at least 16 are needed" in few[2]
    many = tmp_path / "many"
    many.mkdir()
    for i in range(16):
        (many / f"{i}.png").write_bytes((album / f"{i % 6}.png").read_bytes())
    code, said, _ = command("train", many, tmp_path / "mine", *flags, "--minutes", 0)
    assert code == 0
    assert "0 of 3 steps are done; the same command goes on" in said
    code, said, _ = command("train", many, tmp_path / "mine", *flags)
    assert code == 0
    assert "trained for 3 steps" in said
    assert jr.load_prior(tmp_path / "mine").prediction == "velocity"
    card = jr.read_card(tmp_path / "mine")
    assert (card["photographs"], card["images_seen"]) == (16, 12)
    log = [json.loads(line) for line in (tmp_path / "mine.training" / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log] == [2, 3]
    assert {path.name for path in (tmp_path / "mine.training").glob("*.png")} >= {"samples-000003.png"}
    assert not (tmp_path / "mine.training" / "checkpoints").exists()  # the result is written
    before = {path: path.read_bytes() for path in (tmp_path / "mine").rglob("*") if path.is_file()}
    code, said, _ = command("train", many, tmp_path / "mine", *flags)
    assert code == 0
    assert "mine: finished by this command before, and left as it is" in said
    assert before == {path: path.read_bytes() for path in before}
    code, _, complained = command("train", many, tmp_path / "mine", *flags, "--seed", 1)
    assert code == 2
    assert "exists already" in complained
    assert "lies among" in command("train", many, many / "inside", *flags)[2]


@pytest.mark.slow
def test_finetune_and_gen2res(monkeypatch, command, album, degraded, tiny_folder, tmp_path):
    code, said, complained = command("finetune", tiny_folder, album, tmp_path / "tuned", "--steps", 2)
    assert code == 0
    assert "6 photographs, 2 steps of" in said
    assert "broken.jpg is" in complained
    assert "small.png is 9 x 40 pixels, smaller than" in complained
    card = jr.read_card(tmp_path / "tuned")
    assert card["data"] == "nothing"  # its base's
    assert card["finetuned"]["base"] == {"name": "tiny"}
    blind = ["restore", degraded, tmp_path / "a.png", "--task", "blind", "--method", "gen2res", "--depth", 5]
    code, said, _ = command(*blind, "--prior", tmp_path / "tuned", "--finetune-steps", 0)
    assert code == 0
    assert "all 6 iterations were run" in said

    constrained = ["--prior", tiny_folder, "--finetune-steps", 2, "--checkpoint", tmp_path / "run"]
    with monkeypatch.context() as patched:  # all is done but for the record
        patched.setattr("jaxrestore.solve.record.write_json", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        code, said, _ = command(*blind, *constrained, "--save-prior", tmp_path / "kept")
    assert code == 130
    assert "an album of 16 images, then 2 steps" in said
    first = (tmp_path / "a.png").read_bytes()
    assert (tmp_path / "a_album.png").is_file()
    with monkeypatch.context() as patched:  # every phase is taken from its checkpoint
        patched.setattr("jaxrestore.training.loop._Loop.run", None)
        patched.setattr(sys.modules["jaxrestore.solve.driver"], "_chunk", None)
        assert command(*blind, *constrained)[0] == 0
        assert (tmp_path / "a.png").read_bytes() == first
    assert not (tmp_path / "run").exists()  # and they are removed once all is written
    with monkeypatch.context() as patched:
        patched.setattr("jaxrestore.training.loop._Loop.run", None)
        code, said, _ = command(*blind, *constrained, "--save-prior", tmp_path / "kept")
    assert code == 0
    assert "kept by this command before" in said
    code, _, complained = command(*blind, *constrained, "--seed", 1, "--save-prior", tmp_path / "kept")
    assert code == 2
    assert "of another run" in complained
    assert command(*blind, "--prior", tmp_path / "kept", "--finetune-steps", 0)[0] == 0
    assert (tmp_path / "a.png").read_bytes() == first  # the kept prior restores the same


@pytest.mark.slow
def test_a_folder_shares_an_album(command, album, degraded, tiny_folder, tmp_path):
    """One fine-tuning for all, on the album without the images that are to be restored."""
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    for i in range(2):
        (inputs / f"{i}.png").write_bytes(degraded.read_bytes())
    mixed = tmp_path / "mixed"
    mixed.symlink_to(inputs)
    flags = ["--task", "blind", "--method", "gen2res", "--depth", 3, "--prior", tiny_folder, "--finetune-steps", 2]
    code, said, complained = command("restore", inputs, tmp_path / "out", *flags, "--album", album, "--restarts", 2)
    assert code == 0
    assert said.count("fine-tuning on 6 photographs") == 1
    assert "left out of the album: " in complained
    record = json.loads((tmp_path / "out" / "runs" / "0.json").read_text())
    assert record["constraint"]["finetuning"]["batch_size"] == 4
    code, _, complained = command("restore", inputs, tmp_path / "other", *flags, "--album", mixed)
    assert code == 2
    assert "holds 0 photographs besides those to be restored" in complained


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--method", "gen2res", "--noise-lr", 1], "no use for --noise-lr"),
        (["--method", "gen2res", "--depth", 0], "--depth must lie"),
        (["--method", "gen2res", "--iterations", 999], "--iterations of gen2res"),
        (["--method", "gen2res", "--finetune-steps", -1], "--finetune-steps must lie between 0 and"),
        (["--method", "gen2res", "--finetune-steps", 0, "--save-prior", "x"], "leave --album and --save-prior out"),
        (["--method", "gen2res", "--preset", "mine"], "Unknown preset"),
        (["--method", "gen2res", "--combine", "best"], "no draw is best"),
        (["--method", "gen2res", "--save-prior", "."], "is no prior"),
        (["--depth", 4], "is for --method gen2res"),
        (["--method", "gen2res", "--album", "nowhere"], "no folder or tar nowhere"),
    ],
)
def test_flags_that_cannot_be_meant(command, degraded, tiny_folder, tmp_path, flags, words):
    code, _, complained = command(
        "restore", degraded, tmp_path / "b.png", "--task", "blind", "--prior", tiny_folder, *flags
    )
    assert code == 2
    assert words in complained


def test_a_tar_is_a_folder(album, tmp_path):
    with tarfile.open(tmp_path / "album.tar", "w") as archive:
        for path in sorted(album.iterdir()):
            archive.add(path, path.name)
    found = [photographs(source, (16, 16, 3)) for source in (album, tmp_path / "album.tar")]
    assert [len(one.items) for one in found] == [6, 6]
    assert [len(one.left_out) for one in found] == [2, 2]
    view = View((16, 16), 0.5, True)
    one, other = (list(batches(one, view, 4, 0, 0, 3)) for one in found)
    np.testing.assert_array_equal(one, other)
    later = list(batches(found[0], view, 4, 0, 2, 3))
    np.testing.assert_array_equal(later, one[2:])  # a resumed training sees what it would have seen
    assert np.abs(one).max() <= 1
    (tmp_path / "text.tar").write_text("no archive")
    with pytest.raises(ImageError, match="neither a folder nor an uncompressed tar"):
        photographs(tmp_path / "text.tar", (16, 16, 3))


def test_each_photograph_comes_once_a_round():
    images = np.broadcast_to(np.linspace(-1, 1, 6)[:, None, None, None], (6, 4, 4, 3))
    rounds = np.concatenate(
        list(batches(photographs(np.array(images), (4, 4, 3)), View((4, 4), 1.0, True), 3, 7, 0, 4))
    )
    for start in (0, 6):
        np.testing.assert_allclose(np.sort(rounds[start : start + 6, 0, 0, 0]), np.linspace(-1, 1, 6), atol=1e-6)


@given(height=st.integers(8, 40), width=st.integers(8, 40), crop=st.floats(0.1, 1.0), seed=st.integers(0, 99))
def test_a_view_has_the_size_asked_for(height, width, crop, seed):
    """Of a bright photograph every view is bright: nothing from outside it comes in."""

    class Bright:
        def open(self, side):
            return Image.new("RGB", (width, height), "white")

    made = View((8, 8), crop, True)(Bright(), np.random.default_rng(seed))
    assert made.shape == (8, 8, 3)
    np.testing.assert_allclose(made, 1)


def test_a_large_jpeg_is_reduced_while_it_is_decoded():
    from jaxrestore.files.opening import decode

    stream = io.BytesIO()
    Image.new("RGB", (640, 480), "red").save(stream, "JPEG")
    stream.seek(0)
    assert min(decode(stream, "red", 64).size) == 120
