"""On which shop is it measured?

A demo shop of fixed seed and day in a folder of its own, built once and reused,
with a login for each role.
"""

import shutil
import tempfile
from datetime import date
from pathlib import Path

from analytics import synthetic
from assistant.desk import Desk
from assistant.settings import Settings, load
from members import accounts
from members.access import Role

DAY = date(2026, 11, 22)
LOGINS = (
    ("lina", Role.MEMBER, "M-10001"),
    ("chenmo", Role.MEMBER, "M-10002"),
    ("support", Role.SUPPORT, None),
    ("marketer", Role.MARKETER, None),
    ("admin", Role.ADMIN, None),
)
PASSWORD = "only for measuring"


def demo_desk(home: Path | None = None, *, members: int = synthetic.MEMBERS, **settings: object) -> Desk:
    """A desk on the demo shop; `home` is filled if it is empty, a temporary folder when left out."""
    home = home or Path(tempfile.mkdtemp(prefix="patron-eval-"))
    fresh = not (home / "patron.db").exists()
    desk = Desk(load(home=home, today=DAY, **settings))
    if fresh:
        fill(desk, home, members=members)
    return desk


def fill(desk: Desk, home: Path, *, members: int = synthetic.MEMBERS) -> None:
    """Build, index and train the demo shop of a desk."""
    truth = synthetic.build(desk.database, desk.rules, today=DAY, lake_folder=home / "lake", members=members)
    synthetic.save_truth(truth, home / "demo_truth.json")
    (home / "shop.toml").write_text(f'name = "Harbour & Pine"\ntoday = {DAY.isoformat()}\n', encoding="utf-8")
    with desk.database.effect() as session:
        for login, role, member_id in LOGINS:
            accounts.create(session, login, PASSWORD, role, member_id=member_id)
    desk.reindex()
    # What the models are worth is measured elsewhere (`python -m eval models`).
    desk.train(measure=False)


def copy_of(settings: Settings, to: Path) -> Path:
    """A copy of a built home, for a run that changes things."""
    shutil.copytree(settings.home, to, dirs_exist_ok=True, ignore=shutil.ignore_patterns("owner.lock", "server.json"))
    return to
