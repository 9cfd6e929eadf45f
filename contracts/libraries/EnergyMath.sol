// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title The arithmetic of energy and its price
/// @dev Twin of `cost_of` in `daisee.units`; both are tested against each other.
library EnergyMath {
    uint256 internal constant JOULES_PER_KWH = 3_600_000;

    /// @notice Price an energy (joules) at base units per kWh, rounded up to the next base unit.
    function costOf(uint256 energyJ, uint96 pricePerKwh) internal pure returns (uint256) {
        // Unchecked: an energy is 64 bits, that of several sellers a few more, and a price 96: far from overflow.
        unchecked {
            return (energyJ * pricePerKwh + JOULES_PER_KWH - 1) / JOULES_PER_KWH;
        }
    }

    /// @notice Split a difference into what is left of `had` after `used`, and what was used beyond it.
    function balance(uint64 had, uint256 used) internal pure returns (uint64 left, uint64 beyond) {
        // Both casts fit: a home sells no more than it made, so what goes beyond `had` is at most what it reported as its own
        // use, 64 bits; a buyer's `used` is 64 bits to begin with.
        if (used <= had) return (uint64(had - used), 0);
        return (0, uint64(used - had));
    }
}
