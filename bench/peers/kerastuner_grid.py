"""KerasTuner's GridSearch over the same choices."""

import tempfile
from typing import Any

from training import BATCH, arguments, build, data, report


def main() -> None:
    sweep, seed = arguments()
    import keras
    import keras_tuner

    keras.utils.set_random_seed(seed)
    x, y, x_validation, y_validation = data(sweep.images)

    def hypermodel(hp: keras_tuner.HyperParameters) -> Any:
        return build(**{name: hp.Choice(name, choices) for name, choices in sweep.grid.items()})

    with tempfile.TemporaryDirectory() as folder:
        tuner = keras_tuner.GridSearch(hypermodel, objective="val_accuracy", directory=folder, project_name="grid")
        tuner.search(
            x, y, batch_size=BATCH, epochs=sweep.epochs, validation_data=(x_validation, y_validation), verbose=0
        )
        trials = tuner.oracle.trials.values()
        report([(trial.hyperparameters.values, trial.score) for trial in trials])


if __name__ == "__main__":
    main()
