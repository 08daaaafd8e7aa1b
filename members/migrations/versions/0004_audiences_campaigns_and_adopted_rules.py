"""audiences, campaigns with holdout and outbox, adopted rule books"""

import sqlalchemy as sa
import sqlmodel
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TEXT = sqlmodel.sql.sqltypes.AutoString()
_SERIAL = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "audiences",
        sa.Column("id", _TEXT, primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("conditions", sa.JSON(), nullable=False),
        sa.Column("channel", _TEXT, nullable=False),
        sa.Column("made_by", _TEXT, nullable=False),
        sa.Column("made_at", sa.DateTime(), nullable=False),
    )
    op.create_index("ix_audiences_name", "audiences", ["name"])
    for column in (
        sa.Column("status", _TEXT, nullable=False, server_default="sent"),
        sa.Column("language", _TEXT, nullable=False, server_default=""),
        sa.Column("audience_id", _TEXT, nullable=False, server_default=""),
        sa.Column("audience_version", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("variants", sa.JSON(), nullable=False, server_default="[]"),
        sa.Column("holdout_percent", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("budget_cents", sa.Integer(), nullable=True),
        sa.Column("expected", sa.JSON(), nullable=False, server_default="{}"),
        sa.Column("send_from", sa.DateTime(), nullable=True),
        sa.Column("made_by", _TEXT, nullable=False, server_default=""),
        sa.Column("made_at", sa.DateTime(), nullable=True),
    ):
        op.add_column("campaigns", column)
    for column in (
        sa.Column("variant", _TEXT, nullable=False, server_default=""),
        sa.Column("stratum", _TEXT, nullable=False, server_default=""),
        sa.Column("predicted", sa.Float(), nullable=True),
    ):
        op.add_column("campaign_members", column)
    op.create_table(
        "outbox",
        sa.Column("id", _SERIAL, primary_key=True, autoincrement=True),
        sa.Column("campaign_id", _TEXT, sa.ForeignKey("campaigns.id"), nullable=False),
        sa.Column("member_id", _TEXT, sa.ForeignKey("members.id"), nullable=False),
        sa.Column("channel", _TEXT, nullable=False),
        sa.Column("subject", _TEXT, nullable=False),
        sa.Column("text", _TEXT, nullable=False),
        sa.Column("send_at", sa.DateTime(), nullable=False),
        sa.Column("status", _TEXT, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("delivered_at", sa.DateTime(), nullable=True),
        sa.UniqueConstraint("campaign_id", "member_id"),
    )
    op.create_index("ix_outbox_status_at", "outbox", ["status", "send_at"])
    op.create_index("ix_outbox_member_id", "outbox", ["member_id"])
    op.create_table(
        "program_versions",
        sa.Column("version", _TEXT, primary_key=True),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("changes", sa.JSON(), nullable=False),
        sa.Column("why", _TEXT, nullable=False),
        sa.Column("adopted_by", _TEXT, nullable=False),
        sa.Column("adopted_at", sa.DateTime(), nullable=False),
    )
    op.create_index("ix_program_versions_starts_on", "program_versions", ["starts_on"])


def downgrade() -> None:
    op.drop_table("program_versions")
    op.drop_table("outbox")
    for name in ("predicted", "stratum", "variant"):
        op.drop_column("campaign_members", name)
    for name in ("made_at", "made_by", "send_from", "expected", "budget_cents", "holdout_percent", "variants", "audience_version", "audience_id", "language", "status"):
        op.drop_column("campaigns", name)
    op.drop_table("audiences")
