"""The layers in a TensorFlow graph: which operations make up a convolution, a group norm, an attention."""

import base64
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from checkpoints_convert.pickles import LONGEST_NAME
from checkpoints_convert.tensors import ConversionError, Tensor


class Node(NamedTuple):
    """An operation, with the names of the nodes whose results it takes."""

    name: str
    op: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def text(self, name: str) -> str:
        return _text(self.attributes[name]["s"])

    def texts(self, name: str) -> list[str]:
        return [_text(part) for part in self.attributes[name]["list"]["s"]]

    def numbers(self, name: str) -> list[int]:
        return [int(part) for part in self.attributes[name]["list"]["i"]]

    def number(self, name: str) -> int:
        return int(self.attributes.get(name, {"i": 0})["i"])

    def flag(self, name: str) -> bool:
        return self.attributes.get(name, {"b": False})["b"] is True


class Weighted(NamedTuple):
    """A convolution or a dense layer: the node that it takes, and the names of its tensors."""

    taken: str
    weight: str
    bias: str
    strides: int = 1


class Norm(NamedTuple):
    """A group norm."""

    taken: str
    weight: str
    bias: str
    groups: int
    epsilon: float


@dataclass(frozen=True)
class Graph:
    """The nodes by their names, and the constants. Every function takes a node's name and looks at finitely many others;
    ConversionError where they are not what it is about."""

    nodes: Mapping[str, Node]
    tensors: Mapping[str, Tensor]

    def node(self, name: str, *operations: str) -> Node:
        """The node, if it is one of these operations (any, if none are named)."""
        if (node := self.nodes.get(name)) is None:
            raise ConversionError(f"The graph has no node {name!r}, which another one takes.")
        if operations and node.op not in operations:
            raise ConversionError(f"The node {name!r} is {node.op}, where {' or '.join(operations)} belongs.")
        return node

    def taken(self, name: str, *operations: str, count: int = 2) -> tuple[str, ...]:
        """The names that a node of one of these operations takes."""
        node = self.node(name, *operations)
        if len(node.inputs) != count:
            raise ConversionError(f"The node {name!r} takes {len(node.inputs)} others, and {node.op} takes {count}.")
        return node.inputs

    def tensor(self, name: str) -> Tensor:
        """The tensor of a constant."""
        self.node(name, "Const")
        if name not in self.tensors:
            raise ConversionError(f"The manifest has no tensor {name!r}.")
        return self.tensors[name]

    def constant(self, name: str, most: int = 32) -> np.ndarray:
        """The numbers of a constant that has no more than these (shapes, axes and the like are few)."""
        tensor = self.tensor(name)
        if math.prod(tensor.shape) > most:
            raise ConversionError(f"The constant {name!r} is of shape {tensor.shape}, where few numbers belong.")
        return tensor.read()

    def convolution(self, name: str) -> Weighted:
        """Over zeros at the borders (SAME, or of single pixels), channels last, with a bias; fused or not."""
        if self.node(name).op == "BiasAdd":
            product, bias = self.taken(name)
            image, weight = self.taken(product, "Conv2D")
        else:
            product, (image, weight, bias) = name, self.taken(name, "_FusedConv2D", count=3)
            self._only_bias(name)
        node = self.node(product)
        rows, columns = node.numbers("strides")[1:3]
        if node.text("padding") != "SAME" and self.tensor(weight).shape[:2] != (1, 1):
            raise ConversionError(f"The convolution {name!r} has a padding of {node.text('padding')!r}; SAME is known.")
        if node.text("data_format") != "NHWC" or set(node.numbers("dilations")) != {1} or rows != columns:
            raise ConversionError(f"The convolution {name!r} has an order of axes, dilations or strides of its own.")
        return Weighted(image, weight, bias, rows)

    def dense(self, name: str) -> Weighted:
        """A matrix on the last axis, with a bias; fused or not, of two axes or (Tensordot) more."""
        if self.node(name).op == "BiasAdd":
            product, bias = self.taken(name)
            is_reshaped = self.node(product).op == "Reshape"
            product = self.taken(product)[0] if is_reshaped else product
            rows, weight = self.taken(product, "MatMul")
            rows = self.taken(rows, "Reshape")[0] if is_reshaped else rows
        else:
            product, (rows, weight, bias) = name, self.taken(name, "_FusedMatMul", count=3)
            self._only_bias(name)
        if self.node(product).flag("transpose_a") or self.node(product).flag("transpose_b"):
            raise ConversionError(f"The product {name!r} is of a transposed matrix.")
        return Weighted(rows, weight, bias)

    def _only_bias(self, name: str) -> None:
        if (fused := self.node(name).texts("fused_ops")) != ["BiasAdd"]:
            raise ConversionError(
                f"The node {name!r} is fused with {', '.join(map(str, fused))}, not with a bias alone."
            )

    def swish(self, name: str) -> str:
        """x of x * sigmoid(x)."""
        taken = self.taken(name, "Mul")
        for x, gate in (taken, taken[::-1]):
            if self.node(gate).op == "Sigmoid" and self.taken(gate, count=1) == (x,):
                return x
        raise ConversionError(f"The product {name!r} is no swish, x * sigmoid(x): no other activation is known.")

    def norm(self, name: str) -> Norm:
        """tf.nn.batch_normalization of [b, h, w, groups, c / groups]: x a + (offset - mean a), a = scale / deviation."""
        scaled, offset = self.taken(self.taken(name, "Reshape")[0], "AddV2")
        x, inverse = self.taken(scaled, "Mul")
        bias, shift = self.taken(offset, "Sub")
        mean, same_inverse = self.taken(shift, "Mul")
        deviation, weight = self.taken(inverse, "Mul")
        variance, epsilon = self.taken(self.taken(deviation, "Rsqrt", count=1)[0], "AddV2")
        squares, axes = self.taken(variance, "Mean")
        same_x, mean_axes = self.taken(mean, "Mean")
        image, shape = self.taken(x, "Reshape")
        if (inverse, x, x, mean) != (same_inverse, same_x, *self.taken(squares, "SquaredDifference")):
            raise ConversionError(
                f"The normalisation {name!r} is no group norm: it takes mean or variance of something else."
            )
        if any(sorted(self.constant(part).tolist()) != [1, 2, 4] for part in (axes, mean_axes)):
            raise ConversionError(f"The normalisation {name!r} is not over rows, columns and the channels of a group.")
        weight, bias = (self.taken(part, "Reshape")[0] for part in (weight, bias))
        groups = self.constant(self.taken(shape, "Pack", count=5)[3])
        return Norm(image, weight, bias, int(groups), float(self.constant(epsilon)))


def graph_of(nodes: list[Any], tensors: Mapping[str, Tensor]) -> Graph:
    """The graph of nodes as JSON says them. ConversionError for one that can't be meant, or a name twice."""
    made: dict[str, Node] = {}
    for node in nodes:
        name, op, inputs, attributes = node["name"], node["op"], node.get("input", []), node.get("attr", {})
        texts = [name, op, *inputs]
        if any(not isinstance(text, str) or not 0 < len(text) <= LONGEST_NAME for text in texts) or name in made:
            raise ConversionError(f"The node {str(name)[:80]!r} has a name twice, or names that can't be meant.")
        if not isinstance(inputs, list) or not isinstance(attributes, dict):
            raise ConversionError(f"The node {name!r} has inputs or attributes that can't be meant.")
        taken = tuple(text.removesuffix(":0") for text in inputs if not text.startswith("^"))  # ^: only an order
        made[name] = Node(name, op, taken, attributes)
    return Graph(made, tensors)


def same_equation(equation: str, wanted: str) -> bool:
    """Whether two equations of Einstein's are the same but for their letters."""

    def canonical(text: str) -> str:
        letters = "".join(dict.fromkeys(part for part in text if part.isalpha()))
        return text.translate({ord(letter): chr(ord("a") + i) for i, letter in enumerate(letters)})

    return canonical(equation.replace(" ", "")) == canonical(wanted)


def _text(encoded: Any) -> str:
    return base64.b64decode(encoded, validate=True).decode("ascii")
