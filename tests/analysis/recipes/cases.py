"""For every shared analysis the model that it looks into, and what it is asked.

``DATA``, ``LINKED``, ``SUITE`` and ``OTHER`` stand for the data set, the pairs with gold links, the suite and the second
version of the test's workspace.
"""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from lmcore.analysis.over_data.word_influence import InfluenceConfig
from lmcore.types import Target
from tests.analysis.readers import CASES as READ

TOPICS = "topics"  # the small classifier of the topics; else a task of `tests.analysis.readers`
DATA, LINKED, SUITE, OTHER = "<data>", "<linked>", "<suite>", "<other>"
TEXT = "we had some bread and rain today"
PAIR = {"text": TEXT, "output": ""}
MAP = {**PAIR, "kind": "encoder"}
FOOD = asdict(Target("class", "food", against="travel"))
SPOKEN, WORD, WRITTEN = READ["text-generation"]
ASKED = {"text": SPOKEN, "target": asdict(WORD), "output": WRITTEN}
SIDE = {"text": TEXT, "target": FOOD, "method": "gradient_norm", "options": {}, "output": ""}
_WORDS = asdict(InfluenceConfig("x", "x", steps=4, rows=10, least=1, candidates=2, tested=5, seed=3))
WORDS = {name: value for name, value in _WORDS.items() if name not in ("version", "data")}
NEURONS: Mapping[str, Any] = {
    "component": "neurons", "stack": None, "layers": None, "threshold": None, "pooling": None, "top_texts": 2,
    "candidates": 3, "seed": 1,
}  # fmt: skip
STEER: Mapping[str, Any] = {"layer": 1, "strength": 0.5, "strengths": [-0.5, 0.0, 0.5], "reads": "mean"}

RECIPE_CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "attribution": (
        TOPICS, {**PAIR, "target": FOOD, "method": "lime", "options": {"samples": 40, "seed": 3, "unit": "word"}},
    ),
    "every_token": (
        "text-generation",
        {"text": SPOKEN, "output": WRITTEN, "method": "input_x_gradient", "objective": "logit", "options": {}},
    ),
    "served_attribution": (
        TOPICS, {"text": TEXT, "target": FOOD, "method": "leave_one_out", "options": {"unit": "word"}},
    ),
    "comparison": (
        TOPICS, {"first": SIDE, "second": {**SIDE, "text": TEXT.replace("rain", "soup"), "model": OTHER}, "unit": "word"},
    ),
    "attention": (TOPICS, {**MAP, "layer": 1, "head": None}),
    "two_heads": (TOPICS, {**MAP, "first": [1, 2], "second": [2, 4]}),
    "rollout": ("translation", {"text": "one two three", "output": "eins zwei", "kind": "cross"}),
    "flow": (TOPICS, {**MAP, "token": 2}),
    "contributions": ("text-generation", {"text": SPOKEN, "output": WRITTEN}),
    "roles": (
        TOPICS, {"text": "", "kind": "encoder", "data": DATA, "rows": 4, "sequences": 2, "length": 8, "seed": 2},
    ),
    "importance": (TOPICS, {**MAP, "method": "ablation", "options": {"fill": "mean"}}),
    "lens": ("text-generation", {**ASKED, "lens": "", "top": 3}),
    "logit_parts": ("text-generation", ASKED),
    "probabilities": ("text-generation", {"text": SPOKEN, "output": "", "alternatives": 3}),
    "activations": (TOPICS, {"text": TEXT, "component": "mlp", "stack": "layers"}),
    "alignment": (
        TOPICS, {"source": TEXT, "target": "some rain today", "layer": 1, "method": "argmax", "options": {}},
    ),
    "alignment_errors": (
        TOPICS, {"data": LINKED, "split": "", "method": "itermax", "options": {"iterations": 3, "discount": 0.8}, "seed": 2},
    ),
    "patching": (
        TOPICS,
        {
            **PAIR, "corrupted": TEXT.replace("bread", "soup"), "target": FOOD, "component": "heads",
            "direction": "denoise", "whole": False,
        },
    ),
    "ablation": (
        TOPICS,
        {
            **PAIR, "target": FOOD, "part": "heads", "method": "resample", "data": DATA, "rows": 4, "draws": 2, "seed": 5,
        },
    ),
    "steering": (
        TOPICS, {**PAIR, "target": FOOD, "towards": ["bread and soup"], "away": ["train and hotel"], **STEER},
    ),
    "edits": (
        TOPICS,
        {
            "text": TEXT, "edits": {"typos": {}, "deletion": {}}, "columns": [], "towards": "", "budget": 30,
            "most_edits": 2, "beam": 2, "seed": 4,
        },
    ),
    "nearest_rows": (TOPICS, {"text": TEXT, "data": DATA, "split": "train", "row": None, "layer": 1, "k": 3}),
    "influential_rows": (TOPICS, {"text": TEXT, "data": DATA, "split": "train", "row": None, "label": "", "k": 3}),
    "suite_run": (TOPICS, {"suite": SUITE}),
    "suite_comparison": (TOPICS, {"suite": SUITE, "other": OTHER, "seed": 1}),
    "words": (TOPICS, {"data": DATA, "split": "test", "settings": WORDS}),
    "neurons": (TOPICS, {"data": DATA, "split": "train", "rows": 40, "settings": NEURONS}),
    "probes": (
        TOPICS,
        {
            "data": DATA, "rows": 30, "property": "label", "property_options": {}, "probe": "linear", "probe_options": {},
            "control": True, "code": False, "most_words": 200, "seed": 2,
        },
    ),
    "head_map": (
        TOPICS, {"what": "attention", "unit": "head", "data": DATA, "texts": 6, "method": "pca", "options": {}},
    ),
    "concepts": (
        TOPICS,
        {
            "data": DATA, "target": FOOD, "words": [], "column": "label", "values": ["food"], "texts": 8, "sets": 20,
            "level": 0.05, "most": 30, "seed": 2,
        },
    ),
    "factors": (
        TOPICS,
        {"data": DATA, "texts": 20, "layer": 1, "factors": 3, "level": "text", "most": 50, "top": 4, "seed": 1},
    ),
    "similarity": (
        TOPICS,
        {
            "other": OTHER, "data": DATA, "split": "test", "rows": 12, "method": "linear_cka", "options": {},
            "pooling": "mean", "batch": None, "seed": 0,
        },
    ),
}  # fmt: skip
