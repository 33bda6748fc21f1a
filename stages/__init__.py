"""The stages of dvc.yaml: one small script each, run as `python -m stages.<name>`."""

try:
    import ruamel.yaml  # noqa: F401
except ModuleNotFoundError:
    import sys

    sys.exit(f"{sys.executable} lacks the packages of requirements.txt: run `make install`, then "
             "`. .venv/bin/activate`")
