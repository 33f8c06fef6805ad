import threading
from dataclasses import replace

import numpy as np
import pytest
import torch
from transformers import BertModel

from lmcore.analysis import attention_maps, attention_rollout, cross_rollout, read_attention
from lmcore.analysis.attention.run import attention_kinds, stream_attention
from lmcore.analysis.model_input import encode_inputs
from lmcore.errors import InputError, ResourceError
from lmcore.models.encode import pad_batch
from tests.analysis.readers import reader
from tests.analysis.told import rises_and_stops

TEXT = "rain and bread on the train"


def test_rollout_of_the_known_case():
    first, second = [[1, 0], [0.5, 0.5]], [[1, 0], [0.25, 0.75]]
    expected = np.array([[1, 0], [0.34375, 0.65625]])
    assert attention_rollout(np.array([first, second])) == pytest.approx(expected)
    assert attention_rollout(np.array([[first], [second]])) == pytest.approx(expected)


def test_rollout_averages_the_heads_first():
    maps = np.random.default_rng(0).dirichlet(np.ones(5), size=(3, 4, 5))
    assert attention_rollout(maps) == pytest.approx(attention_rollout(maps.mean(axis=1)))
    assert attention_rollout(maps).sum(axis=1) == pytest.approx(np.ones(5))


def test_rollout_of_heads_that_look_at_themselves_changes_nothing():
    assert attention_rollout(np.tile(np.eye(3), (4, 2, 1, 1))) == pytest.approx(np.eye(3))


@pytest.mark.parametrize("shape", [(2, 2), (0, 2, 3, 3), (2, 2, 3, 4)])
def test_rollout_refuses_other_shapes(shape):
    with pytest.raises(InputError, match="give \\(layers, heads, tokens, tokens\\)"):
        attention_rollout(np.ones(shape))


def test_maps_are_those_of_the_model(tiny_loaded):
    maps = attention_maps(tiny_loaded, TEXT)
    assert maps.attentions.shape == (2, 4, len(maps.tokens), len(maps.tokens))
    assert maps.attentions.dtype == np.float32
    assert maps.attentions.sum(axis=-1) == pytest.approx(np.ones(maps.attentions.shape[:3]), abs=1e-6)
    layer = tiny_loaded.model.base_model.encoder.layer[0].attention.self
    ids = torch.from_numpy(maps.text_tokens.ids)[None]
    with torch.inference_mode():
        state = tiny_loaded.model(input_ids=ids, output_hidden_states=True).hidden_states[0][0]
        query, key = (part(state).view(len(ids[0]), 4, 8).transpose(0, 1) for part in (layer.query, layer.key))
        expected = torch.softmax(query @ key.transpose(1, 2) / 8**0.5, dim=-1)
    assert maps.attentions[0] == pytest.approx(expected.numpy(), abs=1e-5)


def test_entropy_is_that_of_the_rows(tiny_loaded):
    maps = attention_maps(tiny_loaded, TEXT)
    rows = maps.attentions[1, 2].astype(float)
    assert maps.entropies.shape == (2, 4)
    assert maps.entropies[1, 2] == pytest.approx(-(rows * np.log(rows)).sum(axis=1).mean(), rel=1e-4)
    even = replace(maps, attentions=np.full((1, 1, 4, 4), 0.25, dtype=np.float32))
    assert even.entropies == pytest.approx(np.array([[np.log(4)]]))
    frame = maps.to_frame(1, 2)
    assert frame["weight"].to_numpy() == pytest.approx(maps.attentions[1, 2].ravel())
    assert (frame["row"].iloc[1], frame["column"].iloc[1]) == (0, 1)


def test_the_same_text_has_the_same_fingerprint(tiny_loaded):
    assert attention_maps(tiny_loaded, TEXT).fingerprint == attention_maps(tiny_loaded, TEXT).fingerprint
    assert attention_maps(tiny_loaded, TEXT).fingerprint != attention_maps(tiny_loaded, TEXT + " map").fingerprint


def test_a_model_without_layers_is_refused(tiny_loaded):
    config = tiny_loaded.model.config.to_dict()
    bare = BertModel(type(tiny_loaded.model.config)(**(config | {"num_hidden_layers": 0}))).eval()
    with pytest.raises(InputError, match="no attention layers that can be read"):
        attention_maps(replace(tiny_loaded, model=bare, task=""), TEXT)


def test_a_prediction_beside_it_is_not_disturbed(tiny_loaded):
    """Switching the model's own attention while another thread runs it gave wrong logits without an error."""
    batch = pad_batch(tiny_loaded.tokenizer, [[2, *range(5, 40), 3], [2, 9, 8, 3]])
    stop = threading.Event()

    def look():
        while not stop.is_set():
            attention_maps(tiny_loaded, TEXT)

    with torch.inference_mode():
        alone = tiny_loaded.model(**batch).logits
        expected = attention_maps(tiny_loaded, TEXT).attentions
        other = threading.Thread(target=look)
        other.start()
        try:
            gaps = [(tiny_loaded.model(**batch).logits - alone).abs().max().item() for _ in range(150)]
        finally:
            stop.set()
            other.join()
    assert max(gaps) < 1e-5
    assert attention_maps(tiny_loaded, TEXT).attentions == pytest.approx(expected, abs=1e-6)


PAIR = {"question": "who told us", "context": "Anna told us on day 7 that nothing is as good as apples"}


def test_distance_is_weighted_by_attention(tiny_loaded):
    maps = attention_maps(tiny_loaded, TEXT)
    rows = maps.attentions[1, 2].astype(float)
    size = len(rows)
    by_hand = np.mean([sum(rows[i, j] * abs(i - j) for j in range(size)) for i in range(size)])
    assert maps.distances[1, 2] == pytest.approx(by_hand, rel=1e-5)
    before = np.eye(4, k=-1)[None, None]
    before[0, 0, 0, 0] = 1
    assert replace(maps, attentions=before).distances == pytest.approx(np.array([[0.75]]))


@pytest.mark.parametrize("task", ["text-generation", "completion"])
def test_a_decoder_looks_back_alone(task):
    maps = attention_maps(reader(task), "Anna told us on day 7")
    assert maps.kind == "decoder"
    assert maps.attentions.sum(axis=-1) == pytest.approx(np.ones(maps.attentions.shape[:3]), abs=1e-6)
    assert not np.triu(maps.attentions, k=1).any()


def test_a_pair_is_read_as_its_task_reads_it():
    loaded = reader("question-answering")
    maps = attention_maps(loaded, PAIR)
    own = loaded.tokenizer(PAIR["question"], PAIR["context"], return_tensors="pt")
    assert maps.text_tokens.ids.tolist() == own["input_ids"][0].tolist()
    with torch.inference_mode(), loaded.attention("eager") as twin:
        expected = torch.cat(twin(**own, output_attentions=True).attentions).numpy()
    assert maps.attentions == pytest.approx(expected, abs=1e-6)
    assert "Anna" in maps.tokens
    assert maps.tokens[1] == "who"
    assert not maps.truncated


def test_only_the_first_window_of_a_long_context_is_read_and_this_is_said():
    assert attention_maps(reader("question-answering"), PAIR | {"context": PAIR["context"] * 6}).truncated


def test_a_model_without_a_task_reads_a_pair(tiny_loaded):
    base = replace(tiny_loaded, model=tiny_loaded.model.base_model, task="", labels=())
    maps = attention_maps(base, {"first": "rain and bread", "second": "on the train"})
    assert maps.tokens.count("[SEP]") == 2
    assert {"rain", "train"} <= set(maps.tokens)
    with pytest.raises(InputError, match="more than two texts"):
        attention_maps(base, {"a": "x", "b": "y", "c": "z"})


def test_an_encoder_decoder_has_three_kinds_of_attention():
    loaded, output = reader("translation"), "eins zwei drei"
    found = read_attention(loaded, "one two three", output=output)
    assert list(found) == ["encoder", "decoder", "cross"]
    ids = loaded.tokenizer("one two three", return_tensors="pt")
    labels = loaded.tokenizer(output, return_tensors="pt")["input_ids"]
    read = torch.cat([torch.tensor([[loaded.tokenizer.pad_token_id]]), labels[:, :-1]], dim=1)
    with torch.inference_mode(), loaded.attention("eager") as twin:
        out = twin(**ids, decoder_input_ids=read, output_attentions=True)
    for kind, expected in (
        ("encoder", out.encoder_attentions), ("decoder", out.decoder_attentions), ("cross", out.cross_attentions),
    ):  # fmt: skip
        maps = found[kind]
        assert maps.kind == kind
        assert maps.attentions == pytest.approx(torch.cat(expected).numpy(), abs=1e-6)
        assert maps.attentions.sum(axis=-1) == pytest.approx(np.ones(maps.attentions.shape[:3]), abs=1e-6)
        assert maps.attentions.shape[2:] == (len(maps.rows), len(maps.tokens))
    assert not np.triu(found["decoder"].attentions, k=1).any()
    assert "".join(found["cross"].rows[:-1]) == output
    assert found["cross"].rows[-1] == "</s>"
    assert found["decoder"].tokens[0] == "<pad>"
    assert "".join(found["decoder"].tokens[1:]) == output
    assert attention_maps(loaded, "one two three").attentions == pytest.approx(found["encoder"].attentions, abs=1e-6)
    with pytest.raises(InputError, match="has no distance"):
        _ = found["cross"].distances


def test_the_decoder_reads_what_the_model_writes_greedily():
    loaded = reader("translation")
    loaded = replace(loaded, decoding=replace(loaded.decoding, max_new_tokens=9, beams=3))
    ids = loaded.tokenizer("one two three", return_tensors="pt")
    written = loaded.model.generate(**ids, max_new_tokens=64, do_sample=False, num_beams=1)[0, 1:]
    ends = (written == loaded.tokenizer.eos_token_id).nonzero().flatten().tolist()
    written = written[: ends[0] + 1] if ends else written
    maps = attention_maps(loaded, "one two three", kind="cross")
    assert maps.row_tokens.ids.tolist() == written.tolist()
    assert maps.output == loaded.tokenizer.decode(written, skip_special_tokens=True).strip()


def test_cross_rollout_by_hand():
    """One layer, one source token of two looked at: halves of halves stay."""
    encoder, decoder, cross = np.eye(2)[None], np.array([[[1, 0], [1, 0]]]), np.array([[[1, 0], [0, 1]]])
    source, prefix = cross_rollout(encoder, decoder, cross)
    assert source == pytest.approx(np.array([[0.5, 0], [0, 0.5]]))
    assert prefix == pytest.approx(np.array([[0.5, 0], [0.25, 0.25]]))
    rng = np.random.default_rng(0)
    layers = [rng.dirichlet(np.ones(n), size=(3, 2, m)) for m, n in ((4, 4), (5, 5), (5, 4))]
    source, prefix = cross_rollout(*layers)
    assert source.sum(axis=1) + prefix.sum(axis=1) == pytest.approx(np.ones(5))
    with pytest.raises(InputError, match="give \\(layers, heads, output, source\\)"):
        cross_rollout(layers[0], layers[1], layers[0])


def test_texts_of_different_lengths_side_by_side_are_as_alone():
    for loaded in (reader("text-classification"), reader("text-generation")):
        texts = ["Anna told us", "Ben told us on day 7 that nothing is as good as books", "Eva"]
        (kind,) = attention_kinds(loaded)
        together = dict(stream_attention(loaded, encode_inputs(loaded, texts), [kind]))
        for number, text in enumerate(texts):
            alone = attention_maps(loaded, text).attentions
            assert together[number][kind].shape == alone.shape
            assert together[number][kind] == pytest.approx(alone, abs=1e-5)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "cross"}, "has no cross attention; it has: encoder"),
        ({"output": "x"}, "is no encoder-decoder and has no output"),
    ],
)
def test_what_an_encoder_does_not_have_is_refused(tiny_loaded, options, said):
    with pytest.raises(InputError, match=said):
        attention_maps(tiny_loaded, TEXT, **options)


def test_an_empty_output_and_one_without_a_head_are_refused():
    loaded = reader("translation")
    with pytest.raises(InputError, match="The output is empty"):
        attention_maps(loaded, "one", kind="cross", output=" ")
    base = replace(loaded, model=loaded.model.base_model, task="")
    with pytest.raises(InputError, match="has no head that writes: give the output"):
        attention_maps(base, "one", kind="cross")
    assert attention_maps(base, "one", kind="cross", output="eins").rows[-1] == "</s>"


def test_maps_above_the_limit_are_refused_before_the_model_runs(tiny_loaded, monkeypatch):
    size = len(attention_maps(tiny_loaded, TEXT).tokens)
    needed = 2 * 4 * size * size * 4
    assert attention_maps(tiny_loaded, TEXT, max_bytes=needed).attentions.nbytes == needed

    def run(*given, **named):
        raise AssertionError("the model ran")

    monkeypatch.setattr(type(tiny_loaded.model), "forward", run)
    with pytest.raises(ResourceError) as refused:
        attention_maps(tiny_loaded, TEXT, max_bytes=needed - 1)
    fitting = int(str(refused.value).split("at most ")[1].split(" ")[0])
    assert 2 * 4 * fitting**2 * 4 < needed <= 2 * 4 * (fitting + 1) ** 2 * 4
    assert f"attention of {size} tokens in 2 layers of 4 heads" in str(refused.value)


def test_one_head_or_the_mean_of_a_layer(tiny_loaded):
    maps = attention_maps(tiny_loaded, TEXT)
    assert (maps.head(1, 2) == maps.attentions[1, 2]).all()
    assert maps.head(0) == pytest.approx(maps.attentions[0].mean(axis=0))
    for place in ((2, 0), (0, 4), (-1, 0)):
        with pytest.raises(InputError, match="2 layers of 4 heads"):
            maps.head(*place)


def test_progress_rises_layer_by_layer_and_a_stop_leaves_the_model_as_it_was(tiny_loaded):
    plain = attention_maps(tiny_loaded, TEXT).attentions
    told = rises_and_stops(lambda report: attention_maps(tiny_loaded, TEXT, report=report))
    assert (told.attentions == plain).all()
    hooks = [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in tiny_loaded.model.modules()]
    assert max(hooks) <= 1  # transformers' own, for the states that it returns


def test_an_encoder_decoder_can_be_stopped_while_it_writes():
    loaded = reader("translation")
    rises_and_stops(lambda report: read_attention(loaded, "one two three", report=report), stop_at=0.1)
    rises_and_stops(lambda report: read_attention(loaded, "one two three", output="eins", report=report))


def test_a_rollout_can_be_stopped_between_layers():
    maps = np.random.default_rng(0).dirichlet(np.ones(5), size=(4, 2, 5))
    found = rises_and_stops(lambda report: attention_rollout(maps, report=report))
    assert (found == attention_rollout(maps)).all()
    rises_and_stops(lambda report: cross_rollout(maps, maps, maps, report=report), stop_at=0.6)
