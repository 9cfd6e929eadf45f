// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {EnergyMath} from "./EnergyMath.sol";

/// @title What a buyer bought of a seller and drew from it, in one slot
///
///     | unused 128 | drawn 64 | bought 64 |
type Pair is uint256;

using PairLib for Pair global;

library PairLib {
    uint256 private constant DRAWN = 64;

    error PairOverflow();

    function isNew(Pair self) internal pure returns (bool) {
        return Pair.unwrap(self) == 0;
    }

    function boughtJ(Pair self) internal pure returns (uint64) {
        return uint64(Pair.unwrap(self));
    }

    function drawnJ(Pair self) internal pure returns (uint64) {
        return uint64(Pair.unwrap(self) >> DRAWN);
    }

    /// @notice Add a purchase; it is no more than the seller ever made, which has as many bits, so the sum fits.
    function bought(Pair self, uint64 energyJ) internal pure returns (Pair) {
        unchecked {
            return Pair.wrap(Pair.unwrap(self) + energyJ);
        }
    }

    /// @notice Add a draw; the sum stays below 2^64 or it is refused.
    function drawn(Pair self, uint64 energyJ) internal pure returns (Pair) {
        unchecked {
            if (uint256(self.drawnJ()) + energyJ > type(uint64).max) revert PairOverflow();
            return Pair.wrap(Pair.unwrap(self) + (uint256(energyJ) << DRAWN));
        }
    }

    /// @notice What the buyer may still draw, and what it drew beyond what it bought; one of them is zero.
    function balance(Pair self) internal pure returns (uint64 creditJ, uint64 unpaidJ) {
        return EnergyMath.balance(self.boughtJ(), self.drawnJ());
    }
}
