"""Runs the Rust tests with the producers and the ONNX Runtime that they are held against.

Python knows where its packages lie; the Rust tests are told by environment variables and skip,
saying so, where one is missing.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def environment() -> dict[str, str]:
    """This process's environment with the paths that the Rust tests ask for."""
    env = dict(os.environ)
    paths = Path(sys.prefix) / "producers" / "paths"
    if paths.exists():
        env.update(line.split("=", 1) for line in paths.read_text().splitlines() if "=" in line)
    runtime = importlib.util.find_spec("onnxruntime")
    if runtime and runtime.origin:
        libraries = sorted((Path(runtime.origin).parent / "capi").glob("libonnxruntime.so.*"))
        if libraries:
            env.setdefault("SMARTQC_ORT_LIB", str(libraries[-1]))
    # The same random cases in each run; any other number draws others.
    env.setdefault("PROPTEST_RNG_SEED", "1")
    package = ROOT / "python" / "smartqc" / "simcam" / "simcam.cti"
    if package.exists():
        env.setdefault("SMARTQC_CTI_SIMCAM", str(package))
    return env


def main() -> int:
    """Runs nextest where it is installed, else cargo's own runner, then the doctests."""
    env = environment()
    nextest = shutil.which("cargo-nextest")
    runner = ["cargo", "nextest", "run"] if nextest else ["cargo", "test", "--tests"]
    for command in (
        [*runner, "--locked", "--no-fail-fast", "--workspace"],
        ["cargo", "test", "--locked", "--doc", "--workspace"],
    ):
        code = subprocess.run(command, cwd=ROOT, env=env, check=False).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
