"""Builds the third foreign client: build_rc_genicam.py SOURCE FOLDER.

SOURCE is a checkout of https://github.com/roboception/rc_genicam_api (BSD-3-Clause), FOLDER gets
the program. GenApi, which it is linked with, comes from the PyPI wheel genicam 1.4.0, which has the
same version as the headers in SOURCE. Needs g++ and pip; takes two minutes. Then::

    SMARTQC_RC_CLIENT=FOLDER/rc_client pytest tests/test_simcam_clients.py -k rc_genicam
"""

import subprocess
import sys
import zipfile
from pathlib import Path

UNITS = [
    *("buffer", "config", "cport", "device", "exception", "gentl_wrapper_linux"),
    *("image", "imagelist", "interface", "stream", "system"),
]
LIBRARIES = ["GCBase", "GenApi", "Log", "MathParser", "NodeMapData", "XmlParser"]
WHEEL = "genicam==1.4.0"


def unpack_libraries(folder: Path) -> list[Path]:
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"),
            *("--only-binary=:all:", "--python-version", "310"),
            *("--platform", "manylinux2014_x86_64", "--dest", str(folder), WHEEL),
        ],
        check=True,
    )
    found = []
    with zipfile.ZipFile(next(folder.glob("genicam-*.whl"))) as wheel:
        for name in wheel.namelist():
            file = Path(name).name
            if any(file.startswith(f"lib{library}_gcc") for library in LIBRARIES):
                (folder / file).write_bytes(wheel.read(name))
                found.append(folder / file)
    return found


def main() -> None:
    source, folder = (Path(argument).resolve() for argument in sys.argv[1:3])
    folder.mkdir(parents=True, exist_ok=True)
    libraries = unpack_libraries(folder)
    flags = ["-std=c++14", "-O1", "-w", f"-I{source}", f"-I{source}/genicam/library/CPP/include"]
    # Where it would look for producers of its own; the test names the folder.
    flags.append('-DGENTL_INSTALL_PATH=""')
    units = [source / "rc_genicam_api" / f"{unit}.cc" for unit in UNITS]
    objects = []
    for unit in [*units, Path(__file__).with_name("with_rc_genicam.cc")]:
        objects.append(folder / f"{unit.stem}.o")
        if not objects[-1].exists():
            subprocess.run(["g++", *flags, "-c", unit, "-o", objects[-1]], check=True)
    program = folder / "rc_client"
    subprocess.run(
        ["g++", *objects, *libraries, f"-Wl,-rpath,{folder}", "-ldl", "-pthread", "-o", program],
        check=True,
    )
    print(program)


if __name__ == "__main__":
    main()
