"""Everything in one run: ``python bench/suite.py``, which is what ``make bench`` does.

Prints tables as it goes and writes ``bench.json`` (with every block), ``bench.md`` and
``bench.html`` into ``bench/out``; with ``--record`` into ``bench/results``, named by the date. It
needs nobody: a section that fails is said and left out, nothing waits without end, and the blocks
get shorter where time is short. Run it on a machine that does nothing else.
"""

import argparse
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

BENCH = Path(__file__).resolve().parent
sys.path.insert(0, str(BENCH))

import advocate  # noqa: E402
import costs  # noqa: E402
import goals  # noqa: E402
import open_loop  # noqa: E402
import page  # noqa: E402
import record  # noqa: E402
import star  # noqa: E402
from arms import BASE, STAR, Arm, Workshop  # noqa: E402
from race import Plan, patiently  # noqa: E402

MINUTES = 19.5
ROUNDS, FEWEST_ROUNDS = 20, 5
NEEDED_S = {
    "advocate": 50.0,
    "open-loop": 140.0,
    "costs": 16.0,
    # Six rounds, so that a share has a limit.
    "threads": 28.0,
    # Two thousand commands, so that there is a p99.9.
    "commands": 58.0,
    "prepare": 28.0,
    "kernels": 5.0,
}
"""What those sections take on two cores; the star gets what is left."""
WHOLE_MINUTES = 12.0
"""In less than those everything gets shorter."""
SECTIONS = ("star", *NEEDED_S)


Said = dict[str, Any]


def shortened(minutes: float) -> float:
    """What the sections beside the star get of what they need, in so many minutes."""
    return min(1.0, minutes / WHOLE_MINUTES)


def star_seconds(minutes: float) -> float:
    """What is left to the star in so many minutes."""
    return 60 * minutes - shortened(minutes) * sum(NEEDED_S.values())


class Progress:
    """Lines with the time since the start."""

    def __init__(self) -> None:
        self.begun = time.monotonic()

    def __call__(self, text: str) -> None:
        seconds = time.monotonic() - self.begun
        print(f"[{int(seconds // 60):2d}:{int(seconds % 60):02d}] {text}", flush=True)


class Suite:
    """One run of the sections that were asked for."""

    def __init__(self, asked: argparse.Namespace, folder: Path) -> None:
        self.until_s = time.monotonic() + 60 * asked.minutes
        if asked.rounds is None:
            # In less time two cores do not get through so many, blocks being as short as they may.
            share = star_seconds(asked.minutes) / star_seconds(MINUTES)
            asked.rounds = max(FEWEST_ROUNDS, round(ROUNDS * min(1.0, share)))
        self.asked = asked
        self.say = Progress()
        self.folder = folder
        self.workshop = Workshop(folder / "workshop")
        self.run: Said = {"star": {}, "failures": {}, "took_s": {}}
        self.before = record.before()
        day = datetime.datetime.now(datetime.UTC).date().isoformat()
        self.stem = BENCH / "results" / f"{day}-bench" if asked.record else asked.out / "bench"

    def seconds_of(self, name: str) -> float:
        """What a section gets of the time that is left: when one took longer, the others give."""
        after = self.asked.sections[self.asked.sections.index(name) :]
        left_s = max(0.0, self.until_s - time.monotonic())
        wanted_s = {"star": star_seconds(self.asked.minutes)} | {
            other: seconds * shortened(self.asked.minutes) for other, seconds in NEEDED_S.items()
        }
        return left_s * wanted_s[name] / sum(wanted_s[one] for one in after)

    def attempt(self, name: str, step: Callable[[], None]) -> None:
        """A section; that it failed is a part of the record."""
        self.say(name)
        begun = time.monotonic()
        try:
            step()
        except Exception as error:
            traceback.print_exc()
            self.run["failures"][name] = f"{type(error).__name__}: {error}"
            self.say(f"  {name} failed: {error}")
        self.run["took_s"][name] = time.monotonic() - begun
        self.write()

    def star(self) -> None:
        arms = [arm for arm in STAR if not self.asked.only or arm.name in self.asked.only]
        # What fewer arms leave goes to nobody: a look at one is short.
        given = sum(arm.share for arm in arms) / sum(arm.share for arm in STAR)
        until_star_s = time.monotonic() + given * self.seconds_of("star")
        for number, arm in enumerate(arms):
            left_s = until_star_s - time.monotonic()
            share = arm.share / sum(other.share for other in arms[number:])
            until_s = time.monotonic() + max(0.0, left_s * share)
            rounds = self.asked.rounds
            patience = 1 if rounds > 1 else 0
            plan = Plan(rounds=rounds, measure_s=self.asked.block_s, patience=patience)

            def race(arm: Arm = arm, plan: Plan = plan, until_s: float = until_s) -> None:
                found = patiently(
                    2,
                    lambda: star.run(arm, self.workshop, plan, until_s, self.say, until_star_s),
                    self.say,
                )
                self.run["star"][arm.name] = found
                for problem in star.problems(found):
                    self.run["failures"][f"star, {arm.name}: {problem}"] = problem
                    self.say(f"  PROBLEM: {problem}")

            self.attempt(f"star: {arm.name}", race)
        for name in ("base", "one worker"):
            if name in self.run["star"]:
                self.run.setdefault("overhead", {})[name] = star.overhead(self.run["star"][name])

    def advocate(self) -> None:
        self.run["advocate"] = advocate.run(
            BASE, self.workshop, self.asked.rounds, self.seconds_of("advocate"), self.say
        )

    def open_loop(self) -> None:
        seconds = self.seconds_of("open-loop")
        self.run["open_loop"] = open_loop.run(self.workshop, seconds, self.say)

    def costs(self) -> None:
        self.run["costs"] = costs.run(self.workshop, self.say, rounds=self.asked.rounds)

    def threads(self) -> None:
        # A round is two contenders, each with three blocks of a quarter second and one beside.
        seconds = self.seconds_of("threads")
        rounds = max(FEWEST_ROUNDS, int((seconds - 8) / 3))
        words = ["--rounds", str(rounds)]
        found, _ = costs.beside("cameras.py", words, self.folder, 10 * seconds + 300)
        self.run["share_left"] = costs.share_left(found)
        self.run["cameras"] = {"figures": found["figures"], "rounds": rounds}

    def commands(self) -> None:
        # Some seconds pass before the first command and after the last.
        minutes = max(0.05, (self.seconds_of("commands") - 6) / 60)
        words = ["--minutes", f"{minutes:.3f}", "--rate", "40"]
        self.run["realtime"], _ = costs.beside(
            "realtime.py", words, self.folder, 120 * minutes + 300
        )

    def prepare(self) -> None:
        """`prepare.py` with as many rounds as fit: 2 x 11 cases of about four contenders."""
        seconds = self.seconds_of("prepare")
        rounds = max(2, min(10, int(seconds / (22 * 4 * 0.04)) - 6))
        words = ["--rounds", str(rounds), "--block-s", "0.04"]
        done = subprocess.run(
            [sys.executable, str(BENCH / "prepare.py"), *words],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=600 + 5 * seconds,
        )
        self.run["prepare_printed"] = done.stdout
        self.run["prepare"] = goals.prepare_rows(done.stdout)

    def kernels(self) -> None:
        """pytest-benchmark's view of `smartqc.prepare`, as its own tests have it."""
        kept = self.folder / "kernels.json"
        most_s = self.seconds_of("kernels") / 32
        words = ["--benchmark-only", "--benchmark-disable-gc", f"--benchmark-json={kept}"]
        words += [f"--benchmark-max-time={most_s:.2f}", "--benchmark-min-rounds=3", "-q"]
        words += ["--benchmark-columns=min,median,ops", "-p", "no:cacheprovider"]
        subprocess.run(
            [sys.executable, "-m", "pytest", str(BENCH), *words], check=True, timeout=600
        )
        found = json.loads(kept.read_text())
        self.run["kernels"] = [
            {"name": one["name"], "group": one["group"], "median_us": 1e6 * one["stats"]["median"]}
            for one in found["benchmarks"]
        ]

    def all(self) -> Said:
        """Runs the sections; the record of them."""
        steps = {
            "star": self.star,
            "advocate": self.advocate,
            "open-loop": self.open_loop,
            "costs": self.costs,
            "threads": self.threads,
            "commands": self.commands,
            "prepare": self.prepare,
            "kernels": self.kernels,
        }
        for name in self.asked.sections:
            if name == "star":
                self.star()
            else:
                self.attempt(name, steps[name])
        return self.write()

    def write(self) -> Said:
        """The record so far; it is written after every section, so that an end leaves something."""
        said = record.of_run(self.run, self.before, self.asked.rounds) | {
            "goals": goals.table(self.run),
            "minutes": (time.monotonic() - self.say.begun) / 60,
        }
        self.stem.parent.mkdir(parents=True, exist_ok=True)
        self.stem.with_suffix(".json").write_text(record.as_json(said), encoding="utf-8")
        for suffix, text in ((".md", page.markdown), (".html", page.html)):
            try:
                self.stem.with_suffix(suffix).write_text(text(said), encoding="utf-8")
            except Exception as error:
                # The figures are in the JSON file all the same, and what is left is measured.
                traceback.print_exc()
                self.run["failures"][f"the {suffix} file"] = f"{type(error).__name__}: {error}"
        return said


def words() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=MINUTES, help="for all (%(default)s)")
    parser.add_argument(
        "--rounds", type=int,
        help=f"pairs of each arm ({ROUNDS} in {MINUTES:g} minutes, fewer in less)",
    )  # fmt: skip
    parser.add_argument(
        "--block-s", type=float, default=0.25, help="of a block at first; adapted (%(default)s)"
    )
    parser.add_argument("--only", nargs="*", metavar="ARM", help="these arms of the star alone")
    parser.add_argument(
        "--sections", nargs="*", choices=SECTIONS, default=list(SECTIONS), metavar="SECTION",
        help=f"of {', '.join(SECTIONS)}",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=BENCH / "out", help="folder (bench/out)")
    parser.add_argument(
        "--record", action="store_true", help="write to bench/results, named by the date"
    )
    return parser


def main() -> int:
    """Runs and writes; 0 when every section ran and every verdict was right."""
    asked = words().parse_args()
    os.environ.pop("SMARTQC_SIMCAM", None)
    with tempfile.TemporaryDirectory(prefix="smartqc-bench-") as folder:
        suite = Suite(asked, Path(folder))
        unknown = set(asked.only or ()) - {arm.name for arm in STAR}
        if unknown:
            print(f"no such arm: {', '.join(unknown)}; there are: "
                  f"{', '.join(arm.name for arm in STAR)}", file=sys.stderr)  # fmt: skip
            return 2
        said = suite.all()
    print(page.markdown(said))
    suite.say(f"written: {suite.stem}.json, .md and .html")
    for name, why in said["failures"].items():
        print(f"failed: {name}: {why}", file=sys.stderr)
    return 1 if said["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
