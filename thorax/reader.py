"""The only reader of params.yaml and studies/*.yaml.

Both are YAML 1.2 (so that `1e-3` is a number) and checked against thorax/recipe.py: a mistake is one line that names
the file, the key, what was found and what is allowed.
"""

import ast
import contextlib
import importlib
from pathlib import Path

from pydantic import ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError

from thorax.errors import ThoraxError
from thorax.recipe import ExternalRun, Model, Params, Section, Study, Winner, suggest

# DVC's run cache drops parameters of these names, so that a change of one silently restores the old output
# (github.com/treeverse/dvc/issues/10296).
UNSAFE_NAMES = {"size": "image_size", "nfiles": "films"}

SHARED_MODEL_MODULES = {"heads", "inputs", "pretrained"}


def module_names(package: str) -> list[str]:
    """The modules of a package but for those whose names begin with an underscore, which are for the others."""
    return sorted(path.stem for path in (Path(__file__).parent / package).glob("*.py") if path.stem[0] != "_")


def architectures() -> list[str]:
    """The names of the model modules; read from the folder, because importing one costs seconds of Keras."""
    return sorted(set(module_names("models")) - SHARED_MODEL_MODULES)


def check_architecture(name: str, arguments: dict) -> None:
    """ThoraxError for an unknown architecture and for arguments that it does not take."""
    if name not in architectures():
        raise ThoraxError(f"unknown architecture '{name}'; {suggest(name, architectures())}")
    source = ast.parse((Path(__file__).parent / "models" / f"{name}.py").read_text(encoding="utf-8"))
    [features] = [node for node in source.body if isinstance(node, ast.FunctionDef) and node.name == "features"]
    known = [argument.arg for argument in features.args.args[2:]]
    for argument in arguments:
        if argument not in known:
            raise ThoraxError(f"architecture '{name}' takes no argument '{argument}'; {suggest(argument, known)}")


@contextlib.contextmanager
def prefixed(where: str):
    """Say of a ThoraxError in the block where its cause stands."""
    try:
        yield
    except ThoraxError as error:
        raise ThoraxError(f"{where}: {error}") from None


def read_yaml(path: Path) -> dict:
    """The mapping in a YAML 1.2 file; ThoraxError with file and line for anything else."""
    try:
        content = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ThoraxError(f"{path}: no such file; run the command in the project's folder") from None
    except UnicodeDecodeError as error:
        raise ThoraxError(f"{path}: not UTF-8 text ({error.reason} at byte {error.start})") from None
    except DuplicateKeyError as error:
        raise ThoraxError(f"{path}:{error.problem_mark.line + 1}: {error.problem.splitlines()[0]}") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise ThoraxError(f"{path}:{line}: not valid YAML: {error.problem or error.context}") from None
    except ValueError as error:  # of a date that is none, for example
        raise ThoraxError(f"{path}: a value cannot be read: {error}") from None
    if not isinstance(content, dict):
        raise ThoraxError(f"{path}: must be a mapping of sections, not {type(content).__name__}")
    return content


def refuse_unsafe_names(node, path: Path, where: str = "") -> None:
    if isinstance(node, dict):
        for key, value in node.items():
            if key in UNSAFE_NAMES:
                raise ThoraxError(f"{path}: {where}{key}: this name is refused because DVC's run cache ignores it; "
                                  f"call it '{UNSAFE_NAMES[key]}' (github.com/treeverse/dvc/issues/10296)")
            refuse_unsafe_names(value, path, f"{where}{key}.")
    elif isinstance(node, list):
        for number, value in enumerate(node):
            refuse_unsafe_names(value, path, f"{where}{number}.")


def explain(error: ValidationError, path: Path) -> str:
    """One line for every mistake that pydantic found: file, key, value, what is allowed."""
    lines = []
    for mistake in error.errors(include_url=False):
        # Where a union failed, pydantic adds the name of the member that it tried: no key of the file.
        key = ".".join(str(part) for part in mistake["loc"]
                       if part != "str" and not str(part).startswith(("dict[", "list[")))
        text = mistake["msg"].replace("Input should be", "must be").replace("valid dictionary", "mapping")
        found = mistake["input"]
        if mistake["type"] == "missing":
            text = "this key is missing"
        elif mistake["type"] not in ("contradiction", "unknown_key") and not isinstance(found, (dict, list, Section)):
            text = f"{found!r} ({type(found).__name__}) is not allowed: {text}"
        lines.append(f"{path}: {key}: {text}" if key else f"{path}: {text}")
    return "\n".join(dict.fromkeys(lines))


def load(path: Path, schema: type[Section]):
    content = read_yaml(path)
    refuse_unsafe_names(content, path)
    try:
        return schema.model_validate(content)
    except ValidationError as error:
        raise ThoraxError(explain(error, path)) from None


def load_study(name: str, root: Path = Path(".")) -> Study:
    """The recipe studies/<name>.yaml below `root`."""
    known = sorted(path.stem for path in (root / "studies").glob("*.yaml"))
    if name not in known:
        raise ThoraxError(f"{root / 'studies'}: there is no study '{name}'; {suggest(name, known)}")
    path = root / "studies" / f"{name}.yaml"
    study = load(path, Study)
    for key, model in study.models.items():
        with prefixed(f"{path}: models.{key}"):
            check_architecture(model.architecture, model.arguments)
    # By name: what it refuses never gets further, so that no stage's result depends on it, save that of enhance.
    enhance = importlib.import_module("thorax.enhance")
    for key, variant in study.enhance.variants.items():
        with prefixed(f"{path}: enhance.variants.{key}"):
            enhance.check(variant.steps, variant.image_size)
    space = importlib.import_module("thorax.space")  # by name as well
    for key, search in study.tune.items():
        with prefixed(f"{path}: tune.{key}.space"):
            space.check(search.space, study.models[search.base])
    return study


def load_params(root: Path = Path(".")) -> Params:
    """params.yaml below `root`, checked against the recipes of the studies that it names."""
    path = root / "params.yaml"
    params = load(path, Params)
    for dataset in params.sources:
        if dataset not in module_names("datasets"):
            raise ThoraxError(f"{path}: sources: unknown data set '{dataset}'; "
                              f"{suggest(dataset, module_names('datasets'))}")
    for key, run in params.runs.items():
        study = load_study(run.study, root)
        models = study.cells()
        if run.model not in models:
            raise ThoraxError(f"{path}: runs.{key}.model: study '{run.study}' has no model '{run.model}'; "
                              f"{suggest(run.model, models)}")
        mend = f"`python -m stages.select {' '.join(params.studies)}` mends the runs"
        if run.recipe != recipe_file(run.study, run.model, study):
            raise ThoraxError(f"{path}: runs.{key}.recipe: must be {recipe_file(run.study, run.model, study)}; {mend}")
        search = params.searches.get(key)
        if (run.model in study.tune) != (search is not None) or (search and search.model_dump() != {
                **run.model_dump(exclude={"model", "recipe"}), "search": run.model,
                "base": study.tune[run.model].base}):
            raise ThoraxError(f"{path}: searches.{key}: not what studies/{run.study}.yaml says; {mend}")
        for field in ("architecture", "films", "split"):
            wanted, found = getattr(models[run.model], field), getattr(run, field)
            if wanted != found:
                raise ThoraxError(f"{path}: runs.{key}.{field}: '{found}', but studies/{run.study}.yaml says "
                                  f"'{wanted}'; {mend}")
    wanted = {key: run for study in {each.study: None for each in params.externals.values()}
              for key, run in external_runs(study, root).items()}
    for key, external in params.externals.items():
        if external != wanted.get(key):
            raise ThoraxError(f"{path}: externals.{key}: not what studies/{external.study}.yaml says; "
                              f"`python -m stages.select {' '.join(params.studies)}` mends the list")
    return params


def external_runs(study: str, root: Path = Path(".")) -> dict[str, ExternalRun]:
    """The tests of a study's models on films of other studies, named as in params.yaml. ThoraxError where the recipes
    do not fit: a model must meet the films, and the labels, that it was made for."""
    recipe, found = load_study(study, root), {}
    for name, external in recipe.external.items():
        with prefixed(f"{root / 'studies' / study}.yaml: external.{name}"):
            if external.study == study:
                raise ThoraxError(f"study: '{study}' is this study itself, whose test part is no external set")
            other = load_study(external.study, root)
            if external.split not in other.split:
                raise ThoraxError(f"split: unknown split '{external.split}' of study '{external.study}'; "
                                  f"{suggest(external.split, other.split)}")
            labels = {label for dataset in other.download.datasets.values() for label in dataset.labels}
            for label in [label for members in external.classes.values() for label in members]:
                if label not in labels:
                    raise ThoraxError(f"classes: unknown label '{label}' of study '{external.study}'; "
                                      f"{suggest(label, labels)}")
            for key, model in recipe.models.items():
                if set(recipe.tasks[model.task]) != set(external.classes):
                    continue
                wanted = recipe.enhance.variants[model.films]
                alike = [films for films, variant in other.enhance.variants.items() if variant == wanted]
                if not alike:
                    raise ThoraxError(f"study '{external.study}' has no variant with the steps and the image_size of "
                                      f"'{model.films}', on which model '{key}' is trained; give it one")
                found[f"{study}_{key}_on_{name}"] = ExternalRun(
                    study=study, model=key, architecture=model.architecture, split=model.split, name=name,
                    other=external.study, other_films=alike[0], other_split=external.split)
    return found


def recipe_file(name: str, model: str, study: Study) -> str:
    """The file that has `models.<model>`: the study's recipe, or what a search has found."""
    return f"models/{name}/{model}/tuning/best.yaml" if model in study.tune else f"studies/{name}.yaml"


def load_model(name: str, model: str, study: Study, root: Path = Path(".")) -> Model:
    """The recipe of a model of the study, or of the winner of its search of that name, once it has run."""
    if model not in study.cells():
        raise ThoraxError(f"studies/{name}.yaml: there is no model '{model}'; {suggest(model, study.cells())}")
    if model in study.models:
        return study.models[model]
    path = root / recipe_file(name, model, study)
    if not path.is_file():
        raise ThoraxError(f"{path}: no such file; run `dvc repro`, which searches and writes it")
    return load(path, Winner).models[model]


def load_run(study: str, model: str, root: Path = Path(".")) -> tuple[Params, Study, Model]:
    """params.yaml, the recipe and the model's part of it, for the stages that handle one model."""
    params, recipe = load_params(root), load_study(study, root)
    return params, recipe, load_model(study, model, recipe, root)
