"""A small model with random weights for each task, with an input and what can be asked about it."""

from typing import Any

from lmcore.models.load import LoadedModel, token_limit
from lmcore.tasks import load_task
from lmcore.types import Input, ModelRef, Target
from tests.tasks.speakers import encoder_tokenizer, speaker
from tests.tasks.writers import number_pairs, small_shared_tokenizer, tiny_marian

TEXT = "Anna told us on day 7 that nothing is as good as apples"
CASES: dict[str, tuple[Input, Target, str]] = {
    "text-classification": (TEXT, Target("class", "good", against="bad"), ""),
    "named-entity-recognition": (TEXT, Target("tag", "B-person", 0, 4, against="O"), ""),
    "slot-filling": (TEXT, Target("class", "go"), ""),
    "relation-extraction": ("<e1>Anna</e1> told us on day 7 of <e2>apples</e2>", Target("class", "good"), ""),
    "question-answering": (
        {"question": "who told us", "context": TEXT},
        Target("span", "answer", 0, 4, against="no answer"),
        "",
    ),
    "translation": ("one two three", Target("phrase", "zwei", 5, 9), "eins zwei drei"),
    "text-generation": ("Anna told us on", Target("phrase", "day", 1, 4), " day 7 that"),
    "completion": ("Ben told us on day", Target("token", " that", against=" is"), ""),
}
LABELS = {
    "text-classification": ("bad", "good", "odd"),
    "named-entity-recognition": ("O", "B-person", "I-person"),
    "slot-filling": ("O", "B-person", "I-person", "intent:go", "intent:stop"),
    "relation-extraction": ("bad", "good"),
}


def reader(task: str, *, seed: int = 0) -> LoadedModel:
    """Return a small model of a task, its weights enlarged so that its outputs differ."""
    if task in ("text-generation", "completion"):
        return speaker(task, seed=seed)
    import torch

    tokenizer = _pair_tokenizer() if task == "translation" else encoder_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = _model(task, tokenizer).eval().requires_grad_(False)
    for parameter in model.parameters():
        if parameter.dim() == 2:
            parameter.mul_(3)
    labels = LABELS.get(task, ())
    limit = min(64, token_limit(model, tokenizer))
    return LoadedModel(ModelRef("folder", "x"), task, model, tokenizer, labels, f"f{seed}", "cpu", 0, limit)


def _model(task: str, tokenizer: Any) -> Any:
    from lmcore.models.configured import bert_config

    kind = load_task(task)
    config = (
        tiny_marian(tokenizer, None) if task == "translation" else bert_config(tokenizer, layers=2, width=32, heads=4)
    )
    for name, value in kind.model_options(LABELS.get(task, ())).items():
        setattr(config, name, value)
    return kind.model_class().from_config(config)


def _pair_tokenizer() -> Any:
    pairs = number_pairs(60)
    return small_shared_tokenizer([*pairs["source"], *pairs["target"]])
