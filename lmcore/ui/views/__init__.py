"""The views of the Analyse page: a file for each, and a line here.

A view's module has ``draw(version, text)``, or ``draw(version)`` where it looks at something else.
"""

from dataclasses import dataclass
from typing import Literal

from lmcore.methods import load_target
from lmcore.tasks import TASKS, has_targets, reads_task
from lmcore.types import Input
from lmcore.ui.analyse import joined

CLASS_TASKS = ("text-classification", "multi-label-classification", "relation-extraction")
LANGUAGE_TASKS = ("text-generation", "completion", "translation", "summarisation", "style-transfer")


@dataclass(frozen=True, slots=True)
class View:
    """One way of looking into a model.

    Attributes:
        title: what the page and the link call it.
        target: ``package.module:function`` that draws it.
        tasks: the versions that it looks into: ``classes`` (those that give a row classes), ``language`` (those that hold
            tokens probable), ``targets`` (those of whose outputs parts can be explained), ``explained`` (those among them
            that read a text at once), ``encoders`` (those whose model may be
            an encoder) or ``any``.
        reads_text: whether it is about the text of the page; else about a data set, or texts that it asks for itself.
        reads_columns: whether it is given each column that the task reads; else they are joined.
    """

    title: str
    target: str
    tasks: Literal["classes", "language", "targets", "explained", "encoders", "any"] = "classes"
    reads_text: bool = True
    reads_columns: bool = False

    def fits(self, task: str) -> bool:
        """Say whether it looks into versions of a task."""
        fitting = {
            "classes": task in CLASS_TASKS,
            "language": task in LANGUAGE_TASKS,
            "targets": has_targets(task),
            "explained": reads_task(task),
            "encoders": task in TASKS and "encoder" in TASKS[task].facts["architectures"],
            "any": task in TASKS,
        }
        return fitting[self.tasks]

    def draw(self, version: str, text: Input = "") -> None:
        """Draw it."""
        drawing = load_target(self.target)
        if self.reads_text:
            drawing(version, text if self.reads_columns else joined(text))
        else:
            drawing(version)


VIEWS = {
    view.title: view
    for view in (
        View("Why", "lmcore.ui.views.why:draw", tasks="targets", reads_columns=True),
        View("Compare", "lmcore.ui.views.compare:draw", tasks="explained", reads_columns=True),
        View("Attention", "lmcore.ui.views.attention:draw", tasks="explained", reads_columns=True),
        View("Output reading", "lmcore.ui.views.output_reading:draw", tasks="explained", reads_columns=True),
        View("Causal tests", "lmcore.ui.views.causal_tests:draw", tasks="explained", reads_columns=True),
        View("Probabilities", "lmcore.ui.views.probabilities:draw", tasks="language"),
        View("Activations", "lmcore.ui.views.activations:draw", tasks="any"),
        View("Alignment", "lmcore.ui.views.alignment:draw", tasks="encoders", reads_text=False),
        View("Examples", "lmcore.ui.views.examples:draw", tasks="explained", reads_columns=True),
        View("Words", "lmcore.ui.views.words:draw", reads_text=False),
        View("Suites", "lmcore.ui.views.suites:draw", reads_text=False),
        View("Neurons", "lmcore.ui.views.neurons:draw", tasks="any", reads_text=False),
        View("Probing", "lmcore.ui.views.probing:draw", tasks="any", reads_text=False),
        View("Concepts", "lmcore.ui.views.concepts:draw", reads_text=False),
        View("Similarity", "lmcore.ui.views.similarity:draw", reads_text=False),
    )
}
