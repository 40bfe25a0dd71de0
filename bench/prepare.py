"""`prepare` beside others and beside memory, in one run: ``python bench/prepare.py``.

The others are OpenCV and Pillow with NumPy, and the crate `fast_image_resize`.
A round is one block of each contender, one after the other; every other round goes backwards. With
two cores, two processes of the same contender run at the same time, so that they share memory as
two workers of a line do. Ends with the goals, of one core. Needs cargo, cv2 and PIL; run it on a
machine that does nothing else.
"""

import argparse
import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from statistics import median

import goals

ROOT = Path(__file__).parent.parent
CASES = {
    # What the bound is, and what others can do.
    "BayerRG8 linear 224": ("read rows", ("cv2 + numpy",)),
    "BayerRG8 area 224": ("read", ("cv2 + numpy", "PIL")),
    "BayerRG8 area 640": ("read + write", ("cv2 + numpy", "PIL")),
    "BayerRG8 letterbox linear 640": ("read + write", ("cv2 + numpy",)),
    "BayerRG8 antialias 224": ("read", ("PIL",)),
    "RGB8 antialias 224": ("read", ("PIL", "fast_image_resize")),
    "RGB8 linear 224": ("read rows", ("cv2 + numpy",)),
    "RGB8 area 224": ("read", ("cv2 + numpy", "PIL", "fast_image_resize")),
    "Mono8 area 224": ("read", ("cv2 + numpy", "PIL", "fast_image_resize")),
    "Mono12p area 224": ("read", ("cv2 + numpy",)),
    "Mono8 same size 640": ("read + write", ("cv2 + numpy",)),
}
IN_PYTHON = ("cv2 + numpy", "PIL")


def contender() -> str:
    """The program of `rust/core/benches/contender.rs`, built."""
    command = ["cargo", "bench", "-p", "smartqc-core", "--bench", "contender", "--no-run"]
    built = subprocess.run(
        [*command, "--message-format=json"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    )
    messages = map(json.loads, built.stdout.splitlines())
    programs: list[str] = [
        message["executable"]
        for message in messages
        if message.get("target", {}).get("name") == "contender" and message.get("executable")
    ]
    return programs[-1]


class Core:
    """The processes that work on one core, one at a time."""

    def __init__(self, program: str) -> None:
        rivals = [sys.executable, str(Path(__file__).parent / "contenders" / "prepare_rivals.py")]
        self._processes = {
            in_python: subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
            )
            for in_python, command in ((True, rivals), (False, [program, "serve"]))
        }

    def order(self, case: str, name: str, seconds: float) -> None:
        stdin = self._processes[name in IN_PYTHON].stdin
        assert stdin is not None
        stdin.write(f"{case}\t{name}\t{seconds}\n")

    def answer(self, name: str) -> float:
        """Least time in microseconds."""
        stdout = self._processes[name in IN_PYTHON].stdout
        assert stdout is not None
        return float(stdout.readline().split("\t")[0])

    def close(self) -> None:
        for process in self._processes.values():
            process.communicate()


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--block-s", type=float, default=0.1)
    parser.add_argument("--case", default="", help="only cases with that in their name")
    parser.add_argument("--program", help="the built contender, where cargo is not to build it")
    asked = parser.parse_args()
    program = asked.program or contender()
    lines: list[str] = []

    def say(line: str) -> None:
        print(line, flush=True)
        lines.append(line)

    say("| case | cores | contender | us (median) | to bound | x as fast is smartqc |")
    say("|---|---|---|---|---|---|")
    for case, (bound, others) in CASES.items():
        if asked.case not in case:
            continue
        for count in (1, 2):
            cores = [Core(program) for _ in range(count)]
            names = list(dict.fromkeys([bound, *others, "smartqc"]))
            times: dict[str, list[float]] = defaultdict(list)
            for turn in range(asked.rounds + 1):
                for name in names if turn % 2 == 0 else names[::-1]:
                    for core in cores:
                        core.order(case, name, asked.block_s)
                    answers = [core.answer(name) for core in cores]
                    # The first round is for making frames and filling caches of programs.
                    if turn > 0:
                        times[name].append(sum(answers) / count)
            for core in cores:
                core.close()
            for name in names:
                ratios = [a / b for a, b in zip(times[name], times[bound], strict=True)]
                gains = [a / b for a, b in zip(times[name], times["smartqc"], strict=True)]
                least, middle = min(times[name]), median(times[name])
                say(
                    f"| {case} | {count} | {name} | {least:.0f} ({middle:.0f}) "
                    f"| {median(ratios):.2f} | {median(gains):.2f} |"
                )
    rows: list[goals.Row] = []
    for row in goals.prepare_rows("\n".join(lines)):
        goals.add_prepare(rows, row, {})
    print("\n| one core | found | goal | beside | reached |\n|---|---|---|---|---|")
    for one in rows:
        reached = "yes" if one.reached else "**no**"
        print(f"| {one.what} | {one.found} | {one.goal} | {one.baseline} | {reached} |")


if __name__ == "__main__":
    main()
