"""Our side: the driver `rust/genapi/examples/operate.rs`, built once and fed with operations."""

import functools
import json
import os
import resource
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE_S = 120


CRATE = ROOT / "rust" / "genapi"


@functools.cache
def driver() -> str:
    """Path of the driver, built where it is not, or is older than what it is built from.

    Cargo is not asked otherwise: it would wait for any other build that is under way.
    """
    given = os.environ.get("SMARTQC_GENAPI_DRIVER")
    if given:
        return given
    target = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    known = ROOT / target / "debug" / "examples" / "operate"
    if known.is_file() and known.stat().st_mtime > newest_source():
        return str(known)
    command = ["cargo", "build", "--locked", "-p", "smartqc-genapi", "--example", "operate"]
    told = subprocess.run(
        [*command, "--message-format=json"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    for line in told.stdout.splitlines():
        row = json.loads(line)
        if row.get("executable") and row["target"]["name"] == "operate":
            # Cargo leaves alone what only looks older, and is not to be asked again for that.
            os.utime(row["executable"])
            return row["executable"]
    raise RuntimeError("cargo built no driver")


def newest_source() -> float:
    sources = [ROOT / "Cargo.lock", ROOT / "Cargo.toml", CRATE / "Cargo.toml"]
    sources += [*CRATE.glob("src/**/*.rs"), CRATE / "examples" / "operate.rs"]
    return max(source.stat().st_mtime for source in sources)


def small_stack():
    resource.setrlimit(resource.RLIMIT_STACK, (512 << 10, 512 << 10))


def answers(document: str, image: dict, operations: list[dict], **options) -> list[dict]:
    """What we answer to each operation; `{"refused": ...}` alone where we load nothing."""
    done = run(document, image, operations, **options)
    if done.returncode:
        raise RuntimeError(f"{document}: our driver died ({done.returncode}): {done.stderr[-800:]}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def run(
    document,
    image,
    operations,
    *,
    apart: Sequence[str] = (),
    hostile: bool = False,
    patience_s: float = PATIENCE_S,
):
    """Runs the driver on operations; a hostile document gets 512 KiB of stack and no more."""
    request = {"document": document, "image": image, "apart": list(apart)}
    lines = [json.dumps(request), *map(json.dumps, operations)]
    began = time.monotonic()
    done = subprocess.run(
        [driver()],
        input="\n".join(lines) + "\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=patience_s,
        preexec_fn=small_stack if hostile else None,
    )
    done.took_s = time.monotonic() - began
    return done
