"""A model against labelled pictures: its errors, its threshold's curve, its worst pictures."""

import csv
import heapq
import io
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from smartqc.errors import ConfigError
from smartqc.model import Judged, Model
from smartqc.quality.wilson import Rate, wilson_interval

SUFFIXES = (".png", ".jpg", ".jpeg")

_GOOD = frozenset({"pass", "good", "ok", "0", "false"})
"""Every other word is a defect's."""

_REASONS = {
    "misaligned": "it lies too far from the golden part or out of view, or is another product"
}


@dataclass(frozen=True, slots=True)
class Label:
    """What is known of one picture."""

    file: Path
    bad: bool
    references: Mapping[str, Path]


def labels(table: Path, images: Path) -> list[Label]:
    """Read ``labels.csv``: a column ``file`` and one of ``truth``, ``label`` or ``class``.

    Good ones are ``pass``, ``good``, ``ok``, ``0`` or ``false``; every other word makes a bad one.
    A column ``reference`` names a picture for the model's input of that name. Files are looked for
    beside the images, then beside the table.

    Raises:
        ConfigError: a column or a file is missing, or a picture is listed twice.
    """
    if not images.is_dir():
        raise ConfigError(f"{images}: no such folder; it holds the pictures that {table} lists")
    try:
        # Spreadsheets put a mark before the first column, and in half of the world semicolons.
        text = table.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{table}: not UTF-8: {error}; save it as CSV in UTF-8") from error
    except OSError as error:
        raise ConfigError(
            f"{table}: {error.strerror}; columns file and truth are needed"
        ) from error
    try:
        found = _read(text, table, images)
    except csv.Error as error:
        raise ConfigError(f"{table}: {error}; columns file and truth are needed") from error
    if not found:
        raise ConfigError(f"{table}: no picture is listed")
    return found


def _read(text: str, table: Path, images: Path) -> list[Label]:
    found: list[Label] = []
    seen: set[Path] = set()
    first = text.partition("\n")[0]
    with io.StringIO(text, newline="") as file:
        rows = csv.DictReader(file, delimiter=max(",;\t", key=first.count), skipinitialspace=True)
        columns = [name.strip().lower() for name in rows.fieldnames or []]
        rows.fieldnames = columns
        truth = next((name for name in ("truth", "label", "class") if name in columns), None)
        if "file" not in columns or truth is None:
            raise ConfigError(
                f"{table}: columns {', '.join(columns) or 'none'}; needed: file, and truth (or "
                "label, or class)"
            )
        for row in rows:
            if not any((row[name] or "").strip() for name in columns):
                continue
            number = rows.line_num
            name = (row["file"] or "").strip()
            if not name:
                raise ConfigError(f"{table}:{number}: file is empty")
            path = _find(name, images, table, number)
            if path in seen:
                raise ConfigError(f"{table}:{number}: {path} is listed twice; one trial a picture")
            seen.add(path)
            word = (row[truth] or "").strip().lower()
            if not word:
                raise ConfigError(f"{table}:{number}: {truth} is empty")
            other = (row.get("reference") or "").strip()
            references = {"reference": _find(other, images, table, number)} if other else {}
            found.append(Label(path, word not in _GOOD, references))
    return found


def unlisted(images: Path, known: Sequence[Label]) -> int:
    """How many pictures of a folder, and those below it, no label speaks of."""
    listed = {label.file for label in known}
    listed |= {file for label in known for file in label.references.values()}
    there = (path for path in images.rglob("*") if path.suffix.lower() in SUFFIXES)
    return sum(path.resolve() not in listed for path in there)


def _find(name: str, images: Path, table: Path, number: int) -> Path:
    # Windows has separators of its own, and macOS takes accents off their letters.
    forms = [name, name.replace("\\", "/")]
    forms += [unicodedata.normalize(form, forms[1]) for form in ("NFC", "NFD")]
    for said in forms:
        for path in (images / said, images / Path(said).name, table.parent / said):
            if path.is_file():
                return path.resolve()
    raise ConfigError(f"{table}:{number}: {name} is neither in {images} nor in {table.parent}")


def pictures(folder: Path) -> list[Path]:
    """The PNG and JPEG files of a folder and those below it, by name.

    Raises:
        ConfigError: there is no such folder, or none in it.
    """
    if not folder.is_dir():
        what = "a file" if folder.exists() else "no such folder"
        raise ConfigError(f"{folder}: {what}; a folder of pictures is expected")
    files = [path for path in folder.rglob("*") if path.is_file()]
    found = sorted(path for path in files if path.suffix.lower() in SUFFIXES)
    if not found:
        kinds = Counter(path.suffix or "without a suffix" for path in files).most_common(3)
        others = ", ".join(f"{count} {kind}" for kind, count in kinds) or "nothing"
        raise ConfigError(f"{folder}: no .png, .jpg or .jpeg file in it ({others})")
    return found


def judge_all(
    model: Model,
    files: Sequence[Path],
    *,
    references: Sequence[Mapping[str, Path]] = (),
    progress: Callable[[int], object] = lambda _: None,
    chunk: int = 32,
) -> Iterator[Judged]:
    """Judge many files, some at a time; ``progress`` is told how many more are done.

    Who keeps the answers keeps their masks and maps, too: see `light`.
    """
    named = list(references) or [{}] * len(files)
    for start in range(0, len(files), chunk):
        part = slice(start, start + chunk)
        done = model.judge(files[part], references=named[part])
        yield from done
        progress(len(done))


def fits(one: Judged) -> str:
    """How a part lies under the golden one, in words; empty where it is not compared with one."""
    told = [
        "whole {:+d}, {:+d} px; cells {:+d} to {:+d} and {:+d} to {:+d} px; ".format(
            *fit["whole"], *fit["cells"][0], *fit["cells"][1]
        )
        + f"{fit['residual']:.1%} differs; {fit['at_limit']:.1%} of the cells too far off; "
        f"{fit['compared']:.1%} compared"
        for fit in (one.view.fits if one.view else ())
    ]
    return " | ".join(told)


def why_unjudged(one: Judged) -> str:
    """What kept a picture from a verdict, in words."""
    reason = None if one.view is None else one.view.reason
    return _REASONS.get(reason or "", "the model gave no numbers")


def light(one: Judged) -> Judged:
    """The same without boxes, masks and maps, of which thousands would fill the memory."""
    why = one.error or (why_unjudged(one) if one.verdict == "unjudged" else None)
    return replace(one, view=None, error=why)


@dataclass(frozen=True, slots=True)
class Point:
    """What a threshold would do."""

    threshold: float
    escapes: int
    overkill: int


def wrongness(truth: bool, one: Judged) -> float:
    """How wrong a verdict is: above 1 for an error, and the more the surer it was."""
    wrong = one.verdict != ("reject" if truth else "pass")
    score = 0.5 if np.isnan(one.score) else one.score
    return 2 * wrong + ((1 - score) if truth else score)


@dataclass(frozen=True, slots=True)
class Study:
    """Pictures with their truth and what the model said; each is one trial."""

    bad: tuple[bool, ...]
    judged: tuple[Judged, ...]

    def count(self, *, bad: bool, verdict: str) -> int:
        """Pictures of that truth and verdict."""
        return sum(
            one.verdict == verdict and truth == bad
            for truth, one in zip(self.bad, self.judged, strict=True)
        )

    @property
    def goods(self) -> int:
        """Good pictures."""
        return len(self.bad) - sum(self.bad)

    @property
    def escapes(self) -> Rate:
        """Bad pictures that pass, of all bad ones."""
        return Rate(self.count(bad=True, verdict="pass"), sum(self.bad))

    @property
    def overkill(self) -> Rate:
        """Good pictures that are rejected, of all good ones."""
        return Rate(self.count(bad=False, verdict="reject"), self.goods)

    @property
    def unjudged(self) -> Rate:
        """Pictures without a verdict, of all."""
        return Rate(sum(one.verdict == "unjudged" for one in self.judged), len(self.judged))

    @property
    def reasons(self) -> Counter[str]:
        """Why pictures are unjudged."""
        told = (one for one in self.judged if one.verdict == "unjudged")
        return Counter(one.error or why_unjudged(one) for one in told)

    def curve(self) -> list[Point]:
        """Escapes and overkill for each threshold that makes a difference, ascending.

        Of the pictures that were judged: one is rejected when its score reaches the threshold, as
        if every class of defects had this one.
        """
        known = [
            (one.score, truth)
            for truth, one in zip(self.bad, self.judged, strict=True)
            if one.verdict != "unjudged"
        ]
        scores = np.array([score for score, _ in known], np.float64)
        bad = np.array([truth for _, truth in known], bool)
        order = np.argsort(scores, kind="stable")
        scores, bad = scores[order], bad[order]
        steps = np.unique(scores)
        below = np.searchsorted(scores, steps, side="left")
        bad_below = np.concatenate(([0], np.cumsum(bad)))[below]
        goods = len(bad) - bad.sum()
        good_at_least = goods - (below - bad_below)
        points = [
            Point(float(step), int(escaped), int(over))
            for step, escaped, over in zip(steps, bad_below, good_at_least, strict=True)
        ]
        if len(steps) and steps[-1] < 1:
            points.append(Point(float(np.nextafter(steps[-1], 2)), int(bad.sum()), 0))
        return points

    def threshold_for(self, escape_rate: float, confidence: float = 0.95) -> Point | None:
        """The greatest threshold whose escapes stay below ``escape_rate`` with this confidence.

        The upper end of a Wilson interval, one-sided, over the bad pictures; None when even
        without an escape there are too few of them to say so.
        """
        bad = sum(self.bad)
        fits = [
            point
            for point in self.curve()
            if wilson_interval(point.escapes, bad, confidence=2 * confidence - 1)[1] <= escape_rate
        ]
        return fits[-1] if fits else None

    def worst(self, count: int) -> list[tuple[bool, Judged]]:
        """Errors first, the surest ones ahead; then those that were nearly errors."""
        pairs = list(zip(self.bad, self.judged, strict=True))
        return sorted(pairs, key=lambda pair: wrongness(*pair), reverse=True)[:count]


def study(
    model: Model,
    known: Sequence[Label],
    progress: Callable[[int], object] = lambda _: None,
    *,
    shown: int = 24,
) -> Study:
    """Judge labelled pictures; the ``shown`` worst ones keep what was found in them."""
    judged = judge_all(
        model,
        [label.file for label in known],
        references=[label.references for label in known],
        progress=progress,
    )
    done: list[Judged] = []
    worst: list[tuple[float, int]] = []
    for index, (label, one) in enumerate(zip(known, judged, strict=True)):
        done.append(one)
        heapq.heappush(worst, (wrongness(label.bad, one), -index))
        if len(worst) > shown:
            _, least = heapq.heappop(worst)
            done[-least] = light(done[-least])
    return Study(tuple(label.bad for label in known), tuple(done))
