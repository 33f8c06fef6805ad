import types

import numpy as np
import pytest
import torch

from lmcore.analysis import attribute
from lmcore.analysis.asked import ask
from lmcore.analysis.runs import Variants, check_embeddings, run_embeddings, run_tokens, target_values, token_embeddings
from lmcore.errors import InputError, UnknownError
from lmcore.tasks.completion import token_name
from lmcore.types import Target
from tests.analysis.readers import CASES, TEXT, reader


@pytest.mark.parametrize("task", CASES)
def test_embeddings_stand_for_tokens(task):
    given, target, output = CASES[task]
    loaded = reader(task)
    asked = ask(loaded, [given], [target], [output])[0]
    check_embeddings(loaded, [asked.reading])
    plain = target_values(loaded, run_tokens(loaded, [asked.reading]), [asked.reading], [target])
    inputs = token_embeddings(loaded, asked.reading)[None]
    embedded = run_embeddings(loaded, [asked.reading], inputs, np.zeros(1, dtype=int))
    assert target_values(loaded, embedded, [asked.reading], [target]) == pytest.approx(plain, abs=1e-4)


@pytest.mark.parametrize("task", ["text-classification", "translation", "text-generation", "question-answering"])
def test_padding_changes_nothing(task):
    """A short text beside a long one has the value that it has alone."""
    given, target, output = CASES[task]
    loaded = reader(task)
    longer = {"question": "who", "context": TEXT * 2} if isinstance(given, dict) else f"{given} {given}"
    first, second = ask(loaded, [given, longer], [target, target], [output, output])
    alone = target_values(loaded, run_tokens(loaded, [first.reading]), [first.reading], [target])[0]
    readings = [first.reading, second.reading]
    both = target_values(loaded, run_tokens(loaded, readings), readings, [target, target])
    assert both[0] == pytest.approx(alone, abs=1e-4)
    assert both[1] != pytest.approx(alone, abs=1e-3)


@pytest.mark.parametrize("task", CASES)
def test_integrated_gradients_add_up_for_every_task(task):
    given, target, output = CASES[task]
    found = attribute(reader(task), given, target, output=output, steps=300, baseline="pad")
    assert found.scores.sum() == pytest.approx(found.value - found.baseline_value, abs=0.02 * max(1, abs(found.value)))
    assert np.abs(found.scores).max() > 1e-4
    assert (found.scores[found.text_tokens.special] == 0).all()


def test_what_follows_a_word_that_was_written_has_no_part_in_it():
    given, target, output = CASES["text-generation"]
    found = attribute(reader("text-generation"), given, target, output=output, steps=8)
    behind = found.text_tokens.offsets[:, 1] > len(given) + 1 + target.start
    assert behind.sum() >= 2
    assert np.abs(found.scores[behind]).max() == 0
    assert np.abs(found.scores[~behind & ~found.text_tokens.special]).min() > 0


def test_a_decoder_is_asked_about_what_it_says_itself():
    loaded = reader("completion")
    asked = ask(loaded, ["Ben told us on day"])[0]
    logits = run_tokens(loaded, [asked.reading]).logits[0, -1]
    assert asked.target == Target("token", token_name(loaded.tokenizer, int(logits.argmax())))
    value = target_values(loaded, run_tokens(loaded, [asked.reading]), [asked.reading], [asked.target])
    assert value == pytest.approx([float(logits.max())], abs=1e-5)


def test_targets_that_are_not_there_are_refused():
    with pytest.raises(UnknownError, match="known: bad, good, odd"):
        ask(reader("text-classification"), [TEXT], [Target("class", "great")])
    with pytest.raises(InputError, match="No token stands at the characters 900 to 904"):
        ask(reader("named-entity-recognition"), [TEXT], [Target("tag", "B-person", 900, 904)])
    with pytest.raises(InputError, match="nothing at the characters 90 to 95"):
        ask(reader("translation"), ["one two"], [Target("phrase", "zehn", 90, 95)], ["eins zwei"])


def test_a_phrase_is_worth_the_sum_of_its_log_probabilities():
    loaded = reader("text-generation")
    given, _, output = CASES["text-generation"]
    whole = Target("phrase", output, 0, len(output))
    asked = ask(loaded, [given], [whole], [output])[0]
    written = asked.reading.written
    out = run_tokens(loaded, [asked.reading])
    logs = out.logits[0].log_softmax(-1)[torch.from_numpy(written.at), torch.from_numpy(written.ids)]
    assert target_values(loaded, out, [asked.reading], [whole])[0] == pytest.approx(float(logs.sum()), abs=1e-5)


def test_the_way_back_from_rows_passes_over_the_batch_once():
    """Slices would each fill zeros for the whole batch: of a language model 5 MB a token, for every pair of rows."""
    logits = torch.arange(12.0, requires_grad=True).reshape(4, 3)
    batch = Variants(types.SimpleNamespace(logits=logits, other=logits + 1))
    rows = [batch[n] for n in range(4)]
    assert [row.logits.tolist() for row in rows] == [[row] for row in logits.tolist()]
    assert rows[2].other.tolist() == [[7.0, 8.0, 9.0]]
    assert len({row.logits.grad_fn for row in rows}) == 1
    (slope,) = torch.autograd.grad(
        torch.stack([(n + 1) * row.logits.sum() for n, row in enumerate(rows)]).sum(), logits
    )
    assert slope[:, 0].tolist() == [1.0, 2.0, 3.0, 4.0]
