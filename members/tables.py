"""What does the shop know?

Every table of the record, in reading order: people, goods, orders, the club,
conversations, safety. Money is integer minor units (`_cents`); dates are the
shop's calendar days, instants are UTC. Rules live elsewhere.
"""

import hashlib
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

from pydantic import ConfigDict, NaiveDatetime
from sqlalchemy import JSON, BigInteger, Column, Index, Integer, UniqueConstraint
from sqlmodel import Field, SQLModel
from sqlmodel.sql.sqltypes import AutoString

# SQLite autoincrements only INTEGER; Postgres needs 64 bits for a large shop's lines.
_BIG = BigInteger().with_variant(Integer, "sqlite")


def now() -> datetime:
    """The present instant, for columns that record when a row was written."""
    return datetime.now(UTC).replace(tzinfo=None)


def new_id() -> str:
    """A random id that says nothing about how many there are."""
    return uuid4().hex


def _serial() -> Any:
    return Field(default=None, sa_column=Column(_BIG, primary_key=True, autoincrement=True))


def _json(default: type = dict) -> Any:
    return Field(default_factory=default, sa_column=Column(JSON, nullable=False))


# --- people -----------------------------------------------------------------------------


class Member(SQLModel, table=True):
    """A person of the club. `points` and `tier` are kept in step by the ledger and the replay.

    `left_on` is when they asked to leave, `erase_on` when nobody can take that back any more.
    """

    __tablename__ = "members"
    __table_args__ = (Index("ix_members_tier_city", "tier", "city"),)
    id: str = Field(primary_key=True)
    name: str = Field(default="", index=True)
    language: str = "en"
    birthday: date | None = None
    joined_on: date | None = None
    city: str = ""
    country: str = ""
    tier: str = Field(default="", index=True)
    tier_since: date | None = None
    points: int = 0
    left_on: date | None = None
    erase_on: date | None = None


def _hash_of_value(context: Any) -> str:
    return hashlib.sha256(str(context.get_current_parameters()["value"]).encode()).hexdigest()


class Contact(SQLModel, table=True):
    """A way to reach a member; `value` is normalised (lower case, digits only), `value_hash` its SHA-256, by which other channels name it."""

    __tablename__ = "contacts"
    __table_args__ = (UniqueConstraint("member_id", "kind", "value"), Index("ix_contacts_kind_value", "kind", "value"))
    id: int | None = _serial()
    member_id: str = Field(foreign_key="members.id")
    kind: str
    value: str
    value_hash: str | None = Field(default=None, sa_column=Column(AutoString, index=True, nullable=True, default=_hash_of_value))


class Address(SQLModel, table=True):
    """A place a member has parcels sent to."""

    __tablename__ = "addresses"
    id: int | None = _serial()
    member_id: str = Field(foreign_key="members.id", index=True)
    label: str = ""
    line1: str
    line2: str = ""
    city: str
    region: str = ""
    postcode: str = ""
    country: str = ""
    is_default: bool = False


class PaymentMethod(SQLModel, table=True):
    """How a member pays. Only the label and last four digits are kept, never a number."""

    __tablename__ = "payment_methods"
    id: str = Field(primary_key=True)
    member_id: str = Field(foreign_key="members.id", index=True)
    kind: str
    label: str = ""
    balance_cents: int | None = None


class Consent(SQLModel, table=True):
    """Whether a member may be addressed on a channel, and since when."""

    __tablename__ = "consents"
    __table_args__ = (UniqueConstraint("member_id", "channel"),)
    id: int | None = _serial()
    member_id: str = Field(foreign_key="members.id")
    channel: str
    granted: bool
    changed_on: date | None = None


# --- goods ------------------------------------------------------------------------------


class Product(SQLModel, table=True):
    """A thing the shop sells, described in one or two languages."""

    __tablename__ = "products"
    id: str = Field(primary_key=True)
    name_en: str = ""
    name_zh: str = ""
    description_en: str = ""
    description_zh: str = ""
    category: str = Field(default="", index=True)
    tags_en: list[str] = _json(list)
    tags_zh: list[str] = _json(list)
    warranty_months: int | None = None
    weight_g: int | None = None
    rating: float | None = None
    rating_count: int = 0
    listed_on: date | None = None


class Variant(SQLModel, table=True):
    """One buyable form of a product. `stock` is None where the shop only says available or not."""

    __tablename__ = "variants"
    id: str = Field(primary_key=True)
    product_id: str = Field(foreign_key="products.id", index=True)
    options_en: dict[str, str] = _json()
    options_zh: dict[str, str] = _json()
    price_cents: int
    stock: int | None = None
    available: bool = True


class Review(SQLModel, table=True):
    """What a buyer said about a product."""

    __tablename__ = "reviews"
    __table_args__ = (UniqueConstraint("member_id", "product_id", "written_on"),)
    id: int | None = _serial()
    member_id: str = Field(foreign_key="members.id", index=True)
    product_id: str = Field(foreign_key="products.id", index=True)
    rating: int
    text: str = ""
    written_on: date | None = None


class ShopEvent(SQLModel, table=True):
    """Something a member did in the shop, as one of its channels told it: a view, cart, review or order line.

    Waits here until training moves it to the lake; an order's lines wait until the order itself is in the record.
    `key` is the sender's own id of the event: told twice, it happened once.
    """

    __tablename__ = "shop_events"
    __table_args__ = (UniqueConstraint("key"), Index("ix_shop_events_member_at", "member_id", "at"))
    id: int | None = _serial()
    key: str
    member_id: str = Field(foreign_key="members.id")
    kind: str
    product_id: str = ""
    at: NaiveDatetime
    channel: str = ""
    order_id: str | None = Field(default=None, index=True)
    quantity: int = 1
    cents: int = 0


# --- orders -----------------------------------------------------------------------------


class Order(SQLModel, table=True):
    """A purchase. A guest's order has no member; a world without dates has no `ordered_at`."""

    __tablename__ = "orders"
    __table_args__ = (Index("ix_orders_member_at", "member_id", "ordered_at"),)
    id: str = Field(primary_key=True)
    member_id: str | None = Field(default=None, foreign_key="members.id")
    status: str
    ordered_at: NaiveDatetime | None = None
    promised_on: date | None = None
    shipped_on: date | None = None
    delivered_on: date | None = None
    cancelled_on: date | None = None
    cancel_reason: str = ""
    total_cents: int = 0
    discount_cents: int = 0
    shipping_cents: int = 0
    coupon_code: str = ""
    channel: str = ""
    ship_to: dict[str, str] = _json()
    tracking: list[str] = _json(list)
    items_changed: bool = False


class OrderLine(SQLModel, table=True):
    """One row of an order. `kind` is `product`, or `charge` for postage, fees and corrections."""

    __tablename__ = "order_lines"
    __table_args__ = (UniqueConstraint("order_id", "position"),)
    id: int | None = _serial()
    order_id: str = Field(foreign_key="orders.id")
    position: int
    product_id: str = Field(index=True)
    variant_id: str
    kind: str = "product"
    description: str = ""
    quantity: int
    unit_price_cents: int
    returned: int = 0


class ReturnLine(SQLModel, table=True):
    """Goods given back or cancelled. `line_id` is None when no order of theirs could be found."""

    __tablename__ = "return_lines"
    __table_args__ = (UniqueConstraint("credit_note", "position"),)
    id: int | None = _serial()
    credit_note: str
    position: int
    line_id: int | None = Field(default=None, foreign_key="order_lines.id", index=True)
    order_id: str | None = None
    member_id: str | None = Field(default=None, index=True)
    product_id: str
    quantity: int
    refund_cents: int
    returned_at: NaiveDatetime | None = None
    reason: str = ""


class Payment(SQLModel, table=True):
    """Money that moved for an order: `payment` to the shop or `refund` from it."""

    __tablename__ = "payments"
    __table_args__ = (UniqueConstraint("order_id", "key"),)
    id: int | None = _serial()
    order_id: str = Field(foreign_key="orders.id")
    kind: str
    amount_cents: int
    method_id: str | None = None
    method_label: str = ""
    booked_on: date | None = None
    key: str


class ReturnRequest(SQLModel, table=True):
    """A return or exchange that was agreed and waits for the parcel.

    `articles` are {line_id, quantity, variant_id, new_variant_id}; `difference_cents` is what the
    new variants cost more (negative: less). Money, points and stock move when the parcel is in.
    """

    __tablename__ = "return_requests"
    id: str = Field(primary_key=True)
    order_id: str = Field(foreign_key="orders.id", index=True)
    member_id: str = Field(foreign_key="members.id", index=True)
    kind: str
    articles: list[dict[str, Any]] = _json(list)
    method_id: str | None = None
    method_label: str = ""
    reason: str = ""
    difference_cents: int = 0
    label_cents: int = 0
    status: str = "open"
    requested_on: date
    closed_on: date | None = None


class OrderEvent(SQLModel, table=True):
    """One thing that happened to an order: when, what, and who did it for which reason."""

    __tablename__ = "order_events"
    id: int | None = _serial()
    order_id: str = Field(foreign_key="orders.id", index=True)
    member_id: str | None = Field(default=None, index=True)
    happened_on: date
    kind: str
    details: dict[str, Any] = _json()
    by_role: str = "member"
    by_account: str | None = None
    why: str = ""
    created_at: NaiveDatetime = Field(default_factory=now)


# --- the club ---------------------------------------------------------------------------


class PointsEntry(SQLModel, table=True):
    """One booking of points, never changed. Negative entries name the lot they draw from."""

    __tablename__ = "points_entries"
    __table_args__ = (UniqueConstraint("member_id", "key"), Index("ix_points_member_on", "member_id", "booked_on"))
    id: int | None = _serial()
    member_id: str = Field(foreign_key="members.id")
    kind: str
    points: int
    booked_on: date
    expires_on: date | None = None
    lot_id: int | None = Field(default=None, foreign_key="points_entries.id")
    order_id: str | None = None
    reason: str = ""
    key: str


class TierChange(SQLModel, table=True):
    """When a member's tier changed, from what, and why."""

    __tablename__ = "tier_changes"
    __table_args__ = (UniqueConstraint("member_id", "changed_on", "tier"),)
    id: int | None = _serial()
    member_id: str = Field(foreign_key="members.id")
    previous: str = ""
    tier: str
    changed_on: date
    reason: str = ""


class Coupon(SQLModel, table=True):
    """A discount a member may use once."""

    __tablename__ = "coupons"
    code: str = Field(primary_key=True)
    member_id: str | None = Field(default=None, foreign_key="members.id", index=True)
    kind: str
    value: int
    minimum_cents: int = 0
    category: str = ""
    starts_on: date | None = None
    ends_on: date | None = None
    used_order_id: str | None = None
    campaign_id: str = ""


class Audience(SQLModel, table=True):
    """A named group of members by its conditions, one row a version; who is in it is worked out when it is used."""

    __tablename__ = "audiences"
    id: str = Field(primary_key=True)
    version: int = Field(primary_key=True)
    name: str = Field(index=True)
    conditions: dict[str, Any] = _json()
    channel: str = ""
    made_by: str = ""
    made_at: NaiveDatetime = Field(default_factory=now)


class Campaign(SQLModel, table=True):
    """A message the shop sent, or means to send, to an audience.

    `status` is draft, sent or stopped. `variants` are {key, subject, preheader, text}, `offer` {kind, value, …},
    `expected` what was predicted before sending. `budget_cents` is the most the offer may cost.
    """

    __tablename__ = "campaigns"
    id: str = Field(primary_key=True)
    name_en: str
    name_zh: str = ""
    channel: str
    offer: dict[str, Any] = _json()
    sent_on: date | None = None
    status: str = "sent"
    language: str = ""
    audience_id: str = ""
    audience_version: int = 0
    variants: list[dict[str, Any]] = _json(list)
    holdout_percent: int = 0
    budget_cents: int | None = None
    expected: dict[str, Any] = _json()
    send_from: NaiveDatetime | None = None
    made_by: str = ""
    made_at: NaiveDatetime | None = None


class CampaignMember(SQLModel, table=True):
    """Who was in a campaign, in which arm and variant, the stratum they were drawn in, what was predicted of them, and whether they opened it."""

    __tablename__ = "campaign_members"
    campaign_id: str = Field(primary_key=True, foreign_key="campaigns.id")
    member_id: str = Field(primary_key=True, foreign_key="members.id", index=True)
    arm: str
    opened: bool = False
    variant: str = ""
    stratum: str = ""
    predicted: float | None = None


class Outgoing(SQLModel, table=True):
    """One message on its way to one member: `status` is waiting, delivered, failed or stopped. A campaign writes to a member once."""

    __tablename__ = "outbox"
    __table_args__ = (UniqueConstraint("campaign_id", "member_id"), Index("ix_outbox_status_at", "status", "send_at"))
    id: int | None = _serial()
    campaign_id: str = Field(foreign_key="campaigns.id")
    member_id: str = Field(foreign_key="members.id", index=True)
    channel: str
    subject: str = ""
    text: str
    send_at: NaiveDatetime
    status: str = "waiting"
    tries: int = 0
    delivered_at: NaiveDatetime | None = None


class ProgramVersion(SQLModel, table=True):
    """A rule book that was adopted, and from which day it counts. Never changed; the newest for a day is in force."""

    __tablename__ = "program_versions"
    version: str = Field(primary_key=True)
    starts_on: date = Field(index=True)
    rules: dict[str, Any] = _json()
    changes: list[dict[str, Any]] = _json(list)
    why: str = ""
    adopted_by: str = ""
    adopted_at: NaiveDatetime = Field(default_factory=now)


class Ticket(SQLModel, table=True):
    """A matter a person must look at.

    `cause` is its kind, `facts` what the assistant gathered, `assignee` the account of who took it.
    Priority 1 is looked at first, 4 last.
    """

    __tablename__ = "tickets"
    id: str = Field(primary_key=True)
    member_id: str = Field(foreign_key="members.id", index=True)
    subject: str
    body: str = ""
    cause: str = ""
    status: str = "open"
    priority: int = 2
    order_id: str | None = None
    conversation_id: str | None = Field(default=None, index=True)
    facts: dict[str, Any] = _json()
    next_step: str = ""
    assignee: str | None = None
    assignee_name: str = ""
    opened_at: NaiveDatetime
    taken_at: NaiveDatetime | None = None
    closed_at: NaiveDatetime | None = None
    closed_because: str = ""


# --- what the models say ------------------------------------------------------------------


class MemberScore(SQLModel, table=True):
    """What the models say of a member as of a day; the newest only.

    `churn` is the chance of no order in 90 days, `value_cents` what they are expected to spend in the next 365
    days with the bounds of an 80% interval, `value_90_cents` in the next 90. `reasons` holds for each score what
    drives it, `flags` what a person should look at.
    """

    __tablename__ = "member_scores"
    member_id: str = Field(primary_key=True, foreign_key="members.id")
    as_of: date
    version: str
    churn: float | None = Field(default=None, index=True)
    value_cents: int | None = Field(default=None, index=True)
    value_low_cents: int | None = None
    value_high_cents: int | None = None
    value_90_cents: int | None = None
    next_order_on: date | None = None
    next_tier: str = ""
    next_tier_chance: float | None = None
    segment: str = Field(default="", index=True)
    reasons: dict[str, Any] = _json()
    flags: list[dict[str, Any]] = _json(list)
    scored_at: NaiveDatetime = Field(default_factory=now)


class MemberTaste(SQLModel, table=True):
    """The time-decayed sum of the vectors of what a member bought, viewed and wrote, as of its newest event.

    `vector` holds little-endian 32-bit floats, one a dimension; the mean is the sum over `weight`.
    """

    __tablename__ = "member_tastes"
    # An export must be JSON: bytes go out as base64.
    model_config = ConfigDict(ser_json_bytes="base64")  # type: ignore[assignment]
    member_id: str = Field(primary_key=True, foreign_key="members.id")
    vectors: str
    vector: bytes
    weight: float
    at: NaiveDatetime


# --- conversations and safety -----------------------------------------------------------


class Account(SQLModel, table=True):
    """A login. Passwords are argon2id hashes; `epoch` rises to end every session at once."""

    __tablename__ = "accounts"
    id: str = Field(default_factory=new_id, primary_key=True)
    login: str = Field(unique=True)
    password_hash: str
    role: str
    member_id: str | None = Field(default=None, foreign_key="members.id")
    disabled: bool = False
    epoch: int = 0
    created_at: NaiveDatetime = Field(default_factory=now)


class Conversation(SQLModel, table=True):
    """A thread of one account's chat; it belongs to that account alone.

    While `held_by` names a colleague's account, that person answers and no model does.
    """

    __tablename__ = "conversations"
    __table_args__ = (Index("ix_conversations_account", "account_id", "updated_at"),)
    id: str = Field(default_factory=new_id, primary_key=True)
    account_id: str = Field(foreign_key="accounts.id")
    member_id: str | None = None
    title: str = ""
    language: str = ""
    held_by: str | None = None
    held_name: str = ""
    created_at: NaiveDatetime = Field(default_factory=now)
    updated_at: NaiveDatetime = Field(default_factory=now)


class Message(SQLModel, table=True):
    """One message of a thread. `kind` is human, ai, tool or staff; calls and results are kept whole."""

    __tablename__ = "messages"
    __table_args__ = (UniqueConstraint("conversation_id", "position"),)
    id: int | None = _serial()
    conversation_id: str = Field(foreign_key="conversations.id")
    position: int
    kind: str
    content: str = ""
    calls: list[dict[str, Any]] = _json(list)
    call_id: str = ""
    tool: str = ""
    extras: dict[str, Any] = _json()
    created_at: NaiveDatetime = Field(default_factory=now)


class Approval(SQLModel, table=True):
    """A write frozen until its own caller says yes: single use, bound to its arguments.

    `status` is open, used, declined, refused, retired, or `second` while another person's yes is needed.
    """

    __tablename__ = "approvals"
    __table_args__ = (Index("ix_approvals_thread", "conversation_id", "status"),)
    id: str = Field(default_factory=new_id, primary_key=True)
    account_id: str = Field(foreign_key="accounts.id")
    member_id: str | None = None
    conversation_id: str
    tool: str
    arguments: dict[str, Any] = _json()
    digest: str
    card: dict[str, Any] = _json()
    status: str = "open"
    created_at: NaiveDatetime
    expires_at: NaiveDatetime
    decided_at: NaiveDatetime | None = None
    second_by: str | None = None
    result: dict[str, Any] = _json()


class AuditEntry(SQLModel, table=True):
    """One call of a tool, allowed or not: ids and outcome, never what was said."""

    __tablename__ = "audit"
    __table_args__ = (Index("ix_audit_account", "account_id", "at"),)
    id: int | None = _serial()
    at: NaiveDatetime = Field(default_factory=now)
    account_id: str
    role: str
    member_id: str | None = None
    conversation_id: str = ""
    tool: str
    digest: str = ""
    outcome: str
    detail: str = ""
    milliseconds: int = 0


class ImportRun(SQLModel, table=True):
    """One import that was carried through, with its sums."""

    __tablename__ = "imports"
    id: int | None = _serial()
    at: NaiveDatetime = Field(default_factory=now)
    source: str
    layout: str
    read: int
    accepted: int
    rejected: int
    duplicates: int
