"""What `extract_activations` reads of one component, on encoders, decoders and encoder-decoders."""

import threading
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from lmcore.analysis import extract_activations
from lmcore.analysis.sources import COMPONENTS
from lmcore.errors import InputError, OptionError, UnknownError
from lmcore.models.components import KINDS
from lmcore.models.load import LoadedModel, token_limit
from lmcore.tasks import load_task
from lmcore.types import ModelRef
from tests.tasks.speakers import decoder_tokenizer, speaker

TEXTS = ["Anna told us", "nothing is as good as books on day 3", "Eva"]


def translator() -> LoadedModel:
    from lmcore.models.configured_marian import marian_config, train_shared_tokenizer
    from tests.tasks.speakers import rule_frame

    tokenizer = train_shared_tokenizer(rule_frame()["text"].tolist(), vocabulary=350, max_length=64)
    config = marian_config(tokenizer, layers=2, width=32, heads=4)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = load_task("translation").model_class().from_config(config).eval().requires_grad_(False)
    limit = token_limit(model, tokenizer)
    return LoadedModel(ModelRef("folder", "x"), "translation", model, tokenizer, (), "f", "cpu", 0, limit)


@pytest.fixture(scope="module")
def llama() -> LoadedModel:
    return speaker("text-generation")


@pytest.fixture(scope="module")
def marian() -> LoadedModel:
    return translator()


def close(found: Any, expected: Any, tolerance: float = 1e-5) -> bool:
    return bool(np.abs(found - expected).max() <= tolerance * max(1.0, np.abs(expected).max()))


def test_every_component_can_be_asked_for() -> None:
    assert set(COMPONENTS) == {"states", *KINDS} - {"normed"}


def test_the_stream_of_a_decoder_is_its_embedding_and_what_the_blocks_added(llama: LoadedModel) -> None:
    parts = {
        name: extract_activations(llama, TEXTS, component=name, batch_size=2)
        for name in ("embedding", "attention", "mlp", "residual", "states")
    }
    assert [list(parts[name].layers) for name in parts] == [[0], [1, 2], [1, 2], [0, 1, 2], [0, 1, 2]]
    total = parts["embedding"].values[0] + parts["attention"].values.sum(axis=0) + parts["mlp"].values.sum(axis=0)
    assert close(total, parts["residual"].values[-1], 1e-6)
    assert np.array_equal(parts["residual"].values[0], parts["embedding"].values[0])
    assert close(parts["residual"].values[:2], parts["states"].values[:2], 1e-6)
    assert not close(parts["residual"].values[2], parts["states"].values[2], 0.1)  # the states' last is normalised
    assert len({found.fingerprint for found in parts.values()}) == 5


def test_each_text_is_as_if_it_were_alone(llama: LoadedModel) -> None:
    for name in ("neurons", "heads", "mlp"):
        together = extract_activations(llama, TEXTS, component=name, batch_size=3)
        for number, text in enumerate(TEXTS):
            alone = extract_activations(llama, [text], component=name)
            assert close(together.layer(2, number), alone.layer(2, 0))
            assert together.norms(number).shape == (2, len(together.tokens(number)))
    assert extract_activations(llama, TEXTS, component="neurons").values.shape[2] == 96
    assert extract_activations(llama, TEXTS[:1], component="mlp").to_frame(0)["layer"].tolist()[0] == 1


def test_an_encoder_gives_its_blocks_too(tiny_loaded: LoadedModel, tmp_path: Any) -> None:
    states = extract_activations(tiny_loaded, TEXTS)
    residual = extract_activations(tiny_loaded, TEXTS, component="residual", store=tmp_path / "store")
    assert np.array_equal(states.values, residual.values)
    layer = tiny_loaded.model.base_model.encoder.layer[0]
    attention, mlp = (
        torch.from_numpy(extract_activations(tiny_loaded, TEXTS, component=name).layer(1, 1).copy())
        for name in ("attention", "mlp")
    )
    with torch.inference_mode():
        middle = layer.attention.output.LayerNorm(torch.from_numpy(states.layer(0, 1).copy()) + attention)
        assert close(layer.output.LayerNorm(middle + mlp).numpy(), states.layer(1, 1))


def test_an_encoder_decoder_is_read_on_both_sides(marian: LoadedModel) -> None:
    sources, outputs = TEXTS[:2], ["books", "Anna told us on day 5"]
    encoder = extract_activations(marian, sources)
    decoder = extract_activations(marian, sources, stack="decoder", outputs=outputs)
    assert (encoder.stack, decoder.stack) == ("encoder", "decoder")
    start = marian.model.config.decoder_start_token_id
    for number in (0, 1):
        source = marian.tokenizer(sources[number], return_tensors="pt")["input_ids"]
        written = marian.tokenizer(text_target=outputs[number])["input_ids"]
        assert decoder.encodings.ids[number] == [start, *written[:-1]]
        with torch.inference_mode():
            out = marian.model(
                input_ids=source, decoder_input_ids=torch.tensor([decoder.encodings.ids[number]]),
                output_hidden_states=True,
            )  # fmt: skip
        for layer in range(3):
            assert close(encoder.layer(layer, number), out.encoder_hidden_states[layer][0].numpy())
            assert close(decoder.layer(layer, number), out.decoder_hidden_states[layer][0].numpy())
    cross = extract_activations(marian, sources, component="cross_attention", stack="decoder", outputs=outputs)
    assert cross.values.shape == (2, sum(len(ids) for ids in decoder.encodings.ids), 32)


def test_what_a_decoder_reads_is_what_it_writes_itself_where_nothing_is_given(marian: LoadedModel) -> None:
    from lmcore.models.encode import encode_texts
    from lmcore.models.generate import write_texts

    (own,) = write_texts(marian, encode_texts(marian.tokenizer, TEXTS[:1], marian.max_length))
    found = extract_activations(marian, TEXTS[:1], component="mlp", stack="decoder")
    assert found.encodings.ids == [[marian.model.config.decoder_start_token_id, *own.ids[:-1]]]
    assert len(found.tokens(0)) == found.values.shape[1] == own.tokens


def test_an_encoder_decoder_with_a_final_norm_gives_it_with_the_states() -> None:
    import transformers

    tokenizer = decoder_tokenizer()
    config = transformers.T5Config(
        vocab_size=len(tokenizer), d_model=32, d_kv=8, d_ff=24, num_layers=2, num_heads=4, decoder_start_token_id=0
    )
    loaded = LoadedModel(
        ModelRef("folder", "x"), "", transformers.T5Model(config).eval(), tokenizer, (), "f", "cpu", 0, 64
    )
    found = extract_activations(loaded, TEXTS[:1])
    ids = torch.tensor([found.encodings.ids[0]])
    with torch.inference_mode():
        states = loaded.model.encoder(input_ids=ids, output_hidden_states=True).hidden_states
    assert close(found.values, torch.stack(states)[:, 0].numpy())
    with pytest.raises(InputError, match="has no head to write with"):
        extract_activations(loaded, TEXTS[:1], stack="decoder")


def test_rows_of_a_language_task_are_read_as_they_stand(llama: LoadedModel) -> None:
    """Its own encoding is for measuring: it hides tokens of an encoder's texts and cuts long ones into windows."""
    encoder = speaker("completion", encoder=True)
    for loaded in (llama, encoder):
        found = extract_activations(loaded, pd.DataFrame({"text": TEXTS}))
        assert np.array_equal(found.values, extract_activations(loaded, TEXTS).values)
        assert loaded.tokenizer.mask_token_id not in [token for ids in found.encodings.ids for token in ids]


def test_what_a_model_does_not_have_is_refused(llama: LoadedModel, marian: LoadedModel) -> None:
    with pytest.raises(OptionError, match=r"has no cross-attention output .* it has layers"):
        extract_activations(llama, TEXTS, component="cross_attention")
    with pytest.raises(OptionError, match="in its decoder"):
        extract_activations(llama, TEXTS, stack="decoder")
    with pytest.raises(OptionError, match="it has decoder and encoder"):
        extract_activations(marian, TEXTS, component="mlp", stack="layers")
    with pytest.raises(UnknownError, match="component"):
        extract_activations(llama, TEXTS, component="logits")
    with pytest.raises(InputError, match="There are 1 outputs for 3 texts"):
        extract_activations(marian, TEXTS, stack="decoder", outputs=["x"])
    found = extract_activations(llama, TEXTS, component="mlp")
    with pytest.raises(InputError, match="There is no layer 0: give 1 to 2"):
        found.layer(0, 0)


def test_two_users_of_different_components_do_not_meet(llama: LoadedModel) -> None:
    alone = {name: extract_activations(llama, TEXTS * 4, component=name).values for name in ("mlp", "attention")}
    wrong: list[str] = []

    def work(name: str) -> None:
        for _ in range(5):
            if not np.array_equal(extract_activations(llama, TEXTS * 4, component=name).values, alone[name]):
                wrong.append(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in alone]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert not any(module._forward_hooks for module in llama.model.base_model.layers[0].mlp.modules())
