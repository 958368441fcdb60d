from __future__ import annotations

import asyncio
import threading
import time

from support.apiserver import ADMIN, ApiServer
from support.asynchronous import asynchronous, until
from support.link import Link

from cdi.kube.client import Client
from cdi.kube.config import load
from cdi.kube.lease import Leadership, Terms
from cdi.kube.resources import LEASES


class Lost(threading.Event):
    """What a test gives for the end of the process."""

    def terms(self, duration_s: int = 3) -> Terms:
        return Terms(duration_s, renew_within_s=1.0, retry_s=0.2, lost=self.set)


async def holder(client: Client, namespace: str) -> str | None:
    lease = await client.get(LEASES, "cdi", namespace)
    return lease.spec.holder_identity


@asynchronous
async def test_the_second_waits_until_the_first_gives_it_back(client: Client, namespace: str) -> None:
    lost = Lost()
    async with client:
        entered = asyncio.Event()

        async def second() -> None:
            async with Leadership(client, namespace, "cdi", "second", lost.terms()):
                entered.set()

        async with Leadership(client, namespace, "cdi", "first", lost.terms()):
            waiting = asyncio.create_task(second())
            await asyncio.sleep(2)  # ten attempts
            assert not entered.is_set() and await holder(client, namespace) == "first"
        began = time.monotonic()
        await waiting
        assert time.monotonic() - began < 2, "given back, not expired"
        lease = await client.get(LEASES, "cdi", namespace)
        assert lease.spec.holder_identity is None and lease.spec.lease_transitions == 2
    assert not lost.is_set()


@asynchronous
async def test_a_dead_holder_is_followed_when_its_time_is_over(client: Client, namespace: str) -> None:
    dead = {"holderIdentity": "dead", "leaseDurationSeconds": 2, "renewTime": "2099-01-01T00:00:00.000000Z"}
    async with client:
        await client.create(LEASES, {"metadata": {"name": "cdi", "namespace": namespace}, "spec": dead})
        began = time.monotonic()
        async with Leadership(client, namespace, "cdi", "next", Lost().terms()):
            assert time.monotonic() - began >= 2
            assert await holder(client, namespace) == "next"


@asynchronous
async def test_who_cannot_renew_ends(api: ApiServer, client: Client, namespace: str) -> None:
    lost = Lost()
    async with Link(api.port) as link:
        kubeconfig = api.kubeconfig(ADMIN, f"https://127.0.0.1:{link.port}")
        async with Client(load(str(kubeconfig))) as linked, Leadership(linked, namespace, "cdi", "one", lost.terms()):
            await asyncio.sleep(1.5)
            assert not lost.is_set()
            link.cut()
            await until(lost.is_set)


@asynchronous
async def test_a_connection_that_hangs_costs_no_lease(api: ApiServer, client: Client, namespace: str) -> None:
    lost = Lost()
    async with client, Link(api.port) as link:
        kubeconfig = api.kubeconfig(ADMIN, f"https://127.0.0.1:{link.port}")
        async with Client(load(str(kubeconfig))) as linked, Leadership(linked, namespace, "cdi", "one", lost.terms()):
            link.stall()
            await asyncio.sleep(1.5)  # longer than it has to renew
            assert not lost.is_set()


@asynchronous
async def test_a_hanging_event_loop_ends_too(client: Client, namespace: str) -> None:
    lost = Lost()
    async with client, Leadership(client, namespace, "cdi", "one", lost.terms()):
        assert lost.wait(5)  # blocks the loop


@asynchronous
async def test_who_finds_another_holder_ends(client: Client, namespace: str) -> None:
    lost = Lost()
    async with client, Leadership(client, namespace, "cdi", "one", lost.terms()):
        thief = {"spec": {"holderIdentity": "thief"}}
        await client.merge_patch(LEASES, "cdi", thief, namespace=namespace)
        await until(lost.is_set)


@asynchronous
async def test_a_label_on_the_lease_is_no_loss(client: Client, namespace: str) -> None:
    lost = Lost()
    async with client, Leadership(client, namespace, "cdi", "one", lost.terms()):
        await client.merge_patch(LEASES, "cdi", {"metadata": {"labels": {"a": "b"}}}, namespace=namespace)
        await asyncio.sleep(1.5)
        assert not lost.is_set()


@asynchronous
async def test_only_one_of_many_holds_it(client: Client, namespace: str) -> None:
    holding = 0
    async with client:

        async def take(number: int) -> None:
            nonlocal holding
            async with Leadership(client, namespace, "cdi", f"number-{number}", Lost().terms()):
                holding += 1
                assert holding == 1
                await asyncio.sleep(0.1)
                holding -= 1

        await asyncio.gather(*(take(number) for number in range(5)))


@asynchronous
async def test_a_lease_that_is_deleted_has_its_holder_all_the_same(client: Client, namespace: str) -> None:
    """Whoever waits has seen that it was held, and knows for how long its holder may believe in it."""
    lost = Lost()
    async with client:
        entered = asyncio.Event()

        async def second() -> None:
            async with Leadership(client, namespace, "cdi", "second", lost.terms()):
                entered.set()

        async with Leadership(client, namespace, "cdi", "first", lost.terms()):
            waiting = asyncio.create_task(second())
            for _ in range(3):
                await asyncio.sleep(0.5)
                await client.delete(LEASES, "cdi", namespace)
            async with asyncio.timeout(10):
                while await client.find(LEASES, "cdi", namespace) is None:  # noqa: ASYNC110 - each look is a request
                    await asyncio.sleep(0.05)
            assert await holder(client, namespace) == "first"
            assert not entered.is_set() and not lost.is_set()
        await waiting
    assert not lost.is_set()


@asynchronous
async def test_a_lease_whose_holder_is_gone_with_it_is_made_when_its_time_is_over(
    client: Client, namespace: str
) -> None:
    dead = {"holderIdentity": "dead", "leaseDurationSeconds": 3, "renewTime": "2099-01-01T00:00:00.000000Z"}
    async with client:
        await client.create(LEASES, {"metadata": {"name": "cdi", "namespace": namespace}, "spec": dead})
        leadership = Leadership(client, namespace, "cdi", "next", Lost().terms())
        assert not await leadership._taken()
        await client.delete(LEASES, "cdi", namespace)
        assert not await leadership._taken()
        async with leadership:
            assert await holder(client, namespace) == "next"


@asynchronous
async def test_a_lease_is_given_back_also_after_a_renewal_that_nobody_heard_of(client: Client, namespace: str) -> None:
    async with client:
        async with Leadership(client, namespace, "cdi", "first", Lost().terms()) as leadership:
            leadership._version = "1"
        assert await holder(client, namespace) is None
