"""Priors of which everything is known, and what follows from them, for tests and the processes that they start."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

import jaxrestore as jr


def mean_prior():
    """A prior of 8x8 whose only weights are the mean of its data, which have no spread: trained in milliseconds."""

    def network(parameters, x, t, label, key):
        alpha_bar = schedule.alpha_bar[t].reshape(-1, 1, 1, 1)
        return (x - jnp.sqrt(alpha_bar) * parameters["mean"]) / jnp.sqrt(1 - alpha_bar)

    schedule = jr.schedule.linear()
    return jr.Prior(network, {"mean": jnp.zeros((8, 8, 3))}, schedule, (8, 8, 3))


def matrix_of(operator, shape):
    """A linear operator as a matrix, float64 ``[numbers of y, numbers of an image]``."""
    units = jnp.eye(int(np.prod(shape)), dtype=jnp.float32).reshape(-1, *shape)
    columns = jax.vmap(operator)(units)
    return np.asarray(columns, np.float64).reshape(len(units), -1).T


def gaussian_network(parameters, x, t):
    """E[noise | x_t] = sqrt(1 - ab) (ab C + (1 - ab) I)^-1 (x_t - sqrt(ab) mean), in the basis of C's eigenvectors."""
    alpha_bar = parameters["alpha_bar"][t].reshape(-1, 1)
    centred = x.reshape(len(x), -1) - jnp.sqrt(alpha_bar) * parameters["mean"][None]
    spread = alpha_bar * parameters["variances"][None] + 1 - alpha_bar
    eps = jnp.sqrt(1 - alpha_bar) * (centred @ parameters["basis"]) / spread
    return (eps @ parameters["basis"].T).reshape(x.shape)


def correlated_prior(mean, covariance):
    """The exact prior of Gaussian data N(mean ``[h, w, c]``, covariance ``[n, n]``), whose pixels know of each other."""
    variances, basis = np.linalg.eigh(covariance)
    schedule = jr.schedule.linear()
    parameters = {
        "mean": jnp.asarray(mean, jnp.float32).ravel(),
        "variances": jnp.asarray(np.maximum(variances, 0), jnp.float32),
        "basis": jnp.asarray(basis, jnp.float32),
        "alpha_bar": schedule.alpha_bar,
    }
    return jr.Prior(gaussian_network, parameters, schedule, np.shape(mean), name="correlated")


def posterior(mean, covariance, matrix, y, sigma):
    """(mean ``[n]``, covariance ``[n, n]``) of x given y = matrix x + sigma noise, for x from N(mean, covariance)."""
    left = matrix @ covariance @ matrix.T + sigma**2 * np.eye(len(matrix))
    gain = covariance @ matrix.T @ np.linalg.pinv(left, rcond=1e-10, hermitian=True)
    return mean + gain @ (y - matrix @ mean), covariance - gain @ matrix @ covariance


SIDE = 4
PLACES = np.stack(np.meshgrid(range(SIDE), range(SIDE), indexing="ij"), -1).reshape(-1, 2)
MEAN = np.full(SIDE**2, 0.1)
COVARIANCES = {  # of images of 4 x 4 x 1, of deviation 0.2 everywhere
    "alone": 0.04 * np.eye(SIDE**2),
    "neighbours": 0.04 * np.exp(-np.linalg.norm(PLACES[:, None] - PLACES[None], axis=-1) / 2),
}
SEEN = {
    "mask": jr.Mask(np.arange(SIDE**2).reshape(SIDE, SIDE) % 3 > 0),
    "average": jr.AveragePool(2),
    "blur": jr.Blur(jr.GaussianKernel(3, (1.0, 0.6)), "circular"),
}


class Gaussian(NamedTuple):
    """A linear problem of Gaussian data, and its answer in closed form."""

    prior: jr.Prior
    operator: jr.Operator
    y: jax.Array
    sigma_y: float  # rms over all entries of y
    matrix: np.ndarray
    mean: np.ndarray  # [n]
    covariance: np.ndarray  # [n, n]


def gaussian_problem(data, seen, sigma=0.1, seed=1):
    """By names of COVARIANCES and SEEN: what was measured of a draw of the data, with noise of deviation sigma in each
    entry that was measured."""
    draw, operator, covariance = np.random.default_rng(seed), SEEN[seen], COVARIANCES[data]
    matrix = matrix_of(operator, (SIDE, SIDE, 1))
    measured = np.abs(matrix).sum(1) > 0
    y = matrix @ draw.multivariate_normal(MEAN, covariance) + sigma * measured * draw.standard_normal(len(matrix))
    shaped = jnp.asarray(y.reshape(operator(jnp.zeros((SIDE, SIDE, 1))).shape), jnp.float32)
    prior = correlated_prior(MEAN.reshape(SIDE, SIDE, 1), covariance)
    sigma_y = float(sigma * np.mean(measured) ** 0.5)
    return Gaussian(prior, operator, shaped, sigma_y, matrix, *posterior(MEAN, covariance, matrix, y, sigma))


# Unlike most of the tests' programs these run for longer than they compile.
OPTIMISED = {"xla_backend_optimization_level": 2, "xla_llvm_disable_expensive_passes": False}
_runs = jax.jit(jax.vmap(jr.run, in_axes=(None, None, 0)), compiler_options=OPTIMISED)


DRAWS = 1000
FIVE = 5 * (2 / DRAWS) ** 0.5  # five deviations of a variance that is estimated from so many, relative


def draws(method, y, number=DRAWS):
    """(mean ``[n]``, covariance ``[n, n]``) of a method's answers from so many keys, of whose numbers hardly any was
    clipped."""
    images = np.asarray(_runs(method, y, jax.random.split(jax.random.key(0), number)).image, np.float64)
    assert np.mean(np.abs(images) == 1) < 2e-3
    return images.reshape(number, -1).mean(0), np.cov(images.reshape(number, -1).T)
