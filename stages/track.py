"""track: bring the finished runs into MLflow; the list of them goes to mlruns/tracked.csv."""

from pathlib import Path

from thorax.reader import load_params, load_study
from thorax.running import run, writing_into


def main() -> None:
    """Create the MLflow runs that the store lacks. A store that cannot be reached is no error: run
    `python -m stages.track` again when it can."""
    from thorax import tracking

    params = load_params()
    try:
        created = tracking.project(params, {study: load_study(study) for study in params.studies})
        print(f"track: {len(created)} new runs in MLflow, {len(tracking.keys(params)) - len(created)} were there")
    except Exception as error:  # whatever goes wrong in the lab book, the results stand
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        print(f"track: MLflow has not been written ({reason}); all results stand. When the store is back: "
              "python -m stages.track")
    with writing_into(Path("mlruns"), "tracked") as out:
        # Nothing of the store goes into it: an outage leaves the same dvc.lock.
        rows = [f"{name},{key}\n" for name, key in sorted(tracking.keys(params).items())]
        (out / "tracked.csv").write_text("run,key\n" + "".join(rows))


if __name__ == "__main__":
    run(main)
