//! Every pane and overlay at five sizes, with their styles.
//!
//! A snapshot has the text and, under it, one line for each row that says which styles its cells
//! have: a letter and how many cells, explained at the end.

use crate::net::trust::role::Role as Rights;
use std::collections::BTreeMap;

use ratatui::{buffer::Buffer, style::Style};

use super::fixture::{NOW, answer_all, busy, draw, fresh, press, send, theme, type_text};
use crate::ui::pane::Pane;
use crate::{
    net::{
        admission::MemberStatus,
        rpc::{error::CallError, object::Signature},
        trust::{key::PublicKey, members},
    },
    node::{Locality, NamesEvent, UpstreamStatus},
    queue::{broker::BulkAction, clock::Timestamp, error::FailureGroup, id::TaskId, query::Filter},
    ui::{
        ColorDepth, SymbolSet,
        action::Action,
        effect::{EffectDone, Msg},
        model::{Model, layer::Membership},
    },
};

const SIZES: [(u16, u16); 5] = [(200, 50), (120, 36), (80, 24), (40, 12), (10, 3)];

pub(super) fn shown(buffer: &Buffer) -> String {
    let mut letters: BTreeMap<String, char> = BTreeMap::new();
    let (mut text, mut styles) = (String::new(), String::new());
    for y in 0..buffer.area.height {
        let mut line = String::new();
        let mut runs: Vec<(char, usize)> = Vec::new();
        let mut skip = 0;
        for x in 0..buffer.area.width {
            let cell = &buffer[(x, y)];
            let next = char::from(b'a' + u8::try_from(letters.len() % 26).expect("small"));
            let letter = *letters.entry(name(cell.style())).or_insert(next);
            match runs.last_mut() {
                Some((last, count)) if *last == letter => *count += 1,
                _ => runs.push((letter, 1)),
            }
            // What a wide character covers is not text of its own.
            if skip > 0 {
                skip -= 1;
                continue;
            }
            skip = crate::text::width(cell.symbol()).saturating_sub(1);
            line.push_str(cell.symbol());
        }
        text.push_str(line.trim_end());
        text.push('\n');
        let runs: Vec<String> = runs.iter().map(|(c, n)| format!("{c}{n}")).collect();
        styles.push_str(&runs.join(" "));
        styles.push('\n');
    }
    let legend: Vec<String> = letters
        .iter()
        .map(|(style, c)| format!("{c} = {style}"))
        .collect();
    format!("{text}---\n{styles}---\n{}\n", legend.join("\n"))
}

fn name(style: Style) -> String {
    let colour = |c: Option<ratatui::style::Color>| c.map_or("-".to_owned(), |c| c.to_string());
    format!(
        "{} on {} {:?}",
        colour(style.fg),
        colour(style.bg),
        style.add_modifier
    )
}

/// A scene is drawn once before its snapshot, as on the real screen, where lists learn their height.
fn at_every_size(scene: &str, make: impl Fn() -> Model) {
    for (width, height) in SIZES {
        let mut model = make();
        draw(&mut model, width, height);
        let buffer = draw(&mut model, width, height);
        insta::assert_snapshot!(format!("{scene}@{width}x{height}"), shown(&buffer));
    }
}

fn busy_after(keys: &[&str]) -> Model {
    let mut model = busy();
    draw(&mut model, 120, 36);
    press(&mut model, keys);
    model
}

#[test]
fn the_first_frame() {
    at_every_size("first_frame", fresh);
}

#[test]
fn an_idle_dashboard() {
    at_every_size("idle", || {
        let mut model = fresh();
        send(&mut model, Msg::Overview(None));
        model
    });
}

#[test]
fn every_pane_focused_in_a_busy_dashboard() {
    for (pane, key) in Pane::ALL.into_iter().zip(["1", "2", "3", "4", "5"]) {
        let scene = format!("busy_{}", pane.title().to_lowercase());
        at_every_size(&scene, || busy_after(&["1", key]));
    }
}

#[test]
fn every_pane_zoomed() {
    for (pane, key) in Pane::ALL.into_iter().zip(["1", "2", "3", "4", "5"]) {
        let mut model = busy();
        press(&mut model, &["z", key]);
        draw(&mut model, 80, 24);
        let buffer = draw(&mut model, 80, 24);
        insta::assert_snapshot!(
            format!("zoom_{}", pane.title().to_lowercase()),
            shown(&buffer)
        );
    }
}

#[test]
fn typing_a_name() {
    at_every_size("greeter_typing", || {
        let mut model = busy_after(&["2"]);
        type_text(
            &mut model,
            "Zoë 漢字 and a name that is long enough to need some scrolling to the left of it",
        );
        model
    });
    at_every_size("greeter_refuses", || busy_after(&["2", "enter"]));
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
    at_every_size("confirm", || {
        let mut model = busy_after(&["3", "D"]);
        let counted = Msg::Counted {
            action: BulkAction::Purge,
            filter: Filter::default(),
            which: String::new(),
            count: Ok(1_344),
        };
        send(&mut model, counted);
        model
    });
}

#[test]
fn why_tasks_have_failed_and_how_long_they_take() {
    at_every_size("reasons", || {
        let mut model = busy_after(&["3", "d"]);
        let reason = |name: &str, error: &str, count, newest| FailureGroup {
            name: name.into(),
            error: error.into(),
            count,
            newest: TaskId::Sequence(newest),
            last: Timestamp(NOW.0 - 40_000_000),
        };
        let reasons = vec![
            reason("add", "int too large to convert to float", 1_204, 90_311),
            reason("resize", "crashed the process 3 times while it ran", 2, 41),
        ];
        send(&mut model, Msg::DeadLetters(Ok(reasons)));
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
fn marks_and_what_must_not_be_overlooked() {
    at_every_size("marked", || busy_after(&["3", "space", "j", "space"]));
    at_every_size("in_trouble", || {
        let mut model = busy_after(&["3"]);
        let mut stats = model.data().overview.stats.clone();
        stats.paused_queues = vec!["mail".into()];
        stats.stuck = 2;
        stats.persist_error = Some("the disk is full".into());
        let workers = model.data().overview.workers.clone();
        send(&mut model, Msg::Overview(Some((Box::new(stats), workers))));
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
fn toasts_and_badges() {
    at_every_size("toasts", || {
        let mut model = busy_after(&["3"]);
        for result in [
            Ok("queued as #14".to_owned()),
            Err("the queue is full".to_owned()),
        ] {
            let done = EffectDone {
                took: std::time::Duration::from_micros(90),
                ..EffectDone::new(Action::Submit, "add 2 + 3", result)
            };
            send(&mut model, Msg::EffectDone(done));
        }
        model
    });
    at_every_size("frozen", || busy_after(&["3", "f"]));
    at_every_size("filtered", || {
        let mut model = busy_after(&["3", "/"]);
        type_text(&mut model, "state:failed,running");
        press(&mut model, &["enter"]);
        model
    });
}

#[test]
fn every_theme_and_every_kind_of_terminal() {
    let looks = [
        ("light", ColorDepth::True, SymbolSet::Unicode),
        ("high-contrast", ColorDepth::True, SymbolSet::Unicode),
        ("colour-blind", ColorDepth::Ansi256, SymbolSet::Unicode),
        ("dark", ColorDepth::Ansi16, SymbolSet::Unicode),
        ("dark", ColorDepth::None, SymbolSet::Unicode),
        ("dark", ColorDepth::None, SymbolSet::Ascii),
    ];
    for (name, depth, set) in looks {
        let mut model = busy_after(&["3", "j"]);
        model.theme = theme(name, depth, set);
        answer_all(&mut model);
        let buffer = draw(&mut model, 120, 36);
        insta::assert_snapshot!(format!("theme_{name}_{depth:?}_{set:?}"), shown(&buffer));
        if set == SymbolSet::Ascii {
            let text: String = buffer
                .content
                .iter()
                .map(ratatui::buffer::Cell::symbol)
                .collect();
            let odd: Vec<char> = text.chars().filter(|c| !c.is_ascii()).collect();
            // Names and replaced characters are data; everything drawn by us is ASCII.
            assert!(
                odd.iter().all(|c| "站Ç漢字␛\u{fffd}".contains(*c)),
                "{odd:?}"
            );
        }
    }
}

fn members_and_upstreams() -> Membership {
    let key = |n: u8| PublicKey::from_bytes([n; 32]);
    let peer = |n: u8, role, label: &str, connections| MemberStatus {
        member: members::Member {
            key: key(n),
            role,
            label: label.to_owned(),
            joined_at: NOW.0 / 1_000_000 - u64::from(n) * 3_600,
        },
        connections,
    };
    let held = |name: &str| (name.to_owned(), "held".to_owned());
    Membership {
        members: vec![
            peer(1, Rights::Member, "web1", 1),
            peer(2, Rights::Admin, "ali's laptop", 2),
            peer(3, Rights::Read, "a screen \u{1b}[2J in the hall", 0),
        ],
        upstreams: vec![UpstreamStatus {
            key: key(9),
            role: Rights::Member,
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
fn who_has_joined_and_what_was_joined() {
    at_every_size("peers", || {
        let mut model = busy_after(&["3", "n", "j"]);
        send(&mut model, Msg::Members(Ok(members_and_upstreams())));
        model
    });
    at_every_size("peers_nobody", || {
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
            took: std::time::Duration::from_millis(1),
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

#[test]
fn a_node_elsewhere_that_is_lost_on_a_read_only_screen() {
    at_every_size("elsewhere", || {
        let mut model = busy_after(&["3"]);
        model.about.role = Rights::Read;
        model.about.place = Locality::Remote;
        let error = CallError::Deadline(std::time::Duration::from_secs(5));
        let lost = NamesEvent::Lost {
            error,
            retry_in: std::time::Duration::from_secs(3),
        };
        send(&mut model, Msg::Names(lost));
        model
    });
}

#[test]
fn a_recording_being_shown() {
    at_every_size("replay", || {
        let mut model = busy_after(&["3"]);
        model.replay = Some(crate::ui::model::Replay {
            at: std::time::Duration::from_secs(75),
            length: std::time::Duration::from_secs(200),
            speed: 2.0,
            paused: false,
        });
        model
    });
}
