"""A TCP relay before a directory that lets a test act just before the agent's next change goes in, or just after its answer came."""

import select
import socket
import threading
from urllib.parse import urlsplit

from ldap_cutter import operation_of

MODIFY, MODIFIED = 0x66, 0x67  # RFC 4511: ModifyRequest, ModifyResponse


class Interposer:
    """The acts are done once each, in the relay's thread, while the message waits. stop() ends it."""

    def __init__(self, uri):
        there = urlsplit(uri)
        self.there = (there.hostname, there.port)
        self._acts, self._lock, self._over = {}, threading.Lock(), threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.uri = f"ldap://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def before_next_modify(self, act):
        with self._lock:
            self._acts[MODIFY] = act

    def after_next_modify(self, act):
        with self._lock:
            self._acts[MODIFIED] = act

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

    def _act(self, message):
        with self._lock:
            act = self._acts.pop(operation_of(message), None)
        if act is not None:
            act()

    def _relay(self, client):
        with client, socket.create_connection(self.there) as server:
            while not self._over.is_set():
                for ready in select.select([client, server], [], [], 0.05)[0]:
                    message = ready.recv(65536)
                    if not message:
                        return
                    self._act(message)
                    (server if ready is client else client).sendall(message)
