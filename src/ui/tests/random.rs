//! Keys, clicks, pastes, sizes and news at random: nothing makes the screen panic, and nothing from
//! outside reaches a cell as a control character.

use proptest::prelude::*;

use super::fixture::{busy, complete_fetch, complete_fetches, draw, send};
use crate::{
    net::{
        naming::{Health, NameEvent as NamingEvent, Record},
        uri::Uri,
    },
    node::NamesEvent,
    queue::{
        clock::Timestamp,
        event::{Event, EventBatch},
        id::{TaskId, WorkerId},
        payload::Payload,
        state::State,
        task::Task,
    },
    ui::{
        action::Action,
        effect::{Click, EffectDone, Greeted, Mouse, Msg},
        key::{Key, KeyCode},
        verbs::TABLE,
    },
};

#[derive(Debug, Clone)]
enum Input {
    Key(Key),
    Text(String),
    Paste(String),
    Mouse(u16, u16, u8),
    Size(u16, u16),
    Names(Vec<(String, String, u8)>),
    Ended(u8, u64),
    Tasks(Vec<(u64, usize, String)>),
    Greeted(String, bool),
    Said(String, bool),
    Later(u64),
    Answers,
}

fn nasty() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,20}",
        "[\u{0}-\u{9f}\u{200b}-\u{2070}a-z👩🏽‍👧漢字]{0,40}",
        Just("x".repeat(10_000)),
        Just("\u{1b}]0;owned\u{7}\u{1b}[2J\u{1b}[?1049l".to_owned()),
    ]
}

fn key() -> impl Strategy<Value = Key> {
    let known: Vec<Key> = TABLE
        .iter()
        .flat_map(|spec| spec.keys)
        .flat_map(|(_, keys)| *keys)
        .map(|key| key.parse().expect("a key of ours"))
        .collect();
    let edits = [
        KeyCode::Esc,
        KeyCode::Enter,
        KeyCode::Backspace,
        KeyCode::Delete,
        KeyCode::Left,
        KeyCode::Right,
        KeyCode::Home,
        KeyCode::End,
    ]
    .map(Key::plain);
    prop_oneof![
        4 => prop::sample::select(known),
        2 => prop::sample::select(edits.to_vec()),
        1 => any::<char>().prop_map(Key::char),
        1 => any::<char>().prop_map(Key::ctrl),
    ]
}

fn input() -> impl Strategy<Value = Input> {
    prop_oneof![
        12 => key().prop_map(Input::Key),
        2 => "[0-9a-z +:./,-]{0,12}".prop_map(Input::Text),
        1 => nasty().prop_map(Input::Paste),
        2 => (0u16..220, 0u16..60, 0u8..3).prop_map(|(x, y, b)| Input::Mouse(x, y, b)),
        2 => (0u16..220, 0u16..60).prop_map(|(w, h)| Input::Size(w, h)),
        1 => prop::collection::vec((nasty(), nasty(), any::<u8>()), 0..6).prop_map(Input::Names),
        1 => (any::<u8>(), 0u64..40).prop_map(|(s, n)| Input::Ended(s, n)),
        1 => prop::collection::vec((0u64..99, 0usize..8, nasty()), 0..40).prop_map(Input::Tasks),
        1 => (nasty(), any::<bool>()).prop_map(|(t, ok)| Input::Greeted(t, ok)),
        1 => (nasty(), any::<bool>()).prop_map(|(t, ok)| Input::Said(t, ok)),
        1 => (0u64..40_000).prop_map(Input::Later),
        1 => Just(Input::Answers),
    ]
}

fn record((name, uri, key): (String, String, u8)) -> Record {
    Record {
        name,
        tags: vec![uri.clone()],
        uri: Uri::Other {
            scheme: "x".into(),
            rest: uri,
        },
        owner: crate::net::trust::key::PublicKey::from_bytes([key; 32]).into(),
        lease_ms: key.is_multiple_of(2).then_some(15_000),
        health: if key.is_multiple_of(3) {
            Health::Suspect
        } else {
            Health::Live
        },
        share: crate::net::naming::ShareRule::Owner,
    }
}

fn task((id, state, text): (u64, usize, String)) -> Task {
    Task {
        id: TaskId::Sequence(id),
        payload: Payload::from_json(text.as_str().into()),
        state: State::ALL[state],
        result: Some(text.into()),
        ..super::fixture::tasks().remove(0)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn nothing_makes_the_screen_panic(inputs in prop::collection::vec(input(), 1..60)) {
        let mut model = busy();
        let mut now = model.now;
        let (mut width, mut height) = (80, 24);
        for input in inputs {
            let effects = match input {
                Input::Key(key) => send(&mut model, Msg::Key(key)),
                Input::Text(text) => {
                    for c in text.chars() {
                        send(&mut model, Msg::Key(Key::char(c)));
                    }
                    vec![]
                }
                Input::Paste(text) => send(&mut model, Msg::Paste(text)),
                Input::Mouse(x, y, button) => {
                    let what = [Click::Left, Click::WheelUp, Click::WheelDown][usize::from(button)];
                    send(&mut model, Msg::Mouse(Mouse { x, y, what }))
                }
                Input::Size(w, h) => {
                    (width, height) = (w, h);
                    send(&mut model, Msg::Resize(w, h))
                }
                Input::Names(records) => {
                    let records = records.into_iter().map(record).collect();
                    let event = NamingEvent::Snapshot { revision: 9, first: true, more: false, records };
                    send(&mut model, Msg::Names(NamesEvent::Changed(event)))
                }
                Input::Ended(state, count) => {
                    let state = State::ALL[usize::from(state) % State::COUNT];
                    let events = (0..count).map(|n| Event::Finished {
                        id: TaskId::Sequence(n), name: "add".into(),
                        state,
                        worker: Some(WorkerId::Local(1)),
                        run_time: std::time::Duration::from_millis(n),
                    });
                    let batch = EventBatch { at: now, events: events.collect(), dropped: count };
                    send(&mut model, Msg::Broker(batch))
                }
                Input::Tasks(tasks) => {
                    let page = Some(tasks.into_iter().map(task).collect());
                    match model.tasks.refresh() {
                        Some(fetch) => send(&mut model, Msg::Tasks { number: fetch.number, page }),
                        None => vec![],
                    }
                }
                Input::Greeted(text, ok) => {
                    let number = model.greeter.start(now, text.clone());
                    let time = std::time::Duration::from_micros(text.len() as u64);
                    let reply = if ok { Ok(Greeted { text, lookup: time, call: time }) } else { Err(text) };
                    send(&mut model, Msg::Greeted { number, reply })
                }
                Input::Said(text, ok) => {
                    let result = if ok { Ok(text) } else { Err(text) };
                    let (action, what) = if ok { (Action::Call, "x.y()") } else { (Action::Export, "export") };
                    send(&mut model, Msg::EffectDone(EffectDone::new(action, what, result)))
                }
                Input::Later(ms) => {
                    now = Timestamp(now.0 + ms * 1_000);
                    crate::ui::update::update(&mut model, Msg::Tick, now)
                }
                Input::Answers => {
                    complete_fetches(&mut model);
                    vec![]
                }
            };
            for effect in &effects {
                complete_fetch(&mut model, effect);
            }
            prop_assert!(model.layers.len() < 80);
            let buffer = draw(&mut model, width, height);
            for cell in &buffer.content {
                prop_assert!(!cell.symbol().chars().any(char::is_control), "{:?}", cell.symbol());
            }
            if let Some(deadline) = model.deadline() {
                prop_assert!(deadline > Timestamp(0));
            }
        }
    }
}
