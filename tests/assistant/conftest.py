"""A scripted endpoint, a desk that asks it, and the API on a real server."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fakes.openai_server import OpenAIServer, running
from fakes.web import served

from assistant import api
from assistant.desk import Desk
from assistant.settings import load
from eval import worlds
from members import accounts
from members.access import Caller, Role


@pytest.fixture(scope="session")
def _endpoint() -> Iterator[OpenAIServer]:
    with running() as server:
        yield server


@pytest.fixture
def endpoint(_endpoint: OpenAIServer) -> Iterator[OpenAIServer]:
    """An OpenAI-compatible endpoint without a script yet."""
    _endpoint.reset()
    yield _endpoint
    _endpoint.reset()


@pytest.fixture(scope="session")
def asking_home(built_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home of `asking`."""
    return worlds.copy_of(load(home=built_home), tmp_path_factory.mktemp("asking"))


@pytest.fixture(scope="session")
def _asking(asking_home: Path, _endpoint: OpenAIServer) -> Iterator[Desk]:
    opened = Desk(load(home=asking_home, today=worlds.DAY, model="fake-1", base_url=_endpoint.url, turn_seconds=30))
    yield opened
    opened.close()


@pytest.fixture
def asking(_asking: Desk, endpoint: OpenAIServer) -> Desk:
    """A desk whose chat model is the scripted endpoint; its record is a copy that tests may change."""
    return _asking


@pytest.fixture
def mei(asking: Desk) -> Caller:
    """Member M-10001 at the asking desk."""
    return asking.caller_named("lina")


@pytest.fixture
def turn(say: Callable[..., list[Any]]) -> Callable[..., Any]:
    """Say something and get the turn's events by kind: `turn(...).of("answer")`."""

    def run(desk: Desk, caller: Caller, text: str, thread: str | None = None) -> "Events":
        return Events(say(desk, caller, text, thread))

    return run


class Events(list[Any]):
    """A turn's events."""

    def of(self, kind: str) -> list[Any]:
        """Those of one kind."""
        return [event for event in self if event.kind == kind]

    @property
    def text(self) -> str:
        """What was said in the end."""
        return str(self[-1].text)

    @property
    def thread(self) -> str:
        """Where it was said."""
        return str(self.of("answer")[-1].thread_id)


# --- the API on a real server -----------------------------------------------------------


@pytest.fixture(scope="session")
def served_desk(built_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The desk behind `site`; its record is a copy that tests may change."""
    home = worlds.copy_of(load(home=built_home), tmp_path_factory.mktemp("served"))
    opened = Desk(load(home=home, today=worlds.DAY))
    with opened.database.effect() as session:
        for login in ("locked", "locked2"):
            accounts.create(session, login, worlds.PASSWORD, Role.SUPPORT)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def site(served_desk: Desk) -> Iterator[str]:
    """The address of the API."""
    with served(api.build(served_desk)) as url:
        yield url


@pytest.fixture(scope="session")
def client(site: str) -> Iterator[Callable[..., httpx.Client]]:
    """A client signed in as a login; of nobody when none is given."""
    opened: dict[str, httpx.Client] = {}

    def of(login: str = "") -> httpx.Client:
        if login not in opened:
            opened[login] = httpx.Client(base_url=site, timeout=60)
            if login:
                given = opened[login].post("/api/v1/token", json={"login": login, "password": worlds.PASSWORD})
                opened[login].headers["Authorization"] = f"Bearer {given.json()['token']}"
        return opened[login]

    yield of
    for one in opened.values():
        one.close()
