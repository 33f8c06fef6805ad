"""The views of the Analyse page: a file for each, and a line here.

A view's module has ``draw(version, text)``, or ``draw(version)`` where it looks at something else.
"""

from dataclasses import dataclass
from typing import Literal

from lmcore.methods import load_target
from lmcore.tasks import TASKS, has_targets, reads_task
from lmcore.types import Input
from lmcore.ui.analyse import joined

About = Literal["text", "data"]
ABOUT: dict[str, str] = {"text": "A text", "data": "A data set"}
CLASS_TASKS = ("text-classification", "multi-label-classification", "relation-extraction")
LANGUAGE_TASKS = ("text-generation", "completion", "translation", "summarisation", "style-transfer")


@dataclass(frozen=True, slots=True)
class View:
    """One way of looking into a model.

    Attributes:
        name: what the link calls it.
        title: what the page calls it.
        target: ``package.module:function`` that draws it.
        tasks: the versions that it looks into: ``classes`` (those that give a row classes), ``language`` (those that hold
            tokens probable), ``targets`` (those of whose outputs parts can be explained), ``explained`` (those among them
            that read a text at once), ``encoders`` (those whose model may be
            an encoder) or ``any``.
        about: a ``text`` or a whole data set (``data``).
        own_texts: whether it asks for its texts itself; else one about a text is about that of the page.
        reads_columns: whether it is given each column that the task reads; else they are joined.
    """

    name: str
    title: str
    target: str
    tasks: Literal["classes", "language", "targets", "explained", "encoders", "any"] = "classes"
    about: About = "text"
    own_texts: bool = False
    reads_columns: bool = False

    @property
    def reads_text(self) -> bool:
        """Whether it is given the text of the page."""
        return self.about == "text" and not self.own_texts

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
    view.name: view
    for view in (
        View("why", "Why", "lmcore.ui.views.why:draw", tasks="targets", reads_columns=True),
        View("compare", "Compare", "lmcore.ui.views.compare:draw", tasks="explained", reads_columns=True),
        View("attention", "Attention", "lmcore.ui.views.attention:draw", tasks="explained", reads_columns=True),
        View(
            "output_reading",
            "Output reading",
            "lmcore.ui.views.output_reading:draw",
            tasks="explained",
            reads_columns=True,
        ),
        View(
            "causal_tests", "Causal tests", "lmcore.ui.views.causal_tests:draw", tasks="explained", reads_columns=True
        ),
        View("probabilities", "Probabilities", "lmcore.ui.views.probabilities:draw", tasks="language"),
        View("activations", "Activations", "lmcore.ui.views.activations:draw", tasks="any"),
        View("alignment", "Alignment", "lmcore.ui.views.alignment:draw", tasks="encoders", own_texts=True),
        View("examples", "Examples", "lmcore.ui.views.examples:draw", tasks="explained", reads_columns=True),
        View("words", "Words", "lmcore.ui.views.words:draw", about="data"),
        View("suites", "Suites", "lmcore.ui.views.suites:draw", tasks="any", about="data"),
        View("neurons", "Neurons", "lmcore.ui.views.neurons:draw", tasks="any", about="data"),
        View("probing", "Probing", "lmcore.ui.views.probing:draw", tasks="any", about="data"),
        View("concepts", "Concepts", "lmcore.ui.views.concepts:draw", tasks="any", about="data"),
        View("similarity", "Similarity", "lmcore.ui.views.similarity:draw", tasks="any", about="data"),
    )
}
