//! A recording is shown as it was, on a terminal of any size, and lets nobody in.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use proptest::prelude::*;
use ratatui::buffer::{Buffer, Cell};

use super::{
    fixture::{draw, fresh, names, overview, stats, tasks, workers},
    scenes::overlays::members_and_upstreams,
    snapshots::shown,
};
use crate::{
    queue::{
        clock::Timestamp,
        error::FailureGroup,
        event::{Event, EventBatch},
        id::{TaskId, WorkerId},
        state::State,
        storage::{Damage, Recovery},
    },
    ui::{
        action::Action,
        effect::{Click, Effect, EffectDone, Greeted, Mouse, Msg},
        key::{Key, KeyCode},
        model::Model,
        record::Recorder,
        replay::Player,
        update::update,
        verbs::TABLE,
    },
    value::signature::Signature,
};

/// A screen that is being recorded, on a world that answers at once.
struct Recorded {
    model: Model,
    recorder: Recorder,
    path: PathBuf,
    _folder: tempfile::TempDir,
    size: (u16, u16),
    now: Timestamp,
}

impl Recorded {
    fn start(size: (u16, u16)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("session");
        let mut model = fresh();
        draw(&mut model, size.0, size.1);
        let mut recorder = Recorder::create(&path).expect("a new file");
        let now = model.now;
        recorder.begin(&model.header, size, now).expect("room");
        let mut recorded = Self {
            model,
            recorder,
            path,
            _folder: folder,
            size,
            now,
        };
        recorded.handle(Msg::Started);
        recorded.handle(names());
        recorded
    }

    fn handle(&mut self, msg: Msg) {
        self.now = self.now.after(Duration::from_millis(3));
        let before = self.model.typed_text().map(str::to_owned);
        if let Msg::Resize(width, height) = &msg {
            self.size = (*width, *height);
        }
        let effects = update(&mut self.model, msg.clone(), self.now);
        let after = self.model.typed_text();
        let recorded = self
            .recorder
            .record(self.now, &msg, before.as_deref(), after);
        recorded.expect("room");
        draw(&mut self.model, self.size.0, self.size.1);
        for effect in effects {
            if let Some(response) = response(effect) {
                self.handle(response);
            }
        }
    }

    fn press(&mut self, key: &str) {
        self.handle(Msg::Key(key.parse().expect("a key")));
    }

    fn type_text(&mut self, text: &str) {
        for c in text.chars() {
            self.handle(Msg::Key(Key::char(c)));
        }
    }

    fn later(&mut self, span: Duration) {
        self.now = self.now.after(span);
        self.handle(Msg::Tick);
    }

    /// The last screen, the same screen replayed on a terminal of this size, and the recording itself.
    fn again(mut self, size: (u16, u16)) -> (Buffer, Buffer, Vec<u8>) {
        let (width, height) = self.size;
        let was = draw(&mut self.model, width, height);
        drop(self.recorder);
        let bytes = fs::read(&self.path).expect("the recording");
        let mut player = Player::open(&self.path).expect("a recording");
        let mut model = fresh();
        model.size = size;
        player.rewind(&mut model);
        // A frame at a time, each drawn, as on a slow day.
        while player.step(&mut model) {
            draw(&mut model, size.0, size.1);
        }
        player.restore_scroll(&mut model);
        (was, draw(&mut model, width, height), bytes)
    }
}

fn response(effect: Effect) -> Option<Msg> {
    Some(match effect {
        Effect::Greet { number, name } => Msg::Greeted {
            number,
            reply: Ok(Greeted {
                text: format!("Hi welcome {name}"),
                lookup: Duration::from_micros(150),
                call: Duration::from_micros(90),
            }),
        },
        Effect::Overview => overview(stats(), workers()),
        Effect::Tasks(fetch) => {
            let fits =
                |task: &crate::queue::task::Task| fetch.query.filter.states.contains(task.state);
            let page = Some(tasks().into_iter().filter(fits).collect());
            let number = fetch.number;
            Msg::Tasks { number, page }
        }
        Effect::Join(_) => {
            let joined: Result<_, String> = Ok("joined k3yk3yk3 as member".to_owned());
            Msg::EffectDone(EffectDone {
                took: Duration::from_millis(4),
                ..EffectDone::new(Action::Join, "join", joined)
            })
        }
        _ => return None,
    })
}

/// A ticket as any other, of a server that never was.
const TICKET: &str = "distro1aaaqcaqaycuacfgreiah6aaaahisebyha4dqobyha4dqobyha4dqobyha4dqobyha4dqobyha4dqobyhbeeqscijbeeqscijbeeqscijbg5sok4r";

#[test]
fn a_ticket_that_was_typed_or_pasted_is_in_no_recording() {
    let ticket = TICKET;
    let (start, _) = ticket.split_at(40);
    let (body, mistyped) = (&ticket.as_bytes()[7..], format!("{start}x"));
    for by_key in [true, false] {
        let mut screen = Recorded::start((120, 36));
        let enter = |screen: &mut Recorded, text: &str| {
            if by_key {
                screen.type_text(text);
            } else {
                screen.handle(Msg::Paste(text.to_owned()));
            }
            screen.press("enter");
        };
        screen.press(":");
        screen.type_text("join");
        screen.press("enter");
        // A slip first: it stays, and is taken away before the next attempt.
        enter(&mut screen, &mistyped);
        assert!(screen.model.typed_text().is_some(), "it asks again");
        screen.press("ctrl-u");
        enter(&mut screen, ticket);
        assert!(screen.model.typed_text().is_none(), "it was taken");
        screen.press(":");
        enter(&mut screen, &format!("join {ticket}"));
        screen.press("3");
        let (was, shown, bytes) = screen.again((120, 36));
        assert_eq!(was, shown);
        for piece in body.windows(12) {
            assert!(!bytes.windows(12).any(|seen| seen == piece), "in the file");
        }
        let keys: Vec<u8> = body.iter().copied().take(40).collect();
        let mut left = keys.iter().peekable();
        // Key by key they would be a few bytes apart.
        for byte in &bytes {
            if left.peek() == Some(&byte) {
                left.next();
            }
        }
        assert!(left.count() > 8, "key by key");
    }
}

/// As a terminal copies it out of a box, and as somebody who begins to type and then remembers.
#[test]
fn a_ticket_in_pieces_is_in_no_recording_either() {
    let (start, end) = TICKET.split_at(80);
    let (prefix, rest) = TICKET.split_at(6);
    for (typed, pasted) in [("", format!("{start}\n{end}")), (prefix, rest.to_owned())] {
        let mut screen = Recorded::start((200, 50));
        screen.press(":");
        screen.type_text("join");
        screen.press("enter");
        screen.type_text(typed);
        screen.handle(Msg::Paste(pasted));
        let buffer = draw(&mut screen.model, 200, 50);
        let text: String = buffer.content.iter().map(Cell::symbol).collect();
        screen.press("enter");
        screen.press("esc");
        let (was, shown, bytes) = screen.again((200, 50));
        assert_eq!(was, shown);
        let written = String::from_utf8_lossy(&bytes).into_owned();
        for piece in TICKET.as_bytes()[7..].windows(8) {
            let piece = std::str::from_utf8(piece).expect("base32");
            assert!(!text.contains(piece), "{piece} on the screen");
            assert!(!written.contains(piece), "{piece} in the file");
        }
    }
}

#[test]
fn nobody_is_greeted_with_a_ticket() {
    let mut screen = Recorded::start((120, 36));
    screen.press("2");
    screen.handle(Msg::Paste(TICKET.to_owned()));
    screen.press("enter");
    assert_eq!(screen.model.greeter.input.value(), TICKET);
    let hint = screen.model.greeter.hint.as_deref();
    assert!(hint.is_some_and(|hint| hint.contains(":join")), "{hint:?}");
}

#[test]
fn a_ticket_on_the_screen_is_stars() {
    let mut screen = Recorded::start((200, 50));
    screen.press(":");
    screen.handle(Msg::Paste(format!("join {TICKET}")));
    let buffer = draw(&mut screen.model, 200, 50);
    let text: String = buffer.content.iter().map(Cell::symbol).collect();
    assert!(text.contains("********"), "{text}");
    let pieces = TICKET.as_bytes()[7..].windows(6);
    for piece in pieces {
        let piece = std::str::from_utf8(piece).expect("base32");
        assert!(!text.contains(piece), "{text}");
    }
}

#[test]
fn every_message_is_read_as_it_was_recorded() {
    let task = tasks().into_iter().next();
    let id = TaskId::External("01234567-89ab-cdef-0123-456789abcdef".into());
    let group = FailureGroup {
        name: "add".into(),
        error: "too large".into(),
        count: 3,
        newest: id.clone(),
        last: Timestamp(5),
    };
    let recovery = Recovery {
        waiting: 1,
        requeued: vec![id.clone()],
        crashed: vec![TaskId::Sequence(2)],
        missing: Some((TaskId::Sequence(3), TaskId::Sequence(4))),
        damage: Some(Damage {
            error: "not a database".to_owned(),
            moved_to: "tasks.db.damaged".into(),
            salvaged: 1,
            lost: 2,
            range: Some((TaskId::Sequence(5), TaskId::Sequence(9))),
        }),
    };
    let signature = Signature::parse("ping(n: int) -> null", "Returns.").expect("reads");
    let (name, methods) = ("billing".to_owned(), Ok(vec![signature]));
    for msg in [
        names(),
        Msg::Members(Ok(members_and_upstreams())),
        overview(stats(), workers()),
        Msg::DeadLetters(Ok(vec![group])),
        Msg::Recovery(recovery),
        Msg::Methods { name, methods },
        Msg::Details {
            id,
            task: Ok(task.clone()),
        },
        Msg::RefreshedDetails(task),
    ] {
        let bytes = postcard::to_stdvec(&msg).expect("encodes");
        let read: Msg = postcard::from_bytes(&bytes).expect("decodes");
        assert_eq!(format!("{read:?}"), format!("{msg:?}"));
    }
}

/// A recording is a fixture: one that was made by an earlier build shows the screens of then. When what
/// is recorded has changed its form, the version in [`crate::ui::record::MAGIC`] goes up, and
/// `UPDATE_DOCS=1` records anew.
#[test]
fn a_recording_of_an_earlier_build_is_shown() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ui/tests/session.recording");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let (_, _, bytes) = morning().again((120, 36));
        fs::write(&path, bytes).expect("room");
    }
    let mut player = Player::open(&path).expect("it can be read");
    let mut model = fresh();
    model.size = (120, 36);
    player.rewind(&mut model);
    for second in [1, 60, 3_600] {
        player.seek(Duration::from_secs(second), &mut model);
        let screen = draw(&mut model, 120, 36);
        insta::assert_snapshot!(format!("recorded_{second}_s"), shown(&screen));
    }
}

/// Somebody greets, looks for a failure, and reads what went wrong.
fn morning() -> Recorded {
    let mut screen = Recorded::start((120, 36));
    screen.press("2");
    screen.type_text("Ali");
    screen.press("enter");
    screen.later(Duration::from_secs(20));
    screen.press("esc");
    screen.press("3");
    screen.press("/");
    screen.type_text("state:failed");
    screen.press("enter");
    screen.later(Duration::from_secs(60));
    screen.press("enter");
    screen
}

#[derive(Debug, Clone)]
enum TestStep {
    Key(Key),
    Text(String),
    Paste(String),
    Mouse(u16, u16, u8),
    Size(u16, u16),
    Ended(u8, u64),
    Later(u64),
}

fn step() -> impl Strategy<Value = TestStep> {
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
        KeyCode::Left,
    ]
    .map(Key::plain);
    prop_oneof![
        12 => prop::sample::select(known).prop_map(TestStep::Key),
        2 => prop::sample::select(edits.to_vec()).prop_map(TestStep::Key),
        2 => "[0-9a-z +:]{0,12}".prop_map(TestStep::Text),
        1 => "[0-9a-z +:]{0,30}".prop_map(TestStep::Paste),
        2 => (0u16..160, 0u16..50, 0u8..3).prop_map(|(x, y, b)| TestStep::Mouse(x, y, b)),
        1 => (20u16..160, 5u16..50).prop_map(|(w, h)| TestStep::Size(w, h)),
        2 => (any::<u8>(), 1u64..9).prop_map(|(s, n)| TestStep::Ended(s, n)),
        1 => (0u64..40_000).prop_map(TestStep::Later),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn a_recording_shows_the_same_screen_again(
        steps in prop::collection::vec(step(), 1..60),
        size in (20u16..160, 5u16..50),
    ) {
        let mut screen = Recorded::start((100, 30));
        for step in steps {
            match step {
                TestStep::Key(key) => screen.handle(Msg::Key(key)),
                TestStep::Text(text) => screen.type_text(&text),
                TestStep::Paste(text) => screen.handle(Msg::Paste(text)),
                TestStep::Mouse(x, y, button) => {
                    let what = [Click::Left, Click::WheelUp, Click::WheelDown][usize::from(button)];
                    screen.handle(Msg::Mouse(Mouse { x, y, what }));
                }
                TestStep::Size(width, height) => screen.handle(Msg::Resize(width, height)),
                TestStep::Ended(state, count) => {
                    let state = State::ALL[usize::from(state) % State::COUNT];
                    let events = (0..count).map(|n| Event::Finished {
                        id: TaskId::Sequence(n), name: "add".into(),
                        state,
                        worker: Some(WorkerId::Local(1)),
                        run_time: Duration::from_millis(n),
                    });
                    let batch = EventBatch { at: screen.now, events: events.collect(), dropped: 0 };
                    screen.handle(Msg::Broker(batch));
                }
                TestStep::Later(ms) => screen.later(Duration::from_millis(ms)),
            }
        }
        let (was, shown, _) = screen.again(size);
        prop_assert_eq!(was, shown);
    }
}

#[test]
fn a_list_that_the_recorded_terminal_hid_keeps_its_position() {
    let mut screen = Recorded::start((100, 30));
    screen.press("3");
    screen.handle(Msg::Resize(20, 8));
    screen.type_text("  ");
    screen.press("1");
    screen.handle(Msg::Resize(64, 21));
    let (was, shown, _) = screen.again((64, 20));
    assert_eq!(was, shown);
}
