import json

import pytest

from lmcore.errors import InputError
from lmcore.serving.body import Limits, parse_texts

LIMITS = Limits(texts=3, characters=10, body_bytes=100)


@pytest.mark.parametrize(
    ("content", "texts"),
    [({"text": "a"}, ["a"]), ({"texts": ["a", "中文"]}, ["a", "中文"]), ({"text": "a", "more": 1}, ["a"])],
)
def test_both_forms_are_read(content, texts):
    assert parse_texts(json.dumps(content).encode(), LIMITS) == texts


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b'["a"]', "has not the form"),
        (b"{}", "has not the form"),
        (b'{"text": "a", "texts": ["b"]}', "has not the form"),
        (b'{"text": 3}', "Text 1 is not a string"),
        (b'{"text": null}', "Text 1 is not a string"),
        (b'{"texts": "a"}', "not a list"),
        (b'{"texts": []}', "has 0 texts: send 1 to 3"),
        (b'{"texts": ["a", "a", "a", "a"]}', "has 4 texts: send 1 to 3"),
        (b'{"texts": ["a", ["b"]]}', "Text 2 is not a string"),
        (b'{"texts": ["a", " \\n"]}', "Text 2 is empty"),
        (b'{"text": "aaaaaaaaaaa"}', "has 11 characters: send at most 10"),
    ],
)
def test_everything_else_is_one_sentence(body, sentence):
    with pytest.raises(InputError, match=sentence) as error:
        parse_texts(body, LIMITS)
    assert str(error.value).endswith(".")
    assert "\n" not in str(error.value)
