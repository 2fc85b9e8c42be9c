"""A plain Optuna study over the grid, one trial after the other."""

import optuna
from training import BATCH, arguments, build, data, report


def main() -> None:
    sweep, seed = arguments()
    import keras

    keras.utils.set_random_seed(seed)
    x, y, x_validation, y_validation = data(sweep.images)

    def objective(trial: optuna.Trial) -> float:
        model = build(**{name: trial.suggest_categorical(name, choices) for name, choices in sweep.grid.items()})
        history = model.fit(
            x, y, batch_size=BATCH, epochs=sweep.epochs, validation_data=(x_validation, y_validation), verbose=0
        )
        return max(history.history["val_accuracy"])

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.GridSampler(sweep.grid, seed=seed))
    study.optimize(objective)
    report([(trial.params, trial.value or 0.0) for trial in study.trials])


if __name__ == "__main__":
    main()
