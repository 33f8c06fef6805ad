"""What an evaluation says, in plain sentences."""

from lmcore.training.evaluation import Evaluation

SEEN_LIMIT = 0.01


def headline(evaluation: Evaluation) -> str:
    """Return the main figure with its interval, such as ``Macro F1 is 0.812 (95 % interval 0.755 to 0.864)``."""
    return measured(evaluation, evaluation.main.name)


def measured(evaluation: Evaluation, name: str) -> str:
    """Return one figure with its interval."""
    metric, (low, high) = evaluation.metric(name), evaluation.intervals[name]
    value = metric.show(evaluation.metrics[name])
    return f"{metric.title} is {value} (95 % interval {metric.show(low)} to {metric.show(high)})"


def verdict(evaluation: Evaluation) -> str:
    """Say how good a version is and whether it beats the simple baselines."""
    rows = evaluation.parameters["rows"]
    share = f" it is right in {evaluation.metrics['accuracy']:.1%};" if "accuracy" in evaluation.metrics else ""
    said = f"On {rows} {evaluation.parameters.get('split') or 'data'} rows{share} {headline(evaluation)}."
    seen = evaluation.parameters.get("seen_share")
    if seen and seen > SEEN_LIMIT:
        said += f" **It was trained on {seen:.0%} of these texts, so that this says little about new ones.**"
    rival = evaluation.rival
    if rival is None:
        return said
    value = rival.metric.show(rival.value)
    if rival.beats:
        return f"{said} **{rival.name} does as well or better: {value}.**"
    low, high = evaluation.intervals[rival.metric.name]
    clear = rival.metric.better(low if rival.metric.higher else high, rival.value)
    clearly = "clearly beats" if clear else "is ahead of, but within the interval does not clearly beat,"
    return f"{said} It {clearly} the best baseline, {rival.name} with {value}."
