"""Shapes in signatures are checked while the tests run; the closed-form prior and a tiny U-Net are what most of them use."""

import os
from importlib.metadata import version
from pathlib import Path

from jaxtyping import install_import_hook

install_import_hook("jaxrestore", "beartype.beartype")

# Most of the time is XLA's compiling; .ci/run has the slow tests' programs optimised, as users have theirs.
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
# Without optimisations the emitters that XLA had before take a quarter of the time; later jaxlibs have them no more.
if os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] == "1" and version("jaxlib").startswith(("0.8.", "0.9.", "0.10.")):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --xla_cpu_use_fusion_emitters=false".strip()
# Nor is it worth while to keep what is compiled: a key for each of thousands of small programs costs more than it saves.
os.environ.setdefault("JAX_ENABLE_COMPILATION_CACHE", "0")

import jax  # noqa: E402
import jax.numpy as jnp  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402
from closed_forms import mean_prior  # noqa: E402
from hypothesis import settings  # noqa: E402
from PIL import Image  # noqa: E402

import jaxrestore as jr  # noqa: E402
from jaxrestore.cli.commands import main  # noqa: E402
from jaxrestore.networks import DDPMUNet  # noqa: E402

collect_ignore = ["runtime/forced_devices.py"]  # a process of its own, and no module with examples

# The same cases in every run: `--hypothesis-profile=default` looks for others.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")


MAPPINGS = Path("/proc/self/maps")  # Linux's: of this process, of which it allows 65,530
MANY = 40_000


@pytest.hookimpl(trylast=True)  # when a test's own doubles are gone
def pytest_runtest_teardown(item, nextitem):
    """Each compiled program holds a few of a process's memory mappings, and the thousands of programs of these tests come to
    the system's limit, at which XLA crashes: between two files, programs are forgotten before that."""
    if nextitem is not None and nextitem.path != item.path and MAPPINGS.exists():
        with MAPPINGS.open("rb") as lines:
            many = sum(1 for _ in lines) > MANY
        if many:
            jax.clear_caches()


@pytest.fixture(scope="session")
def gaussian():
    """Gaussian data of 8x8: mean and deviation vary over the image."""
    mean = jnp.linspace(-0.4, 0.5, 192).reshape(8, 8, 3)
    return jr.gaussian_prior(mean, jnp.linspace(0.2, 0.5, 192).reshape(8, 8, 3))


@pytest.fixture(scope="session")
def tiny():
    """A random U-Net prior of 16x16, for what needs a network that can be saved."""
    network = DDPMUNet(
        image_size=16, ch=8, ch_mult=(1, 2), num_res_blocks=1, attn_resolutions=(4,), patch_size=2, groups=4
    )
    parameters = network.init(jax.random.key(0))
    return jr.Prior(network, parameters, jr.schedule.linear(), (16, 16, 3), name="tiny")


@pytest.fixture(scope="session")
def affine_prior():
    return mean_prior()


@pytest.fixture(scope="session")
def tiny_folder(tiny, tmp_path_factory):
    """The tiny prior as the command line takes it."""
    folder = tmp_path_factory.mktemp("cli") / "tiny"
    jr.save_prior(tiny, folder, data="nothing")
    return str(folder)


@pytest.fixture(scope="session")
def photograph(tmp_path_factory):
    path = tmp_path_factory.mktemp("photograph") / "flower.png"
    pixels = np.random.default_rng(0).integers(0, 256, (5, 6, 3), np.uint8)
    Image.fromarray(pixels).resize((48, 40), Image.Resampling.BICUBIC).save(path)
    return path


@pytest.fixture
def command(capsys):
    """Run a command: (exit code, standard output, standard error)."""

    def run(*arguments):
        with pytest.raises(SystemExit) as stopped:
            main([str(argument) for argument in arguments])
        said = capsys.readouterr()
        return stopped.value.code, said.out, said.err

    return run
