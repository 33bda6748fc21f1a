"""select: write the lists of params.yaml (`studies`, `runs`, `searches`, `externals`) from the recipes; not a stage of
dvc.yaml."""

import io
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from tqdm import tqdm

from thorax import models
from thorax.errors import ThoraxError
from thorax.reader import external_runs, load_params, load_study, prefixed, read_yaml, recipe_file
from thorax.running import run, writing_into

PARAMS = Path("params.yaml")


def main(*studies: str) -> None:
    """Choose STUDIES, with all their models, for the next `dvc repro`; studies whose films test these models come along
    without models of their own. Builds every model once: what does not fit is refused here, before anything is
    trained."""
    yaml = YAML()  # keeps the comments
    yaml.width = 1000  # a run is one line
    read_yaml(PARAMS)  # a broken file is one line
    content = yaml.load(PARAMS.read_text(encoding="utf-8"))
    content["runs"], content["searches"], content["externals"] = CommentedMap(), CommentedMap(), CommentedMap()
    for study in dict.fromkeys(studies):
        recipe = load_study(study)
        for name, model in recipe.cells().items():
            inputs = {"architecture": model.architecture, "films": model.films, "split": model.split}
            content["runs"][f"{study}_{name}"] = line(study=study, model=name, **inputs,
                                                      recipe=recipe_file(study, name, recipe))
            if name in recipe.tune:
                content["searches"][f"{study}_{name}"] = line(study=study, search=name,
                                                              base=recipe.tune[name].base, **inputs)
        for name, external in external_runs(study).items():
            content["externals"][name] = line(**external.model_dump())
    if not content["runs"]:
        raise ThoraxError(f"{', '.join(studies)}: no models, only films for other studies to be tested on; name a "
                          "study with models")
    content["studies"] = list(dict.fromkeys([*studies, *(each["other"] for each in content["externals"].values())]))
    build_all(studies)
    buffer = io.StringIO()
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(content, buffer)
    with writing_into(Path(), PARAMS.name) as out:
        (out / PARAMS.name).write_text(buffer.getvalue(), encoding="utf-8")
    tests = f" and {len(content['externals'])} external tests" if content["externals"] else ""
    print(f"select: {len(content['runs'])} runs{tests} of {', '.join(content['studies'])}; build them with `dvc repro`")
    load_params()


def build_all(studies: tuple[str, ...]) -> None:
    """ThoraxError if a model does not fit its films, or its file of weights is not there or another's. ImageNet weights
    are not fetched here."""
    different = {}
    for study in studies:
        recipe = load_study(study)
        for name, model in recipe.models.items():
            wanted = model.model_copy(update={"weights": "none"} if model.weights == "imagenet" else {})
            size, classes = recipe.enhance.variants[model.films].image_size, len(recipe.tasks[model.task])
            network = wanted.model_dump(include={"architecture", "arguments", "head", "weights", "weights_sha256"})
            different.setdefault(repr((network, classes, size)),
                                 (f"studies/{study}.yaml: models.{name}", wanted, classes, size))
    for where, *facts in tqdm(different.values(), "build", unit="model", disable=None):
        with prefixed(where):
            models.of_recipe(*facts)


def line(**keys: str) -> CommentedMap:
    """A mapping that stands on one line."""
    cell = CommentedMap(keys)
    cell.fa.set_flow_style()
    return cell


if __name__ == "__main__":
    run(main)
