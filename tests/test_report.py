"""The report: one page that loads nothing and says exactly what the run's figures say."""

import re
import struct
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import numpy as np
import pytest

from smartqc.quality import Rate
from smartqc.report import Part, Picture, RunResult, charts, render, write
from smartqc.report.image import png, thumbnail
from smartqc.report.result import quantile


def part(part_id, outcome, came_out, *, bad, fate, photograph="a.jpg", **more):
    more.setdefault("class_name", "defect" if outcome == "reject" else None)
    more.setdefault("trigger_to_verdict_s", 0.020 + part_id / 1e4)
    return Part(
        part_id,
        outcome,
        announced_s=part_id / 20,
        slack_s=0.2,
        bad=bad,
        fate=fate,
        came_out=came_out,
        photograph=photograph,
        **more,
    )


def a_run(**more):
    parts = [
        part(n, "pass", "kept", bad=False, fate="kept", photograph="good.jpg") for n in range(1, 41)
    ]
    parts += [
        part(n, "reject", "removed", bad=True, fate="removed", photograph="bad.jpg", score=0.9)
        for n in range(41, 58)
    ]
    parts.append(part(58, "pass", "escape_model", bad=True, fate="kept", photograph="sly.jpg"))
    parts.append(
        part(59, "reject", "overkill_model", bad=False, fate="removed", photograph="odd.jpg")
    )
    parts.append(
        part(
            60,
            "unjudged",
            "overkill_policy",
            bad=False,
            fate="removed",
            reason="late",
            trigger_to_verdict_s=None,
        )
    )
    figures = {
        "title": "a test",
        "started": datetime(2026, 3, 4, 5, 6, tzinfo=UTC),
        "duration_s": 4.5,
        "announced": 60,
        "in_flight": 0,
        "passed": 41,
        "rejected": 18,
        "unjudged": 1,
        "parts": tuple(parts),
        "expected": 60,
        "ledger_parts": 60,
        "speed_mm_s": 2000.0,
    }
    return RunResult(**(figures | more))


class Page(HTMLParser):
    """Collects what a browser would fetch, the words, and whether every tag is closed in order."""

    VOID = frozenset({"meta", "img", "br", "line"})

    def __init__(self, html):
        super().__init__()
        self.open, self.fetched, self.words, self.ids = [], [], [], {}
        self.feed(html)
        self.close()
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.fetched += [attributes[name] for name in ("src", "href", "data") if name in attributes]
        if tag in ("link", "script", "iframe", "object"):
            self.fetched.append(tag)
        if "id" in attributes:
            self.ids[attributes["id"]] = None
            self.latest = attributes["id"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            return
        self.words.append(data)
        if data.strip() and getattr(self, "latest", None):
            self.ids[self.latest] = self.ids[self.latest] or data.strip()
            self.latest = None


def test_page_is_well_formed_and_fetches_nothing():
    pixels = np.zeros((4, 3, 3), dtype=np.uint8)
    html = render(a_run(pictures=(Picture(41, pixels), Picture(60, pixels))))
    page = Page(html)
    assert page.open == []
    assert len(page.fetched) == 2
    assert all(uri.startswith("data:image/png;base64,") for uri in page.fetched)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", html)


def test_page_shows_the_counts_that_the_run_has():
    page = Page(render(a_run()))
    shown = {name: page.ids[name] for name in ("announced", "in-flight", "passed", "rejected")}
    assert shown == {"announced": "60", "in-flight": "0", "passed": "41", "rejected": "18"}
    assert page.ids["unjudged"] == "1"
    assert "60 parts, every\N{NO-BREAK SPACE}one accounted" in html_heading(a_run())


def html_heading(run):
    return re.search(r"<h1[^>]*>(.*?)</h1>", render(run)).group(1)


def test_page_names_each_error_by_its_cause_and_its_trials():
    text = Page(render(a_run())).text
    assert "Escapes: bad parts kept 1 of 18" in text
    assert "passed by the model 1 of 18" in text
    assert "missed by tracking 0 of 18" in text
    assert "Overkill: good parts removed 2 of 42" in text
    assert "Collateral: hit by another's stroke 0 of 60" in text
    assert "Escapes: bad photographs passed 1 of 2" in text
    assert "Overkill: good photographs rejected 1 of 2" in text
    assert "1 escaped: passed by the model" in text
    assert "Unjudged because: late 1" in text


def test_lede_counts_in_words_that_agree():
    text = Page(render(a_run())).text
    assert "1 bad part stayed on the belt, 2 good parts were taken off, and no part was hit" in text


def test_what_the_user_writes_is_never_markup():
    run = a_run(setup={"command": "smartqc <script>"}, contract="<b>", alarms=("<i>",))
    html = render(run)
    assert "smartqc &lt;script&gt;" in html
    assert "<script" not in html


@pytest.mark.parametrize(
    ("wrong", "broken"),
    [
        ({"passed": 40}, "Every announced part"),
        ({"in_flight": 1, "passed": 40}, "Nothing was in flight"),
        ({"rejected": 17, "unjudged": 2}, "The reader was told"),
        ({"ledger_parts": 59}, "The belt's ledger"),
        ({"expected": 61}, "As many parts came"),
        ({"results_dropped": 1}, "The reader was told"),
    ],
)
def test_a_figure_that_does_not_fit_is_found_and_said(wrong, broken):
    run = a_run(**wrong)
    assert not run.reconciles
    assert any(check.says.startswith(broken) for check in run.checks if not check.holds)
    assert html_heading(run) == "The counts do not reconcile."


def test_a_part_told_twice_does_not_reconcile():
    run = a_run()
    twice = (replace(run.parts[0], part_id=2), *run.parts[1:])
    assert run.reconciles
    assert not replace(run, parts=twice).reconciles


def test_a_line_without_a_simulated_belt_has_no_ledger_on_its_page():
    parts = tuple(replace(one, came_out=None, fate=None, bad=None) for one in a_run().parts)
    page = Page(render(a_run(parts=parts, ledger_parts=None, expected=None)))
    assert "ledger" not in page.ids
    assert "errors" not in page.ids


def test_a_run_without_parts_is_a_page_too():
    counts = dict.fromkeys(("announced", "in_flight", "passed", "rejected", "unjudged"), 0)
    page = Page(render(a_run(parts=(), expected=None, ledger_parts=0, **counts)))
    assert page.ids["announced"] == "0"


def test_file_holds_the_page(tmp_path):
    write(a_run(), tmp_path / "report.html")
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == render(a_run())


def test_quantile_is_a_value_that_occurred():
    ordered = np.arange(1.0, 1001.0)
    assert [quantile(ordered, share) for share in (0, 0.5, 0.99, 0.999, 1)] == [
        1,
        500,
        990,
        999,
        1000,
    ]


def test_histogram_counts_every_part_once():
    ordered = np.sort(np.random.default_rng(5).gamma(3, 0.01, 700))
    drawn = charts.histogram(ordered, charts.SLOWEST)
    assert sum(int(bar.title.split()[0].replace(",", "")) for bar in drawn.bars) == 700
    assert [mark.label for mark in sorted(drawn.marks, key=lambda mark: mark.at)] == [
        "p50",
        "p99",
        "p99.9",
    ]
    assert len({mark.row for mark in drawn.marks}) == 3
    assert all(0 <= bar.x < 100 and 0 <= bar.y < 100 for bar in drawn.bars)


@pytest.mark.parametrize("values", [[0.02], [0.02] * 5, [0.0, 0.0], [-0.01, 0.1], [1e-5, 10.0]])
def test_histogram_of_odd_values_stays_in_its_box(values):
    drawn = charts.histogram(np.array(values), charts.SLOWEST)
    assert all(0 <= mark.at <= 100 for mark in (*drawn.marks, *drawn.across, *drawn.up))


def test_throughput_adds_up_to_the_parts():
    run = a_run()
    drawn = charts.throughput(run.parts)
    (top,) = {tick.at for tick in drawn.up if tick is drawn.up[-1]}
    span = max(one.announced_s for one in run.parts)
    rate_of_full_height = float(drawn.up[-1].label)
    parts = sum(
        bar.height / top * rate_of_full_height * bar.width / 100 * span for bar in drawn.bars
    )
    assert parts == pytest.approx(60)


def test_interval_is_drawn_around_its_share_on_the_common_axis():
    (small, large, none), axis = charts.intervals([Rate(0, 1000), Rate(3, 30), Rate(0, 0)])
    assert small.low == small.at == 0 < small.high
    assert large.low < large.at < large.high <= 100
    assert none.at is None
    assert axis[0].label == "0 %"


def test_png_holds_the_pixels_it_was_given():
    rgb = np.random.default_rng(3).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    data = png(rgb)
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", data[16:24]) == (7, 5)
    body = data[41 : 41 + struct.unpack(">I", data[33:37])[0]]
    rows = np.frombuffer(zlib.decompress(body), dtype=np.uint8).reshape(5, 22)
    assert (np.cumsum(rows[:, 1:], axis=0, dtype=np.uint8) == rgb.reshape(5, 21)).all()


@pytest.mark.parametrize(
    ("pixel_format", "red", "blue"),
    [
        ("BayerRG8", (0, 0), (1, 1)),
        ("BayerGR8", (0, 1), (1, 0)),
        ("BayerGB8", (1, 0), (0, 1)),
        ("BayerBG8", (1, 1), (0, 0)),
    ],
)
def test_thumbnail_puts_red_where_the_mosaic_has_it(pixel_format, red, blue):
    raw = np.full((9, 13), 100, dtype=np.uint8)
    raw[red[0] :: 2, red[1] :: 2] = 250
    raw[blue[0] :: 2, blue[1] :: 2] = 10
    small = thumbnail(raw, pixel_format, width=3)
    assert small.shape == (2, 3, 3)
    assert (small == (250, 100, 10)).all()


def test_thumbnail_of_colour_and_grey():
    rgb = np.zeros((8, 8, 3), dtype=np.uint8)
    rgb[..., 0] = 200
    assert (thumbnail(rgb, "RGB8", width=4) == (200, 0, 0)).all()
    assert (thumbnail(rgb, "BGR8", width=4) == (0, 0, 200)).all()
    assert (thumbnail(rgb[..., 0], "Mono8", width=4) == 200).all()
    with pytest.raises(ValueError, match="Mono12p"):
        thumbnail(rgb, "Mono12p")
