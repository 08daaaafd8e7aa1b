"""service in depth: returns, timeline, tickets in a desk's hands, a second person's yes"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TEXT = sqlmodel.sql.sqltypes.AutoString()
_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_EMPTY = sa.text("''")


def upgrade() -> None:
    _add("members", sa.Column("erase_on", sa.Date(), nullable=True))
    _add("orders", sa.Column("items_changed", sa.Boolean(), nullable=False, server_default=sa.false()))
    _add(
        "tickets",
        sa.Column("facts", sa.JSON(), nullable=False, server_default=sa.text("'{}'")),
        sa.Column("next_step", _TEXT, nullable=False, server_default=_EMPTY),
        sa.Column("assignee", _TEXT, nullable=True),
        sa.Column("assignee_name", _TEXT, nullable=False, server_default=_EMPTY),
        sa.Column("taken_at", sa.DateTime(), nullable=True),
        sa.Column("closed_because", _TEXT, nullable=False, server_default=_EMPTY),
    )
    op.create_index("ix_tickets_conversation_id", "tickets", ["conversation_id"])
    _add("conversations", sa.Column("held_by", _TEXT, nullable=True), sa.Column("held_name", _TEXT, nullable=False, server_default=_EMPTY))
    _add("approvals", sa.Column("second_by", _TEXT, nullable=True))
    op.create_table(
        "return_requests",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("order_id", _TEXT, sa.ForeignKey("orders.id"), nullable=False),
        sa.Column("member_id", _TEXT, sa.ForeignKey("members.id"), nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("articles", sa.JSON(), nullable=False),
        sa.Column("method_id", _TEXT, nullable=True),
        sa.Column("method_label", _TEXT, nullable=False),
        sa.Column("reason", _TEXT, nullable=False),
        sa.Column("difference_cents", sa.Integer(), nullable=False),
        sa.Column("label_cents", sa.Integer(), nullable=False),
        sa.Column("status", _TEXT, nullable=False),
        sa.Column("requested_on", sa.Date(), nullable=False),
        sa.Column("closed_on", sa.Date(), nullable=True),
    )
    op.create_index("ix_return_requests_order_id", "return_requests", ["order_id"])
    op.create_index("ix_return_requests_member_id", "return_requests", ["member_id"])
    op.create_table(
        "order_events",
        sa.Column("id", _SERIAL, primary_key=True, autoincrement=True),
        sa.Column("order_id", _TEXT, sa.ForeignKey("orders.id"), nullable=False),
        sa.Column("member_id", _TEXT, nullable=True),
        sa.Column("happened_on", sa.Date(), nullable=False),
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("by_role", _TEXT, nullable=False),
        sa.Column("by_account", _TEXT, nullable=True),
        sa.Column("why", _TEXT, nullable=False),
        sa.Column("created_at", sa.DateTime(), nullable=False),
    )
    op.create_index("ix_order_events_order_id", "order_events", ["order_id"])
    op.create_index("ix_order_events_member_id", "order_events", ["member_id"])


def downgrade() -> None:
    op.drop_table("order_events")
    op.drop_table("return_requests")
    op.drop_index("ix_tickets_conversation_id", "tickets")
    for table, names in (
        ("approvals", ("second_by",)),
        ("conversations", ("held_by", "held_name")),
        ("tickets", ("facts", "next_step", "assignee", "assignee_name", "taken_at", "closed_because")),
        ("orders", ("items_changed",)),
        ("members", ("erase_on",)),
    ):
        # Not as a batch: SQLite would make the table anew, and others refer to it.
        for name in names:
            op.drop_column(table, name)


def _add(table: str, *columns: sa.Column) -> None:  # type: ignore[type-arg]
    for column in columns:
        op.add_column(table, column)
