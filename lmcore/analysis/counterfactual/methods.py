"""The edits that can be picked, with their options."""

from lmcore.methods import Method, Option, Registry

_HERE = "lmcore.analysis.counterfactual"
STAYS, CHANGES = "stays", "changes"


def _most(default: int, what: str) -> Option:
    return Option("most", "int", default, what, minimum=1, maximum=100)


# expects: what a suite takes for granted of the label after such an edit; empty where that depends on the word.
EDITS = Registry(
    "edit",
    Method(
        name="deletion",
        title="Leave out a word",
        summary="Leaves out each word, one at a time; Chinese words are whole.",
        target=f"{_HERE}.word_edits:deletions",
        facts={"expects": "", "languages": ["en", "zh"]},
    ),
    Method(
        name="replacement",
        title="Replace a word",
        summary="Puts a similar or an opposite word of a list in a word's place, or a neighbour in the model's vocabulary.",
        target=f"{_HERE}.word_edits:replaced_words",
        options=(
            Option(
                "words",
                "choice",
                "both",
                "Where the words come from: a list of similar and opposite words, the nearest embeddings of the model where "
                "it is at hand, or both.",
                choices=("both", "list", "neighbours"),
            ),
            _most(4, "Replacements of one word, at most."),
        ),
        facts={"expects": "", "languages": ["en", "zh"]},
    ),
    Method(
        name="negation",
        title="Negate",
        summary="Puts a negation in or takes one out: is and is not, works and does not work, 好 and 不好, 有 and 没有.",
        target=f"{_HERE}.negation:negations",
        facts={"expects": CHANGES, "languages": ["en", "zh"]},
    ),
    Method(
        name="entities",
        title="Swap a name",
        summary="Swaps persons, places, organisations, days, months and numbers for others of their sort.",
        target=f"{_HERE}.entities:swapped_entities",
        options=(_most(2, "Swaps of one name, at most."),),
        facts={"expects": STAYS, "languages": ["en", "zh"]},
    ),
    Method(
        name="typos",
        title="Misspell a word",
        summary="Swaps two neighbouring letters or hits the key beside one; in a Chinese word two characters are swapped.",
        target=f"{_HERE}.word_edits:typos",
        options=(_most(2, "Typos of one word, at most."),),
        facts={"expects": STAYS, "languages": ["en", "zh"]},
    ),
    Method(
        name="homophones",
        title="Write it as it sounds",
        summary="Writes a Chinese character of the same sound and tone, or an English word that is pronounced alike.",
        target=f"{_HERE}.word_edits:homophones",
        options=(_most(2, "Homophones of one word, at most."),),
        facts={"expects": STAYS, "languages": ["zh", "en"]},
    ),
    Method(
        name="letter_case",
        title="Change the letter case",
        summary="Writes a word, or the whole text, in capitals or in small letters.",
        target=f"{_HERE}.spelling:letter_case",
        facts={"expects": STAYS, "languages": ["en"]},
    ),
    Method(
        name="width",
        title="Change the width",
        summary="Writes letters and digits in full width, as Chinese keyboards do, or full width ones in half width.",
        target=f"{_HERE}.spelling:character_width",
        facts={"expects": STAYS, "languages": ["en", "zh"]},
    ),
    Method(
        name="punctuation",
        title="Change the punctuation",
        summary="Leaves out a mark, writes it in the other width, or ends the text with another one.",
        target=f"{_HERE}.spelling:punctuation",
        facts={"expects": STAYS, "languages": ["en", "zh"]},
    ),
    Method(
        name="hotflip",
        title="HotFlip",
        summary="Swaps words for those that the model's gradient holds most against the answer; for models whose gradients are "
        "at hand.",
        target=f"{_HERE}.hotflip:gradient_flips",
        options=(
            _most(24, "Swaps altogether, those with the largest estimate."),
            Option("per_word", "int", 3, "Swaps of one word, at most.", minimum=1, maximum=50),
        ),
        facts={"expects": "", "languages": ["en", "zh"], "gradients": True},
    ),
)
BLACK_BOX = tuple(name for name, method in EDITS.items() if not method.facts.get("gradients"))
