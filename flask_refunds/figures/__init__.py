"""The figures of all reports: one query layer over the ledger and over the shop's own sales.

Nothing here knows a page or a file; :mod:`flask_refunds.reports` shows what is counted here, and
:mod:`flask_refunds.verify` checks it.
"""
