"""The plant of PipeWire at a monitor that says what a test wants, without any server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from fakes import FakeClock
from monitor_lines import driver, line

from controller.config.config import Config
from controller.errors import PlantError
from controller.linux.scheduling import Permissions, ProcessId
from controller.plants.audio_server import plant as audio_server
from controller.plants.audio_server.period_knob import LONGEST_PERIOD
from controller.plants.audio_server.put_back import PutBack
from controller.plants.checks import CHECKS, check
from controller.plants.pipewire import quantum
from controller.plants.pipewire.plant import OWN_PERIODS, PipeWirePlant
from controller.plants.pipewire.pw_dump import Graph, Node
from controller.plants.plant import Surroundings
from controller.watchdog.restoration import LEFT_ALONE, Undo
from policies.knobs import Choice
from policies.observation import Missing, Value, fresh
from policies.proposal import Refusal

PERMISSIONS = Permissions(realtime=True, nice=True, priority_max=70, cpus=frozenset({0, 1}))


class FakeLink:
    """A monitor whose lines are put into `to_say`; `told` are its orders."""

    def __init__(self, module: str) -> None:
        self.pid: int | None = 1
        self.error = ("no server answers", "start one")
        self.to_say: list[dict[str, Any]] = [line()]
        self.told: list[str] = []
        self.takes_orders = True

    def wait(self, patience_s: float) -> list[dict[str, Any]]:
        return self.newest()

    def newest(self) -> list[dict[str, Any]]:
        said, self.to_say = self.to_say, []
        return said

    def tell(self, order: str) -> bool:
        self.told += [order] * self.takes_orders
        return self.takes_orders

    def close(self) -> None:
        self.pid = None


class FakeLease:
    """Notes which settings are held."""

    def __init__(self) -> None:
        self.held: dict[str, Undo] = {}
        self.put_back: list[str] = []
        self.stands = True
        self.starved = None

    def renew(self) -> bool:
        return self.stands

    def hold(self, *threads: object, wanted: object) -> None: ...

    def restore(self) -> None: ...

    def originals(self) -> dict[Any, Any]:
        return {}

    def hold_setting(self, name: str, undo: Undo) -> None:
        self.held[name] = undo

    def amend_setting(self, name: str, undo: Undo) -> None:
        self.held[name] = undo

    def forget_setting(self, name: str) -> None:
        self.held.pop(name, None)

    def put_setting_back(self, name: str) -> None:
        self.put_back.append(name)


class Attached:
    """The plant, its monitor, its lease, and the time that all of them see."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **first: object) -> None:
        self.now_ns = 0
        monkeypatch.setattr(audio_server.time, "monotonic_ns", lambda: self.now_ns)
        link = FakeLink("")
        link.to_say = [line(**first)]
        monkeypatch.setattr(audio_server, "MonitorLink", lambda module: link)
        self.link, self.lease, self.clock = link, FakeLease(), FakeClock()
        self.plant = PipeWirePlant(Surroundings(Config(), self.clock, self.lease, PERMISSIONS))  # type: ignore[arg-type]

    def undo(self) -> Undo:
        """The arguments of the command that puts the period back, but for what was played."""
        (undo,) = self.lease.held.values()
        return undo[undo.index(PipeWirePlant.monitor) + 1 : undo.index("--played")]

    def says(self, seconds: float, **told: object) -> None:
        self.now_ns = int(1e9 * seconds)
        self.link.to_say.append(line(time_ns=self.now_ns, **told))

    def obeys(self) -> None:
        """A second passes, in which the server does what it was told last."""
        self.clock.time_s += 1.0
        second = self.now_ns // 10**9 + 1
        forced = int(self.link.told[-1].removeprefix("period ")) if self.link.told else 0
        period = {"period_frames": forced or 64, "forced_frames": forced}
        self.says(second, cycles=750 * second, missed=second, latency_ms=[0.1, 1.2], **period)


@pytest.fixture
def attached(monkeypatch: pytest.MonkeyPatch) -> Iterator[Attached]:
    return Attached(monkeypatch)


@pytest.mark.parametrize("name", CHECKS)
def test_it_keeps_to_what_is_asked_of_every_plant(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Attached] = []

    def attach() -> PipeWirePlant:
        made.append(Attached(monkeypatch))
        return made[-1].plant

    check(name, attach, lambda _: made[-1].obeys())


def test_cycles_that_were_not_done_in_time_are_missed(attached: Attached) -> None:
    attached.says(1.0, cycles=750, missed=15, latency_ms=[0.1] * 99, lateness_ms=[0.02])
    attached.says(2.0, cycles=1500, missed=30, latency_ms=[1.3], busy_share=0.5)
    seen = attached.plant.observe()
    assert seen.blocks is not None
    assert (seen.blocks.submitted, seen.blocks.lost) == (1500, 30)
    assert seen.latency.max_ms == Value(1.3)
    assert seen.latency.p50_ms == Value(0.1)
    assert seen.stages["wait"].start_lateness.max_ms == Value(0.02)
    assert fresh(seen.get("audio.xruns_per_s")) == 15.0
    assert fresh(seen.get("audio.dsp_load")) == 0.5
    assert isinstance(seen.stages["compute"].service_time.p99_ms, Missing)


def test_times_are_those_of_one_interval(attached: Attached) -> None:
    attached.says(1.0, cycles=750, latency_ms=[0.9])
    attached.plant.observe()
    attached.says(2.0, cycles=1500, latency_ms=[0.1])
    assert attached.plant.observe().latency.max_ms == Value(0.1)


def test_a_tool_that_counts_from_the_start_again_shows_no_negative_cycles(
    attached: Attached,
) -> None:
    attached.says(1.0, cycles=750, missed=9)
    attached.plant.observe()
    attached.says(2.0, cycles=300, missed=1)
    blocks = attached.plant.observe().blocks
    assert blocks is not None
    assert (blocks.submitted, blocks.lost) == (300, 1)


def test_where_nothing_plays_nothing_stands_still(attached: Attached) -> None:
    for second in (3.0, 6.0, 9.0, 12.0):
        attached.says(second, rests="nothing plays")
        seen = attached.plant.observe()
        assert seen.events == ()
        assert seen.blocks is None
        assert seen.get("audio.dsp_load") == Missing("nothing plays")


def test_a_server_that_stands_still_is_an_event_and_so_is_its_recovery(attached: Attached) -> None:
    attached.says(1.0, cycles=750)
    attached.plant.observe()
    attached.says(6.0, cycles=750)
    seen = attached.plant.observe()
    gone = "pipewire: the server is gone or stands still: no cycle has begun"
    assert seen.events == (gone,)
    assert seen.load == Missing("no cycle has begun")
    assert seen.blocks is None
    assert "period_frames" not in attached.plant.in_force()
    assert attached.plant.apply("period_frames", 128) == Refusal(
        "period_frames", "no server answers", passing=True
    )
    attached.says(7.0, cycles=800)
    assert attached.plant.observe().events == ("pipewire: the server plays again",)


def test_why_the_monitor_ended_is_why_nothing_is_known(attached: Attached) -> None:
    attached.link.pid, attached.link.error = None, ("the server has ended", "start it again")
    assert attached.plant.observe().load == Missing("the server has ended")
    assert attached.plant.helpers() == ()


def test_a_monitor_that_is_started_again_is_no_sign_of_a_server(attached: Attached) -> None:
    attached.says(1.0, cycles=750)
    attached.plant.observe()
    attached.link.pid = None
    attached.plant.observe()
    attached.link.pid = 2
    assert attached.plant.observe().events == ()
    attached.says(2.0, cookie=8, cycles=10)
    assert attached.plant.observe().events == ("pipewire: the server plays again",)


def test_without_a_server_at_the_start_there_is_no_plant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeLink, "wait", lambda self, patience_s: [])
    with pytest.raises(PlantError, match="no server answers; start one"):
        Attached(monkeypatch)


def test_a_longer_quantum_is_forced_and_the_found_one_is_released(attached: Attached) -> None:
    plant = attached.plant
    domain = plant.knobs()["period_frames"].domain
    assert domain == Choice((64, 128, 256, 512, 1024, 2048, LONGEST_PERIOD))
    assert plant.apply("period_frames", 128) is None
    assert plant.restore("period_frames") is None
    assert attached.link.told == ["period 128", "period 0"]


def test_what_a_user_forced_before_is_put_back_and_never_released(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    attached = Attached(monkeypatch, forced_frames=64)
    attached.plant.apply("period_frames", 128)
    attached.plant.restore("period_frames")
    assert attached.link.told == ["period 128", "period 64"]
    assert attached.undo() == ("64", "--if", "128", "64", "--server", "7")
    attached.plant.close()
    assert attached.lease.put_back == ["the period of pipewire"]


def test_of_another_server_nothing_is_to_be_put_back(attached: Attached) -> None:
    attached.plant.apply("period_frames", 128)
    attached.says(1.0, cookie=8, forced_frames=256, period_frames=256)
    attached.plant.observe()
    assert attached.lease.held == {}
    assert "the server was started again" in attached.plant.knobs()["period_frames"].lapsed
    attached.plant.apply("period_frames", 512)
    assert attached.plant.knobs()["period_frames"].lapsed == ""
    attached.plant.restore("period_frames")
    assert attached.link.told[1:] == ["period 512", "period 256"]
    assert attached.undo() == ("256", "--if", "512", "256", "--server", "8")


def test_what_is_seen_in_force_is_all_that_is_put_back(attached: Attached) -> None:
    for second, forced in enumerate((128, 256), 1):
        attached.plant.apply("period_frames", forced)
        attached.says(second, forced_frames=forced, period_frames=forced)
        attached.plant.observe()
    assert attached.undo() == ("0", "--if", "256", "--server", "7")


def test_what_the_watchdog_put_back_may_be_turned_again(attached: Attached) -> None:
    attached.plant.apply("period_frames", 128)
    attached.lease.stands = False
    attached.says(1.0, forced_frames=128, period_frames=128)
    attached.plant.observe()
    attached.lease.stands = True
    assert attached.plant.knobs()["period_frames"].lapsed == ""
    attached.says(2.0, forced_frames=0)
    attached.plant.observe()
    assert "watchdog put it back" in attached.plant.knobs()["period_frames"].lapsed
    assert attached.lease.held == {}
    attached.plant.apply("period_frames", 128)
    assert attached.plant.knobs()["period_frames"].lapsed == ""


def test_what_another_hand_set_while_the_lease_ran_out_is_no_lapse(attached: Attached) -> None:
    attached.plant.apply("period_frames", 128)
    attached.lease.stands = False
    attached.says(1.0, forced_frames=256, period_frames=256)
    attached.plant.observe()
    assert attached.plant.knobs()["period_frames"].lapsed == ""


def test_what_another_hand_set_is_what_is_found_by_the_next_change(attached: Attached) -> None:
    attached.plant.apply("period_frames", 128)
    attached.says(1.0, forced_frames=1024, period_frames=1024)
    attached.plant.observe()
    assert attached.undo()[0] == "0"
    attached.plant.apply("period_frames", 2048)
    assert attached.undo() == ("1024", "--if", "128", "2048", "--server", "7")


@pytest.mark.parametrize(
    ("cookie", "forced", "put_back"), [(7, 128, True), (7, 256, False), (8, 128, False)]
)
def test_a_quantum_is_put_back_only_by_its_own_server_and_only_where_it_is_still_ours(
    monkeypatch: pytest.MonkeyPatch, cookie: int, forced: int, put_back: bool
) -> None:
    core = {"id": 0, "type": "PipeWire:Interface:Core", "info": {"cookie": cookie}}
    setting = {"key": "clock.force-quantum", "value": forced}
    settings = {
        "id": 1,
        "type": "PipeWire:Interface:Metadata",
        "props": {"metadata.name": "settings"},
        "metadata": [setting],
    }
    run: list[tuple[str, ...]] = []
    monkeypatch.setattr(quantum, "dump", lambda: json.dumps([core, settings]).encode())
    monkeypatch.setattr(quantum, "run", run.append)
    arguments = PutBack(64, (128,), "7").arguments()
    assert quantum.put_back(arguments) == (None if put_back else LEFT_ALONE)
    assert [command[-1] for command in run] == (["64"] if put_back else [])


def test_what_the_server_refused_is_an_event(attached: Attached) -> None:
    attached.link.to_say.append({"refused": "the server refused to force a quantum of 128: why"})
    (event,) = attached.plant.observe().events
    assert event == "pipewire: the server refused to force a quantum of 128: why"


def test_a_graph_at_rest_is_no_reference(monkeypatch: pytest.MonkeyPatch) -> None:
    attached = Attached(monkeypatch, rests="nothing plays", period_frames=1024)
    assert attached.plant.knobs()["period_frames"].domain == Choice((1024,))
    attached.says(1.0, period_frames=64, cycles=100)
    seen = attached.plant.observe()
    assert seen.deadline_ms == pytest.approx(64 / 48)
    domain = attached.plant.knobs()["period_frames"].domain
    assert domain == Choice((64, 128, 256, 512, 1024, 2048, LONGEST_PERIOD))


def test_at_rest_nothing_is_in_force_and_nothing_has_a_deadline(attached: Attached) -> None:
    attached.says(1.0, rests="nothing plays")
    seen = attached.plant.observe()
    assert (seen.no_deadline, seen.discontinuity) == ("nothing plays", "nothing plays")
    assert seen.miss_rate == Missing("nothing plays")
    assert dict(attached.plant.in_force()) == {}
    attached.says(2.0, cycles=10)
    resumed = attached.plant.observe()
    assert (resumed.no_deadline, resumed.blocks) == ("nothing plays", None)  # for a part of it
    assert resumed.discontinuity == "a deadline holds again"
    attached.says(3.0, cycles=760, missed=2)
    after = attached.plant.observe()
    assert (after.no_deadline, after.discontinuity) == ("", "")
    assert after.blocks is not None
    assert (after.blocks.submitted, after.blocks.lost) == (750, 2)


def test_a_period_that_somebody_else_changes_is_the_new_reference(attached: Attached) -> None:
    attached.says(1.0, cycles=750)
    attached.plant.observe()
    attached.says(2.0, cycles=800, missed=20, period_frames=1024)
    seen = attached.plant.observe()
    assert seen.discontinuity == "another driver, rate or period"
    assert seen.blocks is None
    assert seen.deadline_ms == attached.plant.deadline_ms == pytest.approx(1024 / 48)
    assert attached.plant.knobs()["period_frames"].domain == Choice((1024, 2048, LONGEST_PERIOD))


def test_a_period_of_ours_moves_no_deadline(attached: Attached) -> None:
    attached.plant.apply("period_frames", 128)
    attached.says(1.0, cycles=400, forced_frames=128, period_frames=128)
    seen = attached.plant.observe()
    assert (seen.discontinuity, seen.deadline_ms) == ("", pytest.approx(64 / 48))
    assert attached.plant.in_force()["period_frames"] == 128


def test_what_a_rate_makes_of_a_period_of_ours_is_no_other_hand(attached: Attached) -> None:
    attached.plant.apply("period_frames", 128)
    attached.says(1.0, cycles=400, forced_frames=128, period_frames=128)
    attached.plant.observe()
    attached.says(2.0, cycles=800, forced_frames=128, period_frames=64, sample_rate_hz=44_100)
    attached.plant.observe()
    assert attached.plant.in_force()["period_frames"] == 128


def test_cycles_of_a_stall_are_counted_once_it_is_over(attached: Attached) -> None:
    for second, cycles in ((1.0, 750), (2.0, 750)):
        attached.says(second, cycles=cycles, missed=0)
        seen = attached.plant.observe()
    assert seen.blocks is None
    assert seen.get("audio.dsp_load") == Missing("no cycle has begun")
    attached.says(3.0, cycles=1500, missed=400)
    blocks = attached.plant.observe().blocks
    assert blocks is not None
    assert (blocks.submitted, blocks.lost) == (750, 400)


def test_what_was_restored_already_is_not_asked_for_again(attached: Attached) -> None:
    assert attached.plant.restore("period_frames") is None
    assert attached.link.told == []


def test_a_monitor_that_was_started_again_says_nothing_of_a_server_yet(attached: Attached) -> None:
    attached.link.pid, attached.link.error = None, ("the server has ended", "start it again")
    assert attached.plant.observe().events == (
        "pipewire: the server is gone or stands still: the server has ended",
    )
    attached.link.pid = 2
    assert attached.plant.observe().events == ()
    attached.says(2.0, cycles=100)
    assert attached.plant.observe().events == ("pipewire: the server plays again",)


def test_threads_are_woken_by_their_own_drivers_and_those_of_the_server_by_all(
    attached: Attached,
) -> None:
    attached.says(
        1.0,
        server="100:5",
        clients=["200:6", "300:7", "400:8"],
        drivers=[driver(42, 64, 48_000, "200:6"), driver(47, 1024, 48_000, "200:6", "300:7")],
    )
    attached.plant.observe()
    assert attached.plant._rates() == {
        ProcessId(100, 5): (750.0, 46.875),
        ProcessId(200, 6): (750.0, 46.875),
        ProcessId(300, 7): (46.875,),
        ProcessId(400, 8): (),
    }
    assert attached.plant._threads_without_sound() == (100,)


def test_at_rest_the_processes_are_known_and_none_is_woken(attached: Attached) -> None:
    attached.says(1.0, rests="the server freewheels", server="100:5", clients=["200:6"])
    attached.plant.observe()
    assert attached.plant._rates() == {ProcessId(100, 5): (), ProcessId(200, 6): ()}


def test_a_quantum_that_a_program_has_locked_is_left_alone(attached: Attached) -> None:
    attached.says(1.0, locked_by="renderer")
    attached.plant.observe()
    assert attached.plant.knobs()["period_frames"].obstacle == "renderer has locked the quantum"
    refusal = attached.plant.apply("period_frames", 128)
    assert refusal == Refusal("period_frames", "renderer has locked the quantum", passing=True)
    assert attached.link.told == []
    attached.says(2.0)
    attached.plant.observe()
    assert len(attached.plant.knobs()["period_frames"].domain.values) > 1


def test_one_that_is_locked_after_we_forced_it_is_put_back(attached: Attached) -> None:
    attached.plant.apply("period_frames", 128)
    attached.says(1.0, forced_frames=128, period_frames=128)
    attached.says(1.1, forced_frames=128, period_frames=128, locked_by="renderer")
    events = attached.plant.observe().events
    assert attached.link.told == ["period 128", "period 0"]
    assert events == ("pipewire: the period was put back: renderer has locked the quantum",)


UNLIKE, ALIKE = [driver(42, 64), driver(47, 1024)], [driver(42, 64), driver(47, 64)]


@pytest.mark.parametrize(("drivers", "obstacle"), [(UNLIKE, OWN_PERIODS), (ALIKE, "")])
def test_the_period_of_one_device_is_not_forced_on_another(
    attached: Attached, drivers: list[dict[str, Any]], obstacle: str
) -> None:
    attached.says(1.0, drivers=drivers)
    attached.plant.observe()
    assert attached.plant.knobs()["period_frames"].obstacle == obstacle


@pytest.mark.parametrize(("before", "put_back"), [(UNLIKE[:1], True), (ALIKE, False)])
def test_it_is_put_back_where_a_device_begins_that_played_no_such_period(
    attached: Attached, before: list[dict[str, Any]], put_back: bool
) -> None:
    attached.says(1.0, drivers=before)
    attached.plant.observe()
    attached.plant.apply("period_frames", 128)
    both = [driver(42, 128), driver(47, 128)]
    attached.says(2.0, forced_frames=128, period_frames=128, drivers=both)
    attached.plant.observe()
    assert attached.link.told == ["period 128", *(["period 0"] if put_back else [])]


def test_no_period_is_chosen_that_the_server_gives_to_nobody(attached: Attached) -> None:
    attached.says(1.0, longest_frames=512)
    attached.plant.observe()
    assert attached.plant.knobs()["period_frames"].domain == Choice((64, 128, 256, 512))


def test_blocks_tell_of_what_time_they_speak(attached: Attached) -> None:
    start_s = attached.plant.observe().time_s
    attached.says(1.0, cycles=600, counted_until_ns=800_000_000)
    attached.says(2.0, cycles=600, counted_until_ns=800_000_000)
    seen = attached.plant.observe()
    assert seen.blocks is not None
    assert seen.counted_s == pytest.approx((start_s - 2.0, start_s - 1.2))


def test_what_plays_and_is_not_counted_yet_is_no_silence(attached: Attached) -> None:
    for second in (1.0, 3.0, 5.0, 7.0):
        attached.says(second, cycles=0, seen=int(second))
        seen = attached.plant.observe()
        assert (seen.events, seen.blocks) == ((), None)


@pytest.mark.parametrize(
    ("locked", "forced"), [(True, ["64", "0"]), (False, ["0"])], ids=["locked", "free"]
)
def test_what_was_played_is_forced_first_where_a_program_holds_what_is_forced(
    monkeypatch: pytest.MonkeyPatch, locked: bool, forced: list[str]
) -> None:
    run: list[tuple[str, ...]] = []
    monkeypatch.setattr(quantum, "run", run.append)
    graph = Graph()
    graph.nodes = {60: Node(60, "renderer", runs=True, locks=locked)}
    assert quantum.force(graph, 0, played=64) is None
    assert [command[-1] for command in run] == forced


def test_the_undo_says_what_was_played(attached: Attached) -> None:
    attached.plant.apply("period_frames", 128)
    (undo,) = attached.lease.held.values()
    assert undo[-2:] == ("--played", "64")


def test_what_was_put_back_is_as_it_was_found_and_renewed_again(attached: Attached) -> None:
    for second, forced, period in ((1.0, 128, 128), (2.0, 0, 64)):
        attached.plant.apply("period_frames", period)
        attached.says(second, cycles=1, forced_frames=forced, period_frames=period)
        attached.plant.observe()
    assert attached.lease.held == {}
    attached.says(3.0, cycles=400, period_frames=1024)
    seen = attached.plant.observe()
    assert seen.discontinuity == "another driver, rate or period"
    assert seen.deadline_ms == pytest.approx(1024 / 48)
    knob = attached.plant.knobs()["period_frames"]
    assert knob.domain == Choice((1024, 2048, LONGEST_PERIOD))
    assert knob.lapsed == "it had been put back, and somebody else has changed it since"
    assert attached.plant.in_force()["period_frames"] == 1024


def test_where_others_want_another_period_by_now_that_is_what_was_put_back(
    attached: Attached,
) -> None:
    attached.plant.apply("period_frames", 128)
    attached.says(1.0, cycles=1, forced_frames=128, period_frames=128)
    attached.plant.observe()
    attached.plant.restore("period_frames")
    attached.says(2.0, cycles=2, period_frames=32)
    attached.plant.observe()
    attached.says(7.1, cycles=3, period_frames=32)
    attached.plant.observe()
    attached.says(8.0, cycles=4, period_frames=32)
    assert attached.plant.observe().deadline_ms == pytest.approx(32 / 48)
    assert attached.lease.held == {}
    assert attached.plant.knobs()["period_frames"].lapsed


def test_a_period_that_no_monitor_would_put_back_is_put_back_by_the_next_and_told_once(
    attached: Attached,
) -> None:
    attached.plant.apply("period_frames", 128)
    attached.says(1.0, forced_frames=128, period_frames=128)
    attached.plant.observe()
    attached.link.takes_orders = False
    locked = {"forced_frames": 128, "period_frames": 128, "locked_by": "renderer"}
    for second in (1.1, 1.2):
        attached.says(second, **locked)
    why = "pipewire: the period could not be put back: the monitor of the server takes no orders"
    assert attached.plant.observe().events == (f"{why} now",)
    attached.link.takes_orders = True
    attached.says(1.3, **locked)
    assert "was put back" in attached.plant.observe().events[0]
    assert attached.link.told == ["period 128", "period 0"]


def test_an_order_that_nobody_took_leaves_nothing_to_be_put_back(attached: Attached) -> None:
    attached.link.takes_orders = False
    refusal = attached.plant.apply("period_frames", 128)
    assert refusal is not None
    assert refusal.reason == "the monitor of the server takes no orders now"
    assert attached.lease.held == {}


def test_a_period_whose_putting_back_came_to_nothing_is_put_back_again(attached: Attached) -> None:
    attached.plant.apply("period_frames", 128)
    for second in (1.0, 2.0, 6.0, 8.0):
        lock = "" if second == 1.0 else "renderer"
        attached.says(second, forced_frames=128, period_frames=128, locked_by=lock)
        attached.plant.observe()
    assert attached.link.told == ["period 128", "period 0", "period 0"]


def test_a_server_that_is_started_again_after_its_period_was_put_back_is_no_other_hand(
    attached: Attached,
) -> None:
    for second, forced, period in ((1.0, 128, 128), (2.0, 0, 64)):
        attached.plant.apply("period_frames", period)
        attached.says(second, cycles=1, forced_frames=forced, period_frames=period)
        attached.plant.observe()
    attached.says(3.0, cookie=8, cycles=1, period_frames=1024)
    attached.plant.observe()
    assert "the server was started again" in attached.plant.knobs()["period_frames"].lapsed


def test_a_server_that_ends_in_freewheel_is_not_said_to_freewheel_any_more(
    attached: Attached,
) -> None:
    attached.says(1.0, rests="the server freewheels")
    attached.plant.observe()
    attached.link.pid, attached.link.error = None, ("the server has ended", "start it again")
    seen = attached.plant.observe()
    assert seen.no_deadline == "the server has ended"
    assert dict(attached.plant.in_force()) == {}
