"""Analyses over many texts: what they hold in memory does not grow with the number of texts."""

import tracemalloc

import numpy as np
import pytest

from lmcore.analysis import extract_activations, find_neurons, layer_similarity
from lmcore.analysis.probes.examples import Examples
from lmcore.analysis.probes.vectors import layer_vectors
from lmcore.models.encode import encode_texts
from lmcore.models.load import LoadedModel
from lmcore.types import ModelRef, Silent
from tests.tasks.speakers import decoder_tokenizer, rule_frame

FEW, MANY = 32, 224
LAYERS, WIDTH = 7, 128


@pytest.fixture(scope="module")
def loaded():
    import torch
    from transformers import LlamaForCausalLM

    from lmcore.models.configured_decoder import llama_config

    torch.manual_seed(0)
    tokenizer = decoder_tokenizer()
    model = LlamaForCausalLM(llama_config(tokenizer, layers=LAYERS - 1, width=WIDTH, heads=4)).eval()
    return LoadedModel(ModelRef("folder", "x"), "text-generation", model, tokenizer, (), "f", "cpu", 0, 64)


def peak(work):
    """Return the most bytes that Python and numpy held while something was done."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def grown(work):
    """Return by how much more many texts hold than few; a first run imports and fills what is kept for later ones."""
    work(rule_frame(FEW))
    few, many = peak(lambda: work(rule_frame(FEW))), peak(lambda: work(rule_frame(MANY)))
    return many - few


def vectors(loaded, count, *, tokens):
    """Return the bytes that the vectors of so many more texts take at all layers."""
    each = len(loaded.tokenizer(rule_frame(1)["text"].iloc[0])["input_ids"]) if tokens else 1
    return 4 * LAYERS * WIDTH * each * count


def test_activations_go_to_a_file(loaded, tmp_path):
    numbers = iter(range(9))

    def work(frame):
        found = extract_activations(loaded, frame["text"].tolist(), store=tmp_path / str(next(numbers)), batch_size=16)
        assert found.values.shape == (LAYERS, int(found.encodings.lengths.sum()), WIDTH)
        assert np.isfinite(found.layer(2, len(frame) - 1)).all()

    assert grown(work) < vectors(loaded, MANY - FEW, tokens=True) / 16


def test_neurons_are_summed_up(loaded):
    def work(frame):
        assert find_neurons(loaded, frame["text"].tolist(), batch_size=16).texts == len(frame)

    assert grown(work) < vectors(loaded, MANY - FEW, tokens=True) / 16


def test_layers_are_compared_in_batches(loaded):
    def work(frame):
        assert layer_similarity(loaded, frame["text"].tolist(), method="debiased_cka", batch=32).rows == len(frame)

    assert grown(work) < vectors(loaded, MANY - FEW, tokens=False) / 4


def test_the_vectors_of_probes_go_to_a_file(loaded):
    read = {len(frame): part_of(loaded, frame["text"].tolist()) for frame in (rule_frame(FEW), rule_frame(MANY))}

    def work(frame):
        with layer_vectors(loaded, {"train": read[len(frame)]}, Silent(), in_memory=0) as found:
            assert found.layer("train", LAYERS - 1).shape == (len(frame), WIDTH)

    assert grown(work) < vectors(loaded, MANY - FEW, tokens=False) / 2


def part_of(loaded, texts):
    encodings = encode_texts(loaded.tokenizer, texts, loaded.max_length)
    return Examples(encodings, np.arange(len(texts)).astype(str), tuple(texts), np.arange(len(texts)))
