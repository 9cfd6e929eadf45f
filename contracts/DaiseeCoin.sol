// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title The community's own coin
/// @notice ERC-20 with 18 decimals and permit. Who has the minter's role can make coins; nobody can take another's.
contract DaiseeCoin is ERC20, ERC20Permit, AccessControl {
    bytes32 public constant MINTER_ROLE = keccak256("MINTER_ROLE");

    /// @param admin Gets the opening supply, the minter's role, and the say over roles.
    /// @param openingSupply Base units, 10^18 to a coin.
    constructor(address admin, uint256 openingSupply) ERC20("DaiseeCoin", "DSC") ERC20Permit("DaiseeCoin") {
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(MINTER_ROLE, admin);
        _mint(admin, openingSupply);
    }

    /// @notice Make coins; for minters.
    function mint(address to, uint256 amount) external onlyRole(MINTER_ROLE) {
        _mint(to, amount);
    }
}
