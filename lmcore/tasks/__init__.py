"""The language tasks: what each needs, how it is encoded, scored, read and explained."""

from lmcore.methods import Method, Registry
from lmcore.tasks.base import Task

TASKS = Registry(
    "task",
    Method(
        name="text-classification",
        title="Text classification",
        summary="Give each text one of a fixed set of classes.",
        target="lmcore.tasks.classification:TextClassification",
        facts={
            "columns": {
                "text": "the text to classify",
                "text_pair": "a second text, where a pair is to be classified",
                "label": "its class",
            },
            "metrics": ["accuracy", "precision_macro", "recall_macro", "f1_macro"],
            "architectures": ["encoder", "decoder"],
            "methods": ["head", "full"],
            "models": {"en": "packaged:all-MiniLM-L6-v2", "zh": "config:bert-small"},
            "analyse": True,
        },
    ),
    Method(
        name="multi-label-classification",
        title="Multi-label classification",
        summary="Give each text any number of labels out of a fixed set.",
        target="lmcore.tasks.multilabel:MultiLabelClassification",
        facts={
            "columns": {"text": "the text to classify", "label": "its labels, joined by |; - where none fits"},
            "metrics": ["f1_micro", "f1_macro", "exact_match", "auroc_macro", "precision_micro", "recall_micro"],
            "architectures": ["encoder", "decoder"],
            "methods": ["head", "full"],
            "models": {"en": "packaged:all-MiniLM-L6-v2", "zh": "config:bert-small"},
            "analyse": True,
        },
    ),
    Method(
        name="relation-extraction",
        title="Relation extraction",
        summary="Say how two marked things in a text are related.",
        target="lmcore.tasks.relation:RelationExtraction",
        facts={
            "columns": {"text": "the text with <e1>…</e1> and <e2>…</e2> around two things", "label": "their relation"},
            "metrics": ["f1_macro", "f1_micro", "accuracy", "precision_macro", "recall_macro"],
            "architectures": ["encoder", "decoder"],
            "methods": ["full", "head"],
            "models": {"en": "packaged:all-MiniLM-L6-v2", "zh": "config:bert-small"},
            "analyse": True,
        },
    ),
    Method(
        name="question-answering",
        title="Question answering",
        summary="Find the stretch of a text that answers a question, or say that there is none.",
        target="lmcore.tasks.answering:QuestionAnswering",
        facts={
            "columns": {
                "question": "the question",
                "context": "the text in which the answer stands",
                "answers": "a JSON list of text and start of each right answer, [] where there is none",
            },
            "metrics": ["f1", "exact_match"],
            "architectures": ["encoder"],
            "methods": ["full"],
            "models": {"en": "packaged:all-MiniLM-L6-v2", "zh": "config:bert-small"},
            "analyse": False,
        },
    ),
)


def load_task(name: str) -> Task:
    """Return a task by its name.

    Raises:
        UnknownError: there is no such task; the message lists those that exist.
    """
    task: Task = TASKS[name].load()()
    return task
