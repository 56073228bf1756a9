"""Folders of TensorFlow.js written by hand: a graph of a `KerasUNet`, operation by operation, and its quantised shards."""

import base64
import json
from itertools import count

import numpy as np

from jaxrestore.networks.keras_unet import geometric_frequencies


def encoded(text):
    return {"s": base64.b64encode(text.encode()).decode()}


def quantised(array, how):
    """(bytes, what the manifest says) of an array as float32, uint8, uint16 or float16."""
    array = np.asarray(array)
    if how == "float32" or array.dtype.kind == "i":
        return array.tobytes(), {"dtype": str(array.dtype)}
    if how == "float16":
        return array.astype("<f2").tobytes(), {"dtype": "float32", "quantization": {"dtype": how}}
    top, low = 2 ** (8 * np.dtype(how).itemsize) - 1, float(array.min())
    scale = (float(array.max()) - low) / top or 1.0
    raw = np.clip(np.round((array - low) / scale), 0, top).astype(how)
    about = {"dtype": how, "scale": scale, "min": low, "original_dtype": "float32"}
    return raw.tobytes(), {"dtype": "float32", "quantization": about}


class Writer:
    """Nodes and constants; every method adds a layer and returns the name of its result."""

    def __init__(self, network, parameters):
        self.network, self.parameters = network, parameters
        self.nodes, self.constants, self.numbers = [], {}, count()

    def node(self, op, *inputs, **attributes):
        name = f"Call/unet/{op}_{next(self.numbers)}"
        self.nodes.append({"name": name, "op": op, "input": list(inputs), "attr": attributes})
        return name

    def constant(self, array, dtype=np.int32):
        name = self.node("Const")
        self.constants[name] = np.asarray(array, dtype)
        return name

    def parameter(self, *path):
        branch = self.parameters
        for part in path:
            branch = branch[part]
        return branch

    def weight(self, *path):
        return self.constant(self.parameter(*path), np.float32)

    def convolution(self, x, *path, strides=1):
        about = {"strides": {"list": {"i": ["1", str(strides), str(strides), "1"]}}, "padding": encoded("SAME"),
                 "data_format": encoded("NHWC"), "dilations": {"list": {"i": ["1"] * 4}}}  # fmt: skip
        weight, bias = self.weight(*path, "kernel"), self.weight(*path, "bias")
        if path[-1] == "conv_out":  # as an older converter leaves it
            return self.node("BiasAdd", self.node("Conv2D", x, weight, **about), bias)
        return self.node("_FusedConv2D", x, weight, bias, **about, fused_ops={"list": {"s": [encoded("BiasAdd")["s"]]}})

    def dense(self, x, *path):
        weight, bias = self.weight(*path, "kernel"), self.weight(*path, "bias")
        return self.node("_FusedMatMul", x, weight, bias, fused_ops={"list": {"s": [encoded("BiasAdd")["s"]]}})

    def dense_of_pixels(self, x, *path):
        shape = self.node("Shape", x)
        product = self.node("MatMul", self.node("Reshape", x, shape), self.weight(*path, "kernel"))
        return self.node("BiasAdd", self.node("Reshape", product, shape), self.weight(*path, "bias"))

    def swish(self, x):
        return self.node("Mul", x, self.node("Sigmoid", x))

    def norm(self, x, *path):
        shape, groups = self.node("Shape", x), self.constant(self.network.groups)
        parts = self.node("Reshape", x, self.node("Pack", shape, shape, shape, groups, shape))
        scale, bias = (self.node("Reshape", self.weight(*path, part), shape) for part in ("scale", "bias"))
        mean = self.node("Mean", parts, self.constant([1, 2, 4]))
        variance = self.node("Mean", self.node("SquaredDifference", parts, mean), self.constant([1, 2, 4]))
        epsilon = self.constant(self.network.norm_eps, np.float32)
        inverse = self.node("Mul", self.node("Rsqrt", self.node("AddV2", variance, epsilon)), scale)
        offset = self.node("Sub", bias, self.node("Mul", mean, inverse))
        return self.node("Reshape", self.node("AddV2", self.node("Mul", parts, inverse), offset), shape)

    def residual(self, x, *path):
        time = self.dense(self.swish(self.time), *path, "temb_proj")
        corners = [self.constant([0, 0, 0, 0]) for _ in range(3)]
        time = self.node("StridedSlice", time, *corners, new_axis_mask={"i": "6"})
        h = self.convolution(self.swish(self.norm(x, *path, "norm1")), *path, "conv1")
        h = self.swish(self.norm(self.node("AddV2", h, time), *path, "norm2"))
        has_shortcut = "nin_shortcut" in self.parameter(*path)
        beside = self.convolution(x, *path, "nin_shortcut") if has_shortcut else x
        return self.node("AddV2", self.convolution(h, *path, "conv2"), beside)

    def attention(self, x, *path):
        x = self.norm(x, *path, "norm")
        q, k, v = (self.dense_of_pixels(x, *path, part) for part in "qkv")
        scale = self.constant(self.parameter(*path, "norm", "scale").size ** -0.5, np.float32)
        scores = self.node("Mul", self.node("Einsum", q, k, equation=encoded("bhwc,bHWc->bhwHW")), scale)
        shape = self.node("Shape", x)
        weights = self.node("Reshape", self.node("Softmax", self.node("Reshape", scores, shape)), shape)
        mixed = self.node("Einsum", weights, v, equation=encoded("bhwHW,bHWc->bhwc"))
        return self.node("AddV2", x, self.dense_of_pixels(mixed, *path, "proj_out"))

    def blocks(self, x, way, level, i):
        x = self.residual(x, way, str(level), "block", str(i))
        attends = "attn" in self.parameter(way, str(level))
        return self.attention(x, way, str(level), "attn", str(i)) if attends else x

    def embedding(self):
        frequencies = self.network.frequencies or geometric_frequencies(2 * self.network.ch)
        self.nodes.append({"name": "time_input", "op": "Placeholder", "attr": {}})
        corners = [self.constant([0, 0]) for _ in range(3)]
        times = self.node("StridedSlice", self.node("Cast", "time_input"), *corners, new_axis_mask={"i": "2"})
        angles = self.node("Mul", times, self.constant(np.asarray(frequencies)[None], np.float32))
        both = self.node("ConcatV2", self.node("Sin", angles), self.node("Cos", angles), self.constant(-1))
        return self.dense(self.swish(self.dense(both, "temb", "0")), "temb", "1")

    def graph(self):
        network, last = self.network, len(self.network.ch_mult) - 1
        side = {"size": str(network.image_size)}
        shape = {"shape": {"dim": [{"size": "-1"}, side, side, {"size": str(network.channels)}]}}
        self.nodes.append({"name": "image_input", "op": "Placeholder", "attr": {"shape": shape}})
        self.time = self.embedding()
        x = self.convolution("image_input", "conv_in")
        skips = [x]
        for level in range(last + 1):
            for i in range(network.num_res_blocks):
                x = self.blocks(x, "down", level, i)
                skips.append(x)
            if level < last:
                x = self.convolution(x, "down", str(level), "resample", strides=2)
                skips.append(x)
        x = self.attention(self.residual(x, "mid", "block_1"), "mid", "attn_1")
        x = self.residual(x, "mid", "block_2")
        for level in reversed(range(last + 1)):
            for i in range(network.num_res_blocks + 1):
                x = self.blocks(self.node("ConcatV2", x, skips.pop(), self.constant(3)), "up", level, i)
            if level:
                size = self.constant([network.image_size // 2 ** (level - 1)] * 2)
                x = self.convolution(self.node("ResizeNearestNeighbor", x, size), "up", str(level), "resample")
        x = self.convolution(self.swish(self.norm(x, "norm_out")), "conv_out")
        self.nodes.append({"name": "Identity", "op": "Identity", "input": [x]})


def model_of(network, parameters, how="float32", shard=5000):
    """(model.json as an object, the bytes of each shard)."""
    writer = Writer(network, parameters)
    writer.graph()
    parts = {name: quantised(array, how) for name, array in writer.constants.items()}
    data = b"".join(numbers for numbers, _ in parts.values())
    shards = {f"group1-shard{i}.bin": data[at : at + shard] for i, at in enumerate(range(0, len(data), shard), 1)}
    weights = [
        {"name": name, "shape": list(writer.constants[name].shape), **about} for name, (_, about) in parts.items()
    ]
    model = {
        "format": "graph-model",
        "signature": {"outputs": {"result": {"name": "Identity:0"}}},
        "modelTopology": {"node": writer.nodes},
        "weightsManifest": [{"paths": list(shards), "weights": weights}],
    }
    return model, shards


def write_tfjs(folder, model, shards):
    """The folder, with what `model_of` gives in it."""
    folder.mkdir(exist_ok=True)
    for name, data in shards.items():
        (folder / name).write_bytes(data)
    (folder / "model.json").write_text(model if isinstance(model, str) else json.dumps(model))
    return folder
