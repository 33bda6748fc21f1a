"""The models of a task on one axis, with bars under those that the test films cannot tell apart."""

from matplotlib.figure import Figure

from thorax.ranking import Ranking
from thorax.reporting.look import GREY, PALETTE, drawn, new_figure, save

ROW, BAR = 0.3, 0.16  # inches between the names, and between the bars


@drawn
def ranking_chart(ranking: Ranking, path, label: str) -> Figure:
    """Accuracy from left (worst) to right (best), each model's name at the end of a line from its place on the axis,
    the worse half on the left; after the critical-difference diagram of Demsar, J Mach Learn Res 7:1 (2006), with
    accuracy on one set of films in place of mean ranks over many."""
    best_first = list(ranking.accuracies)
    half = (len(best_first) + 1) // 2
    bars = BAR * (len(ranking.alike) + 1)
    height = 0.75 + bars + ROW * half + 0.35
    title = "Models compared: a bar joins those that these films cannot tell apart"
    figure = new_figure(title, label, height)
    axes = figure.subplots()
    worst, best = ranking.accuracies[best_first[-1]], ranking.accuracies[best_first[0]]
    margin = max(0.04 * (best - worst), 0.002)
    axes.set(xlim=(worst - margin, best + margin), ylim=(bars + ROW * half, 0), yticks=[])
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.set_xlabel("accuracy")
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.spines["top"].set_visible(True)
    for number, name in enumerate(best_first):
        right = number < half
        row = number if right else len(best_first) - 1 - number
        x, y, side = ranking.accuracies[name], bars + ROW * (row + 0.4), 1.0 if right else 0.0
        edge = axes.get_xlim()[1 if right else 0]
        axes.plot([x, x, edge], [0, y, y], color=GREY, linewidth=1.2, clip_on=False)
        axes.plot(x, 0, "o", color=PALETTE[0], markersize=7, clip_on=False)
        axes.annotate(f"{name}  {f'{x:.3f}'.removeprefix('0')}", (side, y), (6 if right else -6, 0),
                      xycoords=axes.get_yaxis_transform(), textcoords="offset points", va="center",
                      ha="left" if right else "right")
    for number, stretch in enumerate(ranking.alike):
        ends = [ranking.accuracies[stretch[-1]], ranking.accuracies[stretch[0]]]
        if ends[0] == ends[1]:  # a line without length would not be seen
            ends = [ends[0] - margin / 4, ends[1] + margin / 4]
        axes.plot(ends, [BAR * (number + 1)] * 2, color=PALETTE[1], linewidth=5, solid_capstyle="round")
    return save(figure, path)
