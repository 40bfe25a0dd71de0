"""A run of the suite for people: tables as Markdown, and a page of its own with plots.

The page refers to nothing outside itself; its plots are drawings of plain shapes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

import advocate
from goals import COMMANDS, share, times
from open_loop import rate_said

Said = dict[str, Any]
Table = list[list[str]]
"""Rows of cells, the first one the header."""


def markdown(said: Said) -> str:
    """All tables, and what is to be known of the run."""
    lines = [
        f"# The benchmark suite, {said['date'][:10]}",
        "",
        f"{provenance(said)} `{said['command']}`",
        "",
        f"{conditions(said)} Written from the JSON file beside it; `bench/README.md` says what "
        "each figure means.",
        "",
    ]
    for title, note, table in tables(said):
        if len(table) > 1:
            lines += [f"## {title}", "", *([note, ""] if note else []), *rows(table), ""]
    if said["failures"]:
        lines += ["## What failed", "", *(f"- {n}: {w}" for n, w in said["failures"].items()), ""]
    listed = ", ".join(f"{name} {value}" for name, value in said["versions"].items())
    lines += [f"Versions: {listed}", ""]
    return "\n".join(lines)


def rows(table: Table) -> list[str]:
    """As Markdown has them, numbers to the right."""
    header, *others = table
    right = ["---"] + ["---:"] * (len(header) - 1)
    clean = [[cell.replace("|", "/") for cell in row] for row in (header, *others)]
    text = ["| " + " | ".join(row) + " |" for row in clean]
    return [text[0], "|" + "|".join(right) + "|", *text[1:]]


def provenance(said: Said) -> str:
    machine = said["machine"]
    changed = said["changed_since"]
    changes = f" with changes in {listed(changed)}" if changed else ""
    return (
        f"{said['date']}, commit {said['commit']}{changes}, "
        f"{machine['cpu']}, {machine['cores']} cores, {machine['last_level_cache']} of last level "
        f"cache, {machine['system']}; {said['minutes']:.0f} minutes; load average "
        f"{machine['load_average_1_5_15_min'][0]:.1f} before, "
        f"{said['load_average_at_the_end'][0]:.1f} after."
    )


def listed(names: Sequence[str]) -> str:
    """The first of them."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def conditions(said: Said) -> str:
    """Whether the machine was free, and what limits mean."""
    contenders = [one for arm in said["star"].values() for one in arm["contenders"].values()]
    disturbed = sum(one["disturbed"] for one in contenders)
    blocks = sum(
        sum(name in arm["contenders"] for name in of)
        for arm in said["star"].values()
        for of in arm["rounds"]
    )
    calm = "Nothing else ran. "
    if disturbed:
        calm = f"**Other processes disturbed {disturbed} of {blocks} blocks.** "
    asked = said.get("rounds_asked")
    notes = []
    for name, arm in said["star"].items():
        pairs, of_bound = arm["pairs"], arm["efficiency"]["pairs"]
        if asked and pairs != asked:
            notes.append(f"{name} had time for {pairs} rounds")
        if of_bound > pairs:
            notes.append(f"{name} has {of_bound} pairs of line and bound")
    statistic = f"{said['statistic'][0].upper()}{said['statistic'][1:]}"
    return f"{calm if blocks else ''}{'; '.join([statistic, *notes])}."


def tables(said: Said) -> list[tuple[str, str, Table]]:
    """Title, note and rows of each."""
    return [
        ("Goals, each beside its bound in this run", "", goals_table(said)),
        (
            "The star: one base case, one thing varied",
            "The base case is 5 MP BayerRG8, area to 224 x 224, a tiny model, one camera, two "
            "workers. `of bound` is the line's rate over workers / (t_prepare + t_run).",
            star_table(said),
        ),
        (
            "Bounds alone, and where the line's time goes",
            "us of a core for each frame, medians; two cores in all. What is left is idle; as the "
            "kernel counts others' time in ticks of 10 ms, it may come out a little below zero.",
            where_table(said),
        ),
        (
            "What was tried for the tuned pipeline",
            "In the base case; `tuned` is what the star's contender does.",
            advocate.table(said.get("advocate", [])),
        ),
        ("Open loop", open_note(said), open_table(said)),
        ("Ejecting", eject_note(said), eject_table(said)),
        (
            "Costs",
            "Counted, not timed; allocations and copies without the simulated camera's.",
            costs_table(said),
        ),
        ("A camera of 200 frames/s beside a Python thread", THREADS_NOTE, threads_table(said)),
        (
            "Commands in time, all cores busy",
            "ms from the intended instant to the command; `outside` are those that the line "
            "refused to fire because their window was over; of the loops, those later than it.",
            commands_table(said),
        ),
        ("`smartqc.prepare` by pytest-benchmark", "", kernels_table(said)),
    ]


def goals_table(said: Said) -> Table:
    table = [["what", "found", "goal", "beside", "reached", "where it falls short: why"]]
    for row in said["goals"]:
        reached = {True: "yes", False: "**no**", None: "-"}[row["reached"]]
        table.append([row["what"], row["found"], row["goal"], row["baseline"], reached, row["why"]])
    return table


def star_table(said: Said) -> Table:
    table = [["arm", "frames/s", "of bound", "bound/s", "x naive", "x tuned", "naive/s", "tuned/s"]]
    table[0] += ["CPU us/frame", "naive's", "tuned's", "camera's", "wrong", "others' cores"]
    for name, arm in said["star"].items():
        of, ratios = arm["contenders"], arm["ratios"]
        line = of["line"]
        checked = sum(one["frames"] - one["unchecked"] for one in of.values())
        table.append(
            [
                name,
                f"{line['fps']['median']:.0f}",
                share(arm["efficiency"]),
                f"{arm['bound']['fps']:.0f}",
                times(ratios["naive"]["fps"]),
                times(ratios["tuned"]["fps"]),
                f"{of['naive']['fps']['median']:.0f}",
                f"{of['tuned']['fps']['median']:.0f}",
                *(f"{of[who]['cpu_us']:.0f}" for who in ("line", "naive", "tuned")),
                f"{line['producer_us']:.0f}",
                f"{sum(one['wrong'] for one in of.values())} of {checked}",
                f"{line['others_cores']:.2f}",
            ]
        )
        for extra in [rival for rival in ratios if rival not in ("naive", "tuned")]:
            beside = ["", "", "", "", times(ratios[extra]["fps"]), ""]
            fps = of[extra]["fps"]["median"]
            table.append([f"{name}: {extra}", *beside, f"{fps:.0f}", *[""] * 6])
    return table


WHERE = (
    "prepare",
    "run",
    "worker beside",
    "camera thread",
    "line thread, reader",
    "simulated camera",
    "other processes",
    "idle",
)


def where_table(said: Said) -> Table:
    table = [["arm", "run alone", "prepare alone", "memory read alone", *WHERE]]
    for name, arm in said["star"].items():
        bound = [f"{arm['bound'][f'{step}_us']:.0f}" for step in ("run", "prepare", "read")]
        table.append([name, *bound, *(f"{arm['where'][part]:.0f}" for part in WHERE)])
    return table


def milliseconds(seconds: float | None) -> str:
    return "-" if seconds is None else f"{1e3 * seconds:.2f}"


PERCENTILES = ("p50", "p99", "p99.9", "p99.99", "p100")


def open_note(said: Said) -> str:
    if "open_loop" not in said:
        return ""
    found = said["open_loop"]
    return (
        f"Parts on schedule, each with {1e3 * found['deadline_s']:.0f} ms from its exposure to its "
        f"verdict, and {found['buffers']} buffers for the camera. `held` is the rate at which one "
        "of two trials has no miss; beside it the greatest rate of which one had none, and the "
        "least of which one had a miss. `bound` is prepare and run on the same schedule, in turns "
        "with the line, with nothing between; where it never waits it makes "
        f"{found['bound_hz']:.0f}/s. Times in ms from trigger to verdict at 90 % of the rate that "
        "is held; a percentile is left open where the parts are too few."
    )


def open_table(said: Said) -> Table:
    table = [["", "held, parts/s", "without a miss up to", "with one from", "trials", "of parts"]]
    table[0] += ["then at", "parts", "missed", *PERCENTILES[:-1], "max", "CPU us/part"]
    table[0] += ["memory grows, KiB/s"]
    found = said.get("open_loop", {"contenders": {}})
    for name, one in found["contenders"].items():
        long = one["long"]
        rates = (one["held_hz"], one["fails_hz"])
        table.append(
            [
                name,
                rate_said(one).removesuffix("/s"),
                *("-" if hz is None else f"{hz:.0f}" for hz in rates),
                str(len(one["trials"])),
                str(one["parts"]),
                f"{one['at_hz']:.0f}/s",
                str(long["parts"]),
                str(long["missed"]),
                *(milliseconds(long["trigger_to_verdict_s"][p]) for p in PERCENTILES),
                f"{long['cpu_us']:.0f}",
                f"{long['memory_bytes_per_s'] / 1024:.1f}",
            ]
        )
    return table


def late_cells(late: dict[str, Any], count: int) -> list[str]:
    """p50, p99, p99.9 and the greatest in ms; a percentile needs values beyond it."""
    p999 = f"{1e3 * late['p999']:.3f}" if count >= COMMANDS else "-"
    return [*(f"{1e3 * late[key]:.3f}" for key in ("p50", "p99")), p999, f"{1e3 * late['max']:.3f}"]


def eject_note(said: Said) -> str:
    if "open_loop" not in said:
        return ""
    eject = said["open_loop"]["eject"]
    return (
        f"{eject['hz']:.0f} bad parts a second, each to be commanded "
        f"{1e3 * eject['after_s']:.0f} ms after its exposure. The line's are on a simulated belt "
        "with encoder and photo-eye, earlier by the ejector's dead time and blow, and refused "
        "where the window is over; the pipeline has a thread that sleeps and fires however late "
        "it is."
    )


def eject_table(said: Said) -> Table:
    table = [["", "parts", "not commanded"]]
    table[0] += [f"trigger to actuator, ms: {p}" for p in ("p50", "p99", "p99.9", "p100")]
    table[0] += ["intended to actual, ms: p50", "p99", "p99.9", "max", "trigger to verdict p99"]
    for name, one in said.get("open_loop", {"contenders": {}})["contenders"].items():
        if "eject" not in one:
            continue
        eject = one["eject"]
        late = eject["lateness_s"]
        table.append(
            [
                name,
                str(eject["parts"]),
                str(eject["not_commanded"]),
                *(
                    milliseconds(eject["trigger_to_actuator_s"][p])
                    for p in ("p50", "p99", "p99.9", "p100")
                ),
                *late_cells(late, eject["parts"]),
                milliseconds(eject["trigger_to_verdict_s"]["p99"]),
            ]
        )
    return table


def costs_table(said: Said) -> Table:
    if "costs" not in said:
        return [[]]
    found = said["costs"]
    table = [["", "line", "naive", "tuned"]]
    names = ("line", "naive", "tuned")

    def row(what: str, cells: Sequence[str]) -> None:
        table.append([what, *cells])

    counted = found["counted"]
    for who, title in (
        ("smartqc", "allocations a frame by smartqc"),
        ("model", "by the model's run"),
        ("others", "by Python and its libraries"),
    ):
        row(title, [f"{counted[name]['allocations'].get(who, 0.0):.1f}" for name in names])
    threads = counted["line"]["smartqc_allocations_by_thread"]
    shown = ", ".join(f"{name} {count:.3f}" for name, count in sorted(threads.items()))
    row("of smartqc's, by thread", [shown or "none", "-", "-"])
    copied = [
        sum(v for who, v in counted[name]["copied_bytes"].items() if who != "camera")
        for name in names
    ]
    row("bytes copied a frame, by calls", [f"{value:,.0f}" for value in copied])
    base = said["star"].get("base")
    if base:
        of = base["contenders"]
        row("CPU us a frame, base case", [f"{of[name]['cpu_us']:.0f}" for name in names])
        row("peak memory, MB, base case", [f"{of[n]['peak_bytes'] / 1e6:.0f}" for n in names])
    start = found["start_up_s"]
    row("start to first verdict, s", [f"{start[name]['median']:.2f}" for name in names])
    imported = found["import_ms"]
    upper = "?" if imported["upper"] is None else f"{imported['upper']:.1f}"
    row("import beyond numpy, ms", [f"{imported['median']:.1f} (< {upper})", "-", "-"])
    wheel = found["wheel"]
    size = f"{wheel['packed_bytes'] / 1e6:.1f} ({wheel['unpacked_bytes'] / 1e6:.1f} unpacked)"
    row("package as a wheel, MB", [size, "-", "-"])
    return table


def threads_table(said: Said) -> Table:
    table = [["", "another thread keeps, of beside an equal load", "of idle", "load, cores"]]
    table[0] += ["the equal load", "waits a frame", "frames/s then", "CPU us/frame"]
    table[0] += ["to Python p99, us"]
    for name, one in said.get("cameras", {"figures": {}})["figures"].items():
        row = [name, share(one["of_beside"]), share(one["of_idle"])]
        row += [f"{one['load_cores'][kind]['median']:.3f}" for kind in ("with", "beside")]
        row.append(f"{one['waits_per_frame']['median']:.2f}")
        row.append(f"{one['frames_per_s_beside_counting']['median']:.0f}")
        row.append(f"{one['cpu_us_per_frame']['median']:.0f}")
        table.append([*row, f"{one['to_python_us']['99']:.0f}"])
    return table


THREADS_NOTE = (
    "A thread that counts in Python, and another one of the same process that takes 5 MP frames at "
    "200/s; `beside` is the same counting thread while a process without Python takes them and "
    "spends the same CPU time. `waits` are how often the counting thread had to wait for the GIL; "
    "one a frame is the least for a frame that Python is to see."
)


def commands_table(said: Said) -> Table:
    table = [["", "commands", "p50", "p99", "p99.9", "max", "outside"]]
    for name, one in said.get("realtime", {"lateness_s": {}})["lateness_s"].items():
        late = late_cells(one, one["commands"])
        table.append([name, str(one["commands"]), *late, str(one["outside"])])
    return table


def kernels_table(said: Said) -> Table:
    table = [["", "ours, us", "library's, us", "x"]]
    groups: dict[str, dict[str, float]] = {}
    for one in said.get("kernels", []):
        side = "ours" if "ours" in one["name"] else "theirs"
        groups.setdefault(one["group"], {})[side] = one["median_us"]
    for group, both in groups.items():
        if len(both) == 2:
            gain = both["theirs"] / both["ours"]
            table.append([group, f"{both['ours']:.0f}", f"{both['theirs']:.0f}", f"{gain:.1f}"])
    return table


# The page.


@dataclass(frozen=True)
class Mark:
    """A value on an axis from 0 to 100, its limit, and words."""

    name: str
    at: float
    low: float | None
    text: str
    kind: str = "pass"


@dataclass(frozen=True)
class Piece:
    """A part of a stacked bar: left edge and width of 100."""

    name: str
    x: float
    width: float
    text: str


def efficiency_marks(said: Said) -> list[Mark]:
    """Each arm's efficiency, of 100."""
    marks = []
    for name, arm in said["star"].items():
        of = arm["efficiency"]
        low = None if of["lower"] is None else 100 * min(1, max(0, of["lower"]))
        at = 100 * min(1.0, max(0.0, of["median"]))
        marks.append(Mark(name, at, low, share(of)))
    return marks


GREATEST_FACTOR = 100.0


def factor_marks(said: Said) -> list[tuple[str, list[Mark]]]:
    """Each arm's factor against both loops, on a logarithmic axis from 1/2 to 100."""

    def place(value: float) -> float:
        span = math.log(2 * GREATEST_FACTOR)
        return 100 * min(1.0, max(0.0, math.log(max(value, 0.5) * 2) / span))

    found = []
    for name, arm in said["star"].items():
        marks = []
        for rival, kind in (("naive", "pass"), ("tuned", "reject")):
            of = arm["ratios"][rival]["fps"]
            low = None if of["lower"] is None else place(of["lower"])
            marks.append(Mark(rival, place(of["median"]), low, times(of), kind))
        found.append((name, marks))
    return found


def factor_ticks() -> list[tuple[float, str]]:
    span = math.log(2 * GREATEST_FACTOR)
    return [(100 * math.log(2 * v) / span, f"{v:g} x") for v in (0.5, 1, 2, 5, 10, 20, 50, 100)]


def stacks(said: Said) -> list[tuple[str, list[Piece]]]:
    """Where the time of two cores goes, as shares."""
    found = []
    for name, arm in said["star"].items():
        where = {part: max(0.0, arm["where"][part]) for part in WHERE}
        total, x, pieces = sum(where.values()) or 1.0, 0.0, []
        for part, us in where.items():
            width = 100 * us / total
            pieces.append(Piece(part, x, width, f"{part}: {us:.0f} us, {us / total:.0%}"))
            x += width
        found.append((name, pieces))
    return found


@dataclass(frozen=True)
class Curve:
    """Latencies of one contender: points of 100 by 100, and words for each."""

    name: str
    kind: str
    points: list[tuple[float, float, str]]

    @property
    def path(self) -> str:
        return " ".join(f"{x:.2f},{y:.2f}" for x, y, _ in self.points)


LEAST_S, GREATEST_S = 1e-4, 1.0


def curves(said: Said) -> list[Curve]:
    """Trigger to verdict by percentile, both axes logarithmic."""
    found = []
    steps = len(PERCENTILES) - 1
    for name, one in said.get("open_loop", {"contenders": {}})["contenders"].items():
        points = []
        for number, percent in enumerate(PERCENTILES):
            seconds = one["long"]["trigger_to_verdict_s"][percent]
            if seconds is not None:
                inside = min(GREATEST_S, max(LEAST_S, seconds))
                y = 100 - 100 * math.log(inside / LEAST_S) / math.log(GREATEST_S / LEAST_S)
                points.append((100 * number / steps, y, milliseconds(seconds)))
        kind = {"line": "reject", "bound": "unjudged"}.get(name, "pass")
        found.append(Curve(name, kind, points))
    return found


def html(said: Said) -> str:
    """The page as one string."""
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(
            [
                jinja2.FileSystemLoader(Path(__file__).resolve().parent / "templates"),
                jinja2.PackageLoader("smartqc.report"),
            ]
        ),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters["plain"] = lambda text: text.replace("`", "")
    base = said["star"].get("base")
    return environment.get_template("bench.html").render(
        said=said,
        base=base,
        share=share,
        times=times,
        provenance=provenance(said),
        conditions=conditions(said).replace("**", ""),
        tables=[table for table in tables(said)[1:] if len(table[2]) > 1],
        reached=sum(row["reached"] is True for row in said["goals"]),
        measured=sum(row["reached"] is not None for row in said["goals"]),
        efficiency=efficiency_marks(said),
        factors=factor_marks(said),
        factor_ticks=factor_ticks(),
        stacks=stacks(said),
        parts=WHERE,
        curves=curves(said),
        percentiles=[*PERCENTILES[:-1], "max"],
        latency_ticks=[
            (100 - 25 * number, f"{1e3 * LEAST_S * 10**number:g} ms") for number in range(5)
        ],
    )
