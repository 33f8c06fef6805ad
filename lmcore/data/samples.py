"""The data sets that come with LMScope, some with known defects to find."""

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
        name="entities-en",
        title="Names in English news",
        summary="130 sentences of local news with persons, organizations, places and dates marked.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "en", "task": "named-entity-recognition", "file": "entities_en.conll"},
    ),
    Method(
        name="entities-zh",
        title="Names in Chinese news",
        summary="124 sentences of local news in Chinese with persons, organizations, places and dates marked.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "zh", "task": "named-entity-recognition", "file": "entities_zh.conll"},
    ),
    Method(
        name="requests-en",
        title="Requests to a home assistant in English",
        summary="140 spoken requests of six intents, with songs, rooms, times and other slots marked.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "en", "task": "slot-filling", "file": "requests_en.csv"},
    ),
    Method(
        name="requests-zh",
        title="Requests to a home assistant in Chinese",
        summary="130 spoken requests of six intents in Chinese, with songs, rooms, times and other slots marked.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "zh", "task": "slot-filling", "file": "requests_zh.csv"},
    ),
    Method(
        name="translation-en-zh",
        title="Everyday sentences, English to Chinese",
        summary="134 sentences from travel, work and home with their Chinese translations.",
        target="lmcore.data.samples:read_sample",
        facts={
            "language": "en",
            "task": "translation",
            "file": "translation_en_zh.csv",
            "columns": {"english": "source", "chinese": "target"},
        },
    ),
    Method(
        name="translation-zh-en",
        title="Everyday sentences, Chinese to English",
        summary="The same 134 sentences the other way round.",
        target="lmcore.data.samples:read_sample",
        facts={
            "language": "zh",
            "task": "translation",
            "file": "translation_en_zh.csv",
            "columns": {"chinese": "source", "english": "target"},
        },
    ),
    Method(
        name="summaries-en",
        title="Notices and chats in English",
        summary="61 local news items, notices and chats, each with a summary in one sentence.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "en", "task": "summarisation", "file": "summaries_en.csv"},
    ),
    Method(
        name="summaries-zh",
        title="Notices and chats in Chinese",
        summary="60 local news items, notices and chats in Chinese, each with a summary in one sentence.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "zh", "task": "summarisation", "file": "summaries_zh.csv"},
    ),
    Method(
        name="politeness-en",
        title="Blunt to polite in English",
        summary="124 blunt messages, each with the same said politely.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "en", "task": "style-transfer", "file": "politeness_en.csv"},
    ),
    Method(
        name="register-zh",
        title="Spoken to written Chinese",
        summary="124 spoken sentences in Chinese (口语), each with the same in formal writing (书面语).",
        target="lmcore.data.samples:read_sample",
        facts={"language": "zh", "task": "style-transfer", "file": "register_zh.csv"},
    ),
    Method(
        name="questions-en",
        title="Pairs of questions in English",
        summary="124 pairs of questions to a help desk, and whether both ask the same.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "en", "task": "text-classification", "file": "questions_en.csv"},
    ),
    Method(
        name="questions-zh",
        title="Pairs of questions in Chinese",
        summary="124 pairs of questions to a help desk in Chinese, and whether both ask the same.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "zh", "task": "text-classification", "file": "questions_zh.csv"},
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
    Method(
        name="kitchen-en",
        title="Kitchen notes in English",
        summary="122 tips and small stories from the kitchen, for learning to write more of them.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "en", "task": "text-generation", "file": "kitchen_en.csv"},
    ),
    Method(
        name="kitchen-zh",
        title="Kitchen notes in Chinese",
        summary="121 tips and small stories from the kitchen, for learning to write more of them.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "zh", "task": "text-generation", "file": "kitchen_zh.csv"},
    ),
    Method(
        name="facts-en",
        title="Everyday facts in English",
        summary="122 short sentences that anybody can complete.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "en", "task": "completion", "file": "facts_en.csv"},
    ),
    Method(
        name="facts-zh",
        title="Everyday facts in Chinese",
        summary="122 short sentences that anybody can complete.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "zh", "task": "completion", "file": "facts_zh.csv"},
    ),
    Method(
        name="words-en-fr",
        title="Linked words, English and French",
        summary="122 short sentences with their French translations and which words belong together.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "en", "task": "text-alignment", "file": "words_en_fr.csv"},
    ),
    Method(
        name="words-zh-en",
        title="Linked words, Chinese and English",
        summary="122 short Chinese sentences with their English translations and which words belong together.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "zh", "task": "text-alignment", "file": "words_zh_en.csv"},
    ),
)


def read_sample(name: str) -> pd.DataFrame:
    """Return a sample's table: columns of strings.

    Raises:
        UnknownError: there is no such sample.
    """
    file = str(SAMPLES[name].facts["file"])
    table = read_table(files("lmcore.data").joinpath("bundled", file).read_bytes(), name=file, header="yes")
    return table.rename(columns=SAMPLES[name].facts.get("columns", {}))


def sample_defects(name: str) -> dict[str, tuple[int, ...]]:
    """Return the rows of each planted defect, by kind: ids of the sample's rows; empty where none were planted.

    Raises:
        UnknownError: there is no such sample.
    """
    file = files("lmcore.data").joinpath(
        "bundled", f"{str(SAMPLES[name].facts['file']).rpartition('.')[0]}.defects.json"
    )
    if not file.is_file():
        return {}
    listed = json.loads(file.read_text(encoding="utf-8"))
    return {kind: tuple(rows) for kind, rows in listed.items()}
