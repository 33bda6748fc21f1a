"""The schema of params.yaml and studies/*.yaml: every key with its unit and range. thorax/reader.py reads them.

params.yaml says what to build and from where; a study's recipe holds all its numbers. Unknown keys, wrong types and
values out of range are refused.
"""

import difflib
import math
import re
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    StringConstraints,
    Tag,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

# DVC stage names are built from these: `@` breaks its loader, dots separate keys and dashes make names ambiguous.
Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]+$")]
Fraction = Annotated[float, Field(gt=0, lt=1)]


def suggest(name: str, choices) -> str:
    """A clause for error messages: the nearest choice if one is near, and the whole list."""
    near = difflib.get_close_matches(str(name), [str(choice) for choice in choices], n=1, cutoff=0.6)
    hint = f"did you mean '{near[0]}'? " if near else ""
    return f"{hint}(known: {', '.join(sorted(str(choice) for choice in choices)) or 'none'})"


def contradiction(message: str) -> PydanticCustomError:
    return PydanticCustomError("contradiction", "{text}", {"text": message})


class Section(BaseModel):
    """One mapping of a recipe. Strict types, frozen, unknown keys refused with the nearest known one."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def refuse_unknown_keys(cls, values):
        if isinstance(values, dict):
            for key in values:
                if key not in cls.model_fields:
                    text = f"unknown key '{key}'; {suggest(key, cls.model_fields)}"
                    raise PydanticCustomError("unknown_key", "{text}", {"text": text})
        return values


# params.yaml ----------------------------------------------------------------------------------------------------------


def check_source(source: str) -> str:
    kind, _, rest = source.partition(":")
    if source in ("kaggle", "github", "mendeley"):
        raise contradiction(f"say download instead of {source}: every set is fetched from where it is published")
    if source not in ("phantom", "download") and not (kind in ("folder", "archive") and rest):
        raise contradiction("must be phantom, download, folder:<path> or archive:<path.zip>")
    return source


class Run(Section):
    """One cell of the results table. `architecture`, `films` and `split` repeat the recipe (checked) because DVC can
    depend on one module, one array and one split only if it finds their names here. `recipe` is the file that has
    `models.<model>`: that of the study or, for the winner of a search, what the search has written."""

    study: Name
    model: Name
    architecture: Name
    films: Name
    split: Name
    recipe: str


class SearchRun(Section):
    """One search of a study, with what it repeats of the recipe of its base, as a run does."""

    study: Name
    search: Name
    base: Name
    architecture: Name
    films: Name
    split: Name


class ExternalRun(Section):
    """A run tested on films of another study: `name` is the key in the recipe's `external`, `other` that study, and
    `other_films` its variant with the operations and image size of the run's own films."""

    study: Name
    model: Name
    architecture: Name
    split: Name
    name: Name
    other: Name
    other_films: Name
    other_split: Name


class Margins(Section):
    """How much worse a candidate may be before it counts: drops of each metric, as fractions."""

    accuracy: Fraction
    macro_f1: Fraction
    macro_auc: Fraction
    recall: Fraction


class Gate(Section):
    """The regression gate. `accepted` maps what the gate prints of a regression to the reason for having it."""

    margins: Margins
    level: Fraction
    resamples: Annotated[int, Field(ge=100, le=100_000)]
    accepted: dict[str, Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]] = {}


class Params(Section):
    seed: Annotated[int, Field(ge=0, lt=2**32)]
    threads: Annotated[int, Field(ge=1, le=256)]
    device: Literal["auto", "cpu", "gpu"]
    source: str
    sources: dict[Name, str] = {}
    gate: Gate
    studies: Annotated[list[Name], Field(min_length=1)]
    runs: Annotated[dict[Name, Run], Field(min_length=1)]
    externals: dict[Name, ExternalRun] = {}
    searches: dict[Name, SearchRun] = {}

    _source = field_validator("source")(check_source)

    @field_validator("sources")
    @classmethod
    def sources_known(cls, sources):
        return {dataset: check_source(source) for dataset, source in sources.items()}

    @model_validator(mode="after")
    def runs_belong_to_studies(self):
        if len(set(self.studies)) < len(self.studies):
            raise contradiction("studies names a study twice")
        for key, run in self.runs.items():
            if key != f"{run.study}_{run.model}":
                raise contradiction(f"runs.{key} must be called {run.study}_{run.model} (study, then model)")
            if run.study not in self.studies:
                raise contradiction(f"runs.{key} is of study '{run.study}', which studies does not name: "
                                    f"{suggest(run.study, self.studies)}")
        for key, search in self.searches.items():
            run = self.runs.get(key)
            if run is None or (run.study, run.model) != (search.study, search.search):
                raise contradiction(f"searches.{key} needs a run of its name, of the same study, whose "
                                    f"model is '{search.search}'; `python -m stages.select "
                                    f"{' '.join(self.studies)}` writes both")
        for key, external in self.externals.items():
            if key != f"{external.study}_{external.model}_on_{external.name}":
                raise contradiction(f"externals.{key} must be called {external.study}_{external.model}_on_"
                                    f"{external.name} (study, model, on, name)")
            if f"{external.study}_{external.model}" not in self.runs:
                raise contradiction(f"externals.{key} tests model '{external.model}' of study '{external.study}', "
                                    "which is not among the runs")
            if external.other not in self.studies:
                raise contradiction(f"externals.{key} needs the films of study '{external.other}', which studies does "
                                    f"not name: {suggest(external.other, self.studies)}")
        used = {run.study for run in self.runs.values()} | {external.other for external in self.externals.values()}
        for study in self.studies:
            if study not in used:
                raise contradiction(f"study '{study}' has no run; `python -m stages.select {' '.join(self.studies)}` "
                                    "writes the runs of these studies")
        return self

    def source_of(self, dataset: str) -> str:
        return self.sources.get(dataset, self.source)


# studies/<study>.yaml -------------------------------------------------------------------------------------------------


class Dataset(Section):
    """Which labels are wanted and, for real films, how many there must be (`expected`, asserted).

    `version` is the one to fetch where the source is `download`: the number on the data set's page (Kaggle, Mendeley
    Data) or, in quotes, a commit (GitHub); without it the one that the data set's module pins. Other sources do not
    look at it.
    """

    labels: Annotated[list[Name], Field(min_length=1)]
    version: int | str | None = None
    parts: list[str] | None = None
    expected: dict[Name, Annotated[int, Field(ge=1)]] | None = None

    @field_validator("version", mode="before")
    @classmethod
    def version_is_number_or_commit(cls, version):
        number = isinstance(version, int) and not isinstance(version, bool) and version >= 1
        if not (version is None or number or (isinstance(version, str) and re.fullmatch("[0-9a-f]{40}", version))):
            # Without quotes YAML reads 40 digits, or digits around one `e`, as a number.
            raise contradiction(f"{version!r} is no version; it must be a number from 1 or, for a set on GitHub, a "
                                "commit of 40 hexadecimal digits in quotes")
        return version

    @model_validator(mode="after")
    def expected_names_the_labels(self):
        if self.expected is not None and set(self.expected) != set(self.labels):
            raise contradiction(f"expected counts {sorted(self.expected)} but labels are {sorted(self.labels)}")
        return self


class Phantom(Section):
    """How much to simulate where the source is `phantom`: patients per label, films of each patient (from, to)."""

    patients: Annotated[int, Field(ge=1, le=100_000)]
    films_per_patient: Annotated[list[Annotated[int, Field(ge=1, le=20)]], Field(min_length=2, max_length=2)] = [1, 3]
    image_size: Annotated[int, Field(ge=64, le=1024)] = 256
    confound: Annotated[float, Field(ge=0, le=1)] = 0.0

    @field_validator("films_per_patient")
    @classmethod
    def in_order(cls, films):
        if films[0] > films[1]:
            raise contradiction("must be [fewest, most]")
        return films


class Download(Section):
    datasets: Annotated[dict[Name, Dataset], Field(min_length=1)]
    phantom: Phantom


class Variant(Section):
    """The films after the operations `steps` of thorax/enhance.py, at image_size x image_size pixels."""

    image_size: Annotated[int, Field(ge=16, le=2048)]
    steps: list[dict[str, Any]] = []

    @field_validator("steps")
    @classmethod
    def every_step_names_its_operation(cls, steps):
        for number, step in enumerate(steps, 1):
            if not isinstance(step.get("op"), str):
                raise contradiction(f"step {number} must be a mapping with the key 'op'")
        return steps


class Enhance(Section):
    """`reject_limit`: the share of unreadable films above which the stage stops."""

    reject_limit: Annotated[float, Field(ge=0, lt=1)] = 0.01
    variants: Annotated[dict[Name, Variant], Field(min_length=1)]

    @field_validator("variants")
    @classmethod
    def names_of_other_arrays_are_taken(cls, variants):
        for name in ("masks", "thumbnails"):
            if name in variants:
                raise contradiction(f"a variant may not be called '{name}': {name}.npy holds something else")
        return variants


class Split(Section):
    """How the films are dealt to the parts; `train`, `validation` and `test` are fractions of each label that sum to 1.

    - `unit: group` deals whole groups with their near-duplicates, and the stage fails if one straddles two parts.
      `unit: film` deals single films, as many published systems do: the audit counts what then straddles.
    - `per_class`, as `{viral: 3616}`, brings labels to that many films before they are dealt: by drawing some, or, with
      `unit: film` alone, by repeating them, so that copies of one film lie in several parts.
    - `films`, as `{train: {covid: 2531}, test: {covid: 724}}`, sets numbers of films instead of fractions. Validation
      and test part are dealt as many, train gets the rest; then a part draws what it needs, and train, never another
      part, repeats films where it has too few. What is not named keeps its fraction; 0 keeps a part free of them.

    Both name a label, or `<data set>/<label>` where several data sets have the label. A label is dealt by itself in
    every data set.
    """

    unit: Literal["group", "film"] = "group"
    train: Fraction
    validation: Fraction
    test: Fraction
    per_class: dict[str, Annotated[int, Field(ge=1)]] = {}
    films: dict[Literal["train", "validation", "test"], dict[str, Annotated[int, Field(ge=0)]]] = {}

    @model_validator(mode="after")
    def sums_to_one(self):
        total = self.train + self.validation + self.test
        if abs(total - 1) > 1e-6:
            raise contradiction(f"train + validation + test must be 1, not {total:g}")
        return self


class Augment(Section):
    """Random changes of training films. `flip`: the share of films that is mirrored, `true` for a half; `rotate`: up to
    +-degrees; `shift`: up to +-fractions of the image side; `zoom`, `brightness`, `contrast`: factors up to 1 +- this;
    `noise`: Gaussian, standard deviation as a fraction of 255; `speckle`: Gaussian factor around 1, its deviation."""

    flip: Annotated[float, Field(ge=0, le=1)] = 0.0
    rotate: Annotated[float, Field(ge=0, le=180)] = 0.0
    shift: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    zoom: Annotated[float, Field(ge=0, lt=0.9)] = 0.0
    brightness: Annotated[float, Field(ge=0, lt=1)] = 0.0
    contrast: Annotated[float, Field(ge=0, lt=1)] = 0.0
    noise: Annotated[float, Field(ge=0, le=1)] = 0.0
    speckle: Annotated[float, Field(ge=0, le=1)] = 0.0

    @field_validator("flip", mode="before")
    @classmethod
    def true_is_a_half(cls, flip):
        return 0.5 * flip if isinstance(flip, bool) else flip

    def is_off(self) -> bool:
        return self == Augment()


class Phase(Section):
    """`head` trains the head on a frozen base; `all` trains everything, the batch normalisation of a pretrained base
    only with `train_batch_norm`.

    The learning rate changes once per epoch by `decay`: `cosine` falls along half a cosine towards zero at the end of
    the phase; `exponential` is multiplied by decay_factor in the course of every decay_epochs epochs, `step` at their
    end."""

    trainable: Literal["head", "all"]
    epochs: Annotated[int, Field(ge=1, le=10_000)]
    learning_rate: Annotated[float, Field(gt=0, le=10)]
    decay: Literal["none", "cosine", "exponential", "step"] = "none"
    decay_factor: Fraction | None = None
    decay_epochs: Annotated[int, Field(ge=1)] = 1
    train_batch_norm: bool = False

    @model_validator(mode="after")
    def keys_agree(self):
        if (self.decay in ("exponential", "step")) != (self.decay_factor is not None):
            raise contradiction(f"decay: {self.decay} goes {'without' if self.decay_factor else 'with a'} decay_factor")
        if self.train_batch_norm and self.trainable == "head":
            raise contradiction("train_batch_norm is for a phase that trains all")
        return self


class Optimizer(Section):
    """`momentum` of sgd and rmsprop; `weight_decay`, decoupled from the gradient, spares biases and batch
    normalisation. Adam with weight decay is called adamw."""

    name: Literal["adam", "adamw", "sgd", "rmsprop"] = "adam"
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.0
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0

    @model_validator(mode="after")
    def keys_agree(self):
        if self.momentum and self.name not in ("sgd", "rmsprop"):
            raise contradiction(f"{self.name} has no momentum to set; sgd and rmsprop have")
        if self.name == "adam" and self.weight_decay:
            raise contradiction("adam with weight_decay is adamw; say name: adamw")
        if self.name == "adamw" and not self.weight_decay:
            raise contradiction("adamw needs weight_decay; without it, it is adam")
        return self


class EarlyStopping(Section):
    """An epoch counts as better by `monitor`; the weights of the best one are kept, whatever `patience`."""

    monitor: Literal["val_loss", "val_accuracy"] = "val_loss"
    patience: Annotated[int, Field(ge=1)] = 10


class Plateau(Section):
    factor: Annotated[float, Field(gt=0, lt=1)] = 0.1
    patience: Annotated[int, Field(ge=1)] = 8
    min_learning_rate: Annotated[float, Field(ge=0)] = 0.0


# Tagged, or a mistake in one of the two would be reported as one in each.
ClassWeights = Annotated[
    Annotated[Literal["none", "balanced"], Tag("str")] |
    Annotated[dict[Name, Annotated[float, Field(gt=0, le=1000)]], Tag("dict[]")],
    Discriminator(lambda value: "dict[]" if isinstance(value, dict) else "str")]


class Train(Section):
    """The loss is the cross-entropy, weighted by the class weights (of every class of the task, or `balanced`), plus
    `l2` times the sum of the squares of all trained kernels. `precision` is that of the computation (auto: half on a
    GPU): weights, loss and probabilities are float32 in any case, and evaluation computes in float32."""

    batch_size: Annotated[int, Field(ge=1, le=4096)]
    phases: Annotated[list[Phase], Field(min_length=1)]
    optimizer: Optimizer = Optimizer()
    l2: Annotated[float, Field(ge=0, lt=1)] = 0.0
    precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"] = "auto"
    class_weights: ClassWeights = "none"
    augment: Augment = Augment()
    early_stopping: EarlyStopping = EarlyStopping()
    plateau: Plateau | None = None

    @model_validator(mode="after")
    def phases_agree(self):
        kinds = [phase.trainable for phase in self.phases]
        if "all" in kinds and "head" in kinds[kinds.index("all"):]:
            raise contradiction("a phase that trains the head cannot follow one that trains all")
        if self.plateau:
            if any(phase.decay != "none" for phase in self.phases):
                raise contradiction("plateau and a phase's decay both set the learning rate; leave one out")
            for number, phase in enumerate(self.phases, 1):
                if phase.learning_rate <= self.plateau.min_learning_rate:
                    raise contradiction(f"phase {number} starts at learning rate {phase.learning_rate:g}, not above "
                                        f"plateau.min_learning_rate {self.plateau.min_learning_rate:g}")
        return self


POOLINGS = ("gap", "flatten")
HEAD_STEPS = {
    "dense": (lambda units: isinstance(units, int) and units >= 1, "a whole number of units, at least 1"),
    "dropout": (lambda rate: isinstance(rate, (int, float)) and 0 <= rate < 1, "a rate from 0 to below 1"),
}


class Model(Section):
    """`architecture` is a module of thorax/models and `arguments` are those of its function; `head` is a pooling and
    the layers after it; `weights` is none, imagenet or the path of a base's weights, of which `weights_sha256` says
    which they are; `films` is one of enhance.variants and `split` one of the study's splits."""

    architecture: Name
    arguments: dict[Name, Any] = {}
    head: list[str | dict[str, Any]]
    weights: str = "none"
    weights_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    task: Name
    films: Name
    split: Name = "grouped"
    train: Train

    @field_validator("head")
    @classmethod
    def steps_are_known(cls, steps):
        if not steps or steps[0] not in POOLINGS:
            raise contradiction(f"the first step must be one of {', '.join(POOLINGS)}, not {steps[:1]}")
        for number, step in enumerate(steps[1:], 2):
            if not isinstance(step, dict) or len(step) != 1:
                raise contradiction(f"step {number}: {step!r} must be a mapping with one key, e.g. {{dropout: 0.2}}")
            [(name, value)] = step.items()
            if name not in HEAD_STEPS:
                raise contradiction(f"step {number}: unknown step '{name}'; {suggest(name, HEAD_STEPS)}")
            is_allowed, allowed = HEAD_STEPS[name]
            if isinstance(value, bool) or not is_allowed(value):
                raise contradiction(f"step {number}: {name}: {value!r} is not allowed: must be {allowed}")
        return steps

    @model_validator(mode="after")
    def a_file_of_weights_is_known_by_its_hash(self):
        if (self.weights in ("none", "imagenet")) != (self.weights_sha256 is None):
            raise contradiction("weights_sha256 belongs to the path of a file in weights, and is needed there, as "
                                "another file of the same name would go unnoticed; `sha256sum` prints it")
        return self

    @model_validator(mode="after")
    def frozen_base_needs_weights(self):
        if self.weights == "none" and self.train.phases[0].trainable == "head":
            raise contradiction("train.phases[0] trains the head alone, which needs a trained base: set weights to "
                                "imagenet or a path, or let the phase train all")
        return self


class Dimension(Section):
    """What one key of the recipe may become: one of `choices`, or a number from `low` to `high`, whole where both are;
    `log` draws its logarithm."""

    choices: Annotated[list[Any], Field(min_length=2)] | None = None
    low: Any = None
    high: Any = None
    log: bool = False

    @model_validator(mode="after")
    def choices_or_range(self):
        bounds = [bound for bound in (self.low, self.high) if bound is not None]
        if (self.choices is None) != (len(bounds) == 2) or (self.choices is not None and (bounds or self.log)):
            raise contradiction("must be {choices: [...]}, or {low: ..., high: ...} with or without log: true")
        for bound in bounds:
            if isinstance(bound, bool) or not isinstance(bound, (int, float)) or not math.isfinite(bound):
                raise contradiction(f"{bound!r} is no number; low and high must be")
        if bounds and self.low >= self.high:
            raise contradiction(f"low ({self.low:g}) must be below high ({self.high:g})")
        if self.log and self.low <= 0:
            raise contradiction(f"log needs a low above 0, not {self.low:g}")
        return self

    def is_whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)


class Search(Section):
    """`trials` recipes are tried, each of them that of model `base` with other values at the keys of `space`
    (thorax/space.py), its phases cut to `epochs`. The one with the best macro F1 on the validation part is trained, at
    full length, as the model of the search's name.

    The first `startup_trials` are random and never pruned; then the sampler learns from the trials so far, and the
    pruner ends those that are worse: `median` below the median of the trials at the same epoch, `hyperband` below the
    best third of its bracket."""

    base: Name
    sampler: Literal["tpe", "random"] = "tpe"
    pruner: Literal["none", "median", "hyperband"] = "none"
    trials: Annotated[int, Field(ge=2, le=10_000)]
    epochs: Annotated[int, Field(ge=1, le=10_000)]
    startup_trials: Annotated[int, Field(ge=1)] = 10
    space: Annotated[dict[str, Dimension], Field(min_length=1)]

    @model_validator(mode="after")
    def sampler_gets_to_learn(self):
        if self.sampler == "tpe" and self.startup_trials >= self.trials:
            raise contradiction(f"tpe starts after startup_trials ({self.startup_trials}), but there are {self.trials} "
                                "trials; lower startup_trials, raise trials, or say sampler: random")
        if self.pruner != "none" and self.epochs < 2:
            raise contradiction(f"pruner: {self.pruner} ends trials between epochs, and there is one")
        return self


class Evaluate(Section):
    """Intervals are of confidence `level`, from so many `resamples`. Operating points reach `sensitivity` on the
    validation part; without it Youden's index chooses them. The input gate lets the share `gate_accepts` of the
    validation films pass."""

    resamples: Annotated[int, Field(ge=100, le=100_000)] = 2000
    level: Fraction = 0.95
    sensitivity: Fraction | None = None
    gate_accepts: Annotated[float, Field(ge=0.5, lt=1)] = 0.99

    @model_validator(mode="after")
    def tails_hold_a_resample(self):
        needed = math.ceil(2 / (1 - self.level) - 1e-6)
        if self.resamples < needed:
            raise contradiction(f"level {self.level:g} needs {needed} resamples or more, not {self.resamples}")
        return self


class Explain(Section):
    """Grad-CAM cases per class: right and wrong ones. `sanity_films` of the test films are explained again with a
    model whose weights were shuffled, `sanity_draws` times each."""

    right: Annotated[int, Field(ge=1, le=20)] = 2
    wrong: Annotated[int, Field(ge=0, le=20)] = 2
    sanity_films: Annotated[int, Field(ge=1, le=1000)] = 32
    sanity_draws: Annotated[int, Field(ge=1, le=100)] = 2


class Box(Section):
    """A rectangle on the film; its edges are fractions of the side, counted from the top and from the left."""

    top: Annotated[float, Field(ge=0, le=1)] = 0.06
    bottom: Annotated[float, Field(ge=0, le=1)] = 0.90
    left: Annotated[float, Field(ge=0, le=1)] = 0.06
    right: Annotated[float, Field(ge=0, le=1)] = 0.94

    @model_validator(mode="after")
    def has_an_inside(self):
        if self.top >= self.bottom or self.left >= self.right:
            raise contradiction("top must be less than bottom and left less than right")
        return self


class Probes(Section):
    """What can be told of the classes without a finding (docs/probes.md).

    `tasks`: none for all of the study. `split`, `films` (a variant): none for the recipe's first; the probes want films
    as they came, without enhancement. `box`: what the probe `no_lung` blanks; `ring`: the width, as a fraction of the
    side, of what the probe `border` leaves. `image_size`, `trees`: pixels a side and size of the small model. `margin`:
    the share of the way from chance to always right that a probe may find without an alarm; `shortcut_limit` is that
    of the probe `shortcut`, as a finding does change intensities.
    """

    tasks: list[Name] | None = None
    split: Name | None = None
    films: Name | None = None
    source: bool = True
    shortcut: bool = True
    no_lung: bool = True
    border: bool = True
    permuted: bool = True
    box: Box = Box()
    ring: Annotated[float, Field(gt=0, lt=0.5)] = 0.04
    image_size: Annotated[int, Field(ge=16, le=128)] = 32
    trees: Annotated[int, Field(ge=10, le=2000)] = 200
    margin: Fraction = 0.15
    shortcut_limit: Fraction = 0.5


class External(Section):
    """Films of another study that the models of this one are tested on: the test part of its split `split`, or, with
    `part: all`, all films of that split. Near-duplicates of the films that a model was trained and validated on are
    taken out. `classes` maps each class of a task to labels of the other study; all models of tasks with just these
    classes are tested, and films of other labels are left out."""

    study: Name
    split: Name = "grouped"
    part: Literal["test", "all"] = "test"
    classes: Annotated[dict[Name, Annotated[list[Name], Field(min_length=1)]], Field(min_length=2)]

    @field_validator("classes")
    @classmethod
    def labels_belong_to_one_class(cls, classes):
        labels = [label for members in classes.values() for label in members]
        for label in labels:
            if labels.count(label) > 1:
                raise contradiction(f"label '{label}' is named more than once")
        return classes


# What thorax/scoring.py computes: for a task, and for each of its classes as `<metric>_<class>`.
OVERALL = ("accuracy", "balanced_accuracy", "macro_f1", "macro_auc", "macro_ap", "micro_precision", "micro_recall",
           "log_loss")
PER_CLASS = ("precision", "recall", "f1", "roc_auc", "average_precision")


class Figure(Section):
    """What was published of the system that `model` repeats: `metrics` by their names in metrics.json, and the `films`
    that they were measured on, in words. `external` names the data set, where these are not films of the study."""

    model: Name
    films: str
    external: Name | None = None
    metrics: Annotated[dict[Name, float], Field(min_length=1)]


class Published(Section):
    """`source`: where the figures stand; `note`: what cannot be reproduced, or why there is no figure."""

    source: str
    note: str = ""
    figures: list[Figure] = []


# Columns of predictions.csv and of a served answer, whose other columns are the classes.
RESERVED = {"id", "group", "source", "label", "flagged", "refused"}


class Study(Section):
    """A study without tasks and models provides films for others to be tested on."""

    title: str
    download: Download
    enhance: Enhance
    split: Annotated[dict[Name, Split], Field(min_length=1)]
    tasks: dict[Name, Annotated[dict[Name, Annotated[list[Name], Field(min_length=1)]], Field(min_length=2)]] = {}
    models: dict[Name, Model] = {}
    external: dict[Name, External] = {}
    tune: dict[Name, Search] = {}
    evaluate: Evaluate = Evaluate()
    explain: Explain = Explain()
    probes: Probes = Probes()
    published: Published | None = None

    @model_validator(mode="after")
    def names_are_known(self):
        labels = {label for dataset in self.download.datasets.values() for label in dataset.labels}
        for task, classes in self.tasks.items():
            for name in RESERVED & set(classes):
                raise contradiction(f"tasks.{task}: a class may not be called '{name}', as a column of predictions.csv "
                                    "or of a served answer")
            taken = [label for members in classes.values() for label in members]
            for name, members in classes.items():
                for label in members:
                    if label not in labels:
                        raise contradiction(f"tasks.{task}.{name}: unknown label '{label}'; {suggest(label, labels)}")
                    if taken.count(label) > 1:
                        raise contradiction(f"tasks.{task}: label '{label}' belongs to more than one class")
        for name, split in self.split.items():
            numbers = {"per_class": split.per_class, **{f"films.{part}": each for part, each in split.films.items()}}
            for key, named in numbers.items():
                strata = [self.stratum(label, f"split.{name}.{key}") for label in named]
                if len(set(strata)) < len(strata):
                    raise contradiction(f"split.{name}.{key} names a label twice: {', '.join(named)}")
        for key, model in self.models.items():
            if model.task not in self.tasks:
                raise contradiction(f"models.{key}.task: unknown task '{model.task}'; "
                                    f"{suggest(model.task, self.tasks)}")
            if model.films not in self.enhance.variants:
                raise contradiction(f"models.{key}.films: unknown variant '{model.films}'; "
                                    f"{suggest(model.films, self.enhance.variants)}")
            if model.split not in self.split:
                raise contradiction(f"models.{key}.split: unknown split '{model.split}'; "
                                    f"{suggest(model.split, self.split)}")
            weights = model.train.class_weights
            if isinstance(weights, dict) and set(weights) != set(self.tasks[model.task]):
                raise contradiction(f"models.{key}.train.class_weights: names {', '.join(weights)}, but the classes of "
                                    f"task '{model.task}' are {', '.join(self.tasks[model.task])}")
        for task in self.probes.tasks or []:
            if task not in self.tasks:
                raise contradiction(f"probes.tasks: unknown task '{task}'; {suggest(task, self.tasks)}")
        if self.probes.split and self.probes.split not in self.split:
            raise contradiction(f"probes.split: unknown split '{self.probes.split}'; "
                                f"{suggest(self.probes.split, self.split)}")
        if self.probes.films and self.probes.films not in self.enhance.variants:
            raise contradiction(f"probes.films: unknown variant '{self.probes.films}'; "
                                f"{suggest(self.probes.films, self.enhance.variants)}")
        for key, external in self.external.items():
            if not any(set(classes) == set(external.classes) for classes in self.tasks.values()):
                known = "; ".join(f"{task}: {', '.join(classes)}" for task, classes in self.tasks.items())
                raise contradiction(f"external.{key}.classes: {', '.join(external.classes)} are the classes of no "
                                    f"task; name every class of one (tasks: {known})")
        return self

    @model_validator(mode="after")
    def searches_start_from_models(self):
        for key, search in self.tune.items():
            if key in self.models:
                raise contradiction(f"tune.{key}: its winner would be called as models.{key} is; rename one")
            if search.base not in self.models:
                raise contradiction(f"tune.{key}.base: unknown model '{search.base}'; "
                                    f"{suggest(search.base, self.models)}")
            split = self.models[search.base].split
            if self.split[split].unit != "group":
                raise contradiction(f"tune.{key}: base '{search.base}' is split film by film, and a search would "
                                    "choose what leaks best; start from a model whose split has unit: group")
        return self

    def cells(self) -> dict[str, Model]:
        """The models, and by the name of each search the model that it starts from: same task, films, split."""
        return self.models | {name: self.models[search.base] for name, search in self.tune.items()}

    @model_validator(mode="after")
    def published_figures_are_of_the_models(self):
        for number, figure in enumerate(self.published.figures if self.published else []):
            where = f"published.figures.{number}"
            if figure.model not in self.models:
                raise contradiction(f"{where}.model: unknown model '{figure.model}'; "
                                    f"{suggest(figure.model, self.models)}")
            classes = self.tasks[self.models[figure.model].task]
            known = [*OVERALL, *(f"{metric}_{name}" for name in classes for metric in PER_CLASS)]
            for metric in figure.metrics:
                if metric not in known:
                    raise contradiction(f"{where}.metrics: unknown metric '{metric}'; {suggest(metric, known)}")
        return self

    def stratum(self, label: str, where: str) -> str:
        """`<data set>/<label>` for a label, which may be that already."""
        known = [f"{name}/{each}" for name, dataset in self.download.datasets.items() for each in dataset.labels]
        found = [stratum for stratum in known if label in (stratum, stratum.partition("/")[2])]
        if len(found) > 1:
            raise contradiction(f"{where}: several data sets have label '{label}'; say which: {', '.join(found)}")
        if not found:
            labels = [stratum.partition("/")[2] for stratum in known]
            raise contradiction(f"{where}: unknown label '{label}'; {suggest(label, {*known, *labels})}")
        return found[0]


class Winner(Section):
    """best.yaml of a search: the recipe of its winner, under the search's name."""

    models: Annotated[dict[Name, Model], Field(min_length=1, max_length=1)]
