//! Stale data is marked with the time of its last report, and its clocks stand still.

use std::time::Duration;

use ratatui::buffer::{Buffer, Cell};

use super::fixture::{NOW, busy, draw, names, overview, press, send, stats, workers};
use crate::{
    health::{Finding, FindingKind},
    net::rpc::error::CallError,
    node::{Locality, NamesEvent},
    queue::clock::Timestamp,
    ui::{
        effect::{Effect, Msg},
        model::{Header, Model},
        update::update,
    },
};

const LATER: Duration = Duration::from_secs(25);

fn lost() -> Msg {
    Msg::Names(NamesEvent::Lost {
        error: CallError::Deadline(Duration::from_secs(5)),
        retry_in: Duration::from_secs(3),
    })
}

fn unreachable() -> Msg {
    Msg::Overview {
        stats: None,
        workers: None,
        unreachable: Some("no reply within 5 s".to_owned()),
    }
}

/// A busy screen on a node at this place.
fn screen(locality: Locality) -> Model {
    let mut model = busy();
    model.header.locality = locality;
    model
}

fn text(model: &mut Model) -> String {
    let buffer = draw(model, 160, 36);
    let row = |y| -> String { (0..160).map(|x| buffer[(x, y)].symbol()).collect() };
    (0..36).map(|y| row(y) + "\n").collect()
}

/// The rows of the panes with data of the node, without the frames around them.
fn clocks(buffer: &Buffer) -> Vec<&Cell> {
    // Tasks and workers are the right half above the events, under the status bar.
    let inside = |y: u16| (60..158).map(move |x| (x, y));
    (2..25).flat_map(inside).map(|at| &buffer[at]).collect()
}

fn wait(model: &mut Model, span: Duration) -> Vec<Effect> {
    update(model, Msg::Tick, NOW.after(span))
}

#[test]
fn the_clocks_of_a_lost_node_stand_still_and_say_since_when() {
    let mut model = screen(Locality::Remote);
    send(&mut model, lost());
    let before = draw(&mut model, 160, 36);
    wait(&mut model, LATER);
    let after = draw(&mut model, 160, 36);
    assert_eq!(clocks(&before), clocks(&after));
    let shown = text(&mut model);
    assert_eq!(shown.matches("as of 03:04:05").count(), 3, "{shown}");
    assert!(shown.contains("RECONNECTING"), "{shown}");
    // It comes back, and the clocks with it.
    update(&mut model, names(), NOW.after(LATER));
    update(&mut model, overview(stats(), workers()), NOW.after(LATER));
    assert!(model.is_live() && model.loss().is_none());
    let shown = text(&mut model);
    assert!(
        !shown.contains("as of") && !shown.contains("RECONNECTING"),
        "{shown}"
    );
}

#[test]
fn a_lost_broker_is_marked_without_the_names_and_asked_again() {
    let mut model = screen(Locality::LocalProcess);
    assert_eq!(send(&mut model, unreachable()), [Effect::LookForNode]);
    let shown = text(&mut model);
    assert_eq!(shown.matches("as of 03:04:05").count(), 2, "{shown}");
    assert!(shown.contains("DISCONNECTED, RETRY IN 2 S"), "{shown}");
    assert_eq!(wait(&mut model, Duration::from_secs(1)), []);
    let effects = wait(&mut model, Duration::from_secs(2));
    assert!(effects.contains(&Effect::Overview), "{effects:?}");
}

#[test]
fn names_of_elsewhere_do_not_make_the_broker_of_this_process_stale() {
    let mut model = screen(Locality::InProcess);
    send(&mut model, lost());
    let shown = text(&mut model);
    assert_eq!(shown.matches("as of").count(), 1, "{shown}");
    assert!(
        shown.contains("NAMES DISCONNECTED, RETRY IN 3 S"),
        "{shown}"
    );
    assert!(model.is_live());
}

#[test]
fn a_late_reply_makes_the_clocks_stand_still() {
    let mut model = screen(Locality::Remote);
    let effects = wait(&mut model, Duration::from_secs(1));
    assert!(effects.contains(&Effect::Overview), "{effects:?}");
    wait(&mut model, LATER);
    assert_eq!(model.shown_at(), NOW.after(Duration::from_secs(2)));
    update(&mut model, unreachable(), NOW.after(LATER));
    assert_eq!(model.shown_at(), NOW.after(Duration::from_secs(2)));
}

#[test]
fn freezing_stops_every_clock() {
    let mut model = screen(Locality::InProcess);
    press(&mut model, &["f"]);
    let before = draw(&mut model, 160, 36);
    wait(&mut model, LATER);
    assert_eq!(before, draw(&mut model, 160, 36));
    assert_eq!(model.deadline(), None);
    press(&mut model, &["f"]);
    wait(&mut model, LATER);
    assert_ne!(clocks(&before), clocks(&draw(&mut model, 160, 36)));
}

#[test]
fn a_node_is_started_with_one_key_when_that_of_the_folder_has_ended() {
    let mut model = screen(Locality::LocalProcess);
    assert_eq!(press(&mut model, &["N"]), []);
    let effects = send(&mut model, lost());
    assert!(effects.contains(&Effect::LookForNode), "{effects:?}");
    // It does not reply, but its process is there.
    send(&mut model, Msg::NodeFound(true));
    assert_eq!(press(&mut model, &["N"]), []);
    send(&mut model, Msg::NodeFound(false));
    let shown = text(&mut model);
    assert!(shown.contains("NODE ENDED, N STARTS ONE"), "{shown}");
    // Not by a screen that must not change anything.
    model.header.read_only = true;
    assert_eq!(press(&mut model, &["N"]), []);
    model.header.read_only = false;
    assert_eq!(press(&mut model, &["N"]), [Effect::StartNode]);
    assert!(text(&mut model).contains("STARTING A NODE"));
    assert_eq!(press(&mut model, &["N"]), []);
    let own = Header {
        fingerprint: "0wn0wn".into(),
        ..Header::default()
    };
    let effects = send(&mut model, Msg::NodeOpened(Ok(own)));
    assert!(effects.contains(&Effect::Overview), "{effects:?}");
    assert!(model.loss().is_none());
    let shown = text(&mut model);
    assert!(
        shown.contains("key 0wn0wn") && !shown.contains("as of"),
        "{shown}"
    );
}

#[test]
fn a_lost_upstream_is_in_the_status_bar_and_what_to_do_in_the_doctor_report() {
    let mut model = screen(Locality::InProcess);
    let finding = Finding {
        kind: FindingKind::UpstreamUnreachable,
        subject: "beeqscij".into(),
        text: "the upstream beeqscij at 192.168.1.20:9090 does not reply".into(),
        since: NOW.0,
        last: NOW.0,
        count: 1,
    };
    send(&mut model, Msg::Health(Some((vec![finding], 1))));
    assert!(text(&mut model).contains("UPSTREAM LOST"));
    // Its return causes no event, so the node is asked.
    let due = model.deadline().expect("a deadline");
    assert!(due <= Timestamp(NOW.0 + 5_000_000));
    let effects = wait(&mut model, Duration::from_secs(5));
    assert!(effects.contains(&Effect::Health), "{effects:?}");
    press(&mut model, &[":"]);
    super::fixture::type_text(&mut model, "doctor");
    press(&mut model, &["enter"]);
    let shown = text(&mut model);
    assert!(shown.contains("does not reply"), "{shown}");
    send(&mut model, Msg::Health(Some((vec![], 1))));
    press(&mut model, &["esc"]);
    assert!(!text(&mut model).contains("UPSTREAM LOST"));
}
