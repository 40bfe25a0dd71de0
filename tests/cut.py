"""A cable that can be cut: a TCP proxy that a test tells when to drop its connections."""

import contextlib
import random
import socket
import threading


class Cable:
    """Between a client and a server on this machine.

    ``cut(requests=2)`` drops the connection when so many requests more have been sent, before the
    last of them reaches the server; ``cut(answers=2)`` before the second answer reaches the client.
    ``connected`` False refuses new connections and drops the old ones. With ``shake`` each message
    is lost with that probability, and its connection with it.
    """

    def __init__(self, port, shake=0.0, seed=1):
        self.target = port
        self.connected = True
        self.shake = shake
        self.random = random.Random(seed)
        self.left = {"requests": None, "answers": None}
        self.cuts = 0
        self.lock = threading.Lock()
        self.open = set()
        self.server = socket.create_server(("127.0.0.1", 0))
        self.port = self.server.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            if not self.connected:
                client.close()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            pair = (client, server)
            with self.lock:
                self.open.add(pair)
            for way, source, sink in (("requests", client, server), ("answers", server, client)):
                copying = (way, source, sink, pair)
                threading.Thread(target=self.copy, args=copying, daemon=True).start()

    def lost(self, way):
        with self.lock:
            if self.shake and self.random.random() < self.shake:
                return True
            left = self.left[way]
            if left is None:
                return False
            self.left[way] = left - 1 if left > 1 else None
            return left == 1

    def copy(self, way, source, sink, pair):
        # Requests and answers follow each other, so that one read is one message.
        with contextlib.suppress(OSError):
            while message := source.recv(4096):
                if self.lost(way):
                    break
                sink.sendall(message)
        self.drop(pair)

    def drop(self, pair):
        with self.lock:
            known = pair in self.open
            self.open.discard(pair)
            self.cuts += known
        for one in pair:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            with contextlib.suppress(OSError):
                one.close()

    def cut(self, **left):
        with self.lock:
            self.left.update(left)

    def disconnect(self):
        self.connected = False
        for pair in list(self.open):
            self.drop(pair)

    def close(self):
        self.server.close()
        self.disconnect()
