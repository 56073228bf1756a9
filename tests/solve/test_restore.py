"""The driver on the closed-form prior: restarts, stopping, groups, checkpoints and a kill."""

import dataclasses
import errno
import itertools
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import types

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from orbax.checkpoint import v1 as ocp
from PIL import Image

import jaxrestore as jr
from jaxrestore._pytree import replaced
from jaxrestore.errors import InputError, Notice
from jaxrestore.runtime.checkpoints import fingerprint
from jaxrestore.stopping import Seen, Status

KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def problem(gaussian):
    image = jr.unroll(gaussian, jax.random.normal(jax.random.key(9), gaussian.shape), clip=False)
    method = jr.shred(gaussian, jr.AveragePool(2), noise_lr=0.05)
    return method, method.operator(image)


@pytest.fixture(scope="module")
def three_searches(problem):
    """The best and the mean of the same three restarts."""
    method, y = problem
    method = changed(method, iterations=8, restarts=3)
    return method, jr.restore(method, y, KEY), jr.restore(changed(method, combine="mean"), y, KEY)


def changed(method, **changes):
    return dataclasses.replace(method, **changes)


def test_restore_is_run_in_chunks(problem):
    method, y = problem
    method = changed(method, iterations=23)
    pure = jax.jit(jr.run)(method, y, KEY)
    for chunk_size in (1, 10, 50):
        result = jr.restore(method, y, KEY, chunk_size=chunk_size)
        np.testing.assert_allclose(result.image, pure.image, atol=1e-5)
        np.testing.assert_allclose(result.history, pure.history, rtol=1e-4, atol=1e-6)
    assert result.message == "all 23 iterations were run"
    assert result.messages == [result.message]


def test_parts_of_a_chunk_change_nothing(problem, tmp_path, monkeypatch):
    """Whoever waits for an estimate has an iteration alone; checkpoints and callbacks stay those of the chunks."""
    method, y = problem
    method = changed(method, iterations=23, restarts=2)
    plain = jr.restore(method, y, KEY)
    clock, seconds, seen, calls = itertools.count(0.0, 3.0), [], [], []
    driver = sys.modules["jaxrestore.solve.driver"]
    part = driver._chunk
    monkeypatch.setattr(driver, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(driver, "_chunk", lambda *given: (calls.append(given[3]), part(*given))[1])
    watch = lambda done, search: seen.append(done)  # noqa: E731
    parts = jr.restore(method, y, KEY, on_estimate=seconds.append, callback=watch, checkpoint=tmp_path / "c")
    assert seen == [10, 20, 23]
    assert calls == [0, 1, 9, 10, 3]  # to compile, to know, the rest of the chunk, chunks
    assert seconds == [22 * 3]
    for found, wanted in zip(jax.tree.leaves(parts), jax.tree.leaves(plain), strict=True):
        np.testing.assert_array_equal(found, wanted)


def test_restarts_best_and_mean(problem, three_searches):
    """What belongs to the answer is of the answer, and every restart is kept with its noise, operator and numbers."""
    (method, best, mean), y = three_searches, np.asarray(problem[1])
    every = jax.tree.map(np.asarray, best.restarts)
    assert every.image.shape == every.noise.shape == (3, 8, 8, 3)
    residuals = np.mean((np.asarray(method.operator(best.restarts.image)) - y) ** 2, axis=(1, 2, 3))
    np.testing.assert_allclose(every.data_term, residuals, rtol=1e-4)
    index = int(np.argmin(residuals))
    np.testing.assert_allclose(best.data_term, residuals[index], rtol=1e-4)
    np.testing.assert_array_equal(best.image, every.image[index])
    np.testing.assert_allclose(method.generate(best.noise), best.image, atol=1e-4)
    np.testing.assert_array_equal(best.history, every.history[index])
    np.testing.assert_allclose(mean.image, every.image.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(mean.data_term, np.mean((method.operator(mean.image) - y) ** 2), rtol=1e-4)
    assert mean.noise is None
    assert mean.score is None
    np.testing.assert_allclose(every.image[0], jax.jit(jr.run)(method, problem[1], KEY).image, atol=1e-5)


def test_best_and_mean_image_are_pure_functions_of_the_result(problem, three_searches):
    (method, *alone), y = three_searches, problem[1]
    batch = jnp.stack([y, -y])
    together = [jr.restore(changed(method, combine=how), batch, KEY, batch_size=3) for how in ("best", "mean")]
    for best, mean in (alone, together):
        found = jax.jit(jr.best)(mean)
        np.testing.assert_array_equal(found.image, best.image)
        np.testing.assert_allclose(found.data_term, best.data_term, rtol=1e-6)  # summed in another program
        np.testing.assert_allclose(jax.jit(jr.mean_image)(best), mean.image, atol=1e-6)
    with pytest.raises(jr.InputError, match="only restore keeps restarts"):
        jr.best(jax.jit(jr.run)(method, y, KEY))


def test_what_was_measured_is_put_back_unless_there_is_noise(gaussian):
    known = np.arange(64).reshape(8, 8) % 3 > 0
    mask = jr.Mask(known)
    y = mask(0.3 * jax.random.normal(KEY, (8, 8, 3)))
    method = jr.bird(gaussian, mask, iterations=3, skip=250, sigma_y=jnp.float32(0))
    kept = jr.restore(method, y, KEY)
    np.testing.assert_array_equal(np.asarray(kept.image)[known], np.asarray(y)[known])
    assert kept.data_term == 0
    assert kept.restarts.data_term[0] > 0
    drawn = jr.restore(method, y, KEY, keep_known=False)
    np.testing.assert_array_equal(drawn.image, kept.restarts.image[0])
    np.testing.assert_array_equal(jr.restore(changed(method, sigma_y=jnp.float32(0.1)), y, KEY).image, drawn.image)


def test_an_image_does_not_depend_on_its_batch_or_group(problem, three_searches):
    (method, alone, _), y = three_searches, problem[1]
    batch = jnp.stack([-y, y, 2 * y])
    for batch_size in (None, 4, 1):
        together = jr.restore(method, batch, KEY, batch_size=batch_size)
        np.testing.assert_allclose(together.image[1], alone.image, atol=1e-5)
        assert together.restarts.image.shape == (3, 3, 8, 8, 3)
        assert together.history.shape == (3, 8)


def test_the_noise_level_stops_and_decides(problem):
    method, y = problem
    method = changed(method, iterations=60)
    losses = np.asarray(jr.restore(method, y, KEY).history)
    level = np.sqrt((losses[0] + losses[-1]) / 2)
    method = changed(method, sigma_y=level)
    result = jr.restore(changed(method, stop=jr.discrepancy(1.0)), jnp.stack([y, y + 5]), KEY)
    stopped = int(result.iterations[0])
    assert result.status.tolist() == [Status.NOISE_LEVEL, Status.ITERATIONS]
    assert result.messages[0] == f"the data term reached the noise level at iteration {stopped}"
    assert result.data_term[0] <= level**2 < result.history[0, stopped - 2]
    assert np.all(result.history[0, stopped:] == result.data_term[0])
    best = jr.restore(changed(method, answer="best"), y, KEY)
    np.testing.assert_allclose(best.score, np.min(np.abs(losses - level**2)), rtol=1e-3, atol=1e-6)


def test_a_flat_loss_stops_and_of_several_rules_the_first_that_fires(problem):
    method, y = problem
    method = changed(method, noise_lr=jnp.asarray(0.0), iterations=100, stop=jr.plateau(0.01, patience=7))
    assert jr.restore(method, y, KEY).message == "the data term stopped falling at iteration 8"
    either = jr.any_of(jr.discrepancy(1.0), jr.plateau(0.01, patience=7), jr.less_sharp(50))
    result = jr.restore(changed(method, stop=either, sigma_y=jnp.float32(1e-9)), y, KEY)
    assert result.message == "the data term stopped falling at iteration 8"
    assert jr.restore(changed(method, stop=jr.never()), y, KEY).message == "all 100 iterations were run"


def test_still_images_stop(problem):
    """Three images at rest have no variance; the seventh iteration without a new minimum after the third is the last."""
    method, y = problem
    method = changed(method, noise_lr=jnp.asarray(0.0), iterations=100, stop=jr.flat_variance(3, patience=7))
    result = jr.restore(method, jnp.stack([y, y]), KEY)
    assert result.messages == ["the images' variance from one to the next stopped falling at iteration 10"] * 2


def test_windowed_variance_is_that_of_the_last_images():
    sizes = np.array([4, 4, 4, 1, 1, 1, 3, 3, 3], np.float32)[:, None, None, None]
    images = np.random.default_rng(0).standard_normal((9, 4, 4, 3), np.float32) * sizes
    stop = jr.flat_variance(3, patience=2)
    watch, seen, look = stop.start((4, 4, 3)), [], jax.jit(stop.look)
    for i, image in enumerate(images):
        watch, status = look(watch, Seen(np.int32(i + 1), image, np.float32(1), np.float32(0)))
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
    method = jr.shred(gaussian, Breaks(), noise_lr=0.05, iterations=200)
    result = jr.restore(method, jnp.full(gaussian.shape, 0.1), KEY)
    assert result.status == Status.NON_FINITE
    assert "non-finite at iteration" in result.message
    assert jnp.all(jnp.isfinite(result.image))
    assert jnp.isfinite(result.data_term)


def test_callback_sees_every_chunk(problem):
    (method, y), seen = problem, []
    watch = lambda done, search: seen.append((done, search.data_term.shape))  # noqa: E731
    jr.restore(changed(method, iterations=25), y, KEY, callback=watch)
    assert seen == [(10, (1,)), (20, (1,)), (25, (1,))]


def test_checkpoints_resume_equal_and_are_bound_to_their_run(problem, tmp_path):
    method, y = problem
    method = changed(method, iterations=35, restarts=2)

    class Cut(Exception):
        pass

    def cut(done, search):
        if done == 20:
            raise Cut

    whole = jr.restore(method, y, KEY)
    with pytest.raises(Cut):
        jr.restore(method, y, KEY, checkpoint=tmp_path / "c", callback=cut)
    started = []
    resumed = jr.restore(method, y, KEY, checkpoint=tmp_path / "c", callback=lambda done, _: started.append(done))
    assert started == [30, 35]
    for found, wanted in zip(jax.tree.leaves(resumed), jax.tree.leaves(whole), strict=True):
        np.testing.assert_array_equal(found, wanted)
    with pytest.raises(jr.CheckpointError, match="another run"):
        jr.restore(method, 2 * y, KEY, checkpoint=tmp_path / "c")


def test_a_full_disk_costs_checkpoints_and_not_the_image(problem, tmp_path, monkeypatch):
    method, y = problem
    method = changed(method, iterations=35, restarts=2)
    wanted = jr.restore(method, y, KEY)
    checkpointer = ocp.training.Checkpointer
    save, iterations = checkpointer.save, []

    def full(self, iteration, *rest, **more):
        iterations.append(iteration)
        if iteration > 10:
            raise OSError(errno.ENOSPC, "No space left on device")
        return save(self, iteration, *rest, **more)

    monkeypatch.setattr(checkpointer, "save", full)
    sentence = "group-0000 can't be written: no space is left on the device. The search goes on without checkpoints."
    with pytest.warns(Notice, match=sentence):
        result = jr.restore(method, y, KEY, checkpoint=tmp_path / "c")
    np.testing.assert_array_equal(result.image, wanted.image)
    assert iterations == [10, 20]
    monkeypatch.undo()
    done = []
    jr.restore(method, y, KEY, checkpoint=tmp_path / "c", callback=lambda at, _: done.append(at))
    assert done == [20, 30, 35]  # from the one that was written
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(jr.CheckpointError, match="can't be made"):
        jr.restore(method, y, KEY, checkpoint=tmp_path / "file")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: types.SimpleNamespace(free=10_000))
    with pytest.warns(Notice, match="no space is left"):
        jr.restore(method, y, KEY, checkpoint=tmp_path / "small")
    assert not list((tmp_path / "small" / "group-0000").iterdir())


SCRIPT = """
    import sys, time
    import jax, jax.numpy as jnp, numpy as np
    import jaxrestore as jr
    prior = jr.gaussian_prior(jnp.zeros((8, 8, 3)), 0.3)
    stop = jr.flat_variance(5, patience=1000)
    method = jr.bird(prior, jr.Blur(jr.SoftmaxKernel(3)), iterations=60, skip=200, operator_every=10, operator_from=0.45,
                     damping=2e-6, noise_lr=0.05, gradient="frozen_v", stop=stop)
    y = jax.random.normal(jax.random.key(1), (8, 8, 3)) / 3
    slow = (lambda done, search: time.sleep(0.3)) if sys.argv[1] == "slow" else None
    result = jr.restore(method, y, jax.random.key(0), chunk_size=5, checkpoint=sys.argv[2], callback=slow)
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
    prior = changed(method.prior, parameters=jax.tree.map(lambda leaf: leaf * jnp.nan, method.prior.parameters))
    broken = changed(method, prior=prior, iterations=3, restarts=2, combine="mean")
    result = jr.restore(broken, y, KEY)
    assert jnp.all(jnp.isnan(result.image))
    assert result.message == "the loss became non-finite at iteration 1, and there is no answer"


def test_the_best_of_several_denoised_images_needs_a_noise_level(gaussian):
    method = jr.bird(gaussian, jr.Identity(), iterations=2, restarts=2)
    with pytest.raises(jr.InputError, match="give the method a sigma_y"):
        jr.restore(method, jnp.zeros(gaussian.shape), KEY)


def test_wrong_arguments_get_a_sentence(problem):
    method, y = problem
    with pytest.raises(jr.InputError, match="not finite"):
        jr.restore(method, y.at[0, 0, 0].set(jnp.nan), KEY)
    with pytest.raises(jr.InputError, match="one key, or one per image"):
        jr.restore(method, jnp.stack([y, y]), jax.random.split(KEY, 3))
    with pytest.raises(jr.InputError, match="iterations must be at least 1"):
        jr.restore(changed(method, iterations=0), y, KEY)
    with pytest.raises(jr.InputError, match="restarts must be at least 1"):
        jr.restore(changed(method, restarts=0), y, KEY)
    with pytest.raises(jr.InputError, match="combine must be 'best' or 'mean', not 'median'"):
        jr.restore(replaced(method, combine="median"), y, KEY)
    with pytest.raises(jr.InputError, match="one measurement"):
        jr.run(method, y[None], KEY)
    with pytest.raises(jr.InputError, match="patience of a stopping rule must be at least 1, not 0"):
        jr.plateau(0.01, patience=0)


def test_a_full_device_gets_a_sentence(problem, monkeypatch):
    def full(*arguments):
        raise jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory")

    monkeypatch.setattr(sys.modules["jaxrestore.solve.driver"], "_chunk", full)
    method, y = problem
    with pytest.raises(jr.OutOfMemory, match="doesn't hold 3 searches at once: pass a smaller batch_size"):
        jr.restore(changed(method, restarts=3), y, KEY)


def test_measurements_of_another_range_or_kind_are_refused(gaussian):
    method = jr.bird(gaussian, jr.Identity(), iterations=1, skip=500)
    pixels = np.full((8, 8, 3), 200, np.uint8)
    for wrong, sentence in (
        (pixels, "array of uint8: floats in"),
        (Image.fromarray(pixels), "array of uint8: floats in"),
        (pixels.tolist(), "array of int32: floats in"),
        (pixels.astype(np.float32), r"values from 200 to 200, and \[-1, 1\] is meant"),
        ("noisy.png", "The measurement is a str"),
    ):
        with pytest.raises(InputError, match=sentence):
            jr.restore(method, wrong, jax.random.key(0))
