"""What no machine at hand has: queues of an hour, and workers that come as a test says."""

from __future__ import annotations

from dataclasses import dataclass, field

from controller.executors.cluster.membership.dask_farm import Worker
from controller.executors.cluster.membership.dask_settings import DaskSettings
from controller.executors.cluster.membership.node_lines import Told
from controller.executors.cluster.membership.reconciler import Reconciler
from controller.executors.cluster.membership.roster import Roster

SETTINGS = DaskSettings(nanny_grace_s=1.5, pending_patience_s=3600.0)


@dataclass
class ScriptedPlaces:
    """Workers by place, and the places that were asked for."""

    seen: dict[str, str] = field(default_factory=dict)
    asked: tuple[str, ...] = ()

    def workers(self) -> tuple[Worker, ...]:
        return tuple(Worker(address, place) for place, address in self.seen.items())

    def planned(self) -> frozenset[str]:
        return frozenset(self.asked)


def watched(wanted: int, **places: str) -> tuple[Roster, ScriptedPlaces, Reconciler]:
    roster, farm = Roster("n", lambda: 0.0), ScriptedPlaces(places, tuple(places))
    roster.want(wanted)
    reconciler = Reconciler(roster, farm, SETTINGS)
    reconciler.observe(0.0)
    return roster, farm, reconciler


def with_ready_nodes(wanted: int, **places: str) -> tuple[Roster, ScriptedPlaces, Reconciler]:
    roster, farm, reconciler = watched(wanted, **places)
    for node, _ in reconciler.matches():
        roster.starts(node, "studio", 1)
        roster.hears(node, Told(is_ready=True))
    return roster, farm, reconciler


def test_a_wanted_node_goes_beside_a_free_worker_once() -> None:
    _, _, reconciler = watched(2, a="tcp://1")
    assert reconciler.matches() == [("n-1", "tcp://1")]
    assert reconciler.matches() == []


def test_a_worker_that_is_gone_takes_its_node_along_and_keeps_its_place_for_a_while() -> None:
    roster, farm, reconciler = with_ready_nodes(1, a="tcp://1")
    farm.seen = {}
    reconciler.observe(10.0)
    assert [node.state.value for node in roster.nodes()] == ["lost", "wanted"]
    reconciler.observe(11.0)
    assert reconciler.to_retire(11.0) == ()
    assert reconciler.to_retire(12.0) == ("a",)


def test_a_worker_that_its_nanny_started_again_takes_the_next_node() -> None:
    _, farm, reconciler = with_ready_nodes(1, a="tcp://1")
    farm.seen = {"a": "tcp://2"}
    reconciler.observe(10.0)
    assert reconciler.matches() == [("n-2", "tcp://2")]
    assert reconciler.to_retire(12.0) == ()


def test_a_job_that_waits_in_the_queue_is_waited_for() -> None:
    _, farm, reconciler = watched(1)
    farm.asked = ("a",)
    reconciler.observe(0.0)
    reconciler.observe(3599.0)
    assert reconciler.to_retire(3599.0) == ()


def test_a_job_that_has_never_come_is_asked_for_anew_at_last() -> None:
    _, farm, reconciler = watched(1)
    farm.asked = ("a",)
    reconciler.observe(0.0)
    assert reconciler.to_retire(3601.0) == ("a",)


def test_a_draining_node_keeps_its_worker_until_it_is_released() -> None:
    roster, _, reconciler = with_ready_nodes(2, a="tcp://1", b="tcp://2")
    roster.want(1)
    assert (reconciler.needed(), reconciler.to_retire(0.0)) == (2, ())
    reconciler.leaves("n-2")
    roster.forget("n-2")
    assert (reconciler.needed(), reconciler.to_retire(0.0)) == (1, ("b",))


def test_of_too_many_places_that_without_a_worker_goes_first() -> None:
    roster, farm, reconciler = with_ready_nodes(1, b="tcp://2")
    farm.asked = ("a", "b", "c")
    roster.want(2)
    reconciler.observe(0.0)
    assert reconciler.to_retire(0.0) == ("a",)


def test_a_worker_that_does_not_answer_gets_no_other_node_and_is_replaced() -> None:
    roster, _, reconciler = watched(1, a="tcp://1")
    reconciler.matches()
    reconciler.silences("tcp://1")
    reconciler.leaves("n-1")
    roster.loses("n-1", "the worker does not answer")
    assert reconciler.matches() == []
    assert reconciler.to_retire(0.0) == ("a",)


def test_a_worker_is_free_again_where_its_node_was_dropped_before_it_had_started() -> None:
    roster, _, reconciler = watched(1, a="tcp://1")
    reconciler.matches()
    roster.want(0)
    assert roster.starts("n-1", "studio", 100) is False
    reconciler.observe(1.0)
    assert reconciler.to_retire(1.0) == ("a",)
    roster.want(1)
    assert reconciler.matches() == [("n-2", "tcp://1")]
