"""What the demo shop sells, and to whom."""

from typing import NamedTuple

from example_app.models import Product, User


class Article(NamedTuple):
    """A product of the catalogue. ``price`` in cents, tax included; ``demand`` is a weight."""

    sku: str
    name: str
    category: str
    price: int
    demand: int


ARTICLES = (
    Article("BIKE-TOUR", "Touring bicycle Meridian", "Bicycles", 204600, 2),
    Article("BIKE-CITY", "City bicycle Canal", "Bicycles", 74900, 4),
    Article("BIKE-GRVL", "Gravel bicycle Quarry", "Bicycles", 159000, 2),
    Article("BIKE-FOLD", "Folding bicycle Pocket", "Bicycles", 118000, 2),
    Article("KIT-E250", "E-bike kit 250 W", "Components", 150000, 2),
    Article("WHEEL-28", "Front wheel 28 inch", "Components", 8990, 8),
    Article("CHAIN-11", "Chain, 11 speed", "Components", 3495, 24),
    Article("BRAKE-PAD", "Brake pads, pair", "Components", 1250, 30),
    Article("SADDLE-LEA", "Leather saddle", "Components", 11900, 8),
    Article("PEDAL-FLT", "Flat pedals, pair", "Components", 4200, 12),
    Article("HELM-M", "Helmet, medium", "Clothing", 6900, 14),
    Article("HELM-L", "Helmet, large", "Clothing", 6900, 12),
    Article("GLOVE-WIN", "Winter gloves", "Clothing", 3950, 14),
    Article("RAIN-JKT", "Rain jacket", "Clothing", 12900, 9),
    Article("SOCK-WOOL", "Wool socks", "Clothing", 1495, 22),
    Article("LIGHT-SET", "Light set, USB", "Lighting", 4990, 18),
    Article("LIGHT-DYN", "Dynamo headlight", "Lighting", 8450, 7),
    Article("REFLECT-4", "Reflectors, set of four", "Lighting", 799, 18),
    Article("PANNIER-20", "Pannier, 20 litres", "Bags", 7450, 10),
    Article("BAG-BAR", "Handlebar bag", "Bags", 5400, 9),
    Article("BAG-SADDLE", "Saddle bag", "Bags", 2299, 14),
    Article("PUMP-FLOOR", "Floor pump", "Workshop", 4450, 11),
    Article("TOOL-MULTI", "Multi-tool, 18 functions", "Workshop", 2795, 16),
    Article("LUBE-100", "Chain oil, 100 ml", "Workshop", 895, 28),
    Article("STICKER", "Sticker sheet, with our thanks", "Gifts", 0, 0),
)

FIRST = (
    "Amelia Bruno Chidi Dalia Emil Farida Goran Hana Ivan Jamila Keiko Luis Marta Nils Oona "
    "Priya Quentin Rosa Samir Tuva"
).split()
LAST = (
    "Adeyemi Bianchi Castillo Dubois Eriksen Fischer Gupta Hoffmann Ito Jansen Kowalski Lindqvist "
    "Moreau Novak Okafor Petrov Quinn Rossi Silva Tanaka"
).split()


def products() -> list[Product]:
    """Return the catalogue as new rows."""
    return [
        Product(sku=a.sku, name=a.name, category=a.category, price_cents=a.price) for a in ARTICLES
    ]


def names(count: int) -> list[tuple[str, str]]:
    """Return ``count`` different names with their e-mail addresses."""
    pairs = [
        (FIRST[n % len(FIRST)], LAST[(n * 7 + n // len(FIRST)) % len(LAST)]) for n in range(count)
    ]
    return [(f"{f} {last}", f"{f}.{last}@example.net".lower()) for f, last in pairs]


def staff() -> list[User]:
    """Return the shop's staff as new rows; each one's password is the part before the @."""
    people = (
        ("Anna Admin", "admin@example.com", "admin"),
        ("Sam Support", "support@example.com", "support"),
        ("Vera Viewer", "viewer@example.com", "viewer"),
    )
    return [with_password(User(name=n, email=email, role=role)) for n, email, role in people]


def ada() -> User:
    """Return the customer whose orders show every case there is; she may sign in too."""
    return with_password(User(name="Ada Lovelace", email="ada@example.com", role="customer"))


def with_password(user: User) -> User:
    """Give ``user`` the password that all of the demo's sign-ins follow, and return it."""
    user.set_password(user.email.partition("@")[0])
    return user
