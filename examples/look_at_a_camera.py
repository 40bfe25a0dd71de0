"""Look at a camera: what is there, what can be set, and its pixels.

    python examples/look_at_a_camera.py [URI]

Without a URI it takes the simulated camera that comes with smartqc.
"""

import sys

import smartqc as qc


def main(uri: str = "gentl:simcam.cti#0") -> None:
    """Print cameras, some features and what ten frames look like."""
    for info in qc.discover():
        print(info.uri or info.producer, "-", info.error or f"{info.vendor} {info.model}")

    with qc.Camera(uri) as camera:
        camera["PixelFormat"] = "Mono8"
        for name in ("Width", "Height", "ExposureTime", "PixelFormat"):
            if name in camera:
                feature = camera[name]
                allowed = feature.entries or [feature.min, feature.max]
                print(f"{name} = {feature.value} {feature.unit or ''} of {allowed}")

        for _ in range(10):
            frame = camera.grab(timeout_s=5.0)
            pixels = frame.pixels  # the camera's own buffer, read-only; .copy() keeps it longer
            mark = " (incomplete)" if frame.incomplete else ""
            print(f"frame {frame.frame_id}: {pixels.shape}, mean {pixels.mean():.1f}{mark}")
        print(f"lost: {camera.lost}")


if __name__ == "__main__":
    main(*sys.argv[1:])
