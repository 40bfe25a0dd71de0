"""Run a whole line from two files: belt, eye, camera and ejector are simulated.

python examples/simulated_line/run.py
"""

import os
from pathlib import Path

import smartqc as qc

HERE = Path(__file__).parent


def main() -> None:
    """Print every part as its outcome is frozen, and what the belt did."""
    # Read by the simulated camera when it is opened first.
    os.environ["SMARTQC_SIMCAM"] = str(HERE / "camera.toml")
    with qc.Line.from_toml(HERE / "line.toml", recipe=HERE / "recipe.toml") as line:
        for part in line:  # waits without the GIL; ends with the simulated belt
            slack = "" if part.slack_s is None else f", {1e3 * part.slack_s:.0f} ms left"
            print(f"part {part.part_id}: {part.outcome} ({part.reason or part.score}){slack}")
    stats = line.stats
    print(f"{stats.announced} announced = {stats.passed} passed + {stats.rejected} rejected")
    print(f"+ {stats.unjudged} unjudged + {stats.in_flight} in flight: {stats.reconciles}")
    removed = sum(row.fate == "removed" for row in line.ledger(bad=[0, 2, 3]))
    print(f"the ejector removed {removed}")


if __name__ == "__main__":
    main()
