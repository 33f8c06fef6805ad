"""TracIn in closed form is the dot product of autograd's gradients."""

import numpy as np
import pytest

from lmcore.analysis import Checkpoint, influential_examples
from lmcore.data.dataset import TextDataset
from lmcore.errors import DataError, InputError, OptionError
from lmcore.models import load_model
from lmcore.tasks import load_task
from tests.analysis.planted import ENGLISH, labelled_frame, planted_classifier

TEXT = "we had some soup and bread today"


def head(model):
    return model.classifier


def gradient(loaded, text, label):
    """Return autograd's gradient of one row's loss with respect to the last layer, as one vector."""
    import torch

    task = load_task(loaded.task)
    frame = labelled_frame([text], [label])
    gold = torch.from_numpy(np.asarray(task.gold(frame, loaded.labels)))
    layer = head(loaded.model)
    for parameter in layer.parameters():
        parameter.requires_grad_(True)
    encodings = task.encode(loaded.tokenizer, frame, loaded.max_length)
    ids = torch.tensor(encodings.ids)
    logits = loaded.model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.double()
    if task.exclusive:
        loss = torch.nn.functional.cross_entropy(logits, gold)
    else:
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, gold.double())
    parts = torch.autograd.grad(loss, list(layer.parameters()))
    for parameter in layer.parameters():
        parameter.requires_grad_(False)
    return torch.cat([part.double().reshape(-1) for part in parts]).numpy()


@pytest.fixture(scope="module")
def topic_part(topics):
    return TextDataset("topics", "text-classification", topics.part("train").frame.head(24))


def test_it_is_the_dot_product_of_autograds_gradients(tiny_loaded, topic_part):
    found = influential_examples(tiny_loaded, TEXT, topic_part, k=24)
    own = gradient(tiny_loaded, TEXT, found.label)
    frame = topic_part.frame.set_index("id")
    assert len(found.rows) == 24
    for row in found.rows.itertuples():
        expected = float(own @ gradient(tiny_loaded, *frame.loc[row.id, ["text", "label"]]))
        assert row.influence == pytest.approx(expected, abs=1e-5, rel=1e-5)
        assert row.helps == (row.influence > 0)
    assert "one checkpoint" in found.method


def test_several_labels_of_a_row(tiny_folder, settings, topic_part):
    loaded = load_model(f"folder:{tiny_folder}", task="multi-label-classification", settings=settings)
    frame = topic_part.frame.assign(label=["food|travel" if n % 2 else "-" for n in range(24)])
    data = TextDataset("topics", "multi-label-classification", frame)
    found = influential_examples(loaded, TEXT, data, label="food|weather", k=24)
    own = gradient(loaded, TEXT, "food|weather")
    rows = frame.set_index("id")
    for row in found.rows.itertuples():
        expected = float(own @ gradient(loaded, *rows.loc[row.id, ["text", "label"]]))
        assert row.influence == pytest.approx(expected, abs=1e-5, rel=1e-5)


def test_checkpoints_are_summed_by_their_learning_rates(tiny_loaded, tiny_folder, settings, topic_part):
    import torch

    other = load_model(f"folder:{tiny_folder}", task="text-classification", settings=settings)
    with torch.no_grad():
        other.model.classifier.weight.mul_(-0.5)
    moments = [Checkpoint(tiny_loaded, 0.1), Checkpoint(other, 0.02)]
    label = influential_examples(tiny_loaded, TEXT, topic_part).label
    both = influential_examples(tiny_loaded, TEXT, topic_part, checkpoints=moments, label=label, k=24)
    one, two = (
        influential_examples(m.loaded, TEXT, topic_part, label=label, k=24).rows.set_index("id")["influence"]
        for m in moments
    )
    expected = 0.1 * one + 0.02 * two
    found = both.rows.set_index("id")["influence"]
    assert found.to_numpy() == pytest.approx(expected.loc[found.index].to_numpy(), rel=1e-6)
    assert "summed over 2 checkpoints" in both.method


def test_learning_the_most_helpful_row_helps_most(tiny_loaded, tiny_folder, settings, topic_part):
    """One step of the last layer on each row: what TracIn predicts to first order is what happens."""
    import torch

    found = influential_examples(tiny_loaded, TEXT, topic_part, k=24)
    frame, rate = topic_part.frame.set_index("id"), 1e-3
    ids = torch.tensor(tiny_loaded.tokenizer([TEXT])["input_ids"])
    gold = torch.tensor([tiny_loaded.labels.index(found.label)])

    def loss(model):
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits
        return float(torch.nn.functional.cross_entropy(logits.double(), gold))

    before, fallen = loss(tiny_loaded.model), []
    layer = head(tiny_loaded.model)
    kept = {name: value.clone() for name, value in layer.state_dict().items()}
    for row in found.rows.itertuples():
        step = torch.from_numpy(gradient(tiny_loaded, *frame.loc[row.id, ["text", "label"]])).float() * rate
        with torch.no_grad():
            layer.weight -= step[: layer.weight.numel()].reshape(layer.weight.shape)
            layer.bias -= step[layer.weight.numel() :]
        fallen.append((before - loss(tiny_loaded.model)) / rate)
        layer.load_state_dict(kept)
    assert np.corrcoef(fallen, found.rows["influence"])[0, 1] > 0.99


def test_rows_with_the_planted_word_speak_for_it():
    loaded = planted_classifier("superb", "dreadful", ENGLISH)
    texts = [
        "the film was superb",
        "superb film",
        "the film was dreadful",
        "we left early",
        "superb and early",
        "dreadful film",
    ]
    data = TextDataset(
        "films", "text-classification", labelled_frame(texts, ["good", "good", "bad", "bad", "bad", "bad"])
    )
    found = influential_examples(loaded, "a superb film", data)
    helping = found.rows[found.rows["helps"]]["text"].tolist()
    assert found.label == "good"
    assert found.rows.iloc[0]["text"] == "superb and early"
    assert not found.rows.iloc[0]["helps"], "it is the same word with the other label"
    assert "superb film" in helping


def test_a_row_is_left_out_and_rows_without_a_label_too(tiny_loaded, topic_part):
    frame = topic_part.frame.copy()
    frame.loc[3, "label"] = ""
    data = TextDataset("topics", "text-classification", frame)
    row = int(frame["id"].iloc[5])
    found = influential_examples(tiny_loaded, frame["text"].iloc[5], data, row=row, k=24)
    assert {row, int(frame["id"].iloc[3])}.isdisjoint(found.rows["id"])
    assert found.searched == 22


def test_a_pass_over_the_rows_leaves_no_hook_on_the_model(tiny_loaded, topic_part):
    influential_examples(tiny_loaded, TEXT, topic_part)
    assert not any(module._forward_pre_hooks for module in tiny_loaded.model.modules())


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        ({"text": ""}, InputError, "text is empty"),
        ({"k": 0}, OptionError, "rows is 0"),
        ({"label": "sport"}, DataError, "'sport'"),
    ],
)
def test_what_cannot_be_answered_is_refused(tiny_loaded, topic_part, change, error, said):
    options = {"text": TEXT, **change}
    with pytest.raises(error, match=said):
        influential_examples(tiny_loaded, options.pop("text"), topic_part, **options)


def test_other_tasks_data_and_checkpoints_are_refused(tiny_loaded, tiny_folder, settings, topic_part):
    with pytest.raises(InputError, match="no trained head"):
        influential_examples(load_model(f"folder:{tiny_folder}", task="", settings=settings), TEXT, topic_part)
    tagger = load_model(f"folder:{tiny_folder}", task="multi-label-classification", settings=settings)
    with pytest.raises(DataError, match="take the data of its training"):
        influential_examples(tagger, TEXT, topic_part)
    with pytest.raises(OptionError, match="no checkpoint of"):
        influential_examples(tiny_loaded, TEXT, topic_part, checkpoints=[Checkpoint(tagger)])
    with pytest.raises(OptionError, match="learning rate is 0"):
        influential_examples(tiny_loaded, TEXT, topic_part, checkpoints=[Checkpoint(tiny_loaded, 0)])
