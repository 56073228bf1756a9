"""Several processes as hosts of one job, over localhost, one of them killed."""

import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from jaxrestore.cli.hosts import Hosts, join
from jaxrestore.errors import InputError

IMAGES = 12


def test_hosts_share_without_leaving_or_doubling():
    items = list(range(11))
    shares = [Hosts(3, host).share(items) for host in range(3)]
    assert sorted(item for share in shares for item in share) == items
    assert Hosts().share(items) == items
    assert Hosts().sum(4) == 4


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (("localhost:1", None, None), "Give --coordinator HOST:PORT, --hosts N and --host-id I"),
        ((None, 2, 0), "Give --coordinator"),
        (("localhost:1", "auto", None), "Give --coordinator"),
        (("localhost:1", 2, 2), "--host-id must lie between 0 and 1"),
        (("localhost", 2, 0), "--coordinator must be HOST:PORT"),
    ],
)
def test_what_cannot_be_meant_is_named(given, sentence):
    with pytest.raises(InputError, match=sentence):
        join(*given)
    assert join(None, None, None) == Hosts(1, 0)


@pytest.fixture(scope="module")
def job(tiny_folder, tmp_path_factory):
    """A folder of noisy images, and the command that restores it in twelve batches; run alone, what all must make of it."""
    root = tmp_path_factory.mktemp("job")
    (root / "in").mkdir()
    numbers = np.random.default_rng(0)
    for i in range(IMAGES):
        Image.fromarray(numbers.integers(0, 256, (16, 16, 3), np.uint8)).save(root / "in" / f"{i:02d}.png")
    command = [sys.executable, "-m", "jaxrestore", "restore", str(root / "in")]
    flags = [
        "--task",
        "denoise",
        "--noise-level",
        "30",
        "--prior",
        tiny_folder,
        "--preset",
        "published",
        "--batch-size",
        "1",
    ]
    flags += ["--iterations", "150"]
    subprocess.run([*command, str(root / "alone"), *flags], check=True, capture_output=True)
    return root, command, flags


def start(job, out, hosts):
    _, command, flags = job
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    meet = ["--coordinator", f"localhost:{port}", "--hosts", str(hosts)]
    return [
        subprocess.Popen(
            [*command, str(out), *flags, *meet, "--host-id", str(host)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for host in range(hosts)
    ]  # fmt: skip


def restored(folder):
    return {path.name: path.read_bytes() for path in folder.glob("*.png")}


@pytest.mark.slow
@pytest.mark.parametrize("hosts", [2, 4])
def test_a_killed_host_is_made_up_for_by_the_same_command(job, hosts, tmp_path):
    root, out = job[0], tmp_path / "out"
    wanted = restored(root / "alone")
    assert len(wanted) == IMAGES
    processes = start(job, out, hosts)
    end = time.monotonic() + 120
    while len(restored(out)) < 2 and time.monotonic() < end:
        time.sleep(0.02)
    processes[-1].send_signal(signal.SIGKILL)
    share = len(range(hosts - 1, IMAGES, hosts))
    while len(restored(out)) < IMAGES - share and time.monotonic() < end:  # the others go on
        time.sleep(0.02)
    for process in processes:  # as whoever runs the hosts would: without the dead one they can't end together
        process.kill()
        process.communicate()
    before = {path.name: path.stat().st_mtime_ns for path in (out / "runs").glob("*.json")}
    assert 2 <= len(before) < IMAGES
    again = start(job, out, hosts)
    said = [process.communicate(timeout=200) for process in again]
    assert [process.returncode for process in again] == [0] * hosts, said
    assert restored(out) == wanted
    assert {name: (out / "runs" / name).stat().st_mtime_ns for name in before} == before
    assert sum(text.count("restored before") for text, _ in said) == len(before)
