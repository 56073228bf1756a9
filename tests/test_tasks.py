"""What a task makes of its files."""

import jax
import numpy as np
import pytest
from PIL import Image

from jaxrestore import operators
from jaxrestore.errors import InputError
from jaxrestore.inputs import read_kernel, read_mask
from jaxrestore.presets import preset
from jaxrestore.tasks import TaskOptions, default_kernel_size, task_operator


def test_a_kernel_has_sum_one_whatever_the_file(tmp_path):
    values = np.array([[0, 300, 0], [20000, 60000, 20000], [0, 300, 0]])
    np.save(tmp_path / "k.npy", values)
    Image.fromarray(values.astype(np.uint16)).save(tmp_path / "k16.png")
    for name in ("k.npy", "k16.png"):
        np.testing.assert_allclose(read_kernel(tmp_path / name, (64, 64)), values / values.sum(), rtol=1e-5)
    Image.fromarray(np.eye(5, dtype=np.uint8) * 200).save(tmp_path / "k8.png")
    np.testing.assert_allclose(read_kernel(tmp_path / "k8.png", (64, 64)), np.eye(5) / 5)
    (tmp_path / "zip.npy").write_bytes(b"PK\x03\x04 not a zip")
    with pytest.raises(InputError, match=r"zip\.npy can't be read"):
        read_kernel(tmp_path / "zip.npy", (64, 64))


def test_a_mask_is_fitted_as_its_image(tmp_path):
    pixels = np.zeros((32, 48), np.uint8)
    pixels[8:24, 16:32] = 255
    Image.fromarray(pixels).save(tmp_path / "mask.png")
    known = read_mask(tmp_path / "mask.png", (16, 16), "crop")
    assert known.shape == (16, 16)
    assert known[8, 8] == 0
    assert known[0, 0] == 1
    with pytest.raises(InputError, match="pass --fit crop"):
        read_mask(tmp_path / "mask.png", (16, 16))


def test_default_kernel_sizes_follow_the_papers():
    assert [default_kernel_size((side, side)) for side in (256, 64, 16)] == [41, 11, 3]


def test_published_blind_deblurring_has_the_papers_generator():
    published, tuned = preset("bird", "blind-deblur", "paper"), preset("bird", "blind-deblur", "flowers64")
    operator = task_operator("blind-deblur", (64, 64), published)
    assert isinstance(operator.kernel, operators.GeneratedKernel)
    assert operator.boundary == "zero"
    assert isinstance(task_operator("blind-deblur", (64, 64), tuned).kernel, operators.SoftmaxKernel)
    other = task_operator("blind-deblur", (64, 64), published, TaskOptions(seed=1))
    assert not np.allclose(operator.kernel(), other.kernel())
    assert operator(jax.numpy.zeros((64, 64, 3))).shape == (64, 64, 3)
