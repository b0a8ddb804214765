"""Answers that are files: streamed piece by piece, or sent from a temporary file."""

from collections.abc import Iterator
from tempfile import TemporaryFile

from flask import Flask, Response, current_app
from werkzeug.wsgi import FileWrapper

from flask_refunds.reports.csv_files import csv_pieces
from flask_refunds.reports.tables import Table
from flask_refunds.reports.xlsx_files import write_xlsx

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_BLOCK = 2**16


def csv_response(table: Table) -> Response:
    """Return *table* as CSV, made while the client takes it.

    The first chunk is read now, so that what is wrong is an answer of its own and not a file that
    breaks off. The others are read each in an application context of its own: the host's session
    does not live as long as a slow download.
    """
    pieces = csv_pieces(table)
    first = next(pieces)
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    response = Response(_each_in_context(app, first, pieces), mimetype="text/csv")
    return _attached(response, f"{table.name}.csv")


def xlsx_response(table: Table) -> Response:
    """Return *table* as a workbook, which goes to a temporary file first.

    The file is gone as soon as it was sent, and when the client goes away.
    """
    file = TemporaryFile()  # noqa: SIM115 - closed with the response
    try:
        write_xlsx(table, file)
        size = file.tell()
        file.seek(0)
    except BaseException:
        file.close()
        raise
    response = Response(FileWrapper(file, _BLOCK), mimetype=XLSX)  # closes the file
    response.content_length = size
    return _attached(response, f"{table.name}.xlsx")


def _attached(response: Response, name: str) -> Response:
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _each_in_context(app: Flask, first: str, pieces: Iterator[str]) -> Iterator[str]:
    yield first
    while True:
        with app.app_context():
            piece = next(pieces, None)
        if piece is None:
            return
        yield piece
