"""The one way of all our log lines."""

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Column, MetaData, String, Table, create_engine
from sqlalchemy.exc import IntegrityError

import flask_refunds
from flask_refunds import logs


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG, logger="flask_refunds"):
        yield caplog


def test_fields_stand_in_the_text_and_on_the_record(lines: pytest.LogCaptureFixture) -> None:
    logs.info("claimed", refund_id=1, transfer_id=2, detail="", code=None, before="started")

    (record,) = lines.records
    assert record.getMessage() == "refunds: claimed refund_id=1 transfer_id=2 before=started"
    assert (record.name, record.levelno, record.filename) == (
        "flask_refunds",
        logging.INFO,
        "test_logs.py",
    )
    fields = {name: value for name, value in vars(record).items() if name.startswith("refunds_")}
    assert fields == {
        "refunds_event": "claimed",
        "refunds_refund_id": 1,
        "refunds_transfer_id": 2,
        "refunds_before": "started",
    }


@pytest.mark.parametrize(
    "value",
    ["two words", "a=b", 'say "x"', "line\nrefunds: forged transfer_id=9", "tab\there", "\\"],
)
def test_no_value_makes_a_field_or_a_line(lines: pytest.LogCaptureFixture, value: str) -> None:
    logs.warning("gateway_down", reason=value)

    message = lines.records[0].getMessage()
    head, _, quoted = message.partition("reason=")
    assert head == "refunds: gateway_down "
    assert "\n" not in message
    assert json.loads(quoted) == value


def test_an_unforeseen_error_is_logged_with_its_traceback(lines: pytest.LogCaptureFixture) -> None:
    try:
        raise LookupError("where is it?")
    except LookupError as error:
        logs.exception("call_failed", error, transfer_id=3)

    assert "refunds: call_failed transfer_id=3 error=LookupError" in lines.text
    assert "where is it?" in lines.text
    assert "test_logs.py" in lines.text


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_databases_words_stay_out_of_the_traceback(
    lines: pytest.LogCaptureFixture, wrapped: bool
) -> None:
    address = "ada@example.com"
    engine = create_engine("sqlite://")
    people = Table("people", MetaData(), Column("email", String, primary_key=True))
    people.create(engine)
    add = people.insert().values(email=address)
    try:
        try:
            with engine.begin() as connection:
                connection.execute(add)
                connection.execute(add)
        except IntegrityError as error:
            if wrapped:
                raise RuntimeError(f"no room for {address}") from error
            raise
    except (IntegrityError, RuntimeError) as error:
        logs.exception("not_brought_forward", error, transfer_id=3)
    finally:
        engine.dispose()

    assert address not in lines.text
    assert "IntegrityError" in lines.text
    assert "connection.execute(add)" in lines.text or wrapped


def test_nothing_of_ours_is_logged_another_way() -> None:
    package = Path(flask_refunds.__file__).parent
    others = [
        path.name
        for path in package.rglob("*.py")
        if 'getLogger("flask_refunds' in path.read_text(encoding="utf-8")
        or "getLogger(__name__" in path.read_text(encoding="utf-8")
    ]
    assert others == ["logs.py"]
