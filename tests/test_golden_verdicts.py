"""What a golden part's verdict must not depend on, and what is said of how a part lies."""

import csv

import pytest
from typer.testing import CliRunner

import smartqc
from smartqc.cli import app
from smartqc.errors import ConfigError
from test_golden import SIDE, board, marred, moved, recipe, write


def test_a_reference_is_its_own_pictures_alone(tmp_path):
    model = smartqc.Model(recipe(tmp_path), base=tmp_path, workers=1)
    other = write(tmp_path / "other.png", board(4))
    pictures = [board(), board(4), board(), board(4)]
    judged = model.judge(pictures, references=[{}, {"reference": other}, {}, {}])
    assert list(judged.verdicts) == ["pass", "pass", "pass", "unjudged"]


def test_how_a_part_lies_is_told_whatever_its_verdict(tmp_path):
    model = smartqc.Model(recipe(tmp_path, radius_px=8), base=tmp_path, workers=1)
    good, far = model.judge([moved(board(), 5, -3), moved(board(), 20, 0)])
    (fit,) = good.view.fits
    assert (fit["whole"], fit["residual"], fit["at_limit"]) == ((5, -3), 0.0, 0.0)
    assert fit["cells"] == ((5, 5), (-3, -3))
    assert fit["compared"] == pytest.approx((SIDE - 5) * (SIDE - 3) / SIDE**2)
    assert (far.verdict, far.view.reason) == ("unjudged", "misaligned")
    assert far.view.fits[0]["at_limit"] == 1.0


def test_a_part_too_little_of_which_is_in_view_is_not_judged(tmp_path):
    part = moved(board(), 40, 0)
    told = {"radius_px": 64}
    (one,) = smartqc.Model(recipe(tmp_path, **told), base=tmp_path, workers=1).judge([part])
    assert (one.verdict, one.view.reason) == ("unjudged", "misaligned")
    told["least_compared"] = 0.7
    (one,) = smartqc.Model(recipe(tmp_path, **told), base=tmp_path, workers=1).judge([part])
    assert one.verdict == "pass"
    for said, key in (({"least_compared": 2}, "least_compared"), ({"local_px": 13}, "local_px")):
        with pytest.raises(ConfigError, match=f"golden.{key}"):
            smartqc.Model(recipe(tmp_path, **said), base=tmp_path, workers=1)


def test_a_study_says_how_its_worst_pictures_lie(tmp_path):
    write(tmp_path / "good.png", moved(board(), 3, 1))
    write(tmp_path / "bad.png", marred(board()))
    write(tmp_path / "board.png", board())
    with (tmp_path / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", "truth"], ["good.png", "pass"], ["bad.png", "spur"]])
    (tmp_path / "recipe.toml").write_text(
        'schema = 1\nproduct = "board"\n[[model]]\n'
        f'prepare = {{ resize = "nearest", size = [{SIDE}, {SIDE}] }}\n'
        '[model.golden]\nimage = "board.png"\n'
    )
    paths = [str(tmp_path / name) for name in ("recipe.toml", "", "labels.csv")]
    done = CliRunner().invoke(app, ["eval", *paths])
    assert done.exit_code == 0, done.output
    assert "whole +3, +1 px" in done.output and "% differs" in done.output
