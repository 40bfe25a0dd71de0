"""The network, how it learns, and how it becomes an ONNX file."""

from __future__ import annotations

import json
import math

import numpy as np
import onnx
import torch
from augment import no_part
from capture import INPUT_SIZE
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import nn

CLASSES = ["good", "defect"]
CHANNELS = [3, 16, 24, 32, 32]
STRIDES = [2, 2, 2, 1]
QUARTER = (INPUT_SIZE[1] // 16, INPUT_SIZE[0] // 16)
"""Rows and columns of the evidence map that belong to one quarter of the picture."""

STEPS = 400
BATCH = 32
PEAK_RATE = 4e-3
SMOOTHING = 0.02
"""Truth is taught as 0.98, so that scores keep some slope away from 0 and 1."""


class ScrewNet(nn.Module):
    """Evidence for a screw at every place, and its maximum in each quarter of the picture.

    In: float32 [N, 3, 208, 160], RGB, 0..1. Out: one logit per quarter [N, 2, 2], positive
    where a screw is seen. A quarter without anything that looks like a screw has none, so
    what the network has never met counts as missing.
    """

    def __init__(self) -> None:
        super().__init__()
        self.convolutions = nn.ModuleList()
        self.norms = nn.ModuleList()
        for into, out, stride in zip(CHANNELS[:-1], CHANNELS[1:], STRIDES, strict=True):
            self.convolutions.append(nn.Conv2d(into, out, 3, stride, padding=1, bias=False))
            self.norms.append(nn.BatchNorm2d(out))
        self.evidence = nn.Conv2d(CHANNELS[-1], 1, 1)
        self.quarters = nn.MaxPool2d(QUARTER)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        features = image
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            features = torch.relu(norm(convolution(features)))
        return self.quarters(self.evidence(features))[:, 0]


def learn(variants: NDArray[np.uint8], screws: list[str], seed: int) -> ScrewNet:
    """Train on captures uint8 [photographs, variants, 208, 160, 3] and their screws."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    truth = np.array([[int(screw) for screw in pattern] for pattern in screws], np.float32).reshape(
        -1, 2, 2
    )
    network = ScrewNet().train()
    optimiser = torch.optim.AdamW(network.parameters(), lr=PEAK_RATE, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, PEAK_RATE, total_steps=STEPS)
    for _ in range(STEPS):
        images, targets = [], []
        for _ in range(BATCH):
            if rng.random() < 0.03:
                image, target = no_part(rng), np.zeros((2, 2), np.float32)
            else:
                photograph = rng.integers(len(variants))
                image = variants[photograph, rng.integers(variants.shape[1])]
                target = truth[photograph]
            if rng.random() < 0.5:
                image, target = image[:, ::-1], target[:, ::-1]
            if rng.random() < 0.5:
                image, target = image[::-1], target[::-1]
            images.append(image)
            targets.append(target)
        batch = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous().float() / 255
        wanted = torch.from_numpy(np.stack(targets)) * (1 - 2 * SMOOTHING) + SMOOTHING
        loss = nn.functional.binary_cross_entropy_with_logits(network(batch), wanted)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.eval()


def contract() -> dict[str, object]:
    """What a runtime has to know to feed the model and to read its answer."""
    return {
        "schema": 1,
        "head": "classifier",
        "input": {
            "name": "image",
            "layout": "NCHW",
            "dtype": "float32",
            "channels": "RGB",
            "size": list(INPUT_SIZE),
            "resize": "area",
            "range": [0.0, 1.0],
            "mean": [0.0, 0.0, 0.0],
            "std": [1.0, 1.0, 1.0],
        },
        "output": {
            "name": "probabilities",
            "kind": "probabilities",
            "classes": CLASSES,
            "defect_classes": ["defect"],
        },
    }


def to_onnx(network: ScrewNet) -> bytes:
    """The network as an ONNX file, batch norms folded; equal weights give equal bytes."""
    nodes, weights = [], []

    def constant(name: str, value: NDArray[np.generic]) -> str:
        weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    at = "image"
    for index, (convolution, norm) in enumerate(
        zip(network.convolutions, network.norms, strict=True)
    ):
        gain = (norm.weight / torch.sqrt(norm.running_var + norm.eps)).detach()
        weight = constant(
            f"w{index}", (convolution.weight.detach() * gain[:, None, None, None]).numpy()
        )
        bias = constant(f"b{index}", (norm.bias.detach() - norm.running_mean * gain).numpy())
        nodes.append(
            helper.make_node(
                "Conv",
                [at, weight, bias],
                [f"c{index}"],
                kernel_shape=[3, 3],
                pads=[1, 1, 1, 1],
                strides=[STRIDES[index]] * 2,
            )
        )
        nodes.append(helper.make_node("Relu", [f"c{index}"], [f"r{index}"]))
        at = f"r{index}"
    # The unit is as good as its least certain screw: logit of "good" is the least of the four.
    # Concat(l, -l) through a sigmoid keeps both ends exact, where 1 - p would round.
    evidence = [
        constant("w_e", network.evidence.weight.detach().numpy()),
        constant("b_e", network.evidence.bias.detach().numpy()),
    ]
    nodes += [
        helper.make_node("Conv", [at, *evidence], ["evidence"], kernel_shape=[1, 1]),
        helper.make_node(
            "MaxPool", ["evidence"], ["screws"], kernel_shape=QUARTER, strides=QUARTER
        ),
        helper.make_node(
            "ReduceMin", ["screws", constant("axes", np.array([1, 2, 3]))], ["least"], keepdims=0
        ),
        helper.make_node("Unsqueeze", ["least", constant("last", np.array([1]))], ["good"]),
        helper.make_node("Neg", ["good"], ["defect"]),
        helper.make_node("Concat", ["good", "defect"], ["both"], axis=1),
        helper.make_node("Sigmoid", ["both"], ["probabilities"]),
    ]
    width, height = INPUT_SIZE
    graph = helper.make_graph(
        nodes,
        "screws",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, height, width])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", len(CLASSES)])],
        weights,
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9, producer_name="smartqc"
    )
    helper.set_model_props(model, {"smartqc.contract": json.dumps(contract(), sort_keys=True)})
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def defect_logits(network: ScrewNet, images: NDArray[np.float32]) -> NDArray[np.float64]:
    """Log odds of "defect" for float32 [N, 3, 208, 160]."""
    with torch.no_grad():
        least = network(torch.from_numpy(images)).amin((1, 2))
    return -least.double().numpy()


def sigmoid(logit: float) -> float:
    """The probability behind a log odds."""
    return 1 / (1 + math.exp(-logit))
