"""What about this machine would hurt an inspection line: one function a question."""

import importlib.util
import os
import platform
import resource
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from smartqc.cli.version import RUNTIMES, installed

State = Literal["ok", "note", "hurts", "broken"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of ``smartqc doctor``."""

    state: State
    about: str
    found: str
    means: str = ""
    advice: str = ""


OLDEST_ONNXRUNTIME = (1, 21)
"""As in pyproject.toml; the core refuses what is older."""

SEARCH_VARIABLE = "GENICAM_GENTL64_PATH"


def findings() -> Iterator[Finding]:
    """Every question's answer, worst matters of the machine after those of the installation."""
    for question in QUESTIONS:
        yield question()


def actuators() -> Finding:
    """Which ejectors made in Python are installed?"""
    from smartqc.actuators import installed as found

    names = {name: entry.value for name, entry in found().items()}
    about = "ejectors in Python"
    if not names:
        return Finding("ok", about, "none")
    return Finding(
        "note",
        about,
        ", ".join(f"python:{name} ({value})" for name, value in names.items()),
        "Python is then in the reject path: how long it waits for the GIL is measured when a line "
        "is opened, and counts in its lead.",
    )


def runtime() -> Finding:
    """Can models be run?"""
    about = "ONNX Runtime"
    found = {name: version for name in RUNTIMES if (version := installed(name))}
    if not found:
        return Finding(
            "broken",
            about,
            "not installed",
            "No model can be run.",
            "pip install 'smartqc[cpu]' (or [gpu])",
        )
    said = ", ".join(f"{name} {version}" for name, version in found.items())
    if len(found) > 1:
        return Finding(
            "hurts",
            about,
            said,
            "Both write to the same folder, so which one runs is chance.",
            f"pip uninstall {' '.join(found)}, then install one of them",
        )
    if _numbers(next(iter(found.values()))) < OLDEST_ONNXRUNTIME:
        oldest = ".".join(map(str, OLDEST_ONNXRUNTIME))
        return Finding(
            "broken",
            about,
            said,
            f"smartqc needs {oldest} or newer.",
            f"pip install --upgrade '{next(iter(found))}>={oldest}'",
        )
    spec = importlib.util.find_spec("onnxruntime")
    library = Path(spec.origin).parent / "capi" if spec and spec.origin else None
    if library is None or not any(library.glob("libonnxruntime.so*")):
        return Finding(
            "broken",
            about,
            said,
            "The package holds no libonnxruntime.so.",
            f"pip install --force-reinstall {next(iter(found))}",
        )
    return Finding("ok", about, f"{said}: {', '.join(_providers())}")


def _providers() -> list[str]:
    """The execution providers of the installed build, by ONNX Runtime's names."""
    import onnxruntime  # type: ignore[import-untyped]

    return list(onnxruntime.get_available_providers())


def numpy() -> Finding:
    """Is numpy the one that views are made for?"""
    version = installed("numpy")
    if version is None or _numbers(version) < (2,):
        return Finding(
            "broken", "numpy", version or "not installed", "smartqc needs 2.0 or newer.",
            "pip install --upgrade 'numpy>=2'",
        )  # fmt: skip
    return Finding("ok", "numpy", version)


def simulated_camera() -> Finding:
    """Was the demo's camera installed?"""
    from smartqc.simcam import cti_path

    try:
        path = cti_path()
    except FileNotFoundError:
        return Finding(
            "broken",
            "simulated camera",
            "simcam.cti is missing",
            "`smartqc demo` cannot run.",
            "Install smartqc again with pip.",
        )
    return Finding("ok", "simulated camera", path)


def producers() -> Finding:
    """Are there GenTL producers of camera makers?"""
    about = "GenTL producers"
    named = os.environ.get(SEARCH_VARIABLE, "")
    folders = [Path(name) for name in named.split(os.pathsep) if name]
    if not folders:
        return Finding(
            "note",
            about,
            f"{SEARCH_VARIABLE} is not set",
            "`smartqc discover` sees the simulated camera only; one named by its .cti file works.",
            f"Install the maker's GenTL package, then export {SEARCH_VARIABLE}=/its/folder",
        )
    missing = [str(folder) for folder in folders if not folder.is_dir()]
    files = sorted(file for folder in folders if folder.is_dir() for file in folder.glob("*.cti"))
    if not files:
        return Finding(
            "hurts",
            about,
            f"none in {named}",
            "`smartqc discover` sees the simulated camera only.",
            f"Let {SEARCH_VARIABLE} name the folder that holds the maker's .cti file.",
        )
    said = ", ".join(file.name for file in files)
    if missing:
        return Finding(
            "note", about, said, f"No such folder: {', '.join(missing)}.",
            f"Correct {SEARCH_VARIABLE}.",
        )  # fmt: skip
    return Finding("ok", about, said)


def fifo() -> Finding:
    """Would the kernel let the line's thread go ahead of others?"""
    from smartqc import _native

    about = "SCHED_FIFO"
    granted, errno = _native.line_scheduling()
    if errno is None:
        if os.geteuid() == 0 and resource.getrlimit(resource.RLIMIT_RTPRIO)[0] == 0:
            return Finding(
                "note",
                about,
                "granted to root",
                "An ordinary user would be refused.",
                "For the user that runs the line: '@GROUP - rtprio 50' in "
                "/etc/security/limits.d/smartqc.conf",
            )
        return Finding("ok", about, "granted")
    grant = (
        "'@GROUP - rtprio 50' in /etc/security/limits.d/smartqc.conf; in a container "
        "--cap-add=SYS_NICE --ulimit rtprio=50"
    )
    refused = f"refused ({os.strerror(errno)})"
    if granted == "short_slices":
        return Finding(
            "note",
            about,
            f"{refused}; short slices granted",
            "When the machine is busy with other programs' real-time threads or many interrupts, "
            "commands to the ejector may come a millisecond late.",
            grant,
        )
    return Finding(
        "hurts",
        about,
        refused,
        "When the machine is busy, commands to the ejector may come some milliseconds late.",
        f"{grant}; or Linux 6.12 or later, which gives short slices to everybody",
    )


def memory_lock() -> Finding:
    """May the line's thread keep its own pages in memory?"""
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    about = "memlock limit"
    if soft == resource.RLIM_INFINITY:
        return Finding("ok", about, "unlimited")
    said = f"{soft / 2**20:.3g} MiB"
    if soft < 2**20:
        return Finding(
            "hurts",
            about,
            said,
            "The line thread's pages may be swapped out; a page fault can cost milliseconds.",
            "'@GROUP - memlock 65536' in /etc/security/limits.d/smartqc.conf; in a container "
            "--ulimit memlock=67108864",
        )
    return Finding("ok", about, said)


def cores() -> Finding:
    """How many cores are really there?"""
    about = "cores"
    count = len(os.sched_getaffinity(0))
    quota = _cpu_quota()
    said = f"{count}" + (f", {quota:g} by quota" if quota is not None else "")
    if count == 1 or (quota is not None and quota < 1.5):
        return Finding(
            "hurts",
            about,
            said,
            "Judging and firing take turns on one core.",
            "Give the process two cores or more.",
        )
    if quota is not None:
        return Finding(
            "hurts",
            about,
            said,
            "A quota that is used up stops every thread until its period ends, up to 100 ms.",
            "Give the container whole cores (--cpuset-cpus) and no quota (--cpus).",
        )
    return Finding("ok", about, said)


def processor() -> Finding:
    """What can its instructions do?"""
    model, flags = platform.machine(), set[str]()
    for line in _text("/proc/cpuinfo").splitlines():
        key, _, value = (word.strip() for word in line.partition(":"))
        if key == "model name":
            model = value
        elif key in ("flags", "Features"):
            flags = set(value.split())
            break
    known = {
        "avx2": "AVX2",
        "avx512bw": "AVX-512",
        "avx512_vnni": "VNNI",
        "avx_vnni": "AVX-VNNI",
        "asimd": "NEON",
    }
    has = [name for flag, name in known.items() if flag in flags]
    if not has:
        return Finding(
            "hurts",
            "processor",
            model,
            "Neither AVX2 nor NEON: models run several times slower.",
            "Use a processor from 2013 or later; in a virtual machine pass the host's through.",
        )
    return Finding("ok", "processor", f"{model} ({', '.join(has)})")


def governor() -> Finding:
    """Does the clock rate follow the load?"""
    about = "frequency governor"
    told = _text("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
    if not told:
        return Finding("ok", about, "not told (a virtual machine, mostly)")
    if told == "performance":
        return Finding("ok", about, told)
    return Finding(
        "note",
        about,
        told,
        "After a pause the first parts are judged at a lower clock rate.",
        "cpupower frequency-set --governor performance",
    )


def clock() -> Finding:
    """Is reading the time cheap?"""
    source = _text("/sys/devices/system/clocksource/clocksource0/current_clocksource")
    if source in ("hpet", "acpi_pm", "jiffies"):
        return Finding(
            "hurts",
            "clock",
            source,
            "Each look at the clock costs about a microsecond and is coarse.",
            "See the kernel's log for why it gave up the TSC; `clocksource=tsc` boots with it.",
        )
    return Finding("ok", "clock", source or "not told")


def network_buffer() -> Finding:
    """Would a GigE Vision camera's bursts fit?"""
    about = "network buffer"
    told = _text("/proc/sys/net/core/rmem_max")
    if not told.isdigit():
        return Finding("ok", about, "not told")
    said = f"{int(told) / 2**20:.3g} MiB"
    if int(told) < 8 * 2**20:
        return Finding(
            "note",
            about,
            said,
            "With a GigE Vision camera: packets are lost in bursts, frames come incomplete.",
            "sysctl -w net.core.rmem_max=33554432",
        )
    return Finding("ok", about, said)


def usb_memory() -> Finding:
    """Would a USB3 Vision camera's buffers fit?"""
    about = "USB memory"
    told = _text("/sys/module/usbcore/parameters/usbfs_memory_mb")
    if not told.isdigit():
        return Finding("ok", about, "no USB here")
    if 0 < int(told) < 256:
        return Finding(
            "note",
            about,
            f"{told} MiB",
            "With a USB3 Vision camera: buffers cannot be queued, or frames come incomplete.",
            "echo 1000 > /sys/module/usbcore/parameters/usbfs_memory_mb",
        )
    return Finding("ok", about, f"{told} MiB")


def kernel() -> Finding:
    """Which kernel is it?"""
    realtime = ", PREEMPT_RT" if _text("/sys/kernel/realtime") == "1" else ""
    return Finding("ok", "kernel", f"{platform.system()} {platform.release()}{realtime}")


QUESTIONS: tuple[Callable[[], Finding], ...] = (
    runtime,
    numpy,
    simulated_camera,
    producers,
    fifo,
    memory_lock,
    cores,
    processor,
    governor,
    clock,
    network_buffer,
    usb_memory,
    kernel,
    actuators,
)


def _cpu_quota() -> float | None:
    """Cores' worth of time that cgroup v2, or v1, grants; None without a quota."""
    quota, _, period = _text("/sys/fs/cgroup/cpu.max").partition(" ")
    if not period:
        quota = _text("/sys/fs/cgroup/cpu/cpu.cfs_quota_us")
        period = _text("/sys/fs/cgroup/cpu/cpu.cfs_period_us")
    if not (quota.isdigit() and period.isdigit() and int(period)):
        return None
    return int(quota) / int(period)


def _numbers(version: str) -> tuple[int, ...]:
    """Leading numbers of a version: ``1.22.0rc1`` is (1, 22)."""
    numbers = []
    for word in version.split("."):
        if not word.isdigit():
            break
        numbers.append(int(word))
    return tuple(numbers)


def _text(path: str) -> str:
    """A small file's text; empty when it cannot be read."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
