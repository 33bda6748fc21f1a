"""What `python -m thorax.models` says of the bases and of the studies' models."""

import shutil
from pathlib import Path

from thorax import models
from thorax.models import __main__ as registry
from thorax.reader import load_study
from thorax.training import freeze


def printed(studies: list[str], folder: Path, monkeypatch, capsys) -> list[list[str]]:
    """The blocks that are printed for these studies alone, line by line, without runs of blanks."""
    (folder / "studies").mkdir()
    for name in studies:
        shutil.copy(Path("studies", f"{name}.yaml"), folder / "studies")
    monkeypatch.chdir(folder)
    monkeypatch.setattr(registry, "architectures", lambda: ["cnn"])
    registry.main()
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 120
    return [[" ".join(line.split()) for line in block.splitlines()] for block in text.strip().split("\n\n")]


def test_each_base_is_told_with_the_arguments_of_the_studies_and_their_models_under_it(tmp_path, monkeypatch, capsys):
    curated, simple, gray = printed(["external_validation", "scratch_small"], tmp_path, monkeypatch, capsys)
    assert " ".join(curated[:2]) == "cnn(filters=[16, 32, 64, 128], convolutions=2, padding=valid, batch_norm=False, " \
                                    "input_norm=True, input_range=unit, channels=3)"
    assert curated[2].endswith("films enter as 0.00 to 1.00 in 3 channels; Grad-CAM looks at the output of "
                               "max_pooling2d_3")
    assert simple[0] == "cnn(filters=[32, 64, 128], batch_norm=False)"
    assert "as -1.00 to 1.00 in 1 channel;" in simple[1]
    assert simple[3] == "external_validation simple_cnn 224 25,783,811 25,783,811 28x28x128"
    assert gray[0] == "resnet50(stem=one_channel)"
    assert "as -114.80 to 140.20 in 1 channel; Grad-CAM looks at the output of conv5_block3_out" in gray[1]
    assert gray[3] == "external_validation resnet50 224 24,106,755 525,315 7x7x2048"
    assert [len(block) for block in (curated, simple, gray)] == [3 + 1 + 2, 2 + 1 + 3, 2 + 1 + 3]


def test_the_numbers_of_a_row_are_those_of_the_model_that_the_study_trains(tmp_path, monkeypatch, capsys):
    recipe = load_study("scratch_small").models["cnn"]
    model = models.build("cnn", recipe.arguments, recipe.head, 3, 96)
    freeze(model, recipe.train.phases[0], pretrained=False)
    trained = model.count_params() - sum(variable.shape[0] for variable in model.non_trainable_weights)
    [block] = printed(["scratch_small"], tmp_path, monkeypatch, capsys)
    maps = "x".join(map(str, model.get_layer(models.FEATURES).output.shape[1:]))
    assert block[4] == f"scratch_small cnn 96 {model.count_params():,} {trained:,} {maps}"


def test_an_architecture_that_no_study_uses_is_told_with_its_defaults(tmp_path, monkeypatch, capsys):
    [block] = printed([], tmp_path, monkeypatch, capsys)
    assert block[0] == "cnn()"
    assert block[1].startswith("97,872 parameters; films enter as -1.00 to 1.00 in 1 channel;")
