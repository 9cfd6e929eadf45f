// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    AccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {IERC1363Receiver} from "@openzeppelin/contracts/interfaces/IERC1363Receiver.sol";
import {IERC1363Spender} from "@openzeppelin/contracts/interfaces/IERC1363Spender.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import {IEnergyExchange} from "./interfaces/IEnergyExchange.sol";
import {IFreezing} from "./interfaces/IFreezing.sol";
import {Books, BooksLib} from "./libraries/Books.sol";
import {EnergyMath} from "./libraries/EnergyMath.sol";
import {Offer, OfferLib} from "./libraries/Offer.sol";
import {Pair} from "./libraries/Pair.sol";

/// @title Where neighbours sell each other energy
contract EnergyExchange is IEnergyExchange, IERC1363Receiver, IERC1363Spender, AccessControlDefaultAdminRules {
    using SafeERC20 for IERC20;

    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");

    /// @notice The most draws in one interval; it bounds what one report may change.
    uint256 public constant MAX_DRAWS = 16;
    /// @notice The most intervals in one transaction: a day of quarter hours.
    uint256 public constant MAX_INTERVALS = 96;
    /// @notice The most sellers that one purchase names.
    uint256 public constant MAX_SELLERS = 16;
    /// @notice The most sellers that a standing order names.
    uint256 public constant MAX_ORDER_SELLERS = 8;

    uint16 private constant FULL_PERMILLE = 1000;

    IERC20 private immutable _coin;
    uint32 private immutable _skewS;

    // Not asked on a purchase, which would cost each of them 2,100 gas: who closes takes the offers away, and none comes anew.
    bool private _closing;
    uint64 private _closedSellers; // so many of the sellers have had their offers taken away
    address[] private _members;
    address[] private _sellers;
    mapping(address home => Books) private _books;
    mapping(address home => uint64) private _openingJ;
    mapping(address buyer => mapping(address seller => Pair)) private _pairs;
    mapping(address seller => Offer) private _offers;
    mapping(address home => StandingOrder) private _orders;

    /// @param coin_ The one coin that energy is paid with, for ever. It tells who is frozen, moves what it is asked to or
    /// refuses, and calls nobody on a plain transfer, as a DaiseeCoin does.
    /// @param admin Is the first operator, and has the say over roles.
    /// @param adminDelayS How many seconds lie between the two steps of handing the admin's role over.
    /// @param skewS_ How many seconds a report may be ahead of its block.
    constructor(IERC20 coin_, address admin, uint48 adminDelayS, uint32 skewS_)
        AccessControlDefaultAdminRules(adminDelayS, admin)
    {
        if (address(coin_) == address(0)) revert ExchangeZeroAddress();
        _coin = coin_;
        _skewS = skewS_;
        _grantRole(OPERATOR_ROLE, admin);
    }

    // ------------------------------------------------------------------------------------------------ operators

    /// @inheritdoc IEnergyExchange
    function admit(address account, uint64 openingJ) external onlyRole(OPERATOR_ROLE) {
        if (account == address(0)) revert ExchangeZeroAddress();
        if (_books[account].status() != 0) revert ExchangeAlreadyMember(account);
        _books[account] = BooksLib.opened(openingJ);
        _openingJ[account] = openingJ;
        _members.push(account);
        emit HomeAdmitted(account, openingJ);
    }

    /// @inheritdoc IEnergyExchange
    function suspend(address account) external onlyRole(OPERATOR_ROLE) {
        _books[account] = _memberBooks(account).withStatus(BooksLib.SUSPENDED);
        emit HomeSuspended(account, msg.sender);
    }

    /// @inheritdoc IEnergyExchange
    function resume(address account) external onlyRole(OPERATOR_ROLE) {
        Books books = _books[account];
        if (books.status() != BooksLib.SUSPENDED) revert ExchangeNotSuspended(account);
        _books[account] = books.withStatus(BooksLib.MEMBER);
        emit HomeResumed(account, msg.sender);
    }

    /// @inheritdoc IEnergyExchange
    function close(uint256 most) external onlyRole(OPERATOR_ROLE) {
        uint256 last = _sellers.length;
        uint256 next = _closedSellers;
        if (_closing && next == last) revert ExchangeClosed();
        _closing = true;
        for (; next < last && most != 0; --most) {
            address seller = _sellers[next++];
            if (_offers[seller].pricePerKwh() != 0) _withdraw(seller);
        }
        _closedSellers = uint64(next);
        emit PurchasesClosing(msg.sender, next);
        if (next == last) emit PurchasesClosed(msg.sender);
    }

    // ------------------------------------------------------------------------------------------------ reports

    /// @inheritdoc IEnergyExchange
    function report(uint40 since, uint40 until, uint64 producedJ, uint64 ownJ, Draw[] calldata draws) external {
        _books[msg.sender] = _reported(_booksAt(since), until, producedJ, ownJ, draws);
    }

    /// @inheritdoc IEnergyExchange
    function reportCharge(
        uint40 since,
        uint40 until,
        uint64 producedJ,
        uint64 ownJ,
        Draw[] calldata draws,
        uint16 chargePermille
    ) external {
        Books books = _reported(_booksAt(since), until, producedJ, ownJ, draws);
        _books[msg.sender] = books;
        if (chargePermille < books.belowPermille()) _followOrder();
    }

    /// @inheritdoc IEnergyExchange
    function reportMany(uint40 since, Interval[] calldata intervals, uint16 chargePermille) external {
        if (intervals.length == 0) revert ExchangeNothingReported();
        if (intervals.length > MAX_INTERVALS) revert ExchangeTooManyIntervals(intervals.length, MAX_INTERVALS);
        Books books = _booksAt(since);
        for (uint256 i = 0; i < intervals.length; ++i) {
            Interval calldata each = intervals[i];
            books = _reported(books, each.until, each.producedJ, each.ownJ, each.draws);
        }
        _books[msg.sender] = books;
        if (chargePermille < books.belowPermille()) _followOrder();
    }

    // ------------------------------------------------------------------------------------------------ offers

    /// @inheritdoc IEnergyExchange
    function offer(uint96 pricePerKwh, uint64 amountJ, uint40 until) external {
        Books books = _memberBooks(msg.sender);
        if (_closing) revert ExchangeClosed();
        if (pricePerKwh == 0) revert ExchangeZeroPrice();
        if (until < block.timestamp) revert ExchangeOfferEnded(until, block.timestamp);
        if (!_offers[msg.sender].listed()) _sellers.push(msg.sender);
        _offers[msg.sender] = OfferLib.asking(pricePerKwh, amountJ, until, books.soldJ());
        emit EnergyOffered(msg.sender, pricePerKwh, amountJ, until);
    }

    /// @inheritdoc IEnergyExchange
    function withdrawOffer() external {
        if (_offers[msg.sender].pricePerKwh() == 0) revert ExchangeNoOffer(msg.sender);
        _withdraw(msg.sender);
    }

    // ------------------------------------------------------------------------------------------------ purchases

    /// @inheritdoc IEnergyExchange
    function buy(address seller, uint64 amountJ, uint96 maxPricePerKwh) external returns (uint256 cost) {
        _memberBooks(msg.sender);
        if (seller == msg.sender) revert ExchangeOwnSeller(seller);
        if (amountJ == 0) revert ExchangeZeroAmount();
        Books books = _memberBooks(seller);
        Offer asked = _offers[seller];
        uint96 price = asked.pricePerKwh();
        if (price == 0) revert ExchangeNoOffer(seller);
        if (asked.until() < block.timestamp) revert ExchangeOfferEnded(asked.until(), block.timestamp);
        if (price > maxPricePerKwh) revert ExchangePriceAboveMaximum(price, maxPricePerKwh);
        uint64 availableJ = _available(asked.leftJ(books.soldJ()), books);
        if (amountJ > availableJ) revert ExchangeInsufficientEnergy(availableJ, amountJ);

        cost = EnergyMath.costOf(amountJ, price);
        _book(msg.sender, seller, amountJ, price, cost, books);
        // Last, when nothing is left to be changed.
        _pay(msg.sender, seller, cost);
    }

    /// @inheritdoc IEnergyExchange
    function buyFrom(Purchase calldata purchase) external returns (uint64 boughtJ, uint256 cost) {
        return _buy(msg.sender, msg.sender, type(uint256).max, purchase);
    }

    /// @inheritdoc IEnergyExchange
    function buyWithPermit(Purchase calldata purchase, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        returns (uint64 boughtJ, uint256 cost)
    {
        // Anybody may hand a permit in, and then it is used up; what counts is what the exchange may take now.
        try IERC20Permit(address(_coin)).permit(msg.sender, address(this), value, deadline, v, r, s) {} catch {}
        return _buy(msg.sender, msg.sender, type(uint256).max, purchase);
    }

    /// @notice The coin's `approveAndCall`: buys what `data`, an ABI-encoded `Purchase`, says. What it approves takes the place
    /// of what the exchange was allowed before, be that more, or without limit; what the purchase leaves stays allowed.
    function onApprovalReceived(address owner_, uint256, bytes calldata data) external returns (bytes4) {
        if (msg.sender != address(_coin)) revert ExchangeNotTheCoin(msg.sender);
        _buy(owner_, owner_, type(uint256).max, abi.decode(data, (Purchase)));
        return IERC1363Spender.onApprovalReceived.selector;
    }

    /// @notice The coin's `transferAndCall`: buys what `data`, an ABI-encoded `Purchase`, says, and gives back what is left.
    function onTransferReceived(address operator, address from, uint256 value, bytes calldata data)
        external
        returns (bytes4)
    {
        if (msg.sender != address(_coin)) revert ExchangeNotTheCoin(msg.sender);
        // An allowance lets another spend one's coins, not buy in one's name.
        if (operator != from) revert ExchangeNotThePayer(operator, from);
        (, uint256 cost) = _buy(from, address(this), value, abi.decode(data, (Purchase)));
        if (cost != value) _coin.safeTransfer(from, value - cost);
        return IERC1363Receiver.onTransferReceived.selector;
    }

    // ------------------------------------------------------------------------------------------------ standing orders

    /// @inheritdoc IEnergyExchange
    function placeOrder(StandingOrder memory order) external {
        Books books = _memberBooks(msg.sender);
        if (_closing) revert ExchangeClosed();
        if (order.belowPermille > FULL_PERMILLE) revert ExchangeChargeAboveFull(order.belowPermille);
        if (order.amountJ == 0) revert ExchangeZeroAmount();
        if (order.maxPricePerKwh == 0) revert ExchangeZeroPrice();
        _checkSellers(msg.sender, order.sellers, MAX_ORDER_SELLERS);
        for (uint256 i = 1; i < order.sellers.length; ++i) {
            // Its credit would count twice.
            if (_namedBefore(order.sellers, i)) revert ExchangeSellerNamedTwice(order.sellers[i]);
        }
        _orders[msg.sender] = order;
        _books[msg.sender] = books.withOrder(order.belowPermille);
        emit OrderPlaced(
            msg.sender, order.belowPermille, order.amountJ, order.maxPricePerKwh, order.sellers
        );
    }

    /// @inheritdoc IEnergyExchange
    function cancelOrder() external {
        Books books = _books[msg.sender];
        if (!books.hasOrder()) revert ExchangeNoOrder(msg.sender);
        delete _orders[msg.sender];
        _books[msg.sender] = books.withoutOrder();
        emit OrderCancelled(msg.sender);
    }

    // ------------------------------------------------------------------------------------------------ views

    /// @inheritdoc IEnergyExchange
    function coin() external view returns (IERC20) {
        return _coin;
    }

    /// @inheritdoc IEnergyExchange
    function skewS() external view returns (uint32) {
        return _skewS;
    }

    /// @inheritdoc IEnergyExchange
    function closed() external view returns (bool) {
        return _closing && _closedSellers == _sellers.length;
    }

    /// @inheritdoc IEnergyExchange
    function memberCount() external view returns (uint256) {
        return _members.length;
    }

    /// @inheritdoc IEnergyExchange
    function members(uint256 start, uint256 count)
        external
        view
        returns (address[] memory homes, HomeState[] memory states)
    {
        homes = _page(_members, start, count);
        states = new HomeState[](homes.length);
        for (uint256 i = 0; i < homes.length; ++i) {
            states[i] = _homeState(homes[i]);
        }
    }

    /// @inheritdoc IEnergyExchange
    function sellerCount() external view returns (uint256) {
        return _sellers.length;
    }

    /// @inheritdoc IEnergyExchange
    function offers(uint256 start, uint256 count)
        external
        view
        returns (address[] memory sellers, OfferState[] memory states)
    {
        sellers = _page(_sellers, start, count);
        states = new OfferState[](sellers.length);
        for (uint256 i = 0; i < sellers.length; ++i) {
            states[i] = _offerState(sellers[i]);
        }
    }

    /// @inheritdoc IEnergyExchange
    function home(address account) external view returns (HomeState memory) {
        return _homeState(account);
    }

    /// @inheritdoc IEnergyExchange
    function credit(address buyer, address seller) external view returns (CreditState memory) {
        return _creditState(buyer, seller);
    }

    /// @inheritdoc IEnergyExchange
    function offerOf(address seller) external view returns (OfferState memory) {
        return _offerState(seller);
    }

    /// @inheritdoc IEnergyExchange
    function orderOf(address account) external view returns (StandingOrder memory order) {
        order = _orders[account];
        order.belowPermille = _books[account].belowPermille(); // what is gone by
    }

    /// @inheritdoc IEnergyExchange
    function quote(address buyer, Purchase calldata purchase)
        external
        view
        returns (Fill[] memory fills, uint64 boughtJ, uint256 cost)
    {
        return _plan(buyer, purchase);
    }

    /// @inheritdoc IEnergyExchange
    function market(address account, address[] calldata sellers)
        external
        view
        returns (
            HomeState memory books,
            uint256 balance,
            uint256 allowance,
            OfferState[] memory asked,
            CreditState[] memory credits
        )
    {
        asked = new OfferState[](sellers.length);
        credits = new CreditState[](sellers.length);
        for (uint256 i = 0; i < sellers.length; ++i) {
            asked[i] = _offerState(sellers[i]);
            credits[i] = _creditState(account, sellers[i]);
        }
        books = _homeState(account);
        balance = _coin.balanceOf(account);
        allowance = _coin.allowance(account, address(this));
    }

    // ------------------------------------------------------------------------------------------------ inner works

    /// @dev The caller's books, if it has reported so far and no further: else what it says now was counted on other books.
    function _booksAt(uint40 since) private view returns (Books books) {
        books = _memberBooks(msg.sender);
        if (since != books.until()) revert ExchangeReportOutOfOrder(since, books.until());
    }

    /// @dev Counts an interval of the caller's; answers its books after it, which are not stored yet.
    function _reported(Books before, uint40 until, uint64 producedJ, uint64 ownJ, Draw[] calldata draws)
        private
        returns (Books books)
    {
        if (until <= before.until()) revert ExchangeReportEmpty(until, before.until());
        if (until > block.timestamp + _skewS) revert ExchangeReportAhead(until, block.timestamp + _skewS);
        if (draws.length > MAX_DRAWS) revert ExchangeTooManyDraws(draws.length, MAX_DRAWS);

        books = before.reported(until, producedJ, ownJ);
        emit EnergyReported(msg.sender, until, producedJ, ownJ);

        // Told when it grew, which is when more was used than made.
        if (ownJ > producedJ) {
            (, uint64 overdrawnJ) = books.balance();
            if (overdrawnJ != 0) emit EnergyOverdrawn(msg.sender, overdrawnJ);
        }
        for (uint256 i = 0; i < draws.length; ++i) {
            _draw(until, draws[i].seller, draws[i].energyJ);
        }
    }

    /// @dev Counts what the caller drew from one seller.
    function _draw(uint40 until, address seller, uint64 energyJ) private {
        if (seller == msg.sender) revert ExchangeOwnSeller(seller);
        Pair pair = _pairs[msg.sender][seller];
        // A pair that has a history has a member in it; not to look again saves a quarter of the draw's gas. Of a suspended
        // seller can be drawn what was bought.
        if (pair.isNew() && _books[seller].status() == 0) revert ExchangeNotMember(seller);
        pair = pair.drawn(energyJ);
        _pairs[msg.sender][seller] = pair;
        emit EnergyDrawn(msg.sender, seller, until, energyJ);
        (, uint64 unpaidJ) = pair.balance();
        if (unpaidJ != 0 && energyJ != 0) emit EnergyUnpaid(msg.sender, seller, unpaidJ);
    }

    /// @dev Buys by the caller's rule. Whatever stands against it is told and not raised, so that the report stands.
    function _followOrder() private {
        StandingOrder memory order = _orders[msg.sender];
        uint64 wantedJ = _wanted(order);
        uint64 missingJ = wantedJ;
        uint256 boughtJ;
        uint256 cost;
        bytes memory reason;
        for (uint256 i = 0; i < order.sellers.length && missingJ != 0; ++i) {
            (, uint64 unpaidJ) = _pairs[msg.sender][order.sellers[i]].balance();
            Fill memory fill = _fill(order.sellers[i], uint256(missingJ) + unpaidJ, order.maxPricePerKwh, boughtJ, cost);
            if (fill.energyJ == 0) continue;
            // Our own coin calls nobody on a transfer, so that nothing can have changed when it comes back.
            try _coin.transferFrom(msg.sender, fill.seller, fill.cost) returns (bool paid) {
                if (!paid) {
                    reason = abi.encodeWithSelector(ExchangeInsufficientPayment.selector, uint256(0), fill.cost);
                    continue;
                }
                _bookFill(msg.sender, fill);
                boughtJ += fill.energyJ;
                cost += fill.cost;
                // What is unpaid is settled first, and is no credit.
                if (fill.energyJ > unpaidJ) missingJ -= fill.energyJ - unpaidJ;
            } catch (bytes memory refusal) {
                reason = refusal;
            }
        }
        if (missingJ == 0) return;
        if (reason.length == 0) {
            reason = abi.encodeWithSelector(ExchangeInsufficientEnergy.selector, wantedJ - missingJ, wantedJ);
        }
        emit OrderUnfilled(msg.sender, missingJ, reason);
    }

    /// @dev What the caller's credit with the sellers of its rule is short of.
    function _wanted(StandingOrder memory order) private view returns (uint64 wantedJ) {
        wantedJ = order.amountJ;
        for (uint256 i = 0; i < order.sellers.length; ++i) {
            (uint64 creditJ,) = _pairs[msg.sender][order.sellers[i]].balance();
            wantedJ = creditJ < wantedJ ? wantedJ - creditJ : 0;
        }
    }

    function _withdraw(address seller) private {
        _offers[seller] = OfferLib.asking(0, 0, 0, 0);
        emit OfferWithdrawn(seller);
    }

    /// @dev Buys by plan. The payer is the buyer, or the exchange itself with what the buyer has just sent it.
    function _buy(address buyer, address payer, uint256 paid, Purchase memory purchase)
        private
        returns (uint64 boughtJ, uint256 cost)
    {
        Fill[] memory fills;
        (fills, boughtJ, cost) = _plan(buyer, purchase);
        if (cost > paid) revert ExchangeInsufficientPayment(paid, cost);
        for (uint256 i = 0; i < fills.length; ++i) {
            Fill memory fill = fills[i];
            if (fill.energyJ == 0) continue;
            _bookFill(buyer, fill);
            if (payer == buyer) _coin.safeTransferFrom(buyer, fill.seller, fill.cost);
            else _coin.safeTransfer(fill.seller, fill.cost);
        }
    }

    /// @dev What a purchase would become, when nothing speaks against it.
    function _plan(address buyer, Purchase memory purchase)
        private
        view
        returns (Fill[] memory fills, uint64 boughtJ, uint256 cost)
    {
        _memberBooks(buyer);
        if (purchase.amountJ == 0) revert ExchangeZeroAmount();
        _checkSellers(buyer, purchase.sellers, MAX_SELLERS);
        fills = new Fill[](purchase.sellers.length);
        for (uint256 i = 0; i < fills.length; ++i) {
            address seller = purchase.sellers[i];
            fills[i].seller = seller;
            // Who is named again has nothing left, or nothing more is wanted.
            if (_namedBefore(purchase.sellers, i)) continue;
            fills[i] = _fill(seller, purchase.amountJ - boughtJ, purchase.maxPricePerKwh, boughtJ, cost);
            boughtJ += fills[i].energyJ;
            cost += fills[i].cost;
        }
        if (boughtJ == 0 || (boughtJ < purchase.amountJ && !purchase.partly)) {
            revert ExchangeInsufficientEnergy(boughtJ, purchase.amountJ);
        }
    }

    /// @dev As much as a seller has for this price, and no more than what is wanted; nothing, where it does not sell. Each
    /// cost is rounded up, but together with what was bought of others before, it is no more than their energy costs at the price
    /// named, rounded up once. So a seller after the first gets at most one base unit less.
    function _fill(address seller, uint256 wantedJ, uint96 maxPricePerKwh, uint256 boughtJ, uint256 paid)
        private
        view
        returns (Fill memory fill)
    {
        fill.seller = seller;
        OfferState memory asked = _offerState(seller);
        if (asked.pricePerKwh > maxPricePerKwh) return fill;
        fill.pricePerKwh = asked.pricePerKwh;
        fill.energyJ = asked.availableJ < wantedJ ? asked.availableJ : uint64(wantedJ);
        fill.cost = EnergyMath.costOf(fill.energyJ, fill.pricePerKwh);
        unchecked {
            // What was paid is no more than what was bought costs at this price, and a few times 64 bits are far from 256.
            uint256 most = EnergyMath.costOf(boughtJ + fill.energyJ, maxPricePerKwh) - paid;
            if (fill.cost > most) fill.cost = most;
        }
    }

    function _bookFill(address buyer, Fill memory fill) private {
        _book(buyer, fill.seller, fill.energyJ, fill.pricePerKwh, fill.cost, _books[fill.seller]);
    }

    /// @dev Writes a purchase down, all but the coins.
    function _book(address buyer, address seller, uint64 amountJ, uint96 price, uint256 cost, Books books) private {
        // What is left of the seller's offer follows from what it sold.
        _books[seller] = books.sold(amountJ);
        _pairs[buyer][seller] = _pairs[buyer][seller].bought(amountJ);
        emit EnergyBought(buyer, seller, amountJ, price, cost);
    }

    function _pay(address buyer, address seller, uint256 cost) private {
        if (!_coin.transferFrom(buyer, seller, cost)) revert ExchangeInsufficientPayment(0, cost);
    }

    /// @dev The books of a home that is a member and not suspended.
    function _memberBooks(address account) private view returns (Books books) {
        books = _books[account];
        uint8 status = books.status();
        if (status == BooksLib.SUSPENDED) revert ExchangeSuspended(account);
        if (status != BooksLib.MEMBER) revert ExchangeNotMember(account);
    }

    function _checkSellers(address buyer, address[] memory sellers, uint256 most) private pure {
        if (sellers.length == 0) revert ExchangeNoSeller();
        if (sellers.length > most) revert ExchangeTooManySellers(sellers.length, most);
        for (uint256 i = 0; i < sellers.length; ++i) {
            if (sellers[i] == buyer) revert ExchangeOwnSeller(buyer);
        }
    }

    /// @dev Whether the seller at a place of a list is at another before it.
    function _namedBefore(address[] memory sellers, uint256 place) private pure returns (bool) {
        for (uint256 i = 0; i < place; ++i) {
            if (sellers[i] == sellers[place]) return true;
        }
        return false;
    }

    /// @dev The lesser of what is left of the offer and the seller's surplus.
    function _available(uint64 leftJ, Books books) private pure returns (uint64) {
        (uint64 surplusJ,) = books.balance();
        return leftJ < surplusJ ? leftJ : surplusJ;
    }

    function _page(address[] storage list, uint256 start, uint256 count) private view returns (address[] memory page) {
        uint256 length = list.length;
        if (start > length) start = length;
        if (count > length - start) count = length - start;
        page = new address[](count);
        for (uint256 i = 0; i < count; ++i) {
            page[i] = list[start + i];
        }
    }

    function _homeState(address account) private view returns (HomeState memory) {
        Books books = _books[account];
        uint64 openingJ = _openingJ[account];
        (uint64 surplusJ, uint64 overdrawnJ) = books.balance();
        return HomeState({
            status: books.status(),
            until: books.until(),
            openingJ: openingJ,
            producedJ: books.madeJ() - openingJ,
            ownJ: books.ownJ(),
            soldJ: books.soldJ(),
            surplusJ: surplusJ,
            overdrawnJ: overdrawnJ
        });
    }

    function _creditState(address buyer, address seller) private view returns (CreditState memory) {
        Pair pair = _pairs[buyer][seller];
        (uint64 creditJ, uint64 unpaidJ) = pair.balance();
        return CreditState(pair.boughtJ(), pair.drawnJ(), creditJ, unpaidJ);
    }

    function _offerState(address seller) private view returns (OfferState memory) {
        Offer asked = _offers[seller];
        Books books = _books[seller];
        bool sells = asked.pricePerKwh() != 0 && asked.until() >= block.timestamp
            && books.status() == BooksLib.MEMBER && !IFreezing(address(_coin)).frozen(seller);
        uint64 leftJ = asked.leftJ(books.soldJ());
        return OfferState(asked.pricePerKwh(), leftJ, asked.until(), sells ? _available(leftJ, books) : 0);
    }
}
