"""Ten accounts do whatever comes to mind, one of them and its contract mean harm; the contracts and the model must agree.

A step is one number, drawn by Hypothesis; it decides who calls what with which arguments, in the state that the steps before
it led to. So a story that fails becomes shorter by leaving steps out, and is printed call by call. After each step the two
are compared and the laws are held against them, and now and then every number there is.

`python -m tests.contracts.fuzz --calls 1000000` says what it did; `make fuzz-contracts` does that.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import hypothesis
from eth_abi.abi import encode
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from tests.chain.assembler import deployment
from tests.contracts.ground import CHAIN_ID, NO_END_S, SKEW_S, UINT64, UINT96, UINT256
from tests.contracts.model import NOBODY, Refused, Wanted, cost_of
from tests.contracts.world import KEYS, KINDS, MALLORY, OPERATOR, PEOPLE, World, encoded, strike_code, word

from daisee.ledger.artifacts import load
from daisee.ledger.coin import FREEZER_ROLE, MINTER_ROLE
from daisee.ledger.exchange import OPERATOR_ROLE

MEMBERS = PEOPLE[:-2]
"""Who is a home from the beginning, beside the hostile contract."""
RICH = 10**20
STEPS = 400
"""The longest story."""
WHOLE_EVERY = 40
"""Steps between two looks at every number there is."""
WEIRD = (0, 1, 2, 2**63, UINT64 - 1, UINT64)
PRICES = (1, 3_600_000, 10**18, 10**18 + 1, 7, 2 * 10**17)
NUMBERS = st.integers(0, 2**32 - 1)
# Long ones, in which much comes together; a failure in one of them is made shorter as a short one.
SHORT, LONG = st.lists(NUMBERS, max_size=STEPS), st.lists(NUMBERS, min_size=STEPS // 2, max_size=STEPS)
PERMIT = {"owner": "address", "spender": "address", "value": "uint256", "nonce": "uint256", "deadline": "uint256"}
DOMAIN = {"name": "string", "version": "string", "chainId": "uint256", "verifyingContract": "address"}


class Player:
    """Decides, by a number, what happens next."""

    def __init__(self, world: World) -> None:
        self.world, self.model = world, world.model
        self.random = random.Random(0)
        self.weights = [weight for _, weight in self.deeds()]
        self.choices = [deed for deed, _ in self.deeds()]

    def deeds(self) -> list[tuple[Callable[[str], None], int]]:
        """List what may happen, each with how often."""
        return [
            (self.report, 18), (self.report_charge, 12), (self.report_many, 5), (self.offer, 10), (self.withdraw, 2),
            (self.buy, 14), (self.buy_from, 10), (self.quote, 6), (self.pay_and_buy, 6), (self.approve_and_buy, 6),
            (self.buy_with_permit, 3), (self.place_order, 7), (self.cancel_order, 1), (self.transfer, 4), (self.approve, 5),
            (self.transfer_from, 4), (self.mint, 2), (self.freeze, 3), (self.suspend, 3), (self.admit, 2), (self.close, 1),
            (self.pretend, 3), (self.pay_from_and_buy, 2), (self.arm, 5), (self.tempt, 4), (self.take_a_role, 1),
            (self.babble, 1),
        ]  # fmt: skip

    def begin(self) -> None:
        """Homes with coins, energy and offers, so that most of what is tried means something."""
        model, act = self.model, self.world.act
        for account in (*PEOPLE, self.world.hostile):
            act(OPERATOR, "coin", "transfer", [account, RICH], partial(model.transfer, OPERATOR, account, RICH))
        for home in (*MEMBERS, self.world.hostile):
            act(OPERATOR, "exchange", "admit", [home, 5_000], partial(model.admit, OPERATOR, home, 5_000))
            much = UINT256 if home != MEMBERS[0] else RICH // 2
            args = [model.exchange, much]
            act(home, "coin", "approve", args, partial(model.approve, home, model.exchange, much))
        for home in MEMBERS[1:]:
            args = [10**18, UINT64, NO_END_S]
            act(home, "exchange", "offer", args, partial(model.offer, home, 10**18, UINT64, NO_END_S))

    def step(self, number: int) -> None:
        """Let one thing happen."""
        self.random.seed(number)
        self.world.wait(self.pick((0, 1, 1, 1, 7, 900)))
        self.random.choices(self.choices, self.weights)[0](self.anyone())

    # ---- drawing

    def pick(self, choices: Sequence[Any]) -> Any:
        return choices[int(self.random.random() * len(choices))]

    def chance(self, one_in: int) -> bool:
        return self.random.random() * one_in < 1

    def anyone(self) -> str:
        """Mostly a member; now and then whoever means harm, or has no business here."""
        return str(self.pick(MEMBERS)) if self.random.random() < 0.7 else str(self.pick(self.world.accounts))

    def address(self) -> str:
        """Mostly somebody; now and then a contract, or nobody."""
        return self.anyone() if not self.chance(15) else str(self.pick((self.model.coin, self.model.exchange, NOBODY)))

    def energy(self) -> int:
        return int(self.random.random() * 3_000) if not self.chance(20) else int(self.pick(WEIRD))

    def price(self) -> int:
        return int(self.pick(PRICES)) if not self.chance(10) else int(self.pick((0, UINT96, self.random.getrandbits(96))))

    def coins(self) -> int:
        return int(self.pick((0, 1, 10**15, 10**18, RICH, RICH + 1, UINT256))) if self.chance(3) else self.random.getrandbits(60)

    def wanted(self, buyer: str) -> Wanted:
        """A purchase: mostly possible, often exactly of all there is or of a joule more."""
        most = 3 if not self.chance(25) else 17
        sellers = [self.anyone() for _ in range(int(self.random.random() * (most + 1)))]
        if not self.chance(8):
            sellers = [seller for seller in sellers if seller != buyer] or [MEMBERS[1] if buyer != MEMBERS[1] else MEMBERS[2]]
        there_j = sum(self.model.available_j(seller) for seller in set(sellers))
        amount_j = min(UINT64, there_j + self.pick((0, 0, 1))) if self.chance(4) else self.energy()
        return sellers, amount_j, UINT96 if not self.chance(3) else self.price(), self.chance(2)

    def until(self, who: str) -> int:
        """Mostly now; now and then the edges of the skew, or what was reported already."""
        home = self.model.state.homes.get(who)
        reported_s = home.until_s if home else 0
        if not self.chance(6):
            return max(self.world.now_s, reported_s + 1)
        return int(
            self.pick((reported_s, reported_s + 1, self.world.now_s + SKEW_S, self.world.now_s + SKEW_S + 1, 0, 2**40 - 1))
        )

    def since(self, who: str) -> int:
        home = self.model.state.homes.get(who)
        return (home.until_s if home else 0) + self.chance(15)

    def draws(self, who: str) -> list[tuple[str, int]]:
        """Often exactly what was bought, or a joule more."""
        drawn = []
        for _ in range(int(self.random.random() * 3) if not self.chance(40) else 17):
            seller = self.anyone()
            pair = self.model.state.pairs.get((who, seller))
            much_j = min(UINT64, pair.credit_j + self.pick((0, 1))) if pair and self.chance(2) else self.energy()
            drawn.append((seller, much_j))
        return drawn

    # ---- deeds

    def act(self, who: str, contract: str, function: str, arguments: list[Any], expected: Callable[[], Any]) -> None:
        self.world.act(who, contract, function, arguments, expected)

    def report(self, who: str) -> None:
        since_s, until_s, made_j, own_j, draws = self.since(who), self.until(who), self.energy(), self.energy(), self.draws(who)
        self.act(who, "exchange", "report", [since_s, until_s, made_j, own_j, draws],
                 lambda: self.model.report(who, since_s, [(until_s, made_j, own_j, draws)], None))  # fmt: skip

    def report_charge(self, who: str) -> None:
        charge = int(self.pick((0, 100, 500, 999, 1000, UINT64 % 2**16)))
        since_s, until_s, made_j, own_j, draws = self.since(who), self.until(who), self.energy(), self.energy(), self.draws(who)
        self.act(who, "exchange", "reportCharge", [since_s, until_s, made_j, own_j, draws, charge],
                 lambda: self.model.report(who, since_s, [(until_s, made_j, own_j, draws)], charge))  # fmt: skip

    def report_many(self, who: str) -> None:
        count = int(self.random.random() * 4) if not self.chance(30) else 97
        last_s, charge = self.until(who), int(self.pick((0, 1000)))
        intervals = [(max(0, last_s - count + 1 + place), self.energy(), self.energy(), self.draws(who) if count < 9 else [])
                     for place in range(count)]  # fmt: skip
        since_s = self.since(who)
        self.act(who, "exchange", "reportMany", [since_s, intervals, charge],
                 lambda: self.model.report(who, since_s, intervals, charge, many=True))  # fmt: skip

    def offer(self, who: str) -> None:
        amount_j = UINT64 if self.chance(2) else self.energy()
        until_s = NO_END_S if self.chance(2) else self.world.now_s + int(self.pick((-1, 0, 1, 2_000)))
        price = self.price()
        self.act(who, "exchange", "offer", [price, amount_j, until_s], lambda: self.model.offer(who, price, amount_j, until_s))

    def withdraw(self, who: str) -> None:
        self.act(who, "exchange", "withdrawOffer", [], lambda: self.model.withdraw(who))

    def buy(self, who: str) -> None:
        sellers, amount_j, price, _ = self.wanted(who)
        seller = sellers[0] if sellers else self.address()
        self.act(who, "exchange", "buy", [seller, amount_j, price], lambda: self.model.buy(who, seller, amount_j, price))

    def buy_from(self, who: str) -> None:
        wanted = self.wanted(who) if not self.chance(30) else ([], 1, 1, False)
        self.act(who, "exchange", "buyFrom", [wanted], lambda: self.model.buy_from(who, wanted))

    def quote(self, who: str) -> None:
        """A view says beforehand what would be bought, or refused."""
        wanted = self.wanted(who)
        self.world.calls["quote"] += 1
        try:
            expected = True, encode(["(address,uint64,uint96,uint256)[]", "uint64", "uint256"], self.model.quote(who, wanted))
        except Refused as refusal:
            expected = False, refusal.encoded()
        data = encoded("exchange", "quote", [who, wanted])
        assert self.world.send(OPERATOR, "exchange", data) == expected, f"quote of {self.world.named(wanted)}"

    def purchase_data(self, who: str) -> tuple[Wanted | None, bytes]:
        """A purchase as the coin carries it; now and then nothing that could be read."""
        if self.chance(12):
            return None, b"" if self.chance(2) else self.random.randbytes(40)
        wanted = self.wanted(who)
        return wanted, encode(["(address[],uint64,uint96,bool)"], [wanted])

    def to_be_called(self) -> str:
        return self.model.exchange if not self.chance(4) else self.address()

    def paid_for(self, wanted: Wanted | None) -> int:
        """Mostly enough."""
        sellers, amount_j, _, _ = wanted or ([], 0, 0, False)
        price = max((self.model.offer_of(seller).price for seller in sellers), default=1)
        return cost_of(amount_j, price) + int(self.pick((0, 0, 10**15, -1))) if amount_j < 2**62 and price else self.coins()

    def pay_and_buy(self, who: str) -> None:
        to, (wanted, data) = self.to_be_called(), self.purchase_data(who)
        value = max(0, self.paid_for(wanted))
        self.act(who, "coin", "transferAndCall(address,uint256,bytes)", [to, value, data],
                 lambda: self.model.transfer_and_call(who, to, value, wanted))  # fmt: skip

    def approve_and_buy(self, who: str) -> None:
        to, (wanted, data) = self.to_be_called(), self.purchase_data(who)
        value = max(0, self.paid_for(wanted))
        self.act(who, "coin", "approveAndCall(address,uint256,bytes)", [to, value, data],
                 lambda: self.model.approve_and_call(who, to, value, wanted))  # fmt: skip

    def pay_from_and_buy(self, who: str) -> None:
        owner, to, (wanted, data) = self.address(), self.to_be_called(), self.purchase_data(who)
        value = self.coins()
        self.act(who, "coin", "transferFromAndCall(address,address,uint256,bytes)", [owner, to, value, data],
                 lambda: self.model.transfer_from_and_call(who, owner, to, value, wanted))  # fmt: skip

    def buy_with_permit(self, who: str) -> None:
        """With a permit that is right, or somebody else's, or too late."""
        signer = KEYS.get(who if not self.chance(5) else self.anyone())
        if signer is None:
            return
        wanted, value = self.wanted(who), self.coins()
        deadline_s = self.world.now_s + int(self.pick((0, 100, 100, -1)))
        message = {"owner": who, "spender": self.model.exchange, "value": value,
                   "nonce": self.model.state.nonces.get(who, 0), "deadline": deadline_s}  # fmt: skip
        signed = signer.sign_typed_data(full_message=_permit(self.model.coin, message))
        good = signer.address == who and deadline_s >= self.world.now_s
        args = [wanted, value, deadline_s, signed.v, word(signed.r), word(signed.s)]
        self.act(who, "exchange", "buyWithPermit", args, lambda: self.model.buy_with_permit(who, wanted, value, good=good))

    def place_order(self, who: str) -> None:
        sellers, amount_j, price, _ = self.wanted(who)
        below = int(self.pick((0, 300, 999, 1000, 1001)))
        self.act(who, "exchange", "placeOrder", [(below, amount_j, price, sellers)],
                 lambda: self.model.place_order(who, below, amount_j, price, sellers))  # fmt: skip

    def cancel_order(self, who: str) -> None:
        self.act(who, "exchange", "cancelOrder", [], lambda: self.model.cancel_order(who))

    def transfer(self, who: str) -> None:
        to, value = self.address(), self.coins()
        self.act(who, "coin", "transfer", [to, value], lambda: self.model.transfer(who, to, value))

    def approve(self, who: str) -> None:
        spender = self.model.exchange if not self.chance(3) else self.address()
        value = UINT256 if self.chance(2) else self.coins()
        self.act(who, "coin", "approve", [spender, value], lambda: self.model.approve(who, spender, value))

    def transfer_from(self, who: str) -> None:
        owner, to, value = self.address(), self.address(), self.coins()
        self.act(who, "coin", "transferFrom", [owner, to, value], lambda: self.model.transfer_from(who, owner, to, value))

    def mint(self, who: str) -> None:
        by, to = self.boss(who), self.address()
        value = self.coins() if not self.chance(4) else int(self.pick((2**255, 2**255 - 1 - self.model.supply, UINT256)))
        # Not more than once: then there are no coins left to be made.
        value = value if value != 2**255 - 1 - self.model.supply or self.chance(20) else 1
        self.act(by, "coin", "mint", [to, value], lambda: self.model.mint(by, to, value))

    def freeze(self, who: str) -> None:
        by, account = self.boss(who), self.address()
        if self.chance(3):
            self.act(by, "coin", "freeze", [account], lambda: self.model.freeze(by, account))
        else:
            account = self.pick(sorted(self.model.state.frozen)) if self.model.state.frozen else account
            self.act(by, "coin", "unfreeze", [account], lambda: self.model.unfreeze(by, account))

    def suspend(self, who: str) -> None:
        by, home = self.boss(who), self.address()
        if self.chance(6):
            self.act(by, "exchange", "suspend", [home], lambda: self.model.suspend(by, home))
        else:
            away = [home for home, books in self.model.state.homes.items() if books.status == 2]
            home = self.pick(away) if away else home
            self.act(by, "exchange", "resume", [home], lambda: self.model.resume(by, home))

    def admit(self, who: str) -> None:
        by, home, opening_j = self.boss(who), self.address(), self.energy()
        self.act(by, "exchange", "admit", [home, opening_j], lambda: self.model.admit(by, home, opening_j))

    def close(self, who: str) -> None:
        """Seldom, for not much happens after it."""
        by, most = (OPERATOR if self.chance(8) else who), int(self.pick((0, 1, 3, UINT256)))
        self.act(by, "exchange", "close", [most], lambda: self.model.close(by, most))

    def boss(self, who: str) -> str:
        return OPERATOR if not self.chance(4) else who

    def pretend(self, who: str) -> None:
        """A token that is not the coin, or anybody else, says that it has been paid."""
        _, data = self.purchase_data(who)
        victim = self.anyone()

        def refuse() -> None:
            raise Refused("ExchangeNotTheCoin", who)

        if self.chance(2):
            self.act(who, "exchange", "onApprovalReceived", [victim, UINT256, data], refuse)
        else:
            self.act(who, "exchange", "onTransferReceived", [victim, victim, UINT256, data], refuse)

    def arm(self, _who: str) -> None:
        """Tell the hostile contract what to do when it is called back next."""
        world, model, hostile = self.world, self.model, self.world.hostile
        wanted = self.wanted(hostile)
        value = self.coins()
        contract, function, arguments, expected = self.pick(
            [
                ("exchange", "buyFrom", [wanted], lambda: model.buy_from(hostile, wanted)),
                ("exchange", "withdrawOffer", [], lambda: model.withdraw(hostile)),
                ("coin", "transfer", [MALLORY, value], lambda: model.transfer(hostile, MALLORY, value)),
                ("coin", "transferFrom", [MEMBERS[1], MALLORY, value],
                 lambda: model.transfer_from(hostile, MEMBERS[1], MALLORY, value)),
                ("coin", "transferAndCall(address,uint256,bytes)", [hostile, value, b""],
                 lambda: model.transfer_and_call(hostile, hostile, value, None)),
                ("coin", "approveAndCall(address,uint256,bytes)",
                 [model.exchange, UINT256, encode(["(address[],uint64,uint96,bool)"], [wanted])],
                 lambda: model.approve_and_call(hostile, model.exchange, UINT256, wanted)),
            ]
        )  # fmt: skip
        code = strike_code(world.addresses[contract], encoded(contract, function, arguments))
        script = int(world.evm.deploy(MALLORY, deployment(code)), 16)
        model.liar = self.chance(4)
        world.evm.message_call(MALLORY, hostile, word(script | model.liar << 255))
        model.strike, model.state.struck = expected, False
        lies = ", and lies" if model.liar else ""
        world.story.append(f"puppet is armed: {contract}.{function}{world.named(tuple(arguments))}{lies}")

    def tempt(self, who: str) -> None:
        """Somebody pays the hostile contract, which may then strike."""
        hostile, value = self.world.hostile, self.coins() % 10**18
        if self.chance(2):
            self.act(who, "coin", "transferAndCall(address,uint256,bytes)", [hostile, value, b""],
                     lambda: self.model.transfer_and_call(who, hostile, value, None))  # fmt: skip
        else:
            self.act(who, "coin", "approveAndCall(address,uint256,bytes)", [hostile, value, b""],
                     lambda: self.model.approve_and_call(who, hostile, value, None))  # fmt: skip

    def take_a_role(self, who: str) -> None:
        """Who is not the admin gives itself a role."""
        if who == OPERATOR:
            return
        contract, role = ("coin", self.pick((MINTER_ROLE, FREEZER_ROLE))) if self.chance(2) else ("exchange", OPERATOR_ROLE)

        def refuse() -> None:
            raise Refused("AccessControlUnauthorizedAccount", who, b"\0" * 32)

        self.act(who, contract, "grantRole", [role, who], refuse)

    def babble(self, who: str) -> None:
        """Bytes that mean nothing are refused, and change nothing."""
        contract = self.pick(("coin", "exchange"))
        # The hostile contract would take an address without data for itself.
        least = 1 if who == self.world.hostile else 0
        data = self.random.randbytes(max(least, int(self.random.random() * 80)))
        taken, _ = self.world.send(who, contract, data)
        assert not taken, f"{contract} takes 0x{data.hex()}"


def _permit(coin: str, message: dict[str, Any]) -> dict[str, Any]:
    types = {"EIP712Domain": DOMAIN, "Permit": PERMIT}
    return {
        "types": {name: [{"name": each, "type": kind} for each, kind in fields.items()] for name, fields in types.items()},
        "primaryType": "Permit",
        "domain": {"name": "DaiseeCoin", "version": "1", "chainId": CHAIN_ID, "verifyingContract": coin},
        "message": message,
    }


class Tally:
    """What was done, over all stories."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()
        self.refusals: Counter[str] = Counter()

    @property
    def total(self) -> int:
        return sum(self.calls.values())


def tell(numbers: Sequence[int], tally: Tally) -> None:
    """Live through one story; AssertionError, with the story, where contracts and model differ."""
    world = World()
    player = Player(world)
    try:
        player.begin()
        world.calls.clear()  # what merely opens the stage is not counted
        for place, number in enumerate(numbers):
            player.step(number)
            if place % WHOLE_EVERY == WHOLE_EVERY - 1:
                world.every_number_is_the_same()
        world.every_number_is_the_same()
    except AssertionError as difference:
        difference.add_note("The story:\n" + "\n".join(world.story[-60:]))
        raise
    finally:
        tally.calls += world.calls
        tally.refusals += world.refusals


def fuzz(calls: int, seed: int, progress: Callable[[Tally], None] = lambda _: None) -> Tally:
    """Tell stories until so many calls were made."""
    tally = Tally()
    while tally.total < calls:
        stories = given(st.one_of(SHORT, LONG, LONG, LONG))(lambda numbers: tell(numbers, tally))
        some = settings(
            max_examples=50, deadline=None, database=None, suppress_health_check=list(HealthCheck),
            phases=[Phase.generate, Phase.shrink],
        )(stories)  # fmt: skip
        hypothesis.seed(seed + tally.total)(some)()
        progress(tally)
    return tally


def errors() -> set[str]:
    """List the errors that the contracts declare themselves."""
    return {entry["name"] for name in KINDS.values() for entry in load(name).abi if entry["type"] == "error"}


def say(text: str) -> None:
    """Say a line at once, to whoever waits."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> None:
    """Fuzz, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().getrandbits(32))
    asked = parser.parse_args()
    began = said = time.monotonic()

    def progress(tally: Tally) -> None:
        nonlocal said
        if time.monotonic() - said > 10:
            said = time.monotonic()
            say(f"{tally.total:>9,} calls, {sum(tally.refusals.values()):,} of them refused, {said - began:.0f} s")

    say(f"seed {asked.seed}")
    tally = fuzz(asked.calls, asked.seed, progress)
    took_s = time.monotonic() - began
    for title, counted in (("calls", tally.calls), ("refusals", tally.refusals)):
        say(f"\n{sum(counted.values()):,} {title}:")
        for name, count in counted.most_common():
            say(f"  {count:>9,}  {name}")
    never = sorted(errors() - set(tally.refusals))
    say(f"\nnever refused for: {', '.join(never) or 'nothing; every error was met'}")
    say(f"contracts and model agreed on all of {tally.total:,} calls, {took_s:.0f} s, {tally.total / took_s:,.0f} a second")


if __name__ == "__main__":
    main()
