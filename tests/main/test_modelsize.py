import pytest

from main.modelsize import refuse_too_large
from models import ImpossibleNetwork, LayerSize


@pytest.mark.parametrize(
    ("too_large", "words"),
    [
        (LayerSize("dense", (10,), parameters=133_169_153), "has 133,169,153 weights"),
        (LayerSize("conv", (8192, 8193, 1)), "makes 67,117,056 values of an image in layer conv"),
    ],
)
def test_what_no_model_file_could_hold_is_refused_by_its_size(too_large: LayerSize, words: str) -> None:
    fits = (LayerSize("image", (8192, 8192, 1)), LayerSize("dense", (10,), parameters=133_169_152))
    assert refuse_too_large(fits) == fits
    with pytest.raises(ImpossibleNetwork, match=words):
        refuse_too_large((LayerSize("image", (28, 28, 1)), too_large))
