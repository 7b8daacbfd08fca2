//! States of the screen as a whole: empty, with errors, read-only, replaying, in other themes.

use std::time::Duration;

use ratatui::buffer::Cell;

use super::busy_after;
use crate::{
    config::{ColorDepth, SymbolSet},
    net::{rpc::error::CallError, trust::role::Role},
    node::{Locality, NamesEvent},
    ui::{
        action::Action,
        effect::{EffectDone, Msg},
        model::Replay,
        tests::{
            fixture::{
                complete_fetches, draw, fresh, overview, press, send, theme, type_text, workers,
            },
            snapshots::{assert_shown, at_every_size},
        },
    },
};

#[test]
fn the_first_frame() {
    at_every_size("first_frame", fresh);
}

#[test]
fn an_idle_dashboard() {
    at_every_size("idle", || {
        let mut model = fresh();
        let none = Msg::Overview {
            stats: None,
            workers: None,
            unreachable: None,
        };
        send(&mut model, none);
        model
    });
}

#[test]
fn a_broker_without_statistics_still_shows_its_workers() {
    let mut model = fresh();
    let reply = Msg::Overview {
        stats: None,
        workers: Some(workers()),
        unreachable: None,
    };
    send(&mut model, reply);
    let overview = &model.data().overview;
    assert_eq!(overview.workers, workers());
    assert_eq!(overview.desired_workers(), overview.active);
}

#[test]
fn marks_and_what_must_not_be_overlooked() {
    at_every_size("marked", || busy_after(&["3", "space", "j", "space"]));
    at_every_size("not_saved", || {
        let mut model = busy_after(&["3"]);
        let mut stats = model.data().overview.stats.clone();
        stats.paused_queues = vec!["mail".into()];
        stats.stuck = 2;
        stats.storage.get_or_insert_default().persist_error = Some("the disk is full".into());
        let workers = model.data().overview.workers.clone();
        send(&mut model, overview(stats, workers));
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
                took: Duration::from_micros(90),
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
fn a_node_elsewhere_that_is_lost_on_a_read_only_screen() {
    at_every_size("elsewhere", || {
        let mut model = busy_after(&["3"]);
        model.header.role = Role::Read;
        model.header.locality = Locality::Remote;
        let error = CallError::Deadline(Duration::from_secs(5));
        let lost = NamesEvent::Lost {
            error,
            retry_in: Duration::from_secs(3),
        };
        send(&mut model, Msg::Names(lost));
        model
    });
}

#[test]
fn a_node_of_this_folder_that_has_ended() {
    at_every_size("node_ended", || {
        let mut model = busy_after(&["3"]);
        model.header.locality = Locality::LocalProcess;
        let lost = NamesEvent::Lost {
            error: CallError::Closed,
            retry_in: Duration::from_secs(3),
        };
        send(&mut model, Msg::Names(lost));
        send(&mut model, Msg::NodeFound(false));
        model
    });
}

#[test]
fn a_recording_being_shown() {
    at_every_size("replay", || {
        let mut model = busy_after(&["3"]);
        model.replay = Some(Replay {
            at: Duration::from_secs(75),
            length: Duration::from_secs(200),
            speed: 2.0,
            paused: false,
        });
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
        complete_fetches(&mut model);
        let buffer = draw(&mut model, 120, 36);
        assert_shown(&format!("theme_{name}_{depth:?}_{set:?}"), &buffer);
        if set == SymbolSet::Ascii {
            let text: String = buffer.content.iter().map(Cell::symbol).collect();
            let odd: Vec<char> = text.chars().filter(|c| !c.is_ascii()).collect();
            // Names and replaced characters are data; everything drawn by us is ASCII.
            assert!(
                odd.iter().all(|c| "站Ç漢字␛\u{fffd}".contains(*c)),
                "{odd:?}"
            );
        }
    }
}
