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
            "methods": ["head", "full", "lora", "scratch", "continual"],
            "models": {"en": "packaged:all-MiniLM-L6-v2", "zh": "config:bert-small"},
            "analyse": True,
        },
    ),
    Method(
        name="named-entity-recognition",
        title="Named-entity recognition",
        summary="Find the words that name persons, places, products and the like, with their type.",
        target="lmcore.tasks.entities:NamedEntityRecognition",
        facts={
            "columns": {
                "text": "the words, separated by spaces",
                "tags": "a tag for each word, such as O, B-place, I-place",
            },
            "metrics": ["precision", "recall", "f1"],
            "architectures": ["encoder"],
            "methods": ["full", "lora", "scratch", "continual"],
            "models": {"en": "packaged:all-MiniLM-L6-v2", "zh": "config:bert-small"},
            "settings": {"learning_rate": 2e-4, "epochs": 10},
            "analyse": True,
        },
    ),
    Method(
        name="slot-filling",
        title="Slot filling with intent",
        summary="Tell what a request wants, and find the words that fill its slots.",
        target="lmcore.tasks.slots:SlotFilling",
        facts={
            "columns": {
                "text": "the words, separated by spaces",
                "tags": "a tag for each word, such as O, B-place, I-place",
                "label": "what the request wants",
            },
            "metrics": ["slot_precision", "slot_recall", "slot_f1", "intent_accuracy", "frame_accuracy"],
            "architectures": ["encoder"],
            "methods": ["full", "lora", "scratch", "continual"],
            "models": {"en": "packaged:all-MiniLM-L6-v2", "zh": "config:bert-small"},
            "settings": {"learning_rate": 2e-4, "epochs": 10},
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
            "methods": ["full", "lora", "scratch", "continual", "grpo"],
            "models": {"en": "config:marian-small", "zh": "config:marian-small"},
            "analyse": True,
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
            "methods": ["full", "lora", "scratch", "continual", "grpo"],
            "models": {"en": "config:marian-small", "zh": "config:marian-small"},
            "analyse": True,
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
            "metrics": ["bleu", "chrf", "style", "content"],
            "architectures": ["encoder-decoder", "decoder"],
            "methods": ["full", "lora", "scratch", "continual", "grpo"],
            "models": {"en": "config:marian-small", "zh": "config:marian-small"},
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
            "methods": ["head", "full", "lora", "scratch", "continual"],
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
            "methods": ["full", "head", "lora", "scratch", "continual"],
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
            "methods": ["full", "lora", "scratch", "continual"],
            "models": {"en": "packaged:all-MiniLM-L6-v2", "zh": "config:bert-small"},
            "analyse": True,
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
            "methods": ["full", "lora", "scratch", "continual", "grpo"],
            "models": {"en": "config:llama-small", "zh": "config:llama-small"},
            "analyse": True,
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
            "methods": ["full", "lora", "scratch", "continual"],
            "models": {"en": "config:bert-small", "zh": "config:bert-small"},
            "analyse": True,
        },
    ),
    Method(
        name="text-alignment",
        title="Text alignment",
        summary="Link the words of a sentence with those of its translation; needs no training.",
        target="lmcore.tasks.alignment:TextAlignment",
        facts={
            "columns": {
                "source": "a sentence",
                "target": "its translation",
                "links": "which words belong together: 0-2 for word 0 and word 2, 0p2 where it is only possible",
            },
            "metrics": ["aer", "precision", "recall"],
            "architectures": ["encoder"],
            "methods": [],
            "models": {"en": "packaged:all-MiniLM-L6-v2", "zh": "packaged:all-MiniLM-L6-v2"},
            "analyse": False,
            "targets": True,
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


def has_targets(name: str) -> bool:
    """Say whether parts of what a version of this task says can be explained: what the Analyse page reads, and links."""
    return reads_task(name) or (name in TASKS and bool(TASKS[name].facts.get("targets")))


def reads_task(name: str) -> bool:
    """Say whether the Analyse page can explain what a version of this task says."""
    return name in TASKS and bool(TASKS[name].facts["analyse"])
