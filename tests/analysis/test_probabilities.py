import threading
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from lmcore.analysis import token_probabilities
from lmcore.analysis.probabilities import token_text
from lmcore.errors import Cancelled, InputError
from lmcore.models.load import LoadedModel
from lmcore.types import Silent
from tests.analysis.test_component_activations import translator
from tests.tasks.speakers import decoder_tokenizer, speaker

TEXT = "Anna told us on day 3 that nothing is as good as apples"


@pytest.fixture(scope="module")
def llama() -> LoadedModel:
    return speaker("text-generation")


@torch.inference_mode()
def plain(loaded: LoadedModel, ids: list[int], **options: object) -> np.ndarray:
    """The softmax of the plain logits of one row."""
    return loaded.model(input_ids=torch.tensor([ids]), **options).logits[0].double().softmax(dim=-1).numpy()


def test_a_decoder_gives_the_softmax_of_its_plain_logits(llama: LoadedModel) -> None:
    found = token_probabilities(llama, TEXT)
    ids = llama.tokenizer(TEXT)["input_ids"]
    assert ids[0] == llama.tokenizer.bos_token_id
    assert found.reading == "next token"
    assert found.ids.tolist() == ids[1:]
    shares = plain(llama, ids)[:-1]
    own = shares[np.arange(len(ids) - 1), ids[1:]]
    assert found.probability == pytest.approx(own, rel=1e-6)
    assert found.surprisal == pytest.approx(-np.log2(own), rel=1e-6)
    assert found.entropy == pytest.approx(-(shares * np.log2(shares)).sum(axis=1), rel=1e-6)
    assert found.rank.tolist() == (1 + (shares > own[:, None]).sum(axis=1)).tolist()
    order = np.argsort(-shares, axis=1)[:, :5]
    assert found.best_probability == pytest.approx(np.take_along_axis(shares, order, axis=1), rel=1e-6)
    assert "".join(found.tokens) == TEXT
    assert found.best[3] == tuple(token_text(llama.tokenizer, int(token)) for token in order[3])
    assert found.vocabulary == shares.shape[1] >= 2 ** found.entropy.max()


def test_the_surprisals_add_up_to_the_texts_loss(llama: LoadedModel) -> None:
    found = token_probabilities(llama, TEXT)
    ids = torch.tensor([llama.tokenizer(TEXT)["input_ids"]])
    with torch.inference_mode():
        loss = float(llama.model(input_ids=ids, labels=ids).loss)
    assert found.nll == pytest.approx(loss * found.predicted, rel=1e-5)
    assert found.perplexity == pytest.approx(np.exp(loss), rel=1e-5)


def test_the_first_token_without_one_before_it_is_not_predicted(llama: LoadedModel) -> None:
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    bare = PreTrainedTokenizerFast(tokenizer_object=decoder_tokenizer().backend_tokenizer, eos_token="</s>")
    bare.backend_tokenizer.post_processor = TemplateProcessing(single="$A", special_tokens=[])
    loaded = replace(llama, tokenizer=bare)
    found = token_probabilities(loaded, TEXT)
    assert (found.rank[0], found.best[0]) == (0, ())
    assert np.isnan(found.probability[0])
    assert np.isnan(found.entropy[0])
    assert found.predicted == len(found.tokens) - 1
    frame = found.to_frame()
    assert frame["token"].tolist() == list(found.tokens)
    assert frame["surprisal"].sum() == pytest.approx(found.bits)
    with pytest.raises(InputError, match="no token that is predicted"):
        token_probabilities(loaded, "A")


def test_a_masked_model_masks_each_token_in_turn() -> None:
    loaded = speaker("completion", encoder=True)
    found = token_probabilities(loaded, TEXT, batch_size=4)
    ids = loaded.tokenizer(TEXT)["input_ids"]
    assert found.reading == "masked token"
    assert found.ids.tolist() == ids[1:-1]
    for place in range(1, len(ids) - 1):
        hidden = [*ids[:place], loaded.tokenizer.mask_token_id, *ids[place + 1 :]]
        shares = plain(loaded, hidden)[place]
        assert found.probability[place - 1] == pytest.approx(shares[ids[place]], rel=1e-4)
        assert found.entropy[place - 1] == pytest.approx(-(shares * np.log2(shares)).sum(), rel=1e-4)


def test_an_encoder_decoder_tells_its_outputs_tokens_given_the_source() -> None:
    loaded = translator()
    found = token_probabilities(loaded, TEXT, output="good apples")
    source = torch.tensor([loaded.tokenizer(TEXT)["input_ids"]])
    written = loaded.tokenizer(text_target="good apples")["input_ids"]
    with torch.inference_mode():
        out = loaded.model(input_ids=source, labels=torch.tensor([written]))
    shares = out.logits[0].double().softmax(dim=-1).numpy()
    assert found.reading == "output"
    assert found.ids.tolist() == written
    assert found.probability == pytest.approx(shares[np.arange(len(written)), written], rel=1e-4)
    assert found.nll == pytest.approx(float(out.loss) * len(written), rel=1e-4)
    own = token_probabilities(loaded, TEXT)
    assert own.rank[0] == 1  # it writes greedily, so that each token is the most probable one


def test_a_decoder_that_writes_after_a_template_tells_its_outputs_tokens(llama: LoadedModel) -> None:
    from lmcore.tasks import load_task

    loaded = replace(llama, task="translation", max_length=200)
    found = token_probabilities(loaded, "Anna", output="apples")
    task = load_task("translation").adapted(loaded.model.config)
    frame = pd.DataFrame({"id": [0], "source": ["Anna"], "target": ["apples"]})
    whole = task.encode(loaded.tokenizer, frame, 200, labels=())
    labels = torch.tensor([whole.fields["labels"][0]])
    with torch.inference_mode():
        loss = float(loaded.model(input_ids=torch.tensor([whole.ids[0]]), labels=labels).loss)
    assert found.reading == "output"
    assert found.nll == pytest.approx(loss * found.predicted, rel=1e-5)
    assert token_probabilities(loaded, "Anna").rank[0] == 1


@pytest.mark.parametrize("encoder", [False, True])
def test_a_long_text_is_read_whole_in_windows(encoder: bool) -> None:
    loaded = speaker("completion" if encoder else "text-generation", encoder=encoder, max_length=16)
    text = " ".join([TEXT] * 4)
    found = token_probabilities(loaded, text)
    assert len(found.tokens) == len(loaded.tokenizer(text, add_special_tokens=False)["input_ids"]) > 48
    assert found.predicted == len(found.tokens)
    assert not found.truncated
    short = token_probabilities(replace(loaded, max_length=64), text[:20])
    assert found.surprisal[:2] == pytest.approx(short.surprisal[:2], rel=1e-3) if not encoder else True


@pytest.mark.parametrize("text", ["物流很慢，客服不回", "wind 🦊 שלום", "x"])
def test_any_text_has_its_tokens(llama: LoadedModel, text: str) -> None:
    found = token_probabilities(llama, text)
    assert found.predicted == len(found.tokens) > 0
    assert np.isfinite(found.surprisal).all()
    assert all(found.tokens)


def test_a_part_of_a_character_is_named_by_its_bytes(llama: LoadedModel) -> None:
    ids = llama.tokenizer("🦊", add_special_tokens=False)["input_ids"]
    assert [token_text(llama.tokenizer, token) for token in ids] == ["<0xF0>", "<0x9F>", "<0xA6>", "<0x8A>"]
    assert token_text(llama.tokenizer, llama.tokenizer.bos_token_id) == "<s>"


def test_what_cannot_be_measured_is_refused(llama: LoadedModel, tiny_loaded: LoadedModel) -> None:
    with pytest.raises(InputError, match="has no language head"):
        token_probabilities(tiny_loaded, TEXT)
    with pytest.raises(InputError, match="The text is empty"):
        token_probabilities(llama, "  ")
    with pytest.raises(InputError, match="writes no text from a text"):
        token_probabilities(llama, TEXT, output="x")


def test_it_is_cancelled_between_batches() -> None:
    class Stop(Silent):
        def check(self) -> None:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        token_probabilities(speaker("completion", encoder=True), TEXT, batch_size=1, report=Stop())


def test_two_users_at_once_get_what_each_gets_alone(llama: LoadedModel) -> None:
    texts = [TEXT, "Eva told us on day 7 that nothing is as good as eggs"]
    alone = [token_probabilities(llama, text) for text in texts]
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(10):
            again = token_probabilities(llama, texts[number])
            if not np.array_equal(again.surprisal, alone[number].surprisal):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert alone[0].fingerprint != alone[1].fingerprint
