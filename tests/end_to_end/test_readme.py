"""The README and the pages that it leads to are true: their commands and examples run as they stand."""

import re
import subprocess
from pathlib import Path

import pytest

from jaxrestore.files.images import PHOTOGRAPH, read_image, write_image

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text()
HOME, COMMAND_LINE, PYTHON, OWN_PRIOR, EXTEND = (
    (ROOT / "docs" / f"{page}.md").read_text()
    for page in ("index", "command_line", "python", "own_prior", "how_to/extend")
)
BLOCKS = re.findall(r"```(sh|python)\n(.*?)```", README + HOME + COMMAND_LINE + PYTHON, re.DOTALL)
COMMANDS = dict.fromkeys(line for kind, block in BLOCKS if kind == "sh" for line in block.splitlines())


@pytest.mark.slow
def test_commands(tmp_path):
    """In their order, in one folder: some read what others have written."""
    (tmp_path / "jaxrestore").symlink_to(ROOT / "jaxrestore")
    for command in COMMANDS:
        if "pytest" in command:
            assert command == 'python -m pip install -e ".[test]" && python -m pytest'  # these tests are it
            continue
        command = command.removeprefix("python -m pip install . && ")  # installed already, or this would not run
        done = subprocess.run(command, check=False, shell=True, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        if command == "jaxrestore demo":
            found = re.search(r"PSNR ([\d.]+) dB degraded, ([\d.]+) dB restored", done.stdout)
            before, after = map(float, found.groups())
            assert after > before + 3
            assert (tmp_path / "demo" / "strip.png").is_file()


@pytest.mark.slow
def test_python_examples(tmp_path):
    """One after the other, as they are read; all short."""
    examples = [block for kind, block in BLOCKS if kind == "python"]
    assert [len(re.findall(r"^.+$", block, re.MULTILINE)) <= 15 for block in examples] == [True] * 5
    write_image(tmp_path / "out" / "noisy.png", read_image(PHOTOGRAPH, (64, 64), "crop"))  # the commands' above
    (tmp_path / "example.py").write_text("".join(examples))
    done = subprocess.run(["python", "example.py"], cwd=tmp_path, check=True, capture_output=True, text=True)
    assert (tmp_path / "out" / "sharp.png").is_file()
    assert 0 < float(done.stdout.split()[-1]) < 2  # the strength of the vignette: 0.8 in truth


def test_converting_commands_are_understood_and_name_every_known_file():
    import tyro

    from checkpoints_convert.known import KNOWN
    from jaxrestore.cli.convert import Convert

    commands = re.findall(r"`jaxrestore convert (.*?)`", README + OWN_PRIOR)
    assert len(commands) >= 9
    for command in commands:
        assert str(tyro.cli(Convert, args=command.split()).out) == command.split()[1]
    for known in KNOWN.values():
        for file in known.files.split(", "):
            assert f"`{file}`" in OWN_PRIOR


def test_training_commands_are_understood():
    import tyro

    from jaxrestore.cli.commands import Restore
    from jaxrestore.cli.train import Finetune, Train

    commands = {"restore": Restore, "finetune": Finetune, "train": Train}
    block = re.search(r"## Gen2Res.*?```\n(.*?)```", COMMAND_LINE, re.DOTALL).group(1)
    for line in block.splitlines():
        _, name, *arguments = line.split()
        tyro.cli(commands.pop(name), args=arguments)
    assert not commands


def test_links_and_pictures_exist():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_a_network_of_ones_own_is_a_prior(capsys):
    """The example of docs/priors.md, as it stands there."""
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "priors.md").read_text(), re.DOTALL)
    exec(example, {})
    assert capsys.readouterr().out == "(16, 16, 3) all 2 iterations were run\n"


def test_a_method_of_ones_own_is_run(capsys):
    """The example of docs/how_to/extend.md, as it stands there."""
    (example,) = re.findall(r"```python\n(.*?)```", EXTEND, re.DOTALL)
    exec(example, {"__name__": "example"})
    assert capsys.readouterr().out == "all 20 iterations were run\n"


@pytest.mark.slow
def test_a_compiled_restorer_runs_where_only_jax_is(tmp_path):
    """The recipe of docs/scaling.md: written by one process, run by another that imports nothing of ours."""
    text = (ROOT / "docs" / "scaling.md").read_text()
    write, read = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert "jaxrestore" not in read
    for code in (write, read):
        done = subprocess.run(["python", "-c", code], cwd=tmp_path, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    assert done.stdout.split("\n")[0] == "(64, 64, 3)"


def test_commands_of_several_hosts_are_understood():
    import tyro

    from jaxrestore.cli.commands import Restore

    (command,) = re.findall(r"^jaxrestore restore (.*)$", (ROOT / "docs" / "scaling.md").read_text(), re.MULTILINE)
    assert tyro.cli(Restore, args=command.split()).hosts == 4
