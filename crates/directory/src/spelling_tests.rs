//! One person for all spellings of an address, whenever the row was written.

use crate::lists::Token;
use crate::tables::PersonRow;
use crate::tests::{HOST, World};
use terms::UserId;
use wire::directory::{FromAdmin, ToAdmin};
use wire::lists::{Change, Command};

fn settled(name: &str) -> World {
    let mut world = World::new(name);
    world.settle();
    world
}

fn add(world: &mut World, address: &str, aliases: &[&str]) -> ToAdmin {
    world.change(FromAdmin::UserAdd {
        address: address.into(),
        tenant: "Kaede".into(),
        role: "user".into(),
        aliases: aliases.iter().map(|one| (*one).into()).collect(),
    })
}

/// The address that a new person got, or what was expected instead.
fn added(world: &mut World, address: &str) -> String {
    match add(world, address, &[]) {
        ToAdmin::User(user) => user.address,
        ToAdmin::Refused { expected, .. } => expected,
        _ => "something else".to_owned(),
    }
}

/// Kept as an older version kept it.
fn keep_as_it_is(world: &mut World, user: u8, address: &str) {
    let (tenant, _) = world.tables.tenant_by_name(&world.key, "Kaede").unwrap().unwrap();
    let row = PersonRow {
        address: address.into(),
        role: "user".into(),
        aliases: Vec::new(),
        disabled: false,
        made_ms: 1,
    };
    world.tables.add_person(&world.key, UserId([user; 8]), tenant, &row).unwrap();
    // It stood there when they were looked for.
    world.tables.older.take();
    world.tables.keep_note(&world.key, crate::spellings::NOTE, b"").unwrap();
}

fn kept(world: &World, typed: &str) -> String {
    world.tables.kept_spelling(&world.key, typed, HOST).unwrap()
}

#[test]
fn a_new_address_is_kept_folded_and_found_in_every_spelling() {
    let mut world = settled("spellings-new");
    assert_eq!(added(&mut world, "Ｔａｒｏ@Kaede.example"), "taro@kaede.example");
    assert_eq!(added(&mut world, "た\u{3099}@kaede.example"), "だ@kaede.example");
    assert_eq!(added(&mut world, "ÉMILE@kaede.example"), "émile@kaede.example");
    for typed in
        ["ＴＡＲＯ@kaede.example", "ｔａｒｏ＋ｎｅｗｓ@kaede.example", "Taro@kaede.example"]
    {
        assert_eq!(kept(&world, typed), "taro@kaede.example", "{typed}");
    }
    assert_eq!(kept(&world, "た\u{3099}+x@kaede.example"), "だ@kaede.example");
    assert_eq!(kept(&world, "E\u{301}mile@kaede.example"), "émile@kaede.example");
    assert_eq!(kept(&world, "nobody@kaede.example"), "nobody@kaede.example");
    for taken in ["ｔａｒｏ@kaede.example", "だ@kaede.example", "Émile@kaede.example"] {
        assert_eq!(added(&mut world, taken), "an address that nobody has", "{taken}");
    }
    let twice =
        add(&mut world, "mio@kaede.example", &["ｍｉｏ@kaede.example", "Mio@kaede.example"]);
    assert!(matches!(twice, ToAdmin::User(user) if user.aliases.is_empty()));
}

#[test]
fn an_address_that_looks_like_another_is_refused() {
    let mut world = settled("spellings-refused");
    for (typed, expected) in [
        ("аoi@kaede.example", "letters of one script, or of those of Japanese, Chinese or Korean"),
        ("a\u{200b}oi@kaede.example", "an address of letters that are seen"),
        ("aoi\u{3164}@kaede.example", "an address of letters that are seen"),
        ("ɑoi@kaede.example", "letters that people write with"),
        ("aoi＋x@kaede.example", "an address local@domain"),
        ("aoi＠kaede.example@kaede.example", "an address local@domain"),
        ("aoi．@kaede.example", "an address local@domain"),
    ] {
        assert_eq!(added(&mut world, typed), expected, "{typed}");
        let group = world.change(FromAdmin::GroupChange {
            address: typed.into(),
            tenant: Some("Kaede".into()),
            with: vec!["aoi@kaede.example".into()],
            without: Vec::new(),
        });
        assert!(matches!(group, ToAdmin::Refused { .. }), "{typed}");
        let (address, tenant, change) = (typed.into(), "Kaede".into(), Change::default());
        let list = world.change(FromAdmin::List(Command::Add { address, tenant, change }));
        assert!(matches!(list, ToAdmin::Refused { .. }), "{typed}");
        let alias = add(&mut world, "ren@kaede.example", &[typed]);
        assert!(matches!(alias, ToAdmin::Refused { .. }), "{typed}");
    }
    assert_eq!(added(&mut world, "иван@kaede.example"), "иван@kaede.example");
    assert_eq!(
        added(&mut world, "山田タローさんaoi@kaede.example"),
        "山田タローさんaoi@kaede.example"
    );
}

#[test]
fn who_was_kept_in_another_spelling_is_found_and_nobody_gets_the_mail_of_another() {
    let mut world = settled("spellings-older");
    keep_as_it_is(&mut world, 21, "ｈａｎａ@kaede.example");
    keep_as_it_is(&mut world, 22, "ﾓﾓ@kaede.example");
    keep_as_it_is(&mut world, 23, "モモ@kaede.example");
    keep_as_it_is(&mut world, 24, "ｍｉｏ@kaede.example");
    keep_as_it_is(&mut world, 25, "𝗆𝗂𝗈@kaede.example");
    // Each keeps their own.
    for own in ["ﾓﾓ@kaede.example", "モモ@kaede.example", "ｍｉｏ@kaede.example"] {
        assert_eq!(kept(&world, own), own);
        assert_eq!(world.state_of(own), format!("Known {own}"));
    }
    // Alone of its kind, it is found in all spellings, and nobody else gets one of them.
    assert_eq!(kept(&world, "Hana+x@kaede.example"), "ｈａｎａ@kaede.example");
    assert_eq!(world.state_of("hana@kaede.example"), "Known ｈａｎａ@kaede.example");
    assert_eq!(added(&mut world, "hana@kaede.example"), "an address that nobody has");
    // Of two older ones neither is meant.
    assert_eq!(kept(&world, "mio@kaede.example"), "mio@kaede.example");
    // The next start knows it from its note.
    world.tables.older.take();
    assert!(world.tables.note(&world.key, crate::spellings::NOTE).unwrap().is_some());
    assert_eq!(kept(&world, "Hana+x@kaede.example"), "ｈａｎａ@kaede.example");
    assert_eq!(world.state_of("mio@kaede.example"), "Unknown");
}

#[test]
fn a_member_is_one_in_every_spelling_and_an_older_place_stays() {
    let world = settled("spellings-members");
    let list = "club@kaede.example";
    let place = |world: &World, member: &str| -> Token {
        world.tables.member_place(&world.key, list, member).unwrap()
    };
    assert_eq!(place(&world, "た\u{3099}@out.example"), place(&world, "だ@out.example"));
    assert_eq!(place(&world, "Ｂob@out.example"), place(&world, "bob@out.example"));
    assert_ne!(place(&world, "bob@out.example"), place(&world, "ben@out.example"));
}
