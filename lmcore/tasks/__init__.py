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
)


def load_task(name: str) -> Task:
    """Return a task by its name.

    Raises:
        UnknownError: there is no such task; the message lists those that exist.
    """
    task: Task = TASKS[name].load()()
    return task


def reads_task(name: str) -> bool:
    """Say whether the Analyse page can explain what a version of this task says."""
    return name in TASKS and bool(TASKS[name].facts["analyse"])
