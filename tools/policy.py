"""What would other rules do, and from when do they count? For marketers."""

from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from analytics import policy_lab
from analytics.club import Club
from analytics.policy_lab import Comparison
from members import rulebooks
from members.errors import BadInput, RuleBroken
from members.program import Program
from tools.bench import Bench, Record, cents, money
from tools.gateway import tool
from tools.marketer import MARKETERS

# A chat answers in seconds: larger clubs are played on a fixed sample and scaled.
_MOST_MEMBERS = 100_000


_Spend = Annotated[float, Field(ge=0, le=1e7)]
_Percent = Annotated[int, Field(ge=0, le=90)]
_Factor = Annotated[float, Field(gt=0, le=100)]


class Rules(BaseModel):
    """Changes to the rule book; what is left out stays. Money in the shop's currency."""

    model_config = ConfigDict(extra="forbid", strict=True)

    thresholds: Annotated[dict[str, _Spend] | None, Field(description='tier key to the spend it starts at, such as {"gold": 4000}', max_length=20)] = None
    discounts: Annotated[dict[str, _Percent] | None, Field(description="tier key to its discount in per cent", max_length=20)] = None
    earning: Annotated[dict[str, _Factor] | None, Field(description="tier key to its points multiplier", max_length=20)] = None
    expiry_months: Annotated[int | None, Field(ge=1, le=120, description="months until points expire")] = None
    points_per_unit: Annotated[int | None, Field(ge=0, le=100, description="points for each unit of currency spent")] = None
    window_days: Annotated[int | None, Field(ge=30, le=730, description="days over which spend counts for a tier")] = None
    grace_days: Annotated[int | None, Field(ge=0, le=365, description="days a tier is kept after the spend fell below it")] = None
    free_shipping_from: Annotated[float | None, Field(ge=0, le=1e5, description="basket from which everybody ships free")] = None


def paths(rules: Rules) -> dict[str, Any]:
    """The changes by their paths in the rule book."""
    found: dict[str, Any] = {f"tiers.{key.lower()}.threshold_cents": cents(value) for key, value in (rules.thresholds or {}).items()}
    found |= {f"tiers.{key.lower()}.discount_percent": value for key, value in (rules.discounts or {}).items()}
    found |= {f"tiers.{key.lower()}.earning": value for key, value in (rules.earning or {}).items()}
    plain = {
        "expiry.months": rules.expiry_months,
        "earning.points_per_unit": rules.points_per_unit,
        "tiers.window_days": rules.window_days,
        "tiers.grace_days": rules.grace_days,
        "shipping.free_from_cents": None if rules.free_shipping_from is None else cents(rules.free_shipping_from),
    }
    return found | {path: value for path, value in plain.items() if value is not None}


def proposed(bench: Bench, rules: Rules, *, version: str = "proposed") -> Program:
    """The latest rule book with the changes. Raises BadInput for none, RuleBroken for rules that are the present ones."""
    changes, latest = paths(rules), bench.means.coming or bench.rules
    if not changes:
        raise BadInput("Which rule should change, and to what?", rule="policy_nothing")
    made = rulebooks.changed(latest, changes, version=version)
    if not rulebooks.difference(latest, made):
        raise RuleBroken("These are the rules already.", rule="policy_same")
    return made


class Change(Record):
    """One value of the rule book before and after; money as decimals."""

    path: str
    tier: str
    what: str
    before: str | None
    after: str | None
    money: bool


class Between(Record):
    """A figure with its 95% interval; money as decimals, counts as whole numbers."""

    value: str
    low: str
    high: str


class Assumed(Record):
    """How people may react, with the range that was played and what its ends do to the year's net."""

    key: str
    low: str
    likely: str
    high: str
    source: Literal["assumed", "measured"]
    net_at_low: str
    net_at_high: str


class TierCount(Record):
    """Members of a tier at the end of the year under each rule book."""

    key: str
    name_en: str
    name_zh: str
    present: int
    proposed: int


class GroupChange(Record):
    """Who wins and loses benefits: members, how many better and worse off by more than half a unit, and the mean change."""

    by: Literal["tier", "segment"]
    key: str
    members: int
    better: int
    worse: int
    mean: str


class PolicyOutcome(Record):
    """A year under proposed rules against the present ones, on the shop's members with the same luck for both.

    `moves[a][b]`: members in the a-th tier at the end under the present rules and in the b-th under the proposed ones.
    `tier_today_moved`: members who would stand elsewhere today had the proposed rules been there all year.
    """

    as_of: date
    currency: str
    months: int
    members: int
    played: int
    invented: bool = False
    changes: list[Change]
    tiers: list[TierCount]
    lower: int
    higher: int
    revenue: Between
    benefit_cost: Between
    net: Between
    points_issued: Between
    points_open: Between
    points_open_present: str
    leaving: Between
    present_revenue: str
    present_benefit_cost: str
    present_net: str
    net_from: str
    net_to: str
    assumptions: list[Assumed]
    groups: list[GroupChange]
    tier_today_moved: int
    moves: list[list[int]]
    interval_percent: int = 95
    found_thresholds: dict[str, str] | None = None
    tried: int | None = None
    budget: str | None = None
    downgraded_most_percent: float | None = None


_INVENTED = Annotated[int | None, Field(ge=1_000, le=50_000_000, description="play it on so many invented members instead of the shop's own")]
_BUDGET = Annotated[float | None, Field(gt=0, le=1e12, description="most the benefits may cost in a year, for a search")]


@tool(*MARKETERS)
def policy_what_if(
    bench: Bench,
    rules: Annotated[Rules | None, Field(description="the changes to try")] = None,
    search: Annotated[bool, Field(description="look for the thresholds that leave most over instead")] = False,
    budget: _BUDGET = None,
    downgraded_most_percent: Annotated[float | None, Field(ge=0, le=100, description="most members a tier lower, for a search")] = None,
    invented_members: _INVENTED = None,
) -> PolicyOutcome:
    """What a change of tiers, points or benefits would do in a year: who moves, cost, points, revenue, winners and losers, with intervals; or the best thresholds under a budget."""
    found = None
    if search:
        share = 5.0 if downgraded_most_percent is None else downgraded_most_percent
        limit = None if budget is None else cents(budget)
        found = policy_lab.search(_club(bench, invented_members), bench.rules, budget_cents=limit, downgraded_most=share / 100)
        rules = Rules(thresholds={key: value / 100 for key, value in found.thresholds.items()})
        if not rulebooks.difference(bench.rules, rulebooks.changed(bench.rules, paths(rules), version="found")):
            raise RuleBroken("No other thresholds were better under these limits.", rule="policy_no_better", tried=found.tried)
    told = outcome(bench, proposed(bench, rules or Rules()), invented_members)
    if found is None:
        return told
    return told.model_copy(
        update={
            "found_thresholds": {key: money(value) for key, value in found.thresholds.items()},
            "tried": found.tried,
            "budget": None if budget is None else money(cents(budget)),
            "downgraded_most_percent": 5.0 if downgraded_most_percent is None else downgraded_most_percent,
        }
    )


class PoliciesCompared(Record):
    """Two proposals, each against the present rules, and which leaves more over."""

    currency: str
    first: PolicyOutcome
    second: PolicyOutcome
    better: Literal["first", "second", "neither", "close"]
    difference: str


@tool(*MARKETERS)
def compare_policies(
    bench: Bench,
    first: Annotated[Rules, Field(description="one proposal")],
    second: Annotated[Rules | None, Field(description="the other; the present rules when left out")] = None,
    invented_members: _INVENTED = None,
) -> PoliciesCompared | PolicyOutcome:
    """Two proposed rule changes side by side, or one against the present rules."""
    one = outcome(bench, proposed(bench, first), invented_members)
    if second is None:
        return one
    other = outcome(bench, proposed(bench, second), invented_members)
    a, b = float(one.net.value), float(other.net.value)
    noise = max(abs(float(one.net.high) - float(one.net.low)), abs(float(other.net.high) - float(other.net.low))) / 2
    better: Any = "neither" if max(a, b) < 0 and abs(a - b) > noise else "close" if abs(a - b) <= noise else "first" if a > b else "second"
    return PoliciesCompared(currency=bench.rules.currency, first=one, second=other, better=better, difference=money(round(100 * abs(a - b))))


def _club(bench: Bench, invented: int | None) -> Club:
    if bench.means.club is None or bench.means.fitted is None:
        raise RuleBroken("Nothing was learned of the members yet: run `patron train`.", rule="not_trained")
    return bench.means.club(None if invented is None else min(invented, _MOST_MEMBERS))


def outcome(bench: Bench, made: Program, invented: int | None = None) -> PolicyOutcome:
    """Play a proposed rule book against the present one, on the shop's members or so many invented ones."""
    club = _club(bench, invented)
    sample = club.sampled(_MOST_MEMBERS)
    seen = policy_lab.compare(sample, bench.rules, policy_lab.begun(made, bench.rules))
    members = invented or len(club)
    told = _told(bench, made, seen, members / len(sample), members, policy_lab.assumptions(club))
    return told.model_copy(update={"invented": invented is not None})


def _told(bench: Bench, made: Program, seen: Comparison, scale: float, members: int, told: dict[str, policy_lab.Assumption]) -> PolicyOutcome:
    def between(name: str, *, is_money: bool = True) -> Between:
        one = seen.change[name]

        def write(v: float) -> str:
            return money(round(v * scale)) if is_money else str(round(v * scale))

        return Between(value=write(one.value), low=write(one.low), high=write(one.high))

    def present(name: str) -> str:
        return money(round(seen.present.totals[name].value * scale))

    ends = [end * scale for pair in seen.reach.values() for end in pair] or [seen.change["net_cents"].value * scale]
    return PolicyOutcome(
        as_of=bench.today,
        currency=bench.rules.currency,
        months=seen.months,
        members=members,
        played=seen.members,
        changes=changes_told(bench, made),
        tiers=[
            TierCount(key=level.key, name_en=level.name_en, name_zh=level.name_zh or level.name_en, present=round(a * scale), proposed=round(b * scale))
            for level, a, b in zip(bench.rules.tiers.levels, seen.present.tiers, seen.proposed.tiers, strict=True)
        ],
        lower=round(seen.downgraded_share * members),
        higher=round(seen.upgraded_share * members),
        revenue=between("revenue_cents"),
        benefit_cost=between("benefit_cents"),
        net=between("net_cents"),
        points_issued=between("points_issued", is_money=False),
        points_open=between("points_open", is_money=False),
        points_open_present=str(round(seen.present.totals["points_open"].value * scale)),
        leaving=between("left", is_money=False),
        present_revenue=present("revenue_cents"),
        present_benefit_cost=present("benefit_cents"),
        present_net=present("net_cents"),
        net_from=money(round(min(ends))),
        net_to=money(round(max(ends))),
        assumptions=[
            Assumed(
                key=key,
                low=f"{one.low:.3g}",
                likely=f"{one.likely:.3g}",
                high=f"{one.high:.3g}",
                source=one.source,  # type: ignore[arg-type]
                net_at_low=money(round(seen.reach[key][0] * scale)) if key in seen.reach else "",
                net_at_high=money(round(seen.reach[key][1] * scale)) if key in seen.reach else "",
            )
            for key, one in told.items()
        ],
        groups=[
            GroupChange(by=by, key=key, members=round(n * scale), better=round(better * scale), worse=round(worse * scale), mean=money(round(mean)))  # type: ignore[arg-type]
            for by, parts in seen.groups.items()
            for key, (n, better, worse, mean) in parts.items()
        ],
        moves=[[round(n * scale) for n in row] for row in seen.moves.tolist()],
        tier_today_moved=int(round((seen.history.sum() - seen.history.trace()) * scale)),
    )


def changes_told(bench: Bench, made: Program) -> list[Change]:
    """The values that differ, as people read them."""
    found = []
    for one in rulebooks.difference(bench.rules, made):
        parts = one.path.split(".")
        tiered = len(parts) == 3
        is_money = parts[-1].endswith("_cents")
        found.append(
            Change(
                path=one.path,
                tier=parts[1] if tiered else "",
                what=parts[-1].removesuffix("_cents"),
                before=_value(one.before, is_money),
                after=_value(one.after, is_money),
                money=is_money,
            )
        )
    return found


def _value(value: Any, is_money: bool) -> str | None:
    if value is None:
        return None
    return money(int(value)) if is_money else f"{value:g}" if isinstance(value, float) else str(value)


# --- adopting ---------------------------------------------------------------------------


class Adoption(Record):
    """New rules that start on a day: what changes, what it is expected to do, and that a second person must agree."""

    version: str
    starts_on: date
    currency: str
    changes: list[Change]
    lower: int
    higher: int
    net: Between
    keeps: bool = True
    needs_second: bool = True
    waits_for_second: bool = False


def preview_adopt(bench: Bench, rules: Rules, starts_on: date, why: str = "") -> Adoption:
    """What adopting would do; refuses a day that has begun."""
    rulebooks.may_start(bench.session, starts_on, today=bench.today)
    version = rulebooks.next_version(rulebooks.adopted(bench.session), starts_on, bench.rules.version)
    made = proposed(bench, rules, version=version)
    told = outcome(bench, made)
    return Adoption(
        version=version, starts_on=starts_on, currency=bench.rules.currency, changes=told.changes, lower=told.lower, higher=told.higher, net=told.net
    )


def always(bench: Bench, rules: Rules, starts_on: date, why: str = "") -> bool:
    """Rules for everybody are never one person's to change."""
    return True


@tool(*MARKETERS, preview=preview_adopt, second=always)
def adopt_policy(
    bench: Bench,
    rules: Annotated[Rules, Field(description="the changes that were tried")],
    starts_on: Annotated[date, Field(description="first day of the new rules, ISO")],
    why: Annotated[str, Field(max_length=300)] = "",
) -> Adoption:
    """Put changed rules into force from a day: a new version of the programme; members keep what they earned. Waits for a yes and a second person."""
    shown = preview_adopt(bench, rules, starts_on, why)
    made = proposed(bench, rules, version=shown.version)
    latest = bench.means.coming or bench.rules
    rulebooks.adopt(bench.session, made, starts_on=starts_on, today=bench.today, before=latest, by=bench.caller.account_id, now=bench.now, why=why)
    return shown


# --- invented members -------------------------------------------------------------------


class SyntheticMembers(Record):
    """A file of invented members that resemble the real ones and are nobody; `exact_copies` counts rows that equal a real one."""

    as_of: date
    download: str
    rows: int
    columns: int
    learned_from: int
    method: Literal["gan", "copula"]
    exact_copies: int


@tool(*MARKETERS)
def synthesise_members(bench: Bench, members: Annotated[int, Field(ge=10, le=20_000, description="how many to invent")] = 1000) -> SyntheticMembers:
    """Invent members that resemble the real ones and are nobody, as a CSV file to download: for tests, agencies, sandboxes."""
    if bench.means.invent is None:
        raise RuleBroken("Nothing was learned of the members yet: run `patron train`.", rule="not_trained")
    made = bench.means.invent(members)
    return SyntheticMembers(as_of=bench.today, download=f"/api/v1/synthetic/{members}.csv", rows=members, **made)
