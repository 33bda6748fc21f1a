"""Live curves in MLflow while a long training runs: off unless THORAX_LIVE=1, and nothing depends on them.

They go to the experiment `<study>-live`; the lasting record is written from the finished outputs (thorax/tracking.py).
A server that is missing, slow or gone costs the curves, never the training.
"""

import contextlib
import os
import queue
import threading
from collections.abc import Iterator

SWITCH = "THORAX_LIVE"
# What one call to a dead server may take; MLflow's own patience is 7 tries of 120 s.
PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
GOODBYE_S = 10.0


@contextlib.contextmanager
def curves(study: str, model: str) -> Iterator[list]:
    """The Keras callbacks that send the curves of this training: none, or one."""
    if os.environ.get(SWITCH) != "1":
        yield []
        return
    from thorax.backend import keras

    epochs: queue.SimpleQueue = queue.SimpleQueue()
    # A thread of its own: the training never waits for the network.
    sender = threading.Thread(target=send, args=(study, model, epochs), daemon=True)
    sender.start()
    try:
        yield [keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: epochs.put((epoch + 1, dict(logs))))]
    finally:
        epochs.put(None)
        sender.join(GOODBYE_S)


def send(study: str, model: str, epochs: queue.SimpleQueue) -> None:
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    try:
        from thorax import tracking

        client = tracking.connect()
        experiment = tracking.experiment(client, f"{study}-live")
        run = client.create_run(experiment, run_name=model).info.run_id
        while (item := epochs.get()) is not None:
            for name, value in item[1].items():
                client.log_metric(run, name, float(value), step=item[0])
        client.set_terminated(run)
    except Exception as error:  # any failure of the lab book: the training goes on without it
        print(f"train: live curves are off: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
