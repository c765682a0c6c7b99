"""``python -m devcloud.host``: run a functions app; app settings come from the environment, as in Azure."""

from __future__ import annotations

import argparse
import json
import logging
import os
import secrets
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from devcloud.host import http, worker_library
from devcloud.host.authentication import Authentication, Configuration
from devcloud.host.model import Function, HostError, Worker, resolve
from devcloud.host.queues import QueueListener, QueueSettings
from devcloud.host.runner import Runner
from devcloud.host.storage import HostStorage
from devcloud.host.timers import Timer
from devcloud.host.worker_direct import DirectWorker
from devcloud.serving import Server

_log = logging.getLogger("host")
_GRACE_SECONDS = 10.0
# SDKs that log each request at level information; host.json turns them down in Azure.
_CHATTY = ("azure.core", "azure.identity", "httpx", "msal", "urllib3", "azure_functions_runtime")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the host until SIGTERM or SIGINT; 1 when the app can't be run."""
    parser = argparse.ArgumentParser(prog="python -m devcloud.host", description=__doc__)
    parser.add_argument("--app", type=Path, required=True, help="the folder of function_app.py and host.json")
    parser.add_argument("--port", type=int, default=7071)
    parser.add_argument("--cert", type=Path, help="serve HTTPS with this certificate (PEM)")
    parser.add_argument("--key", type=Path, help="the certificate's key (PEM)")
    parser.add_argument("--worker", choices=("auto", "library", "direct"), default="auto")
    options = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stdout, format="[%(asctime)s] %(levelname)s %(name)s: %(message)s"
    )
    for name in _CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        _run(options)
    except HostError as error:
        _log.error("%s", error)
        return 1
    return 0


def _run(options: argparse.Namespace) -> None:
    host_json = json.loads((options.app / "host.json").read_text())
    extensions = host_json.get("extensions", {})
    worker = _worker(options.worker, options.app)
    functions = worker.index()
    storage = HostStorage(resolve("%AzureWebJobsStorage%"))
    runner = Runner(worker, storage)
    stop = threading.Event()
    timers = {
        each.name: Timer(each, runner, storage, stop) for each in functions if each.trigger["type"] == "timerTrigger"
    }
    queue_settings = QueueSettings.read(extensions.get("queues", {}))
    listeners = [
        QueueListener(each, runner, storage, queue_settings, stop)
        for each in functions
        if each.trigger["type"] == "queueTrigger"
    ]

    def fire(name: str, given: str) -> bool:
        if name in timers:
            timers[name].fire()
            return True
        queue = next((each for each in functions if each.name == name and each.trigger["type"] == "queueTrigger"), None)
        if queue is not None:
            storage.queue(str(queue.trigger["queueName"])).send_message(given.encode())
        return queue is not None

    prefix = str(extensions.get("http", {}).get("routePrefix", "api"))
    key = os.environ.get("DEVCLOUD_FUNCTION_KEY") or secrets.token_urlsafe(32)
    tls = (options.cert, options.key) if options.cert else None
    app: Any = http.app(functions, runner, prefix=prefix, key=key, fire=fire)
    authentication = Configuration.read(os.environ)
    if authentication is not None:
        app = Authentication(app, authentication)
    server = Server(app, tls, port=options.port)
    scheme = "https" if tls else "http"
    _announce(functions, f"{scheme}://localhost:{server.port}", prefix)
    for timer in timers.values():
        timer.start()
    for listener in listeners:
        listener.start()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    stop.wait()
    server.stop()
    runner.wait_idle(_GRACE_SECONDS)
    # Threads of functions that are still running would keep the process.
    os._exit(0)


def _worker(wanted: str, directory: Path) -> Worker:
    if wanted == "library" or (wanted == "auto" and worker_library.available()):
        _log.info("Worker: Microsoft's azure-functions-runtime")
        return worker_library.LibraryWorker(directory)
    _log.info("Worker: direct")
    return DirectWorker(directory)


def _announce(functions: Sequence[Function], url: str, prefix: str) -> None:
    _log.info("%d functions found:", len(functions))
    for each in functions:
        kind = each.trigger["type"]
        if kind == "httpTrigger":
            methods = ",".join(str(method) for method in each.trigger.get("methods") or ("GET", "POST"))
            _log.info("  %s: [%s] %s%s", each.name, methods, url, http.path_of(each, prefix))
        else:
            _log.info("  %s: %s", each.name, kind)


if __name__ == "__main__":
    sys.exit(main())
