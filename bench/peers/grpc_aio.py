"""gRPC with its asyncio interface, protobuf stubs and plain text; one-way messages are a stream of requests."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

from bench.client import HOST, Client, Place

LIBRARY = "asyncio"
protos, services = grpc.protos_and_services("bench/peers/bench.proto")  # made by grpcio-tools, at run time


class Bench:
    """The server's handlers."""

    def __init__(self) -> None:
        self._received = 0

    async def Echo(self, request: Any, context: Any) -> Any:
        return protos.Data(data=request.data)

    async def Push(self, requests: AsyncIterator[Any], context: Any) -> Any:
        async for _ in requests:
            self._received += 1
        return protos.Nothing()

    async def Received(self, request: Any, context: Any) -> Any:
        return protos.Count(count=self._received)

    async def Reset(self, request: Any, context: Any) -> Any:
        self._received = 0
        return protos.Nothing()


@asynccontextmanager
async def serving(place: Place) -> AsyncIterator[None]:
    server = grpc.aio.server()
    services.add_BenchServicer_to_server(Bench(), server)
    server.add_insecure_port(f"{HOST}:{place.port}")
    await server.start()
    try:
        yield
    finally:
        await server.stop(0)


class GrpcClient(Client):
    """One channel, and one stream for everything that is pushed."""

    def __init__(self, channel: Any) -> None:
        self._stub = services.BenchStub(channel)
        self.stream = self._stub.Push()

    async def call(self, data: bytes) -> bytes:
        return bytes((await self._stub.Echo(protos.Data(data=data))).data)

    async def push(self, data: bytes, count: int) -> None:
        for _ in range(count):
            await self.stream.write(protos.Data(data=data))

    async def received(self) -> int:
        return int((await self._stub.Received(protos.Nothing())).count)

    async def reset(self) -> None:
        await self._stub.Reset(protos.Nothing())


@asynccontextmanager
async def connected(place: Place) -> AsyncIterator[Client]:
    async with grpc.aio.insecure_channel(f"{HOST}:{place.port}") as channel:
        await channel.channel_ready()
        client = GrpcClient(channel)
        yield client
        await client.stream.done_writing()
        await client.stream
