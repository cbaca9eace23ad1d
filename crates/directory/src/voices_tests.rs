//! Who is counted, and who is left.

use crate::tests::World;
use terms::{TenantId, UserId};
use wire::approval::Act;
use wire::directory::{FromAdmin, Part, Standing, ToAdmin};

impl World {
    fn tenant(&mut self, name: &str) -> TenantId {
        self.change(FromAdmin::TenantAdd { name: name.into() });
        let domain = format!("{}.example", name.to_lowercase());
        self.change(FromAdmin::DomainAdd { domain, tenant: name.into() });
        self.tables.tenant_by_name(&self.key, name).unwrap().unwrap().0
    }

    fn person(&mut self, tenant: TenantId, address: &str, role: &str) -> UserId {
        let (address, role) = (address.to_owned(), role.to_owned());
        let aliases = Vec::new();
        match self.carry(Act::AddPerson { tenant, address, role, aliases }) {
            ToAdmin::User(user) => user.user,
            _ => panic!("nobody was added"),
        }
    }

    /// How many are able, and known, for the house and for a tenant.
    fn count(&mut self, tenant: TenantId) -> [(u32, u32); 2] {
        let changes = self.changes_now();
        [changes.able(None).unwrap(), changes.able(Some(tenant)).unwrap()]
    }

    fn standing(&mut self, tenant: TenantId, user: Option<UserId>) -> Standing {
        self.changes_now().standing(Part { tenant, user }).unwrap()
    }
}

#[test]
fn who_is_shut_out_or_ends_is_known_and_not_counted_on() {
    let mut world = World::new("voices");
    let (house, customer) = (world.tenant("House"), world.tenant("Customer"));
    let op = world.person(house, "op@house.example", "operator");
    let ap = world.person(house, "ap@house.example", "approver");
    world.person(house, "adm@house.example", "tenant-admin");
    let own = world.person(customer, "own@customer.example", "approver");
    world.person(customer, "ann@customer.example", "user");
    assert_eq!(world.count(customer), [(2, 2), (3, 3)]);
    let left = |standing: Standing| (standing.left_of_house, standing.left, standing.of_house);
    assert_eq!(left(world.standing(house, Some(ap))), (1, 2, true));
    // Without the operator the house's approver is one of a tenant like any other.
    assert_eq!(left(world.standing(house, Some(op))), (0, 2, true));
    assert_eq!(left(world.standing(house, None)), (0, 0, true));
    assert_eq!(left(world.standing(customer, Some(own))), (2, 2, false));
    // Whoever has a voice is shut out by identity's word alone.
    let alone =
        |address: &str, disabled| FromAdmin::UserDisable { address: address.to_owned(), disabled };
    for disabled in [true, false] {
        let answer = world.change_alone(alone("op@house.example", disabled), None);
        assert!(matches!(answer, ToAdmin::ForTwo(Part { user: Some(user), .. }) if user == op));
    }
    let answer = world.change_alone(alone("ann@customer.example", true), None);
    assert!(matches!(answer, ToAdmin::User(user) if user.disabled));
    let done = world.carry(Act::Disable { tenant: house, user: op, disabled: true });
    assert!(matches!(done, ToAdmin::User(user) if user.disabled));
    assert_eq!(world.count(customer), [(0, 2), (1, 3)]);
    let standing = world.standing(house, Some(op));
    assert_eq!((standing.role.as_deref(), standing.of_house), (Some("operator"), true));
    world.carry(Act::Disable { tenant: house, user: op, disabled: false });
    // In their days of grace people still answer, and nobody counts on them.
    let grace_ms = 1_000_000;
    world.carry(Act::TerminateUser { tenant: house, user: ap, grace_ms });
    assert_eq!(world.count(customer), [(1, 2), (2, 3)]);
    assert!(world.changes_now().who("ap@house.example").unwrap().is_some());
    world.carry(Act::TerminateTenant { tenant: house, grace_ms });
    assert_eq!(world.count(customer), [(0, 2), (1, 3)]);
}
