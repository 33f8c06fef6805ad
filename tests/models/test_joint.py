import json

import pytest
import torch

from lmcore.errors import InputError
from lmcore.models.catalogue import MODELS
from lmcore.models.configured import bert_config
from lmcore.models.joint import AutoJointTagger, JointTagger
from lmcore.models.load import load_model, read_layers
from lmcore.models.shape import Shape
from lmcore.tasks.slots import SlotFilling

TASK = SlotFilling()
LABELS = ("O", "B-x", "I-x", "intent:go", "intent:stop")


@pytest.fixture
def built(tiny_loaded):
    """A joint model with random weights on the small model's configuration."""
    config = bert_config(tiny_loaded.tokenizer, layers=2, width=32, heads=4)
    for name, value in TASK.model_options(LABELS).items():
        setattr(config, name, value)
    torch.manual_seed(0)
    return AutoJointTagger.from_config(config).eval()


@pytest.fixture
def saved(built, tiny_loaded, tmp_path):
    built.save_pretrained(tmp_path / "joint")
    tiny_loaded.tokenizer.save_pretrained(tmp_path / "joint")
    return tmp_path / "joint"


BATCH = {
    "input_ids": torch.tensor([[2, 9, 10, 3], [2, 9, 3, 0]]),
    "attention_mask": torch.tensor([[1] * 4, [1, 1, 1, 0]]),
}


def test_it_has_a_head_for_tags_and_one_for_intents(built):
    out = built(**BATCH)
    assert (out.logits.shape, out.intent_logits.shape) == ((2, 4, 3), (2, 2))
    assert out.loss is None
    alone = built(input_ids=BATCH["input_ids"][1:, :3])
    torch.testing.assert_close(alone.intent_logits[0], out.intent_logits[1])
    torch.testing.assert_close(alone.logits[0], out.logits[1, :3])


def test_the_loss_is_the_sum_of_both_and_what_is_not_to_be_learnt_does_not_count(built):
    labels = torch.tensor([[-100, 1, 2, -100], [-100, 0, -100, -100]])
    intents = torch.tensor([1, -100])
    out = built(**BATCH, labels=labels, intent_labels=intents)
    tags = torch.nn.functional.cross_entropy(out.logits.flatten(0, 1), labels.flatten())
    wanted = tags + torch.nn.functional.cross_entropy(out.intent_logits[:1], intents[:1])
    torch.testing.assert_close(out.loss, wanted)
    none = built(**BATCH, labels=torch.full((2, 4), -100), intent_labels=torch.full((2,), -100))
    assert none.loss.item() == 0.0


def test_saved_and_loaded_it_says_the_same(built, saved, settings):
    loaded = load_model(f"folder:{saved}", task="slot-filling", settings=settings)
    assert isinstance(loaded.model, JointTagger)
    assert loaded.labels == LABELS
    assert (loaded.layers, read_layers(f"folder:{saved}", settings)) == (2, 2)
    torch.testing.assert_close(loaded.model(**BATCH).logits, built(**BATCH).logits)
    torch.testing.assert_close(loaded.model(**BATCH).intent_logits, built(**BATCH).intent_logits)
    assert json.loads((saved / "config.json").read_text())["model_type"] == "lmscope-joint-tagger"


def test_its_encoder_can_be_had_alone_with_hidden_states_and_attention(saved, built, settings):
    base = load_model(f"folder:{saved}", task="", settings=settings)
    with base.attention("eager") as twin:
        out = twin(**BATCH, output_hidden_states=True, output_attentions=True)
    assert (len(out.hidden_states), len(out.attentions)) == (3, 2)
    torch.testing.assert_close(out.last_hidden_state, built.encoder(**BATCH).last_hidden_state)


def test_an_encoder_without_heads_is_refused_and_can_be_given_new_ones(tiny_folder, tiny_loaded, settings):
    with pytest.raises(InputError, match="has no trained head for slot-filling: train it first"):
        load_model(f"folder:{tiny_folder}", task="slot-filling", settings=settings)
    model = AutoJointTagger.from_pretrained(tiny_folder, local_files_only=True, **TASK.model_options(LABELS))
    torch.testing.assert_close(
        model.encoder(**BATCH).last_hidden_state, tiny_loaded.model.base_model(**BATCH).last_hidden_state
    )
    assert model.tagger.out_features == 3


def test_a_joint_model_is_trained_further_with_other_labels_on_its_own_encoder(built, saved):
    model = AutoJointTagger.from_pretrained(
        saved, local_files_only=True, **TASK.model_options((*LABELS, "intent:wait"))
    )
    assert (model.tagger.out_features, model.classifier.out_features) == (3, 3)
    torch.testing.assert_close(model.encoder(**BATCH).last_hidden_state, built.encoder(**BATCH).last_hidden_state)


def test_every_encoder_that_can_be_picked_suits(tiny_loaded):
    for name, method in MODELS.items():
        if method.facts["kind"] == "config" and method.facts["architecture"] == "encoder":
            config = MODELS[name].load()(tiny_loaded.tokenizer, Shape())
            for key, value in TASK.model_options(LABELS).items():
                setattr(config, key, value)
            assert AutoJointTagger.from_config(config)(**BATCH).logits.shape == (2, 4, 3)
