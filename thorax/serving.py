"""The classifier as MLflow loads it: `mlflow.pyfunc.load_model(...).predict(films)`."""

from pathlib import Path

import mlflow
import numpy as np


class Classifier(mlflow.pyfunc.PythonModel):
    def load_context(self, context) -> None:
        # Here, not above: whoever logs or lists the model needs no TensorFlow.
        from thorax import artefacts

        self.model, self.description = artefacts.load(Path(context.artifacts["model"]))

    def predict(self, context, model_input, params=None) -> np.ndarray:
        """Films after the enhancement that model.json names, uint8 (n, side, side), to probabilities, float32
        (n, classes), in the order of model.json's classes."""
        films = model_input["films"] if isinstance(model_input, dict) else model_input
        return np.asarray(self.model.predict(np.asarray(films), verbose=0))


mlflow.models.set_model(Classifier())
