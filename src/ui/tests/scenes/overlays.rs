//! Every overlay.

use std::time::Duration;

use super::busy_after;
use crate::{
    net::{
        admission::MemberStatus,
        naming::NameUsage,
        trust::{key::PublicKey, members::Member, role::Role},
    },
    node::UpstreamStatus,
    queue::{
        broker::BulkAction, clock::Timestamp, error::FailureGroup, id::TaskId, query::Filter,
        stats::Count, storage::Durability,
    },
    ui::{
        action::Action,
        effect::{EffectDone, Msg, QuitLoss},
        model::layer::Membership,
        tests::{
            fixture::{NOW, press, send, type_text},
            snapshots::at_every_size,
        },
    },
    value::signature::Signature,
};

pub(crate) fn members_and_upstreams() -> Membership {
    let key = |n: u8| PublicKey::from_bytes([n; 32]);
    let peer = |n: u8, role, label: &str, connections| MemberStatus {
        member: Member {
            key: key(n),
            role,
            label: label.to_owned(),
            joined_at: NOW.0 / 1_000_000 - u64::from(n) * 3_600,
        },
        via: None,
        connections,
        calls: 0,
        call_bytes: 0,
        names: NameUsage::default(),
    };
    let mut delegated = peer(4, Role::Read, "db2", 1);
    delegated.via = Some(key(9));
    let held = |name: &str| (name.to_owned(), "held".to_owned());
    Membership {
        members: vec![
            peer(1, Role::Member, "web1", 1),
            peer(2, Role::Admin, "ali's laptop", 2),
            peer(3, Role::Read, "a screen \u{1b}[2J in the hall", 0),
            delegated,
        ],
        upstreams: vec![UpstreamStatus {
            key: key(9),
            role: Role::Member,
            addr: ([192, 168, 1, 20], 9090).into(),
            names: vec![
                held("server"),
                (
                    "broker.k3yk3yk3".to_owned(),
                    "failing: nobody answers".to_owned(),
                ),
            ],
        }],
    }
}

#[test]
fn help() {
    at_every_size("help", || busy_after(&["3", "?"]));
}

#[test]
fn palette() {
    at_every_size("palette", || busy_after(&["3", ":"]));
    at_every_size("palette_typing", || {
        let mut model = busy_after(&["3", ":"]);
        type_text(&mut model, "work");
        model
    });
}

#[test]
fn prompts_with_and_without_a_mistake() {
    at_every_size("add", || busy_after(&["3", "a"]));
    at_every_size("add_mistake", || {
        let mut model = busy_after(&["3", "a"]);
        type_text(&mut model, "2 + drei");
        press(&mut model, &["enter"]);
        model
    });
    at_every_size("filter_mistake", || {
        let mut model = busy_after(&["3", "/"]);
        type_text(&mut model, "state:done");
        press(&mut model, &["enter"]);
        model
    });
    at_every_size("export", || busy_after(&["3", "e"]));
    at_every_size("call", || busy_after(&["1", "c"]));
}

#[test]
fn confirm() {
    at_every_size("confirm_counting", || busy_after(&["3", "X"]));
    at_every_size("confirm_quit", || {
        let mut model = busy_after(&["3", "q"]);
        let mut stats = model.data().overview.stats.clone();
        stats.storage.get_or_insert_default().durability = Durability::Memory;
        let loss = QuitLoss {
            stats: Some(Box::new(stats)),
            members: 1,
        };
        send(&mut model, Msg::QuitChecked(loss));
        model
    });
    at_every_size("confirm", || {
        let mut model = busy_after(&["3", "D"]);
        let counted = Msg::Counted {
            action: BulkAction::Purge,
            filter: Filter::default(),
            count: Ok(Count::Exact(1_344)),
        };
        send(&mut model, counted);
        model
    });
}

#[test]
fn why_tasks_have_failed_and_how_long_they_take() {
    at_every_size("dead_letters", || {
        let mut model = busy_after(&["3", "d"]);
        let reason = |name: &str, error: &str, count, newest| FailureGroup {
            name: name.into(),
            error: error.into(),
            count,
            newest: TaskId::Sequence(newest),
            last: Timestamp(NOW.0 - 40_000_000),
        };
        let dead_letters = vec![
            reason("add", "int too large to convert to float", 1_204, 90_311),
            reason("resize", "crashed the process 3 times while it ran", 2, 41),
        ];
        send(&mut model, Msg::DeadLetters(Ok(dead_letters)));
        press(&mut model, &["j"]);
        model
    });
    at_every_size("latency", || busy_after(&["3", "l"]));
    at_every_size("doctor", || {
        let mut model = busy_after(&[":"]);
        type_text(&mut model, "doctor");
        press(&mut model, &["enter"]);
        model
    });
}

#[test]
fn details() {
    at_every_size("details_task", || {
        busy_after(&["3", "j", "j", "j", "j", "j", "j", "enter"])
    });
    at_every_size("details_worker", || busy_after(&["4", "enter"]));
    at_every_size("details_name", || {
        let mut model = busy_after(&["1", "g", "enter"]);
        let methods = vec![
            Signature::parse("charge(account: str, cents: int) -> map", "Takes money.")
                .expect("reads"),
            Signature::parse("ping() -> null", "Answers.").expect("reads"),
        ];
        let name = "billing".to_owned();
        send(
            &mut model,
            Msg::Methods {
                name,
                methods: Ok(methods),
            },
        );
        model
    });
}

#[test]
fn who_has_joined_and_what_was_joined() {
    at_every_size("members", || {
        let mut model = busy_after(&["3", "n", "j"]);
        send(&mut model, Msg::Members(Ok(members_and_upstreams())));
        model
    });
    at_every_size("members_none", || {
        let mut model = busy_after(&["3", "n"]);
        let none = Membership {
            members: vec![],
            upstreams: vec![],
        };
        send(&mut model, Msg::Members(Ok(none)));
        model
    });
}

#[test]
fn a_ticket_and_where_one_is_pasted() {
    at_every_size("ticket", || {
        let mut model = busy_after(&["3"]);
        let ticket: Result<_, String> = Ok(format!("distro1{}", "abcdefgh".repeat(14)));
        let done = EffectDone {
            took: Duration::from_millis(1),
            ..EffectDone::new(Action::Ticket, "ticket for the role member", ticket)
        };
        send(&mut model, Msg::EffectDone(done));
        model
    });
    at_every_size("join_mistake", || {
        let mut model = busy_after(&["3", ":"]);
        type_text(&mut model, "join distro1abc");
        press(&mut model, &["enter"]);
        model
    });
}
