"""An ejector at the camera's own output."""

import pytest

from simulated import screw_line
from smartqc.errors import FeatureError, UriError

JET = {
    "name": "jet",
    "at_mm": 900,
    "face_mm": 10,
    "dead_ms": 6,
    "hit_ms": 8,
    "occupied_ms": 10,
    "recover_ms": 5,
}


def test_rejects_switch_line2_of_the_camera_without_a_fault():
    wide = {"max_speed_mm_s": 1100, "part_mm": 300, "least_gap_mm": 150, "encoder": "simulated:"}
    world = {"seed": 7, "parts": 20, "speed_mm_s": 1000, "gap_mm": [150, 200], "pictures": [0, 1]}
    line = screw_line(
        reject=[JET | {"uri": "camera:top?output=Line2"}],
        belt=wide | {"mm_per_count": 0.1},
        simulation=world,
        verdict={"on_unjudged": "reject"},
    )
    with line:
        for _ in line:
            pass
    # A write that the camera refused would be told as unconfirmed, and as a fault.
    told = line.stats.dispositions
    assert told["commanded"] == line.stats.rejected + line.stats.unjudged > 0
    assert told["unconfirmed"] == told["refused"] == 0
    assert line.stats.stop_requested is None


@pytest.mark.parametrize(
    ("uri", "error", "says"),
    [
        ("camera:side?output=Line2", UriError, r"\"side\" is no camera.*top"),
        ("camera:top", UriError, "output=Line2"),
        ("camera:top?output=Line2&pulse=3", UriError, "pulse_ms"),
        ("camera:top?output=Line0", FeatureError, "LineMode.*input"),
        ("camera:top?output=Line2&user_output=UserOutput7", FeatureError, "UserOutput7"),
    ],
)
def test_what_the_camera_lacks_is_said(uri, error, says):
    with pytest.raises(error, match=says):
        screw_line(reject=[JET | {"uri": uri}])
