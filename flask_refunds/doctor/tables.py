"""Our own tables: whether they are there and of this version."""

from flask_refunds import migrating
from flask_refunds.doctor.findings import Finding, finding
from flask_refunds.runtime import Runtime


def tables(runtime: Runtime) -> list[Finding]:
    """Return what is wrong with our tables; without any, the other checks may read them."""
    engine = runtime.sessions.engine
    current, head = migrating.current(engine), migrating.head()
    if current is None:
        return [finding("tables_missing")]
    if current != head:
        return [finding("tables_old", current=current, head=head)]
    drift = migrating.check(engine)
    return [finding("tables_differ", count=len(drift), example=drift[0])] if drift else []
