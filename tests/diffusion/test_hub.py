"""Priors named by their repositories: fetched from a server that speaks the hub's protocol, converted once, then kept."""

import hashlib
import json
import threading
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import jax
import numpy as np
import pytest
from golden_files import FOLDER, weights
from safetensors.numpy import save_file

import jaxrestore as jr
from checkpoints_convert import convert, files_read
from checkpoints_convert.sources import needed
from jaxrestore.diffusion.hub import repository

COMMIT = "0123456789abcdef0123456789abcdef01234567"
WEIGHTS = "diffusion_pytorch_model.safetensors"
READ = {"config.json", "scheduler_config.json", WEIGHTS}
SCHEDULER = {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02, "num_train_timesteps": 1000}


class Handler(BaseHTTPRequestHandler):
    """The parts of the protocol that are used: what a model is, and a file of it, which large ones redirect from."""

    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def do_GET(self):
        hub, path = self.server, urllib.parse.unquote(self.path.partition("?")[0])
        hub.asked.append(f"{self.command} {path}")
        if path.startswith("/store/"):
            return self.reply(200, (hub.folder / path.removeprefix("/store/")).read_bytes())
        for revision in ("main", "v1", COMMIT):
            if path == f"/api/models/someone/tiny/revision/{revision}":
                return self.reply(200, json.dumps(hub.about()).encode(), Content_Type="application/json")
            root = f"/someone/tiny/resolve/{revision}/"
            file = hub.folder / path.removeprefix(root)
            if path.startswith(root) and file.is_file():
                data = file.read_bytes()
                etag = f'"{hashlib.sha256(data).hexdigest()}"'
                about = {"ETag": etag, "X_Repo_Commit": COMMIT, "X_Linked_Size": len(data), "X_Linked_Etag": etag}
                if file.suffix == ".json":
                    return self.reply(200, data, **about)
                return self.reply(302, Location=f"{hub.store}/store/{file.relative_to(hub.folder)}", **about)
        known = path.startswith("/api/models/someone/tiny/")
        return self.reply(404, X_Error_Code="RevisionNotFound" if known else "RepoNotFound")

    do_HEAD = do_GET


class Hub(ThreadingHTTPServer):
    """Serves a folder as the repository someone/tiny."""

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder, self.asked = folder, []
        self.address = f"http://127.0.0.1:{self.server_address[1]}"
        self.store = self.address.replace("127.0.0.1", "localhost")  # another host, as a store of large files is

    def about(self):
        names = sorted(path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file())
        siblings = [{"rfilename": name} for name in names]
        return {"id": "someone/tiny", "sha": COMMIT, "siblings": siblings, "cardData": {"license": "cc0-1.0"}}


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A server of a small UNet2DModel, and caches of this test's own."""
    constants = pytest.importorskip(
        "huggingface_hub.constants", reason="huggingface_hub is not installed: jaxrestore[hub]"
    )
    folder = tmp_path / "served"
    folder.mkdir()
    about = json.loads((FOLDER / "diffusers_unet2d" / "weights.json").read_text())
    save_file(weights(about["seed"], about["tensors"]), folder / WEIGHTS)
    (folder / "config.json").write_text((FOLDER / "diffusers_unet2d" / "config.json").read_text())
    (folder / "scheduler_config.json").write_text(json.dumps(SCHEDULER))
    for other in ("README.md", "diffusion_pytorch_model.bin", "ema.safetensors", "images/sample.png"):
        (folder / other).parent.mkdir(exist_ok=True)
        (folder / other).write_text("not to be fetched")
    server = Hub(folder)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setenv("HF_ENDPOINT", server.address)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def stop(hub):
    hub.shutdown()
    hub.server_close()


def assert_equal(found, wanted):
    jax.tree.map(np.testing.assert_array_equal, found, wanted)


def test_a_repository_is_fetched_and_converted_once(hub, tmp_path, command):
    prior = jr.load_prior("hf:someone/tiny")
    wanted = convert(hub.folder)
    assert_equal(prior.parameters, wanted.parameters)
    assert (prior.network, prior.shape, prior.name) == (wanted.network, wanted.shape, "tiny")
    resolved = [line for line in hub.asked if "/resolve/" in line]
    assert {line.rpartition("/")[2] for line in resolved} == READ
    assert all(f"/resolve/{COMMIT}/" in line for line in resolved)  # of one commit, whatever happens to the branch
    card = jr.read_card("hf:someone/tiny")
    assert card["licence"] == "cc0-1.0"
    assert card["source"] == {
        "repository": "someone/tiny",
        "revision": "main",
        "commit": COMMIT,
        "files": {name: hashlib.sha256((hub.folder / name).read_bytes()).hexdigest() for name in READ},
    }
    assert [path.name for path in (tmp_path / "cache" / "jaxrestore" / "priors").iterdir()] == ["someone--tiny@main"]
    stop(hub)
    asked = len(hub.asked)
    assert_equal(jr.load_prior("hf:someone/tiny").parameters, wanted.parameters)
    code, said, _ = command("priors", "verify", "hf:someone/tiny")
    assert (code, len(hub.asked)) == (0, asked)
    assert said.startswith("hf:someone/tiny: ")
    for name, flags in (("calibrate", ()), ("tune", ("--task", "denoise"))):
        code, _, complained = command(name, "hf:someone/tiny", tmp_path, *flags)
        assert code == 2
        assert "someone--tiny@main is in the cache, and is never written into" in complained
    code, said, _ = command("sample", tmp_path / "a.png", "--prior", "hf:someone/tiny", "--number", 1, "--skip", 1000)
    assert code == 0
    assert "samples of tiny" in said


def test_the_command_converts_a_revision_to_a_folder(hub, tmp_path, command):
    for revision in ("v1", COMMIT):
        code, said, _ = command("convert", f"hf:someone/tiny@{revision}", tmp_path / revision)
        assert code == 0
        assert "tiny, 16 x 16" in said
        source = jr.read_card(tmp_path / revision)["source"]
        assert (source["revision"], source["commit"]) == (revision, COMMIT)
        assert f"GET /api/models/someone/tiny/revision/{revision}" in hub.asked
    (tmp_path / "about.json").write_text('{"licence": "mine", "data": "faces"}')
    command("convert", "hf:someone/tiny", tmp_path / "own", "--about", tmp_path / "about.json", "--name", "own")
    card = jr.read_card(tmp_path / "own")
    assert (card["name"], card["licence"], card["data"]) == ("own", "mine", "faces")
    code, _, complained = command("convert", "hf:someone/tiny", tmp_path / "own")
    assert code == 2
    assert "exists already" in complained
    (tmp_path / "about.json").write_text('{"source": "here"}')
    code, _, complained = command("convert", "hf:someone/tiny", tmp_path / "b", "--about", tmp_path / "about.json")
    assert code == 2
    assert "leave it out" in complained


def test_without_a_network_a_sentence_says_what_to_do(hub, command, tmp_path):
    stop(hub)
    with pytest.raises(jr.PriorError) as error:
        jr.load_prior("hf:someone/tiny@v1")
    said = str(error.value)
    assert said.startswith(f"hf:someone/tiny@v1 can't be fetched, {hub.address} is not reached (")
    assert "`hf download someone/tiny --revision v1 --local-dir FOLDER`" in said
    assert "`jaxrestore convert FOLDER OUT`" in said
    code, _, complained = command("convert", "hf:someone/tiny", tmp_path / "out")
    assert (code, complained.count("\n")) == (2, 1)
    assert "is not reached" in complained
    assert not list((tmp_path / "cache" / "jaxrestore" / "priors").iterdir())


def test_what_the_hub_does_not_have_is_said(hub):
    for name, words in (("hf:someone/else", "can't be fetched: "), ("hf:someone/tiny@v2", "can't be fetched: ")):
        with pytest.raises(jr.PriorError, match=words) as error:
            jr.load_prior(name)
        assert "is not reached" not in str(error.value)
    (hub.folder / "config.json").write_text('{"_class_name": "UNet2DConditionModel"}')
    with pytest.raises(jr.InputError, match="only UNet2DModel is known"):
        jr.load_prior("hf:someone/tiny")
    assert not [line for line in hub.asked if WEIGHTS in line]  # before the gigabytes
    (hub.folder / "config.json").unlink()
    with pytest.raises(jr.PriorError, match=r"neither config\.json nor unet/config\.json"):
        jr.load_prior("hf:someone/tiny")


def test_a_cache_that_others_write_is_not_used(hub, tmp_path):
    (tmp_path / "cache" / "jaxrestore").mkdir(parents=True)
    (tmp_path / "cache" / "jaxrestore").chmod(0o777)
    with pytest.raises(jr.PriorError, match=r"can be written by others\): `jaxrestore convert hf:someone/tiny OUT`"):
        jr.load_prior("hf:someone/tiny")
    assert not hub.asked


def test_without_the_package_it_is_said_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "huggingface_hub", None)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(jr.PriorError, match=r"not installed: python -m pip install 'jaxrestore\[hub\]'"):
        jr.load_prior("hf:someone/tiny")


@pytest.mark.parametrize(
    "name", ["hf:", "hf:a", "hf:a/b/c", "hf:a/b@", "hf:../b", "hf:a/b@../c", "hf:a/b@x y", "hf:a/b\n"]
)
def test_names_of_no_repository(name):
    with pytest.raises(jr.PriorError, match="names no repository: write hf:OWNER/NAME"):
        repository(name)


def test_which_files_are_needed():
    one = "diffusion_pytorch_model"
    latent = ["unet/config.json", "vqvae/config.json", "scheduler/scheduler_config.json"]
    both = [f"{folder}/{one}.{kind}" for folder in ("unet", "vqvae") for kind in ("bin", "safetensors")]
    other = ["config.json", "model_index.json", f"{one}.bin", f"text_encoder/{one}.bin", f"unet/{one}.fp16.bin"]
    names = [*latent, *both, *other]
    assert needed(names) == [*latent, f"unet/{one}.safetensors", f"vqvae/{one}.safetensors"]
    shards = [f"{one}-0000{i}-of-00002.safetensors" for i in (1, 2)]
    assert needed(["config.json", *shards, f"{one}.safetensors.index.json", f"{one}.fp16.safetensors"]) == [
        "config.json", *shards, f"{one}.safetensors.index.json",
    ]  # fmt: skip
    assert needed(["config.json", f"{one}.fp16.safetensors", f"{one}.non_ema.bin"])[1:] == [f"{one}.fp16.safetensors"]
    assert needed(["config.json", *shards, f"{one}.safetensors"])[1:] == [f"{one}.safetensors"]
    assert needed(["a.txt"]) == []


def test_the_scheduler_around_a_network_is_read_too(tmp_path):
    for name in ("unet/config.json", f"unet/{WEIGHTS}", "scheduler/scheduler_config.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text('{"_class_name": "UNet2DModel"}')
    read = files_read(tmp_path / "unet")
    assert set(read) == {"config.json", WEIGHTS, "../scheduler/scheduler_config.json"}
    assert all(path.is_file() for path in read.values())
    assert files_read(Path("a/b.pt")) == {"b.pt": Path("a/b.pt")}
