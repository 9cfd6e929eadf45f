// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title What a seller asks, in one slot
///
///     | unused 40 | listed 8 | until 40 | limit 72 | price 96 |
///
/// @dev Listed is whoever ever offered. The limit is what the seller will have sold in all when nothing is left of the amount;
/// all bits set: of all surplus. So a sale, which is counted in the seller's books, does not write here.
type Offer is uint256;

using OfferLib for Offer global;

library OfferLib {
    uint256 private constant LIMIT = 96;
    uint256 private constant UNTIL = 168;
    uint256 private constant LISTED = 1 << 208;
    uint72 private constant NO_LIMIT = type(uint72).max;

    /// @notice An offer of who has sold so much until now; a price of zero is none.
    function asking(uint96 pricePerKwh_, uint64 amountJ, uint40 until_, uint64 soldJ) internal pure returns (Offer) {
        uint256 limitJ = amountJ == type(uint64).max ? NO_LIMIT : uint256(soldJ) + amountJ;
        return Offer.wrap(LISTED | uint256(until_) << UNTIL | limitJ << LIMIT | pricePerKwh_);
    }

    function listed(Offer self) internal pure returns (bool) {
        return Offer.unwrap(self) & LISTED != 0;
    }

    function pricePerKwh(Offer self) internal pure returns (uint96) {
        return uint96(Offer.unwrap(self));
    }

    /// @notice What is left of the amount when the seller has sold so much; the greatest uint64: all surplus.
    function leftJ(Offer self, uint64 soldJ) internal pure returns (uint64) {
        uint72 limitJ = uint72(Offer.unwrap(self) >> LIMIT);
        if (limitJ == NO_LIMIT) return type(uint64).max;
        unchecked {
            // A sale is of no more than what is left; only an offer that is none has a limit below what was sold.
            return limitJ > soldJ ? uint64(limitJ - soldJ) : 0;
        }
    }

    function until(Offer self) internal pure returns (uint40) {
        return uint40(Offer.unwrap(self) >> UNTIL);
    }
}
