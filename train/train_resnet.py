"""Train an 18-layer residual network on the same photographs, for the benchmarks only.

    python train/train_resnet.py --photographs ../shared/data/screws --out FOLDER

Wants the dependency group ``train``. The demo's network is so small that a frame's time is that of
its preparation; this one is of the size that people fine-tune, so that a race with it says what a
line is worth where the model takes the time. Writes FOLDER/resnet.onnx and FOLDER/recipe.toml;
nothing of it is shipped. The split, the captures and the contract are those of the demo's model.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import capture
import numpy as np
import onnx
import torch
from network import CLASSES, SMOOTHING, contract, defect_logits, sigmoid
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from photographs import deal, find, scenes
from scoring import judge
from torch import nn
from train_screws import RECIPE, SEED, SHARES, Studio, is_bad, say

WIDTHS = [64, 128, 256, 512]
BLOCKS = 2
STEPS = 160
BATCH = 12
PEAK_RATE = 1e-3


class Block(nn.Module):
    """Two convolutions beside a shortcut (He et al., 2016, figure 2)."""

    def __init__(self, into: int, out: int, stride: int) -> None:
        super().__init__()
        self.first = convolution(into, out, 3, stride)
        self.second = convolution(out, out, 3, 1)
        self.short = convolution(into, out, 1, stride) if into != out else None

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        short = image if self.short is None else self.short(image)
        return torch.relu(self.second(torch.relu(self.first(image))) + short)


def convolution(into: int, out: int, size: int, stride: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(into, out, size, stride, padding=size // 2, bias=False), nn.BatchNorm2d(out)
    )


class ResNet(nn.Module):
    """As `network.ScrewNet`: evidence for a screw in each quarter, [N, 2, 2].

    A quarter is a picture of its own, so that nothing is learnt from its neighbours.
    """

    def __init__(self) -> None:
        super().__init__()
        self.stem = convolution(3, WIDTHS[0], 7, 2)
        self.pool = nn.MaxPool2d(3, 2, padding=1)
        blocks, into = [], WIDTHS[0]
        for stage, out in enumerate(WIDTHS):
            for block in range(BLOCKS):
                blocks.append(Block(into, out, 2 if stage and not block else 1))
                into = out
        self.blocks = nn.ModuleList(blocks)
        self.evidence = nn.Conv2d(into, 1, 1)

    def features(self, image: torch.Tensor) -> torch.Tensor:
        features = self.pool(torch.relu(self.stem(image)))
        for block in self.blocks:
            features = block(features)
        return features

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        evidence = self.evidence(self.features(image))
        # 7 rows and 5 columns: the middle ones belong to both halves.
        return nn.functional.adaptive_max_pool2d(evidence, 2)[:, 0]


def learn(variants: NDArray[np.uint8], screws: list[str]) -> ResNet:
    """As `network.learn`, in fewer and dearer steps."""
    torch.manual_seed(SEED)
    rng = np.random.default_rng(SEED)
    truth = np.array([[int(screw) for screw in pattern] for pattern in screws], np.float32)
    truth = truth.reshape(-1, 2, 2)
    network = ResNet().train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=STEPS)
    for step in range(STEPS):
        chosen = rng.integers(len(variants), size=BATCH)
        images = [variants[one, rng.integers(variants.shape[1])] for one in chosen]
        flips = rng.random((BATCH, 2)) < 0.5
        images = [flipped(image, flip) for image, flip in zip(images, flips, strict=True)]
        targets = [flipped(truth[one], flip) for one, flip in zip(chosen, flips, strict=True)]
        batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous().float() / 255
        wanted = torch.from_numpy(np.stack(targets)) * (1 - 2 * SMOOTHING) + SMOOTHING
        loss = nn.functional.binary_cross_entropy_with_logits(network(batch), wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 20 == 0:
            say(f"step {step}: loss {loss.item():.3f}")
    return network.eval()


def flipped(image: NDArray[np.generic], flip: NDArray[np.bool_]) -> NDArray[np.generic]:
    image = image[::-1] if flip[0] else image
    return image[:, ::-1] if flip[1] else image


class File:
    """An ONNX graph as it grows."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def constant(self, value: NDArray[np.generic]) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def add(self, kind: str, *inputs: str, **attributes: object) -> str:
        name = f"{kind.lower()}{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        return name

    def convolution(self, at: str, pair: nn.Sequential) -> str:
        """Convolution with its norm folded in."""
        made, norm = pair
        gain = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach()
        weight = self.constant((made.weight.detach() * gain[:, None, None, None]).numpy())
        bias = self.constant((norm.bias.detach() - norm.running_mean * gain).numpy())
        pad = made.padding[0]
        return self.add(
            "Conv", at, weight, bias,
            kernel_shape=list(made.kernel_size), strides=list(made.stride), pads=[pad] * 4,
        )  # fmt: skip


def to_onnx(network: ResNet) -> bytes:
    """The network as an ONNX file with the contract of the demo's."""
    file = File()
    at = file.add("Relu", file.convolution("image", network.stem))
    at = file.add("MaxPool", at, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    for block in network.blocks:
        short = at if block.short is None else file.convolution(at, block.short)
        at = file.add("Relu", file.convolution(at, block.first))
        at = file.add("Relu", file.add("Add", file.convolution(at, block.second), short))
    evidence = network.evidence
    at = file.add(
        "Conv", at, file.constant(evidence.weight.detach().numpy()),
        file.constant(evidence.bias.detach().numpy()), kernel_shape=[1, 1],
    )  # fmt: skip
    # Halves of an odd length share their middle, as adaptive pooling has it.
    at = file.add("MaxPool", at, kernel_shape=[4, 3], strides=[3, 2])
    axes = file.constant(np.array([1, 2, 3]))
    least = file.add("ReduceMin", at, axes, keepdims=0)
    good = file.add("Unsqueeze", least, file.constant(np.array([1])))
    both = file.add("Concat", good, file.add("Neg", good), axis=1)
    file.nodes.append(helper.make_node("Sigmoid", [both], ["probabilities"]))
    width, height = capture.INPUT_SIZE
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        file.nodes,
        "screws",
        [value("image", TensorProto.FLOAT, ["N", 3, height, width])],
        [value("probabilities", TensorProto.FLOAT, ["N", len(CLASSES)])],
        file.weights,
    )
    opset = [helper.make_opsetid("", 18)]
    model = helper.make_model(graph, opset_imports=opset, ir_version=9, producer_name="smartqc")
    helper.set_model_props(model, {"smartqc.contract": json.dumps(contract(), sort_keys=True)})
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    photographs = find(asked.photographs / "images")
    shares = deal(scenes(photographs), SHARES, SEED)
    studio = Studio(photographs)
    training = shares["training"]
    variants = np.stack([studio.variants[p.name] for p in training])
    network = learn(variants, [p.screws for p in training])
    threshold = studio.threshold(network, shares["validation"])
    apart = shares["held-back"]
    logits = defect_logits(network, studio.captures(apart))
    verdicts = np.array([sigmoid(logit) >= threshold for logit in logits])
    say(f"threshold {threshold}; held back: {judge(verdicts, is_bad(apart))}")
    asked.out.mkdir(parents=True, exist_ok=True)
    (asked.out / "resnet.onnx").write_bytes(to_onnx(network))
    width, height = capture.INPUT_SIZE
    recipe = RECIPE.format(width=width, height=height, threshold=threshold)
    recipe = recipe.replace("../models/screws.onnx", "resnet.onnx")
    (asked.out / "recipe.toml").write_text(recipe)


if __name__ == "__main__":
    main()
