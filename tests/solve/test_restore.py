"""The driver on the closed-form prior: restarts, stopping, groups, checkpoints and a kill."""

import dataclasses
import os
import signal
import subprocess
import sys
import textwrap
import time

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxrestore as jr
from jaxrestore.runtime.checkpoints import fingerprint
from jaxrestore.solve.stopping import Status, look, start_watch


@pytest.fixture
def problem(gaussian):
    image = jr.unroll(gaussian, jax.random.normal(jax.random.key(9), gaussian.shape), clip=False)
    method = jr.shred(gaussian, jr.operators.AveragePool(2), preset="paper", noise_lr=0.05)
    return method, method.operator(image)


KEY = jax.random.key(0)


def test_restore_is_run_in_chunks(problem):
    method, y = problem
    pure = jr.run(method, y, KEY, iterations=23)
    for chunk_size in (1, 10, 50):
        result = jr.restore(method, y, KEY, iterations=23, chunk_size=chunk_size)
        np.testing.assert_allclose(result.image, pure.image, atol=1e-5)
        np.testing.assert_allclose(result.history, pure.history, rtol=1e-4, atol=1e-6)
    assert result.sentences == ["all 23 iterations were run"]


def test_restarts_best_and_mean(problem):
    method, y = problem
    best = jr.restore(method, y, KEY, iterations=8, restarts=4)
    mean = jr.restore(method, y, KEY, iterations=8, restarts=4, combine="mean")
    assert best.samples.shape == (4, 8, 8, 3)
    residuals = jnp.mean((jax.vmap(method.operator)(best.samples) - y) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(best.data_term, residuals.min(), rtol=1e-4)
    np.testing.assert_array_equal(best.image, best.samples[jnp.argmin(residuals)])
    np.testing.assert_allclose(mean.image, mean.samples.mean(axis=0), atol=1e-6)
    np.testing.assert_allclose(best.samples[0], jr.run(method, y, KEY, iterations=8).image, atol=1e-5)


def test_an_image_does_not_depend_on_its_batch_or_group(problem):
    method, y = problem
    alone = jr.restore(method, y, KEY, iterations=6, restarts=2)
    batch = jnp.stack([-y, y, 2 * y])
    for batch_size in (None, 4, 1):
        together = jr.restore(method, batch, KEY, iterations=6, restarts=2, batch_size=batch_size)
        np.testing.assert_allclose(together.image[1], alone.image, atol=1e-5)
        assert together.samples.shape == (2, 3, 8, 8, 3)
        assert together.history.shape == (3, 6)


def test_noise_level_stops_and_decides(problem):
    method, y = problem
    losses = jr.restore(method, y, KEY, iterations=60).history
    level = jnp.sqrt((losses[0] + losses[-1]) / 2)
    method = dataclasses.replace(method, noise_level=level)
    result = jr.restore(method, jnp.stack([y, y + 5]), KEY, iterations=60, stop=jr.Stop(discrepancy=1.0))
    stopped = int(result.iterations[0])
    assert result.status.tolist() == [Status.NOISE_LEVEL, Status.ITERATIONS]
    assert result.sentences[0] == f"the data term reached the noise level at iteration {stopped}"
    assert result.data_term[0] <= level**2 < result.history[0, stopped - 2]
    assert jnp.all(jnp.isnan(result.history[0, stopped:]))
    best = jr.restore(dataclasses.replace(method, answer="best"), y, KEY, iterations=60)
    np.testing.assert_allclose(best.score, jnp.min(jnp.abs(losses - level**2)), rtol=1e-3, atol=1e-6)


def test_flat_loss_stops(problem):
    method, y = problem
    method = dataclasses.replace(method, noise_lr=jnp.asarray(0.0))
    result = jr.restore(method, y, KEY, iterations=100, stop=jr.Stop(slope=0.01, patience=7))
    assert result.sentences == ["the data term stopped falling at iteration 8"]


def test_still_images_stop(problem):
    """Three images at rest have no variance; the seventh iteration without a new minimum after the third is the last."""
    method, y = problem
    method = dataclasses.replace(method, noise_lr=jnp.asarray(0.0))
    result = jr.restore(method, jnp.stack([y, y]), KEY, iterations=100, stop=jr.Stop(window=3, patience=7))
    assert result.sentences == ["the images' variance from one to the next stopped falling at iteration 10"] * 2


def test_windowed_variance_is_that_of_the_last_images():
    images = jax.random.normal(KEY, (9, 4, 4, 3)) * jnp.array([4, 4, 4, 1, 1, 1, 3, 3, 3.0])[:, None, None, None]
    stop = jr.Stop(window=3, patience=2)
    watch, seen = start_watch(stop, (4, 4, 3)), []
    for i, image in enumerate(images):
        watch, status = look(stop, watch, jnp.int32(i + 1), image, jnp.float32(1), 0.0)
        seen.append(int(status))
    variances = [float(np.var(images[i - 3 : i], axis=0).sum()) for i in range(3, 10)]
    np.testing.assert_allclose(watch.least, min(variances), rtol=1e-5)
    assert int(watch.least_at) == 3 + int(np.argmin(variances)) == 6
    assert seen.index(Status.VARIANCE) == 7  # the eighth: two after the sixth


def test_non_finite_loss_is_named_and_the_last_good_answer_kept(gaussian):
    class Breaks:
        """Finite until the image is near y."""

        def __call__(self, image):
            return jnp.where(jnp.mean((image - 0.1) ** 2) < 0.02, jnp.nan, image)

    jax.tree_util.register_static(Breaks)
    method = jr.shred(gaussian, Breaks(), clip=False, noise_lr=0.05)
    result = jr.restore(method, jnp.full(gaussian.shape, 0.1), KEY, iterations=200)
    assert result.status == Status.NON_FINITE
    assert "non-finite at iteration" in result.sentences[0]
    assert jnp.all(jnp.isfinite(result.image))
    assert jnp.isfinite(result.data_term)


def test_callback_sees_every_chunk(problem):
    seen = []
    jr.restore(*problem, KEY, iterations=25, callback=lambda done, search: seen.append((done, search.data_term.shape)))
    assert seen == [(10, (1,)), (20, (1,)), (25, (1,))]


def test_checkpoints_resume_equal_and_are_bound_to_their_run(problem, tmp_path):
    method, y = problem

    class Cut(Exception):
        pass

    def cut(done, search):
        if done == 20:
            raise Cut

    whole = jr.restore(method, y, KEY, iterations=35, restarts=2)
    with pytest.raises(Cut):
        jr.restore(method, y, KEY, iterations=35, restarts=2, checkpoint=tmp_path / "c", callback=cut)
    started = []
    resumed = jr.restore(
        method,
        y,
        KEY,
        iterations=35,
        restarts=2,
        checkpoint=tmp_path / "c",
        callback=lambda done, _: started.append(done),
    )
    assert started == [30, 35]
    for found, wanted in zip(jax.tree.leaves(resumed), jax.tree.leaves(whole), strict=True):
        np.testing.assert_array_equal(found, wanted)
    with pytest.raises(jr.CheckpointError, match="another run"):
        jr.restore(method, 2 * y, KEY, iterations=35, restarts=2, checkpoint=tmp_path / "c")


SCRIPT = """
    import sys, time
    import jax, jax.numpy as jnp, numpy as np
    import jaxrestore as jr
    prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.3)
    method = jr.bird(prior, jr.operators.Blur.create(jr.operators.SoftmaxKernel.create(3)), task="blind-deblur",
                     preset="flowers64")
    y = jax.random.normal(jax.random.key(1), (8, 8, 3)) / 3
    slow = (lambda done, search: time.sleep(0.3)) if sys.argv[1] == "slow" else None
    stop = jr.Stop(window=5, patience=1000)
    result = jr.restore(method, y, jax.random.key(0), iterations=60, stop=stop, chunk_size=5, checkpoint=sys.argv[2],
                        callback=slow)
    np.savez(sys.argv[3], image=result.image, kernel=result.operator.kernel(), history=result.history)
"""


@pytest.mark.slow
def test_a_killed_run_goes_on_and_ends_bit_equal(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(textwrap.dedent(SCRIPT))

    def start(speed, folder, out):
        return subprocess.Popen([sys.executable, script, speed, str(tmp_path / folder), str(tmp_path / out)])

    victim = start("slow", "killed", "never.npz")
    deadline = time.monotonic() + 120
    while not list(tmp_path.glob("killed/group-0000/[0-9]*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(victim.pid, signal.SIGKILL)
    assert victim.wait() == -signal.SIGKILL
    assert not (tmp_path / "never.npz").exists()
    assert start("fast", "killed", "resumed.npz").wait() == 0
    assert start("fast", "whole", "whole.npz").wait() == 0
    with np.load(tmp_path / "resumed.npz") as resumed, np.load(tmp_path / "whole.npz") as whole:
        for name in whole:
            np.testing.assert_array_equal(resumed[name], whole[name])


def test_runs_that_differ_have_different_fingerprints(problem):
    method, y = problem
    optimizers = [None, optax.adam(0.03), optax.adam(0.3), optax.sgd(0.3)]
    marks = [fingerprint(dataclasses.replace(method, optimizer=optimizer), y) for optimizer in optimizers]
    assert len(set(marks)) == 4
    assert fingerprint(dataclasses.replace(method, optimizer=optax.adam(0.03)), y) == marks[1]
    assert fingerprint(method, y + 1) != marks[0]


def test_nothing_usable_is_no_image(problem):
    method, y = problem
    schedule = jr.schedule.Schedule(jnp.full(1000, jnp.nan))
    broken = dataclasses.replace(method, prior=dataclasses.replace(method.prior, schedule=schedule))
    result = jr.restore(broken, y, KEY, iterations=3, restarts=2, combine="mean")
    assert jnp.all(jnp.isnan(result.image))
    assert result.sentences == ["the loss became non-finite at iteration 1, and there is no answer"]


def test_the_best_of_several_denoised_images_needs_a_noise_level(gaussian):
    method = jr.bird(gaussian, jr.operators.Identity(), task="denoise", preset="paper")
    with pytest.raises(ValueError, match="give the method a noise_level"):
        jr.restore(method, jnp.zeros(gaussian.shape), KEY, iterations=2, restarts=2)


def test_wrong_arguments_get_a_sentence(problem):
    method, y = problem
    with pytest.raises(ValueError, match="not finite"):
        jr.restore(method, y.at[0, 0, 0].set(jnp.nan), KEY)
    with pytest.raises(ValueError, match="one key, or one per image"):
        jr.restore(method, jnp.stack([y, y]), jax.random.split(KEY, 3))
    with pytest.raises(ValueError, match="iterations must be at least 1"):
        jr.restore(method, y, KEY, iterations=0)
    with pytest.raises(ValueError, match="restarts"):
        jr.restore(method, y, KEY, restarts=0)
    with pytest.raises(ValueError, match="one measurement"):
        jr.run(method, y[None], KEY)


def test_a_full_device_gets_a_sentence(problem, monkeypatch):
    def full(*arguments):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")

    monkeypatch.setattr(sys.modules["jaxrestore.solve.driver"], "_chunk", full)
    with pytest.raises(jr.OutOfMemory, match="doesn't hold 3 searches at once: pass a smaller batch_size"):
        jr.restore(*problem, KEY, restarts=3)
