import subprocess
import sys

import pytest

import lmcore.data


@pytest.mark.parametrize("name", lmcore.data.__all__)
def test_every_exported_name_is_there(name):
    exported = getattr(lmcore.data, name)
    assert exported.__name__ == name
    assert exported.__doc__


def test_other_names_are_not():
    with pytest.raises(AttributeError, match="has no attribute 'read_everything'"):
        _ = lmcore.data.read_everything


def test_registries_of_this_package_import_nothing_heavy():
    code = (
        "import sys, lmcore.data.samples, lmcore.data.issues, lmcore.data.clean, lmcore.data.load, lmcore.data.store\n"
        "heavy = {'torch', 'transformers', 'sklearn', 'datasets', 'streamlit', 'ftfy', 'py3langid', 'openpyxl'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.split() == []
