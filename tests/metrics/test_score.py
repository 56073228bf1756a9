"""`jaxrestore score`: two images, two folders, and what it says where it can't."""

import json

import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file
from test_lite0 import random_lite0
from test_perceptual import random_classifier

from jaxrestore import metrics
from jaxrestore.files.images import read_image


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Three images of 40 x 36, and the same with noise."""
    root, draw = tmp_path_factory.mktemp("score"), np.random.default_rng(0)
    for name in ("clean", "noisy"):
        (root / name).mkdir()
    for i in range(3):
        pixels = np.asarray(Image.fromarray(draw.integers(0, 256, (5, 6, 3), np.uint8)).resize((36, 40)))
        Image.fromarray(pixels).save(root / "clean" / f"{i}.png")
        noisy = np.clip(pixels + draw.normal(0, 10 + 10 * i, pixels.shape), 0, 255).astype(np.uint8)
        Image.fromarray(noisy).save(root / "noisy" / f"{i}.png")
    return root


def test_two_images(command, folders):
    pair = folders / "noisy" / "0.png", folders / "clean" / "0.png"
    code, said, _ = command("score", *pair, "--format", "json")
    assert code == 0
    found = json.loads(said)
    wanted = float(metrics.psnr(*(jnp.asarray(read_image(path)) for path in pair)))
    assert found["mean"]["psnr"] == pytest.approx(wanted, abs=1e-4)
    assert found["fid"] is found["kid"] is found["mean"]["lpips"] is None
    assert found["mean"]["sharpness"] > 1  # noise is sharp


def test_equal_images_are_still_json(command, folders):
    path = folders / "clean" / "0.png"
    found = json.loads(command("score", path, path, "--format", "json")[1])
    assert found["mean"]["psnr"] == "infinite"
    assert found["mean"]["ssim"] == pytest.approx(1, abs=1e-5)


def test_two_folders_as_a_table(command, folders):
    code, said, _ = command("score", folders / "noisy", folders / "clean")
    assert code == 0
    lines = said.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:6]] == ["| 0.png", "| 1.png", "| 2.png", "| mean"]
    scores = [float(line.split(" | ")[1]) for line in lines[2:6]]
    assert scores[0] > scores[1] > scores[2]
    assert scores[3] == pytest.approx(np.mean(scores[:3]), abs=1e-3)
    assert "FID not measured, KID not measured" in said


def test_lpips_from_files(command, folders, tmp_path):
    files = [tmp_path / "backbone.safetensors", tmp_path / "channels.safetensors"]
    for path, tensors in zip(files, random_classifier("alex"), strict=True):
        save_file(tensors, path)
    code, said, _ = command("score", folders / "noisy", folders / "clean", "--lpips", *files, "--format", "json")
    assert code == 0
    distances = [row["lpips"] for row in json.loads(said)["images"].values()]
    assert 0 < distances[0] < distances[1] < distances[2]
    code, _, complained = command("score", folders / "noisy", folders / "clean", "--lpips", *files[::-1])
    assert code == 2
    assert "has no tensor features.0.weight" in complained
    (tmp_path / "damaged.pth").write_bytes(b"PK nothing more")
    code, _, complained = command(
        "score", folders / "noisy", folders / "clean", "--inception", tmp_path / "damaged.pth"
    )
    assert code == 2
    assert "damaged.pth" in complained


def test_the_distance_in_features_from_a_file(command, folders, tmp_path):
    save_file(random_lite0(), tmp_path / "lite0.safetensors")
    given = folders / "noisy", folders / "clean", "--format", "json", "--features"
    code, said, _ = command("score", *given, tmp_path / "lite0.safetensors")
    assert code == 0
    assert all(0 < row["features"] < 28 for row in json.loads(said)["images"].values())
    code, _, complained = command("score", *given, tmp_path / "nowhere.whl")
    assert code == 2
    assert "nowhere.whl" in complained


@pytest.mark.parametrize(
    ("restored", "reference", "words"),
    [
        ("noisy", "nowhere", "no file or folder"),
        ("noisy", "clean/0.png", "two images, or two folders"),
        ("noisy", "other", "has no image named as 0.png"),
    ],
)
def test_what_cannot_be_compared(command, folders, restored, reference, words):
    (folders / "other").mkdir(exist_ok=True)
    Image.new("RGB", (36, 40)).save(folders / "other" / "9.png")
    code, _, complained = command("score", folders / restored, folders / reference)
    assert code == 2
    assert words in complained
