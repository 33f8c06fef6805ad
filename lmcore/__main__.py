"""``python -m lmcore``: the command line where its script is not at hand, as for ``torchrun -m lmcore``."""

from lmcore.cli import main

if __name__ == "__main__":
    main(prog_name="lmcore")
