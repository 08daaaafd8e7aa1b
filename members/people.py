"""Who is this?

One member's own facts, and finding a member by anything staff may have at
hand. Numbers about behaviour are worked out in analytics.
"""

from sqlmodel import Session, col, or_, select

from members.errors import NotFound
from members.tables import Address, Consent, Contact, Member, Order, PaymentMethod

CHANNELS = ("email", "sms", "wechat", "phone", "push")


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


def mask(kind: str, value: str) -> str:
    """A contact with its middle hidden, for lists that staff and screens show."""
    if kind == "email" and "@" in value:
        name, host = value.split("@", 1)
        return f"{name[:2]}…@{host}"
    return f"…{value[-4:]}" if len(value) > 4 else "…"
