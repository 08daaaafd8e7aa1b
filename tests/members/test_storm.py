"""Is the book right when many redeem at once, and when the process is killed in the middle?"""

import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from typing import Any

from sqlmodel import func, select

from members.database import Database
from members.errors import RuleBroken
from members.tables import PointsEntry

ON = date(2025, 6, 2)
KILLS = 20
# Forks, for each line it is given, a process that redeems without end and writes down each key only after the book has it.
_NURSERY = """
import os, sys
from datetime import date
from members import ledger, program
from members.database import Database

def redeem_for_ever(url, acknowledged, run):
    database, rules, number = Database(url), program.load(), 0
    with open(acknowledged, "a") as done:
        while True:
            number += 1
            key = f"{run}-{number}"
            with database.effect() as session:
                ledger.redeem(session, "M1", 100, on=date(2025, 6, 2), key=key, rules=rules)
            done.write(key + "\\n")
            done.flush()
            os.fsync(done.fileno())

for line in sys.stdin:
    pid = os.fork()
    if pid == 0:
        try:
            redeem_for_ever(*sys.argv[1:], line.strip())
        finally:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


def _used(database: Database) -> dict[str, int]:
    """Points each act took, by its key."""
    act = func.replace(PointsEntry.key, "#0", "")
    with database.read() as session:
        rows = session.exec(select(act, func.sum(-PointsEntry.points)).where(PointsEntry.kind == "redeem").group_by(act)).all()
    return dict(rows)


def test_sixty_four_at_once_get_exactly_what_is_there(either: Database, world_of: Any) -> None:
    world = world_of(either)
    world.member()
    world.earn("M1", 10_000, ON)

    def use(number: int) -> int:
        done = 0
        for turn in range(4):
            # Each key is sent twice, as by somebody who is not sure that it arrived.
            for _ in range(2):
                try:
                    done += world.redeem("M1", 100, ON, key=f"{number}-{turn}")
                except RuleBroken:
                    break
        return done

    with ThreadPoolExecutor(64) as pool:
        done = sum(pool.map(use, range(64)))
    used = _used(either)
    assert done == len(used) == 100 and set(used.values()) == {100}
    assert world.guard("M1") == world.balance("M1", ON) == 0


def test_twenty_kills_lose_nothing_that_was_acknowledged_and_double_nothing(either: Database, world_of: Any, tmp_path: Path) -> None:
    world, chance = world_of(either), random.Random(20)
    world.member()
    world.earn("M1", 1_000_000, ON)
    acknowledged = tmp_path / "acknowledged"
    acknowledged.touch()
    url = either.engine.url.render_as_string(hide_password=False)
    either.close()

    command = [sys.executable, "-c", _NURSERY, url, str(acknowledged)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as nursery:
        assert nursery.stdin and nursery.stdout
        for run in range(KILLS):
            seen = acknowledged.stat().st_size
            nursery.stdin.write(f"{run}\n")
            child = int(nursery.stdout.readline())
            deadline = time.monotonic() + 30
            while acknowledged.stat().st_size == seen and time.monotonic() < deadline:
                time.sleep(0.002)
            time.sleep(chance.uniform(0, 0.12))
            os.kill(child, signal.SIGKILL)
            assert int(nursery.stdout.readline()) == -signal.SIGKILL
        nursery.stdin.close()
    # A server may still be ending the last one's transaction.
    time.sleep(0.2)
    keys = acknowledged.read_text().split()
    used = _used(either)
    assert len(keys) >= KILLS and len(set(keys)) == len(keys)
    assert set(keys) <= set(used) and set(used.values()) == {100}
    # At most one act a run was done and not yet written down when it was killed.
    assert len(used) - len(keys) <= KILLS
    assert world.guard("M1") == world.balance("M1", ON) == 1_000_000 - 100 * len(used)
