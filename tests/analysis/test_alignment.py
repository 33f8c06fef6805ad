import numpy as np
import pytest

from lmcore.analysis import align_words
from lmcore.errors import InputError, OptionError
from lmcore.models.linking import find_links
from tests.analysis.told import rises_and_stops
from tests.tasks.speakers import speaker


@pytest.fixture(scope="module")
def loaded():
    return speaker("text-alignment", encoder=True)


@pytest.mark.parametrize("method", ["argmax", "itermax", "softmax"])
def test_a_sentence_is_aligned_with_itself(loaded, method):
    found = align_words(loaded, "Anna told us, Ben!", "Anna told us, Ben!", layer=1, method=method)
    assert found.source == ("Anna", "told", "us", ",", "Ben", "!")
    assert np.diag(found.similarity) == pytest.approx(np.ones(6), abs=1e-5)
    assert {(n, n) for n in range(6)} <= set(found.links)
    assert set(found.links) == set(zip(*np.nonzero(find_links(found.similarity, method)), strict=True))


def test_the_frame_has_every_pair(loaded):
    found = align_words(loaded, "Anna told", "us Ben told")
    frame = found.to_frame()
    assert len(frame) == 6
    assert frame["linked"].sum() == len(found.links)
    assert (found.layer, found.method, found.truncated) == (1, "argmax", False)
    other = align_words(loaded, "Anna told", "us Ben told", layer=0)
    assert other.fingerprint != found.fingerprint


def test_what_cannot_be_aligned_is_refused(loaded):
    with pytest.raises(InputError, match="The target has no words"):
        align_words(loaded, "Anna", " ")
    with pytest.raises(OptionError, match="The layer is 9: give 0 to 2"):
        align_words(loaded, "Anna", "Ben", layer=9)
    with pytest.raises(OptionError, match="threshold"):
        align_words(loaded, "Anna", "Ben", threshold=0.1)


def test_it_can_be_stopped_between_the_two_texts(loaded):
    told = rises_and_stops(lambda report: align_words(loaded, "Anna told us", "Ben told us on day 7", report=report))
    assert told.links == align_words(loaded, "Anna told us", "Ben told us on day 7").links
