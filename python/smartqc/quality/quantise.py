"""INT8 models by ONNX Runtime's own tools, calibrated on what the line would give the model."""

import json
import tempfile
import tomllib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from smartqc import _native
from smartqc.errors import ConfigError
from smartqc.model import Judged, Model, product_of
from smartqc.quality.study import judge_all, light


def quantise(
    recipe: Path,
    files: Sequence[Path],
    out: Path | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> tuple[Path, Path]:
    """Quantise the model of a recipe with one model and one input; returns model and recipe.

    An ``.onnx`` file that says how its pictures are prepared needs no recipe.

    Weights and activations become INT8 in QDQ form, weights by channel; activations' ranges come
    from ``files``, prepared as the line prepares them.

    Raises:
        ConfigError: the recipe has several models or inputs, or no output file can be named.
        ImportError: onnx or onnxruntime is missing.
    """
    try:
        import onnx
        from onnxruntime.quantization import (  # type: ignore[import-untyped]
            CalibrationDataReader,
            QuantFormat,
            QuantType,
            quantize_static,
        )
        from onnxruntime.quantization.shape_inference import (  # type: ignore[import-untyped]
            quant_pre_process,
        )
    except ImportError as error:
        raise ImportError(
            f"optimize needs ONNX Runtime's quantization tools: {error}; "
            "pip install onnx onnxruntime sympy"
        ) from error

    told = _told(recipe)
    if len(told["model"]) != 1:
        raise ConfigError(f"{recipe}: {len(told['model'])} models; one is quantised at a time")
    table = told["model"][0]
    if "file" not in table:
        raise ConfigError(f"{recipe}: model[0] has no file; only an ONNX model is quantised")
    source = (recipe.parent / table["file"]).resolve()
    target = out or source.with_suffix(".int8.onnx")
    graph = onnx.load(source, load_external_data=False).graph
    weights = {weight.name for weight in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    if len(inputs) != 1:
        raise ConfigError(f"{source}: {len(inputs)} inputs; a model of one is quantised")
    if any(node.op_type in ("QuantizeLinear", "DynamicQuantizeLinear") for node in graph.node):
        raise ConfigError(
            f"{source}: it is quantised already; give the model that it was made from"
        )
    batch = max(inputs[0].type.tensor_type.shape.dim[0].dim_value, 1)

    class Rows(CalibrationDataReader):  # type: ignore[misc]  # an untyped class
        """What the model sees of each file."""

        def __init__(self) -> None:
            self._rows: Iterator[dict[str, Any]] = self._each()

        def _each(self) -> Iterator[dict[str, Any]]:
            for file in files:
                pixels, pixel_format = _native.read_photo(file)
                row = _native.prepare(pixels, table["prepare"], pixel_format=pixel_format)
                yield {inputs[0].name: np.repeat(np.asarray(row)[np.newaxis], batch, axis=0)}
                progress(1)

        def get_next(self) -> dict[str, Any] | None:
            return next(self._rows, None)

    with tempfile.TemporaryDirectory() as folder:
        prepared = Path(folder) / "model.onnx"
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        whole = onnx.load(prepared)
        left = behind_the_weights(whole.graph)
        onnx.save(whole, prepared)
        quantize_static(
            str(prepared),
            str(target),
            Rows(),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            nodes_to_exclude=left,
            extra_options={"ActivationSymmetric": False, "WeightSymmetric": True},
        )
    table["file"] = str(target.resolve())
    made = target.with_suffix(".recipe.json")
    made.write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return target, made


def behind_the_weights(graph: Any) -> list[str]:  # noqa: ANN401 (a protobuf message)
    """Names of the nodes that only work on what the last weights gave; each node has a name then.

    There a detector joins its boxes, in pixels, with its scores, 0..1: on one scale of 256 steps
    no score would be left. And nothing there takes time.
    """
    needed: set[str] = set()
    left = []
    # A graph's nodes come after those that they need.
    for number, node in reversed(list(enumerate(graph.node))):
        node.name = node.name or f"{node.op_type}_{number}"
        heavy = node.op_type in ("Conv", "ConvTranspose", "Gemm", "MatMul")
        if heavy or needed.intersection(node.output):
            needed.update(node.input)
        else:
            left.append(node.name)
    return left


def _told(recipe: Path) -> dict[str, Any]:
    """What stands in a recipe, or the recipe of a bare ONNX file."""
    if recipe.suffix.lower() == ".onnx":
        return product_of(recipe)
    # What is wrong with it is said as everywhere.
    Model(recipe, workers=1)
    text = recipe.read_text(encoding="utf-8")
    told = json.loads(text) if recipe.suffix.lower() == ".json" else tomllib.loads(text)
    return told


def changed(
    recipe: Path,
    other: Path,
    files: Sequence[Path],
    progress: Callable[[int], object] = lambda _: None,
) -> tuple[list[Judged], list[Judged]]:
    """The verdicts of both recipes, one after the other on one thread, so that times compare."""
    first = Model(recipe, workers=1)
    second = Model(json.loads(other.read_text(encoding="utf-8")), workers=1, base=recipe.parent)
    before: list[Judged] = []
    after: list[Judged] = []
    # In turns, since a machine's speed drifts.
    for start in range(0, len(files), 8):
        part = files[start : start + 8]
        before += map(light, judge_all(first, part, progress=progress))
        after += map(light, judge_all(second, part, progress=progress))
    return before, after
