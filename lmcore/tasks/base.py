"""What every task answers, so that training, analysis and serving need no branch by task name."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from lmcore.errors import DataError, InputError, OptionError
from lmcore.tasks.figures import Metric, Scores
from lmcore.tasks.predicted import Predicted
from lmcore.tasks.teaching import Teaching
from lmcore.types import Prediction, Report, Target, count_of

if TYPE_CHECKING:
    import pandas as pd
    import torch

    from lmcore.models.decoding import Decoding
    from lmcore.models.encode import Encodings
    from lmcore.models.load import LoadedModel
    from lmcore.models.reading import Reading
    from lmcore.tasks.outcomes import Outcomes
    from lmcore.tasks.tally import Tally

Role = Literal["text", "label", "tags", "answers", "output"]
Architecture = Literal["encoder", "decoder", "encoder-decoder"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column that a task reads.

    Attributes:
        name: its canonical name.
        help: what it holds, in a few words.
        aliases: the names that it often has in files.
        required: whether a row is of no use without it.
        role: ``text`` is read by the model; ``label`` is a class, ``tags`` has a tag for each word of the text,
            ``answers`` are stretches of it, and ``output`` is text that the model should write.
    """

    name: str
    help: str
    aliases: tuple[str, ...] = ()
    required: bool = True
    role: Role = "text"


class Task(Teaching):
    """One language task; stateless.

    Attributes:
        name: its identifier.
        title: what a page shows.
        columns: what it reads of a file.
        metrics: what its evaluations measure.
        main_metric: the figure that verdicts are about.
        dev_metric: the figure by which an epoch is chosen on dev: one of the metrics, or ``loss``.
        mean_pooled: whether a sentence encoder is fine-tuned on the mean of its token vectors.
        spans_in: the column in which the stretches of a prediction stand; the last that is read where empty.
        extra_tokens: marks in the texts that are one token each when all weights are trained; they are added to a
            tokenizer that lacks them.
        editable: whether cleaning may change a text; not where tags or places of answers belong to its characters.
        judged: whether a prediction is right or wrong; not where a model writes a text of its own.
        plain_text: ``package.module:function`` that reads a ``.txt`` file of this task, or empty where it has none.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    columns: ClassVar[tuple[Column, ...]]
    metrics: ClassVar[tuple[Metric, ...]]
    main_metric: ClassVar[str]
    dev_metric: ClassVar[str] = "loss"
    mean_pooled: ClassVar[bool] = False
    editable: ClassVar[bool] = True
    judged: ClassVar[bool] = True
    plain_text: ClassVar[str] = ""
    spans_in: ClassVar[str] = ""
    extra_tokens: ClassVar[tuple[str, ...]] = ()

    def metric(self, name: str) -> Metric:
        """Return what is known about a metric by its name."""
        return next((m for m in self.metrics if m.name == name), Metric(name, name.replace("_", " ").capitalize()))

    def inputs(self, frame: "pd.DataFrame | None" = None) -> list[str]:
        """Return the columns that the model reads; with a frame, the optional ones that it lacks are left out."""
        return [
            c.name
            for c in self.columns
            if c.role == "text" and (c.required or frame is None or c.name in frame.columns)
        ]

    def required(self) -> list[str]:
        """Return the columns without which the model cannot read a row."""
        return [c.name for c in self.columns if c.role == "text" and c.required]

    def outputs(self) -> list[str]:
        """Return the columns with what the model should find or write."""
        return [c.name for c in self.columns if c.role != "text"]

    def answers(self, frame: "pd.DataFrame") -> list[str]:
        """Return the output columns that must be filled and are there."""
        return [c.name for c in self.columns if c.role != "text" and c.required and c.name in frame.columns]

    def written(self, frame: "pd.DataFrame") -> list[str]:
        """Return the columns with language in them that cleaning may change."""
        outputs = [c.name for c in self.columns if c.role == "output" and c.name in frame.columns]
        return [*self.inputs(frame), *outputs]

    def texts(self, frame: "pd.DataFrame") -> "pd.Series":
        """Return what the model reads of each row as one text, for people and for comparing rows."""
        names = self.inputs(frame)
        whole = frame[names[0]]
        for name in names[1:]:
            whole = whole + "\n" + frame[name]
        return whole

    def vocabulary_texts(self, frame: "pd.DataFrame") -> list[str]:
        """Return the texts from which a new model's tokenizer learns its vocabulary."""
        names = [*self.inputs(frame), *(c.name for c in self.columns if c.role == "output")]
        return [text for name in names for text in frame[name]]

    def groups(self, frame: "pd.DataFrame") -> "pd.Series":
        """Return what rows must not share across splits: the text, of a pair the first one."""
        return frame[self.required()[0]]

    def label_lists(self, frame: "pd.DataFrame") -> list[list[str]]:
        """Return the labels of each row, for counting them; none for a task that writes text."""
        strata = self.strata(frame)
        return [] if strata is None else [[label] for label in strata]

    def strata(self, frame: "pd.DataFrame") -> "pd.Series | None":
        """Return the classes that each split should have in its overall share; None where rows have none."""
        name = next((c.name for c in self.columns if c.role == "label"), "")
        return frame[name] if name in frame.columns else None

    def labels(self, frame: "pd.DataFrame") -> tuple[str, ...]:
        """Return the distinct labels of the rows, sorted; none for a task that writes text."""
        return ()

    def canonical(self, frame: "pd.DataFrame", what: str) -> "pd.DataFrame":
        """Bring cells of a file that was just read into the form in which the task keeps them.

        Args:
            frame: the canonical columns, as the file has them.
            what: the file's name, for messages.

        Raises:
            DataError: a cell cannot be read; the message names its row.
        """
        return frame

    def check(self, frame: "pd.DataFrame", what: str, labels: Sequence[str] | None = None) -> None:
        """Refuse rows that cannot be trained on or measured.

        Args:
            frame: the rows.
            what: what they are called in the message.
            labels: the labels that the model knows, or None while there is no model yet.

        Raises:
            DataError: with a sentence that names the first bad row and what is wrong with it.
        """
        if frame.empty:
            raise DataError(f"{what} has no rows: choose another split or data set.")
        for column in (c for c in self.columns if c.required):
            if column.name not in frame.columns:
                raise DataError(f"{what} has no column {column.name} ({column.help}).")
            empty = frame.index[frame[column.name].str.strip() == ""]
            if len(empty):
                row = int(frame.loc[empty[0], "id"]) + 1
                name = column.name if column.name.endswith("s") else f"a {column.name}"
                raise DataError(
                    f"{what} has {count_of(len(empty), 'row')} without {name}, the first is row {row}: "
                    f"{'clean the data set' if column.role in ('text', 'output') else 'label them or drop them'} first."
                )
        self.check_rows(frame, what, labels)

    @abstractmethod
    def check_rows(self, frame: "pd.DataFrame", what: str, labels: Sequence[str] | None) -> None:
        """Refuse rows whose cells are filled but do not fit the task; see `check`."""

    @abstractmethod
    def model_class(self) -> Any:
        """Return the transformers auto class that loads a model for this task."""

    def model_options(self, labels: Sequence[str]) -> dict[str, Any]:
        """Return what a model's configuration has to say about this task."""
        if not labels:
            return {}
        return {"id2label": dict(enumerate(labels)), "label2id": {name: i for i, name in enumerate(labels)}}

    def adapted(self, config: Any) -> Self:
        """Return the task as models of an architecture do it: itself, where there is one way alone.

        Args:
            config: a model's configuration.

        Raises:
            InputError: models of its kind cannot do the task.
        """
        return self

    def decoding(self, loaded: "LoadedModel | None" = None) -> "Decoding | None":
        """Return how texts are written, by a model or as the task has it; None for a task that writes none."""
        return None

    def decoded(self, decoding: "Decoding") -> Self:
        """Return the task as one that writes its texts in another way.

        Raises:
            OptionError: it writes no text.
        """
        raise OptionError(f"{self.title} writes no text: leave the settings of decoding away.")

    def settings(self, loaded: "LoadedModel") -> dict[str, Any]:
        """Return what predictions depend on besides the model and the rows, as JSON-like values."""
        return {}

    @abstractmethod
    def encode(
        self, tokenizer: Any, frame: "pd.DataFrame", max_length: int, labels: Sequence[str] | None = None
    ) -> "Encodings":
        """Turn rows into token ids; says which rows were cut and how many tokens were unknown.

        Args:
            tokenizer: a transformers tokenizer of the fast kind.
            frame: the rows.
            max_length: the largest number of tokens the model reads at once.
            labels: where given, what is to be learnt is encoded too, as indices into these.
        """

    def collate(self, tokenizer: Any, encodings: "Encodings", rows: Sequence[int]) -> "dict[str, torch.Tensor]":
        """Return one training batch of encoded rows."""
        from lmcore.models.encode import batch_of

        return batch_of(tokenizer, encodings, rows)

    @abstractmethod
    def predict(
        self,
        loaded: "LoadedModel",
        frame: "pd.DataFrame",
        *,
        batch_size: int = 32,
        report: Report | None = None,
    ) -> "Predicted":
        """Run a model over rows.

        Returns:
            One prediction a row, in their order and with their ids, and the rows as the model saw them.
        """

    def examine(
        self,
        loaded: "LoadedModel",
        frame: "pd.DataFrame",
        *,
        batch_size: int = 32,
        report: Report | None = None,
    ) -> "Predicted":
        """Run a model over rows that it is to be measured on.

        The same as `predict`, but for a task that is told what is to be found by the text itself.
        """
        return self.predict(loaded, frame, batch_size=batch_size, report=report)

    def tune(self, loaded: "LoadedModel", frame: "pd.DataFrame") -> dict[str, float]:
        """Choose on dev what reading a trained model's outputs needs, such as a threshold.

        Args:
            loaded: the trained model.
            frame: the dev rows.

        Returns:
            Values by the name under which they are kept in the model's configuration, where `predict` finds them;
            none for a task that needs none.
        """
        return {}

    @abstractmethod
    def measure(
        self, frame: "pd.DataFrame", predictions: Sequence[Prediction], labels: Sequence[str]
    ) -> dict[str, float]:
        """Return the metrics alone, without intervals: quick enough for every epoch."""

    @abstractmethod
    def score(
        self, frame: "pd.DataFrame", predictions: Sequence[Prediction], labels: Sequence[str], *, seed: int
    ) -> Scores:
        """Compare predictions with what the rows themselves say."""

    @abstractmethod
    def table(self, frame: "pd.DataFrame", predictions: Sequence[Prediction]) -> "pd.DataFrame":
        """Set predictions beside the rows.

        Returns:
            ``id``, ``text``, ``gold``, ``label`` (the prediction as text), ``score`` (how sure the model is, 0 to 1)
            and ``correct``, then what the task adds.
        """

    def tally(self, table: "pd.DataFrame") -> "Tally":
        """Return what each row of a `table` adds to the sums that the metrics are made of.

        Comparisons and slices measure resampled rows with it. Without a tally of its own a task is judged by the share
        of rows that are right.
        """
        from lmcore.tasks.tally import share_tally

        return share_tally(table)

    def baselines(
        self,
        train: "pd.DataFrame",
        dev: "pd.DataFrame",
        test: "pd.DataFrame",
        labels: Sequence[str],
        *,
        seed: int,
    ) -> dict[str, list[Prediction]]:
        """Return the predictions of simple honest rivals on the test rows, by their names."""
        return {}

    def token_baselines(
        self,
        tokenizer: Any,
        max_length: int,
        train: "pd.DataFrame",
        dev: "pd.DataFrame",
        test: "pd.DataFrame",
    ) -> dict[str, list[Prediction]]:
        """Return the predictions of rivals that are measured on the model's own tokens, by their names.

        Args:
            tokenizer: the model's.
            max_length: the most tokens that the model reads at once.
            train: rows to learn from.
            dev: rows to choose on.
            test: rows to predict.
        """
        return {}

    def encode_read(self, loaded: "LoadedModel", frame: "pd.DataFrame", output: str = "") -> "Encodings":
        """Encode one row as it is explained.

        Args:
            loaded: the model.
            frame: the row.
            output: what the model wrote for it, for a task that writes; it becomes the ``labels``.
        """
        return self.encode(loaded.tokenizer, frame, loaded.max_length)

    def encode_apart(self, loaded: "LoadedModel", frame: "pd.DataFrame") -> "Encodings":
        """Encode the two texts of one row as rows of their own, with each token's characters as the note ``offsets``."""
        raise InputError(f"The task {self.name} links no words of two texts: choose a version for text alignment.")

    def targets(self, prediction: Prediction) -> list[Target]:
        """Return what can be explained about a prediction, the most natural first."""
        return []

    def passed_over(self, prediction: Prediction, read: str) -> list[Target]:
        """Return the words that a model gave no label, for asking why not; ``read`` is the text that spans stand in."""
        return []

    def objective(self, loaded: "LoadedModel", out: Any, reading: "Reading", target: Target) -> "torch.Tensor":
        """Return the value to explain for each row of a batch, shape (batch,), in logits or log probabilities.

        Args:
            loaded: the model.
            out: what it returned; every row of it is a variant of the same reading, and may be padded on the right.
            reading: where the tokens stand, and what was written.
            target: what is explained.

        Raises:
            InputError: outputs of this task cannot be explained, or the target has no place in the reading.
            UnknownError: the model has no such class.
        """
        raise InputError(f"Attribution is not there for the task {self.name}: choose a version of another task.")

    def rivals(self, loaded: "LoadedModel", target: Target) -> tuple[str, ...]:
        """Return the labels of which exactly one holds, the target's among them; none where labels exclude no other."""
        return ()

    def probability(self, loaded: "LoadedModel", out: Any, reading: "Reading", target: Target) -> "torch.Tensor":
        """Return how probable the target is, shape (batch,), 0 to 1; see `lmcore.tasks.sureness.label_probability`."""
        from lmcore.tasks.sureness import label_probability

        return label_probability(self, loaded, out, reading, target)

    def outcomes(self, loaded: "LoadedModel", out: Any, reading: "Reading", target: Target) -> "Outcomes":
        """Return what the model chooses among for each row of a batch, for a task with a fixed set of choices.

        Raises:
            InputError: the task has no fixed set of choices, or the target has no place in the reading.
            UnknownError: the model has no such choice.
        """
        raise InputError(f"The task {self.name} has no fixed set of choices: choose a version of another task.")
