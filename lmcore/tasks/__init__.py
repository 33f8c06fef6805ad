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
        name="translation",
        title="Machine translation",
        summary="Write each text in another language.",
        target="lmcore.tasks.translation:Translation",
        facts={
            "columns": {
                "source": "the text to translate",
                "target": "its translation",
            },
            "metrics": ["bleu", "chrf"],
            "architectures": ["encoder-decoder", "decoder"],
            "methods": ["full"],
            "models": {"en": "config:marian-small", "zh": "config:marian-small"},
            "analyse": False,
        },
    ),
    Method(
        name="summarisation",
        title="Summarisation",
        summary="Write what matters in each text in a few words.",
        target="lmcore.tasks.summarisation:Summarisation",
        facts={
            "columns": {
                "document": "the text to summarise",
                "summary": "its summary",
            },
            "metrics": ["rouge1", "rouge2", "rouge_l"],
            "architectures": ["encoder-decoder", "decoder"],
            "methods": ["full"],
            "models": {"en": "config:marian-small", "zh": "config:marian-small"},
            "analyse": False,
        },
    ),
    Method(
        name="style-transfer",
        title="Style transfer",
        summary="Write each text in another tone.",
        target="lmcore.tasks.style:StyleTransfer",
        facts={
            "columns": {
                "source": "the text to reword",
                "target": "the same in the wanted style",
            },
            "metrics": ["bleu", "chrf", "content"],
            "architectures": ["encoder-decoder", "decoder"],
            "methods": ["full"],
            "models": {"en": "config:marian-small", "zh": "config:marian-small"},
            "analyse": False,
        },
    ),
    Method(
        name="text-generation",
        title="Text generation",
        summary="Write on from the beginning of a text.",
        target="lmcore.tasks.generation:TextGeneration",
        facts={
            "columns": {"text": "a text of the kind that is to be learnt"},
            "metrics": ["perplexity", "bits_per_byte", "distinct_1", "distinct_2", "repetition"],
            "architectures": ["decoder"],
            "methods": ["full"],
            "models": {"en": "config:llama-small", "zh": "config:llama-small"},
            "analyse": False,
        },
    ),
    Method(
        name="completion",
        title="Completion",
        summary="Find the next token of a text, or those that are masked.",
        target="lmcore.tasks.completion:Completion",
        facts={
            "columns": {"text": "a text of the kind that is to be learnt"},
            "metrics": ["perplexity", "top1", "top5"],
            "architectures": ["encoder", "decoder"],
            "methods": ["full"],
            "models": {"en": "config:bert-small", "zh": "config:bert-small"},
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
