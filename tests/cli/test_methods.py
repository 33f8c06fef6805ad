"""``lmcore methods``."""

from lmcore.methods import REGISTRIES, all_registries


def test_every_registry_is_printed(ask):
    found = ask("methods")
    assert list(found) == list(REGISTRIES)
    for kind, registry in all_registries().items():
        assert list(found[kind]) == list(registry)
        for entry in found[kind].values():
            assert entry["summary"].endswith(".")
            assert isinstance(entry["options"], dict)
    assert found["training"]["full"]["options"]["epochs"] == {
        "kind": "int",
        "default": 2,
        "help": "Passes over the training split.",
        "minimum": 1,
        "maximum": 1000,
    }


def test_one_kind(ask, run):
    assert list(ask("methods", "projection")) == ["projection"]
    shown = run("methods", "projection").stdout
    assert "perplexity" in shown
    assert "cleaning" not in shown


def test_an_unknown_kind(refused):
    assert refused("methods", "nosuch").startswith(
        "There is no kind of method 'nosuch'; known: ablated, ablation, alignment"
    )
