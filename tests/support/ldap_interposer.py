"""A TCP relay before a directory that lets a test act just before the agent's next change goes in, or just after its answer came."""

import select
import socket

from ldap_cutter import Cutter, operation_of

MODIFY, MODIFIED = 0x66, 0x67  # RFC 4511: ModifyRequest, ModifyResponse


class Interposer(Cutter):
    """Each act is done once, in the relay's thread, while the message waits. stop() ends it."""

    def __init__(self, uri):
        self._acts = {}
        super().__init__(uri, 0)

    def before_next_modify(self, act):
        self._acts[MODIFY] = act

    def after_next_modify(self, act):
        self._acts[MODIFIED] = act

    def _relay(self, client):
        with client, socket.create_connection(self.there) as server:
            while not self._over.is_set():
                for ready in select.select([client, server], [], [], 0.05)[0]:
                    message = ready.recv(65536)
                    if not message:
                        return
                    self._acts.pop(operation_of(message), lambda: None)()
                    (server if ready is client else client).sendall(message)
