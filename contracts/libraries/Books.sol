// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EnergyMath} from "./EnergyMath.sol";

/// @title The books of a home, in the one slot that a plain report touches
///
///     | order 1 | below 15 | sold 64 | own 64 | made 64 | until 40 | status 8 |
///
/// @dev By hand, since the compiler takes the fields of a struct apart and puts them together one by one, which cost a
/// report and a purchase some hundred gas each. What is made is opening and produced; below is the state of charge of the
/// home's standing order, so that a report knows without a look at the order whether it is to be followed.
type Books is uint256;

using BooksLib for Books global;

library BooksLib {
    uint8 internal constant MEMBER = 1;
    uint8 internal constant SUSPENDED = 2;

    uint256 private constant UNTIL = 8;
    uint256 private constant MADE = 48;
    uint256 private constant OWN = 112;
    uint256 private constant SOLD = 176;
    uint256 private constant BELOW = 240;
    uint256 private constant ORDER = 1 << 255;

    error BooksOverflow();

    function opened(uint64 openingJ) internal pure returns (Books) {
        return Books.wrap(MEMBER | uint256(openingJ) << MADE);
    }

    function status(Books self) internal pure returns (uint8) {
        return uint8(Books.unwrap(self));
    }

    function until(Books self) internal pure returns (uint40) {
        return uint40(Books.unwrap(self) >> UNTIL);
    }

    function madeJ(Books self) internal pure returns (uint64) {
        return uint64(Books.unwrap(self) >> MADE);
    }

    function ownJ(Books self) internal pure returns (uint64) {
        return uint64(Books.unwrap(self) >> OWN);
    }

    function soldJ(Books self) internal pure returns (uint64) {
        return uint64(Books.unwrap(self) >> SOLD);
    }

    function hasOrder(Books self) internal pure returns (bool) {
        return Books.unwrap(self) & ORDER != 0;
    }

    /// @notice Per mille; zero, which no state of charge is below, where there is no order.
    function belowPermille(Books self) internal pure returns (uint16) {
        return uint16((Books.unwrap(self) & ~ORDER) >> BELOW);
    }

    function withStatus(Books self, uint8 status_) internal pure returns (Books) {
        return Books.wrap(Books.unwrap(self) & ~uint256(type(uint8).max) | status_);
    }

    /// @notice With a standing order, in place of the one before; `below` is at most 1000.
    function withOrder(Books self, uint16 below) internal pure returns (Books) {
        return Books.wrap(Books.unwrap(self.withoutOrder()) | ORDER | uint256(below) << BELOW);
    }

    function withoutOrder(Books self) internal pure returns (Books) {
        return Books.wrap(Books.unwrap(self) & (1 << BELOW) - 1);
    }

    /// @notice Add an interval; the sums stay below 2^64 or it is refused.
    function reported(Books self, uint40 until_, uint64 producedJ_, uint64 ownJ_) internal pure returns (Books) {
        uint256 word = Books.unwrap(self);
        unchecked {
            if (uint256(self.madeJ()) + producedJ_ > type(uint64).max || uint256(self.ownJ()) + ownJ_ > type(uint64).max)
            {
                revert BooksOverflow();
            }
            // No field runs into the next one: `until` only grows within its 40 bits, and the sums were looked at.
            return Books.wrap(
                word + (uint256(until_ - self.until()) << UNTIL) + (uint256(producedJ_) << MADE)
                    + (uint256(ownJ_) << OWN)
            );
        }
    }

    /// @notice Add a sale of no more than the surplus.
    function sold(Books self, uint64 energyJ) internal pure returns (Books) {
        unchecked {
            // What is sold is at most what is made, which has as many bits.
            return Books.wrap(Books.unwrap(self) + (uint256(energyJ) << SOLD));
        }
    }

    /// @notice What the home may still sell, and what it used beyond what it had; one of them is zero.
    function balance(Books self) internal pure returns (uint64 surplusJ, uint64 overdrawnJ) {
        unchecked {
            return EnergyMath.balance(self.madeJ(), uint256(self.ownJ()) + self.soldJ());
        }
    }
}
