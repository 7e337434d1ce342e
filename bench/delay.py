# SPDX-License-Identifier: Apache-2.0
"""A TCP relay on loopback that holds every byte back for a while."""
import asyncio
import threading


class Relay:
    """Relays from each (ip, port) of `routes` to its (ip, port), both ways."""

    def __init__(self, routes, seconds):
        self.routes = routes
        self.seconds = seconds
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self):
        self.thread.start()
        asyncio.run_coroutine_threadsafe(self.listen(), self.loop).result(10)
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(5)

    async def listen(self):
        for here, there in self.routes:
            await asyncio.start_server(
                lambda r, w, to=there: self.serve(r, w, to), *here)

    async def serve(self, reader, writer, there):
        try:
            far_reader, far_writer = await asyncio.open_connection(*there)
        except OSError:
            writer.close()
            return
        await asyncio.gather(self.pump(reader, far_writer),
                             self.pump(far_reader, writer))

    async def pump(self, reader, writer):
        """In order, each piece `seconds` after it came."""
        queue = asyncio.Queue()
        sender = asyncio.ensure_future(self.send(queue, writer))
        try:
            while True:
                data = await reader.read(65536)
                queue.put_nowait((self.loop.time() + self.seconds, data))
                if not data:
                    break
        except OSError:
            queue.put_nowait((self.loop.time(), b''))
        await sender

    async def send(self, queue, writer):
        while True:
            due, data = await queue.get()
            await asyncio.sleep(max(0, due - self.loop.time()))
            if not data:
                break
            writer.write(data)
        writer.close()
