"""`published("bird")` against five iterations of its published loop: noise, loss, image and kernel of each."""

import jax
import jax.numpy as jnp
import pytest
from golden_files import arrays, channels_last, config, prior, relative_error

import jaxrestore as jr
from jaxrestore._pytree import replaced
from jaxrestore.operators import AveragePool, Blur, GeneratedKernel, Identity, Mask

ABOUT = config("bird_loop")
DATA = arrays("bird_loop", "trajectories.npz")
RUNS = sorted({tuple(name.split(".")[:2]) for name in DATA if name.count(".") == 2})


@pytest.fixture(scope="module")
def unet():
    return prior(ABOUT, config("ddpm_a")["tensors"], output_scale=0.3)


def operator(task):
    if task.startswith("superres"):
        return AveragePool(int(task.removeprefix("superres")))
    if task == "inpaint":
        return Mask(DATA["mask"][0, 0])
    if task == "blind_blur":  # the published code correlates; here the kernel is turned, so its outputs run backwards
        fields = ("code", "hidden_weight", "hidden_bias", "output_weight", "output_bias")
        values = (DATA["fcn_in"], DATA["fcn_w0"].T, DATA["fcn_b0"], DATA["fcn_w1"][::-1].T, DATA["fcn_b1"][::-1])
        size = round(len(DATA["fcn_b1"]) ** 0.5)
        weights = {name: jnp.asarray(value) for name, value in zip(fields, values, strict=True)}
        return Blur(replaced(GeneratedKernel(size, jax.random.key(0)), **weights), "zero")
    return Identity()


@pytest.mark.parametrize(("gradient", "task"), RUNS)
def test_trajectory(unet, gradient, task):
    def wanted(name):
        return channels_last(DATA[f"{gradient}.{task}.{name}_nchw"])

    method = jr.bird(
        unet,
        operator(task),
        settings=jr.published("bird"),
        gradient=gradient,
        noise_lr=ABOUT["lr"][task],
        operator_lr=ABOUT["kernel_lr"],
        skip=ABOUT["dt"][task],
    )
    y, state = wanted("y")[0], method.init_from(wanted("z0")[0])
    losses = DATA[f"{gradient}.{task}.loss"]
    for i, loss in enumerate(losses):
        state, iterate = method.step(state, y)  # without jit the tasks share the unroll's programs
        assert relative_error(state.noise, wanted("z")[i, 0]) < 1e-3
        assert relative_error(iterate.image, wanted("x0")[i, 0]) < 1e-3
        assert relative_error(iterate.data_term, loss) < 1e-3
        if task == "blind_blur":
            kernel = method.operator_at(iterate).kernel()[::-1, ::-1]
            assert relative_error(kernel, DATA[f"{gradient}.{task}.kernel"][i].squeeze()) < 1e-3
