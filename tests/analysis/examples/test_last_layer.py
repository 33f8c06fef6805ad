"""The influence of a row is the dot product of autograd's gradients, for every task that learns from rows."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from lmcore.analysis import influential_examples
from lmcore.analysis.examples import last_layer, products
from lmcore.analysis.examples.rows import input_frame
from lmcore.analysis.recipes import Stored, named_data
from lmcore.analysis.recipes.examples import influential_rows
from lmcore.data.dataset import TextDataset
from lmcore.data.store import DatasetStore
from lmcore.errors import Cancelled, DataError, InputError, ResourceError, UnknownError
from lmcore.models.encode import batch_of
from lmcore.models.predict import predict_texts
from lmcore.tasks import load_task
from lmcore.types import Silent
from tests.analysis.planted import planted_classifier
from tests.analysis.readers import reader
from tests.tasks.speakers import speaker

WORDS = "Anna told us on day 7"
TAGS = ["B-person O O O O O", "B-person I-person I-person I-person I-person I-person"]
SAID, SAID_TAGS = ["Ben is good", "nothing as apples"], ["B-person O O", "O O B-person"]
SPOKEN = ["Anna told us on day 7", "Ben told us that nothing is as good", "Cara told us on day 30", "nothing is good"]


def rows_of(*columns):
    """Return a frame from one list a column."""
    names, values = zip(*columns, strict=True)
    frame = pd.DataFrame(dict(zip(names, values, strict=True))).astype("str")
    frame.insert(0, "id", np.arange(len(frame)))
    return frame


def answer(text, context):
    return json.dumps([{"text": text, "start": context.index(text)}])


CONTEXT = "Anna told us on day 7 that nothing is good"
OTHER = "Ben and Cara told us on day 30"
MARKED = [
    "<e1>Anna</e1> told <e2>us</e2>",
    "nothing is as good for <e1>Ben</e1> and for that old cat as <e2>eggs</e2>",
    "on day <e1>7</e1> we saw films with <e2>Dan</e2>",
]
NUMBERS = ["one two three", "four five", "six one"]
WRITTEN = ["eins zwei drei", "vier fünf", "sechs eins"]
CASES = {
    "relation-extraction": (
        MARKED[0], "good",
        rows_of(("text", [MARKED[0], MARKED[0], *MARKED[1:]]), ("label", ["good", "bad", "bad", "good"])),
    ),
    "named-entity-recognition": (
        WORDS, TAGS[0],
        rows_of(("text", [WORDS, WORDS, *SAID]), ("tags", [*TAGS, *SAID_TAGS])),
    ),
    "slot-filling": (
        WORDS, "stop",
        rows_of(
            ("text", [WORDS, WORDS, *SAID]),
            ("tags", [*TAGS, *SAID_TAGS]),
            ("label", ["stop", "go", "go", "stop"]),
        ),
    ),
    "question-answering": (
        {"question": "who told us", "context": CONTEXT}, "Anna",
        rows_of(
            ("question", ["who told us"] * 4),
            ("context", [CONTEXT, CONTEXT, OTHER, OTHER]),
            ("answers", [answer("Anna", CONTEXT), "[]", "[]", answer("Ben", OTHER)]),
        ),
    ),
    "translation": (
        NUMBERS[0], WRITTEN[0],
        rows_of(("source", [NUMBERS[0], NUMBERS[0], *NUMBERS[1:]]), ("target", [WRITTEN[0], "vier", *WRITTEN[1:]])),
    ),
    "text-generation": ("Anna told us", " on day 7", rows_of(("text", SPOKEN))),
    "completion": ("Anna told us on", " day", rows_of(("text", SPOKEN))),
}  # fmt: skip


def gradient(loaded, encodings):
    """Return autograd's gradient of a row's loss with respect to the last layers, as one vector."""
    import torch

    model = loaded.model
    head = model.get_output_embeddings()
    linear = [module for module in model.modules() if isinstance(module, torch.nn.Linear)]
    layers = [head] if head is not None else linear[-2:] if loaded.task == "slot-filling" else linear[-1:]
    kept = {(layer, name): value for layer in layers for name, value in layer.named_parameters()}
    for (layer, name), value in kept.items():  # of its own, where it is the embedding too
        setattr(layer, name, torch.nn.Parameter(value.detach().clone()))
    own = [value for layer in layers for value in layer.parameters()]
    several = [range(len(encodings))] if loaded.task != "question-answering" else [[n] for n in range(len(encodings))]
    batches = [batch_of(loaded.tokenizer, encodings, windows) for windows in several]  # with no padding in their loss
    parts = torch.autograd.grad(sum(model(**batch).loss for batch in batches) / len(batches), own)
    for (layer, name), value in kept.items():
        setattr(layer, name, value)
    return torch.cat([part.double().reshape(-1) for part in parts]).numpy()


def expected(loaded, task, text, said, frame):
    """Return the dot products of the text's gradient with each row's."""
    own = input_frame(task, text)
    asked = gradient(loaded, task.encode_taught(loaded, own, predict_texts(loaded, [text])[0], said))
    return [float(asked @ gradient(loaded, task.encode_learnt(loaded, frame.iloc[[n]]))) for n in range(len(frame))]


def undecided(task):
    """Return a model that holds everything equally probable, so that what differs between rows is what they read and teach."""
    if task == "relation-extraction":  # the mean of its words: a class token of random weights reads all texts alike
        words = " ".join(MARKED).replace("<", " <").replace(">", "> ").lower().split()
        loaded = planted_classifier("anna", "ben", words, task=task)
    else:
        loaded = reader(task)
    for layer in [module for module in loaded.model.modules() if hasattr(module, "out_features")][-2:]:
        layer.weight.mul_(1e-3 if layer.out_features < 6 else 0.1)
        layer.bias.zero_()
    return loaded


def assert_as_autograd(loaded, text, said, frame):
    data = TextDataset("rows", loaded.task, frame)
    found = influential_examples(loaded, text, data, label=said, k=10).rows
    wanted = expected(loaded, load_task(loaded.task), text, said, frame)
    assert len(found) == np.count_nonzero(wanted)
    for row in found.itertuples():
        assert row.influence == pytest.approx(wanted[row.id], rel=1e-4, abs=1e-4 * np.abs(wanted).max())
    return found


@pytest.mark.parametrize("task", list(CASES))
def test_it_is_the_dot_product_of_autograds_gradients(task):
    assert_as_autograd(reader(task), *CASES[task])


@pytest.mark.parametrize(
    "task", ["relation-extraction", "named-entity-recognition", "slot-filling", "question-answering"]
)
def test_a_duplicate_speaks_for_the_answer_most_and_one_with_the_contrary_label_against_it(task):
    (text, said, frame), loaded = CASES[task], undecided(task)
    if task == "slot-filling":  # its tags are those that were found
        own = input_frame(load_task(task), text)
        own = load_task(task).answered(loaded, own, predict_texts(loaded, [text])[0], said)
        frame = frame.assign(tags=[own["tags"].iloc[0], *frame["tags"].iloc[1:]])
    found = assert_as_autograd(loaded, text, said, frame)
    assert (found.loc[found["influence"].idxmax(), "id"], found.loc[found["influence"].idxmin(), "id"]) == (0, 1)
    assert found["influence"].min() < 0


def test_a_pair_or_a_text_that_is_the_answer_itself_speaks_for_what_is_written_most():
    text, said, frame = CASES["translation"]
    found = influential_examples(reader("translation"), text, TextDataset("r", "translation", frame), label=said).rows
    assert found.loc[found["influence"].idxmax(), "id"] == 0
    frame = rows_of(("text", ["Anna told us on day", *SPOKEN[1:]]))
    loaded = speaker("completion")
    found = influential_examples(loaded, "Anna told us on", TextDataset("r", "completion", frame), label=" day").rows
    assert found.loc[found["influence"].idxmax(), "id"] == 0


def test_a_hidden_word_of_an_encoder():
    loaded = speaker("completion", encoder=True)
    found = assert_as_autograd(loaded, "anna told us on [MASK]", "day", rows_of(("text", SPOKEN)))
    assert found["label"].tolist() == [""] * len(found)
    assert_as_autograd(loaded, "anna told us on [MASK]", "", rows_of(("text", SPOKEN)))
    with pytest.raises(InputError, match="2 tokens and the text 1 gap:"):
        assert_as_autograd(loaded, "anna told us on [MASK]", "day day", rows_of(("text", SPOKEN)))


def test_a_decoder_that_writes_in_a_template():
    loaded = replace(speaker("translation"), max_length=100)
    assert_as_autograd(loaded, *CASES["translation"])


@pytest.mark.parametrize("task", ["named-entity-recognition", "question-answering", "text-generation"])
def test_the_windows_of_a_long_row_are_one_row(task):
    text, said, frame = CASES[task]
    loaded = replace(reader(task), max_length={"named-entity-recognition": 6, "question-answering": 14}.get(task, 8))
    assert len(load_task(task).encode_learnt(loaded, frame)) > len(frame)
    assert_as_autograd(loaded, text, said, frame)


@pytest.mark.parametrize("task", ["relation-extraction", "slot-filling", "question-answering"])
def test_a_gradient_that_is_never_made_gives_the_same(task, monkeypatch):
    """What language models are spared, labels are too: one token's factors after the other."""
    monkeypatch.setattr(products, "FEW_OUTPUTS", 0)
    assert_as_autograd(reader(task), *CASES[task])


@pytest.mark.parametrize("task", [name for name in CASES if name != "relation-extraction"])
def test_what_the_model_says_is_the_answer_where_none_is_given(task):
    loaded, (text, _, frame) = reader(task), CASES[task]
    found = influential_examples(loaded, text, TextDataset("rows", task, frame))
    assert found.label
    assert len(found.rows)
    assert replace(found, label="今天很好" * 30).short_label == "今天很好" * 14 + "今天很…"
    assert replace(found, label="one\n two").short_label == "one two"


def test_batches_and_a_row_without_anything_to_learn_change_nothing(monkeypatch):
    loaded, (text, said, frame) = reader("named-entity-recognition"), CASES["named-entity-recognition"]
    more = pd.concat([frame, rows_of(("text", ["Ben"]), ("tags", ["B-thing"])).assign(id=4)], ignore_index=True)
    whole = influential_examples(loaded, text, TextDataset("rows", loaded.task, more), label=said)
    monkeypatch.setattr(last_layer, "BATCH_SIZE", 1)
    single = influential_examples(loaded, text, TextDataset("rows", loaded.task, more), label=said)
    assert whole.rows["id"].tolist() == single.rows["id"].tolist()
    assert 4 not in whole.rows["id"].tolist()
    assert whole.rows["influence"].to_numpy() == pytest.approx(single.rows["influence"].to_numpy(), rel=1e-4)


@pytest.mark.parametrize(
    ("task", "said", "error", "message"),
    [
        ("named-entity-recognition", "O O", DataError, "6 words and 2 tags"),
        ("slot-filling", "fly", UnknownError, "fly"),
        ("question-answering", "Rome", DataError, "'Rome' does not stand anywhere"),
    ],
)
def test_answers_that_cannot_be_are_refused(task, said, error, message):
    text, _, frame = CASES[task]
    with pytest.raises(error, match=message):
        influential_examples(reader(task), text, TextDataset("rows", task, frame), label=said)


def test_rows_without_what_is_to_be_learnt_are_refused_or_left_out():
    text, said, frame = CASES["slot-filling"]
    part = frame.assign(tags=["", *frame["tags"].iloc[1:]])
    found = influential_examples(reader("slot-filling"), text, TextDataset("rows", "slot-filling", part), label=said)
    assert found.searched == 3
    bare = TextDataset("rows", "slot-filling", frame.assign(tags=""))
    with pytest.raises(DataError, match="no row with a label"):
        influential_examples(reader("slot-filling"), text, bare)


def test_a_task_that_learns_from_no_rows_says_so():
    loaded = speaker("text-alignment", encoder=True)
    frame = rows_of(("source", ["a b"]), ("target", ["x y"]), ("links", ["0-0"]))
    with pytest.raises(InputError, match="Text alignment learns nothing from rows"):
        influential_examples(loaded, {"source": "a", "target": "x"}, TextDataset("p", "text-alignment", frame))


def test_what_does_not_fit_is_refused_beforehand_with_the_figures(monkeypatch):
    from lmcore.analysis import room

    text, said, frame = CASES["text-generation"]
    monkeypatch.setattr(room, "free_bytes", lambda loaded: 1000)
    with pytest.raises(ResourceError, match=r"Keeping \d+ learnt tokens of the answer takes about .* give at most \d+"):
        influential_examples(reader("text-generation"), text, TextDataset("r", "text-generation", frame), label=said)
    monkeypatch.setattr(last_layer, "check_query_room", lambda *given: None)
    loaded, task = reader("text-generation"), load_task("text-generation")
    with pytest.raises(ResourceError, match="MiB are free"):
        list(last_layer.last_layer_factors(loaded, task, task.encode_learnt(loaded, frame)))


def test_it_says_how_far_it_is_and_can_be_stopped(monkeypatch):
    heard = []

    class Watch(Silent):
        def progress(self, fraction, message=""):
            heard.append(fraction)

        def check(self):
            if heard:
                raise Cancelled("stopped")

    monkeypatch.setattr(last_layer, "BATCH_SIZE", 1)
    text, said, frame = CASES["completion"]
    with pytest.raises(Cancelled):
        influential_examples(
            reader("completion"), text, TextDataset("r", "completion", frame), label=said, report=Watch()
        )
    assert heard == [0.25]


def test_a_recipe_finds_the_same_rows_again(settings):
    text, said, frame = CASES["question-answering"]
    data = DatasetStore(settings.workspace).save(TextDataset("asked", "question-answering", frame))
    asked = {"text": text, "data": named_data(data), "split": "", "row": None, "label": said, "k": 3}
    first = influential_examples(reader("question-answering"), text, data, label=said, k=3, split="")
    again = influential_rows(reader("question-answering"), Stored.of(settings), **json.loads(json.dumps(asked)))
    assert again.fingerprint == first.fingerprint
    pd.testing.assert_frame_equal(again.rows, first.rows)
