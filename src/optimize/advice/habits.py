"""What other tools call what a sweep file says: keys and words that people bring along, and what is written here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from main.annotations import KeyPath, dotted
from optimize.forms import FORM_KEYS

_MEANT: Mapping[str, Mapping[str, str]] = {
    "data": {
        "otherwise": "fallback alternative backup",
        "source": "dataset name path dir directory folder file root",
        "validation": "validation_split val_split val_size valid_size validation_size validation_fraction",
    },
    "model": {
        "network": "name type kind arch architecture backbone class model_type",
        "filters": "layers conv_layers channels n_filters num_filters out_channels conv_filters",
        "dense_units": "units neurons hidden hidden_size hidden_layers dense fc_units n_units",
    },
    "train": {
        "learning_rate": "lr",
        "batch_size": "bs batchsize",
        "epochs": "epoch n_epochs num_epochs max_epochs nb_epoch",
        "optimizer": "optimiser optim",
        "early_stopping": "early_stop earlystopping",
        "schedule": "scheduler lr_schedule lr_scheduler",
    },
    "train.augment": {
        "rotation": "rotate degrees rotation_range",
        "shift": "translate translation width_shift_range height_shift_range",
        "zoom": "scale zoom_range",
        "shear": "shear_range",
    },
    "train.schedule": {"decay": "gamma factor decay_rate", "final": "alpha"},
    "study": {
        "sampler": "method algorithm algo search search_alg search_algorithm strategy optimizer_type",
        "trials": "num_trials n_trials num_samples max_trials run_cap n_iter n_calls",
        "seeds": "repeats repetitions replicates n_seeds num_seeds executions_per_trial",
        "metric": "metrics objective monitor criterion",
        "pruner": "early_terminate early_termination pruning",
        "folds": "cv kfold k_fold k_folds n_splits n_folds cross_validation",
    },
    "study.stop": {"time": "time_limit max_time max_runtime time_budget after"},
    "run": {
        "workers": "n_jobs jobs num_workers max_workers parallel parallelism n_parallel processes cpus max_concurrent",
        "precision": "mixed_precision dtype",
    },
}
"""By section, what other tools call its keys."""
_OWN_ALONE = (
    "name", "path", "dir", "directory", "folder", "file", "root", "type", "kind", "class", "scale", "search", "after",
    "factor", "alpha", "layers", "dense", "parallel", "strategy",
)  # fmt: skip
"""Names of too many things to be taken for a key of another section."""
_SAID: Mapping[str, str] = {
    **dict.fromkeys(("seed", "random_seed", "random_state"), "trainings have the seeds of `study.seeds`"),
    **dict.fromkeys(("direction", "goal", "mode", "maximize", "minimize"), "it follows from `study.metric`"),
    **dict.fromkeys(("gpu", "gpus", "n_gpus", "cuda", "device", "use_gpu"), "a GPU is used where there is one"),
    "shuffle": "training images are shuffled anew every epoch",
    **dict.fromkeys(("normalize", "normalise", "rescale"), "images are always scaled to [0, 1]"),
    "monitor": "what is watched is `study.metric`",
    **dict.fromkeys(
        ("parameters", "hyperparameters", "params", "search_space", "space"),
        "what is swept stands in its own place under `model` and `train`",
    ),
    "betas": "it is `beta_1` and `beta_2`",
    "config": "what is in it stands beside `name`",
    "callbacks": "what they do is said by `early_stopping` and `schedule`",
}
"""Keys that none has, and what says or does the same."""
_INITIALIZERS = {
    "glorot_uniform": "xavier xavier_uniform glorot",
    "glorot_normal": "xavier_normal",
    "he_normal": "he kaiming kaiming_normal",
    "he_uniform": "kaiming_uniform",
}
_WORDS: Mapping[str, Mapping[str, str]] = {
    "model.activation": {"silu": "swish", "leaky_relu": "leaky"},
    "model.network": {
        "cnn": "conv convnet conv2d convolutional",
        "mlp": "dense fc feedforward fully_connected perceptron",
        "softmax": "linear logistic logistic_regression",
    },
    "model.pooling": {"average": "avg mean avgpool avgpool2d avg_pool averagepooling2d"},
    "model.initializer": _INITIALIZERS,
    "model.dense_initializer": _INITIALIZERS,
    "train.loss": {
        "crossentropy": "ce cce xent nll nllloss",
        "mae": "l1 l1loss",
        "mse": "l2 l2loss",
        "kl_divergence": "kl kld",
    },
    "train.schedule": {"constant": "none no off fixed"},
    "data.split": {"stratified": "random shuffle shuffled"},
    "study.metric": {"val_accuracy": "acc accuracy error val_error", "val_loss": "loss"},
    "study.sampler": {
        "tpe gp": "bayes bayesian bayes_opt bayesian_optimization bayesianoptimization bayesopt bo",
        "tpe": "hyperopt parzen optuna",
        "gp": "gaussian_process gaussian_processes",
        "grid": "exhaustive gridsearch",
        "nsga2": "genetic evolution evolutionary ga nsga nsga-ii",
        "qmc": "sobol halton quasi_random quasirandom",
    },
    "study.pruner": {"asha": "sha successive_halving successivehalving", "median": "percentile", "hyperband": "bohb"},
    "run.workers": {"auto": "all max cpu cpu_count"},
    "run.precision": {
        "bfloat16": "fp16 half float16 mixed mixed_float16 mixed_bfloat16 mixed_precision amp bf16",
        "float32": "fp32 single full float 32",
    },
}  # fmt: skip
"""By path, what others call the words that may stand there; of several words, any."""


def _spread(names: Mapping[str, str]) -> dict[str, str]:
    return {theirs: ours for ours, several in names.items() for theirs in several.split()}


_KEYS = {section: _spread(keys) for section, keys in _MEANT.items()}
_VALUES = {path: _spread(words) for path, words in _WORDS.items()}


def key_meant(path: KeyPath) -> str | None:
    """The full path of the key that somebody meant by one that nobody knows: `study.sampler` by `study.method`."""
    *around, key = path
    section, name = dotted(tuple(around)), str(key).lower()
    return next(_places(section, name), None)


def _places(section: str, name: str) -> Iterator[str]:
    """Its own section's, one's within it, then any other's."""
    nearest_first = sorted(_KEYS, key=lambda other: (other != section, not other.startswith(f"{section}.")))
    for other in nearest_first:
        if name in _KEYS[other] and (other == section or name not in _OWN_ALONE):
            yield f"{other}.{_KEYS[other][name]}"


def said_instead(key: str) -> str:
    """What says or does the same as a key that there is not; nothing of others."""
    return _SAID.get(key.lower(), "")


def words_meant(path: KeyPath, word: str) -> list[str]:
    """The words, any of them, that somebody meant at a path by one of another tool's; none where that is a guess."""
    place = dotted(tuple(key for key in path if isinstance(key, str) and key != "name" and key not in FORM_KEYS))
    return _VALUES.get(place, {}).get(word.lower(), "").split()
