// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

import {IEnergyExchange} from "./interfaces/IEnergyExchange.sol";
import {EnergyMath} from "./libraries/EnergyMath.sol";

/// @title Where neighbours sell each other energy
contract EnergyExchange is IEnergyExchange, AccessControl {
    using SafeERC20 for IERC20;

    // One slot, the only one that a plain report touches:
    //
    //   | unused 16 | sold 64 | own 64 | made 64 | until 40 | status 8 |
    struct Books {
        uint8 status;
        uint40 until;
        uint64 madeJ; // opening and produced
        uint64 ownJ;
        uint64 soldJ;
    }

    // Two slots: the books, and | unused 192 | opening 64 |, which is written once, at admission.
    struct Home {
        Books books;
        uint64 openingJ;
    }

    // One slot: | unused 128 | drawn 64 | bought 64 |
    struct Pair {
        uint64 boughtJ;
        uint64 drawnJ;
    }

    // One slot: | unused 96 | amount 64 | price 96 |
    struct Offer {
        uint96 pricePerKwh;
        uint64 amountJ;
    }

    bytes32 public constant OPERATOR_ROLE = keccak256("OPERATOR_ROLE");

    /// @notice The most draws in one report; it bounds the one loop that changes anything.
    uint256 public constant MAX_DRAWS = 16;

    uint64 private constant ALL_SURPLUS = type(uint64).max;
    uint8 private constant MEMBER = 1;

    IERC20 private immutable _coin;
    uint32 private immutable _skewS;

    address[] private _members;
    mapping(address home => Home) private _homes;
    mapping(address buyer => mapping(address seller => Pair)) private _pairs;
    mapping(address seller => Offer) private _offers;

    /// @param coin_ The one coin that energy is paid with, for ever.
    /// @param admin Is the first operator, and has the say over roles.
    /// @param skewS_ How many seconds a report may be ahead of its block.
    constructor(IERC20 coin_, address admin, uint32 skewS_) {
        if (address(coin_) == address(0) || admin == address(0)) revert ExchangeZeroAddress();
        _coin = coin_;
        _skewS = skewS_;
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(OPERATOR_ROLE, admin);
    }

    modifier onlyMember() {
        _checkMember(msg.sender);
        _;
    }

    /// @inheritdoc IEnergyExchange
    function admit(address account, uint64 openingJ) external onlyRole(OPERATOR_ROLE) {
        if (account == address(0)) revert ExchangeZeroAddress();
        if (_homes[account].books.status != 0) revert ExchangeAlreadyMember(account);
        _homes[account] = Home(Books({status: MEMBER, until: 0, madeJ: openingJ, ownJ: 0, soldJ: 0}), openingJ);
        _members.push(account);
        emit HomeAdmitted(account, openingJ);
    }

    /// @inheritdoc IEnergyExchange
    function report(uint40 until, uint64 producedJ, uint64 ownJ, Draw[] calldata draws) external {
        Books memory books = _homes[msg.sender].books;
        if (books.status != MEMBER) revert ExchangeNotMember(msg.sender);
        if (until <= books.until) revert ExchangeReportOutOfOrder(until, books.until);
        if (until > block.timestamp + _skewS) revert ExchangeReportAhead(until, block.timestamp + _skewS);
        if (draws.length > MAX_DRAWS) revert ExchangeTooManyDraws(draws.length, MAX_DRAWS);

        books.until = until;
        books.madeJ += producedJ;
        books.ownJ += ownJ;
        _homes[msg.sender].books = books;
        emit EnergyReported(msg.sender, until, producedJ, ownJ);

        (, uint64 overdrawnJ) = _balance(books);
        // Told when it grew, which is when more was used than made.
        if (overdrawnJ != 0 && ownJ > producedJ) emit EnergyOverdrawn(msg.sender, overdrawnJ);

        for (uint256 i = 0; i < draws.length; ++i) {
            _draw(until, draws[i].seller, draws[i].energyJ);
        }
    }

    /// @inheritdoc IEnergyExchange
    function offer(uint96 pricePerKwh, uint64 amountJ) external onlyMember {
        if (pricePerKwh == 0) revert ExchangeZeroPrice();
        _offers[msg.sender] = Offer(pricePerKwh, amountJ);
        emit EnergyOffered(msg.sender, pricePerKwh, amountJ);
    }

    /// @inheritdoc IEnergyExchange
    function withdrawOffer() external onlyMember {
        if (_offers[msg.sender].pricePerKwh == 0) revert ExchangeNoOffer(msg.sender);
        delete _offers[msg.sender];
        emit OfferWithdrawn(msg.sender);
    }

    /// @inheritdoc IEnergyExchange
    function buy(address seller, uint64 amountJ, uint96 maxPricePerKwh) external onlyMember returns (uint256 cost) {
        if (seller == msg.sender) revert ExchangeOwnSeller(seller);
        (Books memory books, Offer memory asked) = _sale(seller, amountJ, maxPricePerKwh);

        cost = EnergyMath.costOf(amountJ, asked.pricePerKwh);
        books.soldJ += amountJ;
        _homes[seller].books = books;
        _pairs[msg.sender][seller].boughtJ += amountJ;
        if (asked.amountJ != ALL_SURPLUS) _offers[seller].amountJ = asked.amountJ - amountJ;
        emit EnergyBought(msg.sender, seller, amountJ, asked.pricePerKwh, cost);
        // Last, when nothing is left to be changed; the coin is our own, and answers or reverts.
        _coin.safeTransferFrom(msg.sender, seller, cost);
    }

    /// @inheritdoc IEnergyExchange
    function coin() external view returns (IERC20) {
        return _coin;
    }

    /// @inheritdoc IEnergyExchange
    function skewS() external view returns (uint32) {
        return _skewS;
    }

    /// @inheritdoc IEnergyExchange
    function memberCount() external view returns (uint256) {
        return _members.length;
    }

    /// @inheritdoc IEnergyExchange
    function memberAt(uint256 index) external view returns (address) {
        return _members[index];
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
    function quote(address seller, uint64 amountJ) external view returns (uint256) {
        (, Offer memory asked) = _sale(seller, amountJ, type(uint96).max);
        return EnergyMath.costOf(amountJ, asked.pricePerKwh);
    }

    /// @inheritdoc IEnergyExchange
    function market(address account, address[] calldata sellers)
        external
        view
        returns (
            HomeState memory books,
            uint256 balance,
            uint256 allowance,
            OfferState[] memory offers,
            CreditState[] memory credits
        )
    {
        offers = new OfferState[](sellers.length);
        credits = new CreditState[](sellers.length);
        for (uint256 i = 0; i < sellers.length; ++i) {
            offers[i] = _offerState(sellers[i]);
            credits[i] = _creditState(account, sellers[i]);
        }
        books = _homeState(account);
        balance = _coin.balanceOf(account);
        allowance = _coin.allowance(account, address(this));
    }

    /// @dev Counts what the caller drew from one seller.
    function _draw(uint40 until, address seller, uint64 energyJ) private {
        if (seller == msg.sender) revert ExchangeOwnSeller(seller);
        Pair memory pair = _pairs[msg.sender][seller];
        // A pair that has a history has a member in it; not to look again saves a quarter of the draw's gas.
        if (pair.boughtJ == 0 && pair.drawnJ == 0) _checkMember(seller);
        pair.drawnJ += energyJ;
        _pairs[msg.sender][seller] = pair;
        emit EnergyDrawn(msg.sender, seller, until, energyJ);
        (, uint64 unpaidJ) = EnergyMath.balance(pair.boughtJ, pair.drawnJ);
        if (unpaidJ != 0 && energyJ != 0) emit EnergyUnpaid(msg.sender, seller, unpaidJ);
    }

    function _checkMember(address account) private view {
        if (_homes[account].books.status != MEMBER) revert ExchangeNotMember(account);
    }

    /// @dev What a sale is made of, when nothing speaks against it.
    function _sale(address seller, uint64 amountJ, uint96 maxPricePerKwh)
        private
        view
        returns (Books memory books, Offer memory asked)
    {
        if (amountJ == 0) revert ExchangeZeroAmount();
        books = _homes[seller].books;
        if (books.status != MEMBER) revert ExchangeNotMember(seller);
        asked = _offers[seller];
        if (asked.pricePerKwh == 0) revert ExchangeNoOffer(seller);
        if (asked.pricePerKwh > maxPricePerKwh) revert ExchangePriceAboveMaximum(asked.pricePerKwh, maxPricePerKwh);
        uint64 remainingJ = _available(asked, books);
        if (amountJ > remainingJ) revert ExchangeInsufficientEnergy(remainingJ, amountJ);
    }

    /// @dev The lesser of what was offered and the seller's surplus.
    function _available(Offer memory asked, Books memory books) private pure returns (uint64) {
        (uint64 surplusJ,) = _balance(books);
        return asked.amountJ < surplusJ ? asked.amountJ : surplusJ;
    }

    /// @dev The home's surplus, and what it overdrew; one of them is zero.
    function _balance(Books memory books) private pure returns (uint64 surplusJ, uint64 overdrawnJ) {
        return EnergyMath.balance(books.madeJ, uint256(books.ownJ) + books.soldJ);
    }

    function _homeState(address account) private view returns (HomeState memory) {
        Books memory books = _homes[account].books;
        uint64 openingJ = _homes[account].openingJ;
        (uint64 surplusJ, uint64 overdrawnJ) = _balance(books);
        return HomeState({
            status: books.status,
            until: books.until,
            openingJ: openingJ,
            producedJ: books.madeJ - openingJ,
            ownJ: books.ownJ,
            soldJ: books.soldJ,
            surplusJ: surplusJ,
            overdrawnJ: overdrawnJ
        });
    }

    function _creditState(address buyer, address seller) private view returns (CreditState memory) {
        Pair memory pair = _pairs[buyer][seller];
        (uint64 creditJ, uint64 unpaidJ) = EnergyMath.balance(pair.boughtJ, pair.drawnJ);
        return CreditState(pair.boughtJ, pair.drawnJ, creditJ, unpaidJ);
    }

    function _offerState(address seller) private view returns (OfferState memory) {
        Offer memory asked = _offers[seller];
        uint64 availableJ = asked.pricePerKwh == 0 ? 0 : _available(asked, _homes[seller].books);
        return OfferState(asked.pricePerKwh, asked.amountJ, availableJ);
    }
}
