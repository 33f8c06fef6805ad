import gc
import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from lmcore.analysis import activations, extract_activations
from lmcore.analysis.layer_file import LAYER_FILE
from lmcore.errors import Cancelled, InputError, StorageError
from lmcore.models.encode import encode_texts
from lmcore.types import Silent

TEXTS = ["rain", "bread and soup on the train today", "", "wind 🦊 שלום", "a map was very late and we had tea " * 4]


def states_of(loaded, text):
    """All layers of one text that is run alone, without padding."""
    ids = torch.tensor(encode_texts(loaded.tokenizer, [text], loaded.max_length).ids)
    with torch.inference_mode():
        return torch.stack(loaded.model(input_ids=ids, output_hidden_states=True).hidden_states)[:, 0].numpy()


class Stopping(Silent):
    def __init__(self, after):
        self.after = after

    def check(self):
        self.after -= 1
        if self.after < 0:
            raise Cancelled("Stopped.")


@pytest.mark.parametrize("stored", [False, True])
def test_every_token_of_every_layer_is_that_of_the_text_alone(tiny_loaded, tmp_path, stored):
    found = extract_activations(tiny_loaded, TEXTS, store=tmp_path / "store" if stored else None, batch_size=2)
    assert isinstance(found.values, np.memmap) == stored
    assert found.values.dtype == np.float32
    assert found.values.shape == (3, sum(len(ids) for ids in found.encodings.ids), 32)
    for number, text in enumerate(TEXTS):
        expected = states_of(tiny_loaded, text)
        for layer in range(3):
            assert found.layer(layer, number) == pytest.approx(expected[layer], abs=1e-5)
        assert found.norms(number) == pytest.approx(np.linalg.norm(expected, axis=-1), rel=1e-4)
        assert len(found.tokens(number)) == expected.shape[1]


def test_the_frame_has_a_row_for_each_layer_and_token(tiny_loaded):
    found = extract_activations(tiny_loaded, ["rain and wind"])
    frame = found.to_frame(0)
    assert frame["token"].tolist()[:5] == ["[CLS]", "rain", "and", "wind", "[SEP]"]
    assert frame["norm"].to_numpy().reshape(3, 5) == pytest.approx(found.norms(0))
    assert (frame["layer"].max(), frame["position"].max()) == (2, 4)


def test_rows_and_token_ids_are_taken_too(tiny_loaded, topic_frame):
    rows = topic_frame.head(4)
    by_rows = extract_activations(tiny_loaded, rows)
    ids = encode_texts(tiny_loaded.tokenizer, rows["text"].tolist(), 64)
    by_ids = extract_activations(replace(tiny_loaded, task=""), ids)
    by_text = extract_activations(replace(tiny_loaded, task=""), rows[["text"]])
    assert np.array_equal(by_rows.values, by_ids.values)
    assert np.array_equal(by_rows.values, by_text.values)
    assert by_rows.fingerprint == by_ids.fingerprint


def test_more_than_the_limit_goes_to_a_file_that_leaves_with_the_result(tiny_loaded, monkeypatch, tmp_path):
    monkeypatch.setattr(activations, "IN_MEMORY_BYTES", 1000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = extract_activations(tiny_loaded, TEXTS)
    assert isinstance(found.values, np.memmap)
    (folder,) = tmp_path.iterdir()
    kept = found.layer(1, 1)
    expected = kept.copy()
    del found
    gc.collect()
    assert not folder.exists()
    assert np.array_equal(kept, expected)


def test_a_cancelled_run_leaves_no_store(tiny_loaded, tmp_path):
    for store in (tmp_path / "stores" / "one", None):
        with pytest.raises(Cancelled):
            extract_activations(tiny_loaded, TEXTS, store=store, batch_size=1, report=Stopping(3))
    assert list((tmp_path / "stores").iterdir()) == []


def test_a_store_that_is_there_is_not_touched(tiny_loaded, tmp_path):
    store = tmp_path / "store"
    first = extract_activations(tiny_loaded, TEXTS[:2], store=store)
    with pytest.raises(StorageError, match=r"There is a store at .* already"):
        extract_activations(tiny_loaded, TEXTS, store=store)
    assert (store / LAYER_FILE).stat().st_size == first.values.nbytes


def test_a_full_disk_is_told_and_leaves_nothing(tiny_loaded, tmp_path, monkeypatch):
    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.pwritev", refuse)
    with pytest.raises(StorageError, match="The disk is full"):
        extract_activations(tiny_loaded, TEXTS, store=tmp_path / "stores" / "one")
    assert list((tmp_path / "stores").iterdir()) == []


@pytest.mark.parametrize(("texts", "said"), [([], "There are no texts"), ("rain", "put it into a list")])
def test_no_texts_and_a_bare_string_are_refused(tiny_loaded, texts, said):
    with pytest.raises(InputError, match=said):
        extract_activations(tiny_loaded, texts)


def test_a_text_above_the_limit_is_cut_and_marked(tiny_loaded):
    found = extract_activations(tiny_loaded, ["rain " * 20_000, "rain"])
    assert found.encodings.truncated.tolist() == [True, False]
    assert found.layer(0, 0).shape == (64, 32)


def test_a_base_model_without_a_head_works(tiny_loaded):
    base = replace(tiny_loaded, model=tiny_loaded.model.base_model, task="", labels=())
    found = extract_activations(base, pd.DataFrame({"text": TEXTS[:2]}))
    assert found.layer(2, 0) == pytest.approx(states_of(tiny_loaded, TEXTS[0])[2], abs=1e-5)


def test_two_users_at_once_get_what_each_gets_alone(tiny_loaded, topic_frame):
    parts = [topic_frame["text"].tolist()[:60], topic_frame["text"].tolist()[60:]]
    alone = [extract_activations(tiny_loaded, part, batch_size=4).values for part in parts]
    together = [None, None]

    def work(number):
        together[number] = [extract_activations(tiny_loaded, parts[number], batch_size=4).values for _ in range(3)]

    threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for expected, found in zip(alone, together, strict=True):
        for values in found:
            assert values == pytest.approx(expected, abs=1e-6)
