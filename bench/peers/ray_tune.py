"""Ray Tune over the same grid: as many trials at once as there are cores."""

import os
import tempfile
from typing import Any

import ray
from ray import tune
from training import BATCH, arguments, build, data, report


def train(config: dict[str, Any]) -> None:
    import keras

    settings = dict(config)
    images, epochs, seed = (settings.pop(name) for name in ("images", "epochs", "seed"))
    keras.utils.set_random_seed(seed)
    x, y, x_validation, y_validation = data(images)
    each_epoch = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: tune.report({"val_accuracy": float(logs["val_accuracy"])})
    )
    build(**settings).fit(
        x,
        y,
        batch_size=BATCH,
        epochs=epochs,
        validation_data=(x_validation, y_validation),
        verbose=0,
        callbacks=[each_epoch],
    )


def main() -> None:
    sweep, seed = arguments()
    ray.init(num_cpus=len(os.sched_getaffinity(0)), include_dashboard=False, log_to_driver=False)
    with tempfile.TemporaryDirectory() as folder:
        grid = {name: tune.grid_search(choices) for name, choices in sweep.grid.items()}
        found = tune.Tuner(
            tune.with_resources(train, {"cpu": 1}),
            param_space={**grid, "images": sweep.images, "epochs": sweep.epochs, "seed": seed},
            tune_config=tune.TuneConfig(metric="val_accuracy", mode="max"),
            run_config=tune.RunConfig(storage_path=folder, verbose=0),
        ).fit()
        report(
            [
                ({name: result.config[name] for name in sweep.grid}, result.metrics_dataframe["val_accuracy"].max())
                for result in found
            ]
        )


if __name__ == "__main__":
    main()
