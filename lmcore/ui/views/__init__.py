"""The views of the Analyse page: a file for each, and a line here.

A view's module has ``draw(version, text)``, or ``draw(version)`` where it looks at a data set in place of a text.
"""

from dataclasses import dataclass

from lmcore.methods import load_target
from lmcore.types import Input
from lmcore.ui.analyse import joined

_CLASSES = ("text-classification", "multi-label-classification", "relation-extraction")


@dataclass(frozen=True, slots=True)
class View:
    """One way of looking into a model.

    Attributes:
        title: what the page and the link call it.
        target: ``package.module:function`` that draws it.
        reads_text: whether it is about one text; else about a data set.
        reads_columns: whether it is given each column that the task reads; else they are joined.
        tasks: the tasks whose versions it can look into; all of them where empty.
    """

    title: str
    target: str
    reads_text: bool = True
    reads_columns: bool = False
    tasks: tuple[str, ...] = ()

    def fits(self, task: str) -> bool:
        """Say whether it looks into versions of a task."""
        return not self.tasks or task in self.tasks

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
        View("Why", "lmcore.ui.views.why:draw", reads_columns=True),
        View("Attention", "lmcore.ui.views.attention:draw", tasks=_CLASSES),
        View("Activations", "lmcore.ui.views.activations:draw", tasks=_CLASSES),
        View("Words", "lmcore.ui.views.words:draw", reads_text=False),
        View("Layers", "lmcore.ui.views.layers:draw", reads_text=False, tasks=_CLASSES),
    )
}
