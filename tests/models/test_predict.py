import numpy as np
import pandas as pd
import pytest
import torch

from lmcore.errors import Cancelled
from lmcore.models.encode import encode_texts, pad_batch
from lmcore.models.hidden import mean_pooled_states, stream_hidden_states
from lmcore.models.predict import predict_logits, predict_rows, predict_texts
from lmcore.types import Silent

TEXTS = ["rain and wind today", "a ticket", "the soup was very good " * 10, "storm", "some bread", ""]


class Stopping(Silent):
    """Asks to stop the second time that it is asked, and notes the progress."""

    def __init__(self):
        self.asked, self.fractions = 0, []

    def check(self):
        self.asked += 1
        if self.asked > 1:
            raise Cancelled("stop")

    def progress(self, fraction, message=""):
        self.fractions.append(fraction)


def alone(loaded, text):
    encodings = encode_texts(loaded.tokenizer, [text], loaded.max_length)
    with torch.inference_mode():
        return loaded.model(**pad_batch(loaded.tokenizer, encodings.ids), output_hidden_states=True)


def test_a_batch_gives_what_each_text_gives_alone(tiny_loaded):
    encodings = encode_texts(tiny_loaded.tokenizer, TEXTS, tiny_loaded.max_length)
    logits = predict_logits(tiny_loaded, encodings, batch_size=4)
    assert logits.dtype == np.float32
    for text, row in zip(TEXTS, logits, strict=True):
        assert row == pytest.approx(alone(tiny_loaded, text).logits[0].numpy(), abs=1e-5)
    assert logits.std(axis=0).min() > 1e-3, "the model tells the texts apart"


def test_predictions_come_in_the_order_of_the_rows_with_their_ids(tiny_loaded):
    frame = pd.DataFrame({"id": [9, 2, 5, 1, 0, 7], "text": TEXTS})
    predictions = predict_rows(tiny_loaded, frame, batch_size=2)
    assert [p.id for p in predictions] == [9, 2, 5, 1, 0, 7]
    shuffled = predict_rows(tiny_loaded, frame.iloc[::-1], batch_size=2)
    for one, other in zip(predictions, reversed(shuffled), strict=True):
        assert one.label == other.label
        assert one.probabilities == pytest.approx(other.probabilities, abs=1e-5)


def test_plain_texts_are_numbered(tiny_loaded):
    predictions = predict_texts(tiny_loaded, TEXTS[:2])
    assert [p.id for p in predictions] == [0, 1]
    assert set(predictions[0].probabilities) == {"food", "travel", "weather"}
    assert predict_texts(tiny_loaded, []) == []


@pytest.mark.parametrize("work", [predict_logits, mean_pooled_states])
def test_long_work_can_be_stopped_between_batches(tiny_loaded, work):
    encodings = encode_texts(tiny_loaded.tokenizer, TEXTS, 64)
    report = Stopping()
    with pytest.raises(Cancelled):
        work(tiny_loaded, encodings, batch_size=2, report=report)
    assert report.fractions == [pytest.approx(1 / 3)]


def test_states_of_every_layer_stream_by_batch(tiny_loaded):
    encodings = encode_texts(tiny_loaded.tokenizer, TEXTS, 64)
    seen = []
    for batch in stream_hidden_states(tiny_loaded, encodings, batch_size=4):
        seen += batch.rows.tolist()
        assert len(batch.states) == tiny_loaded.layers + 1
        assert batch.logits is None
        for position, row in enumerate(batch.rows):
            wanted = alone(tiny_loaded, TEXTS[row]).hidden_states
            length = len(encodings.ids[row])
            assert batch.mask[position].sum() == length
            for layer, states in enumerate(batch.states):
                assert torch.allclose(states[position, :length], wanted[layer][0], atol=1e-5)
    assert sorted(seen) == list(range(len(TEXTS)))


def test_outputs_come_with_the_states_where_they_are_wanted(tiny_loaded):
    encodings = encode_texts(tiny_loaded.tokenizer, TEXTS, 64)
    for batch in stream_hidden_states(tiny_loaded, encodings, outputs=True, batch_size=4):
        assert batch.logits is not None
        for position, row in enumerate(batch.rows):
            assert torch.allclose(batch.logits[position], alone(tiny_loaded, TEXTS[row]).logits[0], atol=1e-5)


def test_pooled_states_are_means_over_real_tokens(tiny_loaded):
    encodings = encode_texts(tiny_loaded.tokenizer, TEXTS, 64)
    pooled = mean_pooled_states(tiny_loaded, encodings, batch_size=4)
    assert pooled.shape == (tiny_loaded.layers + 1, len(TEXTS), 32)
    assert pooled.dtype == np.float32
    for row, text in enumerate(TEXTS):
        for layer, states in enumerate(alone(tiny_loaded, text).hidden_states):
            assert pooled[layer, row] == pytest.approx(states[0].mean(dim=0).numpy(), abs=1e-5)
    assert mean_pooled_states(tiny_loaded, encode_texts(tiny_loaded.tokenizer, [], 64)).size == 0
