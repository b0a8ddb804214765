"""Days of the store as UTC instants, and what a URL asks for."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flask_refunds.figures.periods import DEFAULT, Period, Preset, choose, midnight

PARIS = ZoneInfo("Europe/Paris")
NEW_YORK = ZoneInfo("America/New_York")
NOW = datetime(2026, 3, 29, 22, 30, tzinfo=UTC)  # 30 March in Paris, summer time since a day
FAR = {"start": "out_of_range", "end": "out_of_range"}
ZONES = [
    "UTC",
    "Europe/Paris",
    "America/New_York",
    "America/Sao_Paulo",  # skipped midnight until 2018
    "America/Havana",  # repeats midnight
    "Pacific/Apia",  # skipped 30 December 2011
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
]


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 28), 24), (date(2026, 3, 29), 23), (date(2026, 10, 25), 25)]
)
def test_a_day_is_as_long_as_the_clock_makes_it(day: date, hours: int) -> None:
    period = Period.of_days(day, day, PARIS)

    assert period.start is not None
    assert period.end is not None
    assert period.end - period.start == timedelta(hours=hours)


def test_a_day_begins_at_midnight_of_the_store() -> None:
    period = Period.of_days(date(2026, 1, 31), date(2026, 1, 31), NEW_YORK)

    assert period.start == datetime(2026, 1, 31, 5, tzinfo=UTC)
    assert period.end == datetime(2026, 2, 1, 5, tzinfo=UTC)
    assert (period.first, period.last) == (date(2026, 1, 31), date(2026, 1, 31))


@given(
    day=st.dates(date(2005, 1, 1), date(2030, 1, 1)),
    minute=st.integers(0, 3 * 24 * 60),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
)
def test_every_instant_belongs_to_the_day_that_its_clock_shows(
    day: date, minute: int, zone: ZoneInfo
) -> None:
    moment = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(minutes=minute)
    local = moment.astimezone(zone).date()

    assert midnight(local, zone) <= moment < midnight(local + timedelta(days=1), zone)


def test_a_day_that_the_calendar_skips_is_empty() -> None:
    skipped = Period.of_days(date(2011, 12, 30), date(2011, 12, 30), ZoneInfo("Pacific/Apia"))

    assert skipped.start == skipped.end


def test_refuses_days_the_wrong_way_round() -> None:
    with pytest.raises(ValueError, match="before"):
        Period.of_days(date(2026, 2, 1), date(2026, 1, 1), PARIS)


@pytest.mark.parametrize(
    ("preset", "first", "last"),
    [
        (Preset.TODAY, "2026-03-30", "2026-03-30"),
        (Preset.YESTERDAY, "2026-03-29", "2026-03-29"),
        (Preset.LAST_7_DAYS, "2026-03-24", "2026-03-30"),
        (Preset.LAST_30_DAYS, "2026-03-01", "2026-03-30"),
        (Preset.THIS_MONTH, "2026-03-01", "2026-03-30"),
        (Preset.LAST_MONTH, "2026-02-01", "2026-02-28"),
        (Preset.THIS_QUARTER, "2026-01-01", "2026-03-30"),
        (Preset.LAST_QUARTER, "2025-10-01", "2025-12-31"),
        (Preset.THIS_YEAR, "2026-01-01", "2026-03-30"),
        (Preset.LAST_YEAR, "2025-01-01", "2025-12-31"),
    ],
)
def test_a_preset_goes_by_the_stores_today(preset: Preset, first: str, last: str) -> None:
    chosen = choose({"period": preset.value}, now=NOW, zone=PARIS)

    assert chosen.period is not None
    assert chosen.period.args == {"start": first, "end": last}
    assert chosen.typed == {"start": first, "end": last}
    assert chosen.preset is preset


def test_last_month_of_january_is_december() -> None:
    chosen = choose({"period": "last_month"}, now=datetime(2026, 1, 31, 12, tzinfo=UTC), zone=PARIS)

    assert chosen.period == Period.of_days(date(2025, 12, 1), date(2025, 12, 31), PARIS)


def test_without_arguments_the_default_period_by_refund_date_is_shown() -> None:
    chosen = choose({}, now=NOW, zone=PARIS)

    assert (chosen.preset, chosen.basis, chosen.errors) == (DEFAULT, "refund", {})


def test_everything_has_no_bounds() -> None:
    chosen = choose({"period": "all", "basis": "order"}, now=NOW, zone=PARIS)

    assert chosen.period == Period()
    assert chosen.period.args == {"period": "all"}
    assert chosen.basis == "order"


@pytest.mark.parametrize("preset", Preset)
def test_a_preset_is_kept_with_its_days_and_compares_with_the_same_before(preset: Preset) -> None:
    chosen = choose({"period": preset.value}, now=NOW, zone=PARIS)
    sent = {**chosen.typed, "period": preset.value}  # as the form does

    for args in (chosen.args, sent):
        again = choose(args, now=NOW, zone=PARIS)
        assert (again.preset, again.period) == (preset, chosen.period)
        assert again.before(PARIS) == chosen.before(PARIS)


def test_the_days_count_when_a_preset_has_others_by_now() -> None:
    days = {"start": "2026-02-01", "end": "2026-02-10"}

    for named in ("this_month", "all", "moon"):
        chosen = choose({**days, "period": named}, now=NOW, zone=PARIS)
        assert (chosen.preset, chosen.args) == (None, days)


@given(first=st.dates(date(1970, 1, 1), date(2100, 1, 1)), days=st.integers(0, 500))
def test_the_arguments_of_a_period_say_it_again(first: date, days: int) -> None:
    period = Period.of_days(first, first + timedelta(days=days), NEW_YORK)

    assert choose(period.args, now=NOW, zone=NEW_YORK).period == period


@pytest.mark.parametrize(
    ("args", "errors"),
    [
        ({"start": "2026-02-30", "end": "2026-03-01"}, {"start": "not_a_date"}),
        ({"start": "01/02/2026", "end": "soon"}, {"start": "not_a_date", "end": "not_a_date"}),
        ({"start": "2026-03-02", "end": "2026-03-01"}, {"end": "before_start"}),
        ({"start": "2026-03-02"}, {"end": "missing"}),
        ({"end": "2026-03-02", "start": " "}, {"start": "missing"}),
        ({"start": "0001-01-01", "end": "9999-12-31"}, FAR),
        ({"period": "fortnight"}, {"period": "unknown"}),
        ({"basis": "mood"}, {"basis": "unknown"}),
        ({"basis": "mood", "start": "2026-01-01", "end": "2026-01-02"}, {"basis": "unknown"}),
    ],
)  # fmt: skip
def test_says_at_which_field_it_is_wrong(args: dict[str, str], errors: dict[str, str]) -> None:
    chosen = choose(args, now=NOW, zone=PARIS)

    assert chosen.errors == errors
    assert chosen.period is None
    assert chosen.typed == {name: args.get(name, "").strip() for name in ("start", "end")}


@pytest.mark.parametrize(
    ("args", "first", "last"),
    [
        ({"period": "today"}, "2026-03-29", "2026-03-29"),
        ({"period": "last_7_days"}, "2026-03-17", "2026-03-23"),
        ({"period": "last_30_days"}, "2026-01-30", "2026-02-28"),
        ({"period": "this_month"}, "2026-02-01", "2026-02-28"),
        ({"period": "last_month"}, "2026-01-01", "2026-01-31"),
        ({"period": "this_quarter"}, "2025-10-01", "2025-12-30"),
        ({"period": "last_quarter"}, "2025-07-01", "2025-09-30"),
        ({"period": "this_year"}, "2025-01-01", "2025-03-30"),
        ({"period": "last_year"}, "2024-01-01", "2024-12-31"),
        ({"start": "2026-03-05", "end": "2026-03-07"}, "2026-03-02", "2026-03-04"),
        ({"start": "2026-03-01", "end": "2026-03-10"}, "2026-02-19", "2026-02-28"),
        ({"start": "2026-02-01", "end": "2026-03-31"}, "2025-12-01", "2026-01-31"),
        ({"start": "2024-01-01", "end": "2025-12-31"}, "2022-01-01", "2023-12-31"),
    ],
)
def test_a_period_is_compared_with_the_one_before(
    args: dict[str, str], first: str, last: str
) -> None:
    before = choose(args, now=NOW, zone=PARIS).before(PARIS)

    assert before is not None
    assert before.args == {"start": first, "end": last}


@pytest.mark.parametrize("args", [{"period": "all"}, {"start": "1970-01-01", "end": "1970-01-31"}])
def test_there_is_nothing_before_the_beginning(args: dict[str, str]) -> None:
    assert choose(args, now=NOW, zone=PARIS).before(PARIS) is None


@given(first=st.dates(date(1980, 1, 1), date(2100, 1, 1)), days=st.integers(0, 900))
def test_the_period_before_ends_before_this_one_begins(first: date, days: int) -> None:
    period = Period.of_days(first, first + timedelta(days=days), NEW_YORK)

    before = period.before(NEW_YORK)
    assert before is not None
    assert before.end == period.start
