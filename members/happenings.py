"""What did a channel just tell of a member?

Takes views, carts, reviews and order lines from the shop's channels: finds the
one member an event names (id, e-mail, phone, or the SHA-256 of either), and
writes it once, however often it is told. What follows from it is asked elsewhere.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, NaiveDatetime, model_validator
from sqlmodel import Session, col, select

from members.errors import BadInput
from members.tables import Contact, Member, Product, Review, ShopEvent, Variant

Kind = Literal["view", "cart", "order", "review"]
_SHA256 = r"^[0-9a-fA-F]{64}$"


class Who(BaseModel):
    """One way to name a member; exactly one field is given."""

    model_config = ConfigDict(extra="forbid")

    member_id: str | None = Field(default=None, min_length=1, max_length=80)
    email: str | None = Field(default=None, min_length=3, max_length=254)
    phone: str | None = Field(default=None, min_length=4, max_length=30)
    email_sha256: str | None = Field(default=None, pattern=_SHA256, description="of the lower-case address")
    phone_sha256: str | None = Field(default=None, pattern=_SHA256, description="of the digits, country code included")

    @model_validator(mode="after")
    def _one(self) -> "Who":
        if len(self.model_fields_set) != 1:
            raise ValueError("name the member in exactly one way")
        return self


class Happening(BaseModel):
    """One event as a channel tells it. `at` is UTC unless it says otherwise; now when left out."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    member: Who
    product_id: str = Field(min_length=1, max_length=80, description="a product's or a variant's id")
    at: AwareDatetime | NaiveDatetime | None = None
    key: str | None = Field(default=None, min_length=1, max_length=120, description="the sender's own id of the event")
    channel: str = Field(default="", max_length=30)
    order_id: str | None = Field(default=None, min_length=1, max_length=60)
    quantity: int = Field(default=1, ge=1, le=100_000)
    price: Decimal | None = Field(default=None, ge=0, le=10_000_000, decimal_places=2, description="paid for one piece, in the shop's currency")
    rating: int | None = Field(default=None, ge=1, le=5)
    text: str = Field(default="", max_length=4_000)

    @model_validator(mode="after")
    def _whole(self) -> "Happening":
        if self.kind == "order" and (self.order_id is None or self.price is None):
            raise ValueError("an order line needs order_id and price")
        if self.kind == "review" and self.rating is None:
            raise ValueError("a review needs a rating")
        return self


@dataclass(frozen=True)
class Taken:
    """What became of one event: `new`, `known` (told before), or `refused` with the reason."""

    outcome: Literal["new", "known", "refused"]
    reason: str = ""
    event: ShopEvent | None = None
    text: str = ""


def take(session: Session, told: Sequence[Happening], *, now: datetime, today: date) -> list[Taken]:
    """Write what is new; one answer an event, in order. An event that cannot be taken refuses itself alone."""
    return [_take(session, one, now, today) for one in told]


def _take(session: Session, told: Happening, now: datetime, today: date) -> Taken:
    at = told.at or now
    at = at if at.tzinfo is None else at.astimezone(UTC).replace(tzinfo=None)
    # A shop whose data has ended lives on its own day; a clock may be a little fast.
    latest = max(now, datetime.combine(today, time.max)) + timedelta(minutes=10)
    if at > latest:
        return Taken("refused", f"The time {at.isoformat(timespec='seconds')} lies in the future.")
    member_id = resolve(session, told.member)
    if member_id is None:
        return Taken("refused", "No member, or more than one, is named by that.")
    product_id = _product(session, told.product_id)
    if product_id is None:
        return Taken("refused", f"There is no product {told.product_id[:60]}.")
    key = told.key or _content_key(told, member_id, at)
    if session.exec(select(ShopEvent.id).where(ShopEvent.key == key)).first() is not None:
        return Taken("known")
    cents = int((told.price or Decimal(0)) * 100 * told.quantity)
    event = ShopEvent(
        key=key,
        member_id=member_id,
        kind=told.kind,
        product_id=product_id,
        at=at,
        channel=told.channel,
        order_id=told.order_id,
        quantity=told.quantity,
        cents=cents,
    )
    session.add(event)
    if told.kind == "review" and not _reviewed(session, member_id, product_id, at.date()):
        session.add(Review(member_id=member_id, product_id=product_id, rating=told.rating or 3, text=told.text, written_on=at.date()))
    session.flush()
    return Taken("new", event=event, text=told.text)


def resolve(session: Session, who: Who) -> str | None:
    """The one member named; None for nobody, and for several, so that nobody is taken for another."""
    if who.member_id is not None:
        return who.member_id if session.get(Member, who.member_id) is not None else None
    value = (who.email or "").strip().lower() or "".join(c for c in who.phone or "" if c.isdigit())
    hashed = (who.email_sha256 or who.phone_sha256 or "").lower() or hashlib.sha256(value.encode()).hexdigest()
    kind = "email" if who.email or who.email_sha256 else "phone"
    found = session.exec(select(Contact.member_id).where(col(Contact.value_hash) == hashed, Contact.kind == kind).distinct().limit(2)).all()
    return found[0] if len(found) == 1 else None


def _product(session: Session, named: str) -> str | None:
    if session.get(Product, named) is not None:
        return named
    variant = session.get(Variant, named)
    return variant.product_id if variant else None


def _reviewed(session: Session, member_id: str, product_id: str, on: date) -> bool:
    query = select(Review.id).where(Review.member_id == member_id, Review.product_id == product_id, Review.written_on == on)
    return session.exec(query).first() is not None


def _content_key(told: Happening, member_id: str, at: datetime) -> str:
    parts = [told.kind, member_id, told.product_id, at.isoformat(), told.order_id or "", told.quantity, told.channel]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def check(count: int, most: int) -> None:
    """Raises BadInput for an empty or overlong batch."""
    if not 1 <= count <= most:
        raise BadInput(f"Send between 1 and {most:,} events at a time.")
