"""No document may bring the evaluator down: an error or a value, on 512 KiB of stack."""

import pytest

from . import hostile, ours

DOCUMENTS = hostile.everything()


@pytest.fixture(scope="module", autouse=True)
def driver():
    return ours.driver()


@pytest.mark.parametrize("what", DOCUMENTS)
def test_a_hostile_document_ends_in_an_error_or_a_value(what, tmp_path):
    path = tmp_path / what
    path.write_bytes(DOCUMENTS[what])
    # 1 s is the goal of a release build; only what hangs comes to the end of this one's patience.
    took_s, came = hostile.attack(path)
    print(f"{took_s:.3f} s: {came[:200]}")
