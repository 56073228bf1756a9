"""The recipe of the embedded prior: train.tar to a folder that `load_prior` reads, in pieces of at most nine minutes.

    python experiments/train_prior.py --train train.tar --data eval.tar
    python experiments/train_prior.py --data eval.tar --evaluate flowers64

The first command is given again until it says that it has finished; it trains a U-Net at full resolution (64 channels, levels
1, 2, 2, 4, two blocks each) for v on crops of 96 to 128 pixels. Made for one data-centre GPU, bfloat16: 36,000 steps of 128.
On two CPU cores it would take weeks: `--steps` and `--batch-size` are for trying it. The second command prints the held-out
error of any prior; of the embedded one, trained by an earlier recipe on 2 x 2 patches, 0.0186 is to be expected.
"""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import flowers
import numpy as np
import workers

ABOUT = Path(__file__).parent / "flowers64_about.json"
TIMES = (75, 275, 475, 675, 975)
PHOTOGRAPHS = 64


def fresh(dtype: str) -> Any:
    """The prior before its training."""
    import jax

    from jaxrestore.diffusion import schedule
    from jaxrestore.diffusion.prior import Prior
    from jaxrestore.networks import DDPMUNet

    network = DDPMUNet(
        image_size=64, ch=64, ch_mult=(1, 2, 2, 4), num_res_blocks=2, attn_resolutions=(16, 8), dtype=dtype
    )
    return Prior(network, network.init(jax.random.key(0)), schedule.linear(), (64, 64, 3), "v", "flowers64")


def held_out(prior: Any, data: Path) -> dict[str, Any]:
    """Mean square error of the predicted noise over forty times, and of clipped x0 at five, on photographs of eval.tar."""
    import jax
    import jax.numpy as jnp

    from jaxrestore.training.steps import held_out_error

    both = {
        **flowers.photographs(data, "tuning", PHOTOGRAPHS // 2),
        **flowers.photographs(data, "test", PHOTOGRAPHS // 2),
    }
    images = jnp.asarray(np.stack(list(both.values())))

    def errors(t: int) -> np.ndarray:
        return np.asarray(held_out_error(prior, images, jnp.int32(t), jax.random.key(t))).mean(0)

    noise = float(np.mean([errors(t)[0] for t in range(12, 1000, 25)]))
    return {
        "set": f"{PHOTOGRAPHS} held-out photographs",
        "noise_mean_square_error": round(noise, 5),
        "x0_mean_square_error_at_t": {str(t): round(float(errors(t)[1]), 4) for t in TIMES},
    }


def main() -> None:
    parser = workers.parser(__doc__, "out/train_prior")
    parser.add_argument("--train", type=Path, help="train.tar, or a folder")
    parser.add_argument("--evaluate", help="a prior's name or folder: print its held-out error")
    parser.add_argument("--steps", type=int, default=36_000)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--minutes", type=float, default=7, help="of a piece, before its last sheet")
    options = parser.parse_args()

    import jax

    import jaxrestore as jr
    from jaxrestore.diffusion.checksums import record_checksum
    from jaxrestore.diffusion.places import prior_folder
    from jaxrestore.training.loop import train
    from jaxrestore.training.report import Report
    from jaxrestore.training.sources import photographs
    from jaxrestore.training.steps import Training

    if options.evaluate:
        print(json.dumps(held_out(jr.load_prior(options.evaluate), options.data), indent=1))
        return
    if options.train is None:
        parser.error("give --train, or --evaluate")
    if (options.out / "prior").exists():
        raise SystemExit(f"{options.out / 'prior'} is there: the training has finished.")
    dtype = "float32" if jax.default_backend() == "cpu" else "bfloat16"
    prior, settings = fresh(dtype), Training(options.steps, options.batch_size, 4e-4, warmup=1000, average=0.9995)
    source = photographs(Path(options.train), prior.shape)
    done = train(
        prior,
        source,
        jax.random.key(1),
        settings,
        checkpoint=options.out / "checkpoints",
        report_every=500,
        minutes=options.minutes,
        progress=True,
        watch=Report(options.out, settings),
    )
    if done.step < settings.steps:
        print(f"{done.step} of {settings.steps} steps are done: give the same command again.")
        return
    network: Any = done.prior.network
    trained = dataclasses.replace(done.prior, network=dataclasses.replace(network, dtype="float32"))
    about = json.loads(ABOUT.read_text()) | {"measured": held_out(trained, options.data)}
    about["training"] = (
        f"v prediction, AdamW, batch {settings.batch_size}, {done.step} steps, "
        f"{done.step * settings.batch_size} images seen, averaged weights, "
        f"last loss {done.losses[-1000:].mean():.4f}, {jax.device_count()} {jax.devices()[0].device_kind}"
    )
    jr.save_prior(trained, options.out / "prior", **about)
    shutil.copyfile(prior_folder("flowers64") / "ATTRIBUTION.tsv", options.out / "prior" / "ATTRIBUTION.tsv")
    record_checksum(options.out / "prior" / "ATTRIBUTION.tsv")
    print(f"{options.out / 'prior'}: {json.dumps(about['measured'])}")


if __name__ == "__main__":
    main()
