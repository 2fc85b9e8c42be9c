from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from plain_models import model_bytes, tiny_config, tiny_weights

from main import modelfile
from main.modelfile import (
    ModelFileError,
    UnverifiedModelWarning,
    load_model,
    load_with_card,
    read_card,
    save_model,
    to_bytes,
    write_model_file,
)

CARD = {"name": "tiny", "metrics": {"val_accuracy": {"value": 0.99}}, "decided": True}


@pytest.fixture(scope="session")
def model():
    from main.backend import quiet_import

    quiet_import()
    import models

    return models.build(models.CnnSpec(filters=(4,), pooling="blur"), (12, 12, 1), 10)


@pytest.fixture
def keras_calls(monkeypatch):
    """Every file that Keras is asked to load, instead of loading it."""
    from main.backend import quiet_import

    quiet_import()
    import keras

    calls = []

    def record(path, **_):
        calls.append(path)
        raise AssertionError("Keras was given a file that should have been refused")

    monkeypatch.setattr(keras.models, "load_model", record)
    return calls


def write_plain(folder, **parts):
    data = model_bytes(**parts)
    (folder / "cnn.h5").write_bytes(data)
    return data


@pytest.mark.training
def test_saved_model_comes_back_with_its_card(model, tmp_path):
    save_model(model, tmp_path / "cnn.h5", CARD)
    with warnings.catch_warnings():
        warnings.simplefilter("error", UnverifiedModelWarning)
        loaded = load_model(tmp_path / "cnn.h5")
    images = np.random.default_rng(1).random((5, 12, 12, 1), dtype=np.float32)
    np.testing.assert_array_equal(loaded.predict(images, verbose=0), model.predict(images, verbose=0))
    checksum = hashlib.sha256((tmp_path / "cnn.h5").read_bytes()).hexdigest()
    assert read_card(tmp_path / "cnn.h5") == {"sha256": checksum, **CARD}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cnn.h5", "cnn.json"]


@pytest.mark.training
def test_saved_model_loads_with_keras_alone(model, tmp_path):
    save_model(model, tmp_path / "cnn.h5", CARD)
    images = np.random.default_rng(1).random((5, 12, 12, 1), dtype=np.float32)
    np.save(tmp_path / "images.npy", images)
    code = """
        import sys, keras, numpy
        model = keras.models.load_model("cnn.h5")
        numpy.save("found.npy", model.predict(numpy.load("images.npy"), verbose=0))
        sys.exit("main" in sys.modules or "models" in sys.modules)
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, check=True, capture_output=True)
    np.testing.assert_array_equal(np.load(tmp_path / "found.npy"), model.predict(images, verbose=0))


@pytest.mark.training
def test_equal_models_give_equal_files(model):
    assert to_bytes(model) == to_bytes(model)


@pytest.mark.training
def test_compiled_model_is_saved_without_its_optimizer(model):
    import keras

    compiled = keras.models.clone_model(model)
    compiled.set_weights(model.get_weights())
    compiled.compile(optimizer="adam", loss="mse")
    compiled.optimizer.build(compiled.trainable_variables)
    assert len(to_bytes(compiled)) == len(to_bytes(model))


@pytest.mark.training
def test_model_of_another_precision_is_not_saved():
    import models
    from main.backend import dtype_policy

    with dtype_policy("bfloat16"):
        model = models.build(models.SoftmaxSpec(), (4, 4, 1), 3)
    with pytest.raises(ModelFileError, match="saved in float32, but this one computes in"):
        to_bytes(model)


@pytest.mark.training
def test_model_with_code_in_it_is_not_saved(tmp_path):
    import keras

    model = keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x), keras.layers.Dense(2)])
    with pytest.raises(ModelFileError, match="'Lambda' is not one of the built-in"):
        save_model(model, tmp_path / "cnn.h5", CARD)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.training
def test_model_that_comes_back_different_replaces_nothing(model, tmp_path, monkeypatch):
    import keras

    save_model(model, tmp_path / "cnn.h5", CARD)
    before = (tmp_path / "cnn.h5").read_bytes()
    other = keras.models.clone_model(model)
    other.set_weights([weight + 0.1 for weight in model.get_weights()])
    monkeypatch.setattr(keras.models, "load_model", lambda *_, **__: other)
    with pytest.raises(ModelFileError, match="does not predict what the saved one does"):
        save_model(other.__class__.from_config(model.get_config()), tmp_path / "cnn.h5", {"name": "other"})
    assert (tmp_path / "cnn.h5").read_bytes() == before
    assert read_card(tmp_path / "cnn.h5")["name"] == "tiny"


def test_path_of_another_ending_is_refused(tmp_path):
    from main.modelfile import _write

    with pytest.raises(ModelFileError, match=r"must end in \.h5"):
        _write(tmp_path / "cnn.keras", b"", CARD)


@pytest.mark.training
def test_a_thousand_damaged_files_are_refused_by_their_checksum(tmp_path, keras_calls):
    data = write_plain(tmp_path)
    write_model_file(tmp_path, data, CARD)
    path, random = tmp_path / "cnn.h5", np.random.default_rng(0)
    for position in random.integers(0, len(data), size=600):
        flipped = bytearray(data)
        flipped[position] ^= 1 << int(random.integers(8))
        path.write_bytes(flipped)
        with pytest.raises(ModelFileError, match=r"is not the file that its card cnn\.json describes"):
            load_model(path)
    for length in random.integers(0, len(data), size=400):
        path.write_bytes(data[:length])
        with pytest.raises(ModelFileError, match=r"cnn\.h5"):
            load_model(path)
    assert keras_calls == []


@pytest.mark.training
def test_truncated_files_without_a_card_are_refused(tmp_path, keras_calls):
    data = write_plain(tmp_path)
    for length in range(0, len(data), len(data) // 6):
        (tmp_path / "cnn.h5").write_bytes(data[:length])
        with pytest.raises(ModelFileError, match="is refused: it is damaged"):
            load_model(tmp_path / "cnn.h5")
    assert keras_calls == []


@pytest.mark.training
def test_gadget_with_a_valid_card_is_refused_before_keras_sees_it(tmp_path, keras_calls):
    config = tiny_config()
    config["config"]["layers"][1]["class_name"] = "Lambda"
    data = write_plain(tmp_path, config=config)
    (tmp_path / "cnn.json").write_text(json.dumps({"sha256": hashlib.sha256(data).hexdigest()}))
    with pytest.raises(ModelFileError, match=r"cnn\.h5 is refused: layer class 'Lambda'"):
        load_model(tmp_path / "cnn.h5")
    with pytest.raises(ModelFileError, match="'Lambda'"):
        write_model_file(tmp_path / "elsewhere", data, CARD)
    assert keras_calls == []
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.training
def test_plain_file_loads_in_keras_as_described(tmp_path):
    data = write_plain(tmp_path)
    write_model_file(tmp_path, data, CARD)
    model = load_model(str(tmp_path / "cnn.h5"))
    kernel, _ = tiny_weights()["logits"]
    np.testing.assert_array_equal(model.get_layer("logits").kernel, kernel)


@pytest.mark.training
def test_what_keras_itself_refuses_is_one_clear_error(tmp_path):
    config = tiny_config()
    config["config"]["layers"][2]["config"]["momentum"] = 0.5  # known to us, but not of this layer
    write_model_file(tmp_path, write_plain(tmp_path, config=config), CARD)
    with pytest.raises(ModelFileError, match="cannot be loaded by Keras 3"):
        load_model(tmp_path / "cnn.h5")


@pytest.mark.training
def test_model_without_a_card_loads_with_a_warning(tmp_path):
    write_plain(tmp_path)
    with pytest.warns(UnverifiedModelWarning, match=r"has no card \(cnn\.json\)"):
        model = load_model(tmp_path / "cnn.h5")
    assert model.count_params() == 51
    with pytest.raises(ModelFileError, match=r"has no card: .*cnn\.json does not exist"):
        read_card(tmp_path / "cnn.h5")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "is damaged: it is no JSON"),
        ("[" * 100_000, "is damaged: it is no JSON"),
        ("[]", "has no sha256"),
        ('{"sha256": 7}', "has no sha256"),
        ('{"sha256": "' + "0" * 64 + '"}', "is not the file that its card"),
        (" " * 5_000_000, "is larger than 4 MiB"),
    ],
)
def test_damaged_card_is_refused_by_name(tmp_path, text, reason):
    write_plain(tmp_path)
    (tmp_path / "cnn.json").write_text(text)
    for use in (load_model, read_card):
        with pytest.raises(ModelFileError, match=reason) as caught:
            use(tmp_path / "cnn.h5")
        assert "cnn.json" in str(caught.value)


def test_missing_file_and_folder_are_refused_by_name(tmp_path):
    with pytest.raises(ModelFileError, match=r"nothing\.h5 does not exist"):
        load_model(tmp_path / "nothing.h5")
    with pytest.raises(ModelFileError, match=r"is not a file$"):
        load_model(tmp_path)
    (tmp_path / "cnn.h5").touch()
    with pytest.raises(ModelFileError, match=r"is not a file; did you mean '.*cnn\.h5'\?$"):
        load_model(tmp_path)


def test_card_that_no_json_can_hold_replaces_nothing(tmp_path):
    data = model_bytes()
    write_model_file(tmp_path, data, CARD)
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_model_file(tmp_path, data, {"metrics": float("nan")})
    assert read_card(tmp_path / "cnn.h5")["name"] == "tiny"


class Killed(BaseException):
    """Stands for a kill between two steps of writing."""


@pytest.mark.parametrize("step", [1, 2, 3])
def test_model_and_card_belong_together_after_a_kill_at_any_step(tmp_path, monkeypatch, step):
    write_model_file(tmp_path, model_bytes(), CARD | {"name": "old"})
    new = model_bytes(weights=tiny_weights() | {"logits": [np.ones((16, 3), "f4"), np.ones(3, "f4")]})
    replace, steps = Path.replace, []

    def dying_replace(path, target):
        steps.append(target)
        if len(steps) == step:
            raise Killed
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", dying_replace)
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)  # a killed process tidies nothing up
    with pytest.raises(Killed):
        write_model_file(tmp_path, new, CARD | {"name": "new"})
    monkeypatch.undo()
    assert read_card(tmp_path / "cnn.h5")["name"] == ("new" if step == 3 else "old")
    write_model_file(tmp_path, new, CARD | {"name": "again"})
    assert read_card(tmp_path / "cnn.h5")["name"] == "again"


def test_a_card_that_waits_for_its_place_survives_a_write_that_is_killed(tmp_path, monkeypatch):
    new = model_bytes(weights=tiny_weights() | {"logits": [np.ones((16, 3), "f4"), np.ones(3, "f4")]})
    replace = Path.replace

    def killed_before(name):
        def dying_replace(path, target):
            if Path(target).name == name:
                raise Killed
            return replace(path, target)

        monkeypatch.setattr(Path, "replace", dying_replace)
        monkeypatch.setattr(Path, "unlink", lambda *_, **__: None)

    write_model_file(tmp_path, model_bytes(), CARD | {"name": "first"})
    killed_before("cnn.json")  # the second model is in place, its card waits
    with pytest.raises(Killed):
        write_model_file(tmp_path, new, CARD | {"name": "second"})
    monkeypatch.undo()
    killed_before("cnn.h5")  # the third never comes into place
    with pytest.raises(Killed):
        write_model_file(tmp_path, model_bytes(), CARD | {"name": "third"})
    monkeypatch.undo()
    assert read_card(tmp_path / "cnn.h5")["name"] == "second"


def test_an_error_after_the_model_is_in_place_leaves_it_its_card(tmp_path, monkeypatch):
    write_model_file(tmp_path, model_bytes(), CARD | {"name": "old"})
    new = model_bytes(weights=tiny_weights() | {"logits": [np.ones((16, 3), "f4"), np.ones(3, "f4")]})
    calls = []

    def broken(folder):
        calls.append(folder)
        if len(calls) == 2:  # of the model's own folder entry
            raise OSError(5, "Input/output error")

    monkeypatch.setattr("main.files.flush_folder", broken)
    with pytest.raises(OSError, match="Input/output"):
        write_model_file(tmp_path, new, CARD | {"name": "new"})
    assert read_card(tmp_path / "cnn.h5")["name"] == "new"


WRITER = """
import itertools, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
import numpy as np
from plain_models import model_bytes, tiny_weights
from main.modelfile import write_model_file
files = [model_bytes(weights=tiny_weights() | {"logits": [np.full((16, 3), n, "f4"), np.ones(3, "f4")]})
         for n in range(5)]
for number in itertools.count():
    write_model_file(Path(sys.argv[1]), files[number % 5], {"number": number})
    print("written", flush=True)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL is POSIX's")
def test_killed_at_random_moments_the_file_and_its_card_are_whole(tmp_path):
    write_model_file(
        tmp_path, model_bytes(), {"number": -1}
    )  # a slow machine may kill the first writer before its first
    random = np.random.default_rng()
    for _ in range(12):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path), str(Path(__file__).parent)], stdout=subprocess.PIPE
        )
        assert writer.stdout.readline() == b"written\n"
        time.sleep(0.02 + random.random() * 0.05)
        os.kill(writer.pid, signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        assert read_card(tmp_path / "cnn.h5")["number"] >= 0


@pytest.mark.skipif(sys.platform == "win32", reason="a limit on the size of files is POSIX's")
def test_disk_that_fills_up_leaves_the_old_model(tmp_path):
    write_model_file(tmp_path, model_bytes(), CARD)
    code = """
        import resource, signal, sys
        from pathlib import Path
        sys.path.insert(0, sys.argv[2])
        from plain_models import model_bytes
        from main.modelfile import write_model_file
        data = model_bytes()
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(data) // 2, len(data) // 2))
        try:
            write_model_file(Path(sys.argv[1]), data, {"name": "new"})
        except OSError:
            sys.exit(42)
    """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path), str(Path(__file__).parent)]
    assert subprocess.run(command).returncode == 42
    assert read_card(tmp_path / "cnn.h5")["name"] == "tiny"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cnn.h5", "cnn.json"]


def test_importing_main_and_writing_a_model_file_import_no_keras(tmp_path):
    (tmp_path / "bytes").write_bytes(model_bytes())
    code = """
        import sys
        from pathlib import Path
        import main
        assert not {"numpy", "h5py"} & set(sys.modules)
        from main.modelfile import read_card, write_model_file
        write_model_file(Path("out"), Path("bytes").read_bytes(), {"name": "x"})
        read_card("out/cnn.h5")
        assert not {"keras", "tensorflow"} & set(sys.modules)
        assert main.load_model.__module__ == "main.modelfile"
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=tmp_path, check=True)


def test_main_has_no_other_lazy_names():
    import main

    with pytest.raises(AttributeError, match="'main' has no attribute 'laod_model'"):
        _ = main.laod_model


def other_weights():
    return {name: [array + 1 for array in arrays] for name, arrays in tiny_weights().items()}


@pytest.mark.parametrize("deep", ["[" * 40 + "]" * 40, '{"a": ' * 40 + "1" + "}" * 40])
def test_a_card_nested_deep_is_none(tmp_path, deep):
    write_plain(tmp_path)
    (tmp_path / "cnn.json").write_text(f'{{"sha256": "{"0" * 64}", "config": {deep}}}')
    with pytest.raises(ModelFileError, match="nested more than 32 deep"):
        read_card(tmp_path / "cnn.h5")


@pytest.mark.training
def test_a_model_and_its_card_are_of_one_file_whatever_takes_its_place(tmp_path, monkeypatch):
    first, second = write_plain(tmp_path), model_bytes(weights=other_weights())
    write_model_file(tmp_path, first, CARD | {"name": "first"})

    def replaced(*arguments):
        write_model_file(tmp_path, second, CARD | {"name": "second"})
        return load(*arguments)

    load = modelfile._keras_load
    monkeypatch.setattr(modelfile, "_keras_load", replaced)
    assert load_with_card(tmp_path / "cnn.h5")[1]["name"] == "first"
    assert read_card(tmp_path / "cnn.h5")["name"] == "second"


def test_a_file_and_card_that_are_just_being_replaced_are_read_once_more(tmp_path, monkeypatch):
    first, second = write_plain(tmp_path), model_bytes(weights=other_weights())
    write_model_file(tmp_path, first, CARD | {"name": "first"})
    reads = []

    def read(path, most):
        content = kept(path, most)
        reads.append(path)
        if len(reads) == 1:  # between the file and its card
            monkeypatch.setattr(modelfile, "_read", kept)
            write_model_file(tmp_path, second, CARD | {"name": "second"})
        return content

    kept = modelfile._read
    monkeypatch.setattr(modelfile, "_read", read)
    assert read_card(tmp_path / "cnn.h5")["name"] == "second"
