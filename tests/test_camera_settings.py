"""A camera's settings in a file, its names in a notebook."""

import pytest

from smartqc.errors import ClosedError, FeatureError, InvalidError

SIMCAM = "gentl:simcam.cti#0"


@pytest.fixture
def simcam(open_camera):
    return open_camera(SIMCAM)


def rewritten(path, name, value):
    """The file with another value in the last line of that name."""
    lines = path.read_text().splitlines()
    at = max(at for at, line in enumerate(lines) if line.split("\t")[0] == name)
    lines[at] = f"{name}\t{value}"
    path.write_text("\n".join(lines) + "\n")


def test_settings_come_back_from_a_file(open_camera, uri, tmp_path):
    camera = open_camera(uri)
    path = tmp_path / "camera.txt"
    width = camera["Width"].value
    assert camera.save(path) > 5
    camera["Width"] = camera["Width"].min
    loaded = camera.load(path)
    assert loaded.restored > 5
    assert loaded.unrestored == []
    assert camera["Width"].value == width


def test_what_a_selector_selects_is_kept_for_each_of_its_values(simcam, tmp_path):
    path = tmp_path / "camera.txt"
    simcam["ChunkEnable[EncoderValue]"] = False
    selected = simcam["ChunkSelector"].value
    simcam.save(path)
    assert simcam["ChunkSelector"].value == selected
    simcam["ChunkEnable[EncoderValue]"] = True
    simcam["ChunkEnable[FrameID]"] = False
    simcam.load(path)
    assert simcam["ChunkEnable[EncoderValue]"].value is False
    assert simcam["ChunkEnable[FrameID]"].value is True
    simcam["ChunkEnable[EncoderValue]"] = True


def test_a_value_that_is_not_so_afterwards_is_named_with_its_reason(simcam, tmp_path):
    path = tmp_path / "camera.txt"
    simcam["ExposureTime"] = 500.0
    simcam.save(path)
    rewritten(path, "Width", 1 << 20)
    simcam["ExposureTime"] = 900.0
    with pytest.raises(FeatureError, match=r"1 of the \d+ values .*Width = 1048576: .*640"):
        simcam.load(path)
    # What could be restored is.
    assert simcam["ExposureTime"].value == 500.0
    simcam["ExposureTime"] = 900.0
    loaded = simcam.load(path, strict=False)
    (wrong,) = loaded.unrestored
    assert (wrong.name, wrong.wanted, wrong.selectors) == ("Width", "1048576", {})
    assert "640" in wrong.problem
    assert simcam["ExposureTime"].value == 500.0
    assert "Width = 1048576" in repr(wrong)


def test_a_value_of_a_selector_that_is_not_so_is_named_with_it(simcam, tmp_path):
    path = tmp_path / "camera.txt"
    path.write_text("ChunkSelector\tFrameID\nChunkEnable\tmaybe\nNoSuchFeature\t1\n")
    wrong = {one.name: one for one in simcam.load(path, strict=False).unrestored}
    assert set(wrong) == {"ChunkEnable[FrameID]", "NoSuchFeature"}
    assert wrong["ChunkEnable[FrameID]"].selectors == {"ChunkSelector": "FrameID"}


def test_a_locked_feature_is_not_loaded_and_says_what_locks_it(simcam, tmp_path):
    path = tmp_path / "camera.txt"
    simcam.save(path)
    rewritten(path, "Width", 64)
    simcam.start()
    with pytest.raises(FeatureError, match=r"Width = 64: .*TLParamsLocked"):
        simcam.load(path)
    simcam.stop()
    simcam.load(path)
    assert simcam["Width"].value == 64


def test_a_file_of_something_else_is_refused(simcam, tmp_path):
    (tmp_path / "other.txt").write_text("width = 5\n")
    with pytest.raises(InvalidError, match=r"other\.txt"):
        simcam.load(tmp_path / "other.txt")
    with pytest.raises(FileNotFoundError):
        simcam.load(tmp_path / "none.txt")
    with pytest.raises(FileNotFoundError):
        simcam.save(tmp_path / "none" / "camera.txt")


# Notebooks.


def test_names_complete_with_the_entries_of_their_selectors(open_camera, uri):
    names = open_camera(uri)._ipython_key_completions_()
    assert {"Width", "PixelFormat", "AcquisitionStart"} <= set(names)
    assert len(names) == len(set(names))


def test_a_completed_name_with_a_selector_is_a_feature(simcam):
    names = simcam._ipython_key_completions_()
    assert {"LineMode[Line0]", "LineMode[Line2]", "ChunkEnable[FrameID]"} <= set(names)
    assert simcam["LineMode[Line2]"].value == "Output"
    assert {"grab", "trigger", "save", "load", "stats"} <= set(dir(simcam))


def test_a_notebook_shows_features_with_limits_units_and_why_they_are_locked(simcam):
    exposure = simcam["ExposureTime"]._repr_html_()
    assert "us" in exposure
    assert ".." in exposure
    simcam["DeviceUserID"] = "<top & side>"
    simcam.start()
    shown = simcam._repr_html_()
    assert "read only: locked by TLParamsLocked = 1" in shown
    assert "&lt;top &amp; side&gt;" in shown
    assert "<top" not in shown
    simcam.stop()
    simcam["DeviceUserID"] = ""
    assert "TLParamsLocked = 1" not in simcam._repr_html_()
    simcam.close()
    assert "closed" in simcam._repr_html_()
    with pytest.raises(ClosedError):
        simcam._ipython_key_completions_()


def test_a_notebook_shows_a_frame_small(simcam):
    simcam["PixelFormat"] = "BayerRG8"
    shown = simcam.grab(timeout_s=10)._repr_html_()
    assert shown.startswith('<div><img src="data:image/png;base64,')
    assert "160 x 160 BayerRG8" in shown
