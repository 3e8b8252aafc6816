"""An alarm that wakes the executor."""

import select

from controller.executors.shards.alarm import Alarm


def is_heard(alarm: Alarm) -> bool:
    return bool(select.select(alarm.descriptors(), [], [], 0.0)[0])


def test_an_alarm_is_heard_until_it_is_cleared() -> None:
    alarm = Alarm()
    alarm.clear()
    assert not is_heard(alarm)
    alarm.raise_()
    alarm.raise_()
    assert is_heard(alarm)
    alarm.clear()
    assert not is_heard(alarm)
    alarm.close()


def test_a_closed_alarm_is_silent() -> None:
    alarm = Alarm()
    alarm.close()
    alarm.raise_()
    alarm.clear()
    alarm.close()
    assert alarm.descriptors() == ()
