"""Every typed error: raised for its cause, and its message names what, where and what to try."""

import shutil
import subprocess

import pytest

import smartqc as qc
from conftest import MODELS
from simulated import grey, push_line, screw_line
from smartqc import errors
from smartqc.errors import (
    CameraError,
    ConfigError,
    FeatureError,
    InfeasibleError,
    ModelError,
    NotFoundError,
    OnnxRuntimeError,
    SmartqcError,
    UriError,
)

LINE = """schema = 1
[[camera]]
name = "top"
uri = "push:"
"""
SIDE = """[[camera]]
name = "side"
uri = "gentl:simcam.cti#0"
"""
RECIPE = f"""schema = 1
product = "grey"
[[model]]
file = "{MODELS / "dynamic.onnx"}"
prepare = {{ resize = "area", size = [8, 8] }}
thresholds = {{ defect = 0.5 }}
"""


@pytest.fixture
def from_files(tmp_path):
    def from_files(line=LINE, recipe=RECIPE):
        (tmp_path / "line.toml").write_text(line)
        (tmp_path / "recipe.toml").write_text(recipe)
        return qc.Line.from_toml(tmp_path / "line.toml", recipe=tmp_path / "recipe.toml")

    return from_files


def said(error, make, *arguments, **named):
    """The message of an error of exactly that class."""
    with pytest.raises(error) as raised:
        make(*arguments, **named).close()
    assert type(raised.value) is error
    assert "\n" not in str(raised.value)
    return str(raised.value)


def model(**changes):
    recipe = grey()
    recipe["model"][0] |= changes
    return recipe


# The tree.


def test_every_error_has_one_base_and_says_what_it_is():
    classes = [thing for thing in vars(errors).values() if isinstance(thing, type)]
    assert len(classes) > 15
    assert all(issubclass(thing, SmartqcError) and thing.__doc__ for thing in classes)
    assert issubclass(InfeasibleError, ConfigError)
    assert issubclass(ConfigError, ValueError)
    assert issubclass(NotFoundError, CameraError)


# ONNX Runtime.


def test_a_library_that_is_not_there_is_named(tmp_path):
    path = str(tmp_path / "libonnxruntime.so")
    message = said(OnnxRuntimeError, push_line, run={"onnxruntime": path})
    assert path in message
    assert "pip install" in message


def test_a_file_that_is_no_library_is_named(tmp_path):
    path = tmp_path / "libonnxruntime.so"
    path.write_bytes(b"no library")
    assert str(path) in said(OnnxRuntimeError, push_line, run={"onnxruntime": str(path)})


def build(tmp_path, source):
    compiler = shutil.which("cc")
    if compiler is None:
        pytest.skip("needs a C compiler, cc")
    (tmp_path / "fake.c").write_text(source)
    library = tmp_path / "libonnxruntime.so"
    command = [compiler, "-shared", "-fPIC", "-o", str(library), str(tmp_path / "fake.c")]
    subprocess.run(command, check=True)
    return str(library)


def test_a_library_of_something_else_is_named(tmp_path):
    library = build(tmp_path, "int something_else(void) { return 0; }")
    message = said(OnnxRuntimeError, push_line, run={"onnxruntime": library})
    assert "OrtGetApiBase" in message


def test_a_library_that_is_too_old_is_named_with_its_version(tmp_path):
    library = build(
        tmp_path,
        """
static const void *api(unsigned version) { (void)version; return 0; }
static const char *version(void) { return "1.2.3"; }
static const struct { const void *(*api)(unsigned); const char *(*version)(void); } base =
    {api, version};
const void *OrtGetApiBase(void) { return &base; }
""",
    )
    message = said(OnnxRuntimeError, push_line, run={"onnxruntime": library})
    assert "1.2.3" in message
    assert "pip install" in message


# Models.


def test_a_model_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "no.onnx"
    message = said(ConfigError, push_line, model(file=str(path)))
    assert "model[0].file" in message
    assert str(path) in message


@pytest.mark.parametrize("content", [b"", b"no model", None])
def test_a_broken_model_is_named(tmp_path, content):
    path = tmp_path / "broken.onnx"
    path.write_bytes((MODELS / "truncated.onnx").read_bytes() if content is None else content)
    assert "broken.onnx" in said(ModelError, push_line, model(file=str(path)))


@pytest.mark.parametrize("name", ["rank4", "no_rows"])
def test_an_output_that_is_no_row_of_scores_is_refused_with_its_shape(name):
    path = str(MODELS / f"{name}.onnx")
    message = said(ModelError, push_line, model(file=path, head="classifier"))
    assert f"{name}.onnx" in message
    assert "scores" in message
    assert "3" in message


def test_scores_that_nothing_explains_are_refused():
    message = said(ModelError, push_line, model(file=str(MODELS / "sigmoid.onnx")))
    assert "sigmoid.onnx" in message


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        ({"resize": "area", "size": [9, 8]}, ["side", "9", "8"]),
        ({"resize": "area", "size": [8, 8], "color": "gray"}, ["color", "1", "3"]),
        ({"resize": "area", "size": [8, 8], "layout": "nhwc"}, ["layout"]),
        ({"resize": "area", "size": [8, 8], "dtype": "uint8"}, ["uint8", "float32"]),
    ],
)
def test_a_prepare_that_is_not_what_the_model_takes_is_refused(prepare, words):
    with pytest.raises((ConfigError, ModelError)) as raised:
        push_line(model(prepare=prepare))
    assert all(word in str(raised.value) for word in words), raised.value


@pytest.mark.parametrize(
    ("thresholds", "key"),
    [
        ({"scratch": 0.5}, "model[0].thresholds.scratch"),
        ({"defect": 1.5}, "model[0].thresholds.defect"),
        ({"good": 0.5}, "model[0].thresholds.good"),
    ],
)
def test_a_threshold_of_no_defect_is_refused(thresholds, key):
    assert key in said(ConfigError, push_line, model(thresholds=thresholds))


# Files.


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LINE + "widow_ms = 3\n", ["camera[0]", "widow_ms", "window_ms"]),
        (LINE + "[belts]\n", ["belts", "belt"]),
        (LINE + "[run]\nworker = 2\n", ["run", "worker", "workers"]),
        (LINE + 'at_mm = "far"\n', ["camera[0].at_mm", "far"]),
        (LINE + "[run]\nworkers = 0\n", ["run.workers", "0"]),
        (LINE + '[parts]\nannounced_by = "magic"\n', ["parts.announced_by", "magic", "sensor"]),
        (LINE + '[parts]\nannounced_by = "sensor"\n', ["parts.sensor"]),
        (LINE + SIDE.replace("side", "top"), ["camera[1].name", "top"]),
        (LINE + SIDE.replace("gentl:simcam.cti#0", "push:"), ["camera", "push:"]),
        (LINE.replace("schema = 1", "schema = 2"), ["schema", "2", "1"]),
        (LINE.partition("\n")[2], ["schema"]),
        ("schema = 1\n", ["camera"]),
        ("schema = = 1\n", ["syntax"]),
    ],
)
def test_what_is_wrong_in_line_toml_is_named_with_file_and_key(from_files, text, words):
    message = said(ConfigError, from_files, line=text)
    assert all(word in message for word in ["line.toml", *words]), message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (RECIPE + "tresholds = { a = 1 }\n", ["model[0]", "tresholds", "thresholds"]),
        (RECIPE.replace("area", "areal"), ["model[0].prepare", "areal", "area"]),
        (RECIPE.replace("size =", "sizes ="), ["model[0].prepare", "sizes", "size"]),
        (RECIPE.replace("[8, 8]", "[0, 8]"), ["model[0].prepare", "0"]),
        (RECIPE.replace("schema = 1", "schema = 7"), ["schema", "7", "1"]),
        (RECIPE.replace("product", "produce"), ["produce", "product"]),
        (RECIPE + 'cameras = ["side"]\n', ["model[0].cameras", "side", "top"]),
        (RECIPE + 'head = "yolo"\n', ["model[0].head", "yolo", "auto"]),
        ('schema = 1\nproduct = "x"\nmodel = []\n', ["model"]),
    ],
)
def test_what_is_wrong_in_recipe_toml_is_named_with_file_and_key(from_files, text, words):
    message = said(ConfigError, from_files, recipe=text)
    assert all(word in message for word in ["recipe.toml", *words]), message


@pytest.mark.parametrize(
    ("table", "key", "value"),
    [
        ("run", "keep", 10**9),
        ("run", "results", 0),
        ("run", "results", 10**12),
        ("run", "workers", 10**6),
        ("run", "batch", 0),
        ("run", "drain_s", 1e300),
        ("run", "drain_s", -1.0),
        ("verdict", "budget_s", 0.0),
        ("verdict", "budget_s", 1e300),
        ("record", "max_gb", -1.0),
        ("record", "images", 1.5),
    ],
)
def test_a_number_out_of_range_is_refused_before_anything_is_opened(tmp_path, table, key, value):
    tables = {"record": {}} | {table: {key: value}}
    tables["record"].setdefault("dir", str(tmp_path / "records"))
    message = said(ConfigError, push_line, **tables)
    assert f"{table}.{key}" in message
    assert str(value).removesuffix(".0").split("e")[0] in message
    assert not (tmp_path / "records").exists()


def test_a_file_that_is_not_there_is_pythons_own_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="No such file or directory: ") as raised:
        qc.Line.from_toml(tmp_path / "no.toml", recipe=grey())
    assert raised.value.filename == str(tmp_path / "no.toml")


def test_objects_from_python_are_checked_as_files_are():
    message = said(ConfigError, push_line, run={"worker": 2})
    assert "<python>" in message
    assert "worker" in message
    with pytest.raises(TypeError):
        push_line(runs={})


# Lines that cannot work.


def jet(**changes):
    figures = {"at_mm": 900, "face_mm": 20, "dead_ms": 6, "hit_ms": 8, "occupied_ms": 14}
    return [{"name": "jet", "uri": "simulated:"} | figures | changes]


@pytest.mark.parametrize(
    ("reject", "figures"),
    [
        # Closer than camera, model and stroke need.
        (jet(at_mm=125), ["mm", "ms"]),
        # A face wider than part and gaps.
        (jet(face_mm=200), ["200", "mm"]),
        # In the way when the next part comes.
        (jet(occupied_ms=200), ["ms"]),
    ],
)
def test_a_line_that_cannot_work_is_refused_with_the_figures(reject, figures):
    message = said(InfeasibleError, screw_line, reject=reject)
    assert "jet" in message or "ejector" in message
    assert all(figure in message for figure in figures), message
    assert any(character.isdigit() for character in message)
    # Nothing stays open behind it.
    qc.Camera("gentl:simcam.cti#0").close()


def test_a_class_that_no_ejector_removes_is_refused():
    message = said(ConfigError, screw_line, reject=jet(classes=["scratch"]))
    assert "reject.classes" in message
    assert "defect" in message


def test_an_ejector_needs_a_belt():
    assert "belt" in said(ConfigError, push_line, reject=jet(), simulation={})


# Cameras and other devices.


def test_an_unknown_kind_of_camera_is_refused_with_the_known_ones():
    for uri in ("usb:0", "top"):
        with pytest.raises(UriError, match="gentl:") as raised:
            qc.Line(cameras=[uri], recipe=grey())
        assert uri in str(raised.value)


def test_a_camera_that_is_not_there_is_named():
    with pytest.raises(NotFoundError, match=r"no\.cti"):
        qc.Line(cameras=["gentl:no.cti#0"], recipe=grey())


@pytest.mark.parametrize(
    ("features", "words"),
    [({"Colour": 1}, ["Colour"]), ({"Width": 1 << 30}, ["Width", "640"])],
)
def test_a_feature_that_the_camera_refuses_is_named(features, words):
    camera = {"name": "top", "uri": "gentl:simcam.cti#0", "features": features}
    message = said(FeatureError, qc.Line, cameras=[camera], recipe=grey())
    assert all(word in message for word in words), message
    qc.Camera("gentl:simcam.cti#0").close()


@pytest.mark.parametrize("key", ["encoder", "sensor", "reject"])
def test_an_unknown_device_is_refused_with_the_known_kinds(key):
    changes = {
        "encoder": {
            "belt": {"max_speed_mm_s": 2200, "part_mm": 60, "least_gap_mm": 30, "encoder": "plc:1"}
        },
        "sensor": {"parts": {"announced_by": "sensor", "sensor": "plc:1"}},
        "reject": {"reject": jet(uri="plc:1")},
    }[key]
    message = said(UriError, screw_line, **changes)
    assert "plc:1" in message
    assert "simulated:" in message
    qc.Camera("gentl:simcam.cti#0").close()


def test_a_record_folder_that_cannot_be_made_is_pythons_own_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        push_line(record={"dir": str(tmp_path / "file" / "records")})
