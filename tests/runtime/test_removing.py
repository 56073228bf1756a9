"""Checkpoints are removed when what they were for is written, and nothing else is."""

from jaxrestore.runtime.checkpoints import remove_checkpoints


def test_only_checkpoints_are_removed(tmp_path):
    ours, kept = tmp_path / "run" / "group-0000" / "10", tmp_path / "run" / "7"
    for folder in (ours / "state", kept):
        folder.mkdir(parents=True)
    (ours / "_CHECKPOINT_METADATA").write_text("{}")
    (kept / "photograph.png").write_text("whose name is a number's")
    remove_checkpoints(tmp_path / "run")
    assert not (tmp_path / "run" / "group-0000").exists()
    assert (kept / "photograph.png").exists()
    (kept / "photograph.png").unlink()
    remove_checkpoints(tmp_path / "run")
    assert list(tmp_path.iterdir()) == []
    remove_checkpoints(tmp_path / "never")
