"""The files of a restoration, as a Python user writes them."""

import dataclasses
import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

import jaxrestore as jr
from jaxrestore.density import novelty
from jaxrestore.errors import ImageError, InputError
from jaxrestore.files.images import as_stored, read_image
from jaxrestore.solve.history import history_of
from jaxrestore.solve.record import Files, plain_settings
from jaxrestore.solve.result import Restoration, image_of

MASK = jr.Mask(jr.box_mask((8, 8), 3))


@pytest.fixture(scope="module")
def restored():
    """A batch of two: the program of the docstrings."""
    prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.5)
    method = jr.bird(prior, MASK, iterations=5, skip=250, restarts=2, combine="mean")
    y = MASK(jnp.stack([jnp.full((8, 8, 3), level) for level in (0.1, -0.3)]))
    return method, y, jr.restore(method, y, jax.random.key(0))


def test_of_a_batch_each_image_is_written_with_its_own_restarts(restored, tmp_path):
    method, y, result = restored
    for i in range(2):
        one = image_of(result, i)
        assert one.restarts.image.shape == (2, 8, 8, 3)
        record = jr.write_restoration(tmp_path / f"{i}" / "x.png", method, y[i], one, uncertainty=True, about={"i": i})
        assert json.loads((tmp_path / f"{i}" / "run.json").read_text()) == record
        assert (record["i"], record["restarts"], record["combine"]) == (i, 2, "mean")
        assert record["data_term"] == pytest.approx(float(result.data_term[i]))
        assert record["data_terms_of_restarts"] == pytest.approx(result.restarts.data_term[:, i].tolist())
        assert record["uncertainty"]["largest"] > 0
        np.testing.assert_allclose(read_image(tmp_path / f"{i}" / "x.png"), result.image[i], atol=1 / 255 + 1e-6)
        known = np.asarray(MASK.known[..., 0]) > 0
        np.testing.assert_allclose(read_image(tmp_path / f"{i}" / "x.png")[known], y[i][known], atol=1 / 255 + 1e-6)


def test_how_novel_an_image_is_is_recorded_for_priors_that_know_photographs(tmp_path):
    """Of the measurement where it is the image, else of the restored one; of the middle of a tiled one."""
    prior = jr.gaussian_prior(jnp.zeros((16, 16, 3)), 0.5)
    photographs = 0.5 * jax.random.normal(jax.random.key(0), (8, 16, 16, 3))
    clean = dataclasses.replace(prior, statistics=jr.calibrate(prior, photographs, depths=(50,), steps=2))
    image = jnp.asarray(np.random.default_rng(0).uniform(-1, 1, (16, 24, 3)), jnp.float32)
    score = jax.jit(novelty)
    for name, whole, operator, y, wanted in (
        ("measured", clean, jr.Identity(), image[:, 8:], ("measurement", image[:, 8:])),
        ("restored", clean, jr.AveragePool(2), image[:8, :8], ("restoration", image[:, :16])),
        ("tiled", jr.tiled(clean, 16, 24), jr.Identity(), image, ("measurement", image[:, 4:20])),
        ("unknown", prior, jr.Identity(), image[:, 8:], None),
    ):
        method = jr.bird(whole, operator, iterations=1, skip=500)
        zero = jnp.float32(0)
        result = Restoration(image[:, : whole.shape[1]], None, operator, zero, zero, 1, 0, jnp.zeros(1))
        record = jr.write_restoration(tmp_path / f"{name}.png", method, y, result)
        if wanted is None:
            assert "novelty" not in record
        else:
            assert (record["novelty"]["of"], record["novelty"]["limit"]) == (wanted[0], None)  # it is all noise
            assert record["novelty"]["score"] == pytest.approx(float(score(clean, wanted[1])), rel=1e-3)
    with pytest.raises(jr.InputError, match="has not been calibrated"):
        novelty(prior, photographs[0])


def test_files_may_have_names_of_their_own(restored, tmp_path):
    method, y, result = restored
    names = Files(*(tmp_path / name for name in ("a.png", "s/b.png", "c.png", "d.json", "u/e.png", "r/f.json")))
    jr.write_restoration(names, method, y[0], image_of(result, 0))
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert written == {"a.png", "s/b.png", "r/f.json"}  # nothing was unknown, and no uncertainty was asked for


def test_a_restoration_that_failed_leaves_no_record(restored, tmp_path):
    method, y, result = restored
    (tmp_path / "run.json").write_text("of another run")
    failed = dataclasses.replace(image_of(result, 0), image=jnp.full((8, 8, 3), jnp.nan))
    with pytest.raises(ImageError, match=r"x\.png: the restoration failed, all 5 iterations were run\."):
        jr.write_restoration(tmp_path / "x.png", method, y[0], failed)
    assert not any(tmp_path.iterdir())


def test_scores_are_of_the_image_as_stored(tmp_path, restored):
    method, y, result = restored
    truth = jnp.zeros((16, 16, 3))
    large = dataclasses.replace(image_of(result, 0), image=truth + 0.2, restarts=None)
    record = jr.write_restoration(tmp_path / "x.png", method, y[0], large, reference=truth)
    wanted = 20 * np.log10(2 / read_image(tmp_path / "x.png")[0, 0, 0])
    assert record["psnr"] == pytest.approx(wanted, abs=1e-3)
    assert read_image(tmp_path / "x_strip.png").shape == (16 * 16, 16 * (16 + 2 + 16 + 2 + 16), 3)
    equal = jr.write_restoration(tmp_path / "x.png", method, y[0], large, reference=read_image(tmp_path / "x.png"))
    assert equal["psnr"] == "infinite"  # JSON has no infinity


def test_settings_are_said_with_their_parts(gaussian):
    method = jr.bird(gaussian, MASK, noise_lr=0.05, skip=250, stop=jr.any_of(jr.plateau(0.01), jr.discrepancy()))
    said = plain_settings(method)
    assert (said["noise_lr"], said["unroll"]["skip"]) == (0.05, 250)
    assert [rule["name"] for rule in said["stop"]["rules"]] == ["Plateau", "Discrepancy"]
    assert not {"prior", "operator", "parameters"} & said.keys()
    json.dumps(said, allow_nan=False)


def test_records_in_one_folder_are_of_one_image_each(restored, tmp_path):
    method, y, result = restored
    for _ in range(2):  # again, each takes its own
        for i, name in enumerate(("a.png", "b.png", "b.tif")):
            jr.write_restoration(tmp_path / name, method, y[0], image_of(result, 0), about={"i": i})
    records = {path.name: json.loads(path.read_text()) for path in tmp_path.glob("*.json")}
    found = {name: (record["i"], record["output"]) for name, record in records.items()}
    assert found == {
        "run.json": (0, str(tmp_path / "a.png")),
        "b_run.json": (1, str(tmp_path / "b.png")),
        "b.tif_run.json": (2, str(tmp_path / "b.tif")),
    }
    (tmp_path / "c_run.json").write_text(json.dumps({"output": "d.png"}))
    with pytest.raises(InputError, match=r"c_run\.json is another image's record already"):
        jr.write_restoration(tmp_path / "c.png", method, y[0], image_of(result, 0))


def test_a_jpeg_is_scored_as_it_is_stored_and_has_the_photographs_metadata(restored, tmp_path):
    method, y, result = restored
    noisy = dataclasses.replace(image_of(result, 0), image=jax.random.uniform(jax.random.key(0), (8, 8, 3), minval=-1))
    reference = np.zeros((16, 16, 3), np.float32)
    large = dataclasses.replace(noisy, image=jnp.kron(noisy.image, jnp.ones((2, 2, 1))), restarts=None)
    metadata = jr.Metadata(dpi=(300.0, 300.0))
    record = jr.write_restoration(tmp_path / "x.jpg", method, y[0], large, reference=reference, metadata=metadata)
    stored = read_image(tmp_path / "x.jpg")
    assert record["psnr"] == pytest.approx(float(jr.metrics.psnr(jnp.asarray(stored), jnp.asarray(reference))))
    assert Image.open(tmp_path / "x.jpg").info["dpi"] == (300, 300)


def test_of_a_search_the_data_terms_on_the_way_are_kept(restored):
    _, _, result = restored
    one = image_of(result, 0)
    history = history_of(one)
    assert history["iterations"] == [1, 2, 3, 4, 5]
    np.testing.assert_allclose(history["data_terms"], one.restarts.history, rtol=1e-4)
    ended = dataclasses.replace(
        one.restarts, history=np.linspace(1, 0, 3000).reshape(1, -1).repeat(20, 0), iterations=np.arange(981, 1001)
    )
    history = history_of(dataclasses.replace(one, restarts=ended))
    assert len(history["iterations"]) == 200
    assert (history["iterations"][0], history["iterations"][-1]) == (1, 1000)
    assert [len(terms) for terms in history["data_terms"]] == [196 + (i >= 4) + (i >= 9) + (i >= 14) for i in range(16)]
    failed = dataclasses.replace(one, restarts=None, history=np.float32([1, np.nan, 2]), iterations=np.int32(2))
    assert history_of(failed) == {"iterations": [1, 2], "data_terms": [[1.0, None]]}


def test_the_record_says_where_the_parts_of_the_strip_lie(restored, tmp_path):
    method, _, result = restored
    images = np.random.default_rng(0).uniform(-1, 1, (3, 16, 16, 3)).astype(np.float32)
    seen, image, truth = images
    one = dataclasses.replace(image_of(result, 0), image=jnp.asarray(image), restarts=None)
    identity = dataclasses.replace(method, operator=jr.Identity())
    record = jr.write_restoration(tmp_path / "x.png", identity, seen, one, reference=truth)
    strip = read_image(tmp_path / "x_strip.png")
    for name, wanted in zip(("measurement", "restored", "reference"), images, strict=True):
        left, top, width, height = record["strip"][name]
        assert (width, height) == (256, 256)
        np.testing.assert_allclose(strip[top : top + height : 16, left : left + width : 16], wanted, atol=0.005)
    stored = jnp.asarray(as_stored(seen))
    assert record["psnr_of_measurement"] == pytest.approx(float(jr.metrics.psnr(stored, jnp.asarray(truth))))
