"""What faults leave to remember: gateways that do not answer, workers, and what waits for people.

Types are spelled out here rather than imported: a script must not change when the models do.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

INNODB = {"mysql_engine": "InnoDB", "mysql_default_charset": "utf8mb4"}


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
    """Add them."""
    op.create_table(
        "refunds_gateway",
        sa.Column("name", exact(64), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(255), nullable=False),
        sa.Column("opened_at", moment(), nullable=True),
        sa.Column("probe_at", moment(), nullable=True),
        sa.Column("probes", sa.Integer(), nullable=False),
        sa.Column("synced_until", moment(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_refunds_gateway")),
        **INNODB,
    )
    op.create_table(
        "refunds_worker",
        sa.Column("id", exact(64), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("pid", sa.BigInteger(), nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("started_at", moment(), nullable=False),
        sa.Column("seen_at", moment(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_refunds_worker")),
        **INNODB,
    )
    op.add_column(
        "refunds_refund", sa.Column("source", exact(64), nullable=False, server_default="shop")
    )
    op.add_column("refunds_transfer", sa.Column("waiting_since", moment(), nullable=True))
    op.create_index("ix_refunds_transfer_waiting_since", "refunds_transfer", ["waiting_since"])
    op.add_column(
        "refunds_transfer",
        sa.Column("certain_before", sa.Integer(), nullable=False, server_default="0"),
    )
    op.add_column("refunds_transfer", sa.Column("dispute_accepted_at", moment(), nullable=True))


def downgrade() -> None:
    """Take them away, with what they remember."""
    op.drop_index("ix_refunds_transfer_waiting_since", "refunds_transfer")
    for column in ("dispute_accepted_at", "certain_before", "waiting_since"):
        op.drop_column("refunds_transfer", column)
    op.drop_column("refunds_refund", "source")
    op.drop_table("refunds_worker")
    op.drop_table("refunds_gateway")
