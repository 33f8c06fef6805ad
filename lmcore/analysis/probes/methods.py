"""What can be probed, and the probes, with their options."""

from lmcore.methods import Method, Option, Registry

STRENGTH = 0.02
"""The best on dev (mean over the layers) of .003 to 1 for MiniLM on SST-2, and flat around it."""

_BINS = Option("bins", "int", 3, "Classes of about equally many examples.", minimum=2, maximum=20)


def _strength(default: float) -> Option:
    return Option(
        "strength",
        "float",
        default,
        "Inverse strength of the L2 penalty on the weights: smaller is a weaker probe.",
        minimum=1e-6,
        maximum=1e6,
    )


PROPERTIES = Registry(
    "property",
    Method(
        name="label",
        title="Label",
        summary="The class that the data give each text.",
        target="lmcore.analysis.probes.sentences:label",
        facts={"level": "text"},
    ),
    Method(
        name="length",
        title="Length",
        summary="How long each text is, in classes of about equally many texts.",
        target="lmcore.analysis.probes.sentences:length",
        options=(
            _BINS,
            Option("unit", "choice", "words", "What is counted.", choices=("words", "characters")),
        ),
        facts={"level": "text"},
    ),
    Method(
        name="word_order",
        title="Word order",
        summary="Whether two adjacent words of a text were swapped, which half of the texts have done to them.",
        target="lmcore.analysis.probes.sentences:word_order",
        facts={"level": "text"},
    ),
    Method(
        name="column",
        title="Column",
        summary="Any column of the data set; numbers with many values are put into classes.",
        target="lmcore.analysis.probes.sentences:column",
        options=(Option("column", "text", "label", "Which column."), _BINS),
        facts={"level": "text"},
    ),
    Method(
        name="tags",
        title="Tags of words",
        summary="The tag that a column gives each word, such as its part of speech or the entity that it is of.",
        target="lmcore.analysis.probes.words:tags",
        options=(Option("column", "text", "tags", "The column with a tag for each word, separated by spaces."),),
        facts={"level": "word"},
    ),
    Method(
        name="word_identity",
        title="Word identity",
        summary="Which word a vector is of, among the most frequent ones; a control task labels words too, so that "
        "selectivity is about 0.",
        target="lmcore.analysis.probes.words:identity",
        options=(Option("words", "int", 20, "How many of the most frequent words.", minimum=2, maximum=500),),
        facts={"level": "word"},
    ),
    Method(
        name="word_position",
        title="Word position",
        summary="How far from the beginning of its text a word stands, in classes of about equally many words.",
        target="lmcore.analysis.probes.words:position",
        options=(_BINS,),
        facts={"level": "word"},
    ),
)

PROBES = Registry(
    "probe",
    Method(
        name="linear",
        title="Linear probe",
        summary="Logistic regression: finds what a layer holds in the open, and is quick.",
        target="lmcore.analysis.probes.classifiers:linear",
        options=(_strength(STRENGTH),),
    ),
    Method(
        name="mlp",
        title="Probe with a hidden layer",
        summary="One hidden layer of rectified units: finds what is folded too, and learns more by heart, so that its "
        "selectivity counts.",
        target="lmcore.analysis.probes.classifiers:mlp",
        options=(
            _strength(0.1),
            Option("hidden", "int", 64, "Units of the hidden layer.", minimum=1, maximum=4096),
        ),
    ),
)
