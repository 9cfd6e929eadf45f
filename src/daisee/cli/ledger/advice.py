"""What a refusal of the contracts means to a person, and what can be done about it."""

from __future__ import annotations

from eth_utils.address import is_address, to_checksum_address

from daisee.cli.ledger.figures import in_ether, in_kwh, moment, written
from daisee.errors import LedgerError, TransactionReverted
from daisee.ledger.deploy import CREATES_COIN
from daisee.ledger.transactions import Call, Outcome
from daisee.units import Address, coins

_SIGNED = "the signature does not fit; sign anew"
_NO_PAYEE = "that contract does not take such a payment, or not with this data; nothing was sent"
ADVICE = {
    "AccessControlBadConfirmation": "an account gives back its own roles only",
    "AccessControlEnforcedDefaultAdminDelay": "the handing over of the admin's role has not begun, or has to wait longer",
    "AccessControlEnforcedDefaultAdminRules": "the admin's role is handed over with beginDefaultAdminTransfer",
    "AccessControlInvalidDefaultAdmin": "the admin's role goes to the account that was named for it, and to no other",
    "AccessControlUnauthorizedAccount": "this account has not the role for that; sign with one that has (--as)",
    "BooksOverflow": "so much energy does not fit into a home's books; is the number right?",
    "CoinAccountFrozen": "that account is frozen, and can neither send nor receive, nor be frozen again; a freezer unfreezes it",
    "CoinAccountNotFrozen": "that account is not frozen",
    "CoinSupplyTooLarge": "there cannot be so many coins",
    "ECDSAInvalidSignature": _SIGNED,
    "ECDSAInvalidSignatureLength": _SIGNED,
    "ECDSAInvalidSignatureS": _SIGNED,
    "ERC1363ApproveFailed": "nothing was allowed",
    "ERC1363InvalidReceiver": _NO_PAYEE,
    "ERC1363InvalidSpender": _NO_PAYEE,
    "ERC1363TransferFailed": "nothing was sent",
    "ERC1363TransferFromFailed": "nothing was sent",
    "ERC20InsufficientAllowance": "let the exchange take coins first, with `daisee ledger coin approve`",
    "ERC20InsufficientBalance": "the account has too few coins",
    "ERC20InvalidApprover": "the address of zeros is nobody's account",
    "ERC20InvalidReceiver": "the address of zeros is nobody's account; name whose the coins shall be",
    "ERC20InvalidSender": "the address of zeros is nobody's account",
    "ERC20InvalidSpender": "the address of zeros is nobody's account; name who may take the coins",
    "ERC2612ExpiredSignature": "the permit is too old; sign another",
    "ERC2612InvalidSigner": "another account has signed that permit than the one whose coins it is about",
    "ExchangeAlreadyMember": "that home is a member already",
    "ExchangeChargeAboveFull": "a state of charge is at most 1000 permille",
    "ExchangeClosed": "this exchange is closed for purchases; what was bought can still be used",
    "ExchangeInsufficientEnergy": "less is for sale at that price; buy less, or a part with --partly",
    "ExchangeInsufficientPayment": "the energy costs more than was paid; `daisee ledger exchange quote` says how much",
    "ExchangeNoOffer": "that seller offers nothing; `daisee ledger exchange offers` lists who does",
    "ExchangeNoOrder": "that home has left no standing order",
    "ExchangeNoSeller": "a purchase or an order names at least one seller",
    "ExchangeNotMember": "that account is no member; an operator admits it with `daisee ledger exchange admit`",
    "ExchangeNotSuspended": "that home is not suspended",
    "ExchangeNotTheCoin": "only the exchange's own coin tells it of payments",
    "ExchangeNotThePayer": "who pays is who buys",
    "ExchangeNothingReported": "a report has at least one interval",
    "ExchangeOfferEnded": "the end of an offer lies in the future",
    "ExchangeOwnSeller": "a home does not buy of itself",
    "ExchangePriceAboveMaximum": "the seller asks more; name a higher --at-most, or another seller",
    "ExchangeReportAhead": "a report ends now or earlier; compare this machine's clock",
    "ExchangeReportEmpty": "a report ends after the one before",
    "ExchangeReportOutOfOrder": "the home has reported up to another moment meanwhile; ask with `daisee ledger exchange home`",
    "ExchangeSellerNamedTwice": "name each seller once",
    "ExchangeSuspended": "that home is suspended; an operator lets it go on with `daisee ledger exchange resume`",
    "ExchangeTooManyDraws": "name fewer sellers in one report",
    "ExchangeTooManyIntervals": "report fewer intervals in one transaction",
    "ExchangeTooManySellers": "name fewer sellers",
    "ExchangeZeroAddress": "the address of zeros is nobody's account",
    "ExchangeZeroAmount": "an amount of energy is above zero",
    "ExchangeZeroPrice": "a price is above zero",
    "InvalidAccountNonce": "that permit was used already, or another before it was not",
    "InvalidShortString": "the coin's name is none",
    "PairOverflow": "so much energy does not fit into the books of two neighbours; is the number right?",
    "SafeCastOverflowedUintDowncast": "that number is larger than the ledger can hold",
    "SafeERC20FailedOperation": "the coin did not pay; nothing was bought",
    "StringTooLong": "that name is too long",
}
PANICS = {
    0x01: "what the contract takes for certain is not so",
    0x11: "a number would be below zero, or larger than the contract can hold",
    0x12: "that would be a division by zero",
    0x21: "that number is none of those that the contract has names for",
    0x31: "a list is empty from which something was to be taken",
    0x32: "a list has no such place",
    0x41: "that is more than the contract has room for",
}
"""What Solidity's own checks find, by their code."""
MONEY = {"balance", "needed", "allowance", "paid", "cost", "pricePerKwh", "maxPricePerKwh"}
TIMES = {"until", "since", "reportedUntil", "latest", "now_"}


def advice_on(refusal: TransactionReverted, symbol: str, because: str = "") -> LedgerError:
    """Say a refusal in people's units, with what to do about it, which may be that of another error behind it."""
    facts = ", ".join(f"{_name(name)} {_value(name, value, symbol)}" for name, value in refusal.facts.items())
    told = f"the contract refuses: {refusal.error}" + (f" ({facts})" if facts else "")
    advice = ADVICE.get(because or refusal.error)
    if refusal.error == "Panic":
        advice = PANICS.get(int(str(refusal.facts["code"])))
    return LedgerError(f"{told}; {advice}" if advice else told)


def lacking(account: Address, there: int, fee: int, value: int) -> str:
    """Say that an account has too little of the chain's own money, and for what: the gas, or what it would give."""
    has = f"it has {in_ether(there)} of the chain's own money"
    if there < fee:
        return (
            f"{account} cannot pay for gas: {has}, and needs up to {in_ether(fee)}; "
            "somebody who has some gives it with `daisee ledger account fund`"
        )
    return f"{account} cannot give {in_ether(value)}: {has}, and {in_ether(fee)} of that are for gas; name a smaller amount"


def going_on(outcome: Outcome, call: Call) -> str:
    """Say which contract came of a deployment that was cut off, and how to go on with it; nothing of what made none."""
    if outcome.contract is None:
        return ""
    if call.name == CREATES_COIN:
        return f" as {outcome.contract}: `daisee ledger deploy --coin {outcome.contract}` goes on with it"
    return f" as {outcome.contract}: `daisee ledger deploy --exchange {outcome.contract}` writes down where it is"


def _name(name: str) -> str:
    return name.removesuffix("J").removesuffix("_")


def _value(name: str, value: object, symbol: str) -> str:
    if isinstance(value, str) and is_address(value):
        return to_checksum_address(value)
    if not isinstance(value, int) or isinstance(value, bool):
        return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)
    if name.endswith("J"):
        return in_kwh(value, 4)
    if name in MONEY:
        return f"{written(coins(value), 6)} {symbol}".rstrip()
    if name in TIMES and value:
        return moment(value)
    return str(value)
