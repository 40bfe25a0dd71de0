"""What is measured: a recipe, the pictures that cameras would deliver, and a deadline."""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from smartqc import Spec, _native
from smartqc.errors import CameraError, ConfigError, ModelError
from smartqc.runtime import onnxruntime_library
from smartqc.testing import Belt

DEMO_PICTURE = (600, 788)
FIVE_MEGAPIXELS = (2448, 2048)
_ASKING_S = 60.0


@dataclass(frozen=True, slots=True)
class View:
    """What one camera delivers."""

    name: str
    size: tuple[int, int]
    """Width and height."""
    pixel_format: str
    images: str | None = None
    """Folder of photographs that the simulated camera shows; a pattern without one."""
    limit_hz: float | None = None
    """Frames a second that the camera itself can do, where that is known."""


@dataclass(frozen=True, slots=True)
class Setup:
    """All that `measure` needs to know."""

    title: str
    views: tuple[View, ...]
    recipe: dict[str, Any]
    """The recipe's content; relative paths in it start from ``base``."""
    base: Path
    workers: int
    batch: int
    keep: int | None
    deadline_s: float
    """From trigger to verdict; a part that takes longer is missed."""
    deadline_is: str
    """Where that comes from, in words."""
    belt_hz: float | None
    """Parts a second that the belt brings at its greatest speed with its least gap."""
    notes: tuple[str, ...] = ()
    """What was replaced or assumed."""
    cameras: tuple[dict[str, Any], ...] = ()
    """The ``[[camera]]`` tables of cameras that are really used; simulated ones without."""

    def prepare_of(self, view: View) -> dict[str, Any] | None:
        """The ``prepare`` table of the first model that sees this view."""
        for model in self.recipe["model"]:
            if not model.get("cameras") or view.name in model["cameras"]:
                return dict(model["prepare"])
        return None

    def files(self) -> list[Path]:
        """The models' files."""
        named = [model["file"] for model in self.recipe["model"] if model.get("file")]
        return [self.base / name for name in named]


def setup_of(
    line: Path | None = None,
    *,
    recipe: Path | None = None,
    model: Path | None = None,
    size: tuple[int, int] | None = None,
    picture: tuple[int, int] | None = None,
    pixel_format: str | None = None,
    images: Path | None = None,
    workers: int | None = None,
    own_cameras: bool = False,
) -> Setup:
    """What these files describe; the demo's line and recipe where there are none.

    Args:
        line: a ``line.toml``.
        recipe: a ``recipe.toml``.
        model: an ONNX file, instead of a recipe.
        size: width and height of that model's input, where it takes any.
        picture: width and height of every camera's pictures, whatever else says so.
        pixel_format: their PFNC name, likewise.
        images: folder of photographs that the simulated cameras show.
        workers: threads that judge; as the line says unless given, one for each core if it doesn't.
        own_cameras: the line's cameras deliver, instead of simulated ones; its ejectors,
            sensors and signals are never opened either way.

    Raises:
        ConfigError: a file that is no such file, or pictures whose size nobody tells.
        ModelError: a model that does not tell how pictures are prepared for it.
        FileNotFoundError: no such file.
    """
    from smartqc.cli import plant as demo

    if own_cameras and line is None:
        raise ConfigError("own cameras are those of a LINE.TOML: give one")
    if recipe is not None and model is not None:
        raise ConfigError("a recipe names its model: give one of both")
    if images is not None and not images.is_dir():
        raise FileNotFoundError(f"{images}: no such folder")
    notes: list[str] = []
    shipped = line is None and recipe is None and model is None
    if line is not None:
        plant, text = _read(line), line.name
    elif shipped:
        # The demo's speed; nothing moves here.
        plant = tomllib.loads(demo.line_toml(seed=1, parts=1000, speed_mm_s=3000.0))
        text = "the demo's line"
    else:
        plant, text = {"schema": 1, "camera": []}, "one camera"
    product, base = _product(line, recipe, model, size, notes)
    if not plant.get("camera"):
        names = dict.fromkeys(n for one in product["model"] for n in one.get("cameras", []))
        plant["camera"] = [{"name": name, "uri": "push:"} for name in names or ["camera"]]
    plan = _plan(plant, text)
    sized = _Sizes(line, picture, pixel_format, images, own=own_cameras, notes=notes)
    if shipped:
        sized.known = (DEMO_PICTURE, "BayerRG8")
        sized.images = images or demo.FOLDER
    elif line is None and picture is None:
        width, height = FIVE_MEGAPIXELS
        notes.append(f"pictures of {width} x {height} are assumed; --picture says otherwise")
        sized.known = (FIVE_MEGAPIXELS, "BayerRG8")
    views = tuple(sized.view(camera) for camera in plant["camera"])
    run = plant.get("run", {})
    deadline_s, deadline_is = _deadline(plant, plan, notes)
    _say_what_is_replaced(plant, notes, own=own_cameras)
    return Setup(
        title=f"{product['product']} on {text}",
        views=views,
        recipe=product,
        base=base,
        workers=workers or run.get("workers") or len(os.sched_getaffinity(0)),
        batch=run.get("batch", 1),
        keep=run.get("keep"),
        deadline_s=deadline_s,
        deadline_is=deadline_is,
        belt_hz=None if plan is None else plan["rate_per_s"],
        notes=tuple(notes),
        cameras=tuple(map(_plain_camera, plant["camera"])) if own_cameras else (),
    )


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as why:
        raise ConfigError(f"{path}: no TOML: {why}") from None


def _product(
    line: Path | None,
    recipe: Path | None,
    model: Path | None,
    size: tuple[int, int] | None,
    notes: list[str],
) -> tuple[dict[str, Any], Path]:
    """The recipe's content, and the folder that its paths start from."""
    from smartqc.cli.plant import RECIPE

    if recipe is not None:
        return _recipe(recipe), recipe.parent.resolve()
    if model is not None:
        return _bare(model, size, notes), model.parent.resolve()
    product = _read(RECIPE)
    if line is not None:
        for one in product["model"]:
            one.pop("cameras", None)
        notes.append("no recipe was given: the demo's model judges")
    return product, RECIPE.parent


def _recipe(path: Path) -> dict[str, Any]:
    product = _read(path)
    tables = product.get("model")
    if not isinstance(tables, list) or not all(
        isinstance(one, dict) and isinstance(one.get("prepare"), dict) for one in tables
    ):
        raise ConfigError(f"{path}: needs [[model]] tables, each with `prepare`")
    product.setdefault("product", path.stem)
    return product


def _bare(model: Path, size: tuple[int, int] | None, notes: list[str]) -> dict[str, Any]:
    """A recipe for a model without one: as its file says, and for the rest as it costs."""
    if not model.is_file():
        raise FileNotFoundError(f"{model}: no such model")
    path = model.resolve()
    try:
        spec = _spec_of(path, size, notes)
    except ModelError as why:
        if "is free: set `size" in str(why):
            raise ConfigError(
                f"{path}: it takes pictures of any size: say --size 224x224"
            ) from None
        raise
    table = {"file": str(path), "prepare": spec.to_dict() | {"depth": "8bit"}}
    product = {"schema": 1, "product": model.stem, "model": [table]}
    good = _first_class_if_none_is_good(product)
    if good is not None:
        table["good"] = [good]
        notes.append(
            f"which classes are good is not said: {good!r} is taken, verdicts mean nothing"
        )
    return product


def _spec_of(path: Path, size: tuple[int, int] | None, notes: list[str]) -> Spec:
    try:
        return Spec.from_model(path, size=size)
    except ConfigError as why:
        # How pictures were resized changes what is seen, and little of what it costs.
        notes.append(f"{why}; linear is assumed, which is enough to measure")
        return Spec.from_model(path, size=size, resize="linear", mean=(0.0,), std=(1.0,))


def _first_class_if_none_is_good(product: dict[str, Any]) -> str | None:
    """A class's name, for a model that needs to be told which of its classes are good."""
    try:
        _native.Examiner(json.dumps(product), Path(), onnxruntime_library(), 1, 1)
    except ModelError as why:
        asks = re.search(r"no class is good of (.+?)(?:, .*)?: set ", str(why))
        if asks is None:
            raise
        return asks.group(1)
    return None


def _plan(plant: Mapping[str, Any], text: str) -> dict[str, Any] | None:
    """What the belt's figures allow; None without a belt. Checks every key in either case."""
    checked = dict(plant)
    if "belt" not in checked:
        # A plan wants a belt; any will do to have the other tables read.
        checked["belt"] = {"max_speed_mm_s": 100.0, "part_mm": 10.0, "least_gap_mm": 100.0}
        checked["reject"] = []
    try:
        plan = Belt(checked).plan()
    except ConfigError as why:
        raise type(why)(str(why).replace("<python>", text)) from None
    return plan if "belt" in plant else None


def _deadline(
    plant: Mapping[str, Any], plan: dict[str, Any] | None, notes: list[str]
) -> tuple[float, str]:
    budget_s = float(plant.get("verdict", {}).get("budget_s", 0.2))
    if plan is None or not plan["ejectors"]:
        return budget_s, "[verdict] budget_s"
    if plan["refused"]:
        notes.append(f"this line would be refused as it stands: {plan['refused']}")
    at_most = min(ejector["available_ms"] for ejector in plan["ejectors"]) / 1e3
    if at_most <= 0:
        return budget_s, "[verdict] budget_s, since no time is left before the ejector"
    return at_most, "from the exposure to the first ejector's command at full speed"


def _say_what_is_replaced(plant: Mapping[str, Any], notes: list[str], *, own: bool) -> None:
    simulated = ("simulated:", "push:")
    real = [one["uri"] for one in plant.get("reject", []) if not one["uri"].startswith(simulated)]
    if real:
        notes.append(f"ejectors are not opened, nothing is fired: {', '.join(real)}")
    others = [plant.get("belt", {}).get("encoder"), plant.get("parts", {}).get("sensor")]
    others += plant.get("signals", {}).values()
    closed = [uri for uri in others if uri and not uri.startswith(simulated)]
    if closed:
        notes.append(f"not opened either: {', '.join(closed)}")
    if not own and len(plant["camera"]) > 1:
        notes.append("a simulated belt triggers the cameras, at 100 parts/s at most")
    if own:
        notes.append("the line's own cameras deliver, at their own pace")
    elif any("simcam" not in one["uri"] and one["uri"] != "push:" for one in plant["camera"]):
        notes.append("simulated cameras deliver pictures of that size and format")


def _plain_camera(camera: Mapping[str, Any]) -> dict[str, Any]:
    """A camera's table without what only a belt can do."""
    return {key: value for key, value in camera.items() if key not in ("trigger", "at_mm")}


@dataclass
class _Sizes:
    """Finds out what a camera's pictures are."""

    line: Path | None
    picture: tuple[int, int] | None
    pixel_format: str | None
    images: Path | None
    own: bool
    notes: list[str]
    known: tuple[tuple[int, int], str] | None = None

    def view(self, camera: Mapping[str, Any]) -> View:
        """What this one delivers: as was asked for, as its features say, or as it says itself.

        Raises:
            ConfigError: nobody tells.
            CameraError: it was asked, and does not answer.
        """
        features = dict(camera.get("features", {}))
        for setting in camera["uri"].partition("?")[2].split("&"):
            key, _, value = setting.partition("=")
            features[key] = value
        hz = features.get("AcquisitionFrameRate")
        view = View(
            name=camera["name"],
            size=(0, 0),
            pixel_format="",
            images=None if self.images is None else str(self.images.resolve()),
            limit_hz=None if hz is None else float(hz),
        )
        size, named = self.picture, self.pixel_format
        if {"Width", "Height"} <= features.keys():
            size = size or (int(features["Width"]), int(features["Height"]))
        named = named or features.get("PixelFormat")
        if self.known is not None:
            size, named = size or self.known[0], named or self.known[1]
        if size is not None:
            return replace(view, size=size, pixel_format=named or "BayerRG8")
        if not self.own and "simcam" not in camera["uri"]:
            raise ConfigError(
                f"{self.line}: camera {camera['name']!r} does not say its Width, Height and "
                "PixelFormat: add them to its features, give --picture 2448x2048, or "
                "--own-cameras to ask it"
            )
        told = _ask(camera["uri"], camera.get("features", {}))
        return replace(
            view,
            size=(told["Width"], told["Height"]),
            pixel_format=named or told["PixelFormat"],
            limit_hz=view.limit_hz if "simcam" in camera["uri"] else told["AcquisitionFrameRate"],
        )


_ASK = """
import json, sys
import smartqc
uri, features = json.loads(sys.argv[1])
try:
    with smartqc.Camera(uri) as camera:
        for name, value in features.items():
            camera[name] = value
        names = ("Width", "Height", "PixelFormat", "AcquisitionFrameRate")
        print(json.dumps({n: camera[n].value if n in camera else None for n in names}))
except smartqc.SmartqcError as why:
    print(json.dumps({"error": str(why)}))
"""


def _ask(uri: str, features: Mapping[str, Any]) -> dict[str, Any]:
    """A camera's own word on its pictures, from a process that lets it go again."""
    command = [sys.executable, "-c", _ASK, json.dumps([uri, dict(features)])]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_ASKING_S)
    if done.returncode or not done.stdout.strip():
        raise CameraError(f"{uri}: could not be asked for its pictures: {done.stderr[-500:]}")
    told: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if "error" in told:
        raise CameraError(told["error"])
    return told


def size_of(text: str) -> tuple[int, int]:
    """``2448x2048`` as width and height.

    Raises:
        ConfigError: it is no such text.
    """
    words: Sequence[str] = text.lower().split("x")
    if len(words) != 2 or not all(word.strip().isdigit() and int(word) > 0 for word in words):
        raise ConfigError(f"{text!r}: write WIDTHxHEIGHT, such as 2448x2048")
    return int(words[0]), int(words[1])
