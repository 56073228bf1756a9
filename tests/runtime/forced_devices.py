"""Run by test_devices.py in a process of its own, for which XLA was told to make eight devices of one CPU."""

import sys

import jax
import jax.numpy as jnp
import numpy as np

import jaxrestore as jr
from jaxrestore.errors import InputError
from jaxrestore.networks import DDPMUNet
from jaxrestore.runtime.devices import everywhere, mesh_of

network = DDPMUNet(image_size=16, ch=8, ch_mult=(1, 2), num_res_blocks=1, attn_resolutions=(4,), patch_size=2, groups=4)
prior = jr.Prior(network, network.init(jax.random.key(0)), jr.schedule.linear(), (16, 16, 3))
operator = jr.Blur(jr.SoftmaxKernel(3))
method = jr.bird(
    prior,
    operator,
    skip=500,
    iterations=6,
    noise_lr=0.05,
    gradient="frozen_v",
    operator_every=2,
    damping=1e-3,  # a kernel that is hardly seen would show the last bits
    restarts=2,
    combine="mean",
)
y = jax.vmap(operator)(jax.random.uniform(jax.random.key(1), (3, 16, 16, 3), minval=-1, maxval=1))


def restored(**given):
    return jr.restore(method, y, jax.random.key(2), chunk_size=2, **given)


def same(one, other):
    for mine, theirs in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=2e-3, atol=2e-4)


alone = restored()
seen = []
together = restored(devices="all", callback=lambda _, search: seen.append(search.state.noise.sharding))  # 6 of 8 rows
same(alone, together)
assert together.image.shape == (3, 16, 16, 3)
assert len(together.image.devices()) == 1
assert len(seen[0].device_set) == 8
assert seen[0].shard_shape((8, 16, 16, 3)) == (1, 16, 16, 3)
same(alone, restored(devices=3, batch_size=2))  # uneven: groups of three
same(alone, restored(devices=jax.devices()[2:4], divide_prior=True))

mesh = mesh_of("all")
large = {"wide": jnp.zeros((3, 512, 128)), "odd": jnp.zeros((513, 257)), "small": jnp.zeros(8)}
placed = everywhere(large, mesh, divide=True)
assert placed["wide"].sharding.shard_shape((3, 512, 128)) == (3, 64, 128)
assert placed["odd"].sharding.is_fully_replicated
assert placed["small"].sharding.is_fully_replicated

folder = sys.argv[1]
first = restored(devices=4, checkpoint=folder)
same(first, restored(devices=4, checkpoint=folder))  # read back from the checkpoint, and placed again
try:
    mesh_of(9)
except InputError as error:
    assert "There are 8 devices here, not 9." in str(error)  # noqa: PT017
else:
    raise AssertionError
print("all equal")
