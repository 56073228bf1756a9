"""DiffPIR and DDRM as the package deepinv has them, on our weights and with our settings or its own.

deepinv's images are ``[b, c, h, w]`` in [0, 1], and its denoisers take x0 plus noise of a deviation in those units, without
the scaling of a schedule that preserves variance. Nothing of deepinv is changed but, where the times are to be ours, the
list of times that its DiffPIR walks down.
"""

import importlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import speed_torch as st

import jaxrestore as jr
from jaxrestore.diffusion.schedule import even_grid

deepinv: Any = importlib.import_module("deepinv")  # in no environment of the package, as PyTorch
torch = st.torch


def channels_first(images: Any) -> Any:
    """``[b, h, w, c]`` in [-1, 1] as deepinv has them."""
    return (torch.from_numpy(np.asarray(images).transpose(0, 3, 1, 2).copy()) + 1) / 2


def channels_last(images: Any) -> np.ndarray:
    """And back, within the range."""
    return (2 * images - 1).clamp(-1, 1).numpy().transpose(0, 2, 3, 1)


class Denoiser(deepinv.models.Denoiser):
    """The prior's x0, clipped as our methods clip it; between two levels of the schedule at the time between theirs."""

    def __init__(self, prior: jr.Prior):
        super().__init__()
        if prior.prediction != "v":
            raise ValueError(f"The prior {prior.name!r} predicts {prior.prediction}, and this denoiser reads v.")
        leaves = jax.tree_util.tree_leaves_with_path(prior.parameters)
        arrays = {".".join(key.key for key in path): np.asarray(leaf) for path, leaf in leaves}
        self.weights = st.Weights(arrays, prior.network, "cpu", torch.float32)
        self.levels = levels(prior.schedule.alpha_bar)

    def forward(self, x: Any, sigma: Any, **_: Any) -> Any:
        """deepinv's call: x ``[b, c, h, w]``, sigma a number."""
        level = float(np.clip(2 * float(sigma), self.levels[0], self.levels[-1]))
        t = float(np.interp(np.log(level), np.log(self.levels), np.arange(len(self.levels))))
        scale = (1 + level**2) ** -0.5
        scaled = scale * (2 * x - 1)
        v = st.ddpm(self.weights, scaled, torch.full((len(x),), t))
        return ((scale * scaled - level * scale * v).clamp(-1, 1) + 1) / 2


def levels(alpha_bar: Any) -> np.ndarray:
    """The deviation of the noise at each, in units of [-1, 1], of an x that isn't scaled."""
    alpha_bar = np.asarray(alpha_bar, np.float64)
    return np.sqrt((1 - alpha_bar) / alpha_bar)


class OurTimes(deepinv.sampling.DiffPIR):
    """deepinv's DiffPIR at even times, as ours walks."""

    def get_noise_schedule(self, sigma: Any) -> Any:
        """deepinv's weights and levels, and where among its levels, which fall, the steps are."""
        rhos, sigmas, _ = super().get_noise_schedule(sigma)
        return rhos, sigmas, torch.from_numpy(np.linspace(0, len(sigmas) - 1, self.max_iter).round().astype(int))


def pooling(shape: tuple[int, ...], scale: int, noise: Any) -> Any:
    """The average of blocks, by its singular values: of each block's coordinates in a basis the first is its average."""
    height, width, channels = shape
    start = np.concatenate([np.ones((scale**2, 1)), np.eye(scale**2)[:, 1:]], axis=1)
    basis = np.linalg.qr(start)[0]
    basis = torch.from_numpy((basis * np.sign(basis[0, 0])).astype(np.float32))  # its first column is constant
    parts = (channels, scale**2, height // scale, width // scale)
    values = torch.zeros(1, *parts)
    values[:, :, 0] = 1 / scale

    def coordinates(x: Any) -> Any:
        blocks = torch.nn.functional.pixel_unshuffle(x, scale).reshape(len(x), *parts)
        return torch.einsum("bckhw,kj->bcjhw", blocks, basis)

    def image(s: Any) -> Any:
        blocks = torch.einsum("bcjhw,kj->bckhw", s, basis).reshape(len(s), -1, *parts[2:])
        return torch.nn.functional.pixel_shuffle(blocks, scale)

    return deepinv.physics.DecomposablePhysics(
        U=lambda s: s[:, :, 0],
        U_adjoint=lambda y: torch.nn.functional.pad(y[:, :, None], (0, 0, 0, 0, 0, scale**2 - 1)),
        V=image,
        V_adjoint=coordinates,
        mask=values,
        noise_model=noise,
    )


def physics(operator: Any, shape: tuple[int, ...], sigma: float) -> Any:
    """Our operator as deepinv's, with noise of `sigma` in units of [-1, 1]; the mask of as many channels as DDRM wants."""
    noise = deepinv.physics.GaussianNoise(sigma / 2)
    if isinstance(operator, jr.AveragePool):
        return pooling(shape, operator.scale, noise)
    known = torch.from_numpy(np.broadcast_to(np.asarray(operator.known), shape).transpose(2, 0, 1).copy())
    return deepinv.physics.Inpainting(tuple(known.shape), mask=known, noise_model=noise)


def sampler(method: str, steps: int, sigma: float, denoiser: Denoiser, prior: jr.Prior, own: bool) -> tuple[Any, dict]:
    """A method of deepinv with so many evaluations, and what it was given: all of ours, or nothing more (`own`).

    Its DiffPIR weighs by the noise's variance in units of [0, 1] and doubles that: half of its lambda is our strength.
    """
    if method == "DiffPIR":
        ours = jr.DiffpirSettings()
        given = {} if own else {"zeta": float(ours.zeta), "lambda_": 2 * float(ours.strength)}
        build = deepinv.sampling.DiffPIR if own else OurTimes
        fidelity = deepinv.optim.data_fidelity.L2()
        return build(denoiser, fidelity, sigma=sigma / 2, max_iter=steps, **given), {"max_iter": steps, **given}
    ours = jr.DdrmSettings()
    given = {} if own else {"eta": float(ours.eta), "etab": float(ours.eta_b)}
    walked = np.linspace(1, 0, steps) if own else levels(even_grid(prior.schedule, steps).alpha_bar) / 2
    told = {"sigmas": steps, "from": float(walked[0]), "to": float(walked[-1]), **given}
    return deepinv.sampling.DDRM(denoiser, sigmas=walked, **given), told


class Theirs:
    """deepinv's restorations of a problem's measurements."""

    def __init__(self, prior: jr.Prior):
        torch.set_num_threads(1)
        self.prior, self.denoiser = prior, Denoiser(prior)

    def differs(self, images: np.ndarray) -> float:
        """The most that its network's x0 differs from ours, in units of [-1, 1], at a few levels of noise."""
        most = 0.0
        for t in (0, 300, 700, len(self.denoiser.levels) - 1):
            noise = np.random.default_rng(t).standard_normal(images.shape, np.float32)
            alpha_bar = np.asarray(self.prior.schedule.alpha_bar[t])
            x = np.sqrt(alpha_bar) * images + np.sqrt(1 - alpha_bar) * noise
            eps = np.asarray(self.prior.predict_noise(jnp.asarray(x), t))
            ours = np.clip((x - np.sqrt(1 - alpha_bar) * eps) / np.sqrt(alpha_bar), -1, 1)
            with torch.no_grad():
                given = channels_first(x / np.sqrt(alpha_bar))
                theirs = channels_last(self.denoiser(given, self.denoiser.levels[t] / 2))
            most = max(most, float(np.abs(ours - theirs).max()))
        return most

    def prepared(self, method: str, steps: int, operator: Any, sigma: float, own: bool) -> tuple[Any, dict]:
        """A function of measurements ``[b, ...]`` and a seed, and the settings it has."""
        measured = physics(operator, self.prior.shape, sigma)
        model, given = sampler(method, steps, sigma, self.denoiser, self.prior, own)
        known = measured.mask if isinstance(operator, jr.Mask) else 1  # what is missing is 0 in its range, too

        def restore(y: Any, seed: int) -> np.ndarray:
            torch.manual_seed(seed)
            with torch.no_grad():
                return channels_last(model(channels_first(y) * known, measured))

        return restore, given

    def operator_differs(self, operator: Any, images: np.ndarray) -> float:
        """The most that its operator's measurement of images differs from ours, in units of [-1, 1]."""
        measured = physics(operator, self.prior.shape, 0.1)
        theirs = 2 * measured.A(channels_first(images)).numpy().transpose(0, 2, 3, 1)
        known = np.asarray(operator(np.ones_like(images)))
        return float(np.abs(theirs - known - np.asarray(operator(images))).max())
