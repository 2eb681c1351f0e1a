"""Tasks on several processes: all done, here too, and ended in order when one fails."""

import os
import signal
import threading
from multiprocessing import parent_process

import pytest

from store.errors import WorkerDiedError
from store.executor import Executor

WORKERS = 3


def double(task):
    return 2 * task, os.getpid()


def test_each_task_is_done_once_and_told_with_its_position():
    with Executor(WORKERS) as executor:
        done = {position: value for position, (value, _) in executor.run(double, range(40))}
    assert done == {position: 2 * position for position in range(40)}


def test_this_process_works_too_and_waits_for_nobody():
    with Executor(WORKERS) as executor:
        pids = [pid for _, (_, pid) in executor.run(double, range(40))]
    assert os.getpid() in pids
    assert len(set(pids)) <= WORKERS


def test_what_a_task_keeps_for_the_next_is_kept_from_run_to_run():
    with Executor(WORKERS) as executor:
        threads = {
            thread for _ in range(2) for _, thread in executor.run(thread_of_this, range(20))
        } - {None}
    assert len(threads) == 1


def thread_of_this(task):
    return None if parent_process() else threading.get_ident()


def test_a_task_that_fails_here_or_elsewhere_ends_the_run():
    with Executor(WORKERS) as executor:
        with pytest.raises(ZeroDivisionError):
            list(executor.run(reciprocal, [1, 2, 0, 3, 4, 5]))
        assert dict(executor.run(reciprocal, [1, 2])) == {0: 1, 1: 0.5}


def reciprocal(task):
    return 1 / task


def test_a_run_that_is_left_leaves_no_task_running_here(tmp_path):
    with Executor(2) as executor:
        for _ in executor.run(begin_and_end, [tmp_path] * 2):
            # The other's task is done, and this process is amid its own.
            assert not (tmp_path / "ended").exists()
            (tmp_path / "told").touch()
            break
        assert (tmp_path / "ended").exists()


def begin_and_end(folder):
    if parent_process() is None:
        while not (folder / "told").exists():
            pass
        sum(range(10_000_000))
        (folder / "ended").touch()


def test_a_worker_that_is_killed_is_told_in_words():
    with Executor(2) as executor, pytest.raises(WorkerDiedError):
        list(executor.run(die_elsewhere, range(6)))


def die_elsewhere(task):
    if parent_process() is not None:
        os.kill(os.getpid(), signal.SIGKILL)
