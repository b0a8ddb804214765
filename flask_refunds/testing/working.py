"""A worker in a process of its own, on the database and the simulator of a test."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask_refunds.testing.shop import Shop
from flask_refunds.testing.worker_app import APP, EXPECTED, facts

WORKER_APP = "flask_refunds.testing.worker_app"


class WorkerFailed(Exception):
    """The worker's process ended badly; the message has what it wrote."""


class RealWorker:
    """The fixture ``refunds_worker``: runs ``flask refunds worker`` on *app*, an import path.

    The process starts in *folder* with the environment *env*.
    """

    def __init__(self, shop: Shop, app: str, *, folder: Path, env: Mapping[str, str]) -> None:
        self._shop, self._app, self._folder, self._env = shop, app, folder, env

    def __call__(self, *, timeout: float = 180.0) -> str:
        """Have a real worker do what is due now, and return what it wrote when it has ended.

        Raises :exc:`WorkerFailed`, also when its application has another database or gateway than
        the test's, and :exc:`subprocess.TimeoutExpired` after *timeout* seconds.
        """
        expected = facts(self._shop.app)
        if ":memory:" in expected["the database"] or expected["the database"] == "sqlite://":
            raise WorkerFailed(
                "The test's database is in memory, where no other process can see it: use a file, "
                "such as one in tmp_path, or `refunds_process`."
            )
        ran = subprocess.run(  # noqa: S603 - this very Python
            [sys.executable, "-m", "flask", "--app", WORKER_APP, "refunds", "worker", "--burst"],
            cwd=self._folder,
            env={
                **self._env,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                APP: self._app,
                EXPECTED: json.dumps(expected),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )
        if ran.returncode != 0:
            raise WorkerFailed(f"The worker ended with {ran.returncode}:\n{ran.stdout}")
        return ran.stdout


def prefixed(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the settings that a worker has to share, for ``app.config.from_prefixed_env()``.

    They are those of the database and ours, as far as they can be written as JSON.
    """
    names = ("SQLALCHEMY_DATABASE_URI", "SQLALCHEMY_BINDS", "SECRET_KEY")
    shared = {
        name: value
        for name, value in config.items()
        if name in names or name.startswith("REFUNDS_")
    }
    return {f"FLASK_{name}": json.dumps(v) for name, v in shared.items() if _is_plain(v)}


def _is_plain(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(isinstance(k, str) and _is_plain(v) for k, v in value.items())
    return value is None or isinstance(value, str | int | float | bool)
