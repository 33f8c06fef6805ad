import numpy as np
import pytest
import torch

from lmcore.errors import InputError, OptionError
from lmcore.models.catalogue import check_architecture
from lmcore.models.configured import train_tokenizer
from lmcore.models.encode import pad_batch
from lmcore.models.load import load_model
from lmcore.models.pooled import build_classifier
from lmcore.models.start import new_model, start_model
from lmcore.tasks import TASKS, load_task
from lmcore.types import ModelRef

TASK = load_task("text-classification")


@pytest.fixture(scope="module")
def tokenizer(topic_frame):
    return train_tokenizer(topic_frame["text"].tolist(), vocabulary=300, max_length=64)


def test_the_same_seed_gives_the_same_weights_and_leaves_the_global_state_alone(tokenizer):
    torch.manual_seed(3)
    before, other_before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    models = [new_model("bert-small", TASK, tokenizer, ["a", "b"], seed=seed) for seed in (1, 1, 2)]
    assert torch.equal(torch.get_rng_state(), before)
    assert np.random.get_state()[1].tolist() == other_before
    one, same, other = (model.bert.encoder.layer[0].output.dense.weight for model in models)
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_a_model_from_a_configuration_has_the_tasks_labels(tokenizer):
    model = new_model("bert-small", TASK, tokenizer, ["a", "b", "c"], seed=0)
    assert model.config.id2label == {0: "a", 1: "b", 2: "c"}
    assert model.config.label2id == {"a": 0, "b": 1, "c": 2}
    assert not model.training


def test_a_new_head_on_trained_weights_is_drawn_from_the_seed(tiny_ref, topic_frame, settings):
    given = (tiny_ref, TASK, topic_frame, ("x", "y"))
    one, same, other = (start_model(*given, seed=seed, settings=settings).model for seed in (1, 1, 2))
    assert torch.equal(one.classifier.weight, same.classifier.weight)
    assert not torch.equal(one.classifier.weight, other.classifier.weight)
    assert torch.equal(one.bert.embeddings.word_embeddings.weight, other.bert.embeddings.word_embeddings.weight)
    assert all(parameter.requires_grad for parameter in one.parameters())


def test_a_kept_tokenizer_is_taken_up(topic_frame, settings, tmp_path, monkeypatch):
    given = {"seed": 0, "settings": settings, "tokenizer_folder": tmp_path / "tokenizer"}
    first = start_model("config:bert-small", TASK, topic_frame, ("x", "y"), **given)
    monkeypatch.setattr("lmcore.models.configured.train_tokenizer", None)
    again = start_model("config:bert-small", TASK, topic_frame, ("x", "y"), **given)
    assert again.tokenizer.get_vocab() == first.tokenizer.get_vocab()
    for one, other in zip(first.model.parameters(), again.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_packed_file_without_a_head_for_the_task_is_refused(topic_frame, settings, tmp_path):
    path = tmp_path / "x.gguf"
    path.write_bytes(b"GGUF")
    with pytest.raises(InputError, match="its file cannot be read, or lacks a head for it"):
        start_model(f"gguf:{path}", TASK, topic_frame, ("x", "y"), seed=0, settings=settings)


def test_an_architecture_that_cannot_do_the_task_is_refused(monkeypatch):
    monkeypatch.setitem(TASKS["text-classification"].facts, "architectures", ["decoder"])
    with pytest.raises(OptionError, match="is an encoder and cannot do text-classification"):
        check_architecture(ModelRef("config", "bert-small"), "text-classification")


def test_a_model_without_a_fitting_head_is_refused_in_one_sentence(tiny_folder, topic_frame, settings, tmp_path):
    base = load_model(f"folder:{tiny_folder}", task="", settings=settings)
    sample = pad_batch(base.tokenizer, [[2, 5, 3]])
    build_classifier(base.model, 1, np.zeros((2, 32)), np.zeros(2), ("a", "b"), sample).save_pretrained(tmp_path)
    base.tokenizer.save_pretrained(tmp_path)
    with pytest.raises(
        InputError, match="is of a kind that cannot be trained for question answering: choose a base model"
    ):
        start_model(f"folder:{tmp_path}", load_task("question-answering"), topic_frame, (), seed=0, settings=settings)
