"""show: print the results table and where to look next; not a stage of dvc.yaml."""

from thorax.reader import load_params
from thorax.reporting.costs import costs
from thorax.reporting.results import cells_of, text_table
from thorax.running import run


def main() -> None:
    """Print the results of the runs in params.yaml."""
    params = load_params()
    for study in dict.fromkeys(each.study for each in params.runs.values()):
        cells = cells_of(study, params)
        print(f"\nStudy {study}\n{text_table(cells)}\n")
        for name, row in costs(study, cells).items():
            if row["training_s"]:
                print(f"{name}: trained in {row['training_s']:.0f} s, {row['latency_ms']} ms a film, "
                      f"{row['memory_mb']:,} MB at most")
    print("""
Where to look next, after `. .venv/bin/activate`:
  reports/<study>/index.html  all of a study on one page: open it in a browser
  reports/results.md          every table, with intervals; the figures beside it
  models/<study>/<model>      weights, predictions, figures of one model
  mlflow ui                   the models side by side, at http://127.0.0.1:5000
  dvc dag                     the pipeline; `dvc repro` runs what has changed""")


if __name__ == "__main__":
    run(main)
