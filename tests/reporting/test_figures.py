import struct
import warnings
from itertools import pairwise

import matplotlib
import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from thorax import scoring
from thorax.reporting import calibration_charts, charts, look, sheets

LABEL = "phantom, grouped split, 90 films of 40 groups"
SIX = ["COVID-19", "Normal", "Viral Pneumonia", "Bacterial Pneumonia", "pneumothorax", "Lung Opacity"]


@pytest.fixture(autouse=True)
def few_pixels(monkeypatch):
    monkeypatch.setattr(look, "DPI", 30)  # only speed: what is where on the page is counted in inches


@pytest.fixture(autouse=True)
def no_warnings():
    """A figure that does not fit, a glyph that is missing, a value that cannot be drawn: matplotlib only warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def predictions(k: int, n: int = 90):
    random = np.random.default_rng(k)
    labels = random.integers(0, k, n)
    probabilities = random.dirichlet(np.ones(k), n) + 0.4 * np.eye(k)[labels]
    return labels, probabilities / probabilities.sum(axis=1, keepdims=True)


def history(epochs: int = 6, change: int = 3) -> pd.DataFrame:
    epoch = np.arange(1, epochs + 1)
    frame = pd.DataFrame({"epoch": epoch, "phase": np.where(epoch <= change, "frozen", "fine_tuned")})
    frame["learning_rate"] = np.where(epoch <= change, 1e-3, 1e-5)
    for name, value in (("loss", 1 / epoch), ("accuracy", 1 - 0.5 / epoch)):
        frame[name], frame[f"val_{name}"] = value, 0.9 * value
    return frame


def film(height: int = 48, width: int = 40, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)


def entry(value, low=None, high=None) -> dict:
    return {"value": value, "low": low, "high": high}


COUNTS = {"COVID-19": {"train": 1300, "test": 30}, "Viral Pneumonia": {"train": 900, "test": 0}}
CASES = [
    {"true": "Viral Pneumonia", "predicted": "Viral Pneumonia", "probability": 0.93},
    {"true": "COVID-19", "predicted": "Bacterial Pneumonia", "probability": 0.51},
]
ROWS = [
    {"model": "simple_cnn", "balanced_accuracy": entry(0.7, 0.65, 0.75), "macro_auc": entry(0.85, 0.8, 0.9)},
    {"model": "densenet121", "balanced_accuracy": entry(0.9), "macro_auc": entry(None)},
]
BINS = [{"films": 9, "confidence": 0.6, "accuracy": entry(0.5, 0.3, 0.7)},
        {"films": 10, "confidence": 0.9, "accuracy": entry(1.0)}]
DRAWINGS = {
    "class_bars": lambda path: charts.class_bars(COUNTS, path, LABEL),
    "class_pie": lambda path: charts.class_pie(COUNTS, path, LABEL),
    "learning_curves": lambda path: charts.learning_curves(history(), path, LABEL, kept=5),
    "confusion": lambda path: charts.confusion(np.diag(range(1, 7)), SIX, path, LABEL),
    "roc_curves": lambda path: charts.roc_curves(*predictions(6), SIX, path, LABEL),
    "precision_recall_curves": lambda path: charts.precision_recall_curves(*predictions(6), SIX, path, LABEL),
    "reliability": lambda path: calibration_charts.reliability(BINS, BINS, (0.1, 0.05), 1.5, path, LABEL),
    "risk_coverage": lambda path: calibration_charts.risk_coverage([0.5, 0.8, 1], [0, 0.1, 0.2], 0.08, path, LABEL),
    "comparison": lambda path: charts.comparison(ROWS, path, LABEL),
    "enhancement": lambda path: sheets.enhancement([("one.png", film(), film(seed=1))], path, LABEL),
    "contact_sheet": lambda path: sheets.contact_sheet(
        [film(), film(60)], CASES, 2, path, LABEL, [np.eye(7), None], "Grad-CAM", [np.eye(9) > 0] * 2
    ),
    "randomisation": lambda path: sheets.randomisation(
        [film(), film(60)],
        CASES,
        {"trained": [np.eye(7)] * 2, "head shuffled": [np.eye(7), np.zeros((7, 7))]},
        path,
        LABEL,
    ),
}


def texts(figure) -> str:
    return " | ".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


def test_every_figure_function_is_drawn_here():
    public = {name for module in (calibration_charts, charts, sheets) for name, value in vars(module).items()
              if hasattr(value, "__wrapped__")}
    assert public == set(DRAWINGS)


@pytest.mark.parametrize("name", DRAWINGS)
def test_the_same_input_gives_the_same_whole_page_of_bytes_whatever_is_set_outside(name, tmp_path, monkeypatch):
    monkeypatch.setattr(look, "DPI", 150)
    first = DRAWINGS[name](tmp_path / "new folder" / "one.png")
    with matplotlib.rc_context({"font.size": 30, "savefig.dpi": 40, "axes.facecolor": "red", "figure.dpi": 10}):
        DRAWINGS[name](tmp_path / "two.png")
        assert matplotlib.rcParams["font.size"] == 30  # nothing is left changed outside
    content = (tmp_path / "new folder" / "one.png").read_bytes()
    assert content == (tmp_path / "two.png").read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert b"Software" not in content
    width, height = struct.unpack(">II", content[16:24])
    assert width == 1200
    assert 300 < height < 1600
    pixels = matplotlib.image.imread(tmp_path / "two.png")
    for edge in (pixels[:2], pixels[-2:], pixels[:, :2], pixels[:, -2:]):
        assert (edge == 1).all()  # nothing is cut off at the edge of the page
    assert "phantom, grouped split, 90 films of 40 groups" in texts(first).replace("\n", " ")


def test_bars_are_as_long_as_the_counts_and_named_with_them(tmp_path):
    axes = charts.class_bars(COUNTS, tmp_path / "f.png", LABEL).axes[0]
    assert [bar.get_width() for bar in axes.patches] == [1300, 900, 30, 0]
    assert {"1,300", "900", "30", "0"} <= {text.get_text() for text in axes.texts}
    assert [tick.get_text() for tick in axes.get_yticklabels()] == list(COUNTS)


def test_a_split_missing_from_one_class_counts_zero(tmp_path):
    axes = charts.class_bars({"a": {"train": 3}, "b": {"test": 2}}, tmp_path / "f.png", LABEL).axes[0]
    assert [bar.get_width() for bar in axes.patches] == [3, 0, 0, 2]


def test_wedges_are_shares_and_a_class_without_films_has_none_but_is_named(tmp_path):
    figure = charts.class_pie(
        {"a": {"train": 30}, "b": {"train": 10}, "none": {"train": 0}}, tmp_path / "f.png", LABEL
    )
    angles = [wedge.theta2 - wedge.theta1 for wedge in figure.axes[0].patches]
    assert angles == pytest.approx([270, 90])
    assert "none   0  (0.0%)" in texts(figure)
    assert "a   30  (75.0%)" in texts(figure)


def test_without_any_films_the_pie_says_so(tmp_path):
    assert "no films" in texts(charts.class_pie({"a": {}}, tmp_path / "f.png", LABEL))
    assert charts.class_bars({}, tmp_path / "g.png", LABEL).axes


def test_learning_curves_hold_the_history_the_phase_change_and_the_kept_epoch(tmp_path):
    frame = history()
    figure = charts.learning_curves(frame, tmp_path / "f.png", LABEL, kept=5)
    panels = {axes.get_title(loc="left"): axes for axes in figure.axes}
    assert set(panels) == {"loss", "accuracy", "learning rate"}
    training, validation, change, kept = panels["loss"].lines
    np.testing.assert_array_equal(training.get_ydata(), frame["loss"])
    np.testing.assert_array_equal(validation.get_ydata(), frame["val_loss"])
    assert change.get_xdata()[0] == 3.5
    assert kept.get_xdata()[0] == 5
    assert "epoch   |   phase frozen from epoch 1   |   phase fine_tuned from epoch 4" in texts(figure)
    one = charts.learning_curves(history(change=6), tmp_path / "f.png", LABEL, kept=5)
    assert "epoch" in texts(one)


def test_precision_and_recall_are_drawn_where_they_were_recorded(tmp_path):
    frame = history().assign(precision=0.5, val_precision=0.4, recall=0.7)
    figure = charts.learning_curves(frame, tmp_path / "f.png", LABEL)
    panels = {axes.get_title(loc="left"): axes for axes in figure.axes}
    assert set(panels) == {"loss", "accuracy", "precision", "recall", "learning rate"}
    assert (panels["recall"].lines[0].get_ydata() == 0.7).all()


def test_epochs_that_start_again_are_numbered_through(tmp_path):
    figure = charts.learning_curves(history().assign(epoch=[1, 2, 3, 1, 2, 3]), tmp_path / "f.png", LABEL)
    assert figure.axes[0].lines[0].get_xdata().tolist() == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize(
    "frame",
    [
        history(1),
        history(0),
        history().assign(val_loss=np.nan, val_accuracy=np.nan),
        history().assign(loss=[1, np.nan, np.inf, 0.5, np.nan, 0.3]),
        history().assign(learning_rate=0.0),
        history().drop(columns=["val_loss", "val_accuracy"]),
        history(60, 20),
    ],
    ids=["one epoch", "no epoch", "no validation", "NaN and inf", "rate 0", "no val columns", "sixty epochs"],
)
def test_odd_histories_are_drawn(frame, tmp_path):
    figure = charts.learning_curves(frame, tmp_path / "f.png", LABEL)
    assert len(figure.axes[0].lines[0].get_xdata()) == len(frame)


@pytest.mark.parametrize("k", [2, 3, 6, 8])
def test_confusion_cells_hold_counts_and_shares_of_the_row(k, tmp_path):
    names = [*SIX, "No finding", "Pleural effusion"][:k]
    matrix = scoring.confusion_matrix(*predictions(k, 400))
    axes = charts.confusion(matrix, names, tmp_path / "f.png", LABEL).axes[0]
    cells = [text.get_text() for text in axes.texts]
    assert len(cells) == k * k
    assert cells[0] == f"{matrix[0, 0]}\n{matrix[0, 0] / matrix[0].sum():.1%}"
    np.testing.assert_allclose(np.asarray(axes.images[0].get_array()).sum(axis=1), 1)
    assert [tick.get_text().split("\n")[0] for tick in axes.get_yticklabels()] == names


def test_a_row_without_films_shows_dashes_and_no_percentages(tmp_path):
    axes = charts.confusion([[3, 1], [0, 0]], ["a", "b"], tmp_path / "f.png", LABEL).axes[0]
    assert [text.get_text() for text in axes.texts] == ["3\n75.0%", "1\n25.0%", "–", "–"]


def test_the_area_under_the_drawn_roc_curve_is_the_auc_in_the_legend(tmp_path):
    labels, probabilities = predictions(3)
    probabilities = np.round(probabilities, 1)  # ties
    axes = charts.roc_curves(labels, probabilities, SIX[:3], tmp_path / "f.png", LABEL).axes[0]
    expected = scoring.scores(labels, probabilities)["roc_auc"]
    for line, auc in zip(axes.lines[:3], expected, strict=True):
        x, y = line.get_data()
        assert np.trapezoid(y, x) == pytest.approx(auc)
        assert line.get_label().endswith(f"{auc:.3f}"[1:])


def test_the_corner_is_enlarged_only_where_all_curves_pass_through_it(tmp_path):
    labels, probabilities = predictions(3)
    good = np.eye(3)[labels] * 0.8 + probabilities * 0.2
    corner = charts.roc_curves(labels, good, SIX[:3], tmp_path / "f.png", LABEL).axes[0].child_axes
    assert [len(axes.lines) for axes in corner] == [3]
    poor = np.vstack([good[1:], good[:1]])
    assert not charts.roc_curves(labels, poor, SIX[:3], tmp_path / "g.png", LABEL).axes[0].child_axes


def test_the_area_under_the_drawn_steps_is_the_average_precision_in_the_legend(tmp_path):
    labels, probabilities = predictions(3)
    probabilities = np.round(probabilities, 1)
    axes = charts.precision_recall_curves(labels, probabilities, SIX[:3], tmp_path / "f.png", LABEL).axes[0]
    lines = [line for line in axes.lines if " AP " in line.get_label()]
    for line, ap in zip(lines, scoring.scores(labels, probabilities)["average_precision"], strict=True):
        x, y = line.get_data()
        assert (np.diff(x) * y[1:]).sum() == pytest.approx(ap)
        assert line.get_drawstyle() == "steps-pre"
        assert line.get_label().endswith(f"{ap:.3f}"[1:])


@pytest.mark.parametrize("draw", [charts.roc_curves, charts.precision_recall_curves])
def test_curves_of_absent_classes_one_class_and_one_film_say_what_is_missing(draw, tmp_path):
    labels, probabilities = predictions(3)
    assert "Viral Pneumonia   no films of it" in texts(
        draw(np.minimum(labels, 1), probabilities, SIX[:3], tmp_path / "a.png", LABEL)
    )
    only = draw(np.zeros(90, dtype=int), probabilities, SIX[:3], tmp_path / "b.png", LABEL)
    assert "Normal   no films of it" in texts(only)
    assert not only.axes[0].child_axes
    one = draw(np.array([0]), np.array([[0.6, 0.4]]), ["a", "b"], tmp_path / "c.png", LABEL)
    assert "b   no films of it" in texts(one)


def test_models_stand_best_first_with_their_intervals(tmp_path):
    figure = charts.comparison(ROWS, tmp_path / "f.png", LABEL)
    balanced, auc = figure.axes
    assert [tick.get_text() for tick in balanced.get_yticklabels()] == ["simple_cnn", "densenet121"]  # from below
    bars = [line for line in balanced.lines if len(line.get_xdata()) == 2]
    assert [line.get_xdata().tolist() for line in bars] == [[0.65, 0.75]]
    said = [text.get_text() for text in [*balanced.texts, *auc.texts]]
    assert said == [".700  [.650, .750]", ".900  no interval", ".850  [.800, .900]", "not defined"]


def test_a_perfect_model_and_an_undefined_one_are_compared_without_ticks_beyond_one(tmp_path):
    rows = [{"model": "a", "balanced_accuracy": entry(1.0, 0.97, 1.0), "macro_auc": entry(1.0)}]
    for axes in charts.comparison(rows, tmp_path / "f.png", LABEL).axes:
        assert max(axes.get_xticks()) <= 1
    rows = [{"model": "a", "balanced_accuracy": entry(None), "macro_auc": entry(None)}]
    assert texts(charts.comparison(rows, tmp_path / "g.png", LABEL)).count("not defined") == 2


def test_the_numbers_below_the_compared_models_do_not_overlap(tmp_path, monkeypatch):
    monkeypatch.setattr(look, "DPI", 150)  # as drawn: letters are counted in pixels
    span = {"simple_cnn": entry(0.947, 0.935, 0.957), "simple_cnn_undersampled": entry(0.888, 0.874, 0.902)}
    rows = [{"model": name, "balanced_accuracy": value, "macro_auc": value} for name, value in span.items()]
    figure = charts.comparison(rows, tmp_path / "f.png", LABEL)
    figure.canvas.draw()
    for axes in figure.axes:
        boxes = [label.get_window_extent() for label in axes.get_xticklabels()]
        assert len(boxes) > 1
        assert all(one.x1 < other.x0 for one, other in pairwise(boxes))


def test_enhancement_shows_both_films_unstretched_and_their_histograms(tmp_path):
    before, after = np.full((20, 30), 100, dtype=np.uint8), np.dstack([film(20, 30)] * 3)
    panels = sheets.enhancement([("a", before, after), ("b", after, before)], tmp_path / "f.png", LABEL).axes
    assert (np.asarray(panels[0].images[0].get_array()) == before).all()
    assert panels[0].images[0].get_clim() == (0, 255)
    values = panels[2].patches[0].get_data().values
    assert values[100 // 4] == 100
    assert values.sum() == pytest.approx(100)
    assert panels[2].get_ylim()[1] > 100


def test_black_borders_do_not_flatten_the_histogram(tmp_path):
    mostly_black = np.zeros((50, 50), dtype=np.uint8)
    mostly_black[0] = 128
    panels = sheets.enhancement([("a", mostly_black, mostly_black)], tmp_path / "f.png", LABEL).axes
    assert 2 < panels[2].get_ylim()[1] < 5  # the 2 % of grey, not the 98 % of black
    assert sheets.enhancement([("a", mostly_black * 0, mostly_black * 0)], tmp_path / "g.png", LABEL).axes
    assert sheets.enhancement([], tmp_path / "h.png", LABEL).axes


def test_right_and_wrong_differ_in_sign_and_in_colour(tmp_path):
    figure = sheets.contact_sheet([film(), film()], CASES, 2, tmp_path / "f.png", LABEL)
    right, wrong = (axes.title if axes.title.get_text() else axes._left_title for axes in figure.axes[:2])
    assert right.get_text() == "✓ Viral Pneumonia 93%\ntrue: Viral Pneumonia"
    assert wrong.get_text() == "✗ Bacterial Pneumonia 51%\ntrue: COVID-19"
    assert right.get_color() != wrong.get_color()
    assert "✓ right, ✗ wrong" in texts(figure)


def test_heat_maps_cover_their_films_and_cold_parts_are_clear(tmp_path):
    heat = np.array([[0.0, 1.0], [np.nan, 2.0]])
    figure = sheets.contact_sheet([film(48, 40)], CASES[:1], 3, tmp_path / "f.png", LABEL, [heat])
    below, above = figure.axes[1].images
    assert list(below.get_extent()) == list(above.get_extent()) == [0, 40, 48, 0]
    assert np.asarray(above.get_array()).tolist() == [[0, 1], [0, 1]]
    assert above.get_alpha().tolist() == [[0, 0.75], [0, 0.75]]


def test_outlines_lie_on_every_picture_of_their_film_where_the_mask_ends(tmp_path):
    mask = np.zeros((24, 20), bool)
    mask[12:, 5:10] = True  # to the film's lower edge; half as fine as the film
    pictures = [film(48, 40), film(48, 40)]
    figure = sheets.contact_sheet(pictures, CASES, 2, tmp_path / "f.png", LABEL, [np.eye(7)] * 2, "Grad-CAM",
                                  [mask, ~mask & mask])
    lines = [[path for drawn in axes.collections for path in drawn.get_paths()] for axes in figure.axes]
    assert [len(each) for each in lines] == [1, 1, 0, 0]
    for [path] in lines[:2]:
        low, high = path.get_extents().min, path.get_extents().max
        np.testing.assert_allclose([*low, *high], [10, 24, 20, 48], atol=1.01)
    assert figure.axes[1].get_xlim() == (0, 40) and figure.axes[1].get_ylim() == (48, 0)


def test_the_check_s_figure_has_a_map_for_every_level_and_names_empty_ones(tmp_path):
    figure = DRAWINGS["randomisation"](tmp_path / "f.png")
    assert [len(axes.images) for axes in figure.axes] == [1, 2, 2] * 2
    assert figure.axes[2].get_title().strip() == "head shuffled"
    assert [axes.get_title().strip() for axes in figure.axes[3:]] == ["", "", "(empty map)"]


@pytest.mark.parametrize(
    ("films", "columns"),
    [([], 3), ([film()], 5), ([film(), film(200, 20), film(20, 200), np.dstack([film()] * 3)], 3), ([film()] * 13, 6)],
    ids=["none", "one", "shapes", "thirteen"],
)
def test_sheets_of_any_number_and_shape_of_films_are_drawn(films, columns, tmp_path):
    figure = sheets.contact_sheet(films, ["Viral Pneumonia"] * len(films), columns, tmp_path / "f.png", LABEL)
    assert sum(len(axes.images) for axes in figure.axes) == len(films)


def test_a_caption_too_few_is_an_error_and_not_a_shifted_sheet(tmp_path):
    with pytest.raises(ValueError, match="shorter"):
        sheets.contact_sheet([film(), film()], ["only one"], 2, tmp_path / "f.png", LABEL)


def test_a_long_label_is_wrapped_onto_the_page(tmp_path):
    figure = charts.class_bars(COUNTS, tmp_path / "f.png", "a long story of the data set " * 12)
    figure.draw_without_rendering()
    label = figure.texts[1]
    assert label.get_text().count("\n") >= 2
    assert label.get_window_extent().x1 <= figure.bbox.x1


def test_bins_stand_at_their_confidence_and_accuracy_with_their_interval_and_are_hollow_without(tmp_path):
    figure = calibration_charts.reliability(BINS, BINS[:1], (0.123, 0.045), 1.5, tmp_path / "f.png", LABEL)
    before, after = figure.axes
    _, interval, first, second = before.lines
    assert np.array(interval.get_data()).tolist() == [[0.6, 0.6], [0.3, 0.7]]
    assert (first.get_xdata()[0], first.get_ydata()[0]) == (0.6, 0.5)
    assert first.get_markerfacecolor() != second.get_markerfacecolor() == "white"
    assert before.get_title(loc="left") == "before calibration: ECE 0.123"
    assert after.get_title(loc="left") == "after, temperature 1.50: ECE 0.045"
    assert before.get_xlabel() == "mean confidence of a bin of 9 to 10 films"


@pytest.mark.parametrize(("coverage", "risk"), [([1.0], [0.25]), ([0.5, 1.0], [0.0, 0.0]), ([0.1, 1.0], [1.0, 1.0])],
                         ids=["equal confidences", "no errors", "nothing but errors"])
def test_the_risk_curve_is_drawn_whatever_the_errors_and_the_perfect_order_is_never_above_it(coverage, risk, tmp_path):
    axes = calibration_charts.risk_coverage(coverage, risk, 0.1, tmp_path / "f.png", LABEL).axes[0]
    model, chance, perfect = axes.lines
    assert (list(model.get_xdata()), list(model.get_ydata())) == (coverage, risk)
    assert chance.get_ydata()[0] == perfect.get_ydata()[-1] == pytest.approx(risk[-1])
    assert (np.interp(coverage, *perfect.get_data()) <= np.array(risk) + 1e-9).all()
