"""``flask refunds worker``: a real process, a real queue, the simulator over HTTP."""

from flask_refunds.states import TransferState
from tests.integration.conftest import StartWorker
from tests.integration.workshop import Workshop


def test_completes_what_is_issued(shop: Workshop, start_worker: StartWorker) -> None:
    start_worker(shop)

    refund, void = shop.refund_of(3000), shop.refund_of(2000, settled=False)

    assert refund.wait(TransferState.COMPLETED).operation == "refund"
    assert void.wait(TransferState.COMPLETED).operation == "void"
    refund.given_back_once()
    void.given_back_once()
