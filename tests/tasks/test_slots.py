import numpy as np
import pandas as pd
import pytest

from lmcore.data.load import load_dataset
from lmcore.data.split import split_dataset
from lmcore.errors import DataError
from lmcore.models import load_model
from lmcore.models.joint import JointTagger
from lmcore.serving import Predictor
from lmcore.tasks.slots import SlotFilling
from lmcore.training.config import TrainConfig
from lmcore.training.evaluation import evaluate
from lmcore.training.fit import train
from lmcore.types import Prediction, Span

TASK = SlotFilling()
LABELS = ("O", "B-x", "intent:go", "intent:stop")


def frame(texts, tags, labels):
    rows = {"id": np.arange(len(texts)), "text": texts, "tags": tags, "label": labels}
    return pd.DataFrame(rows).astype({"text": "str", "tags": "str", "label": "str"})


ROWS = frame(["a b", "c", "d e"], ["B-x O", "O", "B-x B-x"], ["go", "stop", "go"])
GIVEN = [
    Prediction(0, "go", 0.9, spans=(Span(0, 1, "x"),)),
    Prediction(1, "go", 0.8),
    Prediction(2, "go", 0.7, spans=(Span(0, 1, "x"),)),
]


def test_labels_are_tags_then_intents():
    assert TASK.labels(ROWS) == LABELS
    assert TASK.tag_names(LABELS) == ["O", "B-x"]
    assert TASK.intent_names(LABELS) == ["go", "stop"]
    assert TASK.model_options(LABELS)["intents"] == 2


def test_known_values():
    values = TASK.measure(ROWS, GIVEN, LABELS)
    assert values == pytest.approx(
        {
            "slot_precision": 1.0,
            "slot_recall": 2 / 3,
            "slot_f1": 0.8,
            "intent_accuracy": 2 / 3,
            "frame_accuracy": 1 / 3,
        }
    )
    scores = TASK.score(ROWS, GIVEN, LABELS, seed=0)
    assert scores.metrics == values
    assert list(values) == [metric.name for metric in TASK.metrics]
    assert all(low <= values[name] <= high for name, (low, high) in scores.intervals.items())
    cells = scores.tables["confusion"].set_index(["gold", "predicted"])["rows"].to_dict()
    assert cells == {("go", "go"): 2, ("go", "stop"): 0, ("stop", "go"): 1, ("stop", "stop"): 0}
    assert scores.tables["by_class"]["label"].unique().tolist() == ["x"]


def test_the_table_says_which_part_is_right():
    table = TASK.table(ROWS, GIVEN)
    assert table["gold"].tolist() == ["go | x: a", "stop", "go | x: d; x: e"]
    assert table["label"].tolist() == ["go | x: a", "go", "go | x: d"]
    assert table[["correct", "intent_correct", "slots_correct"]].to_numpy().tolist() == [
        [True, True, True],
        [False, False, True],
        [False, True, False],
    ]


def test_rows_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="It has only the intent 'go': a classifier needs at least two"):
        TASK.check(ROWS.assign(label="go"), "It")
    with pytest.raises(DataError, match=r"It has no intent that the model knows; it knows: go, stop\."):
        TASK.check(ROWS.assign(label="run"), "It", LABELS)
    with pytest.raises(DataError, match="Row 2 has 1 word and 2 tags"):
        TASK.check(ROWS.assign(tags=["B-x O", "O O", "B-x B-x"]), "It")
    TASK.check(ROWS.assign(label=["go", "run", "go"]), "It", LABELS)


def test_files_of_parallel_lines_are_known_by_their_names():
    lines = {"seq.in": ["fly to oslo", "hi"], "seq.out": ["O O B-to", "O"], "label": [" flight ", "greet"]}
    data = load_dataset(pd.DataFrame(lines), task=TASK.name)
    assert data.frame.loc[0, ["text", "tags", "label"]].tolist() == ["fly to oslo", "O O B-to", "flight"]


@pytest.fixture(scope="module")
def run(train_tiny):
    return train_tiny(TASK.name)


@pytest.fixture(scope="module")
def loaded(run):
    result, settings = run
    return load_model(result.version.ref, settings=settings)


def test_one_model_learns_slots_and_intents(run, loaded):
    result, _ = run
    assert isinstance(loaded.model, JointTagger)
    assert result.metrics["slot_f1"] > 0.9
    assert result.metrics["intent_accuracy"] == 1.0
    baselines = result.evaluation.tables["baselines"].set_index("name")
    assert baselines["frame_accuracy"].max() < result.metrics["frame_accuracy"]
    assert "majority intent" in baselines.index[1]


def test_loaded_again_it_predicts_the_same(run, loaded, orders):
    result, settings = run
    data = split_dataset(load_dataset(orders, task=TASK.name, name="orders"), seed=1)
    again = evaluate(loaded, data, settings=settings)
    assert again.metrics == result.evaluation.metrics
    assert np.allclose(again.predictions["score"], result.evaluation.predictions["score"])


def test_raw_text_is_answered_with_an_intent_and_places_in_the_text(loaded):
    raw, tidy = "Call 7\tfrom Paris  to San Jose", "call 7 from paris to san jose"
    found, same = Predictor(loaded).predict([raw, tidy])
    assert (found.label, same.label) == ("call", "call")
    assert sum(found.probabilities.values()) == pytest.approx(1)
    read = [[(t[s.start : s.end].lower(), s.label) for s in p.spans] for p, t in ((found, raw), (same, tidy))]
    assert read[0] == read[1]
    assert ("paris", "start") in read[0]


def test_a_long_request_has_one_intent_from_all_its_windows(loaded, orders):
    rows = orders[orders["label"] == "send"].head(30)
    whole = rows.head(1).assign(id=5, text=" ".join(rows["text"]), tags=" ".join(rows["tags"]))
    predicted = TASK.predict(loaded, whole)
    assert len(predicted.encodings) > 2
    assert predicted.predictions[0].label == "send"
    encodings = TASK.encode(loaded.tokenizer, whole, 64, loaded.labels)
    intents = TASK.intent_names(loaded.labels)
    assert {intents[n] for n in encodings.fields["intent_labels"]} == {"send"}


def test_a_version_can_be_trained_further_with_a_new_intent(run, orders):
    result, settings = run
    more = orders.head(60).copy()
    more.loc[::6, "label"] = "ask"
    data = split_dataset(load_dataset(more, task=TASK.name, name="more"), seed=0)
    config = TrainConfig("more", task=TASK.name, model=str(result.version.ref), method="full", epochs=1, batch_size=16)
    further = train(config, data, settings=settings)
    assert "ask" in further.version.facts["labels"][-4].removeprefix("intent:")
