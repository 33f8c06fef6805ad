"""Texts that people type by accident or to break things: every analysis answers, or says in one sentence why not."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from lmcore.analysis import attention_maps, attribute, extract_activations, logit_lens, token_probabilities
from lmcore.errors import LmError
from tests.analysis.readers import TEXT, reader

ODD = {
    "one token": "on",
    "one character": "a",
    "only unknown": "☃☃☃ ☃",
    "right to left": "مرحبا بالعالم",
    "emoji split over bytes": "on day 👩‍👩‍👧‍👦 7",
    "very long": "Anna told us on day 7 " * 4600,
    "Chinese": "服务很好，味道也不错",
    "control characters": "Anna\u0000 told\u200b us\u202e on",
}
TASKS = ("text-classification", "text-generation", "completion")


def explain(task, text):
    options = {} if task == "text-classification" else {"output": " day"} if task == "text-generation" else {}
    return attribute(reader(task), text, steps=4, **options)


def is_one_sentence(said):
    assert said.endswith(".")
    assert said.count(". ") == 0, said
    assert len(said) < 300


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("task", TASKS)
def test_odd_texts_are_explained_or_refused_in_one_sentence(task, name):
    try:
        found = explain(task, ODD[name])
    except LmError as error:
        is_one_sentence(str(error))
        return
    assert np.isfinite(found.scores).all()
    assert len(found.scores) == len(found.tokens)
    assert found.truncated == (name == "very long")


@pytest.mark.parametrize("name", ODD)
def test_the_inside_of_odd_texts(name):
    loaded = reader("completion")
    for look in (
        lambda: attention_maps(loaded, ODD[name]).attentions,
        lambda: extract_activations(loaded, [ODD[name]]).values,
        lambda: logit_lens(loaded, ODD[name]).to_frame().select_dtypes("number").to_numpy(),
    ):
        try:
            found = look()
        except LmError as error:
            is_one_sentence(str(error))
            continue
        assert np.isfinite(np.asarray(found, dtype=float)).all()


@pytest.mark.parametrize("name", [name for name in ODD if name != "very long"])
def test_the_tokens_of_odd_texts_show_the_whole_text(name):
    try:
        frame = token_probabilities(reader("text-generation"), ODD[name]).to_frame()
    except LmError as error:
        is_one_sentence(str(error))
        return
    assert "\ufffd" not in "".join(frame["token"])


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
@pytest.mark.parametrize("task", TASKS)
def test_empty_texts_are_refused(task, text):
    with pytest.raises(LmError, match="empty"):
        explain(task, text)


def test_two_people_explain_on_one_model_at_once():
    loaded = reader("text-classification")
    texts = [TEXT, f"{TEXT} and books", "Ben told us"]
    alone = [attribute(loaded, text, steps=8).scores for text in texts]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda text: attribute(loaded, text, steps=8).scores, texts * 4))
        maps = list(pool.map(lambda text: attention_maps(loaded, text).attentions, texts * 2))
    for number, scores in enumerate(together):
        np.testing.assert_allclose(scores, alone[number % 3], atol=1e-5)
    for number, weights in enumerate(maps):
        np.testing.assert_allclose(weights, maps[number % 3], atol=1e-6)
