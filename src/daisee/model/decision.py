"""What a home should do next: one pure function from a situation to actions.

`decide` holds every rule of a home and nothing else does. It reports whole slots, keeps the home's offer up to date, buys
ahead of need, and chooses the source of the load. Two thresholds and a least dwell keep it from flapping; where it does not
know enough it stays where it is, and after a while goes to the safe source.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from daisee.model.attribution import Kind
from daisee.model.source import GRID, OWN, Source, from_neighbour, seller_of
from daisee.units import Address, Coins, Joules, affordable_j, cost_of, energy_j


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What the household wants; fixed while the home runs."""

    kind: Kind
    has_grid: bool
    """Whether the public grid can feed the load; always so for a grid-tied home."""
    sells_at_per_kwh: Coins | None = None
    """Base units per kWh; None: does not sell."""
    keep_j: Joules = Joules(0)
    """Surplus that a seller keeps for itself."""
    buys_up_to_per_kwh: Coins | None = None
    """Base units per kWh; None: does not buy."""
    buy_j: Joules = Joules(1_800_000)
    """The least amount of one purchase; half a kWh is a quarter of an hour at 2 kW."""
    buy_below_soc: float = 0.30
    """An islanded home looks for a neighbour at or below this state of charge."""
    resume_above_soc: float = 0.45
    """and goes back to its own source at or above this one."""
    min_dwell_s: float = 600
    """The least time between two switches that are not forced."""
    act_every_s: float = 60
    """The longest time between two chances to act; credit must last that long."""
    safe_after_s: float = 900
    """With no reading or no ledger for so long, the home goes to its safe source. Not less than a few `act_every_s`."""

    @property
    def safe_source(self) -> Source:
        """Answer the source that needs nobody: the grid for a grid-tied home, the home's own for an islanded one."""
        return GRID if self.kind is Kind.GRID_TIED else OWN


@dataclass(frozen=True, slots=True)
class Offer:
    """What a neighbour asks, and how much of it is left to buy."""

    seller: Address
    price_per_kwh: Coins
    available_j: Joules
    of_all: bool = False
    """Whether it is of all surplus, whatever that becomes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that a home knows at one moment."""

    now_s: float
    started_at_s: float = 0.0
    """When this home's agent started: not to have been told anything before is no alarm."""
    source: Source | None
    """What the relay reads back; None: it cannot be read."""
    switched_at_s: float | None = None
    """When the source last changed; None: not since the home started."""
    measured_at_s: float | None = None
    """The time of the latest reading."""
    consumption_w: float = 0.0
    production_w: float = 0.0
    state_of_charge: float | None = None
    ledger_at_s: float | None = None
    """When the ledger last answered; None: never."""
    reported_until_s: int = 0
    """How far the ledger has this home's reports."""
    reportable_until_s: int = 0
    """How far the store has whole slots."""
    surplus_j: Joules = Joules(0)
    """What this home may still sell, once what is reportable is reported."""
    own_offer: Offer | None = None
    balance: Coins = Coins(0)
    offers: tuple[Offer, ...] = ()
    """The neighbours' offers, in any order."""
    credit_j: Mapping[Address, int] = field(default_factory=dict)
    """Bought and not yet used, per neighbour; what is measured and not yet reported is taken off, so it may be below zero."""
    in_flight: frozenset[type[Action]] = frozenset()
    """The kinds of action that are on their way to the ledger."""


@dataclass(frozen=True, slots=True)
class Report:
    """Tell the ledger what was measured, up to a moment."""

    until_s: int


@dataclass(frozen=True, slots=True)
class OfferEnergy:
    """Offer surplus to the neighbours; replaces the offer before."""

    price_per_kwh: Coins
    amount_j: Joules | None
    """None: all surplus, whatever it becomes."""


@dataclass(frozen=True, slots=True)
class Buy:
    """Buy energy of one neighbour, for at most a price."""

    seller: Address
    amount_j: Joules
    max_price_per_kwh: Coins


@dataclass(frozen=True, slots=True)
class Switch:
    """Feed the load from another source."""

    source: Source
    reason: str
    """In words, for the household's log."""


Action = Report | OfferEnergy | Buy | Switch

OFFER_STEP_J = Joules(360_000)
"""An offer is renewed when it would grow by this much; a tenth of a kWh, so that it is about one transaction a slot."""
IDLE_W = 20.0
"""A grid-tied home that needs less than this beyond its own production does not go shopping for it."""
CONFIRM_S = 15.0
"""The time that a purchase may take to be in a block, at three blocks of 5 s."""


def decide(situation: Situation, policy: Policy) -> tuple[Action, ...]:
    """Answer what to do now, in order; an empty tuple where there is nothing to do."""
    actions: list[Action] = []
    if situation.reportable_until_s > situation.reported_until_s and Report not in situation.in_flight:
        actions.append(Report(situation.reportable_until_s))
    actions.extend(_offer(situation, policy))
    actions.extend(_supply(situation, policy))
    return tuple(actions)


def _offer(situation: Situation, policy: Policy) -> list[Action]:
    if policy.sells_at_per_kwh is None or OfferEnergy in situation.in_flight or situation.ledger_at_s is None:
        return []
    sellable_j = max(0, situation.surplus_j - policy.keep_j)
    offer = situation.own_offer
    offered_j = offer.available_j if offer else 0
    stale = offer is not None and offer.price_per_kwh != policy.sells_at_per_kwh
    if policy.keep_j == 0:
        # Nothing is kept back: offered once, when there is something, all of it needs no renewal.
        wanted = offer is None and sellable_j >= OFFER_STEP_J
        renewed = offer is not None and (stale or not offer.of_all)
        return [OfferEnergy(policy.sells_at_per_kwh, None)] if wanted or renewed else []
    stale = stale or (offer is not None and offer.of_all)
    if sellable_j - offered_j >= OFFER_STEP_J or offered_j > sellable_j or (stale and sellable_j > 0):
        return [OfferEnergy(policy.sells_at_per_kwh, Joules(sellable_j))]
    return []


def _supply(situation: Situation, policy: Policy) -> list[Action]:
    """Choose the source of the load, and buy what that needs."""
    if situation.source is None:
        return []  # What feeds the load is not known: nothing is bought for it, nothing more is switched.
    if _age(situation.now_s, situation.measured_at_s) > policy.act_every_s * 2:
        return _retreat(situation, policy, situation.measured_at_s, "no reading")
    if not _wants_neighbour(situation, policy):
        home = _without_neighbour(situation, policy)
        return _switch(situation, policy, home, _why_home(situation, policy))
    if _age(situation.now_s, situation.ledger_at_s) > policy.act_every_s * 2:
        return _retreat(situation, policy, situation.ledger_at_s, "the ledger does not answer")
    return _use_neighbour(situation, policy)


def _age(now_s: float, at_s: float | None) -> float:
    return float("inf") if at_s is None else now_s - at_s


def _retreat(situation: Situation, policy: Policy, known_at_s: float | None, reason: str) -> list[Action]:
    """Stay, and after a while go to the safe source."""
    known_at_s = situation.started_at_s if known_at_s is None else known_at_s
    if _age(situation.now_s, known_at_s) > policy.safe_after_s and situation.source != policy.safe_source:
        return [Switch(policy.safe_source, reason)]
    return []


def _need_w(situation: Situation, policy: Policy) -> float:
    """Answer the power that a neighbour would have to give: an islanded load whole, a grid-tied one less its own production."""
    if policy.kind is Kind.ISLANDED:
        return situation.consumption_w
    return max(0.0, situation.consumption_w - situation.production_w)


def _wants_neighbour(situation: Situation, policy: Policy) -> bool:
    if policy.buys_up_to_per_kwh is None:
        return False
    if policy.kind is Kind.GRID_TIED:
        return True
    if situation.state_of_charge is None:
        return False
    if situation.source == OWN:
        return situation.state_of_charge <= policy.buy_below_soc
    return situation.state_of_charge < policy.resume_above_soc


def _without_neighbour(situation: Situation, policy: Policy) -> Source:
    """Answer what feeds the load when no neighbour does: an islanded home's own source until it is all but empty."""
    if policy.kind is Kind.GRID_TIED:
        return GRID
    soc = situation.state_of_charge
    if not policy.has_grid or soc is None:
        return OWN
    if situation.source == GRID:
        return OWN if soc >= policy.resume_above_soc else GRID
    return GRID if _nearly_empty(situation, policy) else OWN


def _nearly_empty(situation: Situation, policy: Policy) -> bool:
    """Tell whether an islanded home has also used half of what was left when it went shopping: no time to dwell."""
    soc = situation.state_of_charge
    return policy.kind is Kind.ISLANDED and soc is not None and soc <= policy.buy_below_soc / 2


def _why_home(situation: Situation, policy: Policy) -> str:
    if policy.kind is Kind.ISLANDED and situation.state_of_charge is not None:
        return f"battery at {situation.state_of_charge:.0%}"
    return "does not buy"


def _switch(situation: Situation, policy: Policy, source: Source, reason: str, *, forced: bool = False) -> list[Action]:
    """Switch, unless that is the source already or, where nothing forces it, the last switch is too fresh."""
    if source == situation.source:
        return []
    if not forced and _age(situation.now_s, situation.switched_at_s) < policy.min_dwell_s:
        return []
    return [Switch(source, reason)]


def _use_neighbour(situation: Situation, policy: Policy) -> list[Action]:
    """Draw on a neighbour: keep the credit above what is used until the next chance to act, and leave in time when it ends."""
    need_w = _need_w(situation, policy)
    until_next_j = energy_j(need_w, policy.act_every_s)
    reserve_j = max(policy.buy_j // 4, energy_j(need_w, 2 * policy.act_every_s + CONFIRM_S))
    current = seller_of(situation.source)
    actions: list[Action] = []
    # Buy where credit is short. A home that needs nothing now does not buy ahead of a need it may not have.
    if _best_credit(situation, current) < reserve_j and need_w > IDLE_W and Buy not in situation.in_flight:
        actions.extend(_buy(situation, policy, current, reserve_j))
    if current is not None:
        if situation.credit_j.get(current, 0) >= until_next_j:
            return actions
        other = _seller_with(situation, reserve_j)
        if other is not None:
            return [*actions, *_switch(situation, policy, from_neighbour(other), "credit used up", forced=True)]
        home = _without_neighbour(situation, policy)
        return [*actions, *_switch(situation, policy, home, "credit used up", forced=True)]
    seller = _seller_with(situation, reserve_j)
    if seller is not None and need_w > IDLE_W:
        why, nearly_empty = _why_neighbour(situation, policy), _nearly_empty(situation, policy)
        return [*actions, *_switch(situation, policy, from_neighbour(seller), why, forced=nearly_empty)]
    home = _without_neighbour(situation, policy)
    return [*actions, *_switch(situation, policy, home, "no credit with a neighbour", forced=True)]


def _why_neighbour(situation: Situation, policy: Policy) -> str:
    if policy.kind is Kind.ISLANDED and situation.state_of_charge is not None:
        return f"battery at {situation.state_of_charge:.0%}"
    return "cheaper than the supplier"


def _best_credit(situation: Situation, current: Address | None) -> int:
    if current is not None:
        return situation.credit_j.get(current, 0)
    return max(situation.credit_j.values(), default=0)


def _seller_with(situation: Situation, least_j: int) -> Address | None:
    """Answer the first neighbour with whom there is at least so much credit."""
    return next((seller for seller, credit_j in situation.credit_j.items() if credit_j >= least_j), None)


def _buy(situation: Situation, policy: Policy, current: Address | None, reserve_j: int) -> list[Action]:
    """Buy of the neighbour in use if it sells, else of the cheapest; as much as is wanted, offered and affordable."""
    ceiling = policy.buys_up_to_per_kwh
    if ceiling is None:
        return []
    fair = [offer for offer in situation.offers if offer.available_j > 0 and 0 < offer.price_per_kwh <= ceiling]
    for offer in sorted(fair, key=lambda offer: (offer.seller != current, offer.price_per_kwh)):
        short_j = reserve_j - min(0, situation.credit_j.get(offer.seller, 0))
        wanted_j = max(policy.buy_j, 2 * short_j)
        amount_j = min(wanted_j, offer.available_j, affordable_j(situation.balance, offer.price_per_kwh))
        # A purchase that would not carry the load to the next chance to act is not worth its switch.
        if amount_j > 0 and situation.credit_j.get(offer.seller, 0) + amount_j >= reserve_j:
            assert cost_of(Joules(amount_j), offer.price_per_kwh) <= situation.balance
            return [Buy(offer.seller, Joules(amount_j), offer.price_per_kwh)]
    return []
