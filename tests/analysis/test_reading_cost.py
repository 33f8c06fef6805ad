"""What is said beforehand holds: the runs are counted, and what is too long is refused before any."""

from collections.abc import Callable
from typing import Any

import pytest

from lmcore.analysis import attention_maps, attribute_logits, read_attention, stream_contributions
from lmcore.analysis.attribution.cost import SLOW
from lmcore.analysis.reading_cost import ReadingCost, attention_cost, contributions_cost, logit_parts_cost
from lmcore.errors import InputError, ResourceError
from lmcore.models.load import LoadedModel
from lmcore.settings import MIB
from lmcore.types import Target
from tests.analysis.readers import CASES, TEXT, reader

TAG = CASES["named-entity-recognition"][1]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Callable[[LoadedModel, Callable[[], Any]], int]:
    """Counts how often a whole text goes through the model's forward pass."""

    def count(loaded: LoadedModel, work: Callable[[], Any]) -> int:
        seen = []
        plain = type(loaded.model).forward

        def forward(self: Any, *given: Any, **named: Any) -> Any:
            seen.append(1)
            return plain(self, *given, **named)

        with monkeypatch.context() as patch:
            patch.setattr(type(loaded.model), "forward", forward)
            work()
        return len(seen)

    return count


def test_the_runs_are_those_that_are_said(runs):
    loaded = reader("named-entity-recognition")
    assert runs(loaded, lambda: attention_maps(loaded, TEXT)) == attention_cost(loaded, TEXT).runs == 2
    assert runs(loaded, lambda: stream_contributions(loaded, TEXT)) == contributions_cost(loaded, TEXT).runs == 3
    said = logit_parts_cost(loaded, TEXT, TAG)
    assert runs(loaded, lambda: attribute_logits(loaded, TEXT, TAG)) == said.runs == 4
    assert (said.written, said.tokens) == (0, len(attention_maps(loaded, TEXT).tokens))
    assert not said.slow


def test_what_is_given_as_written_is_not_written_first(runs):
    loaded, (text, target, output) = reader("translation"), CASES["translation"]
    given = attention_cost(loaded, text, output=output)
    assert runs(loaded, lambda: read_attention(loaded, text, output=output)) == given.runs == 2
    assert given.written == 0
    given = contributions_cost(loaded, text, output=output)
    assert runs(loaded, lambda: stream_contributions(loaded, text, output=output)) == given.runs == 2
    given = logit_parts_cost(loaded, text, target, output=output)
    assert runs(loaded, lambda: attribute_logits(loaded, text, target, output=output)) == given.runs == 4
    assert attention_cost(loaded, text).written == 128
    assert contributions_cost(loaded, text).written == loaded.decoding.max_new_tokens
    assert attention_cost(loaded, text, ["encoder"]).written == 0


def test_it_is_said_in_a_sentence():
    assert ReadingCost(2, 1234, 0, 5 * MIB, 1.0).sentence() == (
        "The model reads 1,234 tokens twice; this takes about 5 MiB of memory."
    )
    assert ReadingCost(3, 7, 128, 10, 2 * SLOW).sentence() == (
        "The model writes up to 128 tokens, and then reads 7 tokens 3 times; this takes less than 1 MiB of memory."
    )
    assert ReadingCost(3, 7, 128, 10, 2 * SLOW).slow


def test_it_grows_with_the_text():
    loaded = reader("named-entity-recognition")
    short, long = (logit_parts_cost(loaded, text, TAG) for text in ("Anna told us", "Anna told us " * 4))
    assert long.nbytes > 2 * short.nbytes
    assert long.operations == pytest.approx(short.operations * long.tokens / short.tokens)


def test_what_is_too_long_is_refused_beforehand(monkeypatch):
    loaded = reader("named-entity-recognition")
    with pytest.raises(ResourceError, match="give a text of at most"):
        attention_cost(loaded, TEXT, max_bytes=100)
    monkeypatch.setattr("lmcore.analysis.room.free_bytes", lambda _: 1000)
    with pytest.raises(ResourceError, match="of memory and 0 MiB are free"):
        contributions_cost(loaded, TEXT)
    with pytest.raises(ResourceError, match="of memory and 0 MiB are free"):
        logit_parts_cost(loaded, TEXT, TAG)
    with pytest.raises(InputError, match="The text is empty"):
        logit_parts_cost(loaded, " ", Target("tag", "O", 0, 4))
