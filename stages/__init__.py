"""The stages of dvc.yaml: one small script each, run as `python -m stages.<name>`."""

import sys

from thorax.lifeline import follow_dvc

# First of all: what a stage imports can take ten seconds, in which DVC may be killed.
follow_dvc()

try:
    import ruamel.yaml  # noqa: F401
except ModuleNotFoundError:
    sys.exit(f"{sys.executable} lacks the packages of requirements.txt: run `make install`, then "
             "`. .venv/bin/activate`")
