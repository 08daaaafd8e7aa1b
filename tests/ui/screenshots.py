"""Write the README's pictures: `python tests/ui/screenshots.py [FOLDER [HOME]]`, by default docs/images of a shop built for it."""

import sys
import tempfile
from pathlib import Path
from typing import Any

from looking import ask, expect, find
from playwright.sync_api import Browser, Page, sync_playwright

from eval import worlds
from ui import app

CHROMIUM = "/usr/bin/chromium"
ARGS = "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync".split()
SIZE: Any = {"width": 1280, "height": 1180}
# The studio is one long page of steps, the lab has plots below its table.
TALL: Any = {"width": 1280, "height": 1900}


def member(page: Page) -> None:
    """Tea to choose from, and an order about to be cancelled."""
    ask(page, "show me some tea")
    expect(page.locator("#goods .one").first).to_be_visible()
    ask(page, "cancel my order that has not shipped yet")
    expect(page.locator("#approval").first).to_be_visible()


def support(page: Page) -> None:
    """A member with plots, and the chat beside her."""
    find(page, "M-10001")
    expect(page.locator(".js-plotly-plot").first).to_be_visible()
    ask(page, "How is M-10001 doing?")


def insight(page: Page) -> None:
    """The shop in figures."""
    page.get_by_role("tab", name="Insight").click()
    expect(page.locator("#insight-cohorts .js-plotly-plot")).to_be_visible()


def marketer(page: Page) -> None:
    """A sentence become an audience, and three wordings for it."""
    page.fill("#sentence textarea, #sentence input", "silver or gold members who haven't bought for 30 days")
    page.locator("#understand").click()
    expect(page.locator("#tiers")).to_contain_text("Silver")
    page.fill("#product textarea, #product input", "tea")
    page.fill("#percent input", "10")
    page.locator("#write").click()
    expect(page.locator("#copies .phone")).to_have_count(3)
    page.locator("#estimate").click()
    expect(page.locator("#outlook .card")).to_be_visible()
    ask(page, "How did Back to school do?")


def lab(page: Page) -> None:
    """Other rules played for a year."""
    page.get_by_role("tab", name="Policy lab").click()
    page.fill("#lab-sentence textarea, #lab-sentence input", "what if gold starts at 1,500 and points expire after 18 months")
    page.locator("#lab-sentence textarea, #lab-sentence input").press("Enter")
    expect(page.locator("#lab-moves .js-plotly-plot")).to_be_visible()


def picture(browser: Browser, url: str, login: str, path: str, play: Any, to: Path) -> None:
    """Play a scene on a page and write what it looks like."""
    context = browser.new_context(base_url=url, viewport=TALL if play in (marketer, lab) else SIZE)
    context.set_default_timeout(60_000)
    context.request.post("/login", form={"login": login, "password": worlds.PASSWORD}, max_redirects=0)
    page = context.new_page()
    page.goto(path)
    expect(page.locator("#send")).to_be_visible()
    page.wait_for_timeout(800)
    play(page)
    page.wait_for_timeout(1_200)
    page.mouse.wheel(0, -5_000)
    page.wait_for_timeout(300)
    page.screenshot(path=to)
    context.close()
    print(to)


def main(folder: Path, home: Path | None = None) -> None:
    """Build a demo shop and picture its pages."""
    sys.path.append(str(Path(__file__).resolve().parents[1]))
    from fakes.web import served

    folder.mkdir(parents=True, exist_ok=True)
    expect.set_options(timeout=60_000)
    desk = worlds.demo_desk(home or Path(tempfile.mkdtemp(prefix="patron-pictures-")))
    try:
        with served(app.build(desk)) as url, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGS)
            scenes = (("lina", "/member", member), ("support", "/support", support), ("support", "/support", insight))
            for login, path, play in (*scenes, ("marketer", "/marketer", marketer), ("marketer", "/marketer", lab)):
                picture(browser, url, login, path, play, folder / f"{play.__name__}.png")
            browser.close()
    finally:
        desk.close()


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:] or [Path(__file__).resolve().parents[2] / "docs" / "images"]))
