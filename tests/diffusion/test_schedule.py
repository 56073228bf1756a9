import jax
import numpy as np
import pytest

from jaxrestore.diffusion import schedule


@pytest.mark.parametrize("make", [schedule.linear, schedule.scaled_linear, schedule.cosine, schedule.sigmoid])
@pytest.mark.parametrize("steps", [10, 1000])
def test_levels_fall_from_clean_to_noise(make, steps):
    levels = np.asarray(make(steps).alpha_bar)
    assert levels.shape == (steps,)
    assert np.all(np.diff(levels) <= 0)
    assert 0 < levels[-1] < levels[0] < 1


def test_linear_is_the_product_of_its_betas():
    betas = np.linspace(1e-4, 0.02, 1000)
    np.testing.assert_allclose(schedule.linear().alpha_bar, np.cumprod(1 - betas), rtol=1e-6)
    np.testing.assert_allclose(schedule.linear().alpha_bar[900], 2.7e-4, rtol=0.02)  # where the published chain starts


def test_cosine_closed_form():
    level = np.cos((np.arange(1, 501) / 1000 + 0.008) / 1.008 * np.pi / 2) ** 2 / np.cos(0.008 / 1.008 * np.pi / 2) ** 2
    np.testing.assert_allclose(schedule.cosine().alpha_bar[:500], level, rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("trailing", [999, 899, 799, 699, 599, 499, 399, 299, 199, 99]),
        ("leading", [900, 800, 700, 600, 500, 400, 300, 200, 100, 0]),
        ("linspace", [999, 888, 777, 666, 555, 444, 333, 222, 111, 0]),
    ],
)
def test_grids_of_the_papers(name, wanted):
    np.testing.assert_array_equal(schedule.grid_times(1000, 100, name), wanted)
    grid = schedule.time_grid(schedule.linear(), 100, name)
    np.testing.assert_array_equal(grid.t, wanted)
    np.testing.assert_array_equal(grid.alpha_bar_next[:-1], grid.alpha_bar[1:])
    assert grid.alpha_bar_next[-1] == 1


@pytest.mark.parametrize("name", ["trailing", "leading", "linspace"])
@pytest.mark.parametrize("skip", [1, 7, 300, 1000])
def test_grids_fall_within_the_schedule(name, skip):
    times = schedule.grid_times(1000, skip, name)
    assert np.all(np.diff(times) < 0)
    assert times.min() >= 0
    assert times.max() < 1000


def test_what_is_no_schedule_is_refused():
    with pytest.raises(ValueError, match="must not rise"):
        schedule.Schedule([0.5, 0.9])
    with pytest.raises(ValueError, match="within"):
        schedule.Schedule([1.0, 0.9])
    with pytest.raises(ValueError, match="vector"):
        schedule.Schedule([[0.5]])
    with pytest.raises(ValueError, match="betas"):
        schedule.from_betas([0.1, 1.0])
    with pytest.raises((ValueError, TypeError), match="grid"):
        schedule.grid_times(1000, 100, "even")
    with pytest.raises(ValueError, match="skip"):
        schedule.grid_times(1000, 0, "trailing")


def test_diffusion_keeps_variance_and_takes_a_time_for_each_image():
    made = schedule.linear()
    x0, noise = np.random.default_rng(0).standard_normal((2, 3, 16, 16, 3), np.float32)
    times, diffuse = np.array([0, 500, 999]), jax.jit(schedule.Schedule.diffuse)
    found = np.asarray(diffuse(made, x0, noise, times))
    for one, *given in zip(found, x0, noise, times, strict=True):
        np.testing.assert_array_equal(one, diffuse(made, *given))
    level = np.asarray(made.alpha_bar)[500]
    np.testing.assert_allclose(found[1], np.sqrt(level) * x0[1] + np.sqrt(1 - level) * noise[1], rtol=1e-5, atol=1e-6)
    assert found[2].var() == pytest.approx(1, abs=0.1)
