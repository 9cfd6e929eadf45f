// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {
    AccessControlDefaultAdminRules
} from "@openzeppelin/contracts/access/extensions/AccessControlDefaultAdminRules.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ERC1363} from "@openzeppelin/contracts/token/ERC20/extensions/ERC1363.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

import {IFreezing} from "./interfaces/IFreezing.sol";

/// @title The community's own coin
/// @notice ERC-20 with 18 decimals, permit (ERC-2612) and calls that come with a payment (ERC-1363). Minters make coins,
/// freezers stop an account from sending and receiving; nobody can take another's. The admin is one account, and hands over
/// in two steps with a delay between them.
contract DaiseeCoin is ERC20, ERC20Permit, ERC1363, IFreezing, AccessControlDefaultAdminRules {
    bytes32 public constant MINTER_ROLE = keccak256("MINTER_ROLE");
    bytes32 public constant FREEZER_ROLE = keccak256("FREEZER_ROLE");

    uint256 private constant FROZEN = 1 << 255;

    // One slot per account, so that a payment finds out for nothing whether it may be made: | frozen 1 | balance 255 |
    mapping(address account => uint256) private _accounts;
    uint256 private _supply;

    /// @notice A minter has made coins.
    event CoinsMinted(address indexed minter, address indexed to, uint256 amount);
    /// @notice An account can neither send nor receive any more.
    event AccountFrozen(address indexed account, address indexed freezer);
    /// @notice An account can send and receive again.
    event AccountUnfrozen(address indexed account, address indexed freezer);

    error CoinAccountFrozen(address account);
    error CoinAccountNotFrozen(address account);
    error CoinSupplyTooLarge(uint256 supply, uint256 most);

    /// @param name_ What people call it.
    /// @param symbol_ Its abbreviation.
    /// @param admin Gets the opening supply and all roles.
    /// @param adminDelayS How many seconds lie between the two steps of handing the admin's role over.
    /// @param openingSupply Base units, 10^18 to a coin.
    constructor(string memory name_, string memory symbol_, address admin, uint48 adminDelayS, uint256 openingSupply)
        ERC20(name_, symbol_)
        ERC20Permit(name_)
        AccessControlDefaultAdminRules(adminDelayS, admin)
    {
        _grantRole(MINTER_ROLE, admin);
        _grantRole(FREEZER_ROLE, admin);
        _mint(admin, openingSupply);
    }

    /// @notice Make coins; for minters.
    function mint(address to, uint256 amount) external onlyRole(MINTER_ROLE) {
        _mint(to, amount);
        emit CoinsMinted(msg.sender, to, amount);
    }

    /// @notice Stop an account from sending and receiving; for freezers.
    function freeze(address account) external onlyRole(FREEZER_ROLE) {
        if (frozen(account)) revert CoinAccountFrozen(account);
        _accounts[account] |= FROZEN;
        emit AccountFrozen(account, msg.sender);
    }

    /// @notice Let an account send and receive again; for freezers.
    function unfreeze(address account) external onlyRole(FREEZER_ROLE) {
        if (!frozen(account)) revert CoinAccountNotFrozen(account);
        _accounts[account] &= ~FROZEN;
        emit AccountUnfrozen(account, msg.sender);
    }

    /// @inheritdoc IFreezing
    function frozen(address account) public view returns (bool) {
        return _accounts[account] & FROZEN != 0;
    }

    /// @inheritdoc ERC20
    function balanceOf(address account) public view override(ERC20, IERC20) returns (uint256) {
        return _accounts[account] & ~FROZEN;
    }

    /// @inheritdoc ERC20
    function totalSupply() public view override(ERC20, IERC20) returns (uint256) {
        return _supply;
    }

    /// @notice ERC-165: permit has no id of its own to be asked for.
    function supportsInterface(bytes4 interfaceId)
        public
        view
        override(ERC1363, AccessControlDefaultAdminRules)
        returns (bool)
    {
        return super.supportsInterface(interfaceId);
    }

    /// @dev Every coin that moves or comes to be goes through here; none is ever burnt.
    function _update(address from, address to, uint256 value) internal override {
        if (from == address(0)) {
            uint256 supply = _supply + value;
            if (supply >= FROZEN) revert CoinSupplyTooLarge(supply, FROZEN - 1);
            _supply = supply;
        } else {
            uint256 sending = _unfrozen(from);
            if (sending < value) revert ERC20InsufficientBalance(from, sending, value);
            unchecked {
                _accounts[from] = sending - value;
            }
        }
        uint256 receiving = _unfrozen(to);
        unchecked {
            // All balances together are the supply, which fits.
            _accounts[to] = receiving + value;
        }
        emit Transfer(from, to, value);
    }

    /// @dev Says each change of an allowance, those by spending included, so that the events tell the whole state.
    function _approve(address owner_, address spender, uint256 value, bool) internal override {
        super._approve(owner_, spender, value, true);
    }

    /// @dev The balance of an account that may send and receive.
    function _unfrozen(address account) private view returns (uint256 balance) {
        balance = _accounts[account];
        if (balance & FROZEN != 0) revert CoinAccountFrozen(account);
    }
}
