"""The data sets that come with LMScope, with known defects to find."""

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
        name="kitchen-en",
        title="Kitchen notes in English",
        summary="About 120 tips and small stories from the kitchen, for learning to write more of them.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "en", "task": "text-generation", "file": "kitchen_en.csv"},
    ),
    Method(
        name="kitchen-zh",
        title="Kitchen notes in Chinese",
        summary="About 120 tips and small stories from the kitchen, for learning to write more of them.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "zh", "task": "text-generation", "file": "kitchen_zh.csv"},
    ),
    Method(
        name="facts-en",
        title="Everyday facts in English",
        summary="About 120 short sentences that anybody can complete.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "en", "task": "completion", "file": "facts_en.csv"},
    ),
    Method(
        name="facts-zh",
        title="Everyday facts in Chinese",
        summary="About 120 short sentences that anybody can complete.",
        target="lmcore.data.samples:read_sample",
        facts={"language": "zh", "task": "completion", "file": "facts_zh.csv"},
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
    """Return the rows of each planted defect, by kind: ids of the sample's rows.

    Raises:
        UnknownError: there is no such sample.
    """
    file = str(SAMPLES[name].facts["file"]).replace(".csv", ".defects.json")
    listed = json.loads(files("lmcore.data").joinpath("bundled", file).read_text(encoding="utf-8"))
    return {kind: tuple(rows) for kind, rows in listed.items()}
