"""Whom to address? For marketers."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from members import audience, campaigns, conditions
from members.access import Role
from members.conditions import Channel, Conditions, Where
from members.errors import BadInput, NotFound
from members.tables import Audience
from tools.bench import Bench, Record, cents, money
from tools.gateway import tool

MARKETERS = (Role.MARKETER,)
MessageChannel = Literal["sms", "email", "push", "wechat", "in_app"]
_NAMES = Annotated[list[str] | None, Field(max_length=10)]
Name = Annotated[str, Field(min_length=1, max_length=60)]


_Month = Annotated[int, Field(ge=1, le=12)]


class Wanted(BaseModel):
    """What a member must be, all of it; money in the shop's currency."""

    model_config = ConfigDict(extra="forbid", strict=True)

    tiers: _NAMES = None
    cities: _NAMES = None
    countries: _NAMES = None
    languages: Annotated[list[Literal["en", "zh"]] | None, Field(max_length=2)] = None
    categories: Annotated[list[str] | None, Field(description="bought from any of these product categories", max_length=10)] = None
    tastes: Annotated[list[str] | None, Field(description="much of their spend goes to one of these categories", max_length=10)] = None
    segments: Annotated[list[str] | None, Field(description="groups the shop knows, such as sleeping or champions", max_length=8)] = None
    bought_within_days: Annotated[int | None, Field(ge=1, le=3650)] = None
    not_bought_for_days: Annotated[int | None, Field(ge=1, le=3650)] = None
    spent_at_least: Annotated[float | None, Field(ge=0, le=1e7)] = None
    spent_at_most: Annotated[float | None, Field(ge=0, le=1e7)] = None
    spent_within_days: Annotated[int | None, Field(ge=1, le=3650)] = None
    joined_within_days: Annotated[int | None, Field(ge=1, le=3650)] = None
    orders_at_least: Annotated[int | None, Field(ge=0, le=10_000)] = None
    points_at_least: Annotated[int | None, Field(ge=0, le=10**9)] = None
    churn_from_percent: Annotated[int | None, Field(ge=1, le=100, description="chance of no order in 90 days, at least")] = None
    worth_at_least: Annotated[float | None, Field(ge=0, le=1e7, description="expected spend of the next twelve months, at least")] = None
    birthday_months: Annotated[list[_Month] | None, Field(max_length=12)] = None


def conditions_of(bench: Bench, wanted: Wanted, unknown: list[str]) -> Conditions:
    """What was asked as conditions of the record; names it does not know go to `unknown`."""
    shelves = audience.categories(bench.session)
    return Conditions(
        tiers=_known(wanted.tiers, [t.key for t in bench.rules.tiers.levels], unknown),
        cities=_known(wanted.cities, audience.cities(bench.session), unknown),
        countries=_known(wanted.countries, audience.countries(bench.session), unknown),
        languages=wanted.languages or [],
        categories=_known(wanted.categories, shelves, unknown),
        tastes=_known(wanted.tastes, shelves, unknown),
        segments=[name.strip().lower() for name in wanted.segments or []],
        bought_within_days=wanted.bought_within_days,
        not_bought_for_days=wanted.not_bought_for_days,
        spent_at_least_cents=None if wanted.spent_at_least is None else cents(wanted.spent_at_least),
        spent_at_most_cents=None if wanted.spent_at_most is None else cents(wanted.spent_at_most),
        spent_within_days=wanted.spent_within_days or 365,
        joined_within_days=wanted.joined_within_days,
        orders_at_least=wanted.orders_at_least,
        points_at_least=wanted.points_at_least,
        churn_from_percent=wanted.churn_from_percent,
        worth_at_least_cents=None if wanted.worth_at_least is None else cents(wanted.worth_at_least),
        birthday_months=wanted.birthday_months or [],
    )


def where_of(bench: Bench, wanted: Wanted, or_also: Sequence[Wanted] | None, but_not: Sequence[Wanted] | None, unknown: list[str]) -> Where:
    """The whole condition: what is wanted, or any of the others, without what is not (any of it, where several are named). Raises BadInput for one that cannot be."""
    try:
        parts = [conditions_of(bench, one, unknown).where() for one in (wanted, *(or_also or ()))]
        where = conditions.either(*parts)
        unwanted = [conditions_of(bench, one, unknown).where() for one in but_not or ()]
        return conditions.but_not(where, conditions.either(*unwanted)) if unwanted else where
    except ValidationError as error:
        why = "; ".join(str(one["msg"]).removeprefix("Value error, ") for one in error.errors()[:2])
        raise BadInput(f"These conditions cannot be: {why}.", rule="audience_impossible", why=why) from error


class AudienceCount(Record):
    """How many members fit, how many may be addressed, and what was asked."""

    as_of: date
    currency: str
    matching: int
    without_consent: int
    no_address: int
    contacted_this_week: int
    open_complaint: int
    reachable: int
    members_in_all: int
    conditions: dict[str, Any]
    or_also: list[dict[str, Any]]
    but_not: list[dict[str, Any]]
    unknown: list[str]


_OrAlso = Annotated[list[Wanted] | None, Field(description="others who count as well", max_length=4)]
# One condition alone may come without its list.
_ButNot = Annotated[
    list[Wanted] | None,
    BeforeValidator(lambda said: [said] if isinstance(said, dict) else said),
    Field(description="whoever is all of any one of these is left out", max_length=4),
]


class Whom(Wanted):
    """What a member must be, with others who count as well and whoever is left out."""

    or_also: _OrAlso = None
    but_not: _ButNot = None


@tool(*MARKETERS)
def audience_count(
    bench: Bench,
    tiers: _NAMES = None,
    cities: _NAMES = None,
    countries: _NAMES = None,
    languages: Annotated[list[Literal["en", "zh"]] | None, Field(max_length=2)] = None,
    categories: Annotated[list[str] | None, Field(description="bought from any of these product categories", max_length=10)] = None,
    tastes: Annotated[list[str] | None, Field(description="much of their spend goes to one of these categories", max_length=10)] = None,
    segments: Annotated[list[str] | None, Field(description="groups the shop knows, such as sleeping", max_length=8)] = None,
    bought_within_days: Annotated[int | None, Field(ge=1, le=3650)] = None,
    not_bought_for_days: Annotated[int | None, Field(ge=1, le=3650)] = None,
    spent_at_least: Annotated[float | None, Field(description="in the shop's currency, over spent_within_days", ge=0, le=1e7)] = None,
    spent_at_most: Annotated[float | None, Field(ge=0, le=1e7)] = None,
    spent_within_days: Annotated[int | None, Field(ge=1, le=3650)] = None,
    joined_within_days: Annotated[int | None, Field(ge=1, le=3650)] = None,
    orders_at_least: Annotated[int | None, Field(ge=0, le=10_000)] = None,
    points_at_least: Annotated[int | None, Field(ge=0, le=10**9)] = None,
    churn_from_percent: Annotated[int | None, Field(ge=1, le=100)] = None,
    worth_at_least: Annotated[float | None, Field(ge=0, le=1e7)] = None,
    birthday_months: Annotated[list[_Month] | None, Field(max_length=12)] = None,
    or_also: _OrAlso = None,
    but_not: _ButNot = None,
    consent: Annotated[Channel | None, Field(description="only those who agreed to this channel")] = None,
) -> AudienceCount:
    """Count the members who meet all conditions, and how many of them may be addressed."""
    asked = {name: value for name, value in locals().items() if name in Wanted.model_fields and value is not None}
    wanted, unknown = Wanted(**asked), list[str]()
    where = where_of(bench, wanted, or_also, but_not, unknown)
    counted = audience.count(bench.session, where, on=bench.today, channel=consent)
    told = {**said_of(wanted), "consent": consent}
    return AudienceCount(
        as_of=bench.today,
        currency=bench.rules.currency,
        conditions=told,
        or_also=[said_of(one) for one in or_also or ()],
        but_not=[said_of(one) for one in but_not or ()],
        unknown=unknown,
        **counted.model_dump(),
    )


def _known(asked: list[str] | None, there: list[str], unknown: list[str]) -> list[str]:
    """Names as the record writes them; what it does not know is reported, not guessed."""
    by_name = {name.lower(): name for name in there}
    found = [by_name[name.strip().lower()] for name in asked or [] if name.strip().lower() in by_name]
    unknown += [name for name in asked or [] if name.strip().lower() not in by_name]
    # An unknown name must not widen the audience to everybody.
    return found or (["(none)"] if asked else [])


def said_of(wanted: Wanted) -> dict[str, Any]:
    """The conditions as they were understood, money as decimals; None where nothing was asked."""
    said = wanted.model_dump()
    for name in ("spent_at_least", "spent_at_most", "worth_at_least"):
        said[name] = None if said[name] is None else money(cents(said[name]))
    said["spent_within_days"] = said["spent_within_days"] or 365
    return {name: value or None for name, value in said.items()}


# --- a saved audience -------------------------------------------------------------------


class Share(Record):
    """How often something is found among an audience and among all members, in whole per cent."""

    what: str
    percent: int
    of_all_percent: int


class AudienceShown(Record):
    """An audience: who fits, who may be written to, why the others may not, what they are like, and which others share members with it."""

    as_of: date
    currency: str
    audience_id: str | None
    version: int | None
    name: str
    channel: str | None
    conditions: dict[str, Any]
    or_also: list[dict[str, Any]]
    but_not: list[dict[str, Any]]
    unknown: list[str]
    matching: int
    without_consent: int
    no_address: int
    contacted_this_week: int
    open_complaint: int
    reachable: int
    members_in_all: int
    sample: list[str]
    traits: list[Share]
    overlaps: list[tuple[str, int]]


def preview_audience(
    bench: Bench,
    name: str,
    wanted: Wanted,
    or_also: list[Wanted] | None = None,
    but_not: list[Wanted] | None = None,
    channel: MessageChannel | None = None,
) -> AudienceShown:
    """The audience as it stands today."""
    unknown = list[str]()
    where = where_of(bench, wanted, or_also, but_not, unknown)
    if unknown:
        raise NotFound(f"The shop knows no {', '.join(unknown)[:80]}.", rule="audience_unknown", name=", ".join(unknown)[:80])
    shown = _shown(bench, where, name=name.strip(), channel=channel)
    return shown.model_copy(
        update={"conditions": said_of(wanted), "or_also": [said_of(one) for one in or_also or ()], "but_not": [said_of(one) for one in but_not or ()]}
    )


@tool(*MARKETERS, preview=preview_audience)
def audience_build(
    bench: Bench,
    name: Name,
    wanted: Wanted,
    or_also: _OrAlso = None,
    but_not: _ButNot = None,
    channel: Annotated[MessageChannel | None, Field(description="the channel they are to be written to on")] = None,
) -> AudienceShown:
    """Save an audience under a name, to use in campaigns; the same name again is its next version. Waits for a yes."""
    shown = preview_audience(bench, name, wanted, or_also, but_not, channel)
    where = where_of(bench, wanted, or_also, but_not, [])
    kept = audience.save(bench.session, name, where, channel=channel, by=bench.caller.account_id, now=bench.now)
    return shown.model_copy(update={"audience_id": kept.id, "version": kept.version})


def _shown(bench: Bench, where: Where, *, name: str, channel: str | None, kept: Audience | None = None) -> AudienceShown:
    counted = audience.count(bench.session, where, on=bench.today, channel=channel)
    overlaps = [
        (other.name, audience.overlap(bench.session, where, audience.where_of(other), on=bench.today))
        for other in list(audience.names(bench.session))[:6]
        if kept is None or other.id != kept.id
    ]
    return AudienceShown(
        as_of=bench.today,
        currency=bench.rules.currency,
        audience_id=kept.id if kept else None,
        version=kept.version if kept else None,
        name=name,
        channel=channel,
        conditions={},
        or_also=[],
        but_not=[],
        unknown=[],
        sample=[f"{m.name or m.id} ({m.id})" for m in audience.sample(bench.session, where, on=bench.today, limit=4)],
        traits=_traits(bench, where),
        overlaps=[(other, both) for other, both in overlaps if both and other.lower() != name.lower()][:3],
        **counted.model_dump(),
    )


_LATELY_DAYS = 30


def _traits(bench: Bench, where: Where) -> list[Share]:
    """What sets an audience apart: shares that differ most from all members'."""
    candidates: dict[str, Where] = {f"tier:{t.key}": conditions.every(conditions.test("tier", any_of=[t.key])) for t in bench.rules.tiers.levels}
    candidates |= {f"language:{one}": conditions.every(conditions.test("language", any_of=[one])) for one in ("en", "zh")}
    candidates |= {f"city:{city}": conditions.every(conditions.test("city", any_of=[city.lower()])) for city in audience.cities(bench.session)[:5]}
    asked = {one.field for one in conditions.tests(where)}
    candidates |= {
        "risk:high": conditions.every(conditions.test("churn_percent", at_least=60)),
        f"lately:{_LATELY_DAYS}": conditions.every(conditions.test("bought_days", at_most=_LATELY_DAYS)),
    }
    # What was asked for sets nobody apart.
    own = {"tier": {"tier"}, "language": {"language"}, "city": {"city"}, "risk": {"churn_percent"}, "lately": {"silent_days", "bought_days"}}
    candidates = {what: trait for what, trait in candidates.items() if not own[what.partition(":")[0]] & asked}
    everyone = conditions.everyone()
    mine, of_all = (max(1, audience.count(bench.session, w, on=bench.today).matching) for w in (where, everyone))
    found = []
    for what, trait in candidates.items():
        both, all_of = audience.overlap(bench.session, where, trait, on=bench.today), audience.overlap(bench.session, everyone, trait, on=bench.today)
        found.append(Share(what=what, percent=round(100 * both / mine), of_all_percent=round(100 * all_of / of_all)))
    return sorted((one for one in found if abs(one.percent - one.of_all_percent) >= 3), key=lambda one: -abs(one.percent - one.of_all_percent))[:4]


class AudienceFile(Record):
    """A list of members as a file to download while signed in: ids and what the channel needs, never more."""

    download: str
    name: str
    rows: int
    left_out: int
    channel: str | None


@tool(*MARKETERS)
def audience_export(
    bench: Bench,
    audience_name: Annotated[str, Field(description="name or id of a saved audience, or of a campaign", min_length=1, max_length=60)],
) -> AudienceFile:
    """The list of an audience, or a campaign's send list, as a spreadsheet-safe CSV file to download."""
    kept = audience.saved(bench.session, audience_name)
    if kept is None:
        return campaign_file(bench, audience_name)
    where, channel = audience.where_of(kept), kept.channel or None
    counted = audience.count(bench.session, where, on=bench.today, channel=channel)
    return AudienceFile(
        download=f"/api/v1/audiences/{kept.id}.csv", name=kept.name, rows=counted.reachable, left_out=counted.matching - counted.reachable, channel=channel
    )


def campaign_file(bench: Bench, named: str) -> AudienceFile:
    """A campaign's send list as a file. Raises NotFound."""
    found = campaigns.get(bench.session, named)
    rows = sum(campaigns.outbox(bench.session, found.id).values())
    return AudienceFile(download=f"/api/v1/campaigns/{found.id}.csv", name=found.name_en, rows=rows, left_out=0, channel=found.channel)
