"""The table of goals, each beside its bound, filled in from one run.

What falls short says where its time went in this very run; what profiling showed once, which a run
like this cannot see, stands in `reasons.toml`.
"""

import tomllib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from open_loop import rate_said

Run = dict[str, Any]


@dataclass(frozen=True)
class Row:
    """One goal and what became of it."""

    what: str
    found: str
    """The figure, its limit in brackets."""
    goal: str
    baseline: str
    """What stands beside it in the same run."""
    reached: bool | None
    """None where the run did not measure it."""
    why: str = ""
    """Where it falls short: the reason."""


def reasons() -> dict[str, str]:
    """What profiling showed, by the goal's key."""
    path = Path(__file__).resolve().parent / "reasons.toml"
    return tomllib.loads(path.read_text(encoding="utf-8"))


def share(of: dict[str, Any]) -> str:
    """A share with its lower limit."""
    lower = "?" if of["lower"] is None else f"{of['lower']:.1%}"
    return f"{of['median']:.1%} (> {lower})"


def times(of: dict[str, Any]) -> str:
    """A factor with its lower limit."""
    lower = "?" if of["lower"] is None else f"{of['lower']:.1f}"
    return f"{of['median']:.1f} x (> {lower})"


def at_most(of: dict[str, Any], unit: str) -> str:
    """A cost with its upper limit."""
    upper = "?" if of["upper"] is None else f"{of['upper']:.1f}"
    return f"{of['median']:.1f} {unit} (< {upper})"


def spent(arm: Run) -> str:
    """Where two cores' time goes, in words: the largest shares beside prepare and run."""
    where = arm["where"]
    total = sum(where.values())
    beside = {name: us for name, us in where.items() if name not in ("prepare", "run")}
    largest = sorted(beside.items(), key=lambda item: -item[1])[:3]
    alone, inside = arm["bound"], where
    said = ", ".join(f"{name} {us:.0f} us ({us / total:.0%})" for name, us in largest)
    return (
        f"Of two cores' time a frame takes prepare {inside['prepare']:.0f} us (alone "
        f"{alone['prepare_us']:.0f}), run {inside['run']:.0f} us (alone {alone['run_us']:.0f}); "
        f"beside them {said}."
    )


def threads(arm: Run) -> str:
    """Whose CPU time it is, beside the workers' and the simulated camera's."""
    beside = {
        name: us
        for name, us in arm["threads_us"].items()
        if not name.startswith(("smartqc-work", "simcam"))
    }
    largest = sorted(beside.items(), key=lambda item: -item[1])[:4]
    said = ", ".join(f"{name} {us:.0f} us" for name, us in largest)
    return f"By thread, a frame: {said} (python reads the results)."


def misses(run: Run) -> str:
    """What became of the parts at rates that did not hold, and what a part cost below them."""
    found = run["open_loop"]["contenders"]["line"]
    failed = [trial for trial in found["trials"] if not trial["held"]]
    why: dict[str, int] = {"late": sum(trial["late"] for trial in failed)}
    for trial in failed:
        for reason, count in trial["unjudged"].items():
            name = reason.removeprefix("unjudged(").removesuffix(")").replace("_", " ")
            why[name] = why.get(name, 0) + count
    counts = ", ".join(f"{count} {name}" for name, count in why.items() if count)
    held = [trial for trial in found["trials"] if trial["held"]]
    said = [f"In {len(failed)} trials, ended at their first miss: {counts or 'none'}"]
    if held:
        most = max(held, key=lambda one: one["hz"])
        said.append(
            f"in the one that held {most['hz']:.0f}/s the line had {most['cores']:.2f} cores"
        )
    said.append(f"a part costs {found['long']['cpu_us']:.0f} us of CPU at {found['at_hz']:.0f}/s")
    base = run["star"].get("base")
    if base:
        said[-1] += f", and {base['contenders']['line']['cpu_us']:.0f} in the saturated base case"
    return "; ".join(said) + "."


COMMANDS = 1000
"""The fewest that have a p99.9."""


def table(run: Run) -> list[dict[str, Any]]:
    """Every row; what the run lacks is a row without a figure."""
    why = reasons()
    rows: list[Row] = []

    def add(
        key: str,
        what: str,
        goal: str,
        baseline: str,
        of: Callable[[], tuple[str, bool | None, str]],
    ) -> None:
        try:
            found, reached, spent_so = of()
        except (KeyError, TypeError, IndexError, ValueError, ZeroDivisionError):
            rows.append(Row(what, "not measured in this run", goal, baseline, None))
            return
        fell_short = reached is False
        reason = (
            ""
            if not fell_short
            else " ".join(text for text in (spent_so, why.get(key, "")) if text)
        )
        rows.append(Row(what, found, goal, baseline, reached, reason))

    def arm(name: str) -> Run:
        found: Run = run["star"][name]
        return found

    def efficient(key: str, name: str, what: str, goal: float, least: float | None = None) -> None:
        def of() -> tuple[str, bool, str]:
            found = arm(name)["efficiency"]
            limit = least is None or (found["lower"] is not None and found["lower"] >= least)
            return share(found), found["median"] >= goal and limit, spent(arm(name))

        said = f">= {goal:.0%}" + (f", limit >= {least:.0%}" if least else "")
        add(key, what, said, "of the bound workers / (prepare + run)", of)

    def faster(key: str, name: str, what: str, rival: str, goal: float) -> None:
        def of() -> tuple[str, bool, str]:
            found = arm(name)["ratios"][rival]["fps"]
            return times(found), found["median"] >= goal, spent(arm(name))

        add(key, what, f">= {goal:g} x", rival, of)

    efficient("tiny", "base", "whole line, tiny model, 224 area, 5 MP", 0.85)
    efficient("tiny_one", "one worker", "the same, one worker", 0.85)
    faster("tiny_naive", "base", "whole line, tiny model, 224 area", "naive", 15)
    faster("tiny_tuned", "base", "whole line, tiny model, 224 area", "tuned", 5)
    faster("linear_naive", "linear", "whole line, tiny model, 224 linear", "naive", 5)
    efficient("resnet", "ResNet18-like", "whole line, ResNet18-like FP32", 0.97, 0.95)
    efficient("yolo", "YOLO11n-like, 640 letterbox", "whole line, YOLO11n-like 640", 0.97, 0.95)
    faster(
        "int8",
        "ResNet18-like, line as INT8",
        "ResNet18-like INT8 (`optimize`), the same verdicts",
        "naive",
        3,
    )

    def overhead(key: str, name: str, which: str, what: str, goal: float) -> None:
        def of() -> tuple[str, bool, str]:
            found = run["overhead"][name][which]
            return at_most(found, "us"), found["median"] <= goal, threads(arm(name))

        add(key, what, f"<= {goal:g} us", "the CPU of prepare and run, in the same block", of)

    worker = "worker's CPU outside prepare and run, a frame"
    process = "whole process outside prepare and run, saturated"
    overhead("worker_cpu", "base", "worker", worker, 5)
    overhead("worker_cpu_one", "one worker", "worker", "the same, one worker", 5)
    overhead("process_cpu", "base", "process", process, 50)
    overhead("process_cpu_one", "one worker", "process", "the same, one worker", 50)

    def left() -> tuple[str, bool, str]:
        found = run["share_left"]
        other = found["harvesters"]["median"]
        said = f"{share(found['smartqc'])}; harvesters {other:.0%}"
        return said, found["smartqc"]["median"] >= 0.98, ""

    add(
        "share_left",
        "another Python thread beside 200 frames/s of 5 MP",
        ">= 98 %",
        "an equal load without Python",
        left,
    )

    def parts() -> tuple[str, bool | None, str]:
        found = run["open_loop"]
        ours, bound, tuned = (found["contenders"][name] for name in ("line", "bound", "tuned"))
        rates = [rate_said(one) for one in (ours, bound, tuned)]
        of_bound = found.get("of_bound_on_schedule")
        if of_bound is None:
            return f"{rates[0]}; bound {rates[1]}; tuned {rates[2]}: too few trials", None, ""
        share_of = share(of_bound)
        said = f"{rates[0]}, {share_of} of {rates[1]}; tuned {rates[2]}"
        without = ours["greatest_hz"] / found["bound_hz"]
        said = f"{said} ({ours['parts']} parts); {without:.0%} of the bound without a schedule"
        return said, of_bound["median"] >= 0.9, misses(run)

    add(
        "parts",
        "greatest part rate without a miss",
        ">= 90 % of the bound",
        "the bound on the same schedule, in turns; tuned",
        parts,
    )

    def commands() -> tuple[str, bool, str]:
        found = run["realtime"]["lateness_s"]
        names = [name for name in found if "ordinary" in name] or ["line"]
        ordinary = found[names[0]]
        loops = ", ".join(
            f"{name} {1e3 * found[name]['p999']:.1f}" for name in ("time.sleep", "asyncio")
        )
        if min(one["commands"] for one in found.values()) < COMMANDS:
            raise ValueError("a p99.9 needs more")
        said = (
            f"p99.9 {1e3 * ordinary['p999']:.2f} ms of {ordinary['commands']}, "
            f"{ordinary['outside']} refused; {loops} ms"
        )
        granted = 1e3 * found["line"]["p999"]
        more = f"With SCHED_FIFO p99.9 is {granted:.2f} ms in the same run."
        # What was refused was later than its window.
        few = ordinary["outside"] <= 0.001 * ordinary["commands"]
        return said, ordinary["p999"] <= 1e-3 and few, more

    add(
        "commands",
        "intended to actual command, all cores busy, without privileges",
        "p99.9 <= 1 ms",
        "time.sleep, asyncio",
        commands,
    )

    def imported() -> tuple[str, bool, str]:
        found = run["costs"]["import_ms"]
        return at_most(found, "ms"), found["median"] <= 60, ""

    add("import", "`import smartqc` beyond numpy", "<= 60 ms", "numpy is there already", imported)

    def allocations() -> tuple[str, bool, str]:
        found = run["costs"]["counted"]["line"]
        threads = found["smartqc_allocations_by_thread"]
        own = sum(threads.get(f"smartqc-{name}", 0.0) for name in ("camera", "worker", "line"))
        naive = sum(
            count
            for who, count in run["costs"]["counted"]["naive"]["allocations"].items()
            if who != "camera"
        )
        said = f"{own:.3f} on those threads; naive {naive:.0f} in all"
        return said, own < 0.01, ""

    what = "smartqc's allocations a frame, on camera, worker and line threads"
    add("allocations", what, "0", "naive", allocations)

    def copies() -> tuple[str, bool, str]:
        found = run["costs"]["counted"]["line"]["copied_bytes"]
        ours = sum(count for who, count in found.items() if who != "camera")
        return f"{ours:.0f} bytes", ours < 4096, ""

    add("copies", "bytes copied, a frame, beside the one pass", "0", "5 MB a frame", copies)
    for row in run.get("prepare", []):
        add_prepare(rows, row, why)
    return [asdict(row) for row in rows]


PREPARE_GOALS = {
    # Ratio to the bound of the same run, on one core.
    "BayerRG8 linear 224": 1.5,
    "BayerRG8 area 224": 2.2,
    "BayerRG8 area 640": 4.0,
    "BayerRG8 letterbox linear 640": 3.0,
    "RGB8 antialias 224": None,
    "Mono8 area 224": 1.7,
    "Mono12p area 224": 1.7,
    "Mono8 same size 640": 1.2,
}
ANTIALIAS_US = 1200


def add_prepare(rows: list[Row], row: dict[str, Any], why: dict[str, str]) -> None:
    """A goal of prepare, from the rows that `bench/prepare.py` printed for one core."""
    case = row["case"]
    if case not in PREPARE_GOALS or row["cores"] != 1 or "smartqc" not in row["times"]:
        return
    goal = PREPARE_GOALS[case]
    mine = row["times"]["smartqc"]
    others = ", ".join(
        f"{gain:.1f} x {name}"
        for name, gain in row["gains"].items()
        if name != "smartqc" and not name.startswith("read")
    )
    key = "prepare " + case
    if goal is None:
        peer = row["gains"].get("fast_image_resize", 0.0)
        reached = mine <= ANTIALIAS_US and peer > 1
        said, wanted = f"{mine:.0f} us", f"<= {ANTIALIAS_US} us, faster than fast_image_resize"
    else:
        reached = row["to_bound"] <= goal
        said, wanted = (
            f"{row['to_bound']:.2f} x the bound ({mine:.0f} us)",
            f"<= {goal:g} x the bound",
        )
    reason = "" if reached else why.get(key, "")
    rows.append(Row(f"prepare, {case}", said, wanted, others, reached, reason))


def prepare_rows(printed: str) -> list[dict[str, Any]]:
    """The rows of the table that `bench/prepare.py` prints, by case and number of cores."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for line in printed.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) < 6 or not cells[1].isdigit():
            continue
        case, cores, name = cells[0], int(cells[1]), cells[2]
        row = found.setdefault(
            (case, cores), {"case": case, "cores": cores, "times": {}, "gains": {}}
        )
        row["times"][name] = float(cells[3].split()[0])
        row["gains"][name] = float(cells[5].split()[0])
        if name == "smartqc":
            row["to_bound"] = float(cells[4].split()[0])
    return list(found.values())
