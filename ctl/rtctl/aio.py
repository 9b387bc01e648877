"""The client library for asyncio, under the name that programs import: ``rtctl.aio.AsyncClient``."""

from rtctl.client.aio import AsyncClient

__all__ = ["AsyncClient"]
