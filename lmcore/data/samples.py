"""The data sets that come with LMScope; some have known defects to find."""

import json
from importlib.resources import files

import pandas as pd

from lmcore.data.read import read_table
from lmcore.methods import Method, Registry

SAMPLES = Registry(
    "sample",
    Method(
        name="feedback-en",
        title="Customer feedback in English",
        summary="About 400 messages to an online shop in five classes, with planted defects.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "en", "task": "text-classification", "file": "feedback_en.csv"},
    ),
    Method(
        name="feedback-zh",
        title="Customer feedback in Chinese",
        summary="About 400 messages to an online shop in five classes, written in Chinese, with planted defects.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "zh", "task": "text-classification", "file": "feedback_zh.csv"},
    ),
    Method(
        name="hotels-en",
        title="Hotel reviews in English",
        summary="About 120 short reviews with what each of them is about, up to three of six labels.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "en", "task": "multi-label-classification", "file": "hotels_en.csv"},
    ),
    Method(
        name="hotels-zh",
        title="Hotel reviews in Chinese",
        summary="About 120 short reviews in Chinese with what each of them is about, up to three of six labels.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "zh", "task": "multi-label-classification", "file": "hotels_zh.csv"},
    ),
    Method(
        name="relations-en",
        title="Relations in English",
        summary="About 120 sentences with two marked names: who works where, who founded what, where things are.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "en", "task": "relation-extraction", "file": "relations_en.csv"},
    ),
    Method(
        name="relations-zh",
        title="Relations in Chinese",
        summary="About 120 Chinese sentences with two marked names: who works where, who founded what, where things are.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "zh", "task": "relation-extraction", "file": "relations_zh.csv"},
    ),
    Method(
        name="passages-en",
        title="Passages with questions in English",
        summary="24 short passages of 12 articles with 120 questions, one in five of them without an answer.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "en", "task": "question-answering", "file": "passages_en.json"},
    ),
    Method(
        name="passages-zh",
        title="Passages with questions in Chinese",
        summary="24 short Chinese passages of 12 articles with 120 questions, one in five of them without an answer.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "zh", "task": "question-answering", "file": "passages_zh.json"},
    ),
)


def read_sample(name: str) -> pd.DataFrame:
    """Return a sample's table: columns of strings.

    Raises:
        UnknownError: there is no such sample.
    """
    file = str(SAMPLES[name].facts["file"])
    return read_table(files("lmcore.data").joinpath("bundled", file).read_bytes(), name=file, header="yes")


def sample_defects(name: str) -> dict[str, tuple[int, ...]]:
    """Return the rows of each planted defect, by kind: ids of the sample's rows; none where none was planted.

    Raises:
        UnknownError: there is no such sample.
    """
    file = str(SAMPLES[name].facts["file"]).rpartition(".")[0] + ".defects.json"
    place = files("lmcore.data").joinpath("bundled", file)
    listed = json.loads(place.read_text(encoding="utf-8")) if place.is_file() else {}
    return {kind: tuple(rows) for kind, rows in listed.items()}
