"""A TCP relay before a directory that cuts connections between a change and its answer: the change was made, nobody is told."""

import select
import socket
import threading
from urllib.parse import urlsplit

CHANGES = {0x66, 0x68, 0x6C, 0x4A}  # RFC 4511: modify, add, modify DN, delete


def operation_of(message):
    """The tag of an LDAPMessage's operation; None when it is cut short."""
    try:
        at = 2 + (message[1] & 0x7F if message[1] & 0x80 else 0)
        return message[at + 2 + message[at + 1]]
    except IndexError:
        return None


class Cutter:
    """`every`: each so many-th change loses its answer; 0: none. stop() ends it."""

    def __init__(self, uri, every):
        there = urlsplit(uri)
        self.there, self.every, self.changes, self.cuts = (there.hostname, there.port), every, 0, 0
        self._lock, self._over = threading.Lock(), threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.uri = f"ldap://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def stop(self):
        self._over.set()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def _accept(self):
        while not self._over.is_set():
            if select.select([self._listener], [], [], 0.05)[0]:
                thread = threading.Thread(target=self._relay, args=(self._listener.accept()[0],), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _is_to_be_cut(self, message):
        if self.every == 0 or operation_of(message) not in CHANGES:
            return False
        with self._lock:
            self.changes += 1
            cut = self.changes % self.every == 0
            self.cuts += cut
        return cut

    def _relay(self, client):
        with client, socket.create_connection(self.there) as server:
            while not self._over.is_set():
                for ready in select.select([client, server], [], [], 0.05)[0]:
                    message = ready.recv(65536)
                    if not message:
                        return
                    (server if ready is client else client).sendall(message)
                    if ready is client and self._is_to_be_cut(message):
                        server.recv(65536)  # it is done, and this is where the line breaks
                        return
