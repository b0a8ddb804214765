"""The first tables: accounts, refunds, transfers, the audit trail and the ledger.

Types are spelled out here rather than imported: a script must not change when the models do.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Foreign keys and transactions need InnoDB; a shop's database may default to another charset.
INNODB = {"mysql_engine": "InnoDB", "mysql_default_charset": "utf8mb4"}


def key() -> TypeEngine[Any]:
    """Return the type of a counted key and of what refers to it; SQLite counts INTEGER keys only."""
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def exact(length: int) -> TypeEngine[Any]:
    """Return a text that compares byte by byte on MariaDB too."""
    binary = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(binary, "mysql", "mariadb")


def moment() -> TypeEngine[Any]:
    """Return a UTC time with microseconds."""
    return (
        sa.DateTime()
        .with_variant(sa.DateTime(timezone=True), "postgresql")
        .with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
    )


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "refunds_account",
        sa.Column("order_ref", exact(190), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("paid", sa.BigInteger(), nullable=False),
        sa.Column("captured", sa.BigInteger(), nullable=False),
        sa.Column("prior", sa.BigInteger(), nullable=False),
        sa.Column("committed", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("committed >= 0", name=op.f("ck_refunds_account_committed")),
        sa.CheckConstraint("prior + committed <= paid", name=op.f("ck_refunds_account_balance")),
        sa.CheckConstraint("prior >= 0", name=op.f("ck_refunds_account_prior")),
        sa.PrimaryKeyConstraint("order_ref", name=op.f("pk_refunds_account")),
        **INNODB,
    )
    op.create_table(
        "refunds_refund",
        sa.Column("id", key(), nullable=False),
        sa.Column("order_ref", exact(190), nullable=False),
        sa.Column("order_number", exact(190), nullable=False),
        sa.Column("order_placed_at", moment(), nullable=False),
        sa.Column("customer_ref", exact(190), nullable=True),
        sa.Column("customer_name", sa.String(255), nullable=False),
        sa.Column("customer_email", sa.String(255), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("tax", sa.BigInteger(), nullable=False),
        sa.Column("reason", exact(64), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("actor_id", exact(190), nullable=False),
        sa.Column("actor_label", sa.String(255), nullable=False),
        sa.Column("token", exact(64), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("state", sa.String(32), nullable=False),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("completed_at", moment(), nullable=True),
        sa.CheckConstraint(
            "state IN ('started', 'processing', 'partly_completed', 'completed', 'partly_failed', 'failed', 'reversed')",
            name=op.f("ck_refunds_refund_state"),
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_refunds_refund_amount")),
        sa.ForeignKeyConstraint(
            ["order_ref"], ["refunds_account.order_ref"], name=op.f("fk_refunds_refund_order_ref")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds_refund")),
        sa.UniqueConstraint("token", name=op.f("uq_refunds_refund_token")),
        **INNODB,
    )
    op.create_index("ix_refunds_refund_created_at", "refunds_refund", ["created_at", "id"])
    op.create_index("ix_refunds_refund_customer_ref", "refunds_refund", ["customer_ref"])
    op.create_index("ix_refunds_refund_order_ref", "refunds_refund", ["order_ref"])
    op.create_index("ix_refunds_refund_state", "refunds_refund", ["state", "created_at", "id"])
    op.create_table(
        "refunds_line",
        sa.Column("id", key(), nullable=False),
        sa.Column("refund_id", key(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("line_ref", exact(190), nullable=False),
        sa.Column("sku", sa.String(190), nullable=False),
        sa.Column("description", sa.String(500), nullable=False),
        sa.Column("dimensions", sa.JSON(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("list_price", sa.BigInteger(), nullable=False),
        sa.Column("discount", sa.BigInteger(), nullable=False),
        sa.Column("tax", sa.BigInteger(), nullable=False),
        sa.Column("paid", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("kind = 'adjustment' OR paid >= 0", name=op.f("ck_refunds_line_paid")),
        sa.CheckConstraint(
            "kind IN ('line', 'row', 'adjustment')", name=op.f("ck_refunds_line_kind")
        ),
        sa.CheckConstraint("quantity >= 0", name=op.f("ck_refunds_line_quantity")),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refunds_refund.id"], name=op.f("fk_refunds_line_refund_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds_line")),
        sa.UniqueConstraint(
            "refund_id", "kind", "line_ref", name=op.f("uq_refunds_line_refund_id_kind_line_ref")
        ),
        **INNODB,
    )
    op.create_index("ix_refunds_line_refund_id", "refunds_line", ["refund_id"])
    op.create_table(
        "refunds_transfer",
        sa.Column("id", key(), nullable=False),
        sa.Column("refund_id", key(), nullable=False),
        sa.Column("order_ref", exact(190), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("detail", exact(64), nullable=False),
        sa.Column("replaces_id", key(), nullable=True),
        sa.Column("gateway", exact(64), nullable=True),
        sa.Column("payment_ref", exact(190), nullable=True),
        sa.Column("charge_id", exact(190), nullable=True),
        sa.Column("card_label", sa.String(190), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("request_key", exact(64), nullable=True),
        sa.Column("reference", exact(64), nullable=True),
        sa.Column("operation", sa.String(16), nullable=True),
        sa.Column("other_kind", exact(64), nullable=True),
        sa.Column("other_reference", sa.String(255), nullable=False),
        sa.Column("claim_token", exact(64), nullable=True),
        sa.Column("lease_until", moment(), nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", moment(), nullable=True),
        sa.Column("poll_at", moment(), nullable=True),
        sa.Column("polls", sa.Integer(), nullable=False),
        sa.Column("gateway_refund_id", exact(190), nullable=True),
        sa.Column("gateway_status", exact(64), nullable=True),
        sa.Column("gateway_at", moment(), nullable=True),
        sa.Column("failure_code", exact(64), nullable=True),
        sa.Column("failure_message", sa.Text(), nullable=True),
        sa.Column("created_at", moment(), nullable=False),
        sa.Column("completed_at", moment(), nullable=True),
        sa.Column("failed_at", moment(), nullable=True),
        sa.Column("settled_at", moment(), nullable=True),
        sa.CheckConstraint(
            "claim_token IS NULL OR state = 'processing'", name=op.f("ck_refunds_transfer_claimed")
        ),
        sa.CheckConstraint(
            "method <> 'card' OR (gateway IS NOT NULL AND charge_id IS NOT NULL AND request_key IS NOT NULL AND reference IS NOT NULL)",
            name=op.f("ck_refunds_transfer_card"),
        ),
        sa.CheckConstraint(
            "method <> 'other' OR other_kind IS NOT NULL", name=op.f("ck_refunds_transfer_other")
        ),
        sa.CheckConstraint("method IN ('card', 'other')", name=op.f("ck_refunds_transfer_method")),
        sa.CheckConstraint(
            "state IN ('started', 'processing', 'completed', 'failed', 'reversed')",
            name=op.f("ck_refunds_transfer_state"),
        ),
        sa.CheckConstraint(
            "(claim_token IS NULL) = (lease_until IS NULL)", name=op.f("ck_refunds_transfer_claim")
        ),
        sa.CheckConstraint("amount > 0", name=op.f("ck_refunds_transfer_amount")),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refunds_refund.id"], name=op.f("fk_refunds_transfer_refund_id")
        ),
        sa.ForeignKeyConstraint(
            ["replaces_id"], ["refunds_transfer.id"], name=op.f("fk_refunds_transfer_replaces_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds_transfer")),
        sa.UniqueConstraint("reference", name=op.f("uq_refunds_transfer_reference")),
        sa.UniqueConstraint("replaces_id", name=op.f("uq_refunds_transfer_replaces_id")),
        sa.UniqueConstraint("request_key", name=op.f("uq_refunds_transfer_request_key")),
        **INNODB,
    )
    op.create_index("ix_refunds_transfer_charge_id", "refunds_transfer", ["charge_id"])
    op.create_index(
        "ix_refunds_transfer_gateway_refund_id", "refunds_transfer", ["gateway_refund_id"]
    )
    op.create_index("ix_refunds_transfer_poll_at", "refunds_transfer", ["poll_at"])
    op.create_index("ix_refunds_transfer_refund_id", "refunds_transfer", ["refund_id"])
    op.create_index("ix_refunds_transfer_state", "refunds_transfer", ["state", "next_attempt_at"])
    op.create_table(
        "refunds_allocation",
        sa.Column("transfer_id", key(), nullable=False),
        sa.Column("line_id", key(), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("list_price", sa.BigInteger(), nullable=False),
        sa.Column("discount", sa.BigInteger(), nullable=False),
        sa.Column("tax", sa.BigInteger(), nullable=False),
        sa.Column("paid", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["line_id"], ["refunds_line.id"], name=op.f("fk_refunds_allocation_line_id")
        ),
        sa.ForeignKeyConstraint(
            ["transfer_id"], ["refunds_transfer.id"], name=op.f("fk_refunds_allocation_transfer_id")
        ),
        sa.PrimaryKeyConstraint("transfer_id", "line_id", name=op.f("pk_refunds_allocation")),
        **INNODB,
    )
    op.create_index("ix_refunds_allocation_line_id", "refunds_allocation", ["line_id"])
    op.create_table(
        "refunds_attempt",
        sa.Column("id", key(), nullable=False),
        sa.Column("transfer_id", key(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("claim_token", exact(64), nullable=False),
        sa.Column("request_key", exact(64), nullable=False),
        sa.Column("reference", exact(64), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("operation", sa.String(16), nullable=True),
        sa.Column("started_at", moment(), nullable=False),
        sa.Column("called_at", moment(), nullable=True),
        sa.Column("finished_at", moment(), nullable=True),
        sa.Column("outcome", sa.String(32), nullable=True),
        sa.Column("gateway_refund_id", exact(190), nullable=True),
        sa.Column("gateway_status", exact(64), nullable=True),
        sa.Column("code", exact(64), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "(outcome IS NULL) = (finished_at IS NULL)", name=op.f("ck_refunds_attempt_outcome")
        ),
        sa.ForeignKeyConstraint(
            ["transfer_id"], ["refunds_transfer.id"], name=op.f("fk_refunds_attempt_transfer_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds_attempt")),
        sa.UniqueConstraint("claim_token", name=op.f("uq_refunds_attempt_claim_token")),
        **INNODB,
    )
    op.create_index("ix_refunds_attempt_transfer_id", "refunds_attempt", ["transfer_id"])
    op.create_table(
        "refunds_event",
        sa.Column("id", key(), nullable=False),
        sa.Column("refund_id", key(), nullable=False),
        sa.Column("transfer_id", key(), nullable=True),
        sa.Column("at", moment(), nullable=False),
        sa.Column("action", exact(64), nullable=False),
        sa.Column("before", sa.String(32), nullable=True),
        sa.Column("after", sa.String(32), nullable=True),
        sa.Column("actor_id", exact(190), nullable=False),
        sa.Column("actor_label", sa.String(255), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refunds_refund.id"], name=op.f("fk_refunds_event_refund_id")
        ),
        sa.ForeignKeyConstraint(
            ["transfer_id"], ["refunds_transfer.id"], name=op.f("fk_refunds_event_transfer_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds_event")),
        **INNODB,
    )
    op.create_index("ix_refunds_event_refund_id", "refunds_event", ["refund_id", "id"])
    op.create_table(
        "refunds_posting",
        sa.Column("id", key(), nullable=False),
        sa.Column("entry", sa.String(16), nullable=False),
        sa.Column("reverses_id", key(), nullable=True),
        sa.Column("posted_at", moment(), nullable=False),
        sa.Column("gateway_at", moment(), nullable=True),
        sa.Column("refund_id", key(), nullable=False),
        sa.Column("transfer_id", key(), nullable=False),
        sa.Column("line_id", key(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("order_ref", exact(190), nullable=False),
        sa.Column("order_number", exact(190), nullable=False),
        sa.Column("order_placed_at", moment(), nullable=False),
        sa.Column("customer_ref", exact(190), nullable=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("line_ref", exact(190), nullable=False),
        sa.Column("sku", sa.String(190), nullable=False),
        sa.Column("description", sa.String(500), nullable=False),
        sa.Column("dimensions", sa.JSON(), nullable=False),
        sa.Column("method", sa.String(16), nullable=False),
        sa.Column("operation", sa.String(16), nullable=False),
        sa.Column("gateway", exact(64), nullable=True),
        sa.Column("gateway_refund_id", exact(190), nullable=True),
        sa.Column("reason", exact(64), nullable=False),
        sa.Column("actor_label", sa.String(255), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("quantity", sa.BigInteger(), nullable=False),
        sa.Column("list_price", sa.BigInteger(), nullable=False),
        sa.Column("discount", sa.BigInteger(), nullable=False),
        sa.Column("tax", sa.BigInteger(), nullable=False),
        sa.Column("paid", sa.BigInteger(), nullable=False),
        sa.CheckConstraint(
            "(entry = 'reversal') = (reverses_id IS NOT NULL)",
            name=op.f("ck_refunds_posting_reverses"),
        ),
        sa.CheckConstraint(
            "entry IN ('refund', 'reversal')", name=op.f("ck_refunds_posting_entry")
        ),
        sa.ForeignKeyConstraint(
            ["line_id"], ["refunds_line.id"], name=op.f("fk_refunds_posting_line_id")
        ),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refunds_refund.id"], name=op.f("fk_refunds_posting_refund_id")
        ),
        sa.ForeignKeyConstraint(
            ["reverses_id"], ["refunds_posting.id"], name=op.f("fk_refunds_posting_reverses_id")
        ),
        sa.ForeignKeyConstraint(
            ["transfer_id"], ["refunds_transfer.id"], name=op.f("fk_refunds_posting_transfer_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds_posting")),
        sa.UniqueConstraint("reverses_id", name=op.f("uq_refunds_posting_reverses_id")),
        sa.UniqueConstraint(
            "transfer_id",
            "line_id",
            "generation",
            "entry",
            name=op.f("uq_refunds_posting_transfer_id_line_id_generation_entry"),
        ),
        **INNODB,
    )
    op.create_index("ix_refunds_posting_line_ref", "refunds_posting", ["line_ref"])
    op.create_index("ix_refunds_posting_order_placed_at", "refunds_posting", ["order_placed_at"])
    op.create_index("ix_refunds_posting_posted_at", "refunds_posting", ["posted_at", "id"])
    op.create_index("ix_refunds_posting_refund_id", "refunds_posting", ["refund_id"])


def downgrade() -> None:
    """Drop the tables with all that they hold."""
    op.drop_table("refunds_posting")
    op.drop_table("refunds_event")
    op.drop_table("refunds_attempt")
    op.drop_table("refunds_allocation")
    op.drop_table("refunds_transfer")
    op.drop_table("refunds_line")
    op.drop_table("refunds_refund")
    op.drop_table("refunds_account")
