"""What an iteration of BIRD costs with a latent model of the shape of CompVis/ldm-celebahq-256, by random weights.

    python experiments/latent_cost.py

Compiles one iteration as published (ten evaluations of the U-Net, held constant for the derivative, and the decoder with its
derivative), runs it once, and writes memory, operations and seconds into `docs/scaling.md`. To expect: a U-Net of 274 million
parameters, as Rombach et al. (2022) have it, and an iteration whose memory is the decoder's. Two minutes on two cores.
"""

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from kept_rows import keep, read
from report import Parts, table, write
from scaling import processor

import jaxrestore as jr
from jaxrestore.diffusion.latents import latent_space
from jaxrestore.networks import DDPMUNet, VQModel
from jaxrestore.runtime.profiling import flops

UNET = DDPMUNet(
    image_size=64, ch=224, ch_mult=(1, 2, 3, 4), num_res_blocks=2, attn_resolutions=(32, 16, 8), head_channels=32,
    norm_eps=1e-5, time_embedding="cos_sin", downsample_padding="both",
)  # fmt: skip
AUTOENCODER = VQModel(block_out_channels=(128, 256, 512), layers_per_block=2, num_vq_embeddings=8192)
GIB = 2**30


def drawn(network: Any) -> Any:
    """Random parameters of variance 1 / fan-in, without a program to compile."""
    draw = np.random.default_rng(0)

    def leaf(shape: jax.ShapeDtypeStruct) -> jax.Array:
        fan_in = max(shape.size // shape.shape[-1], 1)
        return jnp.asarray(draw.standard_normal(shape.shape, np.float32) / np.float32(fan_in**0.5))

    return jax.tree.map(leaf, network.shapes())


def compiled(function: Callable, *arguments: Any) -> Any:
    """The program, as the driver compiles its own."""
    return jax.jit(function, compiler_options=jr.compiler_options()).lower(*arguments).compile()


def temporary(program: Any) -> float:
    """Bytes that a program takes beside its arguments and results, by XLA's account."""
    return float(program.memory_analysis().temp_size_in_bytes)


def iteration(method: Any, state: Any, y: jax.Array) -> Any:
    """One, as the driver does it."""
    return method.step(state, y)


def decoder_gradient(space: Any, latent: jax.Array) -> jax.Array:
    """What the decoder adds to an iteration: an image, and the way back."""
    return jax.grad(lambda latent: jnp.sum(space.decode(latent) ** 2))(latent)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--docs", type=Path, default=Path("docs"))
    options = parser.parse_args()
    space = latent_space(AUTOENCODER, drawn(AUTOENCODER), 256, 256)
    schedule = jr.schedule.scaled_linear(1000, 0.0015, 0.0195)
    prior = jr.Prior(UNET, drawn(UNET), schedule, (256, 256, 3), name="latent", latent=space)
    operator = jr.AveragePool(8)
    method = jr.bird(prior, operator, iterations=1)
    y = operator(jnp.zeros(prior.shape))
    state = method.init(y, jax.random.key(0))
    program = compiled(iteration, method, state, y)
    latent = jnp.zeros(prior.noise_shape)
    decoder = jax.jit(decoder_gradient).lower(space, latent)
    evaluation = flops(jax.jit(lambda prior, x: prior.apply(x, 0)[0]).lower(prior, latent))
    began = time.perf_counter(), time.process_time()
    _, iterate = jax.block_until_ready(program(method, state, y))
    seconds, busy = time.perf_counter() - began[0], time.process_time() - began[1]
    if not bool(jnp.all(jnp.isfinite(iterate.image))):
        raise SystemExit("The iteration gave no image.")
    counts = [sum(leaf.size for leaf in jax.tree.leaves(network.shapes())) for network in (UNET, AUTOENCODER)]
    row = {"settings": {"iterations": 1, "reduction": 8}, "device": f"{os.cpu_count()} cores of {processor()}"}
    row |= {"unet": counts[0], "autoencoder": counts[1], "steps": len(schedule) // method.unroll.skip}
    row |= {"temporary": temporary(program), "decoder temporary": temporary(compiled(decoder_gradient, space, latent))}
    row |= {"evaluation": evaluation, "decoder": flops(decoder), "seconds": seconds, "busy": busy}
    keep("latent_cost", [row])
    write(options.docs.parent, parts())


def parts() -> Parts:
    """The document's table, of the kept row."""
    (row,) = read("latent_cost")
    rows = [
        ["parameters of the U-Net", f"{row['unet'] / 1e6:.1f} million"],
        ["parameters of the autoencoder", f"{row['autoencoder'] / 1e6:.1f} million"],
        ["their weights, float32", f"{4 * (row['unet'] + row['autoencoder']) / GIB:.2f} GiB"],
        ["memory of an iteration beside them", f"{row['temporary'] / GIB:.2f} GiB"],
        ["memory of the decoder and its derivative alone", f"{row['decoder temporary'] / GIB:.2f} GiB"],
        [
            f"operations of {row['steps']} evaluations of the U-Net",
            f"{row['steps'] * row['evaluation'] / 1e12:.2f} TFLOP",
        ],
        ["operations of the decoder and its derivative", f"{row['decoder'] / 1e12:.2f} TFLOP"],
        [f"an iteration on {row['device']}", f"{row['seconds']:.0f} s, {row['busy']:.0f} s of a core"],
    ]
    lines = ["Made by `python experiments/latent_cost.py`.", *table(["what", "figure"], rows)]
    return {("docs/scaling.md", "latent"): lines}


if __name__ == "__main__":
    main()
