"""Reading the body of a prediction request within limits."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lmcore.errors import InputError
from lmcore.types import Input

if TYPE_CHECKING:
    from starlette.requests import Request

EXAMPLE = {"texts": ["The delivery was quick.", "It broke after a day."]}
SCHEMA: dict[str, Any] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "text": {"type": "string", "description": "one text"},
                    "texts": {
                        "type": "array",
                        "items": {"anyOf": [{"type": "string"}, {"type": "object"}]},
                        "description": "several texts; where the model reads more than one, an object with each by name",
                    },
                },
                "description": "either text or texts",
            },
            "example": EXAMPLE,
        }
    },
}
_FORM = 'send {"text": "…"} or {"texts": ["…"]}'


class TooLarge(InputError):
    """The body is larger than the server reads."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one request may hold.

    Attributes:
        texts: most texts.
        characters: most characters of a text; the model itself reads the first few hundred tokens.
        body_bytes: largest body.
    """

    texts: int = 256
    characters: int = 100_000
    body_bytes: int = 2 << 20


async def read_body(request: "Request", limits: Limits) -> bytes:
    """Read a body, and stop as soon as it is too large.

    Raises:
        TooLarge: it is larger than the limit.
    """
    declared = request.headers.get("content-length", "")
    parts, size = [], int(declared) if declared.isdigit() else 0
    if size <= limits.body_bytes:
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > limits.body_bytes:
                break
            parts.append(part)
    if size > limits.body_bytes:
        raise TooLarge(f"The request is larger than {limits.body_bytes} bytes: send fewer or shorter texts at once.")
    return b"".join(parts)


def parse_texts(body: bytes, limits: Limits, names: Sequence[str] = ("text",)) -> list[Input]:
    """Return the texts of a body.

    Args:
        body: JSON.
        limits: how much it may hold.
        names: the columns that the model reads: a text alone is the first of a single one; otherwise an object gives
            each by its name.

    Raises:
        InputError: it has another form, or more or longer texts than the limits allow.
    """
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InputError(f"The request is not JSON: {_FORM}.") from error
    if not isinstance(content, dict) or len(content.keys() & {"text", "texts"}) != 1:
        raise InputError(f"The request has not the form of a prediction request: {_FORM}.")
    texts = content["texts"] if "texts" in content else [content["text"]]
    if not isinstance(texts, list):
        raise InputError(f"The field texts is not a list: {_FORM}.")
    if not 1 <= len(texts) <= limits.texts:
        raise InputError(f"The request has {len(texts)} texts: send 1 to {limits.texts} at once.")
    for number, text in enumerate(texts, 1):
        if isinstance(text, dict) or len(names) > 1:
            _check_object(number, text, limits, names)
        else:
            _check_text(number, text, limits)
    return texts


def _check_object(number: int, item: object, limits: Limits, names: Sequence[str]) -> None:
    form = "{" + ", ".join(f'"{name}": "…"' for name in names) + "}"
    if not isinstance(item, dict) or not set(names) <= item.keys():
        raise InputError(f"Text {number} is not complete: this model reads {' and '.join(names)}; send {form}.")
    for value in item.values():
        _check_text(number, value, limits)


def _check_text(number: int, text: object, limits: Limits) -> None:
    if not isinstance(text, str):
        raise InputError(f"Text {number} is not a string: {_FORM}.")
    if not text.strip():
        raise InputError(f"Text {number} is empty: send at least one letter.")
    if len(text) > limits.characters:
        raise InputError(f"Text {number} has {len(text)} characters: send at most {limits.characters}.")
