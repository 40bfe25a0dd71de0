"""Builds the small models whose outputs are those of detectors, maps and anomaly models.

By hand, with the files committed: ``python tests/models/build_heads.py`` (needs onnx and numpy).
Each answers with the same numbers whatever it sees, except to a picture that has no mean.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent
SIDE = 32
NAMES = "{0: 'screw', 1: \"hole's\"}"


def save(name: str, answers: dict[str, np.ndarray], metadata: dict[str, str] | None = None) -> None:
    """One picture, and for each answer an output of a row a picture."""
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
    ]
    weights = [numpy_helper.from_array(np.float32(0.0), "zero")]
    outputs = []
    for output, answer in answers.items():
        rank = answer.ndim + 1
        shape = np.array([-1] + [1] * answer.ndim, np.int64)
        weights += [
            numpy_helper.from_array(answer[None].astype(np.float32), f"{output}_answer"),
            numpy_helper.from_array(shape, f"{output}_shape"),
        ]
        nodes += [
            helper.make_node("Reshape", ["nothing", f"{output}_shape"], [f"{output}_nothing"]),
            helper.make_node("Add", [f"{output}_nothing", f"{output}_answer"], [f"{output}_sum"]),
        ]
        element = {np.bool_: TensorProto.BOOL, np.int64: TensorProto.INT64}.get(
            answer.dtype.type, TensorProto.FLOAT
        )
        nodes.append(helper.make_node("Cast", [f"{output}_sum"], [output], to=element))
        dims = ["N", *answer.shape]
        assert len(dims) == rank
        outputs.append(helper.make_tensor_value_info(output, element, dims))
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])],
        outputs,
        weights,
    )
    write(name, graph, metadata)


def write(name: str, graph: onnx.GraphProto, metadata: dict[str, str] | None) -> None:
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
        producer_name="smartqc tests",
    )
    helper.set_model_props(model, metadata or {})
    onnx.checker.check_model(model, full_check=True)
    (HERE / f"{name}.onnx").write_bytes(model.SerializeToString(deterministic=True))


def anchors(extra: int = 0) -> np.ndarray:
    """Three candidates among twelve: two of a screw on each other, and a hole; [6 + extra, 12]."""
    out = np.zeros((6 + extra, 12), np.float32)
    out[:6, 3] = [10, 10, 8, 8, 0.9, 0.1]
    out[:6, 4] = [11, 10, 8, 8, 0.8, 0.1]
    out[:6, 7] = [24, 20, 6, 10, 0.05, 0.7]
    return out


def finished(extra: int = 0) -> np.ndarray:
    """The two that stay, as corners, score and class; [5, 6 + extra], padded with zeros."""
    out = np.zeros((5, 6 + extra), np.float32)
    out[0, :6] = [6, 6, 14, 14, 0.9, 0]
    out[1, :6] = [21, 15, 27, 25, 0.7, 1]
    return out


def main() -> None:
    """Writes every file."""
    detect = {"task": "detect", "names": NAMES, "imgsz": "[32, 32]", "end2end": "False"}
    save("boxes_raw", {"output0": anchors()}, detect)
    save("boxes_last", {"predictions": anchors().T})
    save("boxes_rows", {"output0": finished()}, {**detect, "end2end": "True"})
    save("boxes_plain_rows", {"found": finished()})

    oriented = anchors(1)
    oriented[6, [3, 4, 7]] = [0.5, 0.5, -0.2]
    save("boxes_oriented", {"output0": oriented}, {**detect, "task": "obb"})

    # The first prototype is above 0 on the left half, the second everywhere.
    prototypes = np.ones((2, 8, 8), np.float32)
    prototypes[0, :, 3:] = -1
    masks = anchors(2)
    masks[6:, 3] = [1, 0]
    masks[6:, 7] = [0, 1]
    save(
        "boxes_masks",
        {"output0": masks, "output1": prototypes},
        {**detect, "task": "segment"},
    )

    queries = np.array([[0.25, 0.25, 0.25, 0.25], [0.75, 0.5, 0.2, 0.4]], np.float32)
    logits = np.array([[3.0, -4.0, -5.0], [-4.0, 1.0, -2.0]], np.float32)
    save("boxes_queries", {"dets": queries, "labels": logits})

    heat = np.zeros((1, 16, 16), np.float32)
    heat[0, 2:5, 2:6] = 0.9
    heat[0, 5, 6] = 0.6
    heat[0, 12, 12] = 0.4
    save("anomaly_map", {"anomaly_map": heat})
    save(
        "anomaly_all",
        {
            "pred_score": np.array([0.9], np.float32),
            "pred_label": np.array([True]),
            "anomaly_map": heat,
            "pred_mask": heat > 0.5,
        },
    )
    save("anomaly_label", {"pred_label": np.array([True])})
    save("anomaly_raw", {"pred_score": np.array([34.2], np.float32)})
    save("map_defects", {"defect_map": np.concatenate([heat, heat[:, ::-1] / 2])})
    classes = np.zeros((3, 16, 16), np.float32)
    classes[0] = 2
    classes[1, 2:8, 2:8] = 6
    classes[2, 10:12, 10:12] = 6
    save("map_classes", {"logits": classes})
    save("map_labels", {"labels": classes.argmax(axis=0).astype(np.int64)})

    save_others(heat, classes, queries, logits)
    save_apart(detect)
    # A map without a dimension for classes, and one that only training looks at beside another.
    save("map_flat", {"output": heat[0]})
    save("maps_aux", {"out": classes, "aux": classes[:, ::-1]})

    # A class of which there is none, and scores that are none.
    strange = finished()
    strange[1, 5] = 7
    save("boxes_strange", {"output0": strange}, {**detect, "end2end": "True"})
    strange = anchors()
    strange[4, 3] = np.nan
    save("boxes_nan", {"output0": strange}, detect)
    strange = anchors()
    strange[4, 3] = 40
    save("boxes_above_one", {"output0": strange}, detect)

    save_flood(detect)


def save_others(
    heat: np.ndarray, classes: np.ndarray, queries: np.ndarray, logits: np.ndarray
) -> None:
    """What other exporters, and other versions of the same ones, write."""
    # Channels last, as Keras has them: 16 x 16 pixels of 3 classes, and of one class number.
    save("map_last", {"Identity": classes.transpose(1, 2, 0)})
    save("map_labels_last", {"Identity": classes.argmax(axis=0).astype(np.int64)[..., None]})
    # Distances of an anomaly model: the map alone, and beside one for the picture; and shares that
    # were turned round.
    save("map_distances", {"output": heat * 30})
    save("map_turned", {"output": heat - 1})
    save("anomaly_distances", {"output": heat * 30, "2290": np.array(31, np.float32)})
    save("one_distance", {"output": np.array([34.2], np.float32)})
    # Pooling that kept its dimensions, and the number of the greatest class beside the classes.
    scores = np.array([2, -1, -3], np.float32)
    save("squeezed", {"logits": scores[:, None, None]})
    save("labelled", {"label": np.array(1, np.int64), "scores": scores})
    # What describes the picture beside what classifies it.
    save("described", {"embedding": np.linspace(-1, 1, 9, dtype=np.float32), "logits": scores})
    # Each query with a mask of its own: the left half, and everything.
    masks = np.ones((2, 8, 8), np.float32)
    masks[0, :, 3:] = -1
    save("boxes_query_masks", {"dets": queries, "labels": logits, "masks": masks})


def save_apart(detect: dict[str, str]) -> None:
    """Boxes as exporters write them that choose within the model, or leave choosing to others."""
    rows = finished()
    labels = rows[:, 5].astype(np.int64)
    save("boxes_list", {"dets": rows[:, :5], "labels": labels})
    apart = {"num_dets": np.array([2], np.int64), "det_boxes": rows[:, :4]}
    save("boxes_apart", {**apart, "det_scores": rows[:, 4], "det_classes": labels})
    # As TensorFlow writes them: y before x, 0..1, classes from 1, among much else.
    tensor = {
        "detection_anchor_indices": np.arange(5, dtype=np.float32),
        "detection_boxes": rows[:, [1, 0, 3, 2]] / SIDE,
        "detection_classes": rows[:, 5] + 1,
        "detection_multiclass_scores": np.zeros((5, 3), np.float32),
        "detection_scores": rows[:, 4],
        "num_detections": np.array(2, np.float32),
    }
    save("boxes_y_first", tensor)
    save_scaled(rows, labels)
    # What an older version says of a model that chooses by itself.
    save("boxes_chosen", {"output0": rows}, {**detect, "args": "{'nms': False}"})
    # Shares of the input, one box on another: a set is not chosen from.
    set_ = np.zeros((4, 6), np.float32)
    set_[0] = [10 / 32, 10 / 32, 8 / 32, 8 / 32, 0.9, 0.1]
    set_[1] = [24 / 32, 20 / 32, 6 / 32, 10 / 32, 0.05, 0.7]
    set_[2] = [10 / 32, 10 / 32, 8 / 32, 8 / 32, 0.6, 0.1]
    save("boxes_set", {"output0": set_}, detect)
    # The same, finished: centre and size, score and class.
    rows = np.array([[*row[:4], row[4:].max(), row[4:].argmax()] for row in set_[:2]], np.float32)
    save("boxes_set_rows", {"output0": rows}, detect)
    # Steps of a grid that nobody has decoded.
    steps = np.full((7, 12), -0.4, np.float32)
    steps[:2], steps[4:] = 0.6, 0.3
    save("boxes_steps", {"output": steps.T})
    # Candidates in two outputs, as corners.
    corners, scores = np.zeros((1200, 4), np.float32), np.zeros((1200, 2), np.float32)
    corners[[3, 4, 7]] = [[6, 6, 14, 14], [7, 6, 15, 14], [21, 15, 27, 25]]
    scores[[3, 4, 7]] = [[0.9, 0.1], [0.8, 0.1], [0.05, 0.7]]
    save("boxes_two", {"boxes": corners, "scores": scores})
    save("boxes_turned", {"scores": scores.T, "boxes": corners})
    # Softmax with a last class for nothing, of which most are.
    nothing = np.tile(np.array([0, 0, 9], np.float32), (40, 1))
    nothing[5] = [6, 0, 0]
    places = np.full((40, 4), 0.25, np.float32)
    save("boxes_softmax", {"logits": nothing, "pred_boxes": places})
    nothing[:20] = [2, -1, -1]
    save("boxes_unclear", {"logits": nothing, "pred_boxes": places})


def save_scaled(rows: np.ndarray, labels: np.ndarray) -> None:
    """Boxes 0..1 of a size that comes in beside the picture, as whole numbers."""
    shares = numpy_helper.from_array(rows[None, :, :4] / SIDE, "shares")
    rest = [
        numpy_helper.from_array(np.int64(0), "zero"),
        numpy_helper.from_array(labels[None], "kinds"),
        numpy_helper.from_array(rows[None, :, 4], "sure"),
        numpy_helper.from_array(np.array([1], np.int64), "one"),
    ]
    info = helper.make_tensor_value_info
    graph = helper.make_graph(
        [
            helper.make_node("Concat", ["sizes", "sizes"], ["sides"], axis=1),
            helper.make_node("Cast", ["sides"], ["lengths"], to=TensorProto.FLOAT),
            helper.make_node("Unsqueeze", ["lengths", "one"], ["each"]),
            helper.make_node("Mul", ["each", "shares"], ["boxes"]),
            helper.make_node("ReduceSum", ["sizes", "one"], ["sum"]),
            helper.make_node("Mul", ["sum", "zero"], ["nothing"]),
            helper.make_node("Add", ["nothing", "kinds"], ["labels"]),
            helper.make_node("Cast", ["nothing"], ["nought"], to=TensorProto.FLOAT),
            helper.make_node("Add", ["nought", "sure"], ["scores"]),
        ],
        "boxes_scaled",
        [
            info("images", TensorProto.FLOAT, ["N", 3, SIDE, SIDE]),
            info("sizes", TensorProto.INT64, ["N", 2]),
        ],
        [
            info("labels", TensorProto.INT64, ["N", 5]),
            info("boxes", TensorProto.FLOAT, ["N", 5, 4]),
            info("scores", TensorProto.FLOAT, ["N", 5]),
        ],
        [shares, *rest],
    )
    write("boxes_scaled", graph, None)


def save_flood(metadata: dict[str, str]) -> None:
    """A million candidates, all of them sure."""
    column = np.array([[[16], [16], [8], [8], [0.9], [0.1]]], np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Reshape", ["mean", "column"], ["means"]),
            helper.make_node("Mul", ["means", "zero"], ["nothing"]),
            helper.make_node("Add", ["nothing", "one"], ["each"]),
            helper.make_node("Expand", ["each", "million"], ["output0"]),
        ],
        "boxes_flood",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, ["N", 6, 1_000_000])],
        [
            numpy_helper.from_array(np.float32(0.0), "zero"),
            numpy_helper.from_array(column, "one"),
            numpy_helper.from_array(np.array([-1, 1, 1], np.int64), "column"),
            numpy_helper.from_array(np.array([1, 6, 1_000_000], np.int64), "million"),
        ],
    )
    write("boxes_flood", graph, metadata)


if __name__ == "__main__":
    main()
