"""what the models say: shop events, scores, tastes, and contacts found by their hash"""

import hashlib

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TEXT = sqlmodel.sql.sqltypes.AutoString()
_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_AT_ONCE = 10_000


def upgrade() -> None:
    op.create_table(
        "shop_events",
        sa.Column("id", _SERIAL, primary_key=True, autoincrement=True),
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("member_id", _TEXT, sa.ForeignKey("members.id"), nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("product_id", _TEXT, nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
        sa.Column("channel", _TEXT, nullable=False),
        sa.Column("order_id", _TEXT, nullable=True),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("cents", sa.Integer(), nullable=False),
        sa.UniqueConstraint("key"),
    )
    op.create_index("ix_shop_events_member_at", "shop_events", ["member_id", "at"])
    op.create_index("ix_shop_events_order_id", "shop_events", ["order_id"])
    op.create_table(
        "member_scores",
        sa.Column("member_id", _TEXT, sa.ForeignKey("members.id"), primary_key=True),
        sa.Column("as_of", sa.Date(), nullable=False),
        sa.Column("version", _TEXT, nullable=False),
        sa.Column("churn", sa.Float(), nullable=True),
        *(sa.Column(name, sa.Integer(), nullable=True) for name in ("value_cents", "value_low_cents", "value_high_cents", "value_90_cents")),
        sa.Column("next_order_on", sa.Date(), nullable=True),
        sa.Column("next_tier", _TEXT, nullable=False),
        sa.Column("next_tier_chance", sa.Float(), nullable=True),
        sa.Column("segment", _TEXT, nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("flags", sa.JSON(), nullable=False),
        sa.Column("scored_at", sa.DateTime(), nullable=False),
    )
    for name in ("churn", "value_cents", "segment"):
        op.create_index(f"ix_member_scores_{name}", "member_scores", [name])
    op.create_table(
        "member_tastes",
        sa.Column("member_id", _TEXT, sa.ForeignKey("members.id"), primary_key=True),
        sa.Column("vectors", _TEXT, nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("at", sa.DateTime(), nullable=False),
    )
    op.add_column("contacts", sa.Column("value_hash", _TEXT, nullable=True))
    _hash_contacts()
    op.create_index("ix_contacts_value_hash", "contacts", ["value_hash"])


def _hash_contacts() -> None:
    connection, last = op.get_bind(), 0
    contacts = sa.table("contacts", sa.column("id", sa.BigInteger), sa.column("value", sa.String), sa.column("value_hash", sa.String))
    while rows := connection.execute(sa.select(contacts.c.id, contacts.c.value).where(contacts.c.id > last).order_by(contacts.c.id).limit(_AT_ONCE)).all():
        hashed = [{"row": number, "hash": hashlib.sha256(value.encode()).hexdigest()} for number, value in rows]
        connection.execute(sa.update(contacts).where(contacts.c.id == sa.bindparam("row")).values(value_hash=sa.bindparam("hash")), hashed)
        last = rows[-1][0]


def downgrade() -> None:
    op.drop_index("ix_contacts_value_hash", "contacts")
    op.drop_column("contacts", "value_hash")
    for table in ("member_tastes", "member_scores", "shop_events"):
        op.drop_table(table)
