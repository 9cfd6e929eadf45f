"""Small faults that somebody could make in the contracts: what mutate.py puts in, one at a time.

A fault is a text that occurs exactly once in its file, and what stands there instead. One that makes no difference to anybody
says why, and must survive; all others must be seen by a test.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """One change of one file."""

    file: str
    """Below contracts/."""
    old: str
    new: str
    breaks: str
    """What is wrong then."""
    equivalent: str = ""
    """Why nobody can tell the difference, where that is so."""


EXCHANGE = "EnergyExchange.sol"
COIN = "DaiseeCoin.sol"
BOOKS = "libraries/Books.sol"
MATH = "libraries/EnergyMath.sol"
OFFER = "libraries/Offer.sol"
PAIR = "libraries/Pair.sol"

OPERATORS = (
    Fault(EXCHANGE, "if (address(coin_) == address(0)) revert ExchangeZeroAddress();", "", "an exchange without a coin"),
    Fault(EXCHANGE, "        _grantRole(OPERATOR_ROLE, admin);\n", "", "the admin is no operator"),
    Fault(EXCHANGE, "_skewS = skewS_;", "_skewS = skewS_ + 1;", "a skew of a second more"),
    Fault(
        EXCHANGE,
        "function admit(address account, uint64 openingJ) external onlyRole(OPERATOR_ROLE) {",
        "function admit(address account, uint64 openingJ) external {",
        "anybody admits",
    ),
    Fault(
        EXCHANGE,
        "function suspend(address account) external onlyRole(OPERATOR_ROLE) {",
        "function suspend(address account) external {",
        "anybody suspends",
    ),
    Fault(
        EXCHANGE,
        "function resume(address account) external onlyRole(OPERATOR_ROLE) {",
        "function resume(address account) external {",
        "anybody resumes",
    ),
    Fault(
        EXCHANGE,
        "function close(uint256 most) external onlyRole(OPERATOR_ROLE) {",
        "function close(uint256 most) external {",
        "anybody closes",
    ),
    Fault(EXCHANGE, "        if (account == address(0)) revert ExchangeZeroAddress();\n", "", "nobody is admitted"),
    Fault(
        EXCHANGE,
        "        if (_books[account].status() != 0) revert ExchangeAlreadyMember(account);\n",
        "",
        "a home is admitted twice",
    ),
    Fault(
        EXCHANGE,
        "if (_books[account].status() != 0) revert ExchangeAlreadyMember(account);",
        "if (_books[account].status() == BooksLib.MEMBER) revert ExchangeAlreadyMember(account);",
        "a suspended home is admitted anew, with new books",
    ),
    Fault(EXCHANGE, "        _openingJ[account] = openingJ;\n", "", "the opening is forgotten, and counts as produced"),
    Fault(EXCHANGE, "        _members.push(account);\n", "", "a member is not listed"),
    Fault(EXCHANGE, "        emit HomeAdmitted(account, openingJ);\n", "", "no event of an admission"),
    Fault(
        EXCHANGE,
        "_memberBooks(account).withStatus(BooksLib.SUSPENDED)",
        "_books[account].withStatus(BooksLib.SUSPENDED)",
        "a stranger is suspended",
    ),
    Fault(EXCHANGE, "        emit HomeSuspended(account, msg.sender);\n", "", "no event of a suspension"),
    Fault(
        EXCHANGE,
        "        if (books.status() != BooksLib.SUSPENDED) revert ExchangeNotSuspended(account);\n",
        "",
        "a stranger becomes a member by being resumed",
    ),
    Fault(EXCHANGE, "books.withStatus(BooksLib.MEMBER)", "books.withStatus(BooksLib.SUSPENDED)", "resuming does nothing"),
    Fault(EXCHANGE, "        emit HomeResumed(account, msg.sender);\n", "", "no event of a resumption"),
)

CLOSING = (
    Fault(EXCHANGE, "        if (_closing && next == last) revert ExchangeClosed();\n", "", "an exchange is closed twice"),
    Fault(EXCHANGE, "        _closing = true;\n", "", "one can offer while the exchange closes"),
    Fault(EXCHANGE, "next < last && most != 0; --most", "next < last && most > 1; --most", "a page of one seller less"),
    Fault(EXCHANGE, "next < last && most != 0; --most", "next < last; ", "all offers are taken back at once, however many"),
    Fault(EXCHANGE, "        _closedSellers = uint64(next);\n", "", "closing never gets beyond the first page"),
    Fault(
        EXCHANGE,
        "if (_offers[seller].pricePerKwh() != 0) _withdraw(seller);",
        "_withdraw(seller);",
        "an offer taken back that there was not",
    ),
    Fault(EXCHANGE, "if (_offers[seller].pricePerKwh() != 0) _withdraw(seller);", "seller;", "offers outlive the closing"),
    Fault(
        EXCHANGE, "if (next == last) emit PurchasesClosed(msg.sender);", "emit PurchasesClosed(msg.sender);", "closed too early"
    ),
    Fault(EXCHANGE, "        if (next == last) emit PurchasesClosed(msg.sender);\n", "", "no event of the closing"),
    Fault(EXCHANGE, "        emit PurchasesClosing(msg.sender, next);\n", "", "no event of a page of the closing"),
    Fault(EXCHANGE, "emit PurchasesClosing(msg.sender, next);", "emit PurchasesClosing(msg.sender, last);", "a page says all"),
    Fault(EXCHANGE, "return _closing && _closedSellers == _sellers.length;", "return _closing;", "closed before the last page"),
    Fault(
        EXCHANGE,
        "return _closing && _closedSellers == _sellers.length;",
        "return _closedSellers == _sellers.length;",
        "an exchange without sellers is closed",
    ),
)

REPORTS = (
    Fault(
        EXCHANGE,
        "        _books[msg.sender] = _reported(_booksAt(since), until, producedJ, ownJ, draws);\n",
        "        since;\n        _books[msg.sender] = _reported(_memberBooks(msg.sender), until, producedJ, ownJ, draws);\n",
        "reports that overlap are both counted",
    ),
    Fault(
        EXCHANGE,
        "        if (since != books.until()) revert ExchangeReportOutOfOrder(since, books.until());\n",
        "",
        "no report has to follow the one before",
    ),
    Fault(
        EXCHANGE,
        "if (since != books.until()) revert",
        "if (since > books.until()) revert",
        "a report may begin before the last one ended",
    ),
    Fault(
        EXCHANGE,
        "if (since != books.until()) revert",
        "if (since < books.until()) revert",
        "a report may leave a gap",
    ),
    Fault(
        EXCHANGE,
        "        if (until <= before.until()) revert ExchangeReportEmpty(until, before.until());\n",
        "",
        "a report may end before it begins",
    ),
    Fault(
        EXCHANGE,
        "if (until <= before.until()) revert",
        "if (until < before.until()) revert",
        "an interval of no seconds",
    ),
    Fault(EXCHANGE, "if (until > block.timestamp + _skewS)", "if (until >= block.timestamp + _skewS)", "the last second ahead"),
    Fault(EXCHANGE, "if (until > block.timestamp + _skewS)", "if (until > block.timestamp)", "no second ahead"),
    Fault(EXCHANGE, "if (draws.length > MAX_DRAWS) revert", "if (draws.length >= MAX_DRAWS) revert", "the last draw of a report"),
    Fault(EXCHANGE, "MAX_DRAWS = 16;", "MAX_DRAWS = 17;", "a draw too many"),
    Fault(EXCHANGE, "        if (intervals.length == 0) revert ExchangeNothingReported();\n", "", "a report of nothing"),
    Fault(
        EXCHANGE,
        "if (intervals.length > MAX_INTERVALS) revert",
        "if (intervals.length >= MAX_INTERVALS) revert",
        "the last interval of a day",
    ),
    Fault(
        EXCHANGE,
        "for (uint256 i = 0; i < intervals.length; ++i) {",
        "for (uint256 i = 1; i < intervals.length; ++i) {",
        "the first interval is not counted",
    ),
    Fault(
        EXCHANGE,
        "books = _reported(books, each.until, each.producedJ",
        "books = _reported(_booksAt(since), each.until, each.producedJ",
        "only the last of many intervals is counted",
    ),
    Fault(EXCHANGE, "        }\n        _books[msg.sender] = books;\n", "        }\n", "many intervals are not stored"),
    Fault(
        EXCHANGE,
        "draws);\n        _books[msg.sender] = books;\n",
        "draws);\n",
        "a report with a charge is not stored",
    ),
    Fault(
        EXCHANGE,
        "        }\n        _books[msg.sender] = books;\n        if (chargePermille < books.belowPermille()) _followOrder();\n",
        "        }\n        chargePermille;\n        _books[msg.sender] = books;\n",
        "no rule is followed after many intervals",
    ),
    Fault(EXCHANGE, "        emit EnergyReported(msg.sender, until, producedJ, ownJ);\n", "", "no event of a report"),
    Fault(EXCHANGE, "if (ownJ > producedJ) {", "if (ownJ >= producedJ) {", "an overdraft is told that did not grow"),
    Fault(EXCHANGE, "if (overdrawnJ != 0) emit", "emit", "an overdraft is told that there is not"),
    Fault(
        EXCHANGE,
        "            if (overdrawnJ != 0) emit EnergyOverdrawn(msg.sender, overdrawnJ);\n",
        "",
        "no event of overdrawing",
    ),
    Fault(
        EXCHANGE,
        "for (uint256 i = 0; i < draws.length; ++i) {",
        "for (uint256 i = 1; i < draws.length; ++i) {",
        "the first draw is not counted",
    ),
    Fault(
        EXCHANGE,
        "        if (seller == msg.sender) revert ExchangeOwnSeller(seller);\n        Pair pair",
        "        Pair pair",
        "a home draws from itself",
    ),
    Fault(
        EXCHANGE,
        "        if (pair.isNew() && _books[seller].status() == 0) revert ExchangeNotMember(seller);\n",
        "",
        "a draw from a stranger",
    ),
    Fault(
        EXCHANGE,
        "if (pair.isNew() && _books[seller].status() == 0)",
        "if (pair.isNew() && _books[seller].status() != BooksLib.MEMBER)",
        "a suspended seller spoils the report of who draws from it",
    ),
    Fault(
        EXCHANGE,
        "if (pair.isNew() && _books[seller].status() == 0)",
        "if (_books[seller].status() != BooksLib.MEMBER)",
        "what was bought of a suspended seller cannot be drawn",
    ),
    Fault(
        EXCHANGE,
        "if (pair.isNew() && _books[seller].status() == 0)",
        "if (_books[seller].status() == 0)",
        "the seller's books are read for each draw",
        equivalent="it costs gas only: a pair that is not new was once written for a seller with books, and books never go",
    ),
    Fault(EXCHANGE, "        _pairs[msg.sender][seller] = pair;\n", "", "a draw is not stored"),
    Fault(EXCHANGE, "        emit EnergyDrawn(msg.sender, seller, until, energyJ);\n", "", "no event of a draw"),
    Fault(EXCHANGE, "if (unpaidJ != 0 && energyJ != 0)", "if (unpaidJ != 0)", "what is unpaid is told when it did not grow"),
    Fault(EXCHANGE, "if (unpaidJ != 0 && energyJ != 0)", "if (energyJ != 0)", "what is unpaid is told where nothing is"),
)

OFFERS = (
    Fault(
        EXCHANGE,
        "        Books books = _memberBooks(msg.sender);\n        if (_closing) revert ExchangeClosed();\n        if (price",
        "        Books books = _books[msg.sender];\n        if (_closing) revert ExchangeClosed();\n        if (price",
        "a stranger offers",
    ),
    Fault(
        EXCHANGE,
        "        if (_closing) revert ExchangeClosed();\n        if (price",
        "        if (price",
        "an offer after the closing",
    ),
    Fault(EXCHANGE, "        if (pricePerKwh == 0) revert ExchangeZeroPrice();\n", "", "an offer for nothing"),
    Fault(EXCHANGE, "if (until < block.timestamp) revert", "if (until <= block.timestamp) revert", "an offer for this second"),
    Fault(
        EXCHANGE,
        "        if (until < block.timestamp) revert ExchangeOfferEnded(until, block.timestamp);\n",
        "",
        "an offer that has ended",
    ),
    Fault(EXCHANGE, "if (!_offers[msg.sender].listed()) _sellers.push", "_sellers.push", "a seller is listed twice"),
    Fault(EXCHANGE, "        emit EnergyOffered(msg.sender, pricePerKwh, amountJ, until);\n", "", "no event of an offer"),
    Fault(
        EXCHANGE,
        "        if (_offers[msg.sender].pricePerKwh() == 0) revert ExchangeNoOffer(msg.sender);\n",
        "",
        "an offer is taken back that there is not",
    ),
    Fault(EXCHANGE, "        _offers[seller] = OfferLib.asking(0, 0, 0, 0);\n", "", "an offer is not taken back"),
    Fault(
        EXCHANGE, "_offers[seller] = OfferLib.asking(0, 0, 0, 0);", "_offers[seller] = Offer.wrap(0);", "a listing is forgotten"
    ),
    Fault(EXCHANGE, "        emit OfferWithdrawn(seller);\n", "", "no event of an offer taken back"),
    Fault(
        EXCHANGE,
        "asked.pricePerKwh() != 0 && asked.until() >=",
        "asked.until() >=",
        "no offer sells",
        equivalent="only `asking(0, 0, 0, 0)` writes a price of zero, so the limit is zero with it, and nothing is available",
    ),
    Fault(EXCHANGE, "asked.until() >= block.timestamp\n", "asked.until() > block.timestamp\n", "the last second of an offer"),
    Fault(EXCHANGE, "&& books.status() == BooksLib.MEMBER &&", "&&", "a suspended seller has something to sell"),
    Fault(
        EXCHANGE,
        " && !IFreezing(address(_coin)).frozen(seller);",
        ";",
        "a frozen seller has something to sell, and spoils a list",
    ),
    Fault(EXCHANGE, " && asked.until() >= block.timestamp\n", "\n", "an offer that has ended sells to who names several"),
    Fault(EXCHANGE, "return leftJ < surplusJ ? leftJ : surplusJ;", "return leftJ;", "more is for sale than there is"),
    Fault(EXCHANGE, "return leftJ < surplusJ ? leftJ : surplusJ;", "return surplusJ;", "more is for sale than was offered"),
    Fault(
        EXCHANGE,
        "asking(pricePerKwh, amountJ, until, books.soldJ());",
        "asking(pricePerKwh, amountJ, until, 0);",
        "an offer is less by what was sold before it",
    ),
)

PURCHASES = (
    Fault(
        EXCHANGE,
        "        _memberBooks(msg.sender);\n        if (seller == msg.sender)",
        "        if (seller == msg.sender)",
        "a stranger buys",
    ),
    Fault(
        EXCHANGE,
        "        if (seller == msg.sender) revert ExchangeOwnSeller(seller);\n        if (amountJ == 0)",
        "        if (amountJ == 0)",
        "a home buys of itself",
    ),
    Fault(EXCHANGE, "        if (amountJ == 0) revert ExchangeZeroAmount();\n", "", "a purchase of nothing"),
    Fault(EXCHANGE, "Books books = _memberBooks(seller);", "Books books = _books[seller];", "a suspended seller sells"),
    Fault(EXCHANGE, "        if (price == 0) revert ExchangeNoOffer(seller);\n", "", "a purchase where nothing is offered"),
    Fault(
        EXCHANGE,
        "if (asked.until() < block.timestamp) revert",
        "if (asked.until() <= block.timestamp) revert",
        "the last second of an offer, for one purchase",
    ),
    Fault(
        EXCHANGE,
        "        if (asked.until() < block.timestamp) revert ExchangeOfferEnded(asked.until(), block.timestamp);\n",
        "",
        "an offer that has ended sells",
    ),
    Fault(
        EXCHANGE,
        "        if (price > maxPricePerKwh) revert ExchangePriceAboveMaximum(price, maxPricePerKwh);\n",
        "",
        "a buyer pays more than it named",
    ),
    Fault(EXCHANGE, "if (price > maxPricePerKwh)", "if (price >= maxPricePerKwh)", "the price that was named is too high"),
    Fault(
        EXCHANGE,
        "        if (amountJ > availableJ) revert ExchangeInsufficientEnergy(availableJ, amountJ);\n",
        "        availableJ;\n",
        "energy is sold that was not made",
    ),
    Fault(EXCHANGE, "if (amountJ > availableJ)", "if (amountJ >= availableJ)", "the last joule cannot be sold"),
    Fault(EXCHANGE, "        _pay(msg.sender, seller, cost);\n", "", "a purchase is not paid"),
    Fault(EXCHANGE, "_pay(msg.sender, seller, cost);", "_pay(seller, msg.sender, cost);", "the seller pays the buyer"),
    Fault(
        EXCHANGE,
        "if (!_coin.transferFrom(buyer, seller, cost)) revert ExchangeInsufficientPayment(0, cost);",
        "_coin.transferFrom(buyer, seller, cost);",
        "a coin that answers no is believed",
    ),
    Fault(
        EXCHANGE,
        "try IERC20Permit(address(_coin)).permit(msg.sender, address(this), value, deadline, v, r, s) {} catch {}",
        "IERC20Permit(address(_coin)).permit(msg.sender, address(this), value, deadline, v, r, s);",
        "who hands in another's permit spoils its purchase",
    ),
    Fault(
        EXCHANGE,
        "        if (msg.sender != address(_coin)) revert ExchangeNotTheCoin(msg.sender);\n        _buy(owner_",
        "        _buy(owner_",
        "anybody buys in another's name",
    ),
    Fault(
        EXCHANGE,
        "        if (msg.sender != address(_coin)) revert ExchangeNotTheCoin(msg.sender);\n        // An",
        "        // An",
        "any token pays",
    ),
    Fault(
        EXCHANGE,
        "        if (operator != from) revert ExchangeNotThePayer(operator, from);\n",
        "        operator;\n",
        "who may spend for another buys in its name",
    ),
    Fault(
        EXCHANGE,
        "_buy(from, address(this), value, ",
        "_buy(from, address(this), type(uint256).max, ",
        "a purchase may cost more than the payment",
    ),
    Fault(
        EXCHANGE, "        if (cost != value) _coin.safeTransfer(from, value - cost);\n", "        cost;\n", "the change is kept"
    ),
    Fault(EXCHANGE, "if (cost != value) _coin", "_coin", "change of nothing is given"),
    Fault(EXCHANGE, "if (cost > paid) revert", "if (cost >= paid) revert", "a payment that is just enough"),
    Fault(
        EXCHANGE,
        "            if (fill.energyJ == 0) continue;\n            _bookFill(buyer",
        "            _bookFill(buyer",
        "nothing is bought of who is passed over, and told",
    ),
    Fault(
        EXCHANGE,
        "            if (payer == buyer) _coin.safeTransferFrom(buyer, fill.seller, fill.cost);\n            else ",
        "            payer;\n            ",
        "the exchange pays what the buyer should",
    ),
    Fault(
        EXCHANGE,
        "            else _coin.safeTransfer(fill.seller, fill.cost);\n",
        "",
        "the exchange keeps what the seller should get",
    ),
    Fault(
        EXCHANGE,
        "        _memberBooks(buyer);\n        if (purchase.amountJ",
        "        if (purchase.amountJ",
        "a stranger buys of several",
    ),
    Fault(EXCHANGE, "        if (purchase.amountJ == 0) revert ExchangeZeroAmount();\n", "", "a purchase of nothing of several"),
    Fault(EXCHANGE, "        _checkSellers(buyer, purchase.sellers, MAX_SELLERS);\n", "", "sellers are not looked at"),
    Fault(EXCHANGE, "            if (_namedBefore(purchase.sellers, i)) continue;\n", "", "who is named twice sells twice"),
    Fault(EXCHANGE, "i < place; ++i", "i + 1 < place; ++i", "who is named twice in a row sells twice"),
    Fault(EXCHANGE, "            fills[i].seller = seller;\n", "", "a quote leaves out who is named again"),
    Fault(EXCHANGE, "_fill(seller, purchase.amountJ - boughtJ,", "_fill(seller, purchase.amountJ,", "each seller sells it all"),
    Fault(EXCHANGE, "            boughtJ += fills[i].energyJ;\n", "", "what was bought is not counted"),
    Fault(EXCHANGE, "cost += fills[i].cost;", "cost = fills[i].cost;", "only the last seller's price counts"),
    Fault(EXCHANGE, "if (boughtJ == 0 || (boughtJ <", "if ((boughtJ <", "nothing will do where part of it will"),
    Fault(EXCHANGE, "(boughtJ < purchase.amountJ && !purchase.partly)", "!purchase.partly", "all of it will not do"),
    Fault(EXCHANGE, "(boughtJ < purchase.amountJ && !purchase.partly)", "boughtJ < purchase.amountJ", "part of it will never do"),
    Fault(EXCHANGE, "boughtJ < purchase.amountJ && !purchase.partly", "purchase.amountJ == 0", "part of it will always do"),
    Fault(
        EXCHANGE,
        "        if (asked.pricePerKwh > maxPricePerKwh) return fill;\n",
        "        maxPricePerKwh;\n",
        "a buyer of several pays more than it named",
    ),
    Fault(
        EXCHANGE,
        "if (asked.pricePerKwh > maxPricePerKwh)",
        "if (asked.pricePerKwh >= maxPricePerKwh)",
        "the price that was named is too high, of several",
    ),
    Fault(
        EXCHANGE,
        "            if (fill.cost > most) fill.cost = most;\n",
        "            most;\n",
        "a list costs more than was named",
    ),
    Fault(
        EXCHANGE,
        "costOf(boughtJ + fill.energyJ, maxPricePerKwh) - paid;",
        "costOf(boughtJ + fill.energyJ, maxPricePerKwh);",
        "each seller of a list may cost what all together may",
    ),
    Fault(
        EXCHANGE,
        "costOf(boughtJ + fill.energyJ, maxPricePerKwh)",
        "costOf(boughtJ + fill.energyJ, fill.pricePerKwh)",
        "a list costs no more than at its last seller's price",
    ),
    Fault(
        EXCHANGE,
        "asked.availableJ < wantedJ ? asked.availableJ : uint64(wantedJ)",
        "asked.availableJ",
        "of several is bought all that they have",
    ),
    Fault(
        EXCHANGE,
        "asked.availableJ < wantedJ ?",
        "asked.availableJ <= wantedJ ?",
        "the lesser of two equals",
        equivalent="where they are equal, either is the same number",
    ),
    Fault(EXCHANGE, "        _books[seller] = books.sold(amountJ);\n", "        books;\n", "a sale leaves the surplus"),
    Fault(
        EXCHANGE,
        "        _pairs[buyer][seller] = _pairs[buyer][seller].bought(amountJ);\n",
        "",
        "a purchase gives no credit",
    ),
    Fault(EXCHANGE, "        emit EnergyBought(buyer, seller, amountJ, price, cost);\n", "", "no event of a purchase"),
    Fault(
        EXCHANGE,
        "        if (status == BooksLib.SUSPENDED) revert ExchangeSuspended(account);\n",
        "",
        "a suspended home is called none",
    ),
    Fault(EXCHANGE, "if (status != BooksLib.MEMBER) revert", "if (status > BooksLib.SUSPENDED) revert", "anybody is a member"),
    Fault(EXCHANGE, "        if (sellers.length == 0) revert ExchangeNoSeller();\n", "", "a purchase of nobody"),
    Fault(EXCHANGE, "if (sellers.length > most)", "if (sellers.length >= most)", "the last seller that may be named"),
    Fault(EXCHANGE, "            if (sellers[i] == buyer) revert ExchangeOwnSeller(buyer);\n", "", "a home names itself"),
    Fault(
        EXCHANGE,
        "for (uint256 i = 0; i < sellers.length; ++i) {\n            if",
        "for (uint256 i = 1; i < sellers.length; ++i) {\n            if",
        "a home names itself first",
    ),
)

ORDERS = (
    Fault(
        EXCHANGE,
        "        Books books = _memberBooks(msg.sender);\n        if (_closing) revert ExchangeClosed();\n        if (order",
        "        Books books = _books[msg.sender];\n        if (_closing) revert ExchangeClosed();\n        if (order",
        "a stranger leaves a rule",
    ),
    Fault(
        EXCHANGE,
        "        if (_closing) revert ExchangeClosed();\n        if (order",
        "        if (order",
        "a rule after the closing",
    ),
    Fault(
        EXCHANGE,
        "            if (_namedBefore(order.sellers, i)) revert ExchangeSellerNamedTwice(order.sellers[i]);\n",
        "",
        "the credit with a seller that a rule names twice counts twice",
    ),
    Fault(EXCHANGE, "if (order.belowPermille > FULL_PERMILLE)", "if (order.belowPermille >= FULL_PERMILLE)", "a rule up to full"),
    Fault(EXCHANGE, "        if (order.amountJ == 0) revert ExchangeZeroAmount();\n", "", "a rule that buys nothing"),
    Fault(EXCHANGE, "        if (order.maxPricePerKwh == 0) revert ExchangeZeroPrice();\n", "", "a rule for nothing"),
    Fault(EXCHANGE, "order.sellers, MAX_ORDER_SELLERS);", "order.sellers, MAX_SELLERS);", "a rule with too many sellers"),
    Fault(EXCHANGE, "        _orders[msg.sender] = order;\n", "", "a rule is not stored"),
    Fault(
        EXCHANGE,
        "        _books[msg.sender] = books.withOrder(order.belowPermille);\n",
        "        books;\n",
        "a rule is not followed",
    ),
    Fault(
        EXCHANGE,
        """        emit OrderPlaced(
            msg.sender, order.belowPermille, order.amountJ, order.maxPricePerKwh, order.sellers
        );
""",
        "",
        "no event of a rule",
    ),
    Fault(EXCHANGE, "        if (!books.hasOrder()) revert ExchangeNoOrder(msg.sender);\n", "", "no rule is taken back"),
    Fault(EXCHANGE, "        delete _orders[msg.sender];\n", "", "a rule that was taken back is still told"),
    Fault(EXCHANGE, "        _books[msg.sender] = books.withoutOrder();\n", "", "a rule is taken back twice"),
    Fault(EXCHANGE, "        emit OrderCancelled(msg.sender);\n", "", "no event of a rule taken back"),
    Fault(
        EXCHANGE,
        "draws);\n        _books[msg.sender] = books;\n        if (chargePermille < books.belowPermille())",
        "draws);\n        _books[msg.sender] = books;\n        if (chargePermille <= books.belowPermille())",
        "a rule is followed at the charge that it names",
    ),
    Fault(
        EXCHANGE,
        "draws);\n        _books[msg.sender] = books;\n        if (chargePermille < books.belowPermille()) _follow",
        "draws);\n        _books[msg.sender] = books;\n        chargePermille;\n        if (books.hasOrder()) _follow",
        "a rule buys always",
    ),
    Fault(
        EXCHANGE,
        "wantedJ = creditJ < wantedJ ? wantedJ - creditJ : 0;",
        "creditJ;",
        "a rule buys again what it has",
    ),
    Fault(EXCHANGE, "creditJ < wantedJ ? wantedJ - creditJ : 0;", "wantedJ - creditJ;", "too much credit spoils the report"),
    Fault(
        EXCHANGE,
        "creditJ < wantedJ ? wantedJ - creditJ : 0;",
        "creditJ <= wantedJ ? wantedJ - creditJ : 0;",
        "a rule that is just fulfilled",
        equivalent="where they are equal, the difference is the zero that stands on the other side",
    ),
    Fault(
        EXCHANGE,
        "i < order.sellers.length && missingJ != 0;",
        "i < order.sellers.length;",
        "sellers are asked when nothing is missing",
    ),
    Fault(
        EXCHANGE,
        "            if (fill.energyJ == 0) continue;\n            // Our",
        "            // Our",
        "a rule buys nothing, and tells it",
    ),
    Fault(
        EXCHANGE,
        "try _coin.transferFrom(msg.sender, fill.seller, fill.cost) returns",
        "try _coin.transferFrom(msg.sender, fill.seller, 0) returns",
        "what a rule buys is not paid",
    ),
    Fault(EXCHANGE, "                if (!paid) {", "                if (false) {", "a rule believes a coin that says no"),
    Fault(
        EXCHANGE,
        "                _bookFill(msg.sender, fill);\n",
        "",
        "what a rule pays is not written down",
    ),
    Fault(
        EXCHANGE,
        "                if (fill.energyJ > unpaidJ) missingJ -= fill.energyJ - unpaidJ;\n",
        "",
        "a rule buys of each seller what it wants of all",
    ),
    Fault(
        EXCHANGE,
        "if (fill.energyJ > unpaidJ) missingJ -= fill.energyJ - unpaidJ;",
        "missingJ -= fill.energyJ > missingJ ? missingJ : fill.energyJ;",
        "what settles counts as credit",
    ),
    Fault(EXCHANGE, "uint256(missingJ) + unpaidJ, order", "missingJ, order", "a rule does not settle first"),
    Fault(
        EXCHANGE,
        "                boughtJ += fill.energyJ;\n                cost",
        "                cost",
        "a rule gets what it does not pay for",
    ),
    Fault(EXCHANGE, "                cost += fill.cost;\n", "", "a rule pays more than it named"),
    Fault(
        EXCHANGE,
        "order.belowPermille = _books[account].belowPermille(); // what is gone by",
        "",
        "the charge that is told is not what is gone by",
        equivalent="both are written together, and nothing else writes either",
    ),
    Fault(
        EXCHANGE,
        "                reason = refusal;\n",
        "                refusal;\n",
        "the wrong reason why a rule could not buy",
    ),
    Fault(EXCHANGE, "        if (missingJ == 0) return;\n", "", "a rule that bought all tells that it could not"),
    Fault(EXCHANGE, "wantedJ - missingJ, wantedJ);", "missingJ, wantedJ);", "the wrong number of what there was"),
    Fault(EXCHANGE, "        emit OrderUnfilled(msg.sender, missingJ, reason);\n", "", "no event of a rule that could not buy"),
)

VIEWS = (
    Fault(EXCHANGE, "        if (start > length) start = length;\n", "", "a page beyond the end"),
    Fault(EXCHANGE, "        if (count > length - start) count = length - start;\n", "", "a page longer than the list"),
    Fault(EXCHANGE, "count = length - start;", "count = length - start - 1;", "the last of the last page"),
    Fault(
        EXCHANGE,
        "if (count > length - start)",
        "if (count >= length - start)",
        "a page that ends with the list",
        equivalent="where they are equal, the count is set to what it is",
    ),
    Fault(EXCHANGE, "page[i] = list[start + i];", "page[i] = list[i];", "every page is the first"),
    Fault(
        EXCHANGE, "states[i] = _homeState(homes[i]);", "states[i] = _homeState(homes[0]);", "every home is the first of its page"
    ),
    Fault(
        EXCHANGE,
        "states[i] = _offerState(sellers[i]);",
        "states[i] = _offerState(sellers[0]);",
        "every seller is the first of its page",
    ),
    Fault(
        EXCHANGE,
        "allowance = _coin.allowance(account, address(this));",
        "allowance = _coin.allowance(address(this), account);",
        "the allowance of the wrong way",
    ),
    Fault(EXCHANGE, "_creditState(account, sellers[i])", "_creditState(sellers[i], account)", "the credit of the other side"),
    Fault(EXCHANGE, "producedJ: books.madeJ() - openingJ,", "producedJ: books.madeJ(),", "the opening counts as produced"),
)

LIBRARIES = (
    Fault(MATH, "pricePerKwh + JOULES_PER_KWH - 1)", "pricePerKwh)", "a price is rounded down"),
    Fault(MATH, "pricePerKwh + JOULES_PER_KWH - 1)", "pricePerKwh + JOULES_PER_KWH)", "a whole price is a base unit more"),
    Fault(MATH, "JOULES_PER_KWH = 3_600_000;", "JOULES_PER_KWH = 3_600;", "a price per watt-hour"),
    Fault(
        MATH,
        "if (used <= had)",
        "if (used < had)",
        "nothing is left, and nothing beyond",
        equivalent="where they are equal, what is left and what is beyond are zero either way",
    ),
    Fault(MATH, "return (0, uint64(used - had));", "return (0, 0);", "what goes beyond is forgotten"),
    Fault(BOOKS, "UNTIL = 8;", "UNTIL = 7;", "the end runs into the status"),
    Fault(BOOKS, "MADE = 48;", "MADE = 47;", "what is made runs into the end"),
    Fault(BOOKS, "OWN = 112;", "OWN = 111;", "own use runs into what is made"),
    Fault(BOOKS, "SOLD = 176;", "SOLD = 175;", "what is sold runs into own use"),
    Fault(BOOKS, "ORDER = 1 << 255;", "ORDER = 1 << 239;", "who sold much has a rule"),
    Fault(BOOKS, "MEMBER | uint256(openingJ) << MADE", "MEMBER", "the opening is lost"),
    Fault(
        BOOKS, "Books.unwrap(self) & ~uint256(type(uint8).max) | status_", "Books.unwrap(self) | status_", "a status on another"
    ),
    Fault(
        BOOKS,
        "Books.unwrap(self) & ~uint256(type(uint8).max) | status_",
        "status_",
        "a suspension empties the books",
    ),
    Fault(BOOKS, "BELOW = 240;", "BELOW = 239;", "the charge of a rule runs into what is sold"),
    Fault(BOOKS, "(Books.unwrap(self) & ~ORDER) >> BELOW", "Books.unwrap(self) >> BELOW", "every rule is one for any charge"),
    Fault(BOOKS, "Books.unwrap(self) & (1 << BELOW) - 1", "Books.unwrap(self)", "a rule is never forgotten"),
    Fault(
        BOOKS,
        "Books.unwrap(self.withoutOrder()) | ORDER",
        "Books.unwrap(self) | ORDER",
        "a rule in place of another takes over its charge",
    ),
    Fault(BOOKS, "Books.unwrap(self.withoutOrder()) | ORDER", "ORDER", "a rule empties the books"),
    Fault(BOOKS, "producedJ_ > type(uint64).max ||", "producedJ_ >= type(uint64).max ||", "the last joule that can be made"),
    Fault(BOOKS, "uint256(self.madeJ()) + producedJ_ > type(uint64).max || ", "", "what is made runs over into own use"),
    Fault(BOOKS, " || uint256(self.ownJ()) + ownJ_ > type(uint64).max", "", "own use runs over into what is sold"),
    Fault(BOOKS, "ownJ_ > type(uint64).max)", "ownJ_ >= type(uint64).max)", "the last joule that can be used"),
    Fault(BOOKS, "uint256(until_ - self.until()) << UNTIL", "uint256(until_) << UNTIL", "ends add up"),
    Fault(BOOKS, "+ (uint256(ownJ_) << OWN)", "- (uint256(ownJ_) << OWN)", "own use is taken back"),
    Fault(
        BOOKS, "Books.unwrap(self) + (uint256(energyJ) << SOLD)", "Books.unwrap(self) - (uint256(energyJ) << SOLD)", "sold less"
    ),
    Fault(BOOKS, "uint256(self.ownJ()) + self.soldJ()", "uint256(self.ownJ())", "what is sold can be sold again"),
    Fault(BOOKS, "uint256(self.ownJ()) + self.soldJ()", "self.soldJ()", "what is used can be sold"),
    Fault(OFFER, "LIMIT = 96;", "LIMIT = 95;", "the amount runs into the price"),
    Fault(OFFER, "UNTIL = 168;", "UNTIL = 167;", "the end runs into the amount"),
    Fault(OFFER, "LISTED = 1 << 208;", "LISTED = 1 << 207;", "the listing is in the end"),
    Fault(OFFER, "Offer.wrap(LISTED | uint256", "Offer.wrap(uint256", "nobody is ever listed"),
    Fault(
        OFFER,
        "amountJ == type(uint64).max ? NO_LIMIT : uint256(soldJ)",
        "false ? NO_LIMIT : uint256(soldJ)",
        "all surplus is an amount",
    ),
    Fault(OFFER, "if (limitJ == NO_LIMIT) return type(uint64).max;", "", "an offer of all surplus becomes one of less"),
    Fault(OFFER, "uint64(limitJ - soldJ) : 0;", "uint64(limitJ) : 0;", "an offer is sold twice"),
    Fault(
        OFFER, "limitJ > soldJ ? uint64(limitJ - soldJ) : 0;", "uint64(limitJ - soldJ);", "an offer taken back has something left"
    ),
    Fault(
        OFFER,
        "limitJ > soldJ ?",
        "limitJ >= soldJ ?",
        "nothing is left of an offer, either way",
        equivalent="where they are equal, the difference is the zero that stands on the other side",
    ),
    Fault(PAIR, "DRAWN = 64;", "DRAWN = 63;", "what is drawn runs into what is bought"),
    Fault(PAIR, "return Pair.unwrap(self) == 0;", "return Pair.unwrap(self) != 0;", "new pairs are old ones"),
    Fault(PAIR, "Pair.unwrap(self) + energyJ", "Pair.unwrap(self) - energyJ", "bought less"),
    Fault(PAIR, "if (uint256(self.drawnJ()) + energyJ > type(uint64).max) revert PairOverflow();", "", "draws run over"),
    Fault(PAIR, "energyJ > type(uint64).max", "energyJ >= type(uint64).max", "the last joule that can be drawn"),
    Fault(PAIR, "+ (uint256(energyJ) << DRAWN)", "- (uint256(energyJ) << DRAWN)", "drawn less"),
    Fault(
        PAIR,
        "EnergyMath.balance(self.boughtJ(), self.drawnJ())",
        "EnergyMath.balance(self.drawnJ(), self.boughtJ())",
        "credit is what is unpaid",
    ),
)

COINS = (
    Fault(
        COIN,
        "function mint(address to, uint256 amount) external onlyRole(MINTER_ROLE) {",
        "function mint(address to, uint256 amount) external {",
        "anybody makes coins",
    ),
    Fault(
        COIN,
        "function mint(address to, uint256 amount) external onlyRole(MINTER_ROLE) {",
        "function mint(address to, uint256 amount) external onlyRole(FREEZER_ROLE) {",
        "freezers make coins",
    ),
    Fault(
        COIN,
        "function freeze(address account) external onlyRole(FREEZER_ROLE) {",
        "function freeze(address account) external {",
        "anybody freezes",
    ),
    Fault(
        COIN,
        "function unfreeze(address account) external onlyRole(FREEZER_ROLE) {",
        "function unfreeze(address account) external {",
        "anybody unfreezes",
    ),
    Fault(COIN, "        _grantRole(MINTER_ROLE, admin);\n", "", "the admin is no minter"),
    Fault(COIN, "        _grantRole(FREEZER_ROLE, admin);\n", "", "the admin is no freezer"),
    Fault(COIN, "        _mint(admin, openingSupply);\n", "        openingSupply;\n", "no opening supply"),
    Fault(COIN, "        emit CoinsMinted(msg.sender, to, amount);\n", "", "no event of coins made"),
    Fault(COIN, "        if (frozen(account)) revert CoinAccountFrozen(account);\n", "", "an account is frozen twice"),
    Fault(
        COIN,
        "        if (!frozen(account)) revert CoinAccountNotFrozen(account);\n",
        "",
        "an account unfrozen that was not frozen",
    ),
    Fault(COIN, "_accounts[account] |= FROZEN;", "_accounts[account] = FROZEN;", "freezing takes the coins"),
    Fault(COIN, "_accounts[account] &= ~FROZEN;", "_accounts[account] = 0;", "unfreezing takes the coins"),
    Fault(COIN, "        emit AccountFrozen(account, msg.sender);\n", "", "no event of freezing"),
    Fault(COIN, "        emit AccountUnfrozen(account, msg.sender);\n", "", "no event of unfreezing"),
    Fault(COIN, "return _accounts[account] & FROZEN != 0;", "return _accounts[account] == FROZEN;", "only the poor are frozen"),
    Fault(COIN, "return _accounts[account] & ~FROZEN;", "return _accounts[account];", "the frozen are rich"),
    Fault(COIN, "if (supply >= FROZEN)", "if (supply > FROZEN)", "the supply runs into the frozen bit"),
    Fault(COIN, "if (supply >= FROZEN)", "if (supply >= FROZEN - 1)", "the last coin that can be made"),
    Fault(COIN, "            _supply = supply;\n", "", "the supply is not counted"),
    Fault(COIN, "uint256 sending = _unfrozen(from);", "uint256 sending = balanceOf(from);", "the frozen send"),
    Fault(COIN, "uint256 receiving = _unfrozen(to);", "uint256 receiving = _accounts[to];", "the frozen receive"),
    Fault(COIN, "if (sending < value)", "if (sending <= value)", "the last coin cannot be sent"),
    Fault(
        COIN,
        "            if (sending < value) revert ERC20InsufficientBalance(from, sending, value);\n",
        "",
        "coins from nothing",
    ),
    Fault(COIN, "_accounts[from] = sending - value;", "sending;", "what is sent is kept"),
    Fault(COIN, "_accounts[to] = receiving + value;", "_accounts[to] = receiving - value;", "what is received is taken"),
    Fault(
        COIN,
        """                _accounts[from] = sending - value;
            }
        }
        uint256 receiving = _unfrozen(to);
        unchecked {
            // All balances together are the supply, which fits.
            _accounts[to] = receiving + value;
        }
""",
        """                uint256 receiving = _unfrozen(to);
                _accounts[from] = sending - value;
                _accounts[to] = receiving + value;
                emit Transfer(from, to, value);
                return;
            }
        }
        _accounts[to] = _unfrozen(to) + value;
""",
        "who sends to itself makes coins",
    ),
    Fault(COIN, "        emit Transfer(from, to, value);\n", "", "no event of a transfer"),
    Fault(
        COIN,
        "super._approve(owner_, spender, value, true);",
        "super._approve(owner_, spender, value, false);",
        "no event of an approval",
    ),
)

FAULTS = (*OPERATORS, *CLOSING, *REPORTS, *OFFERS, *PURCHASES, *ORDERS, *VIEWS, *LIBRARIES, *COINS)
