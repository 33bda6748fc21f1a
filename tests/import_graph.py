"""The project's modules that a module needs, found in the source: imports inside functions count as well."""

import ast
from pathlib import Path

# Live curves are off unless asked for and nothing depends on them: no output changes with them.
NOT_FOLLOWED = {"thorax/live.py"}


def module_file(root: Path, name: str) -> Path | None:
    for path in (root / f"{name.replace('.', '/')}.py", root / name.replace(".", "/") / "__init__.py"):
        if path.exists():
            return path.relative_to(root)
    return None


def imported(root: Path, file: Path) -> set[Path]:
    """The files that `file` imports by name, with the packages around them."""
    names = set()
    for node in ast.walk(ast.parse((root / file).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    found = set()
    for name in names:
        if name.split(".")[0] in ("thorax", "stages"):
            parts = name.split(".")
            found |= {module_file(root, ".".join(parts[:end])) for end in range(1, len(parts) + 1)}
    return found - {None}


def needed(root: Path, start: Path) -> set[str]:
    """All files of the project that run with `python -m <start>`."""
    waiting, seen = [start, start.parent / "__init__.py"], set()
    while waiting:
        file = waiting.pop()
        if file.as_posix() not in seen | NOT_FOLLOWED:
            seen.add(file.as_posix())
            waiting += imported(root, file)
    return seen
