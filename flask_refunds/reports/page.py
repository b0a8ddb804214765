"""What all report pages have in common: the choice of days, the table, the files."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, ClassVar

from flask import Response, make_response, request
from flask.typing import ResponseReturnValue
from flask_admin import expose
from sqlalchemy.orm import Session

from flask_refunds.admin.pages import Page
from flask_refunds.admin.refusals import explain
from flask_refunds.admin.words import gettext
from flask_refunds.errors import TooManyRows
from flask_refunds.reports.choosing import BASES, PRESETS, Asked, ask, basis_text, translated
from flask_refunds.reports.columns import Column
from flask_refunds.reports.downloads import csv_response, xlsx_response
from flask_refunds.reports.filing import report_table
from flask_refunds.reports.sources import Query, Source
from flask_refunds.reports.tables import Table


class ReportMixin(Page):
    """A report with a choice of days. Put a mixin of this kind before the host's own base view.

    The class has that base's access rules, chrome and ``render``; the mixin brings the choice of
    days, the table, the chart and the files. Subclasses say what to read and how it looks.
    """

    report_name: ClassVar[str]
    """The title, and the menu entry."""
    report_endpoint: ClassVar[str]
    template: ClassVar[str]
    columns: ClassVar[tuple[Column, ...]] = ()
    """What the table and the files show; override it to show something else."""
    texts: ClassVar[tuple[str, ...]] = ()
    """Names of query arguments that may be typed freely."""
    labels: ClassVar[Mapping[str, str]] = {}
    """The choices and texts that the form of the page offers, with their labels."""

    def __init__(self, *args: Any, **options: Any) -> None:
        given: dict[str, Any] = {"endpoint": self.report_endpoint, "category": "Reporting"}
        if not args:
            given["name"] = gettext(self.report_name)
        super().__init__(*args, **{**given, **options})

    @expose("/")
    def index(self) -> ResponseReturnValue:
        """Show the report."""
        return self.page(self.asked())

    def asked(self) -> Asked:
        """Return what the URL asks for."""
        return ask(
            request.args,
            now=self.runtime.now(),
            zone=self.runtime.config.zone,
            choices=self.choices(),
            texts=self.texts,
        )

    def choices(self) -> Mapping[str, Mapping[str, str]]:
        """Return the report's own choices: words by value, by name; the first is the default."""
        return {}

    def read(self, session: Session, asked: Asked) -> Mapping[str, Any]:
        """Return what the template shows, read in *session*."""
        raise NotImplementedError

    def formats(self, asked: Asked) -> Mapping[str, str]:
        """Return the files that the page offers: words by the name of their endpoint."""
        return {}

    def words(self) -> Mapping[str, Any]:
        """Return what else the template needs, whatever was asked for."""
        return {}

    def page(self, asked: Asked) -> ResponseReturnValue:
        """Return the page; when something wrong was asked for, with that at its field."""
        found: Mapping[str, Any] = {}
        if not asked.errors:
            try:
                found = self.runtime.sessions.read(lambda session: self.read(session, asked))
            except TooManyRows as error:
                return self.page(_refused(asked, error))
        text = self.render(
            self.template,
            asked=asked,
            report_title=gettext(self.report_name),
            presets=translated(PRESETS),
            bases=translated(BASES),
            labels={name: gettext(words) for name, words in self.labels.items()},
            formats=self.formats(asked),
            basis_words=basis_text(asked.basis),
            zone=self.runtime.config.timezone,
            **{"columns": [c for c in self.columns if c.shown], **self.words(), **found},
        )
        return make_response(text, 422 if asked.errors else 200)


class FiledReportMixin(ReportMixin):
    """A report that can be taken away as a file, with the filters and the rows of the page."""

    source: ClassVar[Source]

    def query(self, asked: Asked) -> Query:
        """Return what the URL asks for, as the report's source takes it."""
        raise NotImplementedError

    def file(self, asked: Asked) -> Table:
        """Return the report as a file."""
        return report_table(
            self.runtime,
            self.source,
            self.query(asked),
            columns=self.columns,
            notes=self.notes(asked),
        )

    def notes(self, asked: Asked) -> dict[str, str]:
        """Return what a file says of what was asked for beside its days."""
        return {
            gettext(words): asked.choices.get(name, {}).get(value, value)
            for name, words in self.labels.items()
            if (value := asked.more.get(name))
        }

    def formats(self, asked: Asked) -> Mapping[str, str]:
        return {"csv": gettext("Download CSV"), "xlsx": gettext("Download XLSX")}

    @expose("/csv")
    def csv(self) -> ResponseReturnValue:
        """Download the report as CSV."""
        return self._download(csv_response)

    @expose("/xlsx")
    def xlsx(self) -> ResponseReturnValue:
        """Download the report as a workbook."""
        return self._download(xlsx_response)

    def _download(self, response: Callable[[Table], Response]) -> ResponseReturnValue:
        asked = self.asked()
        if asked.errors:
            return self.page(asked)
        try:
            return response(self.file(asked))
        except TooManyRows as error:
            return self.page(_refused(asked, error))


def _refused(asked: Asked, error: TooManyRows) -> Asked:
    """Return *asked* with what is wrong with it at its field."""
    explained = explain(error)
    return replace(asked, errors={explained.field or "": explained.message})
