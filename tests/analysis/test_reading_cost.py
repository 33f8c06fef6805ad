"""What is said beforehand holds: the runs are counted, and what is too long is refused before any."""

from collections.abc import Callable
from typing import Any

import pytest

from lmcore.analysis import (
    attention_maps,
    attribute,
    attribute_logits,
    measure_faithfulness,
    read_attention,
    stream_contributions,
)
from lmcore.analysis.attribution.cost import SLOW
from lmcore.analysis.reading_cost import ReadingCost, attention_cost, contributions_cost, flow_cost, logit_parts_cost
from lmcore.analysis.trust_cost import CONTRIBUTIONS_COST, PARTS_COST, asked_besides
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
    assert ReadingCost(2, 1, 1, 10, 1.0).sentence() == (
        "The model writes up to 1 token, and then reads 1 token twice; this takes less than 1 MiB of memory."
    )


def test_the_flows_are_counted():
    loaded, (text, _, output) = reader("translation"), CASES["translation"]
    read = len(read_attention(loaded, text, output=output)["encoder"].tokens)
    rows = len(read_attention(loaded, text, output=output)["decoder"].rows)
    assert flow_cost(loaded, text, "encoder") == f"It then finds {read * read} flows, less than a second."
    assert flow_cost(loaded, text, "encoder", one=True) == f"It then finds {read} flows, less than a second."
    assert flow_cost(loaded, text, "decoder", output=output).startswith(f"It then finds {rows * rows} flows, ")
    assert flow_cost(loaded, text, "decoder").startswith("It then finds up to 16,384 flows, about ")
    assert flow_cost(loaded, text, "encoder", one=True, judged=True).startswith(f"It then finds {13 * read} flows, ")


@pytest.mark.parametrize(("kind", "about"), [("contributions", range(12, 25)), ("logits", range(25, 50))])
def test_measuring_the_trust_takes_about_as_many_runs_as_are_said(runs, kind, about):
    loaded = reader("named-entity-recognition")
    found = stream_contributions(loaded, TEXT) if kind == "contributions" else attribute_logits(loaded, TEXT, TAG)
    assert runs(loaded, lambda: measure_faithfulness(loaded, found)) in about
    said = asked_besides(CONTRIBUTIONS_COST if kind == "contributions" else PARTS_COST)
    assert said.startswith("Besides, --trust edits the text")
    assert ("some twenty" if kind == "contributions" else "some forty") in said


@pytest.mark.parametrize("task", ["text-classification", "named-entity-recognition", "question-answering"])
def test_an_output_of_a_model_that_writes_nothing_is_refused(task):
    loaded, (text, _, _) = reader(task), CASES[task]
    for work in (contributions_cost, logit_parts_cost, stream_contributions, attribute_logits, attribute):
        with pytest.raises(InputError, match="writes nothing and has no output: leave it out"):
            work(loaded, text, output="x")


def test_a_decoder_goes_on_behind_its_text():
    loaded = reader("completion")
    assert stream_contributions(loaded, "Ben told us", output=" on day").output == " on day"
    assert contributions_cost(loaded, "Ben told us", output=" on day").written == 0


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
