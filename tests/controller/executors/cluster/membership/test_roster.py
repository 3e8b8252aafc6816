from __future__ import annotations

from controller.executors.cluster.membership.membership import NodeState, count_states
from controller.executors.cluster.membership.node_lines import Told
from controller.executors.cluster.membership.roster import Roster
from policies.observation import Missing

READY = Told(is_ready=True, address="10.0.0.7:4000")


def states(roster: Roster) -> dict[str, str]:
    return {node.name: node.state.value for node in roster.nodes()}


def ready_roster(count: int) -> Roster:
    roster = Roster("n", lambda: 12.0)
    roster.want(count)
    for node in roster.nodes():
        roster.starts(node.name, "studio", 100)
        roster.hears(node.name, READY)
    roster.events()
    return roster


def test_nodes_that_are_wanted_are_asked_for_until_they_start() -> None:
    roster = Roster("n", lambda: 12.0)
    roster.want(2)
    assert states(roster) == {"n-1": "wanted", "n-2": "wanted"}


def test_a_node_tells_where_it_listens_when_it_is_ready() -> None:
    (node,) = ready_roster(1).nodes()
    assert (node.state, node.address, node.host, node.pid) == (
        NodeState.READY,
        "10.0.0.7:4000",
        "studio",
        100,
    )


def test_a_node_that_listens_nowhere_has_no_address() -> None:
    roster = Roster("n", lambda: 12.0)
    roster.want(1)
    roster.starts("n-1", "studio", 100)
    roster.hears("n-1", Told(is_ready=True))
    assert isinstance(roster.nodes()[0].address, Missing)


def test_what_a_starting_node_is_at_is_its_reason() -> None:
    roster = Roster("n", lambda: 12.0)
    roster.want(1)
    roster.starts("n-1", "studio", 100)
    roster.hears("n-1", Told(is_ready=False, reason="compiling kernels"))
    assert (roster.nodes()[0].state.value, roster.nodes()[0].reason) == (
        "starting",
        "compiling kernels",
    )


def test_the_newest_drain_first_where_fewer_are_wanted() -> None:
    roster = ready_roster(3)
    roster.want(1)
    assert states(roster) == {"n-1": "ready", "n-2": "draining", "n-3": "draining"}


def test_a_node_that_was_only_asked_for_is_dropped_where_fewer_are_wanted() -> None:
    roster = ready_roster(1)
    roster.want(2)
    roster.want(1)
    assert states(roster) == {"n-1": "ready"}


def test_a_lost_node_is_listed_until_another_is_ready_in_its_place() -> None:
    roster = ready_roster(1)
    roster.loses("n-1", "it was ended by SIGKILL")
    assert states(roster) == {"n-1": "lost", "n-2": "wanted"}
    roster.starts("n-2", "studio", 101)
    roster.hears("n-2", READY)
    assert states(roster) == {"n-2": "ready"}


def test_a_draining_node_that_ends_is_lost_and_not_replaced() -> None:
    roster = ready_roster(1)
    roster.want(0)
    roster.loses("n-1", "it was ended by SIGKILL")
    assert states(roster) == {"n-1": "lost"}


def test_a_lost_node_stays_lost_whatever_is_still_heard_of_it() -> None:
    roster = ready_roster(1)
    roster.loses("n-1", "its worker is gone")
    roster.hears("n-1", READY)
    roster.loses("n-1", "it ended with status 1")
    assert roster.nodes()[0].reason == "its worker is gone"


def test_events_tell_each_change_once() -> None:
    roster = ready_roster(1)
    roster.loses("n-1", "gone")
    assert [(each.name, each.state.value) for each in roster.events()] == [
        ("n-1", "lost"),
        ("n-2", "wanted"),
    ]
    assert roster.events() == ()


def test_states_are_counted_with_those_that_no_node_is_in() -> None:
    assert {
        state.value: count for state, count in count_states(ready_roster(2).nodes()).items()
    } == {
        "wanted": 0,
        "starting": 0,
        "ready": 2,
        "draining": 0,
        "lost": 0,
    }
