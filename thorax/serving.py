"""The classifier as MLflow loads it: `mlflow.pyfunc.load_model(...).predict(films)`."""

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd


class Classifier(mlflow.pyfunc.PythonModel):
    def load_context(self, context) -> None:
        # Here, not above: whoever logs or lists the model needs no TensorFlow.
        from thorax import artefacts

        folder = Path(context.artifacts["model"])
        self.model, self.description = artefacts.load(folder)
        self.chosen, self.gate = (json.loads((folder / f"{name}.json").read_text())
                                  for name in ("calibration", "input_gate"))

    def predict(self, context, model_input, params=None) -> pd.DataFrame:
        """Films after the enhancement that model.json names, uint8 (n, side, side), to a row each: a calibrated
        probability per class, in the order of model.json's classes, `flagged`, the classes at or above their operating
        point, separated by commas, and `refused`. Of a refused film, which is unlike the training films, the rest is
        None."""
        from thorax import calibration, inputgate, operating

        films = np.asarray(model_input["films"] if isinstance(model_input, dict) else model_input)
        names, points = list(self.description["classes"]), self.chosen["operating_points"]
        probabilities = calibration.calibrate(self.model.predict(films, verbose=0), self.chosen["temperature"])
        flags = operating.flags(probabilities, points)
        table = pd.DataFrame(probabilities, columns=names)
        table["flagged"] = [",".join(name for name, flag in zip(names, row, strict=True) if flag) for row in flags]
        refused = inputgate.refused(self.gate, films)
        table = table.astype(object)  # numbers would turn None into NaN, which is no JSON
        table.loc[refused] = None
        return table.assign(refused=refused)


mlflow.models.set_model(Classifier())
