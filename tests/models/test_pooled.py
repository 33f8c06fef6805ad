import numpy as np
import pytest
import torch
from transformers import AutoModel, DebertaV2Config, GPT2Config, LlamaConfig, ModernBertConfig, Qwen2Config

from lmcore.models import load_model
from lmcore.models.encode import encode_texts, pad_batch
from lmcore.models.hidden import mean_pooled_states
from lmcore.models.load import LoadedModel
from lmcore.models.pooled import build_classifier, mean_pool
from lmcore.models.predict import predict_logits
from lmcore.types import ModelRef

TEXTS = ["rain and wind today", "a ticket", "the soup was very good " * 5, "storm", "some bread"]
LABELS = ("x", "y", "z")
SIZES = {"num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64}
SPECIAL = {"pad_token_id": 0, "bos_token_id": 2, "cls_token_id": 2, "eos_token_id": 3, "sep_token_id": 3}


def linear(seed=0, features=32):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(3, features)).astype(np.float32), rng.normal(size=3).astype(np.float32)


@pytest.fixture
def base(tiny_folder, settings):
    return load_model(f"folder:{tiny_folder}", settings=settings)


@pytest.fixture
def sample(base):
    return pad_batch(base.tokenizer, encode_texts(base.tokenizer, TEXTS, 64).ids)


@pytest.fixture
def keep(tmp_path, base, settings):
    """Return a function that saves a model and loads it again with its head."""

    def kept(model):
        folder = tmp_path / "kept"
        model.save_pretrained(folder)
        base.tokenizer.save_pretrained(folder)
        return load_model(f"folder:{folder}", task="text-classification", settings=settings)

    return kept


def wrapped(model, tokenizer):
    return LoadedModel(ModelRef("folder", "x"), "", model, tokenizer, LABELS, "f", "cpu", 0, 64)


def logits_of(model, base):
    return predict_logits(wrapped(model, base.tokenizer), encode_texts(base.tokenizer, TEXTS, 64))


def features_of(encoder, base):
    return mean_pooled_states(wrapped(encoder, base.tokenizer), encode_texts(base.tokenizer, TEXTS, 64))


def test_mean_pool_is_the_mean_over_unmasked_tokens():
    hidden = torch.randn(3, 5, 4)
    mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [0, 0, 0, 0, 0]])
    pooled = mean_pool(hidden, mask)
    assert torch.allclose(pooled[0], hidden[0].mean(dim=0), atol=1e-6)
    assert torch.allclose(pooled[1], hidden[1, :2].mean(dim=0), atol=1e-6)
    assert pooled[2].tolist() == [0, 0, 0, 0], "a text of no tokens is not divided by nothing"


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_the_classifier_is_linear_on_the_layers_mean_vectors(base, sample, keep, layer):
    weight, bias = linear()
    model = build_classifier(base.model, layer, weight, bias, LABELS, sample)
    wanted = features_of(base.model, base)[layer] @ weight.T + bias
    assert model.config.cut
    assert model.encoder.config.num_hidden_layers == max(layer, 1)
    assert logits_of(model, base) == pytest.approx(wanted, abs=1e-4)
    loaded = keep(model)
    assert loaded.labels == LABELS
    assert loaded.layers == max(layer, 1)
    assert predict_logits(loaded, encode_texts(base.tokenizer, TEXTS, 64)) == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize(
    "config",
    [
        GPT2Config(vocab_size=300, n_layer=2, n_embd=32, n_head=4, n_positions=64),
        LlamaConfig(vocab_size=300, num_key_value_heads=2, **SIZES),
        Qwen2Config(vocab_size=300, num_key_value_heads=2, **SIZES),
        ModernBertConfig(vocab_size=300, **SIZES, **SPECIAL),
        DebertaV2Config(vocab_size=300, **SIZES),
    ],
    ids=lambda config: config.model_type,
)
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_encoders_and_decoders_of_many_kinds_give_the_same_wherever_they_are_cut(config, layer, base, sample, keep):
    torch.manual_seed(0)
    encoder = AutoModel.from_config(config).eval()
    with torch.no_grad():
        for name, parameter in encoder.named_parameters():
            if parameter.dim() == 1 and "weight" in name:
                parameter.uniform_(0.5, 2)  # norms that would be seen where one is applied too often
    weight, bias = linear()
    model = build_classifier(encoder, layer, weight, bias, LABELS, sample)
    wanted = features_of(encoder, base)[layer] @ weight.T + bias
    assert logits_of(model, base) == pytest.approx(wanted, abs=2e-4)
    loaded = keep(model)
    assert predict_logits(loaded, encode_texts(base.tokenizer, TEXTS, 64)) == pytest.approx(wanted, abs=2e-4)
    whole = layer == 1 and config.model_type != "deberta-v2"  # the others have a norm after their last layer
    assert model.config.cut != whole
    assert loaded.layers == (2 if whole else max(layer, 1))


def test_without_a_mask_every_token_counts(base, sample):
    model = build_classifier(base.model, 1, *linear(), LABELS, sample)
    one = {"input_ids": sample["input_ids"][2:3]}
    whole = {**one, "attention_mask": torch.ones_like(one["input_ids"])}
    assert torch.equal(model(**one).logits, model(**whole).logits)


def test_labels_give_the_cross_entropy_and_input_vectors_the_same_logits(base, sample):
    model = build_classifier(base.model, 2, *linear(), LABELS, sample)
    labels = torch.tensor([0, 1, 2, 0, 1])
    out = model(**sample, labels=labels, output_hidden_states=True)
    assert out.loss.item() == pytest.approx(torch.nn.functional.cross_entropy(out.logits, labels).item())
    assert len(out.hidden_states) == 3
    vectors = model.encoder.get_input_embeddings()(sample["input_ids"])
    again = model(inputs_embeds=vectors, attention_mask=sample["attention_mask"])
    assert torch.allclose(again.logits, out.logits, atol=1e-5)


def test_the_encoder_of_a_trained_classifier_is_a_base_model(base, sample, tmp_path, settings):
    folder = tmp_path / "kept"
    build_classifier(base.model, 1, *linear(), LABELS, sample).save_pretrained(folder)
    base.tokenizer.save_pretrained(folder)
    loaded = load_model(f"folder:{folder}", task="", settings=settings)
    assert loaded.labels == ()
    assert features_of(loaded.model, base) == pytest.approx(features_of(base.model, base)[:2], abs=1e-5)


def test_what_is_saved_names_no_folder_of_this_machine(base, sample, tmp_path, tiny_folder):
    build_classifier(base.model, 1, *linear(), LABELS, sample).save_pretrained(tmp_path / "kept")
    assert str(tiny_folder.parent) not in (tmp_path / "kept" / "config.json").read_text()
