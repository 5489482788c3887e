"""Whether the process beside it is able to serve: `healthy.py PORT` asks its `/readyz` and exits with 0 or 1. Quick: only sockets."""

import socket
import sys

with socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=3) as asked:
    asked.sendall(b"GET /readyz HTTP/1.1\r\nHost: health\r\nConnection: close\r\n\r\n")
    answer = b""
    while piece := asked.recv(4096):
        answer += piece
print(answer.partition(b"\r\n\r\n")[2].decode("utf-8", "replace"))
sys.exit(b" 200 " not in answer.partition(b"\r\n")[0])
