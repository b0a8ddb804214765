"""Who may give the kiosk's money back, since its admin is open to more people than may."""

from flask_refunds import Actor
from tests.hosts.guest_orders.admin import staff


class OwnerOnly:
    """Staff may look, scripts may not; the owner alone moves money, up to 500.00 at once."""

    def actor(self) -> Actor | None:
        known = staff()
        return Actor(id=known[0], label=known[1]) if known is not None else None

    def can_view(self) -> bool:
        return staff() is not None

    def can_issue(self, amount: int | None, currency: str | None) -> bool:
        known = staff()
        return known is not None and known[2] == "owner"

    def limit(self, currency: str) -> int | None:
        return 500_00


POLICY = OwnerOnly()
