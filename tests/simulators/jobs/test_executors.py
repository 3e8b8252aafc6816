"""What plays jobs, each held to the same contract."""

from __future__ import annotations

import pytest
from counting_jobs import Doubling, Lasting, Leaving, Masked, Raising, Taken

from controller.errors import JobError
from simulators.jobs.inline import Inline
from simulators.jobs.job import Ended
from simulators.jobs.processes import Processes


@pytest.mark.parametrize("executor", [Inline(), Processes(2)])
def test_every_job_is_taken_once_under_its_number_and_progress_ends_at_one(executor):
    taken = Taken().of(executor, *map(Doubling, range(3)))
    assert taken == {0: 0, 1: 2, 2: 4}
    assert taken.told[-1] == 1.0
    assert taken.told == sorted(taken.told)
    assert Taken().of(executor) == {}


def test_progress_within_a_job_is_told_where_it_is_played_here():
    assert Taken().of(Inline(), Doubling(1), Doubling(2)).told == [0.25, 0.5, 0.75, 1.0]


def test_a_job_that_ends_its_process_is_told_apart_and_the_rest_is_played():
    assert Taken().of(Processes(1), Doubling(1), Leaving(), Doubling(2)) == {0: 2, 1: Ended(), 2: 4}


def test_a_job_that_raises_ends_it_all_in_its_own_words():
    with pytest.raises(JobError, match=r"raised LookupError\('nothing there'\)"):
        Taken().of(Processes(1), Raising(), Doubling(1))


def test_a_player_hears_no_ctrl_c_and_has_one_thread_and_no_stdout_of_ours():
    assert Taken().of(Processes(1), Masked()) == {0: (True, "1", True)}


def test_what_is_raised_while_jobs_are_played_leaves_none_at_work(tmp_path):
    def interrupt(number, outcome):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Processes(2).play((Lasting(tmp_path), Doubling(1)), interrupt, lambda _: None)
