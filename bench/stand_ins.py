"""Models with the operators of well-known ones and random weights: only their time means anything.

So that verdicts can be checked all the same, a classifier's last layer is fitted to a few pictures
and a detector's threshold is put between them. Needs the package onnx.
"""

from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper, numpy_helper

Rows = NDArray[np.float32]
LOGIT = 4.0
"""How far a fitted picture is from the border between good and bad."""


class Graph:
    """Nodes and weights as they are added; names count up, and the weights are always the same."""

    def __init__(self) -> None:
        self.random = np.random.default_rng(1)
        self.nodes: list = []
        self.weights: list = []

    def add(self, kind: str, inputs: list[str], **attributes: object) -> str:
        """A node with one output."""
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], **attributes))
        return name

    def constant(self, value: np.ndarray) -> str:
        """A weight."""
        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def conv(
        self, source: str, into: int, out: int, size: int = 3, stride: int = 1, act: str = "Relu",
        groups: int = 1,
    ) -> str:  # fmt: skip
        """Convolution with a bias, as exporters fold the normalisation into it."""
        fan = into // groups * size * size
        weight = self.random.normal(0, (2 / fan) ** 0.5, (out, into // groups, size, size))
        inputs = [source, self.constant(weight.astype(np.float32))]
        inputs.append(self.constant(np.zeros(out, np.float32)))
        pad = size // 2
        made = self.add(
            "Conv",
            inputs,
            kernel_shape=[size] * 2,
            strides=[stride] * 2,
            pads=[pad] * 4,
            group=groups,
        )
        if act == "Clip":
            six = [self.constant(np.array(bound, np.float32)) for bound in (0, 6)]
            return self.add("Clip", [made, *six])
        if act == "SiLU":
            return self.add("Mul", [made, self.add("Sigmoid", [made])])
        return self.add(act, [made]) if act else made

    def model(self, size: int, output: str, shape: list) -> ModelProto:
        """One input `images`, one output `output0`."""
        self.nodes.append(helper.make_node("Identity", [output], ["output0"]))
        graph = helper.make_graph(
            self.nodes,
            "stand-in",
            [helper.make_tensor_value_info("images", TensorProto.FLOAT, ["N", 3, size, size])],
            [helper.make_tensor_value_info("output0", TensorProto.FLOAT, shape)],
            self.weights,
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


Features = tuple[str, int, int]
"""Where a classifier's last feature map is, its channels, and the side of the model's input."""


def tiny(graph: Graph) -> Features:
    """Four strided convolutions at 224."""
    source, into = "images", 3
    for out in (8, 16, 24, 32):
        source, into = graph.conv(source, into, out, stride=2), out
    return source, into, 224


def mobilenet(graph: Graph) -> Features:
    """MobileNetV2's inverted residuals at 224: 0.3 GFLOP of multiply-adds."""
    source, into = graph.conv("images", 3, 32, stride=2, act="Clip"), 32
    for widening, out, repeats, first in (
        (1, 16, 1, 1),
        (6, 24, 2, 2),
        (6, 32, 3, 2),
        (6, 64, 4, 2),
        (6, 96, 3, 1),
        (6, 160, 3, 2),
        (6, 320, 1, 1),
    ):
        for number in range(repeats):
            stride, wide = first if number == 0 else 1, into * widening
            inner = source
            if widening > 1:
                inner = graph.conv(inner, into, wide, size=1, act="Clip")
            inner = graph.conv(inner, wide, wide, stride=stride, act="Clip", groups=wide)
            inner = graph.conv(inner, wide, out, size=1, act="")
            same = stride == 1 and into == out
            source, into = graph.add("Add", [source, inner]) if same else inner, out
    return graph.conv(source, into, 1280, size=1, act="Clip"), 1280, 224


def resnet18(graph: Graph) -> Features:
    """ResNet18's blocks at 224: 1.8 GFLOP of multiply-adds."""
    source = graph.conv("images", 3, 64, size=7, stride=2)
    source = graph.add("MaxPool", [source], kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    into = 64
    for out, first in ((64, 1), (128, 2), (256, 2), (512, 2)):
        for stride in (first, 1):
            skip = source
            if stride != 1 or into != out:
                skip = graph.conv(source, into, out, size=1, stride=stride, act="")
            inner = graph.conv(source, into, out, stride=stride)
            inner = graph.conv(inner, out, out, act="")
            source, into = graph.add("Relu", [graph.add("Add", [inner, skip])]), out
    return source, into, 224


CLASSIFIERS = {"tiny": tiny, "mobilenet": mobilenet, "resnet18": resnet18}


def session(model: bytes) -> onnxruntime.InferenceSession:
    """On every core; for fitting."""
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def classifier(name: str, rows: Rows, bad: list[bool]) -> bytes:
    """A model of two classes, softmax, that finds the `bad` ones among these rows."""
    graph = Graph()
    source, channels, size = CLASSIFIERS[name](graph)
    mean = graph.add("Flatten", [graph.add("GlobalAveragePool", [source])])
    headless = graph.model(size, mean, ["N", channels]).SerializeToString()
    graph.nodes.pop()
    (features,) = session(headless).run(None, {"images": rows})
    middle = features.mean(axis=0)
    wanted = np.where(bad, LOGIT, -LOGIT)
    towards = np.linalg.lstsq(features - middle, wanted, rcond=1e-4)[0]
    weight = np.stack([np.zeros(channels), towards], axis=1).astype(np.float32)
    offset = np.array([0, -middle @ towards + wanted.mean()], np.float32)
    logits = graph.add("MatMul", [mean, graph.constant(weight)])
    logits = graph.add("Add", [logits, graph.constant(offset)])
    scores = graph.add("Softmax", [logits], axis=1)
    return graph.model(size, scores, ["N", 2]).SerializeToString()


def yolo11n() -> ModelProto:
    """Strided SiLU convolutions, split-and-join blocks, a neck and one raw head at 640."""
    graph = Graph()

    def block(source: str, channels: int, repeats: int) -> str:
        half = channels // 2
        left = graph.conv(source, channels, half, size=1, act="SiLU")
        right = graph.conv(source, channels, half, size=1, act="SiLU")
        for _ in range(repeats):
            inner = graph.conv(right, half, half // 2, act="SiLU")
            right = graph.add("Add", [right, graph.conv(inner, half // 2, half, act="SiLU")])
        joined = graph.add("Concat", [left, right], axis=1)
        return graph.conv(joined, channels, channels, size=1, act="SiLU")

    source, into, levels = "images", 3, []
    for out, repeats in ((16, 0), (32, 1), (64, 1), (128, 1), (256, 1)):
        source, into = graph.conv(source, into, out, stride=2, act="SiLU"), out
        source = block(source, out, repeats) if repeats else source
        levels.append((source, out))
    rows = []
    scale = graph.constant(np.array([1, 1, 2, 2], np.float32))
    upper: tuple[str, int] | None = None
    for lateral, channels in reversed(levels[2:]):
        level = lateral
        if upper is not None:
            larger = graph.add("Resize", [upper[0], "", scale], mode="nearest")
            joined = graph.add("Concat", [level, larger], axis=1)
            level = graph.conv(joined, channels + upper[1], channels, size=1, act="SiLU")
            level = block(level, channels, 1)
        upper = (level, channels)
        head = graph.conv(level, channels, 64, act="SiLU")
        head = graph.conv(head, 64, 84, size=1, act="Sigmoid")
        flat = graph.constant(np.array([0, 84, -1], np.int64))
        rows.append(graph.add("Reshape", [head, flat]))
    return graph.model(640, graph.add("Concat", rows, axis=2), ["N", 84, 8400])


def detector(rows: Rows) -> tuple[bytes, float, list[bool]]:
    """YOLO11n's operators, a threshold between these rows' greatest scores, and who is above it."""
    model = yolo11n().SerializeToString()
    (output,) = session(model).run(None, {"images": rows})
    greatest = output[:, 4:].max(axis=(1, 2))
    ordered = np.sort(greatest)
    gap = int(np.argmax(np.diff(ordered)))
    threshold = float(ordered[gap] + ordered[gap + 1]) / 2
    return model, threshold, [bool(score >= threshold) for score in greatest]


def written(model: bytes, file: Path) -> Path:
    """The model's file, its folder made."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(model)
    return file
