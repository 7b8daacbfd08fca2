use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::net::{
    naming::{
        query::{NamePage, NameQuery, SCAN_LIMIT},
        share::ShareRule,
    },
    trust::key::PublicKey,
};

fn who(n: u8) -> Caller {
    Caller {
        principal: PublicKey::from_bytes([n; 32]).into(),
        role: Role::Member,
    }
}

fn admin() -> Caller {
    Caller {
        role: Role::Admin,
        ..who(9)
    }
}

fn request(name: &str) -> RegisterRequest {
    RegisterRequest::new(name, "distro:x@127.0.0.1:1".parse().expect("a URI"))
}

/// A request by which the name is shared.
fn shared(name: &str) -> RegisterRequest {
    RegisterRequest {
        share: Some(ShareRule::Anyone),
        ..request(name)
    }
}

fn names(listing: &NamePage) -> Vec<&str> {
    listing.records.iter().map(|r| r.name.as_str()).collect()
}

#[test]
fn a_registered_name_is_found_with_its_owner() {
    let mut registry = NameRegistry::default();
    registry
        .register(0, &who(1), request("server"))
        .expect("free");
    let found = registry.lookup("server").expect("registered");
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].owner, who(1).principal);
    assert_eq!(found[0].health, Health::Live);
    assert_eq!(
        registry.lookup("sever").expect_err("unknown").code,
        Code::NotFound
    );
}

#[test]
fn a_lease_is_live_then_suspect_then_gone_and_never_early() {
    let mut registry = NameRegistry::default();
    registry
        .register(1_000, &who(1), request("s"))
        .expect("free");
    let health = |registry: &NameRegistry| registry.lookup("s").ok().map(|r| r[0].health);
    registry.advance(10_999);
    assert_eq!(health(&registry), Some(Health::Live));
    registry.advance(11_000);
    assert_eq!(health(&registry), Some(Health::Suspect));
    registry.advance(15_999);
    assert_eq!(health(&registry), Some(Health::Suspect));
    assert_eq!(registry.next_deadline(), Some(16_000));
    registry.advance(16_000);
    assert_eq!(health(&registry), None);
    assert_eq!((registry.count(), registry.next_deadline()), (0, None));
}

#[test]
fn a_renewal_brings_a_suspect_back_and_a_lost_lease_says_so() {
    let mut registry = NameRegistry::default();
    let lease = registry.register(0, &who(1), request("s")).expect("free");
    registry.advance(12_000);
    registry
        .renew(12_000, &who(1), "s", lease.id)
        .expect("still there");
    registry.advance(21_999);
    assert_eq!(registry.lookup("s").expect("there")[0].health, Health::Live);
    registry.advance(27_000);
    let lost = registry.renew(27_000, &who(1), "s", lease.id);
    assert_eq!(lost.expect_err("gone").code, Code::NotFound);
}

#[test]
fn a_jump_over_both_deadlines_ends_the_lease_once() {
    let mut registry = NameRegistry::default();
    registry.register(0, &who(1), request("s")).expect("free");
    registry.advance(1_000_000);
    let (_, changes) = registry.since(1, 10).expect("kept");
    assert_eq!(changes.len(), 1);
    assert!(matches!(
        changes[0],
        NameChange::Removed {
            reason: RemovalReason::Expired,
            ..
        }
    ));
}

#[test]
fn the_same_key_replaces_and_the_old_lease_is_dead() {
    let mut registry = NameRegistry::default();
    let old = registry.register(0, &who(1), request("s")).expect("free");
    let new = registry.register(5, &who(1), request("s")).expect("own");
    assert_eq!(registry.count(), 1);
    assert!(registry.renew(6, &who(1), "s", old.id).is_err());
    assert!(registry.renew(6, &who(1), "s", new.id).is_ok());
    assert!(
        registry.renew(6, &who(2), "s", new.id).is_err(),
        "another's lease"
    );
}

#[test]
fn a_name_is_its_owners_alone_unless_the_owner_shares_it() {
    let mut registry = NameRegistry::default();
    registry.register(0, &who(1), request("s")).expect("free");
    let refused = |registry: &mut NameRegistry, request| {
        let refused = registry.register(0, &who(3), request).expect_err("taken");
        assert_eq!(refused.code, Code::Exists);
        assert!(
            refused.message.contains(&who(1).principal.fingerprint()),
            "{refused}"
        );
    };
    refused(&mut registry, request("s"));
    refused(&mut registry, shared("s"));
    registry
        .set_share(&who(1), "s", ShareRule::Members)
        .expect("its own");
    registry.register(0, &who(2), request("s")).expect("shared");
    assert_eq!(registry.lookup("s").expect("there").len(), 2);
    // Who wants it alone does not get it.
    let alone = RegisterRequest {
        share: Some(ShareRule::Owner),
        ..request("s")
    };
    refused(&mut registry, alone);
    // Only the first decides, also after it has registered again.
    registry.register(5, &who(1), request("s")).expect("own");
    let denied = registry.set_share(&who(2), "s", ShareRule::Owner);
    assert_eq!(denied.expect_err("not its own").code, Code::Denied);
    registry
        .set_share(&who(1), "s", ShareRule::Owner)
        .expect("its own");
    let left = registry.lookup("s").expect("there");
    assert_eq!(left.len(), 1, "the consent is withdrawn");
    assert_eq!(left[0].owner, who(1).principal);
    refused(&mut registry, request("s"));
}

#[test]
fn a_gateway_registers_where_anyone_may_and_a_key_where_members_may() {
    let gateway = Caller {
        principal: Principal::Gateway(([127, 0, 0, 1], 9090).into()),
        role: Role::Member,
    };
    let mut registry = NameRegistry::default();
    for (rule, key, program) in [
        (ShareRule::Owner, false, false),
        (ShareRule::Members, true, false),
        (ShareRule::Anyone, true, true),
    ] {
        let name = rule.as_str();
        let register = RegisterRequest {
            share: Some(rule),
            ..request(name)
        };
        registry.register(0, &who(1), register).expect("free");
        let registered = registry.register(0, &gateway, request(name));
        assert_eq!(registered.is_ok(), program, "{rule}");
        let registered = registry.register(0, &who(2), request(name));
        assert_eq!(registered.is_ok(), key, "{rule}");
    }
}

#[test]
fn a_reserved_name_is_the_nodes_also_before_it_has_registered_it() {
    let mut registry = NameRegistry::default();
    registry
        .register(0, &who(1), shared("server"))
        .expect("free");
    registry.reserve("server", admin().principal);
    for register in [request("server"), shared("server")] {
        let refused = registry.register(0, &who(2), register);
        assert_eq!(refused.expect_err("reserved").code, Code::Exists);
    }
    registry
        .register(0, &admin(), request("server"))
        .expect("its own");
    let left = registry.lookup("server").expect("there");
    assert_eq!(left.len(), 1, "without its consent nobody else has it");
    assert_eq!(left[0].owner, admin().principal);
    registry
        .set_share(&admin(), "server", ShareRule::Members)
        .expect("its own");
    registry
        .register(0, &who(1), request("server"))
        .expect("shared");
    // Nobody inherits it while the node is away.
    registry.unregister(&admin(), "server", false).expect("own");
    let denied = registry.set_share(&who(1), "server", ShareRule::Owner);
    assert_eq!(denied.expect_err("not its own").code, Code::Denied);
    assert!(registry.register(0, &who(2), request("server")).is_err());
}

#[test]
fn only_the_owner_or_an_admin_removes() {
    let mut registry = NameRegistry::default();
    registry.register(0, &who(1), request("s")).expect("free");
    let refused = registry
        .unregister(&who(2), "s", false)
        .expect_err("not theirs");
    assert_eq!(refused.code, Code::Denied);
    assert!(registry.unregister(&who(2), "s", true).is_err());
    assert_eq!(registry.unregister(&admin(), "s", true), Ok(1));
    assert_eq!(
        registry
            .unregister(&admin(), "s", true)
            .expect_err("gone")
            .code,
        Code::NotFound
    );
    let reader = Caller {
        role: Role::Read,
        ..who(1)
    };
    assert!(registry.register(0, &reader, request("r")).is_err());
}

#[test]
fn a_permanent_name_never_expires() {
    let mut registry = NameRegistry::default();
    let forever = RegisterRequest {
        lease_ms: Some(0),
        ..request("s")
    };
    registry.register(0, &who(1), forever).expect("free");
    assert_eq!(registry.next_deadline(), None);
    registry.advance(u64::MAX);
    assert_eq!(registry.count(), 1);
}

#[test]
fn invalid_registrations_are_refused() {
    let mut registry = NameRegistry::default();
    let bad = [
        request(""),
        request(&"x".repeat(257)),
        request("a\u{1b}[2J"),
        request("ser\u{200b}ver"),
        request("server\u{a0}"),
        request("server "),
        RegisterRequest {
            tags: vec!["t\u{2060}".into()],
            ..request("s")
        },
        RegisterRequest {
            tags: vec!["t".repeat(129)],
            ..request("s")
        },
        RegisterRequest {
            lease_ms: Some(5),
            ..request("s")
        },
    ];
    for register in bad {
        let refused = registry
            .register(0, &who(1), register)
            .expect_err("refused");
        assert_eq!(refused.code, Code::BadArguments, "{refused}");
    }
    assert_eq!((registry.count(), registry.revision()), (0, 0));
}

#[test]
fn listing_filters_and_pages_by_name() {
    let mut registry = NameRegistry::default();
    for n in 0..10 {
        let register = RegisterRequest {
            tags: vec![if n % 2 == 0 { "even" } else { "odd" }.into(), "n".into()],
            ..request(&format!("node-{n}"))
        };
        registry.register(0, &who(1), register).expect("free");
    }
    registry
        .register(0, &who(1), request("other"))
        .expect("free");
    let list = |query: NameQuery| registry.list(&query).expect("listed");
    let prefix = || Some("node-".to_owned());
    assert_eq!(
        list(NameQuery {
            prefix: prefix(),
            ..NameQuery::default()
        })
        .records
        .len(),
        10
    );
    let some = list(NameQuery {
        regex: Some("[0-3]$".into()),
        ..NameQuery::default()
    });
    assert_eq!(names(&some), ["node-0", "node-1", "node-2", "node-3"]);
    let even = NameQuery {
        tags_all: vec!["n".into(), "even".into()],
        ..NameQuery::default()
    };
    assert_eq!(list(even).records.len(), 5);
    let any = NameQuery {
        tags_any: vec!["odd".into(), "?".into()],
        ..NameQuery::default()
    };
    assert_eq!(list(any).records.len(), 5);

    let mut query = NameQuery {
        prefix: prefix(),
        limit: Some(4),
        ..NameQuery::default()
    };
    let mut seen = Vec::new();
    loop {
        let page = list(query.clone());
        seen.extend(page.records.iter().map(|r| r.name.clone()));
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    assert_eq!(seen.len(), 10);
    assert!(seen.is_sorted());
    assert!(
        registry
            .list(&NameQuery {
                regex: Some("(".into()),
                ..NameQuery::default()
            })
            .is_err()
    );
}

#[test]
fn a_rare_pattern_among_many_names_comes_back_early_with_a_cursor() {
    let mut registry = NameRegistry::default();
    for n in 0..SCAN_LIMIT + 10 {
        registry
            .register(0, &who(1), request(&format!("{n:06}")))
            .expect("free");
    }
    let nothing = NameQuery {
        regex: Some("x".into()),
        ..NameQuery::default()
    };
    let page = registry.list(&nothing).expect("listed");
    assert!(page.records.is_empty());
    let rest = NameQuery {
        after: page.next,
        ..nothing
    };
    assert!(rest.after.is_some());
    assert_eq!(registry.list(&rest).expect("listed").next, None);
}

#[test]
fn the_registry_is_bounded() {
    let mut registry = NameRegistry::new(NamingLimits {
        records: 2,
        instances: 1,
        ..NamingLimits::default()
    });
    registry.register(0, &who(1), shared("a")).expect("room");
    assert_eq!(
        registry
            .register(0, &who(2), shared("a"))
            .expect_err("shared by too many")
            .code,
        Code::Overloaded
    );
    registry.register(0, &who(1), request("b")).expect("room");
    assert_eq!(
        registry
            .register(0, &who(1), request("c"))
            .expect_err("full")
            .code,
        Code::Overloaded
    );
}

#[derive(Debug, Clone)]
enum Operation {
    RegisterRequest(u8, u8, bool),
    Renew(u8, u8),
    Unregister(u8, u8),
    Wait(u64),
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let step = prop_oneof![
        (0u8..4, 1u8..4, any::<bool>()).prop_map(|(n, w, x)| Operation::RegisterRequest(n, w, x)),
        (0u8..4, 1u8..4).prop_map(|(n, w)| Operation::Renew(n, w)),
        (0u8..4, 1u8..4).prop_map(|(n, w)| Operation::Unregister(n, w)),
        (0u64..20_000).prop_map(Operation::Wait),
    ];
    proptest::collection::vec(step, 0..60)
}

/// The model: for each (name, owner) the lease id, when it was renewed, whether it is the owner's alone, and
/// the id of the first registration.
type Model = BTreeMap<(String, u8), (u64, Millis, bool, u64)>;

/// Returns true if another one owns the name and does not share it, false if it does.
fn other_owner(model: &Model, name: &str, owner: u8) -> Option<bool> {
    let of_name = model.iter().filter(|((n, _), _)| n == name);
    let ((_, first), (_, _, alone, _)) = of_name.min_by_key(|(_, (.., since))| *since)?;
    (*first != owner).then_some(*alone)
}

proptest! {
    #[test]
    fn it_agrees_with_a_small_model_and_watchers_can_follow(steps in operations()) {
        let mut registry = NameRegistry::default();
        let mut model = Model::new();
        let mut mirror: BTreeMap<(String, Principal), Record> = BTreeMap::new();
        let (mut now, mut seen) = (0, 0);
        for step in steps {
            match step {
                Operation::RegisterRequest(name, owner, exclusive) => {
                    let name = format!("n{name}");
                    let other = other_owner(&model, &name, owner);
                    let taken = other.is_some_and(|alone| alone || exclusive);
                    let share = Some(if exclusive { ShareRule::Owner } else { ShareRule::Anyone });
                    let register = RegisterRequest { share, ..request(&name) };
                    let since = model.get(&(name.clone(), owner)).map(|(.., since)| *since);
                    let lease = registry.register(now, &who(owner), register);
                    prop_assert_eq!(lease.is_err(), taken);
                    if let Ok(lease) = lease {
                        if other.is_none() && exclusive {
                            model.retain(|(n, _), _| *n != name);
                        }
                        let key = (name, owner);
                        let since = since.unwrap_or(lease.id);
                        model.insert(key, (lease.id, now, exclusive, since));
                    }
                }
                Operation::Renew(name, owner) => {
                    let key = (format!("n{name}"), owner);
                    let id = model.get(&key).map_or(0, |(id, ..)| *id);
                    let renewed = registry.renew(now, &who(owner), &key.0, id);
                    prop_assert_eq!(renewed.is_ok(), id != 0);
                    if let Some((_, at, ..)) = model.get_mut(&key) {
                        *at = now;
                    }
                }
                Operation::Unregister(name, owner) => {
                    let key = (format!("n{name}"), owner);
                    let gone = registry.unregister(&who(owner), &key.0, false);
                    prop_assert_eq!(gone.is_ok(), model.remove(&key).is_some());
                }
                Operation::Wait(ms) => {
                    now += ms;
                    registry.advance(now);
                    model.retain(|_, (_, renewed, ..)| now < *renewed + 15_000);
                }
            }
            prop_assert_eq!(registry.count(), model.len());
            for ((name, owner), (_, renewed, ..)) in &model {
                let found = registry.lookup(name).expect("in the model");
                let record = found.iter().find(|r| r.owner == who(*owner).principal).expect("owned");
                let suspect = now >= renewed + 10_000;
                // Health is as of the last time that time was let pass.
                if record.health == Health::Suspect {
                    prop_assert!(suspect);
                }
            }
            // A watcher that reads in small bites ends with the same records.
            while let Some((revision, changes)) = registry.since(seen, 2) {
                if changes.is_empty() { break; }
                seen = revision;
                for change in changes {
                    match change {
                        NameChange::Put(r) => { mirror.insert((r.name.clone(), r.owner), r); }
                        NameChange::Removed { name, owner, .. } => { mirror.remove(&(name, owner)); }
                    }
                }
            }
            let all = registry.list(&NameQuery::default()).expect("listed").records;
            prop_assert_eq!(mirror.len(), all.len());
            for record in all {
                prop_assert_eq!(mirror.get(&(record.name.clone(), record.owner)), Some(&record));
            }
        }
    }
}

#[test]
fn an_evicted_owner_loses_its_names() {
    let mut registry = NameRegistry::new(NamingLimits::default());
    for name in ["a", "b", "c"] {
        let request = || shared(name);
        registry.register(0, &who(1), request()).expect("room");
        registry.register(0, &who(2), request()).expect("room");
    }
    let mut eviction = registry.begin_eviction(who(1).principal);
    // It may come back meanwhile.
    registry.register(0, &who(1), request("d")).expect("room");
    while registry.evict(&mut eviction).is_continue() {}
    assert_eq!(eviction.removed(), 3);
    assert_eq!(registry.count(), 4);
    let left = registry.lookup("b").expect("shared");
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].owner, who(2).principal);
    registry.advance(20_000);
    assert_eq!(registry.count(), 0, "no timer of theirs is left behind");
}

#[test]
fn a_key_has_quotas_that_name_themselves() {
    let mut registry = NameRegistry::new(NamingLimits {
        names_per_key: 2,
        bytes_per_key: 2_000,
        ..NamingLimits::default()
    });
    for name in ["a", "b", "a"] {
        registry
            .register(0, &who(1), request(name))
            .expect("within the quota");
    }
    let refused = registry.register(0, &who(1), request("c"));
    let refused = refused.expect_err("over the quota");
    assert_eq!(refused.code, Code::QuotaExceeded);
    assert!(refused.message.contains("names-per-key"), "{refused}");
    let tags = |count: usize| -> Vec<String> { (0..count).map(|n| format!("{n:0120}")).collect() };
    let used = registry.usage(who(1).principal);
    let refused = registry.set_tags(&who(1), "a", tags(20));
    let refused = refused.expect_err("over the quota");
    assert!(refused.message.contains("name-bytes-per-key"), "{refused}");
    assert_eq!(
        registry.usage(who(1).principal),
        used,
        "nothing has changed"
    );
    registry
        .set_tags(&who(1), "a", tags(3))
        .expect("there is room");
    // Others, and admins, are not concerned.
    registry.register(0, &who(2), request("c")).expect("room");
    for n in 0..9 {
        let name = format!("admin-{n}");
        registry
            .register(0, &admin(), request(&name))
            .expect("room");
    }
    registry.unregister(&who(1), "a", false).expect("its own");
    registry.unregister(&who(1), "b", false).expect("its own");
    assert_eq!(registry.usage(who(1).principal), NameUsage::default());
    registry
        .register(0, &who(1), request("d"))
        .expect("room again");
    assert_eq!(registry.total_usage().names, registry.count());
}

#[test]
fn a_page_of_long_records_is_short_and_has_a_cursor() {
    let mut registry = NameRegistry::default();
    for n in 0..400 {
        let register = RegisterRequest {
            tags: (0..32).map(|tag| format!("{tag:0128}")).collect(),
            ..request(&format!("{n:0256}"))
        };
        registry.register(0, &who(1), register).expect("free");
    }
    let mut query = NameQuery::default();
    let (mut pages, mut records) = (0, 0);
    loop {
        let page = registry.list(&query).expect("listed");
        let size: usize = page.records.iter().map(Record::encoded_len).sum();
        assert!(size < listing::MAX_PAGE_BYTES + 6_000, "{size}");
        (pages, records) = (pages + 1, records + page.records.len());
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    assert_eq!(records, 400);
    assert!(pages > 2, "{pages}");
}
