"""Rates, their intervals, and whose fault an error was."""

from dataclasses import dataclass

import pytest

from smartqc.quality import Rate, photographs, tally, wilson_interval


@dataclass
class Part:
    outcome: str | None = "pass"
    bad: bool | None = False
    photograph: str | None = None
    came_out: str | None = "kept"


# The starred four: R. G. Newcombe, Statistics in Medicine 17 (1998), 857-872, table I, method 3.
# The others by hand: z^2 / (n + z^2) off the end, and 0.5 +- z / (2 sqrt(n + z^2)).
@pytest.mark.parametrize(
    ("hits", "trials", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),  # *
        (15, 148, 0.0624, 0.1605),  # *
        (0, 20, 0.0000, 0.1611),  # *
        (1, 29, 0.0061, 0.1718),  # *
        (29, 29, 0.8830, 1.0000),
        (5, 10, 0.2366, 0.7634),
    ],
)
def test_interval_equals_published_values(hits, trials, low, high):
    assert wilson_interval(hits, trials) == pytest.approx((low, high), abs=5e-5)


def test_zero_escapes_in_381_defects_are_needed_to_claim_one_per_cent():
    assert wilson_interval(0, 381)[1] < 0.01
    assert wilson_interval(0, 380)[1] > 0.01


def test_interval_is_symmetric_between_hits_and_misses():
    low, high = wilson_interval(3, 40)
    assert wilson_interval(37, 40) == pytest.approx((1 - high, 1 - low))


def test_more_confidence_is_a_wider_interval():
    narrow = wilson_interval(7, 90, confidence=0.8)
    wide = wilson_interval(7, 90, confidence=0.99)
    assert wide[0] < narrow[0] < 7 / 90 < narrow[1] < wide[1]


def test_nothing_tried_says_nothing():
    assert wilson_interval(0, 0) == (0, 1)
    assert Rate(0, 0).share is None
    assert str(Rate(0, 0)) == "0 of 0"


@pytest.mark.parametrize(("hits", "trials"), [(-1, 5), (6, 5), (1, 0)])
def test_counts_that_are_no_share_are_refused(hits, trials):
    with pytest.raises(ValueError, match="hits must lie between"):
        wilson_interval(hits, trials)


def test_rate_reads_as_a_sentence():
    assert str(Rate(0, 29)) == "0 of 29 (0 %; 95 %: 0 % to 12 %)"
    assert str(Rate(3, 1250)) == "3 of 1,250 (0.2 %; 95 %: 0.08 % to 0.7 %)"


def test_tally_books_each_part_once_and_by_its_cause():
    parts = [
        Part(),
        Part(bad=True, outcome="reject", came_out="removed"),
        Part(bad=True, came_out="escape_model"),
        Part(bad=True, outcome="reject", came_out="escape_late"),
        Part(outcome="reject", came_out="overkill_model"),
        Part(outcome="unjudged", came_out="overkill_policy"),
        Part(came_out="collateral"),
        Part(came_out=None),
    ]
    booked = tally(parts)
    assert booked.parts == 7
    assert booked.escapes() == Rate(2, 3)
    assert booked.escapes("model") == Rate(1, 3)
    assert booked.escapes("tracking", "late", "mechanical") == Rate(1, 3)
    assert booked.overkill() == Rate(2, 4)
    assert booked.overkill("policy") == Rate(1, 4)
    assert booked.collateral() == Rate(1, 7)


def test_unknown_class_is_refused_rather_than_lost():
    with pytest.raises(ValueError, match="vanished"):
        tally([Part(came_out="vanished")])


def test_a_photograph_is_one_trial_however_often_it_is_shown():
    parts = [Part(outcome="reject", bad=True, photograph="a.jpg") for _ in range(50)]
    parts += [Part(photograph="b.jpg") for _ in range(30)]
    seen = photographs(parts)
    assert seen.escapes == Rate(0, 1)
    assert seen.overkill == Rate(0, 1)
    assert seen.shown == 80


def test_a_photograph_misjudged_once_is_an_error():
    parts = [Part(outcome="reject", bad=True, photograph="a.jpg") for _ in range(50)]
    parts.append(Part(bad=True, photograph="a.jpg"))
    parts.append(Part(outcome="reject", photograph="b.jpg"))
    seen = photographs(parts)
    assert seen.escapes == Rate(1, 1)
    assert seen.overkill == Rate(1, 1)
    assert seen.misjudged == ("a.jpg", "b.jpg")


def test_what_the_model_never_judged_is_not_its_trial():
    parts = [
        Part(outcome="unjudged", photograph="a.jpg"),
        Part(outcome=None, photograph="b.jpg"),
        Part(bad=None, photograph="c.jpg"),
        Part(photograph=None),
    ]
    seen = photographs(parts)
    assert (seen.escapes, seen.overkill, seen.shown) == (Rate(0, 0), Rate(0, 0), 0)
