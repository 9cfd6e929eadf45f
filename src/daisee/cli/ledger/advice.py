"""What a refusal of the contracts means to a person, and what can be done about it."""

from __future__ import annotations

from datetime import UTC, datetime

from eth_utils.address import is_address, to_checksum_address

from daisee.cli.ledger.book import in_kwh
from daisee.errors import LedgerError, TransactionReverted
from daisee.units import coins

ADVICE = {
    "AccessControlUnauthorizedAccount": "this account has not the role for that; sign with one that has (--as)",
    "CoinAccountFrozen": "that account is frozen, and can neither send nor receive; ask who may unfreeze it",
    "CoinAccountNotFrozen": "that account is not frozen",
    "CoinSupplyTooLarge": "there cannot be so many coins",
    "ERC20InsufficientAllowance": "let the exchange take coins first, with `daisee ledger coin approve`",
    "ERC20InsufficientBalance": "the account has too few coins",
    "ExchangeAlreadyMember": "that home is a member already",
    "ExchangeClosed": "this exchange is closed for purchases; what was bought can still be used",
    "ExchangeInsufficientEnergy": "less is for sale at that price; buy less, or a part with --partly",
    "ExchangeNoOffer": "that seller offers nothing; `daisee ledger exchange offers` lists who does",
    "ExchangeNoOrder": "that home has left no standing order",
    "ExchangeNotMember": "that account is no member; an operator admits it with `daisee ledger exchange admit`",
    "ExchangeNotSuspended": "that home is not suspended",
    "ExchangeOfferEnded": "the end of an offer lies in the future",
    "ExchangeOwnSeller": "a home does not buy of itself",
    "ExchangePriceAboveMaximum": "the seller asks more; name a higher --at-most, or another seller",
    "ExchangeReportAhead": "a report ends now or earlier; is this machine's clock right?",
    "ExchangeReportEmpty": "a report ends after the one before",
    "ExchangeReportOutOfOrder": "the home has reported up to another moment meanwhile; ask with `daisee ledger exchange home`",
    "ExchangeSellerNamedTwice": "a standing order names each seller once",
    "ExchangeSuspended": "that home is suspended; an operator lets it go on with `daisee ledger exchange resume`",
}
MONEY = {"balance", "needed", "allowance", "paid", "cost", "pricePerKwh", "maxPricePerKwh"}
TIMES = {"until", "since", "reportedUntil", "latest", "now_"}


def advice_on(refusal: TransactionReverted, symbol: str, because: str = "") -> LedgerError:
    """Say a refusal in people's units, with what to do about it, which may be that of another error behind it."""
    facts = ", ".join(f"{_name(name)} {_value(name, value, symbol)}" for name, value in refusal.facts.items())
    told = f"the contract refuses: {refusal.error}" + (f" ({facts})" if facts else "")
    advice = ADVICE.get(because or refusal.error)
    return LedgerError(f"{told}; {advice}" if advice else told)


def _name(name: str) -> str:
    return name.removesuffix("J").removesuffix("_")


def _value(name: str, value: object, symbol: str) -> str:
    if isinstance(value, str) and is_address(value):
        return to_checksum_address(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
    if name.endswith("J"):
        return in_kwh(value)
    if name in MONEY:
        return f"{coins(value):,.6f} {symbol}".rstrip()
    if name in TIMES and 0 < value < 2**33:
        return f"{datetime.fromtimestamp(value, UTC):%Y-%m-%d %H:%M:%S} UTC"
    return str(value)
