"""A share that was counted, and the interval that so many trials support."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist


def wilson_interval(hits: int, trials: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Two-sided score interval of a binomial share; (0, 1) when nothing was tried.

    All shares p that a score test at this confidence would not reject, that is
    ``|hits/trials - p| <= z sqrt(p (1 - p) / trials)`` solved for p. Unlike the textbook's normal
    interval it stays within 0..1 and says something at 0 hits: there the upper end is
    ``z^2 / (trials + z^2)``.

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal
    of the American Statistical Association 22 (1927), 209-212.

    Raises:
        ValueError: for counts that are no share, or a confidence outside 0..1.
    """
    if not 0 <= hits <= trials:
        raise ValueError(f"{hits} of {trials}: hits must lie between 0 and the trials")
    if not 0 < confidence < 1:
        raise ValueError(f"confidence {confidence}: must lie between 0 and 1, exclusive")
    if trials == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    share = hits / trials
    spread = z * sqrt(share * (1 - share) / trials + (z / (2 * trials)) ** 2)
    middle = share + z * z / (2 * trials)
    scale = 1 + z * z / trials
    # At the ends of 0..1 the exact answer is the end itself; rounding must not step over it.
    low = 0.0 if hits == 0 else (middle - spread) / scale
    high = 1.0 if hits == trials else (middle + spread) / scale
    return low, high


@dataclass(frozen=True, slots=True)
class Rate:
    """``hits`` of ``trials``, with its Wilson 95 % interval."""

    hits: int
    trials: int

    @property
    def share(self) -> float | None:
        """``hits / trials``; None when nothing was tried."""
        return self.hits / self.trials if self.trials else None

    @property
    def interval(self) -> tuple[float, float]:
        """Lower and upper end of the two-sided 95 % interval."""
        return wilson_interval(self.hits, self.trials)

    def __str__(self) -> str:
        if self.share is None:
            return "0 of 0"
        low, high = (percent(end) for end in self.interval)
        return f"{self.hits:,} of {self.trials:,} ({percent(self.share)}; 95 %: {low} to {high})"


def percent(share: float) -> str:
    """A share in per cent, with as many digits as one can read at a glance."""
    value = 100 * share
    if value == 0:
        return "0 %"
    if value < 0.095:
        return f"{value:.1g} %"
    if value < 9.95:
        return f"{value:.1f} %"
    return f"{value:.0f} %" if value < 99.5 or value == 100 else f"{value:.2f} %"
