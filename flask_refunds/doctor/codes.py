"""Every code that the doctor may find."""

from collections.abc import Mapping

from flask_refunds.doctor.codes_of_rows import CODES_OF_ROWS
from flask_refunds.doctor.codes_of_setup import CODES_OF_SETUP
from flask_refunds.doctor.kinds import Code

CODES: Mapping[str, Code] = {**CODES_OF_ROWS, **CODES_OF_SETUP}
"""The codes in the order in which they are told."""
