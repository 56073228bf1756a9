"""The steps of the Keras documentation's DDPM U-Net in a graph: blocks, attention, changes of size, embedding."""

import math
from typing import NamedTuple

import numpy as np

from checkpoints_convert.tensors import ConversionError
from checkpoints_convert.tfjs_graph import Graph, Norm, Weighted, same_equation

QUERIES_KEYS, WEIGHTS_VALUES = "bhwc,bijc->bhwij", "bhwij,bijc->bhwc"
NEW_AXES = 0b0110  # of [:, None, None, :]
LARGEST_EMBEDDING = 2**16


class Step(NamedTuple):
    """A step on the way from the image to the output, of one letter: F(irst convolution), R(esidual block), A(ttention),
    D(own: half the size), U(p: twice the size), C(oncatenation with a skip connection)."""

    letter: str
    result: str  # the names of nodes
    taken: str
    tensors: dict[str, str]  # our names within the step -> the graph's
    skip: str = ""
    size: tuple[int, ...] = ()  # rows and columns after U, where the graph has numbers for them


class Blocks:
    """Reads steps, and remembers what all of them must agree on. ConversionError names the node that is something else."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.norms: set[tuple[int, float]] = set()  # groups, epsilon
        self.times: set[str] = set()  # the embedding that blocks take

    def steps(self, output: str) -> tuple[dict[str, str], list[Step]]:
        """The tensors of the last norm and convolution, and the steps before them, first to last."""
        while self.graph.node(output).op == "Identity":
            (output,) = self.graph.taken(output, count=1)
        last = self._plain(output)
        norm = self._norm(self.graph.swish(last.taken))
        steps, seen, at = [], set(), norm.taken
        while not steps or steps[-1].letter != "F":
            if at in seen:
                raise ConversionError(f"The graph goes in a circle through {at!r}.")
            seen.add(at)
            steps.append(self._step(at))
            at = steps[-1].taken
        return _named(norm_out=norm, conv_out=last), steps[::-1]

    def _step(self, name: str) -> Step:
        """The step whose result a node is."""
        operation = self.graph.node(name).op
        if operation == "ConcatV2":
            before, skip, axis = self.graph.taken(name, count=3)
            if self.graph.constant(axis).item() not in (-1, 3):
                raise ConversionError(f"The skip connection at {name!r} is not joined to the channels.")
            return Step("C", name, before, {}, skip=skip)
        if operation == "AddV2":
            is_attention = self.graph.node(self.graph.taken(name)[0]).op == "Reshape"
            return self._attention(name) if is_attention else self._residual(name)
        layer = self.graph.convolution(name)
        before = self.graph.node(layer.taken)
        if layer.strides == 2:
            return Step("D", name, layer.taken, _named(layer))
        if layer.strides != 1:
            raise ConversionError(f"The convolution {name!r} has a stride of {layer.strides}.")
        if before.op == "Placeholder":
            return Step("F", name, layer.taken, _named(layer))
        small, size = self.graph.taken(layer.taken, "ResizeNearestNeighbor")
        if before.flag("align_corners"):
            raise ConversionError(f"The enlargement {layer.taken!r} aligns corners: it does not repeat pixels.")
        return Step("U", name, small, _named(layer), size=self._size(size))

    def _size(self, name: str) -> tuple[int, ...]:
        """The size that an enlargement is told; () where the graph doubles what it finds."""
        if self.graph.node(name).op == "Const":
            return tuple(self.graph.constant(name).tolist())
        factors = self.graph.constant(self.graph.taken(name, "Mul")[1])
        if set(factors.tolist()) != {2}:
            raise ConversionError(f"The enlargement to {name!r} is by {factors.tolist()}, not by 2.")
        return ()

    def _residual(self, name: str) -> Step:
        inner, beside = self.graph.taken(name)
        conv2 = self._plain(inner)
        norm2 = self._norm(self.graph.swish(conv2.taken))
        inner, time = self.graph.taken(norm2.taken, "AddV2")
        conv1 = self._plain(inner)
        norm1 = self._norm(self.graph.swish(conv1.taken))
        layers = {"norm1": norm1, "conv1": conv1, "temb_proj": self._time(time), "norm2": norm2, "conv2": conv2}
        if beside != norm1.taken:
            layers["nin_shortcut"] = shortcut = self._plain(beside)
            if shortcut.taken != norm1.taken:
                raise ConversionError(f"The residual block {name!r} adds something else than its input.")
        return Step("R", name, norm1.taken, _named(**layers))

    def _time(self, name: str) -> Weighted:
        """The dense layer of a block's time embedding, which is spread over the image."""
        vector = self.graph.taken(name, "StridedSlice", count=4)[0]
        if self.graph.node(name).number("new_axis_mask") != NEW_AXES:
            raise ConversionError(f"The time embedding at {name!r} is not spread over rows and columns.")
        layer = self.graph.dense(vector)
        self.times.add(self.graph.swish(layer.taken))
        return layer

    def _attention(self, name: str) -> Step:
        graph = self.graph
        x, projected = graph.taken(name)
        norm, projection = self._norm(x), graph.dense(projected)
        weights, values = self._einsum(projection.taken, WEIGHTS_VALUES)
        scores = graph.taken(graph.taken(weights, "Reshape")[0], "Softmax", count=1)[0]
        product, scale = graph.taken(graph.taken(scores, "Reshape")[0], "Mul")
        queries, keys = self._einsum(product, QUERIES_KEYS)
        q, k, v = (graph.dense(part) for part in (queries, keys, values))
        if {q.taken, k.taken, v.taken} != {x}:
            raise ConversionError(f"The attention {name!r} is of something else than its normalised input.")
        channels = graph.tensor(q.weight).shape[-1]
        if abs(float(graph.constant(scale)) * math.sqrt(channels) - 1) > 1e-3:
            raise ConversionError(f"The attention {name!r} is not scaled by {channels} ** -0.5.")
        return Step("A", name, norm.taken, _named(norm=norm, q=q, k=k, v=v, proj_out=projection))

    def _einsum(self, name: str, equation: str) -> tuple[str, ...]:
        parts = self.graph.taken(name, "Einsum")
        if not same_equation(self.graph.node(name).text("equation"), equation):
            raise ConversionError(f"The product {name!r} of an attention is not {equation}.")
        return parts

    def _plain(self, name: str) -> Weighted:
        """A convolution that keeps the size."""
        layer = self.graph.convolution(name)
        if layer.strides != 1:
            raise ConversionError(f"The convolution {name!r} has a stride of {layer.strides}, where none belongs.")
        return layer

    def _norm(self, name: str) -> Norm:
        norm = self.graph.norm(name)
        self.norms.add((norm.groups, norm.epsilon))
        return norm

    def embedding(self) -> tuple[dict[str, str], np.ndarray]:
        """The tensors of the time embedding's two dense layers, and the frequencies of its sines and cosines."""
        if len(self.times) != 1:
            raise ConversionError(f"The blocks take {len(self.times)} time embeddings; one is known.")
        second = self.graph.dense(next(iter(self.times)))
        first = self.graph.dense(self.graph.swish(second.taken))
        sines, cosines, _ = self.graph.taken(first.taken, "ConcatV2", count=3)
        (angles,) = self.graph.taken(sines, "Sin", count=1)
        times, frequencies = self.graph.taken(angles, "Mul")
        (whole,) = self.graph.taken(self.graph.taken(times, "StridedSlice", count=4)[0], "Cast", count=1)
        self.graph.node(whole, "Placeholder")
        if self.graph.taken(cosines, "Cos", count=1) != (angles,):
            raise ConversionError("The time embedding's sines and cosines are of different angles.")
        constant = self.graph.constant(frequencies, LARGEST_EMBEDDING).ravel()
        if not np.all(np.isfinite(constant)):
            raise ConversionError("The time embedding's frequencies are not finite.")
        return _named(**{"temb.0": first, "temb.1": second}), constant

    def norm_options(self) -> dict[str, int | float]:
        """The groups and the epsilon of all norms."""
        if len(self.norms) != 1:
            raise ConversionError(f"The norms are of several groups or epsilons: {sorted(self.norms)[:8]}.")
        ((groups, epsilon),) = self.norms
        if groups < 1 or not 0 < epsilon < math.inf:
            raise ConversionError(f"A norm of {groups} groups and an epsilon of {epsilon} can't be meant.")
        return {"groups": groups, "norm_eps": float(str(np.float32(epsilon)))}  # 0.001, where float32 has 0.00100000005


def _named(layer: Weighted | Norm | None = None, **layers: Weighted | Norm) -> dict[str, str]:
    """Our names of layers' tensors -> the graph's."""
    made = {} if layer is None else {"weight": layer.weight, "bias": layer.bias}
    for name, part in layers.items():
        made |= {f"{name}.weight": part.weight, f"{name}.bias": part.bias}
    return made
