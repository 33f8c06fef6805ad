"""The small Marian and the tokenizer that it shares between what it reads and what it writes."""

import ast
import subprocess
import sys

import pytest

from lmcore.models.configured_marian import marian_small, train_shared_tokenizer
from lmcore.models.encode import encode_texts
from lmcore.models.shape import Shape

TEXTS = ["Zwei junge weiße Männer sind im Freien.", "Two young men are outside.", "今天天气很好，我们去吃饭。"] * 3


@pytest.fixture(scope="module")
def tokenizer():
    return train_shared_tokenizer(TEXTS, vocabulary=400, max_length=48)


@pytest.mark.parametrize("text", [*TEXTS[:3], "Straße 12, café ☕ 龘", " two  spaces\nand a line", ""])
def test_every_text_comes_back_and_nothing_is_unknown(tokenizer, text):
    ids = tokenizer(text)["input_ids"]
    assert ids[-1] == tokenizer.eos_token_id
    assert tokenizer.decode(ids, skip_special_tokens=True) == text
    assert encode_texts(tokenizer, [text], 48).unknown_share == 0


def test_chinese_characters_are_tokens_of_their_own(tokenizer):
    assert len(tokenizer("天气很好")["input_ids"]) == 5


def test_a_saved_tokenizer_gives_the_same_ids(tokenizer, tmp_path):
    from transformers import AutoTokenizer

    tokenizer.save_pretrained(tmp_path)
    marian_small(tokenizer, Shape()).save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    assert again(TEXTS)["input_ids"] == tokenizer(TEXTS)["input_ids"]
    assert again.decode(again(TEXTS[0])["input_ids"], skip_special_tokens=True) == TEXTS[0]
    assert again.model_max_length == 48
    assert (again.pad_token_id, again.eos_token_id) == (0, 1)


def test_the_same_texts_give_the_same_tokenizer_in_every_process():
    script = (
        "import random; from lmcore.models.configured_marian import train_shared_tokenizer; rng = random.Random(1);"
        "words = [''.join(rng.choices('abcdefgh', k=rng.randint(2, 9))) for _ in range(300)];"
        "print(sorted(train_shared_tokenizer([' '.join(rng.choices(words, k=9)) for _ in range(200)],"
        "vocabulary=500).get_vocab().items()))"
    )
    command = [sys.executable, "-c", script]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    one, other = (process.communicate(timeout=60)[0] for process in running)
    assert one == other
    assert len(ast.literal_eval(one)) == 500


def test_the_small_marian_has_the_size_that_its_title_says(tokenizer):
    config = marian_small(tokenizer, Shape())
    assert (config.encoder_layers, config.decoder_layers, config.d_model) == (3, 3, 256)
    assert config.vocab_size == len(tokenizer)
    assert config.decoder_start_token_id == config.pad_token_id == tokenizer.pad_token_id
    assert config.eos_token_id == tokenizer.eos_token_id
