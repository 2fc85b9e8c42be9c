"""What is said and done while trials run."""

from dataclasses import dataclass
from typing import Any

from optimize.engine import Slot
from optimize.watch import Desertion


@dataclass
class Workers:
    """An engine of which only the workers count."""

    there: tuple[Slot, ...] = ()

    def slots(self) -> tuple[Slot, ...]:
        return self.there


def test_that_no_worker_is_there_is_said_once_and_again_where_they_came_and_went() -> None:
    said: list[str] = []
    workers: Any = Workers()
    desertion = Desertion("tcp://scheduler:8786", said.append)
    desertion.after(20, workers)
    assert said == []
    for _ in range(3):
        desertion.after(20, workers)
    assert said == ["no worker is there yet; waiting for one at tcp://scheduler:8786"]
    workers.there = (Slot(0, "first"),)
    desertion.after(20, workers)
    workers.there = ()
    desertion.after(20, workers)
    assert len(said) == 1
    desertion.after(20, workers)
    assert len(said) == 2


def test_on_this_machine_it_names_no_scheduler() -> None:
    said: list[str] = []
    workers: Any = Workers()
    Desertion(None, said.append).after(31, workers)
    assert said == ["no worker is there yet; waiting for one"]
