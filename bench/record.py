"""What a race says: figures, their table, and the record of machine, versions and command."""

import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from rich.table import Table

from race import BENCH, LINES, Block, Contender, Plan, Race
from ratios import CONFIDENCE, lower_rank, ratio

PACKAGES = (
    "smartqc",
    "harvesters",
    "genicam",
    "opencv-python-headless",
    "numpy",
    "onnxruntime",
    "pytest-benchmark",
)


def summary(blocks: Sequence[Block]) -> dict[str, Any]:
    """One contender over all its blocks."""
    frames = sum(block["frames"] for block in blocks)
    unjudged: Counter[str] = Counter()
    for block in blocks:
        unjudged.update(block.get("unjudged", {}))
    found: dict[str, Any] = {
        "fps": {
            "median": median(block["fps"] for block in blocks),
            "min": min(block["fps"] for block in blocks),
            "max": max(block["fps"] for block in blocks),
        },
        "frames": frames,
        "consumer_cpu_us_per_frame": median(_cpu_us(block, "consumer") for block in blocks),
        "producer_cpu_us_per_frame": median(_cpu_us(block, "producer") for block in blocks),
        "others_cores": {
            "median": median(block["others_cores"] for block in blocks),
            "max": max(block["others_cores"] for block in blocks),
        },
        "disturbed_blocks": sum(block["disturbed"] for block in blocks),
    }
    if "wrong" in blocks[0]:
        wrong = sum(block["wrong"] for block in blocks)
        found |= {
            "wrong_verdicts": wrong,
            "wrong_share": wrong / frames if frames else None,
            "unchecked_verdicts": sum(block["unchecked"] for block in blocks),
            # No frame left over: then the camera set the pace, and not the contender.
            "starved_blocks": sum(block["skipped"] == 0 for block in blocks),
            "photographs_seen_in_every_block": min(block["photographs"] for block in blocks),
            "camera_frames_not_taken": sum(block["skipped"] for block in blocks),
            "unjudged": dict(unjudged),
        }
    if "inside" in blocks[0]:
        inside = [block["inside"] for block in blocks]
        found["inside"] = {
            "prepare_us": median(one["prepare_us"] for one in inside),
            "run_us": median(one["run_us"] for one in inside),
            "results_dropped": sum(one["results_dropped"] for one in inside),
            "reconciles": all(one["reconciles"] for one in inside),
        }
    return found


def _cpu_us(block: Block, whose: str) -> float:
    return 1e6 * block[f"{whose}_cpu_s"] / max(block["frames"], 1)


def efficiency(line: Contender, rounds: Sequence[dict[str, Block]]) -> dict[str, Any]:
    """The line's rate as a share of workers / (t_prepare + t_run), round by round.

    Both times are those of as many processes at once. For prepare the line's own account is taken
    where it is shorter, for the line makes its plan only once: the bound is the stricter of both.
    """
    workers = int(line.arguments[0])
    shares = []
    for blocks in rounds:
        run_s = workers / blocks[f"session x{workers}"]["fps"]
        prepare_s = min(
            workers / blocks[f"prepare x{workers}"]["fps"],
            blocks[line.name]["inside"]["prepare_us"] / 1e6,
        )
        shares.append(blocks[line.name]["fps"] * (prepare_s + run_s) / workers)
    return {"median": median(shares), "min": min(shares), "max": max(shares)}


def results(race: Race, contenders: Sequence[Contender]) -> dict[str, Any]:
    """All figures of a race."""
    rounds = race.rounds
    of = {one.name: [blocks[one.name] for blocks in rounds] for one in contenders}
    lines = [one for one in LINES if one.name in of]
    rivals = [one for one in contenders if one.name in ("naive", "tuned x2")]
    ratios = {}
    for line in lines:
        for rival in rivals:
            ours, theirs = of[line.name], of[rival.name]
            ratios[f"{line.name} / {rival.name}"] = {
                "fps": asdict(ratio([b["fps"] for b in ours], [b["fps"] for b in theirs])),
                # Turned round, so that more is better here as well.
                "frames_per_cpu_second": asdict(
                    ratio(
                        [_cpu_us(b, "consumer") for b in theirs],
                        [_cpu_us(b, "consumer") for b in ours],
                    )
                ),
            }
    return {
        "models": race.models,
        "contenders": {
            one.name: {"what": one.what, **race.facts[one.name], **summary(of[one.name])}
            for one in contenders
        },
        "ratios": ratios,
        "efficiency": {line.name: efficiency(line, rounds) for line in lines},
        "rounds": rounds,
    }


def statement(pairs: int) -> str:
    """How the limits are meant."""
    rank = lower_rank(pairs)
    limit = (
        f"'lower' is its one-sided {CONFIDENCE:.0%} limit: value number {rank} of {pairs} in order"
        if rank
        else f"{pairs} pairs are too few for a limit"
    )
    return f"a ratio is taken within a round; 'median' is that of all rounds, {limit}"


def machine() -> dict[str, Any]:
    """Processor, cores, system."""
    model, cache = platform.processor(), None
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "model name":
            model = value.strip()
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        cache = (index / "size").read_text().strip()
    return {
        "cpu": model,
        "cores": len(os.sched_getaffinity(0)),
        "last_level_cache": cache,
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "load_average_1_5_15_min": os.getloadavg(),
    }


def versions() -> dict[str, str]:
    """Python and the packages that take part."""
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "not installed"
    return found


def commit() -> dict[str, Any]:
    """What was measured, as far as git knows."""

    def git(*words: str) -> str:
        command = ["git", "-C", str(BENCH), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()

    changed = git("status", "--porcelain", "--untracked-files=no")
    return {"commit": git("rev-parse", "--short", "HEAD"), "changed_since": bool(changed)}


def record(found: dict[str, Any], plan: Plan, before: dict[str, Any]) -> dict[str, Any]:
    """The whole record, ready to be written; `before` is the machine at the start."""
    return {
        "schema": 1,
        "what": "whole line against the naive loop, from the same simulated camera",
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python -m pytest", *sys.argv[1:]]),
        **commit(),
        "machine": before,
        "load_average_at_the_end": os.getloadavg(),
        "versions": versions(),
        "plan": asdict(plan),
        "statistic": statement(plan.rounds),
        **found,
    }


def table(found: dict[str, Any]) -> Table:
    """For a terminal."""
    shown = Table(title="whole line against the naive loop")
    (first, *others), *rows = cells(found)
    shown.add_column(first)
    for name in others:
        shown.add_column(name, justify="right")
    for row in rows:
        shown.add_row(*row)
    return shown


def cells(found: dict[str, Any]) -> list[list[str]]:
    """The table, its first row the header."""
    rivals = [name for name in ("naive", "tuned x2") if name in found["contenders"]]
    rows = [
        [
            "",
            "frames/s",
            *(f"x {rival} (lower 95 %)" for rival in rivals),
            "of bound",
            "CPU us/frame",
            "camera's CPU",
            "wrong",
            "others' cores",
        ]
    ]
    for name, one in found["contenders"].items():
        wrong = "-"
        if "wrong_verdicts" in one:
            checked = one["frames"] - one["unchecked_verdicts"]
            wrong = f"{one['wrong_verdicts']} of {checked}" if checked else "not checked"
        share = found["efficiency"].get(name)
        rows.append(
            [
                name,
                f"{one['fps']['median']:.0f}",
                *(_ratio_cell(found["ratios"].get(f"{name} / {rival}")) for rival in rivals),
                f"{share['median']:.0%}" if share else "-",
                f"{one['consumer_cpu_us_per_frame']:.0f}",
                f"{one['producer_cpu_us_per_frame']:.0f}" if "wrong_verdicts" in one else "-",
                wrong,
                f"{one['others_cores']['median']:.2f}",
            ]
        )
    return rows


def _ratio_cell(found: dict[str, Any] | None) -> str:
    if found is None:
        return "-"
    fps = found["fps"]
    lower = "?" if fps["lower"] is None else f"{fps['lower']:.2f}"
    return f"{fps['median']:.2f} ({lower})"


def _calm(said: dict[str, Any]) -> str:
    """Whether the machine was free for the race."""
    of = said["contenders"].values()
    disturbed = sum(one["disturbed_blocks"] for one in of)
    taken = median(one["others_cores"]["median"] for one in of)
    blocks = len(said["rounds"]) * len(of)
    if not disturbed:
        return "Nothing else ran."
    return (
        f"**Other processes took {taken:.1f} cores**, and more than {said['plan']['calm']} in "
        f"{disturbed} of {blocks} blocks: read frames/s and their ratios with their limits, and "
        "trust the CPU time per frame more."
    )


def _work(plan: dict[str, Any]) -> str:
    """What is not as usual about the pictures."""
    size = "x".join(map(str, plan["picture"])) if plan["picture"] else "their own size"
    resize = (
        f"everybody resizes by {plan['resize']}" if plan["resize"] else "resized as the recipe says"
    )
    checked = "" if plan["delivery"] == "copy" else ", so that no verdict can be checked"
    return f"Photographs of {size}, {resize}, delivered by {plan['delivery']}{checked}."


def as_markdown(said: dict[str, Any]) -> str:
    """The record for people; everything in it stands in the JSON file too."""
    header, *rows = cells(said)
    lines = [
        f"# {said['what'].capitalize()}",
        "",
        f"{said['date']}, commit {said['commit']}"
        f"{' with changes' if said['changed_since'] else ''}. `{said['command']}`",
        "",
        f"{said['machine']['cpu']}, {said['machine']['cores']} cores, {said['machine']['system']}; "
        f"load average {said['machine']['load_average_1_5_15_min'][0]:.1f} before, "
        f"{said['load_average_at_the_end'][0]:.1f} after. {_calm(said)}",
        "",
        f"The model is {said['models']['everybody']}, the line's {said['models']['line']}. "
        f"{_work(said['plan'])} "
        f"{said['plan']['rounds']} rounds of blocks of {said['plan']['measure_s']} s; "
        f"{said['statistic']}. Written from the JSON file beside it; `bench/README.md` says what "
        "each figure means.",
        "",
        "| " + " | ".join(header) + " |",
        "|" + "|".join(["---"] + ["---:"] * (len(header) - 1)) + "|",
        *("| " + " | ".join(row) + " |" for row in rows),
        "",
        "| frames per second of CPU | median | lower 95 % |",
        "|---|---:|---:|",
    ]
    for name, one in said["ratios"].items():
        cpu = one["frames_per_cpu_second"]
        lower = "?" if cpu["lower"] is None else f"{cpu['lower']:.2f}"
        lines.append(f"| {name} | {cpu['median']:.2f} | {lower} |")
    lines.append("")
    for name, one in said["contenders"].items():
        disturbed = one["disturbed_blocks"]
        if disturbed:
            lines.append(f"- {name}: {disturbed} blocks disturbed by other processes.")
        if 0 < one.get("unchecked_verdicts", 0) < one["frames"]:
            lines.append(
                f"- {name}: {one['unchecked_verdicts']} verdicts without a frame's number."
            )
        if one.get("starved_blocks"):
            lines.append(f"- {name}: in {one['starved_blocks']} blocks the camera was too slow.")
        if one.get("unjudged"):
            lines.append(f"- {name}: not judged: {one['unjudged']}.")
        if "inside" in one:
            inside = one["inside"]
            lines.append(
                f"- {name}: its workers timed prepare at {inside['prepare_us']:.0f} us and run at "
                f"{inside['run_us']:.0f} us a frame."
            )
    lines += [
        "",
        "Versions: " + ", ".join(f"{name} {value}" for name, value in said["versions"].items()),
        "",
    ]
    return "\n".join(lines)


def write(said: dict[str, Any], folder: Path) -> Path:
    """Writes the JSON record and its table, named by date; returns the former's path."""
    folder.mkdir(parents=True, exist_ok=True)
    plan = said["plan"]
    size = "x".join(map(str, plan["picture"])) if plan["picture"] else None
    words = [Path(said["models"]["line"]).stem, size, plan["resize"]]
    name = "-".join(word for word in words if word)
    path = folder / f"{said['date'][:10]}-line-vs-naive-{name}.json"
    path.write_text(json.dumps(said, indent=1) + "\n")
    path.with_suffix(".md").write_text(as_markdown(said))
    return path
