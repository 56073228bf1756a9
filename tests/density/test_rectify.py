"""What is typical, and the ways to make a noise so."""

import contextlib
import json
import shutil
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from scipy.stats import norm

import jaxrestore as jr
from jaxrestore.density import calibration, corrections, normality
from jaxrestore.density.gaussian import objective, spectrum, to_patches
from jaxrestore.density.rectification import Strength, correct, descend_objective, rectify
from jaxrestore.density.typical import deviation, from_blocks, noise_of, to_blocks
from jaxrestore.diffusion.places import EMBEDDED
from jaxrestore.diffusion.storage import verify_prior

FRESH = np.asarray(jax.random.normal(jax.random.key(0), (32, 32, 3)))
ENERGY = np.ones((8, 8, 3), np.float32)


def drawn(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


@pytest.fixture(scope="module")
def typical():
    """The noise of Gaussian photographs under their own prior, and that prior."""
    prior = jr.gaussian_prior(jnp.zeros((16, 16, 3)), 0.5)
    photographs = 0.5 * drawn(3, 24, 16, 16, 3)
    return prior, jax.jit(jr.calibrate, static_argnames="depths")(prior, photographs, depths=(50, 200))


@pytest.mark.parametrize("shape", [(32, 16, 3), (16, 16, 1), (24, 24, 2)])
def test_blocks_are_a_rotation(shape):
    noise = drawn(1, *shape)
    blocks = jax.jit(to_blocks)(noise)
    np.testing.assert_allclose(np.sum(np.square(blocks)), np.sum(noise**2), rtol=1e-5)
    np.testing.assert_allclose(jax.jit(from_blocks)(blocks), noise, atol=1e-5)
    with pytest.raises(ValueError, match="must divide both sides"):
        to_blocks(jnp.asarray(noise), 7)


def test_the_noise_of_an_image_generates_it_again(gaussian):
    image = jnp.full((8, 8, 3), 0.3)
    noise = jax.jit(lambda image: noise_of(gaussian, image, 200, 40, 3))(image)

    @jax.jit
    def again(noise):
        level = gaussian.schedule.alpha_bar[200]
        x = jnp.sqrt(level) * image + jnp.sqrt(1 - level) * noise
        return jr.diffusion.descend(gaussian, x, jr.schedule.partial_grid(gaussian.schedule, 200, 40), clip=False)

    np.testing.assert_allclose(again(noise), image, atol=1e-4)


def test_a_partial_grid_ends_at_the_image(gaussian):
    times = jax.jit(jr.schedule.partial_grid, static_argnums=2)(gaussian.schedule, jnp.int32(100), 4)
    assert times.t.tolist() == [100, 75, 50, 25]
    np.testing.assert_array_equal(times.alpha_bar_next[:-1], times.alpha_bar[1:])
    assert times.alpha_bar_next[-1] == 1


def test_another_photograph_is_typical_and_a_degraded_one_is_not(typical):
    prior, statistics = typical
    images = 0.5 * drawn(9, 40, 16, 16, 3)
    rough = images + 0.5 * drawn(10, *images.shape)

    @jax.jit
    @jax.vmap
    def scores(image):
        return deviation(
            noise_of(prior, image, statistics.depths[1], statistics.steps, statistics.refinements), statistics, 1
        )

    found, of_rough = np.asarray(scores(images)), np.asarray(scores(rough))
    assert abs(float(found.mean())) < 0.3
    assert 0.7 < float(found.std()) < 1.4
    assert np.median(np.abs(of_rough).max((1, 2))) > 2 * np.median(np.abs(found).max((1, 2)))
    with pytest.raises(ValueError, match="give some dozens"):
        jr.calibrate(prior, jnp.asarray(images[:2]))
    with pytest.raises(ValueError, match="Depths must rise"):
        jr.calibrate(prior, jnp.asarray(images), depths=(50, 20))


def test_a_typical_noise_hardly_moves_and_an_untypical_one_comes_nearer(typical):
    _, statistics = typical
    noise = np.sqrt(np.asarray(statistics.energy)[1].mean()) * drawn(4, 16, 16, 3)
    loud = noise.copy()
    loud[:8] *= 4
    rectified = jax.jit(rectify, static_argnames="correction")
    quiet, corrected = rectified(noise, statistics, 1), rectified(loud, statistics, 1)
    assert float(quiet.moved) < 0.25 * float(corrected.moved)
    assert np.abs(corrected.after).mean() < np.abs(corrected.before).mean()
    identity = rectified(0.5 * loud, statistics, 1, correction=lambda noise, energy, strength: noise)
    assert float(identity.moved) == 0
    np.testing.assert_array_equal(identity.before, identity.after)


def test_each_part_of_the_correction_does_its_own():
    still, corrected = Strength(pixel=np.inf, local=np.inf, everywhere=np.inf, boost=1.0), jax.jit(correct)
    loud = np.float32(1.2) * FRESH
    np.testing.assert_allclose(corrected(loud, ENERGY, still), loud, atol=1e-5)
    spot = loud.copy()
    spot[10, 12] = 20
    calmed = np.asarray(corrected(spot, ENERGY, still._replace(pixel=12.0)))
    assert np.abs(calmed[10, 12]).max() < 10
    np.testing.assert_allclose(calmed[20:, 20:], loud[20:, 20:], atol=1e-5)
    wave = loud + 3 * np.cos(np.pi * np.arange(32, dtype=np.float32))[:, None, None]
    flat = np.asarray(corrected(wave, ENERGY, still._replace(everywhere=1.5)))
    assert np.mean(flat**2) < 0.5 * np.mean(wave**2)
    weak = np.asarray(corrected(0.5 * FRESH, ENERGY, Strength(boost=1.6)))  # what has lost is only raised
    assert np.mean(weak**2) > 1.2 * np.mean((0.5 * FRESH) ** 2)


def test_corrections_are_functions_for_jit_vmap_and_grad():
    batch = 1.5 * drawn(2, 3, 16, 16, 3)
    functions = {
        "sphere": corrections.sphere,
        "sphere8": lambda z: corrections.sphere(z, 8),
        "mean_and_norm": corrections.mean_and_norm,
        "rank_gaussian": corrections.rank_gaussian,
        "correct": jax.jit(lambda z: correct(z, jnp.asarray(ENERGY))),  # many small programs without jit
        "whiten_bands": jax.jit(corrections.whiten_bands),
    }
    for name, function in functions.items():
        together, alone = jax.jit(jax.vmap(function))(batch), function(jnp.asarray(batch[1]))
        np.testing.assert_allclose(together[1], alone, atol=1e-5, err_msg=name)
        assert np.all(np.isfinite(jax.jit(jax.grad(lambda z, f=function: jnp.sum(f(z) ** 2)))(batch[0]))), name


def test_nearest_points_have_their_property():
    z = np.float32(1.3) * FRESH[:16, :16] + np.float32(0.2)

    @jax.jit
    def nearest(z):
        parts = (corrections.sphere, corrections.mean_and_norm, corrections.rank_gaussian, corrections.whiten_bands)
        patches = [to_patches(function(z, 8), 8) for function in parts]
        return corrections.sphere(z), *patches, spectrum(patches[-1]), to_patches(z, 8)

    sphere, each_sphere, patches, ranked, _, coefficients, before = map(np.asarray, nearest(z))
    np.testing.assert_allclose(np.mean(sphere**2), 1, rtol=1e-5)
    np.testing.assert_allclose(np.mean(each_sphere**2, axis=-1), 1, rtol=1e-5)
    np.testing.assert_allclose(patches.mean(-1), 0, atol=1e-6)
    np.testing.assert_allclose(np.mean(patches**2, axis=-1), 1, rtol=1e-5)
    np.testing.assert_allclose(np.sort(ranked, -1)[0, 0], norm.ppf((np.arange(64) + 0.5) / 64), atol=1e-5)
    np.testing.assert_array_equal(np.argsort(ranked, -1), np.argsort(before, -1))
    np.testing.assert_allclose(np.mean(coefficients**2), 1, rtol=1e-4)


def test_mixing_is_the_least_that_passes():
    fresh, loud = drawn(5, *FRESH.shape), FRESH.copy()
    loud[:8, :8] *= 3

    def fails(noise):
        return normality.norm_test(to_patches(noise, 8)) < 1e-4

    @jax.jit
    def mixed_and_flags(loud, fresh):
        mixed = corrections.mix_until(loud, fresh, fails)
        return mixed, fails(mixed)

    mixed, flags = mixed_and_flags(loud, fresh)
    assert not np.any(flags)
    np.testing.assert_array_equal(mixed[8:, 8:], FRESH[8:, 8:])
    np.testing.assert_allclose(np.var(jax.jit(corrections.mix)(FRESH, fresh, 0.6)), 1, atol=0.05)


def test_the_gradient_lowers_the_objective_and_stays_near():
    loud, height = FRESH.copy(), jax.jit(objective)
    loud[:16, :16] *= 1.5
    near, far = (jax.jit(descend_objective)(loud, weight) for weight in (1e-3, 1e-1))
    assert float(height(far)) < float(height(near)) < float(height(loud))
    assert np.mean((near - loud) ** 2) < np.mean((far - loud) ** 2) < 0.1


def test_a_folder_is_calibrated_a_batch_at_a_time(gaussian, monkeypatch):
    """As `calibrate` does it at once; at a terminal there is something to see."""
    ticks = []

    @contextlib.contextmanager
    def counted(total, *_):
        yield SimpleNamespace(update=lambda: ticks.append(total))

    monkeypatch.setattr(calibration, "progress_bar", counted)
    photographs = 0.5 * drawn(7, 11, 8, 8, 3)
    found = calibration.statistics_of(gaussian, photographs, progress=True)
    wanted = jax.jit(jr.calibrate)(gaussian, jnp.asarray(photographs))
    assert jax.tree.structure(found) == jax.tree.structure(wanted)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), found, wanted)
    assert ticks == [8] * 8  # four depths of two batches
    with pytest.raises(jr.InputError, match="3 photographs can't say"):
        calibration.statistics_of(gaussian, photographs[:3])


def test_calibrations_are_written_into_folders_of_ones_own_and_over_none(tiny_folder, tmp_path, command, monkeypatch):
    clean, mine = tmp_path / "clean", shutil.copytree(tiny_folder, tmp_path / "mine")
    clean.mkdir()
    for seed in range(4):
        pixels = np.random.default_rng(seed).integers(0, 255, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(clean / f"{seed}.png")
    statistics = jr.load_prior("flowers64").statistics
    monkeypatch.setattr(calibration, "statistics_of", lambda prior, images, progress: statistics)
    before = {path: path.read_bytes() for path in EMBEDDED.rglob("*.json")}
    for name in ("flowers64", EMBEDDED / "flowers64"):
        code, _, said = command("calibrate", name, clean)
        assert code == 2
        assert "flowers64 comes with the package, and is never written into: name a new folder with --out" in said
    assert command("calibrate", mine, clean)[0] == 0
    assert verify_prior(mine) == len(jr.read_card(mine)["sha256"])
    first = (mine / "typical.json").stat().st_mtime_ns
    code, _, said = command("calibrate", mine, clean)
    assert code == 2
    assert "is a calibration already: --redo measures it anew" in said
    assert (mine / "typical.json").stat().st_mtime_ns == first
    assert command("calibrate", mine, clean, "--redo")[0] == 0
    assert (mine / "typical.json").stat().st_mtime_ns > first
    code, said, _ = command("calibrate", "flowers64", clean, "--out", tmp_path / "copy")
    assert code == 0
    assert f"{tmp_path / 'copy' / 'typical.json'}: 4 photographs" in said
    assert verify_prior(tmp_path / "copy") == len(jr.read_card("flowers64")["sha256"])
    assert json.loads((tmp_path / "copy" / "typical.json").read_text())["photographs"] == 4
    assert command("calibrate", "flowers64", clean, "--out", tmp_path / "copy")[0] == 2  # it exists
    assert {path: path.read_bytes() for path in EMBEDDED.rglob("*.json")} == before
    assert {path.name for path in tmp_path.iterdir()} == {"clean", "copy", "mine"}
