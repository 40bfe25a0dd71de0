"""`Line`: an inspection line from two TOML files, or from Python objects."""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from smartqc import _native
from smartqc._prepare import Spec
from smartqc.actuators import Actuator, resolver
from smartqc.runtime import onnxruntime_library


@dataclass(frozen=True, slots=True)
class Stats:
    """A snapshot of how a line goes; times in seconds.

    ``announced == in_flight + passed + rejected + unjudged`` at every instant.
    """

    announced: int
    in_flight: int
    passed: int
    rejected: int
    unjudged: int
    reconciles: bool
    """Whether the counts add up; anything else is a bug of smartqc."""
    unjudged_by_reason: dict[str, int]
    dispositions: dict[str, int]
    """How often each disposition was told: ``commanded``, ``confirmed`` ..."""
    cameras: dict[str, dict[str, int]]
    """By name: ``frames``, ``incomplete``, ``lost``, ``disordered``, ``errors``, ``refused``,
    ``gone``, ``stopped``, ``recoveries``."""
    trigger_to_verdict_s: dict[str, float]
    """``count``, ``min``, ``p01``, ``p50``, ``p99``, ``p999``, ``max``."""
    slack_s: dict[str, float]
    """Time left between the last verdict and the latest possible commit, as above.

    0 for a verdict that came after it.
    """
    fire_lateness_s: dict[str, float]
    """From when commands should have been given to when they were."""
    judged: int
    prepare_s: float
    run_s: float
    beside_frames: int
    """Frames of which the worker's CPU time beside these two was measured: every 16th batch's."""
    beside_cpu_s: float
    """That CPU time, summed: from the end of a run to the beginning of the next batch."""
    copied: int
    """Pictures copied by ``submit``."""
    runs_ended: int
    """Model runs that took longer than ``run.hang_s`` and were asked to end."""
    workers_replaced: int
    """Workers that did not come back even so."""
    verdicts_refused: int
    """Verdicts that found no room on their way to the line thread; anything but 0 is a bug."""
    results_dropped: int
    events_dropped: int
    frames_not_kept: int
    records: int | None
    records_lost: int | None
    images: int | None
    images_dropped: int | None
    stop_requested: str | None
    """The stop request that holds, until ``reset()``."""
    recipe_revision: int
    findings_lost: int
    """Views whose boxes, masks or maps were not kept, since a reader holds too many."""
    python_head_s: dict[str, float]
    """Time of the recipe's Python heads, part of each lead: ``calls``, ``sum``, ``max``."""
    provider: str
    """The execution providers that run its model, and why not those that were preferred."""
    ready: bool
    stop: bool
    """Whether a stop was requested since the last ``reset()``: the output of that name."""
    alarm: bool
    """Whether there was an alarm since the last ``reset()``: the output of that name."""
    challenge: bool
    """Whether a challenge runs."""
    challenges_passed: int
    challenges_failed: int
    speed_mm_s: float | None
    stray_frames: int
    realtime: bool
    """Whether the kernel granted ``SCHED_FIFO`` to the line thread."""
    scheduling: str | None
    """What it granted: ``fifo``, else ``short_slices`` (first among ordinary threads when it wakes,
    Linux 6.12 and later) or ``ordinary``; None where the line thread does not answer."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """What physically happened to one part of a simulated belt."""

    true_part: int
    picture: int
    """Number of its photograph in the camera's folder, sorted by name."""
    entered_ns: int
    length_mm: float
    fate: str
    """``on_belt``, ``kept`` or ``removed``."""
    clean: bool
    contacts: int
    """How many strokes touched it."""
    part_id: int | None
    """The line's number of it; None when the line never announced it."""
    outcome: str | None
    class_name: str
    """``kept``, ``removed``, ``escape_model``, ``escape_tracking``, ``overkill_model`` ..."""


Config = Mapping[str, Any]
"""A table of ``line.toml`` or ``recipe.toml`` as a mapping."""


class Line(_native.Line):
    """An inspection line: cameras, a recipe, ejectors.

    As a context manager it starts on entry and closes on exit: what is on the belt goes its way
    first. An exception aborts instead. Iterating waits without the GIL and gives each
    `Inspection` when its outcome is frozen; it ends when the line has ended.

    Args:
        cameras: each a URI or a ``[[camera]]`` table; the name of a bare URI is ``camera`` and its
            number from 1.
        recipe: path of a ``recipe.toml``, or the same as a mapping.
        reject: ``[[reject]]`` tables, one for each ejector.
        belt: the ``[belt]`` table.
        parts: the ``[parts]`` table.
        verdict: the ``[verdict]`` table.
        limits: the ``[limits]`` table.
        signals: the ``[signals]`` table.
        record: the ``[record]`` table.
        run: the ``[run]`` table.
        simulation: the ``[simulation]`` table.
        actuators: objects behind ``python:NAME`` URIs, by name; see `smartqc.actuators`.
        name: what the line is called in records.
        base: folder that relative paths in mappings start from.

    Raises:
        ConfigError: an unknown key or a value that is not allowed, with its place.
        InfeasibleError: the line cannot do what it is asked, with the figures.
        NotFoundError, InUseError, FeatureError, CameraError: what a camera says.
        OnnxRuntimeError: no library, or too old a one.
        ModelError: a model that cannot be loaded or understood.
    """

    def __new__(
        cls,
        *,
        cameras: Sequence[str | Config],
        recipe: str | Path | Config,
        reject: Sequence[Config] = (),
        belt: Config | None = None,
        parts: Config | None = None,
        verdict: Config | None = None,
        limits: Config | None = None,
        signals: Config | None = None,
        record: Config | None = None,
        run: Config | None = None,
        simulation: Config | None = None,
        actuators: Mapping[str, Actuator] | None = None,
        name: str = "line",
        base: str | Path = ".",
    ) -> Self:
        """Open everything; nothing moves before `start`."""
        plant: dict[str, Any] = {
            "schema": 1,
            "name": name,
            "camera": [
                {"name": f"camera{number}", "uri": camera}
                if isinstance(camera, str)
                else dict(camera)
                for number, camera in enumerate(cameras, 1)
            ],
            "reject": [dict(ejector) for ejector in reject],
        }
        tables = {
            "belt": belt,
            "parts": parts,
            "verdict": verdict,
            "limits": limits,
            "signals": signals,
            "record": record,
            "run": run,
            "simulation": simulation,
        }
        plant.update({key: dict(table) for key, table in tables.items() if table is not None})
        source = _as_source(recipe)
        return super().__new__(
            cls,
            json.dumps(plant, default=os.fspath),
            source,
            Path(base),
            onnxruntime_library(),
            resolver(actuators or {}),
        )

    @classmethod
    def from_toml(
        cls,
        path: str | Path,
        *,
        recipe: str | Path | Config,
        actuators: Mapping[str, Actuator] | None = None,
    ) -> Self:
        """Open the line that a ``line.toml`` describes, with a recipe.

        Raises:
            As the class, and OSError for a file that cannot be read.
        """
        source = _as_source(recipe)
        plug = resolver(actuators or {})
        return super().__new__(cls, Path(path), source, Path(), onnxruntime_library(), plug)

    def __enter__(self) -> Self:
        """Start."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close; after an exception other than Ctrl-C, abort."""
        if kind is None or issubclass(kind, KeyboardInterrupt):
            self.close()
        else:
            self.abort()

    @property
    def stats(self) -> Stats:
        """A snapshot."""
        return Stats(**self.snapshot())

    def load_recipe(self, recipe: str | Path | Config, base: str | Path = ".") -> None:
        """Swap the recipe between two parts; when it fails, the running one stays.

        Raises:
            ConfigError, OnnxRuntimeError, ModelError: and nothing has changed.
        """
        self.swap_recipe(_as_source(recipe), Path(base))

    def ledger(self, *, bad: Sequence[int]) -> list[LedgerRow]:
        """What physically happened to every part of a simulated belt, in order.

        Args:
            bad: numbers of the photographs that show a bad part, for the classification.
        """
        return [LedgerRow(**row) for row in self.ledger_rows(list(bad))]


def _plain(value: Spec | os.PathLike[str]) -> dict[str, Any] | str:
    """What stands for an object in a recipe: a spec's table, a path's text."""
    return value.to_dict() if isinstance(value, Spec) else os.fspath(value)


def _as_source(recipe: str | Path | Config) -> str | Path:
    """JSON for a mapping, a path otherwise: that is how the core tells them apart."""
    return json.dumps(dict(recipe), default=_plain) if isinstance(recipe, Mapping) else Path(recipe)
