// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title Where neighbours sell each other energy
/// @notice Energies are joules, prices are base units of the coin per kWh (3,600,000 J), times are Unix seconds.
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

    /// @notice What the exchange holds for a home.
    struct HomeState {
        /// 0: not admitted, 1: a member.
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
        /// What can be bought now, joules.
        uint64 availableJ;
    }

    /// @notice A home has become a member, with so much in its battery.
    event HomeAdmitted(address indexed home, uint64 openingJ);
    /// @notice A home has reported the interval up to `until`.
    event EnergyReported(address indexed home, uint40 until, uint64 producedJ, uint64 ownJ);
    /// @notice A buyer has used energy of a seller, in the interval up to `until`.
    event EnergyDrawn(address indexed buyer, address indexed seller, uint40 until, uint64 energyJ);
    /// @notice A home has used and sold so much more than it had; later production covers it first.
    event EnergyOverdrawn(address indexed home, uint64 overdrawnJ);
    /// @notice A buyer has drawn so much more of a seller than it had bought; its next purchase settles it first.
    event EnergyUnpaid(address indexed buyer, address indexed seller, uint64 unpaidJ);
    /// @notice A seller asks a price for up to an amount; the greatest uint64 says all surplus.
    event EnergyOffered(address indexed seller, uint96 pricePerKwh, uint64 amountJ);
    /// @notice A seller no longer sells.
    event OfferWithdrawn(address indexed seller);
    /// @notice A buyer has paid `cost` base units for energy of a seller.
    event EnergyBought(
        address indexed buyer, address indexed seller, uint64 energyJ, uint96 pricePerKwh, uint256 cost
    );

    error ExchangeNotMember(address account);
    error ExchangeAlreadyMember(address home);
    error ExchangeZeroAddress();
    error ExchangeReportOutOfOrder(uint40 until, uint40 reportedUntil);
    error ExchangeReportAhead(uint40 until, uint256 latest);
    error ExchangeTooManyDraws(uint256 draws, uint256 most);
    error ExchangeOwnSeller(address home);
    error ExchangeZeroPrice();
    error ExchangeZeroAmount();
    error ExchangeNoOffer(address seller);
    error ExchangePriceAboveMaximum(uint96 pricePerKwh, uint96 maxPricePerKwh);
    error ExchangeInsufficientEnergy(uint64 remainingJ, uint64 requestedJ);

    /// @notice Make a home a member; for operators. `openingJ` is what its battery holds that day.
    function admit(address home, uint64 openingJ) external;

    /// @notice Report an interval, from the last report to `until`: produced, used from itself, drawn from sellers.
    /// @dev `until` strictly grows and is at most `skewS` ahead of the block; so a report that is sent twice counts once. A
    /// report is never refused because the books fall short of it.
    function report(uint40 until, uint64 producedJ, uint64 ownJ, Draw[] calldata draws) external;

    /// @notice Ask a price for up to an amount, in place of the offer before. The greatest uint64 offers all surplus.
    function offer(uint96 pricePerKwh, uint64 amountJ) external;

    /// @notice Sell no more.
    function withdrawOffer() external;

    /// @notice Buy of a seller at its price, which must not be above the one named; answers what it cost.
    function buy(address seller, uint64 amountJ, uint96 maxPricePerKwh) external returns (uint256 cost);

    /// @notice The one coin that energy is paid with.
    function coin() external view returns (IERC20);

    /// @notice How many seconds a report may be ahead of its block.
    function skewS() external view returns (uint32);

    /// @notice How many homes were admitted.
    function memberCount() external view returns (uint256);

    /// @notice The home that was admitted as number `index`, from 0.
    function memberAt(uint256 index) external view returns (address);

    /// @notice What the exchange holds for a home.
    function home(address account) external view returns (HomeState memory);

    /// @notice What the exchange holds for a buyer with a seller.
    function credit(address buyer, address seller) external view returns (CreditState memory);

    /// @notice What a seller asks.
    function offerOf(address seller) external view returns (OfferState memory);

    /// @notice What `buy` would cost, or why it would be refused (allowance and balance are not looked at).
    function quote(address seller, uint64 amountJ) external view returns (uint256 cost);

    /// @notice All that a home needs to decide, of one block: its books, its coins, what it lets the exchange take of them,
    /// and for each seller the offer and its own credit.
    function market(address account, address[] calldata sellers)
        external
        view
        returns (
            HomeState memory books,
            uint256 balance,
            uint256 allowance,
            OfferState[] memory offers,
            CreditState[] memory credits
        );
}
