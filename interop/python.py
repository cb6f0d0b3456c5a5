"""Drives the echo at the URL given with Python's websockets, and ends with status 0 if all is well."""

import asyncio
import sys

import websockets

SIZES = [0, 1, 125, 126, 127, 4096, 65535, 65536, 1 << 20]


def text(n):
    return ("雁 the wild goose carries letters; " * (n // 30 + 1))[:n]


async def talk(url, compression):
    async with websockets.connect(url, compression=compression, subprotocols=["echo"], max_size=None) as c:
        assert c.subprotocol == "echo", c.subprotocol
        for n in SIZES:
            await c.send(text(n))
            assert await c.recv() == text(n), n
            await c.send(text(n).encode())
            assert await c.recv() == text(n).encode(), n
            parts = [text(n)[: n // 3], text(n)[n // 3 :], ""]
            await c.send(parts)  # as fragments
            assert await c.recv() == text(n), n
        await (await c.ping(b"there?"))
        await c.pong(b"alone")
        await c.close(4004, "bye")
        assert c.close_code == 4004, c.close_code


async def main(url):
    for compression in None, "deflate":
        await talk(url, compression)


asyncio.run(asyncio.wait_for(main(sys.argv[1]), 60))
