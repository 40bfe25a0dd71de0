"""Models with random weights and the operators of well-known ones: only their time means anything.

``python bench/stand_ins.py FOLDER`` writes tiny.onnx, resnet18.onnx and yolo11n.onnx with their
recipes. Needs the package onnx.
"""

import json
import sys
from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

RNG = np.random.default_rng(1)


class Graph:
    """Nodes and weights as they are added; names count up."""

    def __init__(self) -> None:
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
        weight = RNG.normal(0, (2 / fan) ** 0.5, (out, into // groups, size, size))
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


def classified(graph: Graph, source: str, channels: int, size: int) -> ModelProto:
    """Mean over the picture, two classes, softmax."""
    mean = graph.add("Flatten", [graph.add("GlobalAveragePool", [source])])
    weight = graph.constant(RNG.normal(0, 0.05, (channels, 2)).astype(np.float32))
    scores = graph.add("Softmax", [graph.add("MatMul", [mean, weight])], axis=1)
    return graph.model(size, scores, ["N", 2])


def tiny() -> ModelProto:
    """Four strided convolutions at 224."""
    graph = Graph()
    source, into = "images", 3
    for out in (8, 16, 24, 32):
        source, into = graph.conv(source, into, out, stride=2), out
    return classified(graph, source, into, 224)


def resnet18() -> ModelProto:
    """ResNet18's blocks at 224: 1.8 GFLOP of multiply-adds."""
    graph = Graph()
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
    return classified(graph, source, into, 224)


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


def write(folder: Path) -> None:
    """The models and a recipe for each."""
    folder.mkdir(parents=True, exist_ok=True)
    two = {"classes": ["good", "defect"], "scores": "probabilities"}
    eighty = {"classes": [f"class{n}" for n in range(80)], "head": "detector"}
    for name, make, size, resize, more in (
        ("tiny", tiny, 224, "area", two),
        ("resnet18", resnet18, 224, "area", two),
        ("yolo11n", yolo11n, 640, "linear", eighty),
    ):
        file = folder / f"{name}.onnx"
        file.write_bytes(make().SerializeToString())
        prepare = {"resize": resize, "size": [size, size]}
        model = {"file": str(file.resolve()), "prepare": prepare, **more}
        recipe = {"schema": 1, "product": name, "model": [model]}
        (folder / f"{name}.json").write_text(json.dumps(recipe))


if __name__ == "__main__":
    write(Path(sys.argv[1]))
