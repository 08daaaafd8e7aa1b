"""Who is this?

One member's own facts, and finding a member by anything staff may have at
hand. Numbers about behaviour are worked out in analytics.
"""

from datetime import date

from sqlmodel import Session, col, or_, select, update

from members.errors import BadInput, NotFound, RuleBroken
from members.tables import Account, Address, Consent, Contact, Member, Order, PaymentMethod

CHANNELS = ("email", "sms", "wechat", "phone", "push")
LANGUAGES = ("en", "zh")


def get(session: Session, member_id: str) -> Member:
    """The member of that id. Raises NotFound."""
    member = session.get(Member, member_id)
    if member is None:
        raise NotFound(f"There is no member {member_id.strip()[:40]}.", instead="find_member")
    return member


def contacts(session: Session, member_id: str) -> dict[str, str]:
    """One value per kind of contact, the first entered."""
    found: dict[str, str] = {}
    for contact in session.exec(select(Contact).where(Contact.member_id == member_id).order_by(col(Contact.id))):
        found.setdefault(contact.kind, contact.value)
    return found


def default_address(session: Session, member_id: str) -> Address | None:
    """Where parcels go unless told otherwise."""
    query = select(Address).where(Address.member_id == member_id).order_by(col(Address.is_default).desc(), col(Address.id))
    return session.exec(query).first()


def consents(session: Session, member_id: str) -> dict[str, bool]:
    """Channel to whether the member agreed to be addressed there."""
    return {c.channel: c.granted for c in session.exec(select(Consent).where(Consent.member_id == member_id))}


def payment_methods(session: Session, member_id: str) -> list[PaymentMethod]:
    """How the member has paid."""
    return list(session.exec(select(PaymentMethod).where(PaymentMethod.member_id == member_id).order_by(col(PaymentMethod.id))))


def set_default_address(session: Session, member_id: str, place: dict[str, str]) -> Address:
    """Let future parcels go there; the old address is replaced in place."""
    member = get(session, member_id)
    home = default_address(session, member_id) or Address(member_id=member_id, line1="", city="")
    for part in ("line1", "line2", "city", "region", "postcode", "country"):
        setattr(home, part, place.get(part, ""))
    home.is_default = True
    member.city, member.country = home.city, home.country or member.country
    session.add_all([home, member])
    return home


def set_language(session: Session, member_id: str, language: str) -> None:
    """The language the shop writes to a member in. Raises BadInput for one it does not speak."""
    if language not in LANGUAGES:
        raise BadInput("The shop writes in English or Chinese.", rule="language", passage="account.language")
    session.exec(update(Member).where(col(Member.id) == member_id).values(language=language))


def set_consents(session: Session, member_id: str, channels: list[str], granted: bool, *, on: date) -> dict[str, bool]:
    """Agree to, or stop, messages on these channels (all of them when none is named); returns every consent as it then is.

    Raises RuleBroken when nothing would change.
    """
    held = {c.channel: c for c in session.exec(select(Consent).where(Consent.member_id == member_id))}
    meant = channels or [c for c in CHANNELS if not granted or c in held] or list(CHANNELS)
    changed = [c for c in meant if (held[c].granted if c in held else False) is not granted]
    if not changed:
        raise RuleBroken("Those messages are set that way already.", rule="same_consents", passage="privacy.marketing-consents")
    for channel in dict.fromkeys(changed):
        consent = held.get(channel) or Consent(member_id=member_id, channel=channel, granted=granted)
        consent.granted, consent.changed_on = granted, on
        session.add(consent)
    session.flush()
    return consents(session, member_id)


def find(session: Session, text: str, *, limit: int = 8) -> list[Member]:
    """Members by id, order id, e-mail, phone or its ending, or name; exact matches first."""
    text = " ".join(text.split())
    if not text:
        return []
    bare = text.lstrip("#").upper()
    exact = select(Member).where(col(Member.id).in_([text, bare, f"M-{bare}"]))
    owner = select(Member).join(Order, col(Order.member_id) == Member.id).where(col(Order.id).in_([text, bare, f"#{bare}"]))
    digits = "".join(c for c in text if c.isdigit())
    reach = [col(Contact.value) == text.lower()]
    if len(digits) >= 4 and len(digits) >= len(text.replace(" ", "")) - 2:
        reach.append(col(Contact.value).endswith(digits))
    reached = select(Member).join(Contact, col(Contact.member_id) == Member.id).where(or_(*reach))
    named = select(Member).where(col(Member.name).icontains(text, autoescape=True)).order_by(col(Member.name), col(Member.id))
    found: dict[str, Member] = {}
    for query in (exact, owner, reached, named):
        for member in session.exec(query.limit(limit)):
            found.setdefault(member.id, member)
    return list(found.values())[:limit]


def one(session: Session, text: str) -> Member:
    """The one member a text names. Raises NotFound for none, and for several, so that nobody else is changed."""
    found = find(session, text, limit=4)
    # A whole id is one member; a bare number may be the end of somebody's phone as well.
    wanted = " ".join(text.split())
    exact = [m for m in found if m.id == wanted] or [m for m in found if m.id.lower() == wanted.lower()]
    if len(exact or found) != 1:
        fact = f"{len(found)} members fit “{text[:60]}”; please give the id." if found else f"Nobody fits “{text[:60]}”."
        told = ", ".join(f"{m.id} ({m.name}{', ' + m.city if m.city else ''})" for m in found)
        raise NotFound(fact, instead="find_member", rule="several_members" if found else "no_member", members=told)
    return (exact or found)[0]


def account_name(session: Session, account_id: str) -> str:
    """The login behind an account, as colleagues know each other."""
    account = session.get(Account, account_id)
    return account.login if account else ""


def mask(kind: str, value: str) -> str:
    """A contact with its middle hidden, for lists that staff and screens show."""
    if kind == "email" and "@" in value:
        name, host = value.split("@", 1)
        return f"{name[:2]}…@{host}"
    return f"…{value[-4:]}" if len(value) > 4 else "…"
