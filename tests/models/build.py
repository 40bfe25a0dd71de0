"""Builds the small models that the tests run; by hand, with the files committed.

Each has one trait that a test needs. Run: ``python tests/models/build.py`` (needs onnx and numpy).
Equal versions of onnx write equal bytes.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper
from onnx.external_data_helper import set_external_data

HERE = Path(__file__).parent
SIDE = 8
CLASSES = 2


def contract(kind: str, layout: str = "NCHW") -> dict[str, str]:
    """What our own training writes into a model's metadata."""
    says = {
        "schema": 1,
        "head": "classifier",
        "input": {
            "name": "image",
            "layout": layout,
            "size": [SIDE, SIDE],
            "resize": "area",
            "channels": "RGB",
        },
        "output": {
            "name": "scores",
            "kind": kind,
            "classes": ["good", "defect"],
            "defect_classes": ["defect"],
        },
    }
    return {"smartqc.contract": json.dumps(says, sort_keys=True)}


def save(
    name: str,
    nodes: list[NodeProto],
    *,
    shape: list[int | str],
    out: list[int | str],
    constants: dict[str, np.ndarray] | None = None,
    element: int = TensorProto.FLOAT,
    out_element: int = TensorProto.FLOAT,
    output: ValueInfoProto | None = None,
    metadata: dict[str, str] | None = None,
) -> onnx.ModelProto:
    """One input `image`, one output `scores`."""
    weights = [numpy_helper.from_array(value, key) for key, value in (constants or {}).items()]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("image", element, shape)],
        [output or helper.make_tensor_value_info("scores", out_element, out)],
        weights,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
        producer_name="smartqc tests",
    )
    helper.set_model_props(model, metadata or {})
    onnx.checker.check_model(model, full_check=True)
    (HERE / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))
    return model


def brightness(source: str, into: str) -> list[NodeProto]:
    """Logits [0, 8 * (mean - 0.5)]: a bright picture is a defect, and a test knows the answer."""
    return [
        helper.make_node("ReduceMean", [source], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Unsqueeze", ["mean", "last"], ["column"]),
        helper.make_node("Mul", ["column", "gain"], ["scaled"]),
        helper.make_node("Add", ["scaled", "offset"], [into]),
    ]


CONSTANTS = {
    "last": np.array([1], np.int64),
    "gain": np.array([[0.0, 8.0]], np.float32),
    "offset": np.array([[0.0, -4.0]], np.float32),
}


def main() -> None:
    """Writes every file."""
    nchw: list[int | str] = ["N", 3, SIDE, SIDE]
    softmax = helper.make_node("Softmax", ["logits"], ["scores"], axis=1)
    judged = [*brightness("image", "logits"), softmax]

    dynamic = save(
        "dynamic",
        judged,
        shape=nchw,
        out=["N", CLASSES],
        constants=CONSTANTS,
        metadata=contract("probabilities"),
    )
    save("fixed4", judged, shape=[4, 3, SIDE, SIDE], out=[4, CLASSES], constants=CONSTANTS)
    save(
        "logits", brightness("image", "scores"), shape=nchw, out=["N", CLASSES], constants=CONSTANTS
    )
    save(
        "any_size",
        judged,
        shape=["N", 3, "height", "width"],
        out=["N", CLASSES],
        constants=CONSTANTS,
    )
    # Scores of independent classes: within 0..1, but no sum of 1; nothing tells what they are.
    save(
        "sigmoid",
        [*brightness("image", "logits"), helper.make_node("Sigmoid", ["logits"], ["scores"])],
        shape=nchw,
        out=["N", CLASSES],
        constants=CONSTANTS,
    )
    save(
        "u8_nhwc",
        [
            helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
            helper.make_node("Div", ["float", "full"], ["unit"]),
            *brightness("unit", "logits"),
            softmax,
        ],
        shape=["N", SIDE, SIDE, 3],
        out=["N", CLASSES],
        element=TensorProto.UINT8,
        constants=CONSTANTS | {"full": np.array(255.0, np.float32)},
    )
    # sqrt of a negative mean: a picture below 0 has no answer, one above has.
    save(
        "nan",
        [
            helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Sqrt", ["mean"], ["root"]),
            helper.make_node("Unsqueeze", ["root", "last"], ["column"]),
            helper.make_node("Sub", ["one", "column"], ["rest"]),
            helper.make_node("Concat", ["rest", "column"], ["scores"], axis=1),
        ],
        shape=nchw,
        out=["N", CLASSES],
        constants={"last": np.array([1], np.int64), "one": np.array([[1.0]], np.float32)},
        metadata=contract("probabilities"),
    )
    # 0 / 0: a black picture has no answer, and nothing tells what the scores are.
    save(
        "black_nan",
        [
            helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Div", ["mean", "mean"], ["quotient"]),
            helper.make_node("Unsqueeze", ["quotient", "last"], ["column"]),
            helper.make_node("Concat", ["column", "column"], ["scores"], axis=1),
        ],
        shape=nchw,
        out=["N", CLASSES],
        constants={"last": np.array([1], np.int64)},
    )
    # A map where a classifier has a row.
    save(
        "rank4",
        [helper.make_node("Relu", ["image"], ["scores"])],
        shape=nchw,
        out=["N", 3, SIDE, SIDE],
    )
    # An output whose rows do not belong to pictures.
    save(
        "no_rows",
        [
            helper.make_node("ReduceMean", ["image"], ["mean"], axes=[0, 2, 3], keepdims=0),
            helper.make_node("Unsqueeze", ["mean", "last"], ["scores"]),
        ],
        shape=nchw,
        out=[3, 1],
        constants={"last": np.array([1], np.int64)},
    )
    half_constants = {
        key: value.astype(np.float16) if value.dtype == np.float32 else value
        for key, value in CONSTANTS.items()
    }
    save(
        "half",
        judged,
        shape=nchw,
        out=["N", CLASSES],
        element=TensorProto.FLOAT16,
        out_element=TensorProto.FLOAT16,
        constants=half_constants,
        metadata=contract("probabilities"),
    )
    save_slow()
    save_hostile(nchw)
    whole = dynamic.SerializeToString(deterministic=True)
    (HERE / "truncated.onnx").write_bytes(whole[: len(whole) // 2])
    save_external(dynamic)


def save_slow() -> None:
    """A loop of products: `image`'s first value says how many thousands of rounds; 0 is quick."""
    rng = np.random.default_rng(17)
    weight = np.linalg.qr(rng.standard_normal((48, 48)))[0].astype(np.float32)
    body = helper.make_graph(
        [
            helper.make_node("MatMul", ["state", "weight"], ["turned"]),
            helper.make_node("Identity", ["go"], ["still"]),
        ],
        "round",
        [
            helper.make_tensor_value_info("index", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, [48, 48]),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("turned", TensorProto.FLOAT, [48, 48]),
        ],
    )
    save(
        "slow",
        [
            helper.make_node("ReduceMax", ["image"], ["most"], keepdims=0),
            helper.make_node("Mul", ["most", "thousand"], ["scaled"]),
            helper.make_node("Cast", ["scaled"], ["rounds"], to=TensorProto.INT64),
            helper.make_node("Loop", ["rounds", "yes", "weight"], ["turned"], body=body),
            helper.make_node("ReduceMean", ["turned"], ["mean"], keepdims=0),
            helper.make_node("ReduceMean", ["image"], ["means"], axes=[2, 3], keepdims=0),
            helper.make_node("Mul", ["mean", "none"], ["nothing"]),
            helper.make_node("Add", ["means", "nothing"], ["scores"]),
        ],
        shape=["N", 3, SIDE, SIDE],
        out=["N", 3],
        constants={
            "thousand": np.array(1000.0, np.float32),
            "yes": np.array(True),
            "none": np.array(0.0, np.float32),
            "weight": weight,
        },
    )


def save_hostile(nchw: list[int | str]) -> None:
    """What no line should trust: loops without an end, types and shapes that no picture has."""
    flatten = helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2, 3], keepdims=0)
    for name, nodes in (
        ("endless", [helper.make_node("Mul", ["state", "state"], ["next"])]),
        # The optimiser leaves nothing of a body that only hands on.
        ("endless_empty", [helper.make_node("Identity", ["state"], ["next"])]),
    ):
        body = helper.make_graph(
            [*nodes, helper.make_node("Identity", ["go"], ["still"])],
            "round",
            [
                helper.make_tensor_value_info("index", TensorProto.INT64, []),
                helper.make_tensor_value_info("go", TensorProto.BOOL, []),
                helper.make_tensor_value_info("state", TensorProto.FLOAT, ["N", 3]),
            ],
            [
                helper.make_tensor_value_info("still", TensorProto.BOOL, []),
                helper.make_tensor_value_info("next", TensorProto.FLOAT, ["N", 3]),
            ],
        )
        save(
            name,
            [
                helper.make_node("ReduceMean", ["image"], ["means"], axes=[2, 3], keepdims=0),
                helper.make_node("Loop", ["", "yes", "means"], ["scores"], body=body),
            ],
            shape=nchw,
            out=["N", 3],
            constants={"yes": np.array(True)},
        )
    # Quick on black, without an end on anything else: a dry run on zeros shows nothing.
    body = helper.make_graph(
        [
            helper.make_node("Mul", ["state", "one"], ["next"]),
            helper.make_node("ReduceMax", ["next"], ["most"], keepdims=0),
            helper.make_node("Greater", ["most", "none"], ["still"]),
        ],
        "round",
        [
            helper.make_tensor_value_info("index", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, ["N", 2]),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("next", TensorProto.FLOAT, ["N", 2]),
        ],
    )
    # The second one does not say what it is, and is asked before anything runs.
    for name, metadata in (("trap", contract("scores")), ("trap_silent", None)):
        save(
            name,
            [
                helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2, 3], keepdims=0),
                helper.make_node("Unsqueeze", ["mean", "last"], ["column"]),
                helper.make_node("Concat", ["column", "column"], ["pair"], axis=1),
                helper.make_node("Loop", ["", "yes", "pair"], ["scores"], body=body),
            ],
            shape=nchw,
            out=["N", CLASSES],
            constants={
                "last": np.array([1], np.int64),
                "yes": np.array(True),
                "one": np.array(1.0, np.float32),
                "none": np.array(0.0, np.float32),
            },
            metadata=metadata,
        )
    save(
        "int64_input",
        [
            helper.make_node("Cast", ["image"], ["float"], to=TensorProto.FLOAT),
            helper.make_node("ReduceMean", ["float"], ["scores"], axes=[2, 3], keepdims=0),
        ],
        shape=nchw,
        out=["N", 3],
        element=TensorProto.INT64,
    )
    save(
        "text_output",
        [
            helper.make_node("ReduceMean", ["image"], ["means"], axes=[2, 3], keepdims=0),
            helper.make_node("Cast", ["means"], ["scores"], to=TensorProto.STRING),
        ],
        shape=nchw,
        out=["N", 3],
        out_element=TensorProto.STRING,
    )
    save(
        "no_elements",
        [
            helper.make_node("ReduceMean", ["image"], ["means"], axes=[2, 3], keepdims=0),
            helper.make_node("Slice", ["means", "start", "start", "axis"], ["scores"]),
        ],
        shape=nchw,
        out=["N", 0],
        constants={"start": np.array([0], np.int64), "axis": np.array([1], np.int64)},
    )
    save(
        "giant_output",
        [
            helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Reshape", ["mean", "column"], ["means"]),
            helper.make_node("Expand", ["means", "giant"], ["scores"]),
        ],
        shape=nchw,
        out=["N", 1_600_000_000],
        constants={
            "column": np.array([-1, 1], np.int64),
            "giant": np.array([1, 1_600_000_000], np.int64),
        },
    )
    save(
        "scalar_output",
        [helper.make_node("ReduceMean", ["image"], ["scores"], keepdims=0)],
        shape=nchw,
        out=[],
    )
    save("scalar_input", [helper.make_node("Relu", ["image"], ["scores"])], shape=[], out=[])
    sequence = helper.make_tensor_sequence_value_info("scores", TensorProto.FLOAT, ["N"])
    save(
        "sequence_output",
        [flatten, helper.make_node("SequenceConstruct", ["mean"], ["scores"])],
        shape=nchw,
        out=[],
        output=sequence,
    )
    # Two pictures in, one row out.
    save(
        "half_the_rows",
        [
            helper.make_node("ReduceMean", ["image"], ["means"], axes=[2, 3], keepdims=0),
            helper.make_node("Slice", ["means", "start", "stop", "axis"], ["scores"]),
        ],
        shape=nchw,
        out=["M", 3],
        constants={
            "start": np.array([0], np.int64),
            "stop": np.array([1], np.int64),
            "axis": np.array([0], np.int64),
        },
    )


def save_external(model: onnx.ModelProto) -> None:
    """The same model with its weights in a file beside it."""
    beside = bytearray()
    for tensor in model.graph.initializer:
        # ONNX Runtime wants what shapes depend on in the model itself.
        if tensor.name != "last":
            set_external_data(tensor, "external.data", len(beside), len(tensor.raw_data))
            beside += tensor.raw_data
            tensor.ClearField("raw_data")
    model.graph.name = "external"
    (HERE / "external.data").write_bytes(beside)
    (HERE / "external.onnx").write_bytes(model.SerializeToString(deterministic=True))


if __name__ == "__main__":
    main()
