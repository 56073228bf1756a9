"""The README is true: its commands and its example run as they stand."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(sh|python)\n(.*?)```", README, re.DOTALL)
pytestmark = pytest.mark.xdist_group("readme")  # in their order, in one folder
COMMANDS = [line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines()]


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A folder in which the commands find the package's files, and may write."""
    folder = tmp_path_factory.mktemp("checkout")
    (folder / "jaxrestore").symlink_to(ROOT / "jaxrestore")
    return folder


@pytest.mark.parametrize("command", COMMANDS)
def test_command(command, checkout):
    if "pytest" in command:
        assert command == 'python -m pip install -e ".[test]" && python -m pytest'  # these tests are it
        return
    command = command.removeprefix("python -m pip install . && ")  # installed already, or this would not run
    done = subprocess.run(command, check=False, shell=True, cwd=checkout, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if command == "jaxrestore demo":
        before, after = map(float, re.search(r"PSNR ([\d.]+) dB degraded, ([\d.]+) dB restored", done.stdout).groups())
        assert after > before + 3
        assert (checkout / "demo" / "strip.png").is_file()


def test_python_examples(tmp_path):
    """One after the other, as they are read; both short."""
    examples = [block for kind, block in BLOCKS if kind == "python"]
    assert [len(re.findall(r"^.+$", block, re.MULTILINE)) <= 15 for block in examples] == [True, True]
    (tmp_path / "example.py").write_text("".join(examples))
    done = subprocess.run(["python", "example.py"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert 0 < float(done.stdout.split()[-1]) < 2  # the strength of the vignette: 0.8 in truth


def test_converting_commands_are_understood_and_name_every_known_file():
    import tyro

    from checkpoints_convert.known import KNOWN
    from jaxrestore.converting import Convert

    commands = re.findall(r"`jaxrestore convert (.*?)`", README)
    assert len(commands) >= 9
    for command in commands:
        assert tyro.cli(Convert, args=command.split()).out == Path("OUT")
    for known in KNOWN.values():
        for file in known.files.split(", "):
            assert f"`{file}`" in README


def test_links_and_pictures_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
