"""The views of the Analyse page: a file for each, and a line here.

A view's module has ``draw(version, text)``, or ``draw(version)`` where it looks at a data set in place of a text.
"""

from dataclasses import dataclass

from lmcore.methods import load_target


@dataclass(frozen=True, slots=True)
class View:
    """One way of looking into a model.

    Attributes:
        title: what the page and the link call it.
        target: ``package.module:function`` that draws it.
        reads_text: whether it is about one text; else about a data set.
    """

    title: str
    target: str
    reads_text: bool = True

    def draw(self, version: str, text: str = "") -> None:
        """Draw it."""
        drawing = load_target(self.target)
        if self.reads_text:
            drawing(version, text)
        else:
            drawing(version)


VIEWS = {
    view.title: view
    for view in (
        View("Why", "lmcore.ui.views.why:draw"),
        View("Attention", "lmcore.ui.views.attention:draw"),
        View("Output reading", "lmcore.ui.views.output_reading:draw"),
        View("Causal tests", "lmcore.ui.views.causal_tests:draw"),
        View("Activations", "lmcore.ui.views.activations:draw"),
        View("Words", "lmcore.ui.views.words:draw", reads_text=False),
        View("Layers", "lmcore.ui.views.layers:draw", reads_text=False),
    )
}
