"""The live page as a browser shows it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from browser import Browser, find_browser
from fakes import Rig, Scripted, action
from gpu_readings import GPU
from served import RUN

from controller.instruments.dashboard.process import Dashboard
from controller.tick import ForecastSummary, Tick
from policies.diagnosis import Bottleneck, Diagnosis, Evidence
from policies.knobs import Bounds, Knob
from policies.observation import Missing
from policies.proposal import Hold

pytestmark = pytest.mark.live

REASON = "other threads run first: " + "/a/path/without/an/end" * 20
MANY = {f"remote_service_concurrency_{n}": n for n in range(12)}
CHARTS = {"chart-missed": "bad", "chart-latency": "second", "chart-load": "third"}
COLOURED = """((id, name) => {
  const probe = document.body.appendChild(document.createElement("i"));
  probe.style.color = `var(--${name})`;
  const [r, g, b] = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
  probe.remove();
  const canvas = document.querySelector(`#${id} canvas`);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  let found = 0;
  for (let at = 0; at < data.length; at += 4) {
    found += Math.abs(data[at] - r) + Math.abs(data[at + 1] - g) + Math.abs(data[at + 2] - b) < 9
      && data[at + 3] > 200;
  }
  return found;
})"""
TEXT = "document.body.innerText"


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    path = find_browser()
    if path is None:
        pytest.skip("no Chromium is installed")
    with Browser(path) as started:
        yield started


@pytest.fixture
def browser(opened: Browser) -> Browser:
    opened.open("about:blank")
    opened.said.clear()
    opened.look(1600)
    return opened


@pytest.fixture
def dashboard() -> Iterator[Dashboard]:
    with closing(Dashboard(0)) as started:
        started.begin(RUN)
        yield started


def troubled() -> list[Tick]:
    """Half a minute of blocks that are missed, with one decision, many knobs and long words."""
    change = replace(action("nodes", 2, changed=0.05), reason=REASON)
    rig = Rig(Scripted(change))
    rig.plant.miss_share = lambda values, _: 0.05
    rig.plant.found |= MANY
    rig.plant.values |= MANY
    rig.plant.knobs_here |= {each: Knob(each, Bounds(0, 99), each) for each in MANY}
    ticks = rig.ticks(30)
    evidence = (Evidence("blocks that waited", 0.3, "of blocks", 0.02),)
    told = {
        "forecast": ForecastSummary("ensemble", False, 60.0, 12.0, 15.0, 20.0),
        "diagnosis": Diagnosis(Bottleneck.PREEMPTION, REASON, evidence, helpful_knobs=("nodes",)),
        "holds": (Hold("batch_size", "no block was counted", 1000.0, alarm=True),),
        "alarms": (f"the disk is full: {REASON}",),
        "unavailable": {"thread_classes": "paused until 09:00"},
    }
    return [replace(each, **told) for each in ticks]


def show(dashboard: Dashboard, ticks: list[Tick], browser: Browser) -> None:
    for tick in ticks:
        dashboard(tick)
    browser.open(dashboard.url)
    browser.wait_for(f"{TEXT}.includes('number {ticks[-1].number},')")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [400, 1600])
def test_all_is_shown_in_either_colours_at_either_width(
    browser: Browser, dashboard: Dashboard, width: int, dark: bool
) -> None:
    browser.look(width, dark=dark)
    show(dashboard, troubled(), browser)
    for chart, name in CHARTS.items():
        assert browser.wait_for(f"{COLOURED}('{chart}', '{name}')") > 50
    text = browser.ask(TEXT).lower()
    for told in (REASON, "5 % missed", "preemption", "no block was counted", "1 → 2"):
        assert told.lower() in text
    for told in ("paused until 09:00", "30 times since", "confirmed", *MANY):
        assert told.replace("_", " ") in text
    assert browser.ask("document.documentElement.scrollWidth") <= width
    background = browser.ask("getComputedStyle(document.body).backgroundColor")
    assert background == ("rgb(14, 18, 21)" if dark else "rgb(243, 245, 246)")
    assert browser.said == []


def test_each_tick_is_drawn_as_it_comes(browser: Browser, dashboard: Dashboard) -> None:
    first, *others = troubled()
    show(dashboard, [first], browser)
    for tick in others:
        dashboard(tick)
    browser.wait_for(f"{TEXT}.includes('number 30,')")
    assert browser.ask("document.title").startswith("5 % missed")
    assert browser.said == []


def test_of_a_plant_that_says_nothing_it_is_told_why(
    browser: Browser, dashboard: Dashboard
) -> None:
    rig = Rig(Scripted())
    rig.plant.load = Missing("programs tell no load")
    rig.plant.latency_p99_ms = Missing("nothing was measured")
    rig.plant.has_blocks = False
    ticks = [replace(tick, forecast=None) for tick in rig.ticks(3)]
    show(dashboard, ticks, browser)
    text = browser.ask(TEXT)
    assert "Not known" in text
    assert "None seen" in text
    assert "no forecast" in text
    empty = "[...document.querySelectorAll('[data-empty]')].map(({ dataset }) => dataset.empty)"
    assert browser.ask(empty) == [
        "the plant reported no blocks",
        "nothing was measured",
        "programs tell no load",
    ]
    assert browser.said == []


def test_a_gpu_is_shown_where_the_plant_tells_of_one(
    browser: Browser, dashboard: Dashboard
) -> None:
    (tick,) = Rig(Scripted()).ticks(1)
    show(dashboard, [tick], browser)
    assert browser.ask("document.getElementById('gpu-card').hidden")
    dashboard(replace(tick, number=2, observation=replace(tick.observation, readings=GPU)))
    browser.wait_for(f"{TEXT}.includes('number 2,')")
    text = browser.ask("document.getElementById('gpu-card').innerText").replace("\n", " ")
    for told in ("2.5 GiB of 4 GiB used", "audio 1 GiB", "compute, p99 0.21 ms", "NVML: Not Supp"):
        assert told in text
    for told in ("streams on the CPU 12", "clock 1410 MHz", "61 was read 4 s ago", "lowers its"):
        assert told in text
    bar = browser.ask("document.querySelector('.arena .audio').getBoundingClientRect().width")
    whole = browser.ask("document.querySelector('.arena').getBoundingClientRect().width")
    assert bar / whole == pytest.approx(0.25, abs=0.01)
    assert "gpu compute" not in browser.ask("document.getElementById('readings').innerText")
    assert browser.said == []


def test_in_shadow_what_is_decided_again_is_shown_once(
    browser: Browser, dashboard: Dashboard
) -> None:
    rig, ticks = Rig(Scripted(), shadow=True), []
    for wants in 5 * ((action("nodes", 2),), ()):
        rig.policy.wants = wants
        ticks += rig.ticks(1)
    decided = sum(len(tick.changes) for tick in ticks)
    show(dashboard, ticks, browser)
    text = browser.ask(TEXT)
    assert decided > 1
    assert f"{decided} times since" in text
    assert "In shadow: nothing is applied" in text
    assert "Would turn nodes" in text
    assert browser.ask("document.querySelectorAll('#decisions li').length") == 1


def test_where_only_some_knobs_are_turned_they_are_named(browser: Browser) -> None:
    with closing(Dashboard(0)) as dashboard:
        dashboard.begin(RUN | {"acting": ["thread_classes"]})
        show(dashboard, Rig(Scripted()).ticks(1), browser)
        assert (
            browser.ask("document.getElementById('mode').innerText") == "Acting on thread classes"
        )


def test_old_figures_do_not_pass_for_new_ones(browser: Browser) -> None:
    with closing(Dashboard(0)) as dashboard:
        dashboard.begin(RUN | {"interval_s": 0.1})
        show(dashboard, Rig(Scripted()).ticks(1), browser)
        assert browser.ask("document.getElementById('link').innerText") == "Live"
        browser.wait_for(f"{TEXT}.includes('the figures below are old')")
        assert browser.ask("document.getElementById('link').innerText") == "Silent"


def test_the_end_of_the_run_is_told(browser: Browser, dashboard: Dashboard) -> None:
    show(dashboard, Rig(Scripted()).ticks(1), browser)
    dashboard.close()
    assert browser.wait_for(f"{TEXT}.includes('The run has ended')")


def test_the_next_run_on_the_port_appears_by_itself(browser: Browser, dashboard: Dashboard) -> None:
    show(dashboard, Rig(Scripted()).ticks(1), browser)
    dashboard.close()
    with closing(Dashboard(dashboard.port)) as another:
        another.begin(RUN | {"policy": "conductor"})
        another(Rig(Scripted()).tick())
        assert browser.wait_for(f"{TEXT}.includes('policy conductor')")


def test_colours_can_be_chosen_and_stay_chosen(browser: Browser, dashboard: Dashboard) -> None:
    show(dashboard, Rig(Scripted()).ticks(1), browser)
    background = "getComputedStyle(document.body).backgroundColor"
    for theme, colour in (("Light", "rgb(243, 245, 246)"), ("Dark", "rgb(14, 18, 21)")):
        browser.ask("document.getElementById('theme').click()")
        assert browser.ask("document.getElementById('theme').innerText") == theme
        assert browser.ask(background) == colour
    browser.open(dashboard.url)
    assert browser.ask(background) == "rgb(14, 18, 21)"


def test_what_a_plant_says_is_never_read_as_markup(browser: Browser, dashboard: Dashboard) -> None:
    (tick,) = Rig(Scripted()).ticks(1)
    markup = "<img src=x onerror=alert(1)>"
    show(dashboard, [replace(tick, alarms=(markup,), unavailable={markup: markup})], browser)
    assert markup in browser.ask(TEXT)
    assert browser.said == []


def test_a_script_from_elsewhere_would_be_refused_and_noticed(
    browser: Browser, dashboard: Dashboard
) -> None:
    show(dashboard, Rig(Scripted()).ticks(1), browser)
    browser.ask(
        "document.body.append(Object.assign(document.createElement('script'), {text: '1'}))"
    )
    give_up_s = time.monotonic() + 10.0
    while not browser.said and time.monotonic() < give_up_s:
        browser.ask("1")
    assert any("Content Security Policy" in each for each in browser.said)
