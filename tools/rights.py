"""What may members decide about themselves? What is sent to them, in which language, and whether the shop keeps their data."""

from datetime import date
from typing import Annotated, Literal

from pydantic import Field

from members import ledger, orders, people, privacy
from members.access import Role
from members.errors import BadInput, RuleBroken
from tools.bench import Bench, Record
from tools.gateway import tool

Channel = Literal["email", "sms", "wechat", "phone", "push"]


class Consents(Record):
    """What the member agreed to hear by, before and after."""

    changed: list[str]
    granted: bool
    agreed_to: list[str]
    not_agreed_to: list[str]


def preview_consents(bench: Bench, granted: bool, channels: list[Channel] | None = None) -> Consents:
    """What would change; refuses when nothing would."""
    held = people.consents(bench.session, bench.me)
    meant = [str(c) for c in channels or []] or [c for c in people.CHANNELS if not granted or c in held] or list(people.CHANNELS)
    after = {**held, **dict.fromkeys(meant, granted)}
    changed = [c for c in meant if held.get(c, False) is not granted]
    if not changed:
        raise RuleBroken("Those messages are set that way already.", rule="same_consents", passage="privacy.marketing-consents")
    return _consents(after, changed, granted)


@tool(Role.MEMBER, preview=preview_consents, staff=True)
def change_consent(
    bench: Bench,
    granted: Annotated[bool, Field(description="true to agree to messages, false to stop them")],
    channels: Annotated[list[Channel] | None, Field(description="which channels; all when left out", max_length=5)] = None,
) -> Consents:
    """Start or stop marketing messages by e-mail, SMS, WeChat, phone or push. Waits for the member's yes."""
    shown = preview_consents(bench, granted, channels)
    people.set_consents(bench.session, bench.me, [str(c) for c in shown.changed], granted, on=bench.today)
    return shown


def _consents(after: dict[str, bool], changed: list[str], granted: bool) -> Consents:
    return Consents(
        changed=changed,
        granted=granted,
        agreed_to=sorted(c for c, yes in after.items() if yes),
        not_agreed_to=sorted(c for c, yes in after.items() if not yes),
    )


class LanguageSet(Record):
    """The language the shop writes in, before and after."""

    before: str
    language: str


def preview_language(bench: Bench, language: str) -> LanguageSet:
    """What would change; refuses when nothing would."""
    member = people.get(bench.session, bench.me)
    if member.language == language:
        raise RuleBroken("The shop writes to you in that language already.", rule="same_language", passage="account.language")
    return LanguageSet(before=member.language, language=language)


@tool(Role.MEMBER, preview=preview_language, staff=True)
def change_language(bench: Bench, language: Annotated[Literal["en", "zh"], Field(description="English or Chinese")]) -> LanguageSet:
    """Change the language the shop writes to the member in. Waits for the member's yes."""
    shown = preview_language(bench, language)
    people.set_language(bench.session, bench.me, language)
    return shown


# --- data -------------------------------------------------------------------------------


class DataExport(Record):
    """A copy of everything the shop holds about the member, as a file to download while signed in."""

    download: str
    rows: int
    kinds: list[str]


EXPORT_PATH = "/api/v1/me/export"


@tool(Role.MEMBER)
def export_my_data(bench: Bench) -> DataExport:
    """A copy of everything the shop holds about the member, as a file to download."""
    held = {name: rows for name, rows in privacy.export(bench.session, bench.me).items() if rows}
    return DataExport(download=EXPORT_PATH, rows=sum(len(r) if isinstance(r, list) else 1 for r in held.values()), kinds=sorted(held))


class Leaving(Record):
    """What leaving the club means: what goes at once, what is kept, and until when it can be taken back."""

    points_lost: int
    tier: str
    open_orders: int
    take_back_until: date
    cooling_off_days: int


def preview_leaving(bench: Bench) -> Leaving:
    """What leaving would do; refuses when it was asked for already."""
    member = people.get(bench.session, bench.me)
    if member.erase_on is not None:
        raise RuleBroken(
            "The account is being closed already.", rule="leaving_already", instead="keep_account", passage="leaving.changing-your-mind", on=member.erase_on
        )
    _, pending = orders.find(bench.session, bench.me, status=orders.OPEN, limit=1)
    days = bench.rules.service.cooling_off_days
    return Leaving(
        points_lost=ledger.balance(bench.session, bench.me, as_of=bench.today),
        tier=member.tier,
        open_orders=pending,
        take_back_until=date.fromordinal(bench.today.toordinal() + days),
        cooling_off_days=days,
    )


@tool(Role.MEMBER, preview=preview_leaving)
def erase_me(bench: Bench) -> Leaving:
    """Leave the club: points go at once, account and data after the cooling-off days. Waits for the member's yes."""
    shown = preview_leaving(bench)
    privacy.leave(bench.session, bench.me, on=bench.today, key=bench.key, rules=bench.rules)
    return shown


class Kept(Record):
    """That the account goes on."""

    was_due_on: date


def preview_keeping(bench: Bench) -> Kept:
    """What would be taken back; refuses when nothing was asked for."""
    due = people.get(bench.session, bench.me).erase_on
    if due is None:
        raise RuleBroken("Nothing is being closed: the account goes on.", rule="not_leaving", passage="leaving.changing-your-mind")
    return Kept(was_due_on=due)


@tool(Role.MEMBER, preview=preview_keeping)
def keep_account(bench: Bench) -> Kept:
    """Take back the wish to leave the club, within the cooling-off days. Waits for the member's yes."""
    shown = preview_keeping(bench)
    privacy.stay(bench.session, bench.me)
    return shown


# --- what is refused --------------------------------------------------------------------


class NotTransferred(Record):
    """Never given: transferring points is always refused."""


@tool(Role.MEMBER)
def transfer_points(bench: Bench) -> NotTransferred:
    """Moving points to another person; the rules never allow it, and say so."""
    if bench.caller.member_id is None:
        raise BadInput("Only a member has points.")
    raise RuleBroken(
        "Points belong to the member who earned them; they cannot be given, sold or put together.",
        rule="points_transfer",
        instead="points_for_yourself",
        passage="points.sharing-and-selling-points",
        points=ledger.balance(bench.session, bench.me, as_of=bench.today),
    )
