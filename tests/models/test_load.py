import json
import pickle
import shutil
from dataclasses import replace

import pytest
import torch
from transformers import AutoModel, AutoModelForSequenceClassification, BartConfig, MarianConfig, T5Config

from lmcore.analysis import attention_maps
from lmcore.errors import InputError, OptionError, UnknownError, UnsafeError
from lmcore.models import load_model
from lmcore.models.encode import encode_texts, pad_batch
from lmcore.models.load import pick_device, read_layers
from lmcore.models.registry import ModelRegistry

TASK = "text-classification"


@pytest.fixture
def copy(tiny_folder, tmp_path):
    """A model folder that a test may damage."""
    return shutil.copytree(tiny_folder, tmp_path / "copy")


def run(loaded, **more):
    batch = pad_batch(loaded.tokenizer, encode_texts(loaded.tokenizer, ["rain and wind", "soup"], 64).ids)
    with torch.inference_mode():
        return loaded.model(**batch, **more)


def test_a_folder_is_loaded_with_or_without_its_head(tiny_folder, settings):
    loaded = load_model(f"folder:{tiny_folder}", task=TASK, settings=settings)
    assert loaded.labels == ("food", "travel", "weather")
    assert (loaded.layers, loaded.max_length, loaded.device, loaded.task) == (2, 64, "cpu", TASK)
    assert loaded.nbytes == sum(
        t.numel() * t.element_size() for t in [*loaded.model.parameters(), *loaded.model.buffers()]
    )
    assert not loaded.model.training
    assert not any(parameter.requires_grad for parameter in loaded.model.parameters())
    base = load_model(tiny_folder.as_posix(), settings=settings)
    assert (base.task, base.labels, base.fingerprint) == ("", (), loaded.fingerprint)
    assert torch.equal(run(base).last_hidden_state, run(loaded, output_hidden_states=True).hidden_states[-1])


def test_how_much_of_a_text_is_read(tiny_folder, settings):
    where = f"folder:{tiny_folder}"
    few = load_model(where, task=TASK, settings=replace(settings, max_tokens=24))
    assert (few.max_length, few.window, few.widest.max_length) == (24, 64, 64)
    assert few.widest.model is few.model
    asked = load_model(where, task=TASK, settings=settings, max_tokens=16)
    assert (asked.max_length, asked.window) == (16, 16)
    assert asked.widest is asked
    for number in (0, 65):
        with pytest.raises(OptionError, match="from 1 to 64"):
            load_model(where, task=TASK, settings=settings, max_tokens=number)


@pytest.mark.parametrize("kept", [torch.bfloat16, torch.float16])
def test_weights_that_are_kept_in_half_precision_are_worked_with_in_float32(copy, settings, kept):
    AutoModelForSequenceClassification.from_pretrained(copy).to(kept).save_pretrained(copy)
    loaded = load_model(f"folder:{copy}", task=TASK, settings=settings)
    assert {tensor.dtype for tensor in loaded.model.parameters()} == {torch.float32}
    assert attention_maps(loaded, "rain and wind").attentions.sum(axis=-1) == pytest.approx(1.0)


def test_loading_draws_nothing_at_random(tiny_folder, settings):
    torch.manual_seed(5)
    before = torch.get_rng_state()
    load_model(f"folder:{tiny_folder}", task=TASK, settings=settings)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_fingerprint_follows_the_weights(copy, tiny_folder, settings):
    same = load_model(f"folder:{copy}", settings=settings)
    assert same.fingerprint == load_model(f"folder:{tiny_folder}", settings=settings).fingerprint
    with torch.no_grad():
        next(same.model.parameters()).add_(1e-3)
    same.model.save_pretrained(copy)
    assert load_model(f"folder:{copy}", settings=settings).fingerprint != same.fingerprint


def test_a_registered_version_comes_with_its_own_head(copy, settings, tracked):
    folder = settings.workspace.models / "topics" / "first"
    shutil.copytree(copy, folder)
    registry = ModelRegistry(settings.workspace)
    registry.register("topics", folder, task=TASK)
    registry.promote("topics", 1)
    loaded = load_model("models:/topics@champion", settings=settings)
    assert (str(loaded.ref), loaded.task, loaded.labels) == ("models:/topics/1", TASK, ("food", "travel", "weather"))
    assert load_model("models:/topics/1", task="", settings=settings).task == ""
    assert read_layers("models:/topics/1", settings) == 2
    shutil.rmtree(folder)
    with pytest.raises(InputError, match="The files of models:/topics/1 are gone"):
        load_model("models:/topics/1", settings=settings)


@pytest.mark.parametrize(
    ("ref", "kind", "sentence"),
    [
        ("folder:/nowhere/at/all", InputError, "There is no model at /nowhere/at/all: give a folder with config.json"),
        ("config:bert-small", InputError, "config:bert-small has no weights until it is trained"),
        ("nothing-known", UnknownError, "There is no model 'nothing-known'; known: all-MiniLM-L6-v2, bert-small"),
        ("packaged:bert-small", UnknownError, "There is no packaged model 'bert-small'; known: all-MiniLM-L6-v2"),
        ("config:gpt-9", UnknownError, "There is no config model 'gpt-9'; known: bert-small"),
        ("models:/topics/1", UnknownError, "There is no registered model 'topics'; known: none yet"),
        ("hub:../etc/passwd", InputError, "'../etc/passwd' is not a hub id"),
    ],
)
def test_a_model_that_is_not_there_is_one_sentence(ref, kind, sentence, settings):
    with pytest.raises(kind) as caught:
        load_model(ref, settings=settings)
    assert str(caught.value).startswith(sentence)


def test_a_folder_without_a_configuration(copy, settings):
    (copy / "config.json").unlink()
    with pytest.raises(InputError, match=r"is not a model folder: it has no config\.json"):
        load_model(f"folder:{copy}", settings=settings)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.ckpt", "model.safetensors"])
def test_a_pickle_is_refused_before_it_is_opened(copy, settings, name, tmp_path):
    class Payload:
        def __reduce__(self):
            return (open, (str(tmp_path / "ran"), "w"))

    (copy / "model.safetensors").unlink()
    (copy / name).write_bytes(pickle.dumps(Payload()))
    with pytest.raises(UnsafeError, match=rf"{name} in .* is a pickle.*convert it with model\.save_pretrained"):
        load_model(f"folder:{copy}", settings=settings)
    assert not (tmp_path / "ran").exists()


def test_a_zip_of_pickles_is_refused_under_any_name(copy, settings):
    torch.save({"weight": torch.zeros(2)}, copy / "model.safetensors")
    with pytest.raises(UnsafeError, match=r"model\.safetensors in .* is a pickle"):
        load_model(f"folder:{copy}", settings=settings)


def test_code_that_comes_with_a_model_is_never_run(copy, settings, tmp_path):
    config = json.loads((copy / "config.json").read_text())
    config |= {"model_type": "strange", "auto_map": {"AutoConfig": "code.Strange", "AutoModel": "code.Strange"}}
    (copy / "config.json").write_text(json.dumps(config))
    (copy / "code.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(InputError, match="cannot be loaded"):
        load_model(f"folder:{copy}", settings=settings)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("model.safetensors", b"\x00" * 64),
        ("model.safetensors", b""),
        ("model.safetensors", None),
        ("config.json", b"{broken"),
        ("config.json", b"[]"),
        ("config.json", b'{"model_type": "bert", "hidden_size": "x"}'),
        ("config.json", b'{"model_type": "bert", "hidden_size": 64, "num_attention_heads": 4, "vocab_size": 9}'),
        ("tokenizer.json", b"{broken"),
        ("tokenizer.json", b"[]"),
        ("tokenizer.json", b'{"added_tokens": [], "model": {"type": "Strange"}}'),
    ],
)
def test_damaged_files_are_one_sentence(copy, settings, name, content):
    whole = (copy / name).read_bytes()
    (copy / name).write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(InputError) as caught:
        load_model(f"folder:{copy}", task=TASK, settings=settings)
    sentence = str(caught.value)
    assert sentence.startswith(f"The model folder:{copy} cannot be loaded: ")
    assert "\n" not in sentence
    assert len(sentence) < 300 + len(str(copy))


def test_weights_that_are_not_there_are_not_made_up(copy, tmp_path, settings):
    base = AutoModel.from_pretrained(copy)
    base.save_pretrained(copy)
    assert load_model(f"folder:{copy}", settings=settings).layers == 2
    with pytest.raises(InputError, match=f"has no trained head for {TASK}: train it first"):
        load_model(f"folder:{copy}", task=TASK, settings=settings)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    with pytest.raises(InputError, match=r"its files lack 16 of the weights .* the first is encoder\.layer\.2\."):
        load_model(f"folder:{copy}", settings=settings)


def test_a_twin_with_the_same_weights_returns_attention_maps(tiny_loaded):
    assert not any(item is not None for item in run(tiny_loaded, output_attentions=True).attentions or ())
    before = run(tiny_loaded).logits
    with tiny_loaded.attention("eager") as model:
        assert {id(p) for p in model.parameters()} == {id(p) for p in tiny_loaded.model.parameters()}
        out = run(replace(tiny_loaded, model=model), output_attentions=True)
        assert len(out.attentions) == 2
        assert out.attentions[0].shape[1] == 4
        assert torch.allclose(out.attentions[1].sum(dim=-1), torch.ones(out.attentions[1].shape[:-1]), atol=1e-5)
        assert torch.allclose(out.logits, before, atol=1e-5)


def test_the_model_itself_keeps_its_attention_implementation_meanwhile(tiny_loaded):
    with tiny_loaded.attention("eager"):
        assert tiny_loaded.model.base_model.config._attn_implementation == "sdpa"


def test_the_longest_text_is_the_smallest_of_all_limits(copy, settings):
    loaded = load_model(f"folder:{copy}", settings=settings)
    assert loaded.max_length == 64
    loaded.tokenizer.model_max_length = 10**30
    loaded.tokenizer.save_pretrained(copy)
    assert load_model(f"folder:{copy}", settings=settings).max_length == 512


@pytest.mark.parametrize("device", ["tpu", "cuda:x", "gpu", "cuda:", ""])
def test_a_device_that_torch_does_not_know_is_refused(device):
    with pytest.raises(OptionError, match=r"give auto, cpu, cuda or cuda:N"):
        pick_device(device)


def test_devices_are_those_of_the_machine(monkeypatch, tiny_folder, settings):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert (pick_device("auto"), pick_device("cpu")) == ("cpu", "cpu")
    with pytest.raises(OptionError, match="torch finds none here"):
        load_model(f"folder:{tiny_folder}", settings=replace(settings, device="cuda:0"))
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert [pick_device(d) for d in ("auto", "cuda", "cuda:1")] == ["cuda", "cuda", "cuda:1"]
    with pytest.raises(OptionError, match="the last one here is cuda:1"):
        pick_device("cuda:2")


def test_layers_are_read_without_the_weights(copy, settings):
    (copy / "model.safetensors").unlink()
    assert read_layers(f"folder:{copy}", settings) == 2
    (copy / "config.json").write_text(json.dumps({"n_layer": 7}))
    assert read_layers(f"folder:{copy}", settings) == 7
    (copy / "config.json").write_text("{}")
    with pytest.raises(InputError, match="does not say how many layers"):
        read_layers(f"folder:{copy}", settings)
    (copy / "config.json").write_text("{")
    with pytest.raises(InputError, match="no configuration that can be read"):
        read_layers(f"folder:{copy}", settings)


@pytest.fixture
def marian(tmp_path, topic_frame):
    """A Marian as transformers saves it: its positions are sines, which are made anew and not saved."""
    from safetensors.torch import load_file

    from lmcore.models.configured_marian import marian_config, train_shared_tokenizer
    from lmcore.tasks import load_task

    tokenizer = train_shared_tokenizer(topic_frame["text"].tolist(), vocabulary=300, max_length=64)
    config = marian_config(tokenizer, layers=1, width=16, heads=2)
    model = load_task("translation").model_class().from_config(config).eval()
    folder = tmp_path / "marian"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    weights = load_file(folder / "model.safetensors")
    assert not any("embed_positions" in name for name in weights)
    return folder, model, weights


def test_weights_that_a_class_makes_anew_are_not_missed_where_its_head_is_left_out(marian, settings):
    folder, model, _ = marian
    plain, whole = (load_model(f"folder:{folder}", task=task, settings=settings) for task in (None, "translation"))
    ids = torch.tensor([[5, 6, 7]])
    with torch.inference_mode():
        wanted = model.model.encoder(ids).last_hidden_state
        assert torch.equal(plain.model.encoder(ids).last_hidden_state, wanted)
        assert torch.equal(whole.model.model.encoder(ids).last_hidden_state, wanted)


def test_other_weights_that_it_lacks_are_missed(marian, settings):
    from safetensors.torch import save_file

    folder, _, weights = marian
    gone = "model.encoder.layers.0.fc1.weight"
    save_file({n: w for n, w in weights.items() if n != gone}, folder / "model.safetensors", metadata={"format": "pt"})
    for task in (None, "translation"):
        with pytest.raises(
            InputError, match=r"its files lack 1 of the weights .* the first is .*layers\.0\.fc1\.weight"
        ):
            load_model(f"folder:{folder}", task=task, settings=settings)


@pytest.mark.parametrize("kind", [MarianConfig, BartConfig, T5Config])
def test_an_encoder_decoder_has_as_many_layers_as_its_encoder(kind, tmp_path, settings):
    name = "num_layers" if kind is T5Config else "encoder_layers"
    kind(**{name: 5}).save_pretrained(tmp_path)
    assert read_layers(f"folder:{tmp_path}", settings) == 5
