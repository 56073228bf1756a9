"""What the contestants of `speed.py` run, in JAX and in PyTorch: programs as functions of nothing, ready to be timed."""

import dataclasses
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

KERNEL, WIDTH = 11, 11 / 6  # pixels: side, and deviation at the start


@dataclasses.dataclass(frozen=True)
class Contestant:
    """What runs."""

    what: str = "frozen"
    framework: str = "jax"  # or eager, compile
    network: str = "flowers64"  # or celeba_hq, imagenet256 (random weights), tiny
    batch: int = 1
    skip: int = 100  # of the schedule's 1000 steps
    size: int | None = None  # of the images; None: the network's own
    dtype: str = "float32"
    precision: str | None = None  # of float32 products; "highest": nothing less than float32
    iterations: int = 1  # in one call of the program
    malloc: bool = False  # whether the allocator keeps what it has (`speed.KEEPING`)

    @property
    def evaluations(self) -> int:
        """Of the network, an image and iteration."""
        return 1000 // self.skip

    @property
    def name(self) -> str:
        """Few words."""
        mine = dataclasses.asdict(self)
        unlike = [name for name, value in dataclasses.asdict(Contestant()).items() if mine[name] != value]
        said = {"batch": f"{self.batch} images", "malloc": "kept memory", "skip": f"{self.evaluations} steps"}
        said |= {"precision": f"precision {self.precision}", "size": f"{self.size} pixels"}
        said |= {"iterations": f"{self.iterations} iterations"}
        parts = [said.get(name, str(mine[name])) for name in unlike if name not in ("what", "framework", "network")]
        return ", ".join([f"{self.framework} {self.what}", *parts])


def prior_of(contestant: Contestant) -> Any:
    """The prior, with random weights but for flowers64."""
    import jax

    import jaxrestore as jr
    from jaxrestore.networks import ADMUNet, DDPMUNet

    if contestant.network == "flowers64":
        return jr.load_prior("flowers64", contestant.dtype, contestant.precision)
    numbers: dict[str, Any] = {"dtype": contestant.dtype, "precision": contestant.precision}
    network = {
        "celeba_hq": lambda: DDPMUNet(**numbers),
        "imagenet256": lambda: ADMUNet(**numbers),
        "tiny": lambda: DDPMUNet(
            image_size=16, ch=32, ch_mult=(1, 2), num_res_blocks=1, attn_resolutions=(8,), **numbers
        ),
    }[contestant.network]()
    shape = (network.image_size, network.image_size, 3)
    return jr.Prior(network, network.init(jax.random.key(0)), jr.schedule.linear(), shape, name=contestant.network)


def problem(contestant: Contestant, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise and measurement, ``[b, side, side, 3]``."""
    numbers = np.random.default_rng(0)
    shape = (contestant.batch, side, side, 3)
    return numbers.standard_normal(shape, np.float32), numbers.uniform(-1, 1, shape).astype(np.float32)


def counted(prior: Any, noise: Any, back: bool) -> float:
    """Operations of an evaluation; with `back`, of another on the way back and of its derivative, too.

    Of the program for a CPU: the compilers of accelerators don't say.
    """
    import jax
    import jax.numpy as jnp

    from jaxrestore.runtime.profiling import flops

    def evaluate(prior: Any, x: Any) -> Any:
        return prior.predict_noise(x, jnp.int32(0))

    def pulled(prior: Any, x: Any) -> Any:
        value, pull = jax.vjp(partial(evaluate, prior), x)
        return pull(value)

    shapes = jax.eval_shape(lambda *arrays: arrays, prior, noise)
    with jax.default_device(jax.devices("cpu")[0]):
        return sum(flops(jax.jit(f).lower(*shapes)) for f in (evaluate, *[pulled] * back))


def in_jax(contestant: Contestant) -> tuple[Callable[[], float], dict[str, Any]]:
    """The program as a function of nothing, and what the compiler says of it."""
    import jax
    import jax.numpy as jnp

    import jaxrestore as jr
    from jaxrestore.solve.search import begin, chunk

    prior = prior_of(contestant)
    side = contestant.size or prior.shape[0]
    prior = dataclasses.replace(prior, shape=(side, side, 3))
    noise, y = map(jnp.asarray, problem(contestant, side))
    operator = jr.Blur(jr.SoftmaxKernel(KERNEL, WIDTH), "zero")
    method = jr.bird(
        prior,
        operator,
        settings=jr.published("bird", "blind-deblur"),
        gradient="full" if contestant.what == "full" else "frozen",
        skip=contestant.skip,
    )
    keys = jax.random.split(jax.random.key(0), contestant.batch)
    search = begin(method, y, keys)._replace(state=jax.vmap(method.init_from)(noise))
    search = jax.tree.map(jnp.copy, search)
    operations = counted(prior, noise, back=contestant.what == "full")
    if contestant.what == "network":
        times = jnp.asarray(jr.schedule.time_grid(prior.schedule, contestant.skip).t)
        program = jax.jit(
            lambda prior, x: jax.lax.scan(lambda x, t: (prior.predict_noise(x, t), None), x, times)[0].mean(),
            compiler_options=jr.compiler_options(),
        )
        arguments: tuple = (prior, noise)
    else:
        settings: dict[str, Any] = {"donate_argnames": "search", "compiler_options": jr.compiler_options()}
        program = jax.jit(partial(chunk, size=contestant.iterations), **settings)  # as the driver's
        arguments = (method, search, y, contestant.iterations)
    began = time.perf_counter()
    compiled: Any = program.lower(*arguments).compile()
    facts = {
        "compile_s": time.perf_counter() - began,
        "operations": operations * contestant.evaluations * contestant.iterations,
    }
    facts["temporary_mib"] = compiled.memory_analysis().temp_size_in_bytes / 2**20
    if contestant.what == "network":
        return lambda: float(compiled(prior, noise)), facts
    held = [search]

    def iterate() -> float:
        held[0], history = compiled(method, held[0], y, contestant.iterations)
        return float(history[:, 0].mean())

    return iterate, facts


def in_torch(contestant: Contestant) -> tuple[Callable[[], float], dict[str, Any]]:
    """The same in PyTorch, eagerly or compiled."""
    import jax
    import speed_torch as st
    from speed_torch import torch

    from jaxrestore.diffusion.schedule import grid_times
    from jaxrestore.operators import SoftmaxKernel

    prior = prior_of(dataclasses.replace(contestant, dtype="float32", precision=None))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and (share := os.environ.get("XLA_PYTHON_CLIENT_MEM_FRACTION")):  # the same as JAX's
        torch.cuda.set_per_process_memory_fraction(float(share))
    torch.set_float32_matmul_precision("highest" if contestant.precision == "highest" else "high")
    torch.backends.cudnn.allow_tf32 = contestant.precision != "highest"
    torch.backends.cudnn.benchmark = True
    dtype = getattr(torch, contestant.dtype)
    leaves = jax.tree_util.tree_leaves_with_path(prior.parameters)
    arrays = {".".join(key.key for key in path): np.asarray(leaf) for path, leaf in leaves}
    weights = st.Weights(arrays, prior.network, device, dtype)
    network = st.adm if contestant.network == "imagenet256" else st.ddpm
    evaluate: Any = lambda x, t: network(weights, x.to(dtype), t)  # noqa: E731
    if contestant.framework == "compile":
        evaluate = torch.compile(evaluate)
    arrays_of = dict(zip(("noise", "y"), problem(contestant, contestant.size or prior.shape[0]), strict=True))
    kernel = np.asarray(SoftmaxKernel(KERNEL, WIDTH).logits)
    tensors = {name: torch.from_numpy(array.transpose(0, 3, 1, 2).copy()) for name, array in arrays_of.items()}
    tensors["logits"] = torch.from_numpy(np.tile(kernel, (contestant.batch, 1, 1)))
    levels = torch.from_numpy(np.asarray(prior.schedule.alpha_bar).copy()).to(device)
    times = [int(t) for t in grid_times(1000, contestant.skip, "leading")]
    on_device = {name: tensor.to(device) for name, tensor in tensors.items()}
    loop = st.Loop(evaluate, prior.prediction == "v", levels, times, on_device, contestant.what == "full")
    return loop.iterate, {}


def peak(contestant: Contestant) -> tuple[Callable[[], float], dict[str, Any]]:
    """A square product, or a convolution of 256 channels with 3 x 3 kernels."""
    import jax
    import jax.numpy as jnp

    scale = 1 if jax.default_backend() == "cpu" else 4
    with jax.default_matmul_precision(contestant.precision):
        if contestant.what == "matmul":
            side = 2048 * scale
            matrix = jnp.full((side, side), 0.5, contestant.dtype)
            program, arguments, operations = jnp.matmul, (matrix, matrix), 2 * side**3
        else:
            x, kernel = (
                jnp.ones((scale, 64, 64, 256), contestant.dtype),
                jnp.full((3, 3, 256, 256), 1e-3, contestant.dtype),
            )
            program = partial(
                jax.lax.conv_general_dilated,
                window_strides=(1, 1),
                padding="SAME",
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
            )
            arguments, operations = (x, kernel), 2 * 9 * 256 * x.size
        compiled = jax.jit(program).lower(*arguments).compile()

    def run() -> float:
        jax.block_until_ready(compiled(*arguments))
        return 0.0

    return run, {"operations": operations}
