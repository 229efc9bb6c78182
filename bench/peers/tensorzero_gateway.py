"""python tensorzero_gateway.py CONFIG PORT: TensorZero's gateway, from its Python package.

It runs in TensorZero's environment, so it imports nothing of ours. The gateway draws its own port, which is
written to CONFIG.port; PORT answers once it is there.
"""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import import_module
from pathlib import Path
from urllib.parse import urlsplit


class _Ready(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing: the bench looks again and again."""


def main(config: str, port: int) -> None:
    gateway = import_module("tensorzero")._start_http_gateway(
        config_file=config, clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False
    )
    drawn = urlsplit(gateway.base_url).port
    Path(f"{config}.port").write_text(str(drawn), encoding="utf-8")
    HTTPServer(("127.0.0.1", port), _Ready).serve_forever()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
