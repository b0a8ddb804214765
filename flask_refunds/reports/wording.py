"""Figures and spans of time in words, for the templates of reports and of hosts."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from babel.dates import format_date, format_interval, format_skeleton
from babel.numbers import format_decimal, format_percent
from flask import Flask

from flask_refunds import money, wired
from flask_refunds.admin.words import gettext
from flask_refunds.config import Config
from flask_refunds.desks import COUNTED
from flask_refunds.figures.buckets import Bucket
from flask_refunds.figures.periods import Period, Preset
from flask_refunds.reports import links
from flask_refunds.reports.choosing import PRESETS
from flask_refunds.reports.dashboard import overview


def amount_text(minor: int, currency: str) -> str:
    """Return *minor* units of *currency* without its sign, as columns of figures have them."""
    return money.grouped(minor, currency, _config().locale)


def count_text(number: int) -> str:
    """Return a number of things."""
    return str(format_decimal(number, locale=_config().locale))


def rate_text(fraction: Decimal | None) -> str:
    """Return a fraction in per cent with one decimal; a dash for ``None``."""
    if fraction is None:
        return "–"
    return str(format_percent(fraction, format="#,##0.0%", locale=_config().locale))


def change_text(figures: tuple[int | None, int | None]) -> str:
    """Return by how much the first figure is more than the second, in per cent."""
    now, before = figures
    if now is None or not before:
        return "–"
    change = Decimal(now - before) / abs(before)
    return str(format_percent(change, format="+#,##0.0%;-#,##0.0%", locale=_config().locale))


def span_text(span: Bucket | Period) -> str:
    """Return the days of *span*: a day, a month, or the first and the last."""
    locale = _config().locale
    assert span.first is not None
    assert span.last is not None
    if span.first == span.last:
        return str(format_date(span.first, "medium", locale))
    if _is_month(span.first, span.last):
        return str(format_skeleton("yMMMM", span.first, locale=locale))
    return str(format_interval(span.first, span.last, "yMMMd", locale=locale))


def short_span_text(span: Bucket) -> str:
    """Return the same, as short as the axis of a chart wants it."""
    month = span.first != span.last and _is_month(span.first, span.last)
    return str(format_skeleton("yMMM" if month else "MMMd", span.first, locale=_config().locale))


def tile_text(preset: Preset) -> str:
    """Return the title of a preset period on the dashboard: what goes on is to date."""
    if preset is Preset.THIS_MONTH:
        return gettext("Month to date")
    return gettext(PRESETS[preset])


def add_words(app: Flask) -> None:
    """Let templates of *app* use all this, as filters and functions called ``refunds_…``."""
    filters: dict[str, Callable[..., Any]] = {
        "refunds_amount": amount_text,
        "refunds_change": change_text,
        "refunds_count": count_text,
        "refunds_plain": money.plain,
        "refunds_tile": tile_text,
        "refunds_rate": rate_text,
        "refunds_short_span": short_span_text,
        "refunds_span": span_text,
    }
    for name, function in filters.items():
        app.add_template_filter(function, name)
    app.add_template_global(links.url, "refunds_url")
    app.add_template_global(overview, "refunds_overview")
    app.jinja_env.globals["refunds_counted"] = COUNTED


def _is_month(first: date, last: date) -> bool:
    return first.day == 1 and (last + timedelta(days=1)).day == 1 and last - first < timedelta(31)


def _config() -> Config:
    return wired.current().runtime.config
