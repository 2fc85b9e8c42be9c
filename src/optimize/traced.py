"""Which networks each worker has traced, as far as can be told from the trials that it was given."""

from __future__ import annotations

from main.config import TrainingConfig
from main.tracing import CACHED_NETWORKS, graph_key
from optimize.engine import Slot


class Traced:
    """Follows, for every worker, which networks it keeps: those used last, as `main.network` has it."""

    def __init__(self) -> None:
        self._networks: dict[int, tuple[Slot, list[str]]] = {}

    def given(self, slot: Slot, training: TrainingConfig) -> None:
        """The worker in `slot` is given a trial."""
        network = graph_key(training)
        others = [other for other in self.held(slot) if other != network]
        self._networks[slot.number] = slot, [network, *others][:CACHED_NETWORKS]

    def held(self, slot: Slot) -> list[str]:
        """The networks that the worker in `slot` has traced, by `graph_key`, the one used last first."""
        worker, networks = self._networks.get(slot.number, (slot, []))
        return networks if worker == slot else []  # the successor of a lost worker has as a rule another address

    def elsewhere(self, slot: Slot) -> set[str]:
        """The networks that workers in other slots have traced."""
        others = (networks for number, (_, networks) in self._networks.items() if number != slot.number)
        return {network for networks in others for network in networks}
