"""The command line as a process of its own: imports, pipes, signals."""

import os
import signal
import subprocess
import sys

COMMAND = [sys.executable, "-c", "from lmcore.cli import main; main(prog_name='lmcore')"]
HEAVY = ("torch", "transformers", "sklearn", "pandas", "numpy", "umap", "streamlit", "mlflow", "datasets")


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom lmcore.cli import main\n"
        "try:\n    main(['--help'], prog_name='lmcore')\nexcept SystemExit:\n    pass\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "Usage: lmcore" in done.stdout


def test_the_installed_command():
    from importlib.metadata import entry_points

    (script,) = entry_points(group="console_scripts", name="lmcore")
    assert script.value == "lmcore.cli:main"


def test_a_closed_pipe_is_quiet():
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "w") as closed:
        done = subprocess.run([*COMMAND, "methods", "--json"], stdout=closed, stderr=subprocess.PIPE, text=True)
    assert done.stderr == ""


def test_bad_input_from_outside(tmp_path):
    done = subprocess.run(
        [*COMMAND, "--home", str(tmp_path), "data", "profile", "nosuch.csv"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "nosuch.csv" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_libraries_below_do_not_speak_for_themselves():
    code = (
        "from lmcore.cli import main\nmain(['methods', '--json'], standalone_mode=False)\n"
        "from huggingface_hub.utils.logging import get_logger\nget_logger('huggingface_hub.file').warning('Retrying')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_training_that_is_interrupted_can_be_resumed(ask, trained_home, tiny_folder):
    train = [
        "train",
        "topics@1",
        "--name",
        "long",
        "--model",
        str(tiny_folder),
        "--method",
        "full",
        "--batch-size",
        "8",
    ]
    train += ["--epochs", "10", "--max-length", "32"]
    command = [*COMMAND, "--home", str(trained_home), *train]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        for line in process.stderr:
            if "Step" in line:
                process.send_signal(signal.SIGINT)
                break
        out, said = process.communicate(timeout=120)
    assert (process.returncode, out) == (130, "")
    assert said.splitlines()[-1].endswith("run the same command with --resume to go on.")
    assert list((trained_home / "checkpoints").glob("*/checkpoint-*/manifest.json"))
    assert ask(*train, "--resume", home=trained_home)["version"] == "models:/long/1"
