"""How the library feels to use: the lines that its design promises, as they stand there."""

import textwrap

import numpy as np
import pytest
from PIL import Image

import jaxrestore as jr

LINES = """
    import jax, jaxrestore as jr

    prior  = jr.load_prior("flowers64")                      # carries its tuned settings and its noise statistics
    y      = jr.read_image("blurred.png", prior)
    method = jr.bird(prior, jr.Blur(jr.GaussianKernel(11, unknown=True)))   # settings: the prior's, for this kind of operator
    result = jr.restore(method, y, jax.random.key(0))        # restarts and how they combine are the method's, too
    jr.write_image("sharp.png", result.image); print(result.message)

    jr.bird(prior, H, noise_lr=3e-3, iterations=200)         # every setting is a keyword of the signature; what isn't given comes from the prior
    jr.bird(prior, H, settings=jr.published("bird", "blind-deblur"))
    many   = jax.vmap(lambda k: jr.run(method, y, k))(keys)   # pure; jit it with the method as an argument
    jr.invert2restore(prior)                                  # fully blind; with an operator: partially blind
"""  # noqa: E501


@pytest.mark.slow
def test_the_ten_lines(tmp_path, monkeypatch, capsys):
    import jax

    monkeypatch.chdir(tmp_path)
    prior = jr.load_prior("flowers64")
    clean = jr.unroll(prior, jax.random.normal(jax.random.key(5), prior.shape), skip=20)
    jr.write_image("blurred.png", jr.Blur(jr.GaussianKernel(11, (1.8, 1.2)))(clean))
    names = {"H": jr.AveragePool(8), "keys": jax.random.split(jax.random.key(1), 2)}
    exec(textwrap.dedent(LINES), names)
    assert capsys.readouterr().out == "all 100 iterations were run\n"
    assert Image.open("sharp.png").size == (64, 64)
    assert names["method"].restarts == 2
    blurred = jr.metrics.psnr(jax.numpy.asarray(names["y"]), clean)
    image, reference = jr.metrics.registered(names["result"].image, clean)
    assert jr.metrics.psnr(image, reference) > blurred
    assert names["many"].image.shape == (2, 64, 64, 3)
    assert bool(np.all(np.isfinite(names["many"].image)))
