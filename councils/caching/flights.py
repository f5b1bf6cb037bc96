"""Those who ask the same at the same moment wait for one call."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from django.conf import settings

from councils.caching.answers import KeptAnswer
from councils.caching.rows import Entry, ttl_of
from councils.caching.shelf import Shelf
from councils.models import CacheKind

POLL_S = 0.1
CLAIM_TTL_S = 6.0
"""A process that dies holds others up for this long. One that lives renews its claim three times as often."""
LLM = CacheKind.LLM.value


@dataclass(slots=True)
class Flight:
    """One look at the cache. With a ``hit`` nothing need be asked. Without one its holder asks, and puts the answer into ``landed``."""

    key: str
    hit: KeptAnswer | None = None
    landed: KeptAnswer | None = None
    looked_ms: int = 0


@dataclass(frozen=True, slots=True)
class _Landing:
    """How a flight ended. ``asked`` without an ``answer``: the model was asked and there is nothing to keep."""

    answer: KeptAnswer | None
    asked: bool


@dataclass(slots=True)
class Flights:
    """The calls that are under way in this process, by key. Used on the engine loop only.

    Whoever comes second waits for the first one's answer. If the first one is stopped, one of those who wait takes its place; if it was
    answered with nothing worth keeping, all who waited ask for themselves, side by side: a model that fails must not fail them in a queue.
    Between processes a claim in the fast tier does the same, where that tier is shared; it lapses soon after its process has died.
    """

    shelf: Shelf
    _open: dict[str, asyncio.Future[_Landing]] = field(default_factory=dict)

    @asynccontextmanager
    async def take(self, key: str, *, patience_s: float) -> AsyncIterator[Flight]:
        """Wait for whoever asks the same, else look, else it is ours to ask. After ``patience_s`` seconds of waiting it is in any case."""
        flight, began = Flight(key), time.monotonic()
        while (leader := self._open.get(key)) is not None:
            # Shielded: one who gives up waiting must not take the answer from the others.
            landing = await _in_time(leader, began + patience_s)
            if landing.answer is None and not landing.asked:
                continue
            flight.hit, flight.looked_ms = landing.answer, _since(began)
            self.shelf.note(LLM, key, found=landing.answer is not None)
            yield flight
            return
        # Nothing is awaited between looking for a leader and becoming one.
        mine: asyncio.Future[_Landing] = asyncio.get_running_loop().create_future()
        self._open[key] = mine
        async with AsyncExitStack() as claim:
            asked = False
            try:
                flight.hit = await self._find(key)
                if flight.hit is None and settings.REDIS_CACHE_URL:
                    flight.hit = await self._claim_or_wait(key, claim, until=began + patience_s)
                flight.looked_ms = _since(began)
                yield flight
                asked = True
            finally:
                del self._open[key]
                mine.set_result(_Landing(flight.hit or flight.landed, asked))

    async def keep(self, flight: Flight | None, answer: KeptAnswer, entry: Entry) -> None:
        """Store a new answer, and hand it to those who wait for this flight."""
        if flight is not None and flight.key == entry.key:
            flight.landed = answer
        await self.shelf.keep(entry)

    async def _find(self, key: str) -> KeptAnswer | None:
        return KeptAnswer.from_json(await self.shelf.find(LLM, key, is_good=lambda value: KeptAnswer.from_json(value) is not None))

    async def _claim_or_wait(self, key: str, claim: AsyncExitStack, *, until: float) -> KeptAnswer | None:
        """Claim the call among all processes until ``claim`` closes, or wait for the one that makes it.

        Processes are few, so that those who fail may do so one after the other.
        """
        fast, waited = self.shelf.fast, False
        while time.monotonic() < until:
            if await asyncio.to_thread(lambda: fast.claim(LLM, key, ttl_s=CLAIM_TTL_S)):
                # Another one's answer may have come between the look and the claim.
                answer = await self._in_fast(key) if waited else None
                if answer is None:
                    await claim.enter_async_context(self._claimed(key))
                else:
                    await asyncio.to_thread(fast.release, LLM, key)
                return answer
            waited = True
            await asyncio.sleep(POLL_S)
            if (answer := await self._in_fast(key)) is not None:
                return answer
        return None

    async def _in_fast(self, key: str) -> KeptAnswer | None:
        return KeptAnswer.from_json(await asyncio.to_thread(self.shelf.fast.get, LLM, key))

    @asynccontextmanager
    async def _claimed(self, key: str) -> AsyncIterator[None]:
        """Keep a claim alive for as long as the call takes, then let it go."""
        renewing = asyncio.create_task(self._renew(key))
        try:
            yield
        finally:
            renewing.cancel()
            await asyncio.to_thread(self.shelf.fast.release, LLM, key)

    async def _renew(self, key: str) -> None:
        while True:
            await asyncio.sleep(CLAIM_TTL_S / 3)
            await asyncio.to_thread(lambda: self.shelf.fast.renew(LLM, key, ttl_s=CLAIM_TTL_S))


async def _in_time(leader: asyncio.Future[_Landing], until: float) -> _Landing:
    """How the leader fared; one that takes too long counts as one that brought nothing."""
    try:
        async with asyncio.timeout_at(asyncio.get_running_loop().time() + until - time.monotonic()):
            return await asyncio.shield(leader)
    except TimeoutError:
        return _Landing(None, asked=True)


def _since(began: float) -> int:
    """Milliseconds since this monotonic time."""
    return round((time.monotonic() - began) * 1000)


def entry_of(answer: KeptAnswer, *, key: str, model_id: int | None, model_name: str, prompt_hash: str) -> Entry:
    """How an answer of a model is stored."""
    return Entry(
        kind=LLM,
        key=key,
        data=answer.to_json(),
        ttl_s=ttl_of(LLM),
        model_id=model_id,
        model_name=model_name,
        prompt_hash=prompt_hash,
    )
