"""Priors of which everything is known, for tests and the processes that they start."""

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
