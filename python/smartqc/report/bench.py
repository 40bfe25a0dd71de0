"""What ``smartqc bench`` found, as one page that refers to nothing outside itself."""

from collections import Counter
from datetime import datetime

from smartqc.bench.result import Block, Result
from smartqc.report import charts
from smartqc.report.page import template

_SHARES = {"p50": 0.5, "p99": 0.99, "p999": 0.999, "max": 1.0}


def render(result: Result) -> str:
    """The page as one string."""
    loop = result.open_loop
    groups = [
        (
            f"{rate.bound.workers} worker{'s' * (rate.bound.workers > 1)}",
            (("pass", "bound", rate.bound.parts_hz), ("reject", "line", rate.parts_hz)),
        )
        for rate in result.rates
    ]
    trials = [(f"{trial.asked_hz:,.0f}", _trial(trial)) for trial in loop.trials]
    return template("bench.html").render(
        result=result,
        started=datetime.fromisoformat(result.started),
        headline=_headline(result),
        rate=result.rate,
        held=loop.held,
        verdict_s={name: loop.quantile_s(share) for name, share in _SHARES.items()},
        rates=charts.columns(groups),
        times=charts.columns(
            [
                (
                    f"{rate.bound.workers} worker{'s' * (rate.bound.workers > 1)}",
                    (
                        ("pass", "read", 1e3 * rate.bound.read_s),
                        ("unjudged", "prepare", 1e3 * rate.bound.prepare_s),
                        ("reject", "run", 1e3 * rate.bound.run_s),
                    ),
                )
                for rate in result.rates
            ]
        ),
        histogram=charts.histogram(loop.latencies_s, charts.SLOWEST),
        trials=charts.columns(trials) if trials else None,
        missed=_missed(loop.trials),
    )


def _missed(trials: tuple[Block, ...]) -> str:
    """Why parts were missed, in all trials together."""
    reasons: Counter[str] = Counter()
    for trial in trials:
        reasons.update(trial.unjudged)
    return ", ".join(
        f"{count:,} {reason.replace('_', ' ')}" for reason, count in reasons.most_common()
    )


def _trial(trial: Block) -> tuple[tuple[str, str, float], ...]:
    share = 100 * trial.misses / max(trial.announced, 1)
    return (("reject", f"missed, {trial.misses} of {trial.announced}", share),)


def _headline(result: Result) -> str:
    held = result.open_loop.held
    if held is None:
        return "No rate without a miss."
    hz = f"{held.parts_hz:,.{0 if held.parts_hz >= 100 else 1}f}"
    if held.misses:
        return f"{hz} parts a\N{NO-BREAK SPACE}second, {held.misses:,} missed."
    return f"{hz} parts a\N{NO-BREAK SPACE}second without a\N{NO-BREAK SPACE}miss."
