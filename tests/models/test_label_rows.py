import pytest
import torch

from lmcore.models.label_rows import Places, label_groups, output_layers, row_places, spread_rows, widened_labels
from lmcore.models.load import load_model
from lmcore.models.start import new_model, start_model
from lmcore.tasks import load_task

CLASSES, SLOTS = load_task("text-classification"), load_task("slot-filling")


@pytest.fixture
def known(tiny_ref, settings):
    return load_model(tiny_ref, task="text-classification", settings=settings)


def test_labels_of_each_output():
    assert label_groups(CLASSES, ("a", "b")) == {"logits": ("a", "b")}
    assert label_groups(SLOTS, ("O", "B-x", "intent:q")) == {"logits": ("O", "B-x"), "intent_logits": ("intent:q",)}
    assert label_groups(load_task("translation"), ()) == {}


@pytest.mark.parametrize(
    ("task", "labels", "found", "wide"),
    [
        (CLASSES, ("m", "z"), ("a", "z"), ("m", "z", "a")),
        (CLASSES, ("a", "b"), ("b",), ("a", "b")),
        (SLOTS, ("O", "B-x", "intent:q"), ("O", "B-a", "intent:p"), ("O", "B-x", "B-a", "intent:q", "intent:p")),
        (load_task("text-generation"), (), (), ()),
    ],
)
def test_known_labels_keep_their_places(task, labels, found, wide):
    assert widened_labels(task, labels, found) == wide


def test_further_classes_leave_the_logits_of_known_ones_as_they_were(known, tiny_folder, topic_frame, settings):
    labels = ("food", "news", "weather", "travel")  # in another order too
    given = (f"folder:{tiny_folder}", CLASSES, topic_frame, labels)
    fresh = start_model(*given, seed=0, settings=settings).model
    assert not torch.equal(fresh.classifier.weight[0], known.model.classifier.weight[0]), "it is no version of the task"


def register(settings, folder, labels):
    from lmcore.models.registry import ModelRegistry

    return ModelRegistry(settings.workspace).register(
        "topics", folder, task="text-classification", facts={"labels": labels}
    )


@pytest.fixture
def version(known, settings, tracked):
    folder = settings.workspace.models / "kept"
    known.model.save_pretrained(folder)
    known.tokenizer.save_pretrained(folder)
    return register(settings, folder, list(known.labels)).ref


def test_a_version_keeps_the_rows_of_its_head(known, version, topic_frame, settings):
    labels = ("food", "news", "weather", "travel")
    one, other = (start_model(version, CLASSES, topic_frame, labels, seed=seed, settings=settings) for seed in (1, 2))
    batch = one.tokenizer(topic_frame["text"].tolist()[:8], padding=True, return_tensors="pt")
    with torch.inference_mode():
        before = known.model(**batch).logits
        after, differently = (model.model.eval()(**batch).logits for model in (one, other))
    places = [labels.index(label) for label in known.labels]
    assert torch.allclose(after[:, places], before, atol=1e-6)
    assert not torch.allclose(after[:, 1], differently[:, 1]), "the row of a new class is drawn from the seed"
    assert one.model.config.id2label == dict(enumerate(labels))


def test_a_version_that_knows_other_labels_gets_a_new_head(known, version, topic_frame, settings):
    model = start_model(version, CLASSES, topic_frame, ("food", "news"), seed=1, settings=settings).model
    assert model.classifier.weight.shape[0] == 2
    assert not torch.allclose(model.classifier.weight[0], known.model.classifier.weight[0])


def test_both_heads_of_a_joint_model_are_found(known):
    labels = ("O", "B-x", "intent:q", "intent:r")
    model = new_model("bert-small", SLOTS, known.tokenizer, labels, seed=0)
    wide = ("O", "B-x", "B-y", "intent:q", "intent:r")
    assert output_layers(SLOTS, model, labels) == {"logits": "tagger", "intent_logits": "classifier"}
    assert row_places(SLOTS, model, labels, wide) == {"tagger": Places((0, 1), 3), "classifier": Places((0, 1), 2)}


def test_rows_are_spread_with_zeros_between(known):
    weights = {"classifier.weight": torch.ones(2, 3), "classifier.bias": torch.tensor([1.0, 2.0]), "x": torch.ones(4)}
    spread = spread_rows(weights, {"classifier": Places((2, 0), 3)})
    assert spread["classifier.weight"].tolist() == [[1, 1, 1], [0, 0, 0], [1, 1, 1]]
    assert spread["classifier.bias"].tolist() == [2, 0, 1]
    assert spread["x"] is weights["x"]
    assert weights["classifier.bias"].tolist() == [1, 2]
