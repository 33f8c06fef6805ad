"""The analyses that can be shared: a line for each, and a function of a module beside this one."""

from lmcore.methods import Method, Registry

_HERE = "lmcore.analysis.recipes"

RECIPES = Registry(
    "shared analysis",
    *(
        Method(name=name, title=title, summary=summary, target=f"{_HERE}.{place}")
        for name, title, summary, place in (
            ("attribution", "Attribution", "What speaks for and against an output.", "explaining:attribution"),
            ("every_token", "Every token of the output", "What each token hangs on.", "explaining:every_token"),
            ("served_attribution", "A server's answer", "Which words it hangs on.", "served:served_attribution"),
            ("comparison", "Comparison", "Two attributions side by side.", "explaining:comparison"),
            ("attention", "Attention", "One head's map, or the average of a layer's heads.", "heads:attention"),
            ("two_heads", "Two heads", "The maps of two heads and how they differ.", "heads:two_heads"),
            ("rollout", "Attention rollout", "The attention of all layers multiplied through.", "heads:rollout"),
            ("flow", "Attention flow", "How much can pass from token to token.", "heads:flow"),
            ("contributions", "Contributions", "What each head and MLP adds to the stream.", "heads:contributions"),
            ("roles", "Roles of heads", "How well each head fits each role.", "heads:roles"),
            ("importance", "Importance of heads", "What hangs on each head.", "heads:importance"),
            ("lens", "Lens", "What the model would say after each layer.", "reading:lens"),
            ("logit_parts", "Parts of the logit", "What adds to a logit.", "reading:logit_parts"),
            ("probabilities", "Probabilities", "How probable each token is.", "reading:probabilities"),
            ("activations", "Activations", "How large each token's vector is in each layer.", "reading:activations"),
            ("alignment", "Alignment", "Which words of two texts belong together.", "reading:alignment"),
            (
                "alignment_errors",
                "Alignment over a data set",
                "How often each layer links other words than people did.",
                "over_data:alignment_errors",
            ),
            ("patching", "Patching", "What another text's parts change.", "causes:patching"),
            ("ablation", "Ablation", "What is lost without each part.", "causes:ablation"),
            ("steering", "Steering", "What a direction changes, by strength.", "causes:steering"),
            ("edits", "Counterfactuals", "Edits of a text, and what the model says to them.", "examples:edits"),
            ("nearest_rows", "Nearest rows", "The rows nearest to a text.", "examples:nearest_rows"),
            ("influential_rows", "Influential rows", "The rows an answer hangs on.", "examples:influential_rows"),
            ("suite_run", "Suite", "How a version does on the cases of a suite.", "examples:suite_run"),
            ("suite_comparison", "Two versions on a suite", "How they differ.", "examples:suite_comparison"),
            ("words", "Words", "Which words speak for each class over a data set.", "over_data:words"),
            ("neurons", "Neurons", "How active layers are, and which neurons tell labels apart.", "over_data:neurons"),
            ("probes", "Probes", "What can be read off each layer.", "over_data:probes"),
            ("head_map", "Map of heads", "Which layers or heads are alike.", "over_data:head_map"),
            ("concepts", "Concepts", "Whether a class answers to concepts.", "over_data:concepts"),
            ("factors", "Factors", "The patterns of which a layer's vectors are sums.", "over_data:factors"),
            ("similarity", "Likeness of layers", "How alike the layers are.", "over_data:similarity"),
        )
    ),
)
