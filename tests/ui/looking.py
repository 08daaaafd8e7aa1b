"""What the page tests do again and again in a browser."""

from typing import Any

from playwright.sync_api import Page, expect

__all__ = ["ask", "choose", "done", "expect", "find", "fits", "reply"]


def ask(page: Page, text: str) -> None:
    """Type a message and wait until its turn is over."""
    box = page.locator("#box textarea")
    expect(box).to_be_enabled()
    page.wait_for_timeout(200)
    box.fill(text)
    box.press("Enter")
    expect(page.locator(".message.user").last).to_contain_text(text)
    done(page)


def done(page: Page) -> None:
    """Wait until the last turn is over."""
    page.wait_for_timeout(200)
    expect(page.locator("#box textarea")).to_be_enabled()
    expect(page.locator("#box textarea")).to_have_value("")


def reply(page: Page) -> Any:
    """The newest answer."""
    return page.locator(".message.bot").last


def find(page: Page, words: str) -> None:
    """Look for a member on the support page."""
    page.fill("#find textarea, #find input", words)
    page.locator("#find-button").click()


def choose(page: Page, field: str, option: str) -> None:
    """Pick an option of a dropdown."""
    page.locator(f"{field} input").first.click()
    page.get_by_role("option", name=option, exact=True).click()
    page.keyboard.press("Escape")


def fits(page: Page) -> bool:
    """Whether nothing scrolls sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth + 1"))
