"""Meters that answer over HTTP: asked every few seconds, each question with an end, one connection each.

Shelly of all generations, HomeWizard (its local API, version 1), and Tasmota. Sources: Shelly's API references (Gen1, Gen2 RPC),
HomeWizard's API documentation, and Tasmota's (Commands, Status 8; xdrv_01_9_webserver.ino, for its password).
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
from yarl import URL

from daisee import shallow
from daisee.config import Setting, number, text, via
from daisee.errors import SensorError
from daisee.files import read_secret
from daisee.model.home import Role
from daisee.model.readings import Reading
from daisee.monitor.sensors import House, Kind, Refuse, Sensor
from daisee.monitor.sensors.facts import WITHOUT_POWER, Fact, gen1_status, gen2_component, readings_of, tasmota

TIMEOUT_S = 8.0
MOST_BYTES = 262_144
"""The status of a Shelly Pro 3EM has some 5 kB."""
USER = "admin"
LOCKED = "asks for a password, or for another one; say it in password_file"
HOST = re.compile(r"(?:https?://)?(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(?::\d{1,5})?/?")

Ask = Callable[[str], Awaitable[Any]]
"""Ask the device for a path; answer its JSON."""
Parts = Iterable[tuple[str, list[Fact]]]


@dataclass(frozen=True, slots=True)
class Make:
    """How one maker's devices are spoken with."""

    identity: Callable[[Ask], Awaitable[tuple[str, Any]]]
    """Ask who it is: what is unique of it, and what `facts` wants to know of it. ValueError where it is no such device."""
    facts: Callable[[Ask, Any], Awaitable[Parts]]
    """Ask what it measures now. ValueError for what makes no sense."""
    digest: bool = False
    """Whether it may ask for its password by digest (RFC 7616)."""
    in_query: bool = False
    """Whether it wants user and password in the query of each question, and in no header."""


class HttpSensor:
    """A meter with an address."""

    def __init__(
        self,
        make: Make,
        address: str,
        poll_s: float,
        user: str | None = None,
        password: str | None = None,
        password_file: str | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Name the device, how often it is asked, and its password, where it has one."""
        self._make = make
        self._url = (address if "://" in address else f"http://{address}").rstrip("/")
        self._poll_s = poll_s
        self._user = user or USER
        self._password = password
        self._password_file = password_file
        self._login = ""
        """What is added to each question; it is shown nowhere."""
        self._clock = clock

    async def readings(self, refuse: Refuse) -> AsyncIterator[Reading]:
        """Ask the device, again and again."""
        loop = asyncio.get_running_loop()
        async with self._session() as session:

            async def ask(path: str) -> Any:
                return await self._json(session, path)

            who, known = await self._identity(ask)
            looked = loop.time()
            while True:
                began = loop.time()
                if began - looked > 60 * self._poll_s:
                    # Addresses wander: another device may have this one now.
                    looked = began
                    if (now := (await self._identity(ask))[0]) != who:
                        raise SensorError(f"another device answers at {self._url}: {now}, not {who}; give each a fixed address")
                try:
                    parts = await self._make.facts(ask, known)
                except ValueError as error:
                    refuse(str(error))
                else:
                    for reading in readings_of(parts, self._clock(), refuse):
                        yield reading
                await asyncio.sleep(max(0.0, self._poll_s - (loop.time() - began)))

    async def _identity(self, ask: Ask) -> tuple[str, Any]:
        try:
            return await self._make.identity(ask)
        except ValueError as error:
            raise SensorError(f"{self._url} is no such device: {error}") from error

    def _secret(self) -> str | None:
        if not self._password_file:
            return self._password
        try:
            return read_secret(Path(self._password_file))
        except OSError as error:
            raise SensorError(f"{self._password_file} cannot be read: {error.strerror}") from error

    @asynccontextmanager
    async def _session(self) -> AsyncIterator[aiohttp.ClientSession]:
        password = self._secret()
        more: dict[str, Any] = {}
        if password and self._make.in_query:
            self._login = f"&user={quote(self._user, safe='')}&password={quote(password, safe='')}"
        elif password and self._make.digest:
            more["middlewares"] = (_Either(self._user, password),)
        elif password:
            more["headers"] = {"Authorization": aiohttp.encode_basic_auth(self._user, password)}
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_S), trust_env=False, **more) as session:
            yield session

    async def _json(self, session: aiohttp.ClientSession, path: str) -> Any:
        """Ask for a path. SensorError where there is no answer; ValueError where it makes no sense."""
        try:
            async with session.get(URL(f"{self._url}{path}{self._login}", encoded=True), allow_redirects=False) as answer:
                if answer.status == 401:
                    raise SensorError(f"{self._url} {LOCKED}")
                if answer.status != 200:
                    raise SensorError(
                        f"{self._url} answers {answer.status} to {path.partition('?')[0]}; is it the right kind of device?"
                    )
                body = await answer.content.read(MOST_BYTES)
                while len(body) < MOST_BYTES and (more := await answer.content.read(MOST_BYTES - len(body))):
                    body += more
        except SensorError:
            raise
        except TimeoutError as error:
            raise SensorError(f"{self._url} has not answered within {TIMEOUT_S:.0f} s; is it on?") from error
        except (aiohttp.ClientError, OSError) as error:
            said = getattr(getattr(error, "os_error", None), "strerror", None) or type(error).__name__
            raise SensorError(f"{self._url} cannot be asked ({said}); is it on, and its address right?") from error
        try:
            return shallow.parse(body)
        except ValueError:
            raise ValueError("an answer that is no JSON") from None


class _Either:
    """Basic to who asks for it, digest to who asks for that: the first Shellys know the one, the later ones the other."""

    def __init__(self, user: str, password: str) -> None:
        self._basic = aiohttp.encode_basic_auth(user, password)
        self._digest = aiohttp.DigestAuthMiddleware(user, password)
        self._is_basic = False

    async def __call__(self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        if self._is_basic:
            request.headers["Authorization"] = self._basic
            return await handler(request)
        answer = await self._digest(request, handler)
        if answer.status == 401 and answer.headers.get("WWW-Authenticate", "").lower().startswith("basic"):
            self._is_basic = True
            answer.release()
            request.headers["Authorization"] = self._basic
            return await handler(request)
        return answer


def _of(said: Any, kind: type, what: str) -> Any:
    if not isinstance(said, kind):
        raise ValueError(f"an answer without {what}")
    return said


async def _shelly_identity(ask: Ask) -> tuple[str, Any]:
    said = _of(await ask("/shelly"), dict, "a device")
    if not isinstance(said.get("mac"), str):
        raise ValueError("it does not say it is a Shelly")
    generation = said.get("gen", 1)
    if not isinstance(generation, int):
        raise ValueError("a Shelly of no generation")
    return said["mac"], generation


async def _shelly_facts(ask: Ask, generation: int) -> Parts:
    if generation > 1:
        status = _of(await ask("/rpc/Shelly.GetStatus"), dict, "a status")
        return [each for name, said in status.items() if isinstance(said, dict) for each in gen2_component(name, said)]
    return list(gen1_status(_of(await ask("/status"), dict, "a status")))


async def _homewizard_identity(ask: Ask) -> tuple[str, Any]:
    said = _of(await ask("/api"), dict, "a device")
    if not isinstance(said.get("serial"), str):
        raise ValueError("it does not say it is of HomeWizard")
    if (product := str(said.get("product_type"))) in WITHOUT_POWER:
        raise ValueError(f"it is a {product}, which measures no electricity")
    return said["serial"], None


async def _homewizard_facts(ask: Ask, _known: Any) -> Parts:
    return [homewizard(_of(await ask("/api/v1/data"), dict, "what it measures"))]


def homewizard(said: Mapping[str, Any]) -> tuple[str, list[Fact]]:
    """Read what a HomeWizard device measures; older firmware has its energies only by tariff."""

    def energy(way: str) -> Any:
        whole = said.get(f"total_power_{way}_kwh")
        if whole is not None:
            return whole
        tariffs = [said.get(f"total_power_{way}_t{each}_kwh") for each in range(1, 5)]
        there = [each for each in tariffs if isinstance(each, int | float)]
        return sum(there) if there else None

    return "", [
        ("power", said.get("active_power_w"), "W"),
        ("forward", energy("import"), "kWh"),
        ("reverse", energy("export"), "kWh"),
        ("voltage", said.get("active_voltage_v", said.get("active_voltage_l1_v")), "V"),
        ("charge", said.get("state_of_charge_pct"), "%"),
    ]


async def _tasmota_identity(ask: Ask) -> tuple[str, Any]:
    net = (await _tasmota_says(ask, "/cm?cmnd=Status%205")).get("StatusNET")
    if not isinstance(net, dict) or not isinstance(net.get("Mac"), str):
        raise ValueError("it does not say it runs Tasmota")
    return net["Mac"], None


async def _tasmota_facts(ask: Ask, _known: Any) -> Parts:
    return list(tasmota("", (await _tasmota_says(ask, "/cm?cmnd=Status%208")).get("StatusSNS")))


async def _tasmota_says(ask: Ask, question: str) -> Mapping[str, Any]:
    said: Mapping[str, Any] = _of(await ask(question), dict, "a status")
    # Before its version 8.2.3 it said so with 200, since then with 401.
    if "WARNING" in said:
        raise SensorError(f"it {LOCKED}")
    return said


def _address(written: Any) -> str:
    if not isinstance(written, str) or not HOST.fullmatch(written):
        raise ValueError('the device\'s address, like "192.168.1.40" or "shelly-em.local"')
    return written


def _settings(poll_s: int) -> tuple[Setting, ...]:
    return (
        Setting("address", "", "Where the device is: an address or a name.", _address),
        Setting("poll_s", "s", "How often it is asked.", via(float, number("0.5", "3600")), poll_s),
        Setting("user", "", "The user, where it has one; usually admin.", text, None),
        Setting("password_file", "", "A file with its password, where it has one.", text, None),
        Setting("password", "", "Its password; a file keeps it better.", text, None),
    )


def _opened(make: Make) -> Callable[..., Sensor]:
    def open_it(**settings: Any) -> Sensor:
        return HttpSensor(make, **settings)

    return open_it


def _simulated(answers: Callable[[Reading], Mapping[str, Any]]) -> Callable[..., Awaitable[None]]:
    async def simulate(house: House, where: str | None, ready: Callable[[Mapping[str, Any]], None]) -> None:
        """Be such a device on a port of this machine."""
        from aiohttp import web  # a server, which who only asks does without

        async def answer(request: web.Request) -> web.Response:
            said = answers(house.at(time.time())).get(request.path_qs)
            return web.json_response(said) if said is not None else web.Response(status=404)

        host, _, port = (where or "127.0.0.1:0").rpartition(":")
        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, host or "127.0.0.1", int(port))
            try:
                await site.start()
            except (OSError, ValueError) as error:
                raise SensorError(f"nothing can listen at {where} ({error}); name another port, like 127.0.0.1:8090") from error
            at = runner.addresses[0]
            ready({"address": f"{at[0]}:{at[1]}"})
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    return simulate


def _as_shelly(seen: Reading) -> Mapping[str, Any]:
    power_w, wh = seen.power_w or 0.0, {"total_act": (seen.forward_j or 0) / 3600, "total_act_ret": (seen.reverse_j or 0) / 3600}
    return {
        "/shelly": {"id": "shellypro3em-simulated", "mac": "DA15EE000001", "gen": 2, "app": "Pro3EM", "auth_en": False},
        "/rpc/Shelly.GetStatus": {
            "em:0": {"id": 0, "total_act_power": power_w, "a_act_power": power_w, "a_voltage": seen.voltage_v},
            "emdata:0": {"id": 0, **{name: round(value, 2) for name, value in wh.items()}},
        },
    }


def _as_homewizard(seen: Reading) -> Mapping[str, Any]:
    return {
        "/api": {"product_type": "HWE-P1", "serial": "da15ee000002", "api_version": "v1"},
        "/api/v1/data": {
            "active_power_w": round(seen.power_w or 0),
            "total_power_import_kwh": round((seen.forward_j or 0) / 3.6e6, 3),
            "total_power_export_kwh": round((seen.reverse_j or 0) / 3.6e6, 3),
            "active_voltage_l1_v": seen.voltage_v,
        },
    }


def _as_tasmota(seen: Reading) -> Mapping[str, Any]:
    energy = {
        "Power": round(seen.power_w or 0),
        "Total": round((seen.forward_j or 0) / 3.6e6, 3),
        "Voltage": round(seen.voltage_v or 230),
    }
    return {
        "/cm?cmnd=Status%205": {"StatusNET": {"Hostname": "simulated", "Mac": "DA:15:EE:00:00:03"}},
        "/cm?cmnd=Status%208": {"StatusSNS": {"Time": "2026-01-01T00:00:00", "ENERGY": energy}},
    }


MAKES = {
    "shelly": Make(_shelly_identity, _shelly_facts, digest=True),
    "homewizard": Make(_homewizard_identity, _homewizard_facts),
    "tasmota": Make(_tasmota_identity, _tasmota_facts, in_query=True),
}


def _kind(name: str, title: str, poll_s: int, role: Role, answers: Callable[[Reading], Mapping[str, Any]], needs: str) -> Kind:
    return Kind(
        name=name,
        title=title,
        needs=needs,
        settings=_settings(poll_s),
        open=_opened(MAKES[name]),
        roles=(role, *(each for each in Role if each is not role)),
        simulate=_simulated(answers),
        example=f'kind = "{name}"\nrole = "{role}"\naddress = "192.168.1.40"\n',
    )


SHELLY = _kind(
    "shelly", "Shelly meters and plugs, all generations", 5, Role.GRID, _as_shelly, "its address on the home's network"
)
HOMEWIZARD = _kind(
    "homewizard", "HomeWizard P1 meter, kWh meter, socket", 1, Role.GRID, _as_homewizard,
    "its address, and the local API switched on in its app",
)  # fmt: skip
TASMOTA = _kind("tasmota", "Plugs and meters with Tasmota", 10, Role.SUB_LOAD, _as_tasmota, "its address on the home's network")
