"""The arrows of ARCHITECTURE.md: who may use what, read from the sources themselves."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "rust" / "core" / "src"

EVERYBODY = {"clock", "error", "frame", "outcome"}
"""What every stage may use."""

ARROWS = {
    "clock": set(),
    "error": set(),
    "outcome": set(),
    "uri": set(),
    "modbus": {"uri"},
    "gpio": {"uri"},
    "frame": set(),
    "source": set(),
    "world": {"actuate", "sense"},
    "sense": {"world", "uri", "modbus", "gpio"},
    "track": {"sense", "actuate"},
    "batch": set(),
    "prepare": set(),
    "align": {"prepare"},
    "infer": {"batch"},
    "decide": {"align", "infer", "batch"},
    "actuate": {"world", "uri", "modbus", "gpio"},
    "record": {"decide", "prepare"},
    "line": {
        "actuate",
        "align",
        "batch",
        "decide",
        "infer",
        "prepare",
        "record",
        "sense",
        "source",
        "track",
        "uri",
        "world",
    },
}
"""What each stage of core may use beside that."""

CRATES = {
    "belt": set(),
    "genapi": set(),
    "gentl": set(),
    "simcam": set(),
    "core": {"smartqc-belt", "smartqc-genapi", "smartqc-gentl"},
    "python": {"smartqc-core"},
}
"""What each crate may use of ours; simcam must share no belief with gentl."""


def product_code(path: Path) -> str:
    """A source without its tests and comments."""
    text = path.read_text().split("#[cfg(test)]")[0]
    return "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("//"))


def stage_sources(stage: str) -> list[Path]:
    folder = CORE / stage
    return sorted(folder.rglob("*.rs")) if folder.is_dir() else [CORE / f"{stage}.rs"]


def uses(text: str) -> set[str]:
    """Stages named after ``crate::``, also inside braces."""
    found = set(re.findall(r"\bcrate::(\w+)", text))
    for group in re.findall(r"\bcrate::\{([^;]*)\}", text):
        found |= set(re.findall(r"(?:^|,)\s*(\w+)", group))
    return found - {"Error", "Result"}


def test_every_stage_is_in_the_table():
    modules = set(re.findall(r"^(?:pub )?mod (\w+);", (CORE / "lib.rs").read_text(), re.MULTILINE))
    assert modules == set(ARROWS)


@pytest.mark.parametrize("stage", sorted(ARROWS))
def test_a_stage_uses_only_what_its_arrows_allow(stage):
    for path in stage_sources(stage):
        found = uses(product_code(path)) - {stage}
        assert found <= ARROWS[stage] | EVERYBODY, path.relative_to(ROOT)


@pytest.mark.parametrize("crate", sorted(CRATES))
def test_a_crate_uses_only_what_its_arrows_allow(crate):
    manifest = tomllib.loads((ROOT / "rust" / crate / "Cargo.toml").read_text())
    ours = {name for name in manifest.get("dependencies", {}) if name.startswith("smartqc")}
    assert ours == CRATES[crate]
    if crate != "python":
        assert not any(name.startswith(("pyo3", "numpy")) for name in manifest["dependencies"])


def test_the_hot_path_has_no_async_runtime_and_no_thread_pool():
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    names = {package["name"] for package in lock["package"]}
    assert not names & {"tokio", "opencv", "async-std"}


def test_unsafe_stands_only_where_it_is_needed():
    allowed = {
        "rust/core/src/align/kernels/avx2.rs",
        "rust/core/src/align/kernels/avx512.rs",
        "rust/core/src/batch/tensor.rs",
        "rust/core/src/clock.rs",
        "rust/core/src/frame/slots.rs",
        "rust/core/src/infer/bound.rs",
        "rust/core/src/infer/runtime.rs",
        "rust/core/src/infer/session.rs",
        "rust/core/src/infer/settings.rs",
        "rust/core/src/infer/terminate.rs",
        "rust/core/src/line/deadline/fifo.rs",
        "rust/core/src/line/worker.rs",
        "rust/core/src/prepare/kernels/area/body.rs",
        "rust/core/src/prepare/kernels/avx2/area.rs",
        "rust/core/src/prepare/kernels/avx2/bytes.rs",
        "rust/core/src/prepare/kernels/avx2/filter.rs",
        "rust/core/src/prepare/kernels/avx2/mod.rs",
        "rust/core/src/prepare/kernels/avx2/ramps.rs",
        "rust/core/src/prepare/kernels/avx512/area.rs",
        "rust/core/src/prepare/kernels/avx512/bytes.rs",
        "rust/core/src/prepare/kernels/avx512/filter.rs",
        "rust/core/src/prepare/kernels/avx512/linear.rs",
        "rust/core/src/prepare/kernels/avx512/mod.rs",
        "rust/core/src/prepare/kernels/avx512/mosaic.rs",
        "rust/core/src/prepare/kernels/avx512/narrow.rs",
        "rust/core/src/prepare/kernels/avx512/packed.rs",
        "rust/core/src/prepare/kernels/avx512/ramps.rs",
        "rust/core/src/source/gentl/running.rs",
        "rust/core/src/source/gentl/setup.rs",
        "rust/core/src/source/push.rs",
        "rust/python/src/bytes.rs",
        "rust/python/src/pixels.rs",
    }
    found = {
        str(path.relative_to(ROOT))
        for crate in ("belt", "core", "python")
        for path in (ROOT / "rust" / crate / "src").rglob("*.rs")
        if re.search(r"\bunsafe\s*(\{|fn|impl)", product_code(path))
    }
    assert found == allowed
