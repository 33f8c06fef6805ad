import psutil
import pytest

from lmcore.memory import read_memory

MIB = 1 << 20


@pytest.fixture
def group(tmp_path):
    """Return a function that writes a control group with a limit, what it holds, and what of that are old files."""
    own = tmp_path / "own"
    own.write_text("0::/pod/app\n")
    inner = tmp_path / "cgroup" / "pod" / "app"
    inner.mkdir(parents=True)

    def write(folder, limit, held=0, old=0):
        place = tmp_path / "cgroup" / folder
        (place / "memory.max").write_text(f"{limit}\n")
        (place / "memory.current").write_text(f"{held}\n")
        (place / "memory.stat").write_text(f"anon 1\ninactive_file {old}\nfile 2\n")
        return read_memory(tmp_path / "cgroup", own)

    return write


def test_without_a_limit_it_is_the_machines(group):
    found = group("pod/app", "max")
    assert found.total == psutil.virtual_memory().total
    assert 0 < found.available <= found.total


def test_a_container_has_what_its_limit_leaves(group):
    found = group("pod/app", 300 * MIB, held=250 * MIB, old=100 * MIB)
    assert (found.total, found.available) == (300 * MIB, 150 * MIB)
    assert group("pod/app", 300 * MIB, held=400 * MIB).available == 0


def test_the_tightest_group_counts(group):
    group("pod/app", 300 * MIB)
    found = group("pod", 200 * MIB, held=50 * MIB)
    assert (found.total, found.available) == (200 * MIB, 150 * MIB)


def test_a_system_without_control_groups_has_the_machines_memory(tmp_path):
    assert read_memory(tmp_path, tmp_path / "nothing").total == psutil.virtual_memory().total
