import copy

import numpy as np
import pytest
import torch

from lmcore.models.label_rows import keep_rows, row_places
from lmcore.models.start import new_model
from lmcore.tasks import load_task
from lmcore.training.continual.distillation import distillation

FRAMES = {
    "text-classification": {"text": ["a warm day", "some bread"], "label": ["c", "a"]},
    "multi-label-classification": {"text": ["a warm day", "some bread"], "label": ["a|c", "-"]},
    "named-entity-recognition": {"text": ["to Oslo today", "tea"], "tags": ["O B-b O", "O"]},
    "slot-filling": {"text": ["to Oslo today", "tea"], "tags": ["O B-b O", "O"], "label": ["go", "eat"]},
    "question-answering": {
        "question": ["where", "what"],
        "context": ["we went to Oslo", "tea"],
        "answers": ['[{"text": "Oslo", "start": 11}]', "[]"],
    },
    "completion": {"text": ["a warm day and some wind today", "some bread"]},
    "text-generation": {"text": ["a warm day and some wind today", "some bread"]},
    "translation": {"source": ["a warm day", "tea"], "target": ["some bread", "wind"]},
}
KNOWN = {
    "text-classification": ("a", "b"),
    "multi-label-classification": ("a", "b"),
    "named-entity-recognition": ("O", "B-a"),
    "slot-filling": ("O", "B-a", "intent:eat"),
}
WIDE = {
    "text-classification": ("a", "b", "c"),
    "multi-label-classification": ("a", "b", "c"),
    "named-entity-recognition": ("O", "B-a", "B-b"),
    "slot-filling": ("O", "B-a", "B-b", "intent:eat", "intent:go"),
}
MODELS = {"text-generation": "llama-small", "translation": "marian-small"}


def build(name):
    """Return the task, an earlier model, one that knows further labels beside, and a batch with those labels."""
    import pandas as pd

    from lmcore.methods import load_target
    from lmcore.models.catalogue import MODELS as KINDS

    task, kind = load_task(name), MODELS.get(name, "bert-small")
    frame = pd.DataFrame(FRAMES[name]).assign(id=[0, 1])
    tokenizer = load_target(KINDS[kind].facts["tokenizer"])(task.vocabulary_texts(frame) * 5)
    old = new_model(kind, task, tokenizer, KNOWN.get(name, ()), seed=0)
    new = new_model(kind, task, tokenizer, WIDE.get(name, ()), seed=1)
    task = task.adapted(old.config)
    keeps = {k: v for k, v in old.state_dict().items() if new.state_dict()[k].shape == v.shape}
    new.load_state_dict({**new.state_dict(), **keeps})
    if name in KNOWN:
        keep_rows(old, new, row_places(task, old, KNOWN[name], WIDE[name]))
    encodings = task.encode(tokenizer, frame, 64, WIDE.get(name, ()))
    return task, old, new.eval(), task.collate(tokenizer, encodings, [0, 1])


@pytest.mark.parametrize("name", list(FRAMES))
def test_the_same_answers_cost_nothing_and_others_are_drawn_back(name):
    task, old, new, batch = build(name)
    untouched = copy.deepcopy(old.state_dict())
    penalty = distillation(task, old, KNOWN.get(name, ()), WIDE.get(name, ()), strength=2.0, temperature=2.0)
    assert penalty(new, batch, new(**batch)).item() == pytest.approx(0, abs=1e-5)
    with torch.no_grad():
        for weight in new.parameters():
            weight += 0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0))
    apart = penalty(new, batch, new(**batch))
    assert apart.item() > 1e-4
    apart.backward()
    moved = [weight for weight in new.parameters() if weight.grad is not None]
    step = 0.05 * apart.item() / sum(weight.grad.norm() ** 2 for weight in moved)
    with torch.no_grad():
        for weight in moved:
            weight -= step * weight.grad
    assert penalty(new, batch, new(**batch)).item() < apart.item(), "a step against the gradient brings them nearer"
    assert all(torch.equal(value, untouched[key]) for key, value in old.state_dict().items())


def test_the_divergence_of_classes_by_hand():
    task, old, new, batch = build("text-classification")
    with torch.no_grad():
        new.classifier.bias[0] += 1.0
    found = distillation(task, old, ("a", "b"), ("a", "b", "c"), strength=0.5, temperature=2.0)(
        new, batch, new(**batch)
    )
    inputs = {k: v for k, v in batch.items() if k != "labels"}
    with torch.inference_mode():
        p, q = (torch.softmax(model(**inputs).logits[:, :2] / 2, dim=1).double().numpy() for model in (old, new))
    by_hand = (p * np.log(p / q)).sum(axis=1).mean()
    assert found.item() == pytest.approx(0.5 * 4 * by_hand, rel=1e-4)


def test_only_learnt_tokens_count_and_a_decoders_output_is_of_the_next():
    task, old, new, batch = build("text-generation")
    penalty = distillation(task, old, (), (), strength=1.0, temperature=1.0)
    outputs = new(**batch)
    outputs.logits = outputs.logits.clone()
    last = batch["attention_mask"].sum(dim=1) - 1
    for row, place in enumerate(last):
        outputs.logits[row, place:, :7] += 5  # nothing comes after the last token, and nothing is learnt there
    assert penalty(new, batch, outputs).item() == pytest.approx(0, abs=1e-6)
    outputs.logits[0, 0, :7] += 5
    assert penalty(new, batch, outputs).item() > 0.1
