"""What a code of the doctor says: where, how bad, what it means and what to do."""

from dataclasses import dataclass
from enum import StrEnum


class Part(StrEnum):
    """What a finding is about; the groups in which they are told."""

    MAPPING = "mapping"
    PAYMENTS = "payments"
    REFUNDS = "refunds"
    ADMIN = "admin"
    OPERATION = "operation"


class Severity(StrEnum):
    """How bad a finding is; a note leaves the exit status 0."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, kw_only=True)
class Code:
    """What a code means. ``rows`` are those that it is counted among.

    One ``by_share`` is a note while it is about few of them: what a tenth or more have is most
    likely a mistake in the mapping, what few have in the rows.
    """

    part: Part
    severity: Severity
    what: str
    remedy: str
    rows: str = ""
    by_share: bool = False
