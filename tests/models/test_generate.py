"""Writing: greedy, with beams and by sampling, equal to transformers' own and the same every time."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from lmcore.errors import Cancelled, OptionError
from lmcore.models.configured_decoder import llama_config, train_bpe
from lmcore.models.configured_marian import marian_config, train_shared_tokenizer
from lmcore.models.decoding import Decoding
from lmcore.models.encode import counted, pad_batch
from lmcore.models.generate import write_texts
from lmcore.models.load import load_model, reading_config
from lmcore.tasks.adapters import WritingModel
from lmcore.types import Silent
from tests.analysis.told import Told

TEXTS = ["one two three four", "one", "two two 三", "four three"]
LEARNT = ["one two three four", "eins zwei drei vier", "一二三四"] * 3


@pytest.fixture(scope="module", params=["marian", "llama"])
def folder(request, tmp_path_factory):
    """A saved model of each architecture whose random weights are enlarged, so that it writes more than one token."""
    if request.param == "marian":
        tokenizer = train_shared_tokenizer(LEARNT, vocabulary=300, max_length=40)
        config = marian_config(tokenizer, layers=2, width=16, heads=2)
    else:
        tokenizer = train_bpe(LEARNT, vocabulary=300, max_length=40)
        config = llama_config(tokenizer, layers=2, width=16, heads=2)
    torch.manual_seed(4)
    model = WritingModel.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() == 2:
                parameter.mul_(8)
    place = tmp_path_factory.mktemp("writers") / request.param
    model.save_pretrained(place)
    tokenizer.save_pretrained(place)
    return place


@pytest.fixture
def loaded(folder, settings):
    return load_model(f"folder:{folder}", task="translation", settings=settings)


@pytest.fixture
def encodings(loaded):
    return counted(loaded.tokenizer, loaded.tokenizer(TEXTS)["input_ids"])


def test_greedy_is_what_transformers_writes_alone(loaded, encodings):
    found = write_texts(loaded, encodings, Decoding(max_new_tokens=12))
    for ids, item in zip(encodings.ids, found, strict=True):
        out = loaded.model.generate(torch.tensor([ids]), max_new_tokens=12, do_sample=False, num_beams=1)[0]
        new = out[1:] if loaded.model.config.is_encoder_decoder else out[len(ids) :]
        assert item.text == loaded.tokenizer.decode(new, skip_special_tokens=True).strip()
        assert item.tokens == len(new)
        assert item.finished == (int(new[-1]) == loaded.tokenizer.eos_token_id)


def test_the_score_is_the_mean_probability_of_the_tokens(loaded, encodings):
    found = write_texts(loaded, encodings, Decoding(max_new_tokens=9))
    for ids, item in zip(encodings.ids, found, strict=True):
        batch = torch.tensor([ids])
        out = loaded.model.generate(
            batch, max_new_tokens=9, do_sample=False, num_beams=1, output_logits=True, return_dict_in_generate=True
        )
        new = out.sequences[0][-len(out.logits) :]
        probabilities = [float(s[0].softmax(-1)[t]) for s, t in zip(out.logits, new, strict=True)]
        assert item.score == pytest.approx(np.mean(probabilities), abs=1e-5)


def test_batches_do_not_change_greedy_texts(loaded, encodings):
    whole = write_texts(loaded, encodings, Decoding(max_new_tokens=10))
    alone = write_texts(loaded, encodings, Decoding(max_new_tokens=10), batch_size=1)
    assert [(w.text, w.tokens) for w in whole] == [(a.text, a.tokens) for a in alone]
    assert [w.score for w in whole] == pytest.approx([a.score for a in alone], abs=1e-5)


def test_beams_find_texts_that_are_no_less_probable(loaded, encodings):
    def log_probability(ids, text_ids):
        start = torch.tensor([ids])
        if loaded.model.config.is_encoder_decoder:
            first = loaded.model.generation_config.decoder_start_token_id
            logits = loaded.model(start, decoder_input_ids=torch.tensor([[first, *text_ids[:-1]]])).logits[0]
        else:
            logits = loaded.model(torch.tensor([[*ids, *text_ids]])).logits[0, len(ids) - 1 : -1]
        return float(logits.log_softmax(-1)[range(len(text_ids)), text_ids].sum())

    ids = encodings.ids[0]
    kept = {}
    for beams in (1, 8):
        generation = Decoding(beams=beams, max_new_tokens=6, length_penalty=0.0).to_generation(6, pad=0, end=None)
        out = loaded.model.generate(torch.tensor([ids]), generation_config=generation)[0].tolist()
        kept[beams] = log_probability(ids, out[-6:])
    assert kept[8] >= kept[1] - 1e-4
    found = write_texts(loaded, encodings, Decoding(beams=3, max_new_tokens=6))
    assert found == write_texts(loaded, encodings, Decoding(beams=3, max_new_tokens=6))


def test_sampling_follows_its_seed_and_leaves_the_random_state(loaded, encodings):
    hot = Decoding(sample=True, temperature=3.0, max_new_tokens=8, seed=1)
    torch.manual_seed(0)
    before = torch.get_rng_state()
    one = [w.text for w in write_texts(loaded, encodings, hot)]
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(9)
    assert [w.text for w in write_texts(loaded, encodings, hot)] == one
    assert [w.text for w in write_texts(loaded, encodings, replace(hot, seed=2))] != one
    narrow = Decoding(sample=True, top_p=0.01, max_new_tokens=8)
    greedy = write_texts(loaded, encodings, Decoding(max_new_tokens=8))
    assert [w.text for w in write_texts(loaded, encodings, narrow)] == [w.text for w in greedy]


def test_the_model_s_own_way_is_read_and_kept(folder, settings, tmp_path):
    loaded = load_model(f"folder:{folder}", task="translation", settings=settings)
    assert loaded.decoding == Decoding()
    loaded.model.generation_config.update(num_beams=4, max_new_tokens=33, length_penalty=0.5)
    loaded.model.save_pretrained(tmp_path / "beams")
    loaded.tokenizer.save_pretrained(tmp_path / "beams")
    again = load_model(f"folder:{tmp_path / 'beams'}", task="translation", settings=settings)
    assert again.decoding == Decoding(beams=4, max_new_tokens=33, length_penalty=0.5)


def test_nothing_is_written_beyond_the_length(loaded, encodings):
    found = write_texts(loaded, encodings, Decoding(max_new_tokens=512), batch_size=1)
    reads = 0 if loaded.model.config.is_encoder_decoder else 1
    assert all(item.tokens + reads * len(ids) <= 40 for ids, item in zip(encodings.ids, found, strict=True))
    assert write_texts(loaded, counted(loaded.tokenizer, [])) == []


def test_a_report_can_stop_it(loaded, encodings):
    class Stop(Silent):
        def check(self):
            raise Cancelled("stop")

    with pytest.raises(Cancelled):
        write_texts(loaded, encodings, report=Stop())
    with pytest.raises(Cancelled):  # between two tokens of one batch
        write_texts(loaded, encodings, report=Told(0.05))


def test_every_token_is_told(loaded, encodings):
    told = Told()
    write_texts(loaded, encodings, Decoding(max_new_tokens=7), report=told)
    assert told.shares == sorted(told.shares)
    assert len(told.shares) > 2
    assert told.shares[-1] == 1


@pytest.mark.parametrize("wrong", [{"beams": 0}, {"temperature": 0.0}, {"top_p": 1.5}, {"beams": 2, "sample": True}])
def test_settings_out_of_range_are_refused(wrong):
    with pytest.raises(OptionError):
        Decoding(**wrong).checked()


def test_padding_on_the_left():
    class Pads:
        pad_token_id = 7

    batch = pad_batch(Pads, [[1, 2], [3]], left=True)
    assert batch["input_ids"].tolist() == [[1, 2], [7, 3]]
    assert batch["attention_mask"].tolist() == [[1, 1], [0, 1]]


def test_of_two_models_that_were_joined_the_encoder_reads():
    from transformers import BertConfig, EncoderDecoderConfig, T5Config

    joined = EncoderDecoderConfig.from_encoder_decoder_configs(BertConfig(num_hidden_layers=3), BertConfig())
    assert reading_config(joined).num_hidden_layers == 3
    assert reading_config(T5Config(num_layers=5)).num_hidden_layers == 5
