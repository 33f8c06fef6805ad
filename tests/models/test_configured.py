import ast
import subprocess
import sys

import pytest

from lmcore.models.configured import bert_small, train_tokenizer
from lmcore.models.encode import encode_texts
from lmcore.models.shape import Shape

CHINESE = ["今天天气很好，我们去吃饭", "外卖送得很慢，饭都凉了", "很好吃，下次还点", "天气不好，送餐慢"] * 3


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer([*CHINESE, "Rain and Sun", "rain and sun"], vocabulary=300, max_length=48)


def test_chinese_characters_are_tokens_of_their_own(tokenizer):
    assert tokenizer.tokenize("天气很慢，吃饭") == ["天", "气", "很", "慢", "，", "吃", "饭"]
    encodings = encode_texts(tokenizer, CHINESE, 48)
    assert encodings.unknown_share == 0
    assert encode_texts(tokenizer, ["龘天"], 48).unknown.tolist() == [1]


def test_letter_case_does_not_count_and_special_tokens_come_first(tokenizer):
    assert tokenizer("RAIN and sun")["input_ids"] == tokenizer("rain AND Sun")["input_ids"]
    ids = tokenizer("rain")["input_ids"]
    assert (ids[0], ids[-1]) == (tokenizer.cls_token_id, tokenizer.sep_token_id)
    assert [tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.mask_token_id] == [0, 1, 4]
    assert tokenizer.model_max_length == 48
    assert len(tokenizer) <= 300


def test_a_saved_tokenizer_gives_the_same_ids(tokenizer, tmp_path):
    from transformers import AutoTokenizer

    tokenizer.save_pretrained(tmp_path)
    again = AutoTokenizer.from_pretrained(tmp_path)
    texts = [*CHINESE, "rain 很 sun", ""]
    assert again(texts)["input_ids"] == tokenizer(texts)["input_ids"]
    assert again.model_max_length == 48


def test_the_same_texts_give_the_same_tokenizer_in_every_process():
    script = (
        "import random; from lmcore.models.configured import train_tokenizer; rng = random.Random(1);"
        "words = [''.join(rng.choices('abcdefgh', k=rng.randint(2, 9))) for _ in range(400)];"
        "print(sorted(train_tokenizer([' '.join(rng.choices(words, k=9)) for _ in range(300)],"
        "vocabulary=200).get_vocab().items()))"
    )
    command = [sys.executable, "-c", script]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    one, other = (process.communicate(timeout=60)[0] for process in running)
    assert one == other
    assert len(ast.literal_eval(one)) == 200


def test_more_than_a_thousand_characters_are_learnt():
    texts = ["".join(chr(0x4E00 + start + i) for i in range(20)) for start in range(0, 2000, 20)] * 2
    tokenizer = train_tokenizer(texts)
    assert encode_texts(tokenizer, texts, 64).unknown_share == 0


def test_the_small_bert_has_the_size_that_its_title_says(tokenizer):
    config = bert_small(tokenizer, Shape())
    assert (config.num_hidden_layers, config.hidden_size, config.num_attention_heads) == (4, 256, 4)
    assert config.vocab_size == len(tokenizer)
    assert config.pad_token_id == tokenizer.pad_token_id
