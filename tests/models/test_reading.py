import numpy as np
import pytest
import torch

from lmcore.errors import InputError
from lmcore.models.reading import columns_of, read_row
from lmcore.tasks import load_task
from lmcore.types import Target
from tests.analysis.readers import CASES, TEXT, reader
from tests.tasks.speakers import speaker


@pytest.mark.parametrize("task", CASES)
def test_every_token_shows_its_stretch_of_the_texts(task):
    given, target, output = CASES[task]
    loaded = reader(task)
    reading = read_row(loaded, given, target, output=output)
    columns = columns_of(loaded, given)
    assert reading.tokens.text == "\n".join([*columns.values(), *([output] if output else [])])
    shown = [
        reading.tokens.text[start:end]
        for (start, end), special in zip(reading.tokens.offsets.tolist(), reading.tokens.special, strict=True)
        if not special
    ]
    letters = "".join("".join(shown).split())
    whole = "".join(reading.tokens.text.split())
    assert letters == whole if task != "translation" else whole.startswith(letters)
    assert [t for t, s in zip(reading.tokens.tokens, reading.tokens.special, strict=True) if not s] == shown


def test_a_pair_is_told_apart_though_both_texts_share_their_words():
    loaded = reader("question-answering")
    reading = read_row(loaded, {"question": "Anna told us", "context": "us told Anna us told Anna"})
    first = reading.within(0, 4, "question")
    assert reading.tokens.offsets[first].tolist() == [[0, 4]]
    second = reading.within(8, 12, "context")
    assert reading.tokens.offsets[second].tolist() == [[13 + 8, 13 + 12]]


def test_the_window_with_the_target_is_read():
    loaded = reader("question-answering")
    context = " ".join(f"{TEXT} {n}" for n in range(12))
    start = context.rindex("apples")
    reading = read_row(loaded, {"question": "who", "context": context}, Target("span", "answer", start, start + 6))
    places = reading.within(start, start + 6, "context")
    assert "".join(reading.tokens.tokens[n] for n in places) == "apples"
    with pytest.raises(InputError, match="No token stands at the characters 0 to 4"):
        reading.within(0, 4, "context")


@pytest.mark.parametrize("task", ["translation", "text-generation"])
def test_what_was_written_is_predicted_where_the_reading_says(task):
    """The log probability at the noted places is that of the model's own loss."""
    from lmcore.analysis.runs import run_tokens

    given, _, output = CASES[task]
    loaded = reader(task)
    reading = read_row(loaded, given, output=output)
    written = reading.written
    logits = run_tokens(loaded, [reading]).logits[0].log_softmax(-1)
    own = -logits[torch.from_numpy(written.at), torch.from_numpy(written.ids)].mean()
    ids = torch.from_numpy(reading.tokens.ids)
    if task == "translation":
        labels = torch.from_numpy(written.ids)[None]
        wanted = loaded.model(input_ids=ids[None, : reading.first], labels=labels).loss
    else:
        labels = ids.clone()
        labels[: len(ids) - len(written)] = -100
        wanted = loaded.model(input_ids=ids[None], labels=labels[None]).loss
    assert own.item() == pytest.approx(wanted.item(), abs=1e-5)
    shown = [token for token, (a, b) in zip(written.tokens, written.offsets.tolist(), strict=True) if b > a]
    assert "".join("".join(shown).split()) == "".join(output.split())


def test_a_gap_is_a_place_without_a_token():
    loaded = speaker("completion", encoder=True)
    reading = read_row(loaded, "Anna told [MASK] on day [MASK]")
    assert reading.written.ids.tolist() == [-1, -1]
    assert {int(reading.tokens.ids[place]) for place in reading.written.at} == {loaded.tokenizer.mask_token_id}


def test_of_a_long_text_the_window_with_the_gap_is_read():
    loaded = speaker("completion", encoder=True, max_length=16)
    reading = read_row(loaded, f"{' '.join(f'{TEXT} {n}' for n in range(9))} cats drums")
    assert reading.tokens.tokens[-4:-1] == ("cats", "drums", "[MASK]")
    assert reading.written.at.tolist() == [len(reading) - 2]
    assert "only its end was read" in reading.tokens.cut_note


def test_the_words_of_an_output_are_not_taken_for_those_of_a_text_that_was_cut():
    loaded = speaker("text-generation", max_length=12)
    output = " told us on day 7 that nothing is as"
    reading = read_row(loaded, "Anna told us on day 7 that nothing is as good as apples", output=output)
    first = len(reading.tokens.text) - len(output)
    written = reading.tokens.tokens[len(reading) - len(reading.written) :]
    assert "".join(written) == output
    assert reading.tokens.offsets[-len(written) :, 0].min() == first
    before = "".join(reading.tokens.tokens[: len(reading) - len(written)])
    assert before
    assert reading.tokens.text[: first - 1].endswith(before)


@pytest.mark.parametrize("given", ["", "  \n", {"question": "who", "context": " "}])
def test_empty_texts_are_refused(given):
    task = "text-classification" if isinstance(given, str) else "question-answering"
    with pytest.raises(InputError, match="is empty: give one to analyse"):
        read_row(reader(task), given)


def test_a_model_without_a_head_is_refused():
    from dataclasses import replace

    with pytest.raises(InputError, match="has no trained head"):
        read_row(replace(reader("text-classification"), task=""), "some words")


def test_targets_come_from_the_task():
    from lmcore.types import Prediction, Span

    tags = load_task("named-entity-recognition").targets(Prediction(0, spans=(Span(0, 4, "person"),)))
    assert tags == [Target("tag", "B-person", 0, 4), Target("tag", "B-person", 0, 4, against="O")]
    phrases = load_task("translation").targets(Prediction(0, text="eins zwei"))
    assert phrases == [
        Target("phrase", "eins", 0, 4),
        Target("phrase", "zwei", 5, 9),
        Target("phrase", "eins zwei", 0, 9),
    ]
    assert np.all([t.kind == "span" for t in load_task("question-answering").targets(Prediction(0))])
