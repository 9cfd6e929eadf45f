// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @title A coin whose accounts can be stopped
interface IFreezing {
    /// @notice Whether an account is stopped from sending and receiving.
    function frozen(address account) external view returns (bool);
}
