"""The simulated camera, as clients see it that this project did not write."""

import ctypes
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("harvesters", reason="needs harvesters, of the test dependency group")

SCRIPTS = Path(__file__).with_name("simcam_clients")
XML = Path(__file__).parents[1] / "rust" / "simcam" / "xml"

# The names that GenTL 1.6 asks of a producer.
NAMES = """
GCInitLib GCCloseLib GCGetInfo GCGetLastError GCReadPort GCWritePort GCGetPortURL GCGetPortInfo
GCRegisterEvent GCUnregisterEvent EventGetData EventGetDataInfo EventGetInfo EventFlush EventKill
TLOpen TLClose TLGetInfo TLGetNumInterfaces TLGetInterfaceID TLGetInterfaceInfo TLOpenInterface
TLUpdateInterfaceList IFClose IFGetInfo IFGetNumDevices IFGetDeviceID IFUpdateDeviceList
IFGetDeviceInfo IFOpenDevice DevGetPort DevGetNumDataStreams DevGetDataStreamID DevOpenDataStream
DevGetInfo DevClose DSAnnounceBuffer DSAllocAndAnnounceBuffer DSFlushQueue DSStartAcquisition
DSStopAcquisition DSGetInfo DSGetBufferID DSClose DSRevokeBuffer DSQueueBuffer DSGetBufferInfo
GCGetNumPortURLs GCGetPortURLInfo GCReadPortStacked GCWritePortStacked DSGetBufferChunkData
IFGetParentTL DevGetParentIF DSGetParentDev DSGetNumBufferParts DSGetBufferPartInfo
DSAnnounceCompositeBuffer DSGetBufferInfoStacked DSGetBufferPartInfoStacked DSGetNumFlows
DSGetFlowInfo DSGetNumBufferSegments DSGetBufferSegmentInfo
"""
EXPORTS = NAMES.split()


@pytest.fixture(scope="module")
def cti() -> str:
    named = os.environ.get("SMARTQC_SIMCAM_CTI")
    if named:
        return named
    if importlib.util.find_spec("smartqc") is None:
        pytest.skip("needs simcam.cti: install smartqc or set SMARTQC_SIMCAM_CTI")
    from smartqc.simcam import cti_path

    return cti_path()


def harvest(cti: str, scenario: str, *arguments: str, config: Path | None = None) -> dict:
    env = {name: value for name, value in os.environ.items() if name != "SMARTQC_SIMCAM"}
    if config:
        env["SMARTQC_SIMCAM"] = str(config)
    script = str(SCRIPTS / "harvest.py")
    done = subprocess.run(
        [sys.executable, script, cti, scenario, *arguments],
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def save_images(folder: Path) -> list:
    """Two colour images, one with an odd number of rows; their pixels as the sensor sees them."""
    np = pytest.importorskip("numpy")
    image = pytest.importorskip("PIL.Image")
    random = np.random.default_rng(7)
    folder.mkdir()
    pixels = [random.integers(0, 256, (25, 32, 3), dtype=np.uint8) for _ in range(2)]
    for index, values in enumerate(pixels):
        image.fromarray(values).save(folder / f"{index}.png")
    return [values[:24] for values in pixels]


def test_all_64_functions_are_exported(cti):
    library = ctypes.CDLL(cti)
    assert len(EXPORTS) == 64
    assert [name for name in EXPORTS if not hasattr(library, name)] == []


def test_the_reference_reads_every_description_file():
    # In a process of its own: genicam's objects warn when the interpreter tears them down.
    code = (
        "import sys; from genicam.genapi import NodeMap\n"
        "for path in sys.argv[1:]:\n"
        "    nodes = NodeMap(); nodes.load_xml_from_string(open(path).read())\n"
        "    assert nodes.has_node('Root'), path\n"
    )
    files = [str(path) for path in sorted(XML.glob("*.xml"))]
    assert len(files) == 6
    subprocess.run([sys.executable, "-c", code, *files], check=True, timeout=120)


def test_unconfigured_it_is_one_camera(cti):
    assert harvest(cti, "discover")["devices"] == [
        {
            "id_": "SimCam_0",
            "vendor": "smartqc",
            "model": "SimCam",
            "serial_number": "SIM00000",
            "tl_type": "Custom",
        }
    ]


def test_harvesters_reads_and_writes_features(cti):
    seen = harvest(cti, "features")
    assert seen["defaults"] == [640, 480, "Mono8"]
    assert len(seen["formats"]) == 44
    assert {"Mono8", "Mono12p", "Mono12Packed", "BayerGB10p", "RGB16", "YUV422_8"} <= {
        *seen["formats"]
    }
    assert seen["written"] == [320, 64, "BGR8", 1234.5, "top", 320 * 480 * 3]
    assert seen["limits"] == [640 - 64, 640 - 320, 2, 480]
    assert seen["latched_ns"] > 0
    assert all(seen["refused"]), seen["refused"]
    assert seen["locked"] == [1, True, True, True]
    assert seen["unlocked"]
    assert seen["modules"] == {
        "system": "smartqc-simcam",
        "interface": "SimCam_0",
        "device": "SimCam_0",
        "stream": "Stream0",
    }


def test_harvesters_streams_a_thousand_correct_frames(cti):
    seen = harvest(cti, "stream")
    assert seen["lost"] == 0
    assert seen["consecutive"], seen["ids"]
    assert seen["wrong"] == 0
    # The camera's clock is exact, whatever the machine does: 200 frames per second.
    assert seen["median_period_ns"] == 5_000_000
    assert seen["least_period_ns"] >= 5_000_000


def test_software_and_line0_trigger_one_frame_each(cti):
    seen = harvest(cti, "triggered")
    assert seen["software"] == list(range(100))
    assert seen["software_right"]
    assert seen["pulses"] == [
        [1000 + part, 500 * part, part + 1, 100 + part, 7 - part % 8, 10.0, True, True]
        for part in range(10)
    ]
    assert seen["missed"] == 0


def test_a_configuration_gives_several_cameras(cti, tmp_path):
    pixels = save_images(tmp_path / "parts")
    config = tmp_path / "simcam.toml"
    config.write_text(
        """schema = 1
[[device]]
id = "top"
serial = "A1"
images = "parts"
pixel_format = "BayerRG8"
trigger = "software"
[[device]]
id = "side"
width = 32
height = 24
frame_rate = 100.0
"""
    )
    seen = harvest(cti, "two_devices", config=config)
    assert seen["ids"] == ["top", "side"]
    assert seen["format"] == "BayerRG8"
    assert seen["size"] == [32, 24, 2]
    assert seen["pattern_right"]
    mosaics = []
    for values in pixels:
        mosaic = values[:, :, 1].copy()
        mosaic[::2, ::2] = values[::2, ::2, 0]
        mosaic[1::2, 1::2] = values[1::2, 1::2, 2]
        mosaics.append(mosaic.tolist())
    assert seen["mosaics"] == mosaics * 2


def test_harvesters_gets_every_part_of_a_payload(cti):
    formats = ["Mono8", "Confidence8", "Coord3D_C16"]
    assert harvest(cti, "parts")["shots"] == [[formats, [True] * 3]] * 2


def test_pictures_are_set_up_through_features_alone(cti, tmp_path):
    pixels = [values.tolist() for values in save_images(tmp_path / "parts")]
    seen = harvest(cti, "live", str(tmp_path / "parts"))
    assert seen["size"] == [32, 24]
    assert seen["shots"] == [pixels[0], pixels[1], pixels[0]]
    # Clipping at black and white takes a little of the 2 grey levels away.
    assert 1.8 < seen["noise"] < 2.1
    assert seen["noise_differs"]
    assert seen["corner_light"] == pytest.approx(0.5, abs=0.1)
    assert seen["pattern_size"] == [640, 480]


ONE_LIST = """schema = 1
[[device]]
id = "left"
serial = "L1"
interface = "A"
width = 64
height = 48
trigger = "software"
exposure_us = 10.0
readout_us = 0.0
description = "file"
[[device]]
id = "right"
serial = "R1"
interface = "B"
width = 32
height = 24
frame_rate = 100.0
description = "zip"
"""


def prepare_client(client: str, folder: Path) -> dict[str, str]:
    """What the client's process needs in its environment; skips where the client is not at hand."""
    if client == "rc_genicam":
        if "SMARTQC_RC_CLIENT" not in os.environ:
            pytest.skip("needs SMARTQC_RC_CLIENT: see tests/simcam_clients/build_rc_genicam.py")
        return {}
    spec = importlib.util.find_spec(client)
    if spec is None:
        pytest.skip(f"needs {client}, which pip did not bring")
    if client == "vmbpy":
        # VmbC opens foreign producers only where the settings beside its library allow it.
        package = folder / "packages" / "vmbpy"
        shutil.copytree(Path(spec.origin).parent, package)
        settings = package / "c_binding" / "lib" / "VmbC.xml"
        text = settings.read_text()
        assert '<TlRule rule="deny"/>' in text
        text = text.replace('<TlRule rule="deny"/>', '<TlRule rule="allow"/>')
        # It looks for cameras every 2.5 s unless it is told otherwise.
        often = "<DevicePollingPeriod>100</DevicePollingPeriod>"
        settings.write_text(text.replace("</TlLoading>", often + "</TlLoading>"))
        return {"PYTHONPATH": str(package.parent)}
    return {}


@pytest.mark.parametrize("client", ["harvesters", "vmbpy", "rc_genicam"])
def test_a_foreign_client_passes_the_one_list(cti, tmp_path, client):
    env = {**os.environ, **prepare_client(client, tmp_path)}
    config = tmp_path / "simcam.toml"
    config.write_text(ONE_LIST)
    env["SMARTQC_SIMCAM"] = str(config)
    # Some clients take all producers of a folder: this one lies alone in its own.
    alone = tmp_path / "producer" / "simcam.cti"
    alone.parent.mkdir()
    shutil.copyfile(cti, alone)
    command = [sys.executable, str(SCRIPTS / "one_list.py"), client, str(alone)]
    done = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    frames = [[0, False, True], [1, True, True], [2, False, True], [4, False, True]]
    frames.append([5, False, True])
    chunks = "cannot" if client == "rc_genicam" else [[0, 0, 0], [1, 0, 1], [2, 0, 2]]
    if client == "harvesters":
        # It swallows incomplete frames, so that one looks like any that was lost.
        del frames[1]
    assert seen == {
        "finds_the_cameras": [["left", "SimCam", "L1"], ["right", "SimCam", "R1"]],
        "reads_and_writes_features": [64, "Mono8", 1234.5, "top", [0.0, 6.0]],
        "is_refused_what_is_not_allowed": [True] * 5,
        "streams_right_frames": [0, True, True],
        "triggers_one_frame_each_and_starts_again": [[at, True] for at in range(5)] * 2,
        "locks_the_size_while_streaming": [True, True],
        "gets_packed_bytes_as_they_are": True,
        "reads_chunks_by_the_cameras_description": chunks,
        "survives_incomplete_and_dropped_frames": frames,
        "runs_two_cameras_and_stops_one": [[0, 0], True],
        "sees_a_lost_camera_go_and_return": (
            [["left", "gone"], ["left", "back"], 0] if client == "vmbpy" else "cannot"
        ),
    }


def test_a_copy_of_the_producer_in_the_same_process_is_a_library_of_its_own(cti, tmp_path):
    copies = [tmp_path / "one.cti", tmp_path / "two.cti"]
    for copy in copies:
        shutil.copyfile(cti, copy)
    command = [sys.executable, str(SCRIPTS / "two_copies.py"), *map(str, copies)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr


def test_a_bad_configuration_is_told_in_words(cti, tmp_path):
    config = tmp_path / "simcam.toml"
    config.write_text("schema = 1\n[[device]]\nframe_rate = 0.0\n")
    code = (
        "import ctypes, sys\n"
        "library = ctypes.CDLL(sys.argv[1])\n"
        "assert library.GCInitLib() == -1001\n"
        "code, text, size = ctypes.c_int32(), (ctypes.c_char * 500)(), ctypes.c_size_t(500)\n"
        "library.GCGetLastError(ctypes.byref(code), text, ctypes.byref(size))\n"
        "print(code.value, text.value.decode())\n"
    )
    env = {**os.environ, "SMARTQC_SIMCAM": str(config)}
    command = [sys.executable, "-c", code, cti]
    told = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    assert told.startswith("-1001 ")
    assert str(config) in told
    assert "number 1: frame_rate = 0: must lie between 0.1 and 100000" in told
