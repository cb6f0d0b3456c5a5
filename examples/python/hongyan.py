#!/usr/bin/env python3
"""A client of Hongyan in one file, for Python 3.9 and its standard library: docs/PROTOCOL.md put to work."""
import argparse, json, os, random, re, socket, sqlite3, ssl, struct, sys, time

LOGIN, AUTH, HEARTBEAT, SYNC, BACKFILL, NOTIFY, CLOSE, SEND, ANSWER = 2, 3, 6, 20, 22, 30, 31, 40, 1_000_000_000
REVOKED, TLS_REQUIRED, KEY_INVALID, LAST_KNOWN = 7, 9, 24, 28
PASSING = {1, 8, 26, 27, 28}  # the same request may succeed later, as it may after any error of a later version
REMEDY = {REVOKED: "token = ''", TLS_REQUIRED: "tls = 1", KEY_INVALID: "key = x'', backfill = x''"}
HEADER = struct.Struct(">IHHII")  # total length, header length, version, operation, sequence
TABLES = """
CREATE TABLE IF NOT EXISTS me (server, tls DEFAULT 0, name, token DEFAULT '', key DEFAULT x'', backfill DEFAULT x'');
CREATE TABLE IF NOT EXISTS messages (conversation, ordinal, PRIMARY KEY (conversation, ordinal));
CREATE TABLE IF NOT EXISTS outbox (client_id, name, text, first_attempt_ms);
INSERT OR IGNORE INTO me (rowid) VALUES (1);"""


def field(number, value):
    """Encode a field of a body: an int, a str, or bytes, which may be a body themselves."""
    def varint(rest):
        return bytes([rest]) if rest < 0x80 else bytes([rest & 0x7F | 0x80]) + varint(rest >> 7)
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    data = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(data)) + data


def fields(body, kinds):
    """Decode the fields of a body that kinds lists by number: int, str, bytes, or list (of bytes) if repeated."""
    def varint():
        nonlocal at
        byte, at = body[at], at + 1
        return byte if byte < 0x80 else byte & 0x7F | varint() << 7
    found, at = {number: kind() for number, kind in kinds.items()}, 0
    while at < len(body):
        number, form = divmod(varint(), 8)
        value = {1: 8, 5: 4}.get(form) or varint()  # the value of a number, the size of anything else
        if form:
            value, at = body[at:at + value], at + value
        if kind := kinds.get(number):
            found[number] = [*found[number], value] if kind is list else value.decode() if kind is str else value
    return found.values()


class Failure(Exception):
    """A closed link, or a request that may be repeated: what was said, code, milliseconds to wait."""


class Client:
    """A device of an account, whose state is an SQLite database, and its link to the server."""
    def __init__(self, path):
        os.umask(0o077)  # the device token is a secret
        self.db = sqlite3.connect(path, timeout=30, isolation_level=None)
        self.db.executescript(TABLES)

    def me(self, columns):
        return self.db.execute(f"SELECT {columns} FROM me").fetchone()

    def connect(self, operation, credentials):
        """Open a link, plain only to this machine, say who is there, and return the answer."""
        (server, tls), self.buffer, self.sequence, self.notified = self.me("server, tls"), b"", 0, False
        host, port = re.fullmatch(r"\[?(.*?)\]?(?::(\d+))?", server).groups("7878")
        self.socket = socket.create_connection((host, int(port)), timeout=8)
        if tls or host not in ("localhost", "127.0.0.1", "::1"):
            self.socket = ssl.create_default_context().wrap_socket(self.socket, server_hostname=host)
        return self.request(operation, credentials)

    def receive(self, deadline):
        """Return operation, sequence and body of the next frame. A Notify is noted, a Close raised."""
        while len(self.buffer) < 16 or len(self.buffer) < HEADER.unpack_from(self.buffer)[0]:
            self.socket.settimeout(max(deadline - time.monotonic(), 0.001))
            data = self.socket.recv(1 << 16)
            if not data or len(self.buffer) > 1 << 20:
                raise ConnectionError("it ended without a word")
            self.buffer += data
        size, header, version, operation, sequence = HEADER.unpack_from(self.buffer)
        if size < 16 or (header, version) != (16, 1):
            raise ValueError("it does not speak version 1")
        body, self.buffer = self.buffer[16:size], self.buffer[size:]
        if operation == CLOSE:
            reason, text, wait_ms, final = fields(body, {1: int, 2: str, 3: int, 4: int})
            raise Failure(text, REVOKED if final else TLS_REQUIRED if reason == 4 else 0, wait_ms)
        self.notified |= operation == NOTIFY
        return operation, sequence, body

    def request(self, operation, body):
        """Return the body of the answer. A link that brings none within 8 s is dead; a refusal for good ends all."""
        self.sequence, self.sent, sequence = self.sequence + 1, time.monotonic(), 0
        self.socket.settimeout(8)
        self.socket.sendall(HEADER.pack(16 + len(body), 16, 1, operation, self.sequence) + body)
        while sequence != self.sequence:
            operation, sequence, body = self.receive(self.sent + 8)
        if operation == ANSWER:
            code, text, hint, wait_ms = fields(body, {1: int, 2: str, 3: str, 4: int})
            if code in PASSING or code in REMEDY or code > LAST_KNOWN:
                raise Failure(f"{text}; {hint}", code, wait_ms)
            sys.exit(f"hongyan: {text}; {hint}".rstrip("; "))
        return body

    def stay(self, work, delay_ms=1000):
        """Yield what work yields on a link, and on a new one whenever that breaks, until work is done."""
        while True:
            (token,), started = self.me("token"), time.monotonic()
            if not token:
                sys.exit("hongyan: log in first")
            try:
                self.time_ms, hints = fields(self.connect(AUTH, field(1, token)), {6: int, 8: bytes})
                self.beat_ms = max(fields(hints, {1: int})) or 210_000
                with self.socket:
                    yield from work()
                return
            except (Failure, OSError, ValueError, LookupError) as error:
                text, code, wait_ms = error.args if isinstance(error, Failure) else (f"no link: {error}", 0, 0)
            print(f"hongyan: {text}", file=sys.stderr)
            if code in REMEDY:
                self.db.execute(f"UPDATE me SET {REMEDY[code]} WHERE token = ?", (token,))
                continue
            time.sleep((wait_ms * random.uniform(1, 1.25) or random.uniform(delay_ms / 2, delay_ms)) / 1000)
            delay_ms = min(2 * delay_ms, 60_000) if time.monotonic() - started < 30 else 1000

    def send(self):
        """Send what is in the outbox, in order. A message leaves it when it is acknowledged, or refused for good."""
        self.db.execute("UPDATE outbox SET first_attempt_ms = ? WHERE first_attempt_ms = 0", (self.time_ms,))
        for client_id, name, text, first_ms in self.db.execute("SELECT * FROM outbox ORDER BY rowid").fetchall():
            body = field(2, name) + field(3, client_id) + field(4, first_ms) + field(5, field(1, text))
            try:
                number, chat, ordinal = fields(self.request(SEND, body), {1: int, 2: str, 3: int})
            except SystemExit:
                self.db.execute("DELETE FROM outbox WHERE client_id = ?", (client_id,))
                raise
            yield {"id": str(number), "conversation": chat, "ordinal": ordinal}
            self.db.execute("DELETE FROM outbox WHERE client_id = ?", (client_id,))

    def pull(self):
        """Yield and store what is new. Presenting the last key, which then comes back, acknowledges everything."""
        while True:
            key, backfill = at = self.me("key, backfill")
            if backfill:
                reply = self.request(BACKFILL, field(1, backfill))
                changes, backfill, reason = *fields(reply, {1: list, 3: bytes}), 0
            else:
                reply = self.request(SYNC, field(1, key))
                changes, key, more, reset = fields(reply, {1: list, 2: bytes, 4: int, 6: bytes})
                reason, backfill = fields(reset, {1: int, 3: bytes})
                if key == at[0] and not more:
                    return
            with self.db:  # one transaction: the key is stored when all messages were taken from this generator
                self.db.execute("BEGIN IMMEDIATE")
                if self.me("key, backfill") == at:
                    yield from self.apply(changes, reason)
                    self.db.execute("UPDATE me SET key = ?, backfill = ?", (key, backfill))

    def apply(self, changes, reason):
        self.db.execute("DELETE FROM messages WHERE ? IN (1, 3)", (reason,))  # FIRST, GENERATION: another history
        for message, in (fields(change, {2: bytes}) for change in changes):
            id_, chat, number, name, nonce, body = fields(message, {1: int, 2: str, 3: int, 5: str, 6: bytes, 8: bytes})
            text = "".join(fields(body, {1: str, 9: str}))  # a text has no caption
            if message and self.db.execute("INSERT OR IGNORE INTO messages VALUES (?, ?)", (chat, number)).rowcount:
                yield {"id": str(id_), "from": name, "conversation": chat, "ordinal": number, "text": text}
            self.db.execute("DELETE FROM outbox WHERE client_id = ?", (nonce,))  # being there acknowledges it

    def follow(self):
        """Pull now, and whenever there is something newer."""
        while True:
            self.notified = False
            yield from self.pull()
            while not self.notified:
                try:
                    self.receive(self.sent + random.uniform(1, 1.1) * self.beat_ms / 1000)
                except socket.timeout:
                    newer, = fields(self.request(HEARTBEAT, field(1, *self.me("key"))), {2: int})
                    self.notified |= newer


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    login, send, sync = (commands.add_parser(name) for name in ("login", "send", "sync"))
    for command, option in ((login, "--server"), (login, "--user"), (login, "--state"), (send, "--state"),
                            (send, "--to"), (sync, "--state")):
        command.add_argument(option, required=True)
    send.add_argument("text")
    sync.add_argument("--follow", action="store_true", help="stay, and print what comes")
    args = parser.parse_args()
    client = Client(args.state)
    try:
        if args.command == "login":  # the device that was here before, if there was one, is taken over
            if client.me("name")[0] not in (None, args.user):
                sys.exit("hongyan: this state belongs to another account")
            client.db.execute("UPDATE me SET server = ?", (args.server,))
            body = field(1, args.user) + field(2, sys.stdin.readline().rstrip("\r\n")) + field(4, *client.me("token"))
            body += field(3, field(2, socket.gethostname()[:64]) + field(3, 6))  # this device, a CLI
            token, = fields(client.connect(LOGIN, body), {1: str})
            client.db.execute("UPDATE me SET name = ?, token = ?", (args.user, token))
        else:
            if args.command == "send":
                client.db.execute("INSERT INTO outbox VALUES (?, ?, ?, 0)", (os.urandom(16), args.to, args.text))
            for line in client.stay(client.send if "to" in args else client.follow if args.follow else client.pull):
                print(json.dumps(line), flush=True)
    except (Failure, OSError, ValueError, sqlite3.Error, KeyboardInterrupt) as error:
        sys.exit(f"hongyan: {error.args[0] if isinstance(error, Failure) else error}")
