"""Does the insight page show the shop, and a member's page their risk, in a real Chromium?"""

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from looking import expect, find

from assistant.desk import Desk

pytestmark = pytest.mark.browser
Visit = Callable[..., Any]
TABLES = ("cohorts", "segments", "segment_map", "rfm", "churn_by_tier", "value_by_tenth", "demand", "points")


def open_insight(visit: Visit, *, width: int = 1280) -> Any:
    """Support's page with the insight tab open."""
    page = visit("support", "/support", width=width)
    page.get_by_role("tab", name="Insight").click()
    expect(page.locator("#insight-groups table")).to_be_visible()
    return page


def test_every_figure_is_drawn_and_can_be_taken_away(visit: Visit) -> None:
    page = open_insight(visit)
    for name in ("cohorts", "segment_map", "churn_by_tier", "value_by_tenth", "demand", "points"):
        expect(page.locator(f"#insight-{name} .js-plotly-plot")).to_be_visible()
    with page.expect_download() as caught:
        page.locator("#insight-cohorts .js-plotly-plot").hover()
        page.locator("#insight-cohorts .modebar-btn[data-title*='png' i]").first.click()
    assert caught.value.suggested_filename.endswith(".png")
    for name in TABLES:
        answer = page.context.request.get(f"/api/v1/insight/{name}.csv")
        rows = list(csv.reader(io.StringIO(answer.text())))
        assert answer.status == 200 and len(rows) > 1, name


def test_the_page_reads_in_chinese(visit: Visit) -> None:
    page = open_insight(visit)
    page.locator("#language").get_by_text("中文").click()
    expect(page.locator("#insight-groups")).to_contain_text("会员分群")


def test_the_page_reads_in_chinese_on_a_phone(visit: Visit) -> None:
    page = open_insight(visit, width=390)
    page.locator("#language").get_by_text("中文").click()
    expect(page.locator("#insight-groups")).to_contain_text("会员分群")
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 392, f"the page is {wide} wide"


def test_a_member_shows_risk_worth_reasons_and_a_way_through_the_tiers(visit: Visit, faced: Desk) -> None:
    page = visit("support", "/support")
    find(page, "M-10001")
    for name in ("gauge", "worth", "timeline", "tier-path"):
        expect(page.locator(f"#{name} .js-plotly-plot")).to_be_visible()
    expect(page.locator("#reasons")).to_contain_text("Why")
    chance = faced.gateway(faced.caller_named("support"), "").call("churn_risk", {"who": "M-10001"}).result["chance_percent"]
    expect(page.locator("#gauge")).to_contain_text(f"{chance}%")


def test_the_cards_are_a_page_of_their_own_for_staff_alone(visit: Visit) -> None:
    page = visit("support", "/support")
    told = page.context.request.get("/api/v1/models/report")
    assert told.status == 200 and "Plotly" in told.text() and "http" not in told.text().split("<script>")[0]
    member = visit("lina", "/member")
    for path in ("/api/v1/models/report", "/api/v1/models", "/api/v1/insight/segments.csv"):
        assert member.context.request.get(path).status == 403
