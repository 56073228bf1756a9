import os
import stat

import jax
import jax.numpy as jnp
import pytest

import jaxrestore as jr
from jaxrestore.cli import cache
from jaxrestore.runtime import compiling


@pytest.fixture
def configuration(monkeypatch, tmp_path):
    """JAX's settings as they were, afterwards; and a home without a store."""
    names = ("jax_compilation_cache_dir", "jax_persistent_cache_min_compile_time_secs")
    before = {name: getattr(jax.config, name) for name in names}
    for name in cache.OWN:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    yield tmp_path / "jaxrestore"
    for name, value in before.items():
        jax.config.update(name, value)


def test_programs_are_kept_in_a_folder_of_this_user_alone(configuration):
    before = os.umask(0o002)  # as many systems have it
    folder = cache.keep_programs()
    os.umask(before)
    assert folder is not None
    assert folder.parent == configuration
    assert jax.config.jax_compilation_cache_dir == str(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert cache.keep_programs() == folder


def test_a_folder_that_others_can_write_is_not_used(configuration, capsys):
    before = jax.config.jax_compilation_cache_dir
    configuration.mkdir()
    configuration.chmod(0o777)
    assert cache.keep_programs() is None
    assert "can be written by others" in capsys.readouterr().err
    assert jax.config.jax_compilation_cache_dir == before


def test_no_home_and_a_store_of_the_users_own_are_left_alone(configuration, monkeypatch):
    configuration.write_text("no folder")
    assert cache.keep_programs() is None
    configuration.unlink()
    monkeypatch.setenv("JAX_COMPILATION_CACHE_DIR", "elsewhere")
    assert cache.keep_programs() is None
    assert not configuration.exists()


@pytest.fixture
def fresh():
    compiling._known.cache_clear()
    yield
    compiling._known.cache_clear()


def test_options_that_are_unknown_or_the_users_are_not_given(fresh, monkeypatch):
    monkeypatch.setattr(compiling, "_OPTIONS", {"cpu": ("xla_cpu_no_such_option", "1")})
    assert jr.compiler_options() == {}
    monkeypatch.undo()
    compiling._known.cache_clear()
    monkeypatch.setenv("XLA_FLAGS", f"--{compiling._OPTIONS['cpu'][0]}=")
    assert jr.compiler_options() == {}


@pytest.mark.parametrize("device", ["cpu", "gpu", "tpu"])
def test_options_are_the_devices(device, fresh, monkeypatch):
    option = compiling._OPTIONS.get(device, ())
    monkeypatch.setattr(jax, "default_backend", lambda: device)
    assert jr.compiler_options() == dict([option] if option else [])  # which XLA knows: it reads them for any device


def test_an_outermost_program_is_the_function():
    double = compiling.outermost(lambda x, times: times * x, static_argnames="times")
    assert float(double(jnp.float32(3), 2)) == 6
    assert float(jax.jit(lambda x: 2 * x, compiler_options=jr.compiler_options())(jnp.float32(3))) == 6
