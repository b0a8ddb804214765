"""Who may open our pages: whoever may open the host's own, and the policy lets view."""

from typing import Any

from flask import abort, jsonify, make_response, request
from flask.typing import ResponseReturnValue
from flask_admin import BaseView

from flask_refunds import wired
from flask_refunds.host_session import end_reads


class HostAccess(BaseView):
    """A page that delegates access to the host's view for orders, or to the given base view.

    Without either, it is closed. A fetch that is denied gets JSON, never the host's login page
    inside a modal.
    """

    def is_accessible(self) -> bool:
        """Return whether the host and the policy let the current user see refunds."""
        here = wired.current()
        keeper = here.gatekeeper
        return keeper is not None and keeper.is_accessible() and here.policy.can_view()

    def inaccessible_callback(self, name: str, **kwargs: Any) -> ResponseReturnValue:
        """Answer 401 or 403 in JSON to a fetch, and as the host's own view would to a page."""
        here = wired.current()
        if wants_fragment():
            return denied(signed_in=here.policy.actor() is not None)
        if here.gatekeeper is None:
            abort(403)
        if here.gatekeeper.is_accessible():
            abort(403)
        answer: ResponseReturnValue = here.gatekeeper.inaccessible_callback(name, **kwargs)
        return answer

    def _handle_view(self, name: str, **kwargs: Any) -> ResponseReturnValue | None:
        refused: ResponseReturnValue | None = super()._handle_view(name, **kwargs)
        if refused is None:
            end_reads(wired.current().host_session())
        return refused


def wants_fragment() -> bool:
    """Return whether our script asks, and wants a fragment or JSON instead of a page."""
    return request.headers.get("X-Requested-With") == "refunds"


def denied(*, signed_in: bool) -> ResponseReturnValue:
    """Return the 401 or 403 that the modal shows."""
    status, error = (403, "not_allowed") if signed_in else (401, "signed_out")
    return make_response(jsonify(error=error), status)
