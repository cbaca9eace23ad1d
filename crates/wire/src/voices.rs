//! Roles, and whose voice counts for what two persons decide.

use serde::{Deserialize, Serialize};
use terms::{TenantId, UserId};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Who {
    pub tenant: TenantId,
    pub user: UserId,
    pub role: String,
    /// Their tenant has an operator: they may answer for the whole house.
    pub of_house: bool,
}

impl Who {
    /// Whether they may agree to an act that concerns `tenant` (none: the house).
    pub fn may_approve(&self, tenant: Option<TenantId>) -> bool {
        let role = self.role.as_str();
        let is_its_own = tenant == Some(self.tenant) && matches!(role, "approver" | "tenant-admin");
        is_its_own || (self.of_house && is_of_house(role, true))
    }
}

/// How a person, or a contract, stands to what two persons decide. Those who are shut out count
/// in `role` and `of_house`, so that to shut somebody out hides nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// None for a whole contract, and for nobody.
    pub role: Option<String>,
    pub of_house: bool,
    /// Who may approve for the house, and for this tenant, when this part is gone.
    pub left_of_house: u32,
    pub left: u32,
}

/// Whether a role in such a tenant speaks for the whole house.
pub fn is_of_house(role: &str, tenant_has_operator: bool) -> bool {
    role == "operator" || (role == "approver" && tenant_has_operator)
}

/// Roles that a person may have.
pub const ROLES: &[&str] = &["user", "approver", "auditor", "tenant-admin", "operator"];

/// The role of a mailbox that nobody has: mail for whoever answers for a tenant is not laid there.
pub const DECOY_ROLE: &str = "decoy";

/// Roles whose holders may approve: giving one is itself an act for two.
pub const APPROVING: &[&str] = &["approver", "tenant-admin", "operator"];
