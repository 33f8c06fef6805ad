"""What a model says about an input, in the form that its task has."""

import pandas as pd
import streamlit as st

from lmcore.charts import analysis as charts
from lmcore.tasks.base import Task
from lmcore.types import Prediction
from lmcore.ui import show


def show_prediction(task: Task, prediction: Prediction, read: str) -> None:
    """Show a prediction: the class, the stretches that were found, the text that was written.

    Args:
        task: the model's.
        prediction: what it says.
        read: the text in which stretches are.
    """
    if prediction.label:
        sure = prediction.probabilities.get(prediction.label, prediction.score)
        st.markdown(f"The model says **{show.plain(prediction.label)}** with {sure:.1%}.")
    if prediction.text:
        st.caption("It writes" if not prediction.spans else "Its answer")
        st.text(prediction.text)
    if prediction.spans:
        rows = [(read[span.start : span.end], span.label, span.score) for span in prediction.spans]
        found = pd.DataFrame(rows, columns=["Words", "Type", "Probability"])
        show.table(
            found, "analyse_spans", alt="The stretches that were found, each with its type.", percent=("Probability",)
        )
    elif not prediction.label and not prediction.text:
        st.markdown("The model finds nothing here.")
    if prediction.probabilities:
        show.figure(charts.class_probabilities(prediction.probabilities), "analyse_probabilities")
