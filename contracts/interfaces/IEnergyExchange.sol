// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title Where neighbours sell each other energy
/// @notice Energies are joules, prices are base units of the coin per kWh (3,600,000 J), times are Unix seconds, a state of
/// charge is per mille.
///
/// For every home, what it may sell is `opening + produced - own - sold`: its surplus while that is above zero, what it
/// overdrew while it is below. For every buyer and seller, `bought - drawn` is credit while it is above zero, unpaid while it
/// is below. Nothing of that is stored: it follows, and so it cannot be wrong.
interface IEnergyExchange {
    /// @notice What a home drew from one seller within the interval that it reports.
    struct Draw {
        /// A member, not the home itself. A seller may be named more than once; its draws add up.
        address seller;
        /// Joules.
        uint64 energyJ;
    }

    /// @notice An interval that a home reports, from the end of the one before.
    struct Interval {
        /// Its end, Unix seconds.
        uint40 until;
        uint64 producedJ;
        /// What the home used from itself.
        uint64 ownJ;
        /// What it used from others.
        Draw[] draws;
    }

    /// @notice What a buyer wants; all of it is what the buyer names, and nothing else is ever bought in its name.
    struct Purchase {
        /// Asked in this order, at most `MAX_SELLERS`. Who has nothing to sell at this price is passed over, and so is who is
        /// suspended, whose coins are frozen, or who was named before.
        address[] sellers;
        uint64 amountJ;
        /// No seller gets more than this, base units per kWh; and all together cost no more than what is bought at this price,
        /// rounded up once.
        uint96 maxPricePerKwh;
        /// Whether less than the amount will do.
        bool partly;
    }

    /// @notice What a home buys by itself when its battery runs low: the rule that it left here.
    struct StandingOrder {
        /// It buys when it reports a state of charge below this, per mille.
        uint16 belowPermille;
        /// It buys until its credit with these sellers is this much together. What it drew of a seller and has not paid is no
        /// credit: as with any purchase, what it buys of that one settles it first, and is bought in addition.
        uint64 amountJ;
        uint96 maxPricePerKwh;
        /// Asked in this order, at most `MAX_ORDER_SELLERS`, each once.
        address[] sellers;
    }

    /// @notice What was, or would be, bought of one seller.
    struct Fill {
        address seller;
        uint64 energyJ;
        uint96 pricePerKwh;
        /// Base units, rounded up; one less where else the whole list would cost more than at the price named.
        uint256 cost;
    }

    /// @notice What the exchange holds for a home.
    struct HomeState {
        /// 0: not admitted, 1: a member, 2: suspended.
        uint8 status;
        /// How far it has reported, Unix seconds.
        uint40 until;
        /// What its battery held at admission, joules.
        uint64 openingJ;
        uint64 producedJ;
        uint64 ownJ;
        uint64 soldJ;
        uint64 surplusJ;
        uint64 overdrawnJ;
    }

    /// @notice What the exchange holds for a buyer with a seller, joules.
    struct CreditState {
        uint64 boughtJ;
        uint64 drawnJ;
        uint64 creditJ;
        uint64 unpaidJ;
    }

    /// @notice What a seller asks.
    struct OfferState {
        /// Base units per kWh; zero: there is no offer.
        uint96 pricePerKwh;
        /// What is left of the amount offered, joules; the greatest uint64: all surplus, whatever it becomes.
        uint64 amountJ;
        /// The last second in which it can be bought; the greatest uint40: until it is withdrawn.
        uint40 until;
        /// What can be bought now, joules; nothing of who is suspended or frozen.
        uint64 availableJ;
    }

    /// @notice A home has become a member, with so much in its battery.
    event HomeAdmitted(address indexed home, uint64 openingJ);
    /// @notice An operator has stopped a home from reporting, offering and buying.
    event HomeSuspended(address indexed home, address indexed operator);
    /// @notice An operator has let a suspended home go on.
    event HomeResumed(address indexed home, address indexed operator);
    /// @notice Nobody can offer any more, and the first `sellers` of all sellers have no offer.
    event PurchasesClosing(address indexed operator, uint256 sellers);
    /// @notice All offers are taken back, and none can be made: there are no purchases any more.
    event PurchasesClosed(address indexed operator);
    /// @notice A home has reported the interval up to `until`.
    event EnergyReported(address indexed home, uint40 until, uint64 producedJ, uint64 ownJ);
    /// @notice A buyer has used energy of a seller, in the interval up to `until`.
    event EnergyDrawn(address indexed buyer, address indexed seller, uint40 until, uint64 energyJ);
    /// @notice A home has used and sold so much more than it had; later production covers it first.
    event EnergyOverdrawn(address indexed home, uint64 overdrawnJ);
    /// @notice A buyer has drawn so much more of a seller than it had bought; its next purchase settles it first.
    event EnergyUnpaid(address indexed buyer, address indexed seller, uint64 unpaidJ);
    /// @notice A seller asks a price for up to an amount (the greatest uint64 says all surplus), until a time.
    event EnergyOffered(address indexed seller, uint96 pricePerKwh, uint64 amountJ, uint40 until);
    /// @notice A seller no longer sells.
    event OfferWithdrawn(address indexed seller);
    /// @notice A buyer has paid `cost` base units for energy of a seller: its price rounded up; of a list, or by a rule, perhaps
    /// one less after the first seller.
    event EnergyBought(
        address indexed buyer, address indexed seller, uint64 energyJ, uint96 pricePerKwh, uint256 cost
    );
    /// @notice A home has left a rule, in place of the one before.
    event OrderPlaced(
        address indexed home, uint16 belowPermille, uint64 amountJ, uint96 maxPricePerKwh, address[] sellers
    );
    /// @notice A home has taken its rule back.
    event OrderCancelled(address indexed home);
    /// @notice A home's rule could not buy all that it should; `reason` is the error that a purchase would have met.
    event OrderUnfilled(address indexed home, uint64 missingJ, bytes reason);

    error ExchangeNotMember(address account);
    error ExchangeSuspended(address home);
    error ExchangeNotSuspended(address home);
    error ExchangeAlreadyMember(address home);
    error ExchangeZeroAddress();
    error ExchangeClosed();
    error ExchangeReportOutOfOrder(uint40 since, uint40 reportedUntil);
    error ExchangeReportEmpty(uint40 until, uint40 since);
    error ExchangeReportAhead(uint40 until, uint256 latest);
    error ExchangeTooManyDraws(uint256 draws, uint256 most);
    error ExchangeTooManyIntervals(uint256 intervals, uint256 most);
    error ExchangeTooManySellers(uint256 sellers, uint256 most);
    error ExchangeNothingReported();
    error ExchangeOwnSeller(address home);
    error ExchangeSellerNamedTwice(address seller);
    error ExchangeNoSeller();
    error ExchangeZeroPrice();
    error ExchangeZeroAmount();
    error ExchangeChargeAboveFull(uint16 permille);
    error ExchangeNoOffer(address seller);
    error ExchangeNoOrder(address home);
    error ExchangeOfferEnded(uint40 until, uint256 now_);
    error ExchangePriceAboveMaximum(uint96 pricePerKwh, uint96 maxPricePerKwh);
    error ExchangeInsufficientEnergy(uint64 remainingJ, uint64 requestedJ);
    error ExchangeInsufficientPayment(uint256 paid, uint256 cost);
    error ExchangeNotTheCoin(address caller);
    error ExchangeNotThePayer(address operator, address payer);

    /// @notice Make a home a member; for operators. `openingJ` is what its battery holds that day.
    function admit(address home, uint64 openingJ) external;

    /// @notice Stop a member from reporting, offering and buying; for operators. It keeps what it owns, and others can still
    /// draw what they bought of it.
    function suspend(address home) external;

    /// @notice Let a suspended member go on; for operators.
    function resume(address home) external;

    /// @notice End all purchases, for ever; for operators. From the first call on nobody can offer, and each call takes back
    /// the offers of up to `most` sellers, until there are none. Reports and draws go on, until the credits are used.
    function close(uint256 most) external;

    /// @notice Report an interval: produced, used from itself, drawn from sellers.
    /// @dev It begins at `since`, where the report before ended (zero for the first one), and ends at `until`, which is at most
    /// `skewS` ahead of the block. So a report that is sent twice counts once, and two that overlap are never both counted. A
    /// report is never refused because the books fall short of it.
    function report(uint40 since, uint40 until, uint64 producedJ, uint64 ownJ, Draw[] calldata draws) external;

    /// @notice Report an interval and the battery's state of charge at its end, which is what a standing order goes by.
    /// @dev Not refused either because the order cannot be filled.
    function reportCharge(
        uint40 since,
        uint40 until,
        uint64 producedJ,
        uint64 ownJ,
        Draw[] calldata draws,
        uint16 chargePermille
    ) external;

    /// @notice Report several intervals, one after the other, the oldest first, and the state of charge at the end of the last;
    /// the greatest uint16: not known.
    function reportMany(uint40 since, Interval[] calldata intervals, uint16 chargePermille) external;

    /// @notice Ask a price for up to an amount, in place of the offer before. The greatest uint64 offers all surplus.
    /// `until` is the last second of the offer; the greatest uint40: until it is withdrawn.
    function offer(uint96 pricePerKwh, uint64 amountJ, uint40 until) external;

    /// @notice Sell no more.
    function withdrawOffer() external;

    /// @notice Buy of one seller, all or nothing, at its price, which must not be above the one named; answers what it cost.
    function buy(address seller, uint64 amountJ, uint96 maxPricePerKwh) external returns (uint256 cost);

    /// @notice Buy of several sellers in order; answers how much it became and what it cost.
    function buyFrom(Purchase calldata purchase) external returns (uint64 boughtJ, uint256 cost);

    /// @notice Let the exchange take up to `value` coins by a signed permit, and buy, in one transaction. Where the purchase is
    /// refused the permit is unused and public, and whoever saw it can use it until its deadline: sign one of minutes.
    function buyWithPermit(Purchase calldata purchase, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        returns (uint64 boughtJ, uint256 cost);

    /// @notice Leave a rule by which the home's own reports buy, in place of the one before. What it buys is paid by what the
    /// exchange may take of the home's coins.
    function placeOrder(StandingOrder calldata order) external;

    /// @notice Take the rule back.
    function cancelOrder() external;

    /// @notice The one coin that energy is paid with.
    function coin() external view returns (IERC20);

    /// @notice How many seconds a report may be ahead of its block.
    function skewS() external view returns (uint32);

    /// @notice Whether there are no purchases any more.
    function closed() external view returns (bool);

    /// @notice How many homes were admitted.
    function memberCount() external view returns (uint256);

    /// @notice Up to `count` homes in the order of their admission, from number `start`, with what is held for each.
    function members(uint256 start, uint256 count)
        external
        view
        returns (address[] memory homes, HomeState[] memory states);

    /// @notice How many homes have ever offered.
    function sellerCount() external view returns (uint256);

    /// @notice Up to `count` of the homes that ever offered, in the order of their first offer, from number `start`, with
    /// what each asks now.
    function offers(uint256 start, uint256 count)
        external
        view
        returns (address[] memory sellers, OfferState[] memory states);

    /// @notice What the exchange holds for a home.
    function home(address account) external view returns (HomeState memory);

    /// @notice What the exchange holds for a buyer with a seller.
    function credit(address buyer, address seller) external view returns (CreditState memory);

    /// @notice What a seller asks.
    function offerOf(address seller) external view returns (OfferState memory);

    /// @notice A home's rule; without sellers where it has none.
    function orderOf(address account) external view returns (StandingOrder memory);

    /// @notice What `buyFrom` would do for a buyer now, or why it would be refused (the buyer's coins are not looked at, nor
    /// whether it may spend them): one fill per seller named, zero for who is passed over.
    function quote(address buyer, Purchase calldata purchase)
        external
        view
        returns (Fill[] memory fills, uint64 boughtJ, uint256 cost);

    /// @notice All that a home needs to decide, of one block: its books, its coins, what it lets the exchange take of them,
    /// and for each seller the offer and its own credit.
    function market(address account, address[] calldata sellers)
        external
        view
        returns (
            HomeState memory books,
            uint256 balance,
            uint256 allowance,
            OfferState[] memory asked,
            CreditState[] memory credits
        );
}
