// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What a seller asks, in one slot
///
///     | unused 48 | listed 8 | until 40 | amount 64 | price 96 |
///
/// @dev Listed is whoever ever offered.
type Offer is uint256;

using OfferLib for Offer global;

library OfferLib {
    uint256 private constant AMOUNT = 96;
    uint256 private constant UNTIL = 160;
    uint256 private constant LISTED = 1 << 200;

    /// @notice An offer; a price of zero is none.
    function asking(uint96 pricePerKwh_, uint64 amountJ_, uint40 until_) internal pure returns (Offer) {
        return Offer.wrap(LISTED | uint256(until_) << UNTIL | uint256(amountJ_) << AMOUNT | pricePerKwh_);
    }

    function listed(Offer self) internal pure returns (bool) {
        return Offer.unwrap(self) & LISTED != 0;
    }

    function pricePerKwh(Offer self) internal pure returns (uint96) {
        return uint96(Offer.unwrap(self));
    }

    function amountJ(Offer self) internal pure returns (uint64) {
        return uint64(Offer.unwrap(self) >> AMOUNT);
    }

    function until(Offer self) internal pure returns (uint40) {
        return uint40(Offer.unwrap(self) >> UNTIL);
    }

    /// @notice What is left after a sale of no more than the amount.
    function less(Offer self, uint64 energyJ) internal pure returns (Offer) {
        unchecked {
            return Offer.wrap(Offer.unwrap(self) - (uint256(energyJ) << AMOUNT));
        }
    }
}
