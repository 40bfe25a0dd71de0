"""We answer as the reference does, but where `known.toml` says why not.

`python -m tests.genapi.agreement --list` prints the shares and every difference without a name.

Producers' own documents always; the corpus of real cameras where it lies beside the checkout
(`SMARTQC_DATA`), a part of it unless ``--run-slow`` is given.
"""

import functools
import tempfile
from pathlib import Path

import pytest

from . import documents
from .agreement import Result, agree, gone, short, table

QUICK = {"sequences": 6, "length": 40, "all_nodes": False}
THOROUGH = {"sequences": 40, "length": 60, "all_nodes": False}
QUICK_CORPUS = (
    "Basler-acA1300-30gm",
    "FLIR_SC6700",
    "AVT_Mako_G507B",
    "PCO1600",
    "arv-fake-camera",
)


def check(result: Result):
    assert result.refused is None, result.refused
    assert result.ours_refused is None, result.ours_refused
    assert result.asked["access"] > 0
    unnamed = [*map(str, result.unnamed[:30]), table([result])]
    assert not result.unnamed, "\n".join(["known.toml does not name:", *unnamed])


@pytest.mark.parametrize("image", "AB")
@pytest.mark.parametrize("name", documents.PRODUCERS)
def test_we_agree_on_a_producers_documents(name, image, tmp_path):
    if documents.producer(name) is None:
        pytest.skip(f"needs a producer: set {documents.PRODUCERS[name]}")
    found = documents.of_producer(name, tmp_path)
    assert found
    for path in found:
        check(agree(path, image, **QUICK))


def corpus_or_nothing(names):
    if documents.corpus():
        return names
    why = pytest.mark.skip(reason=f"needs the camera descriptions of {documents.CORPUS}")
    return [pytest.param("none", marks=why)]


@pytest.mark.parametrize("image", "AB")
@pytest.mark.parametrize("name", corpus_or_nothing(QUICK_CORPUS))
def test_we_agree_on_some_cameras(name, image, tmp_path):
    check(agree(documents.unpacked(name, tmp_path), image, **QUICK))


@functools.cache
def thorough(name: str, image: str) -> Result:
    with tempfile.TemporaryDirectory() as folder:
        return agree(documents.unpacked(name, Path(folder)), image, **THOROUGH)


@pytest.mark.slow
@pytest.mark.parametrize("image", "AB")
@pytest.mark.parametrize("name", corpus_or_nothing(documents.corpus()))
def test_we_agree_on_all_cameras(name, image):
    result = thorough(name, image)
    if result.refused:
        assert result.ours_refused is None, (
            "a document that the reference refuses is still a camera"
        )
        return
    check(result)


@pytest.mark.slow
@pytest.mark.parametrize("names", corpus_or_nothing([documents.corpus()]))
def test_what_differs_is_little_and_all_that_is_named_occurs(names):
    results = [thorough(name, image) for name in names for image in "AB"]
    assert not short(results), table(results)
    assert not gone(results)
