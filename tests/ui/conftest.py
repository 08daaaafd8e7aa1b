"""The faces on a real server, a browser that looks at them, and the command in this process."""

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from fakes.web import served

from assistant.desk import Desk
from assistant.settings import load
from eval import worlds
from ui import app, cli

CHROMIUM = Path("/usr/bin/chromium")
CHROMIUM_ARGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="session")
def faced(built_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The desk behind the faces; its record is a copy that tests may change."""
    home = worlds.copy_of(load(home=built_home), tmp_path_factory.mktemp("faced"))
    opened = Desk(load(home=home, today=worlds.DAY))
    opened.embed.warm()
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def faces(faced: Desk) -> Iterator[str]:
    """The address of the faces."""
    with served(app.build(faced)) as url:
        yield url


# Playwright keeps an event loop running in this thread: no longer than its own modules, or asyncio.run fails in others.
@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A Chromium; in CI it must be there."""
    if not CHROMIUM.is_file():
        if os.environ.get("CI"):
            pytest.fail(f"Chromium must be there in CI: {CHROMIUM}")
        pytest.skip(f"no Chromium at {CHROMIUM}")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=CHROMIUM_ARGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium: Any, faces: str) -> Iterator[Callable[..., Any]]:
    """A page signed in as a login; at the end, nothing was asked of any other host."""
    asked: list[str] = []
    contexts: list[Any] = []

    def open_page(login: str = "", path: str = "/", *, width: int = 1280) -> Any:
        context = chromium.new_context(base_url=faces, viewport={"width": width, "height": 860})
        contexts.append(context)
        context.set_default_timeout(30_000)
        page = context.new_page()
        page.on("request", lambda request: asked.append(request.url))
        if login:
            context.request.post("/login", form={"login": login, "password": worlds.PASSWORD}, max_redirects=0)
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    hosts = {urlsplit(url).hostname for url in asked if not url.startswith(("data:", "blob:"))}
    assert hosts <= {urlsplit(faces).hostname}


@dataclass(frozen=True)
class Ran:
    """What a command left: its exit code and all it printed."""

    code: int
    out: str


@pytest.fixture
def patron(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run `patron …` through its own entry point in this process."""

    def run(*words: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["patron", *map(str, words)])
        monkeypatch.setenv("COLUMNS", "200")
        capfd.readouterr()
        try:
            cli.main()
            code = 0
        except SystemExit as left:
            code = int(left.code or 0)
        said = capfd.readouterr()
        return Ran(code, said.out + said.err)

    return run
