"""LPIPS and the Inception features against the PyTorch packages with random weights, where those are installed."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxrestore.metrics import perceptual
from jaxrestore.metrics.inception import inception_features, inception_from


def random_classifier(backbone, seed=0):
    """Tensors by the published names and shapes."""
    draw, inputs, features, channels = np.random.default_rng(seed), 3, {}, {}
    outputs = {"alex": (64, 192, 384, 256, 256), "vgg": (64, 64, 128, 128, *[256] * 3, *[512] * 6)}[backbone]
    sides = {"alex": (11, 5, 3, 3, 3), "vgg": (3,) * 13}[backbone]
    for layer, width, side in zip(perceptual.BACKBONES[backbone], outputs, sides, strict=True):
        scale = (2 / (inputs * side**2)) ** 0.5
        kernel = scale * draw.standard_normal((width, inputs, side, side))
        features[f"features.{layer.number}.weight"] = kernel.astype(np.float32)
        features[f"features.{layer.number}.bias"] = 0.1 * draw.standard_normal(width).astype(np.float32)
        if layer.compared:
            weight = draw.random((1, width, 1, 1)).astype(np.float32)
            channels[f"lin{len(channels)}.model.1.weight"] = weight
        inputs = width
    return features, channels


@pytest.fixture(scope="module")
def pair():
    return np.clip(0.5 * np.random.default_rng(0).standard_normal((2, 2, 64, 48, 3), np.float32), -1, 1)


@pytest.mark.parametrize("backbone", ["alex", "vgg"])
def test_lpips_is_a_distance(backbone, pair):
    lpips, (one, other) = perceptual.lpips_from(backbone, *random_classifier(backbone)), pair
    found = functools.partial(jax.jit(perceptual.Lpips.__call__), lpips)
    pairs = [(one, one), (one, other), (other, one), (one, np.float32(0.9) * one + np.float32(0.1) * other)]
    same, there, back, nearer = np.split(np.asarray(found(*map(np.concatenate, zip(*pairs, strict=True)))), 4)
    np.testing.assert_allclose(same, 0, atol=1e-6)
    np.testing.assert_allclose(there, back, rtol=1e-4)
    np.testing.assert_allclose(found(one[1], other[1]), there[1], rtol=1e-4)
    assert np.max(nearer / there) < 0.5


@pytest.mark.parametrize("backbone", ["alex", "vgg"])
def test_lpips_is_that_of_its_package(backbone, pair):
    torch = pytest.importorskip("torch")
    lpips = pytest.importorskip("lpips")
    features, channels = random_classifier(backbone)
    theirs = lpips.LPIPS(net=backbone, pretrained=False, pnet_rand=True, verbose=False).eval()
    named = [module for slice_ in theirs.net.children() for module in slice_.named_children()]
    for number, module in named:
        if f"features.{number}.weight" in features:
            module.weight.data = torch.from_numpy(features[f"features.{number}.weight"])
            module.bias.data = torch.from_numpy(features[f"features.{number}.bias"])
    for i, weight in enumerate(channels.values()):
        theirs.lins[i].model[1].weight.data = torch.from_numpy(weight)
    wanted = theirs(*(torch.from_numpy(np.array(images)).permute(0, 3, 1, 2) for images in pair))
    found = perceptual.lpips_from(backbone, features, channels)(*map(jnp.asarray, pair))
    np.testing.assert_allclose(found, wanted.detach().numpy().ravel(), rtol=1e-4)


def test_files_that_are_not_those_are_named():
    features, channels = random_classifier("alex")
    with pytest.raises(ValueError, match="no tensor lin1"):
        perceptual.lpips_from("alex", features, {"lin0.model.1.weight": channels["lin0.model.1.weight"]})
    with pytest.raises(ValueError, match="it should be"):
        perceptual.lpips_from("alex", features | {"features.3.weight": np.zeros((1, 2, 3, 4))}, channels)
    with pytest.raises(ValueError, match="isn't the Inception network"):
        inception_from({})


def test_inception_is_that_of_fid():
    torch = pytest.importorskip("torch")
    theirs = pytest.importorskip("pytorch_fid.inception")
    torchvision = pytest.importorskip("torchvision")
    net = torchvision.models.inception_v3(num_classes=1008, aux_logits=False, weights=None, init_weights=False)
    names = {"Mixed_5b": "A", "Mixed_5c": "A", "Mixed_5d": "A", "Mixed_7b": "E_1", "Mixed_7c": "E_2"}
    names |= dict.fromkeys(("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e"), "C")
    arguments = {
        "Mixed_5b": (192, 32),
        "Mixed_5c": (256, 64),
        "Mixed_5d": (288, 64),
        "Mixed_7b": (1280,),
        "Mixed_7c": (2048,),
    }
    arguments |= {"Mixed_6b": (768, 128), "Mixed_6c": (768, 160), "Mixed_6d": (768, 160), "Mixed_6e": (768, 192)}
    for name, block in names.items():
        setattr(net, name, getattr(theirs, f"FIDInception{block}")(*arguments[name]))
    torch.manual_seed(0)
    for name, tensor in net.state_dict().items():
        if name.endswith(("bn.weight", "running_var")):
            tensor.uniform_(0.5, 1.5)
        elif name.endswith(("bn.bias", "running_mean")):
            tensor.normal_(0, 0.1)
    net.fc = torch.nn.Identity()
    image = np.random.default_rng(0).uniform(-1, 1, (2, 80, 64, 3)).astype(np.float32)
    x = torch.from_numpy(image).permute(0, 3, 1, 2)
    x = torch.nn.functional.interpolate(x, size=(299, 299), mode="bilinear", align_corners=False)
    with torch.no_grad():
        wanted = net.eval()(x).numpy()
    parameters = inception_from({name: tensor.numpy() for name, tensor in net.state_dict().items()})
    found = inception_features(parameters, jnp.asarray(image))
    assert np.abs(found - wanted).max() < 1e-3 * np.abs(wanted).max()
