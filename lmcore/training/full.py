"""The methods `full` and `scratch`: every weight is trained."""

from lmcore.training.trained import Trained, TrainJob
from lmcore.training.weights import Learner, load_start, train_weights


def fit_full(job: TrainJob) -> Trained:
    """Train every weight of a model and keep the epoch that does best on dev by the task's own measure.

    What the model is, the configuration says: for the method `full` it has trained weights, for `scratch` it is built from a
    configuration, and its tokenizer learns from the train split.

    Raises:
        As `lmcore.training.weights.load_start` and `lmcore.training.weights.train_weights`.
    """
    return train_weights(job, lambda: Learner(load_start(job)))
