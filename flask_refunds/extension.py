"""``Refunds``: the only place where everything is wired."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from functools import cached_property, partial
from pathlib import Path

from flask import Blueprint, Flask
from flask_admin import Admin, BaseView
from flask_sqlalchemy import SQLAlchemy
from jinja2 import BaseLoader, ChoiceLoader, FileSystemLoader, PrefixLoader
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from flask_refunds import host_session, logs, migrating, wired
from flask_refunds.admin import register_views
from flask_refunds.config import Config
from flask_refunds.errors import ConfigurationError
from flask_refunds.figures.periods import Basis, Period, Preset
from flask_refunds.figures.scope import Scope
from flask_refunds.figures.takings import Takings, read_takings
from flask_refunds.gateways.named import GatewayBuilder, builders
from flask_refunds.models import Base, Refund
from flask_refunds.policy import Policy
from flask_refunds.queueing import NoQueue, RqWakeUp, WakeUp
from flask_refunds.reports import register_reports
from flask_refunds.runtime import GatewayRegistry, Runtime
from flask_refunds.sessions import Sessions
from flask_refunds.storefront import Storefront
from flask_refunds.webhooks import add_webhooks


class Refunds:
    """Refunds for a storefront with a Flask-Admin panel.

    *storefront* maps the host's tables; *policy* says who may move money; *gateways* names
    the installed gateways that the host's payments carry, or has for each name a callable that
    builds the gateway from the app's config, or the name of an installed one.
    *after_refund* is called in our transaction when all of a refund's money is back. One instance
    may serve several applications.
    """

    def __init__(
        self,
        storefront: Storefront,
        *,
        policy: Policy,
        gateways: Mapping[str, GatewayBuilder | str] | Iterable[str] | None = None,
        after_refund: Callable[[Session, Refund], None] | None = None,
    ) -> None:
        self.storefront = storefront
        self.policy = policy
        self.gateways = builders(gateways or ())
        self.after_refund = after_refund

    def init_app(
        self,
        app: Flask,
        *,
        db: SQLAlchemy,
        admin: Admin,
        base_view: BaseView | None = None,
        reports: Sequence[type[BaseView] | BaseView] = (),
    ) -> None:
        """Wire refunds into *app*, after the host has added its own views to *admin*.

        *base_view* is a host view to ask for access when the host has none for its orders.
        *reports* are reports to add under Reporting (:class:`~flask_refunds.reports.ItemsReport`
        and others, or classes of a page mixin and a base view of the host's), and net classes,
        each of which takes the place of the host's report that it subclasses. Raises
        :exc:`~flask_refunds.errors.ConfigurationError`.
        """
        self._check(app)
        if wired.KEY in app.extensions:
            raise ConfigurationError(
                "Refunds is already wired into this application; call init_app once."
            )
        config = Config.from_mapping(app.config)
        if config.bind_key is not None:
            with app.app_context():
                self._check_database(db, config.bind_key)
        runtime = Runtime(
            config=config,
            storefront=self.storefront,
            sessions=Sessions(
                engine=lambda: self._engine(db, config),
                factory=lambda: db.session.session_factory,
            ),
            gateways=GatewayRegistry(
                {name: partial(build, app.config) for name, build in self.gateways.items()}
            ),
            queue=self._queue(config),
            after_refund=self.after_refund,
        )
        for name, problem in runtime.gateways.problems().items():
            logs.warning("gateway_unusable", gateway=name, reason=problem)
        gatekeeper = _view_of(admin, self.storefront.order_model) or base_view
        if gatekeeper is None:
            logs.warning(
                "pages_closed",
                reason="The admin has no view of the orders, so that nobody may open our pages.",
                remedy="Call init_app after the host's views are added, or pass base_view=.",
            )
        app.extensions[wired.KEY] = wired.Wired(
            runtime=runtime,
            policy=self.policy,
            admin=admin,
            gatekeeper=gatekeeper,
            host_session=lambda: db.session(),
            extension=self,
        )
        host_session.watch(db.session)
        migrating.guard_host_autogenerate(app.extensions.get("migrate"))
        blueprint = Assets(
            "refunds",
            "flask_refunds",
            template_folder="templates",
            static_folder="static/refunds",
            static_url_path="/refunds/static",
        )
        add_webhooks(blueprint)
        app.register_blueprint(blueprint)
        register_views(
            app,
            admin,
            customers=_view_of(admin, self.storefront.customer_model),
            orders=_view_of(admin, self.storefront.order_model),
        )
        register_reports(app, admin, reports)

    def _check(self, app: Flask) -> None:
        if isinstance(self.policy, type):
            raise ConfigurationError(
                f"policy= is the class {self.policy.__name__}; pass an instance of it."
            )
        for name, build in self.gateways.items():
            if not callable(build):
                raise ConfigurationError(
                    f"gateways[{name!r}] is {build!r}; pass a callable that builds the gateway "
                    "from the config, such as BraintreeGateway.from_config."
                )
        binds = app.config.get("SQLALCHEMY_BINDS") or {}
        key = app.config.get("REFUNDS_BIND_KEY")
        if key is not None and key not in binds:
            raise ConfigurationError(
                f"REFUNDS_BIND_KEY is {key!r}, which SQLALCHEMY_BINDS does not have."
            )

    def _check_database(self, db: SQLAlchemy, key: str) -> None:
        """Refuse a bind of our tables that is another database than the orders'.

        Two binds may well be one database, and tables that Flask-SQLAlchemy did not make say
        nothing of theirs.
        """
        known = (table.metadata.info for table in self.storefront.tables())
        for theirs in {info["bind_key"] for info in known if "bind_key" in info}:
            if _place(db.engines[theirs]) != _place(db.engines[key]):
                raise ConfigurationError(
                    f"REFUNDS_BIND_KEY is {key!r}, another database than the orders' "
                    f"({theirs or 'the default'}). Leave it out, or name a bind of their database: "
                    "one transaction must lock our rows and read theirs."
                )

    def totals(
        self,
        period: Period | tuple[date, date] | str = Preset.THIS_MONTH,
        *,
        basis: Basis = "refund",
    ) -> Mapping[str, Takings]:
        """Return what was sold and given back in *period*, by currency, for a host's own page.

        *period* is the name of a preset (``"today"``, ``"this_month"``, …), a first and a last
        day of the store's zone, both included, or a :class:`~flask_refunds.reports.Period`;
        *basis* by which day refunds count. Amounts are minor units. Needs an application context;
        raises :exc:`~flask_refunds.errors.NotMigrated`, and :exc:`ValueError` for no period.
        """
        runtime = wired.current().runtime
        zone = runtime.config.zone
        if isinstance(period, str):
            period = Period.preset(Preset(period), runtime.now().astimezone(zone).date(), zone)
        elif not isinstance(period, Period):
            period = Period.of_days(*period, zone)

        def read(session: Session) -> Mapping[str, Takings]:
            scope = Scope.of(session, runtime.storefront, period, basis)
            return {taken.currency: taken for taken in read_takings(session, scope).values()}

        return runtime.sessions.read(read)

    def create_all(self) -> None:
        """Create our tables without migrations, for tests. Needs an application context."""
        Base.metadata.create_all(wired.current().runtime.sessions.engine)

    def _engine(self, db: SQLAlchemy, config: Config) -> Engine:
        key = config.bind_key
        if key is None:
            key = next(iter(self.storefront.bind_keys()), None)
        if key not in db.engines:
            raise ConfigurationError(
                f"REFUNDS_BIND_KEY is {key!r}, which SQLALCHEMY_BINDS does not have."
            )
        return db.engines[key]

    @staticmethod
    def _queue(config: Config) -> WakeUp:
        if not config.redis_url:
            return NoQueue()
        try:
            return RqWakeUp(config.redis_url, config.queue)
        except ValueError as error:
            raise ConfigurationError(
                f"REFUNDS_REDIS_URL is {config.redis_url!r}: {error}"
            ) from None


class Assets(Blueprint):
    """Our templates and static files.

    The templates are there a second time, as ``flask_refunds/NAME.html``: what a host's own
    ``refunds/NAME.html`` extends, to change a block of ours and keep the rest.
    """

    @cached_property
    def jinja_loader(self) -> BaseLoader | None:
        folder = Path(self.root_path) / "templates"
        ours = FileSystemLoader(folder / "refunds")
        return ChoiceLoader([FileSystemLoader(folder), PrefixLoader({"flask_refunds": ours})])


def _place(engine: Engine) -> tuple[str, str | None]:
    """Return which database an engine is for, whatever the host, user and driver."""
    return engine.url.get_backend_name().replace("mariadb", "mysql"), engine.url.database


def _view_of(admin: Admin, model: type | None) -> BaseView | None:
    """Return the host's admin view of *model*, if it has one."""
    for view in admin._views:  # noqa: SLF001 - Flask-Admin has no public list of its views
        if model is not None and getattr(view, "model", None) is model:
            return view
    return None
