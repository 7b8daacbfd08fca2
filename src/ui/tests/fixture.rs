//! A model with something of everything in it, the same every time.

use std::time::Duration;

use jiff::tz::TimeZone;
use ratatui::{buffer::Buffer, layout::Rect};

use crate::{
    config::{ColorDepth, SymbolSet},
    net::{
        naming::{Health, NameEvent as NamingEvent, Record},
        trust::key::PublicKey,
        uri::Uri,
    },
    node::NamesEvent,
    queue::{
        clock::Timestamp,
        event::{Event, EventBatch},
        id::{TaskId, WorkerId},
        payload::Payload,
        query::Page,
        state::State,
        stats::{NameStats, Percentiles, Stats, StorageStats},
        storage::Durability,
        task::{Attempt, Progress, Task},
        timeline::{ActivityTimeline, Span},
        worker::{RunningTask, WorkerState, WorkerStatus},
    },
    ui::{
        effect::{Effect, Greeted, Msg},
        key::{Key, KeyCode},
        model::{Header, Model},
        theme::Theme,
        update::update,
        verbs::keys::bind_keys,
        view,
    },
};

/// 2026-01-02 03:04:05 UTC.
pub(crate) const NOW: Timestamp = Timestamp(1_767_323_045_000_000);

pub(crate) fn ago(ms: u64) -> Timestamp {
    Timestamp(NOW.0 - ms * 1_000)
}

pub(crate) fn theme(name: &str, depth: ColorDepth, set: SymbolSet) -> Theme {
    Theme::load(name, depth, set).expect("a theme of ours")
}

/// A screen that has just started.
pub(crate) fn fresh() -> Model {
    let theme = theme("dark", ColorDepth::True, SymbolSet::Unicode);
    let mut model = Model::new(
        theme,
        bind_keys(&std::collections::BTreeMap::new()).expect("the default keys"),
        TimeZone::UTC,
    );
    model.header = Header {
        fingerprint: "k3yk3yk3".into(),
        addr: "127.0.0.1:4433".into(),
        engine: "embedded".into(),
        ..Header::default()
    };
    model.now = NOW;
    model
}

/// A screen in the middle of things.
pub(crate) fn busy() -> Model {
    let mut model = fresh();
    send(&mut model, names());
    for (number, (name, lookup, call)) in greetings().into_iter().enumerate() {
        let number = number as u64 + 1;
        model.greeter.start(ago(9_000 - number * 700), name.into());
        let reply = Ok(Greeted {
            text: format!("Hi welcome {name}"),
            lookup: Duration::from_micros(lookup),
            call: Duration::from_micros(call),
        });
        send(&mut model, Msg::Greeted { number, reply });
    }
    let batch = EventBatch {
        at: ago(400),
        events: (5..9)
            .map(|n| Event::Finished {
                id: TaskId::Sequence(n),
                name: "add".into(),
                state: if n == 7 {
                    State::Failed
                } else {
                    State::Succeeded
                },
                worker: Some(WorkerId::Local(1 + (n % 3) as u16)),
                run_time: Duration::from_millis(180 + 40 * n),
            })
            .collect(),
        dropped: 0,
    };
    for effect in send(&mut model, Msg::Broker(batch)) {
        complete_fetch(&mut model, &effect);
    }
    complete_fetches(&mut model);
    model
}

/// The reply with statistics and workers.
pub(crate) fn overview(stats: Stats, workers: Vec<WorkerStatus>) -> Msg {
    Msg::Overview {
        stats: Some(Box::new(stats)),
        workers: Some(workers),
        unreachable: None,
    }
}

/// Answers every question that the model has open, from the fixture's world.
pub(crate) fn complete_fetches(model: &mut Model) {
    for effect in send(model, overview(stats(), workers())) {
        complete_fetch(model, &effect);
    }
    if let Some(fetch) = model.tasks.refresh() {
        complete_fetch(model, &Effect::Tasks(fetch));
    }
}

pub(crate) fn complete_fetch(model: &mut Model, effect: &Effect) {
    if let Effect::Tasks(fetch) = effect {
        let fits = |task: &Task| fetch.query.filter.states.contains(task.state);
        let page: Page = tasks().into_iter().filter(fits).collect();
        let number = fetch.number;
        send(
            model,
            Msg::Tasks {
                number,
                page: Some(page),
            },
        );
    }
}

pub(crate) fn send(model: &mut Model, msg: Msg) -> Vec<Effect> {
    update(model, msg, NOW)
}

/// Presses keys, written as the keymap writes them, and answers what the model asks the broker for.
pub(crate) fn press(model: &mut Model, keys: &[&str]) -> Vec<Effect> {
    let mut all = Vec::new();
    for key in keys {
        let effects = send(model, Msg::Key(key.parse().expect("a key")));
        for effect in &effects {
            complete_fetch(model, effect);
        }
        all.extend(effects);
    }
    all
}

pub(crate) fn type_text(model: &mut Model, text: &str) {
    for c in text.chars() {
        send(model, Msg::Key(Key::plain(KeyCode::Char(c))));
    }
}

/// Draws the model at a size.
pub(crate) fn draw(model: &mut Model, width: u16, height: u16) -> Buffer {
    model.size = (width, height);
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    let drawn = view::draw(&mut buffer, area, model);
    model.set_regions(drawn.regions);
    buffer
}

pub(crate) fn names() -> Msg {
    let record = |name: &str, key: u8, port: u16, health, lease_ms| Record {
        name: name.into(),
        uri: Uri::distro(name, std::net::SocketAddr::from(([127, 0, 0, 1], port))),
        owner: PublicKey::from_bytes([key; 32]).into(),
        tags: vec!["demo".into()],
        lease_ms,
        health,
        share: crate::net::naming::ShareRule::Owner,
    };
    Msg::Names(NamesEvent::Changed(NamingEvent::Snapshot {
        revision: 4,
        first: true,
        more: false,
        records: vec![
            record("billing", 0x5a, 50_122, Health::Suspect, Some(15_000)),
            record("naming", 0x3c, 4_433, Health::Live, None),
            record("server", 0x3c, 4_433, Health::Live, Some(15_000)),
            record("server", 0x77, 50_207, Health::Live, Some(15_000)),
            record("weather-站", 0x91, 50_388, Health::Live, Some(60_000)),
        ],
    }))
}

fn greetings() -> Vec<(&'static str, u64, u64)> {
    vec![
        ("Ali", 1_130, 640),
        ("Bea", 310, 220),
        ("Çelik", 290, 205),
        ("Dag", 340, 260),
        ("漢字", 280, 190),
        ("Eve", 420, 310),
        ("Finn", 300, 215),
    ]
}

fn task(id: u64, args: &str, state: State) -> Task {
    let started = !matches!(state, State::Queued | State::Scheduled | State::Expired);
    let finished = state.is_finished();
    Task {
        id: TaskId::Sequence(id),
        name: "add".into(),
        payload: Payload::from_json(args.into()),
        state,
        native_state: None,
        cancelling: false,
        priority: 5,
        attempts: u8::from(started),
        max_attempts: 5,
        submitted_at: ago(12_000 - id * 300),
        due_at: None,
        started_at: started.then(|| ago(9_000 - id * 400)),
        finished_at: finished.then(|| ago(8_800 - id * 433)),
        worker: started.then_some(WorkerId::Local(1 + (id % 3) as u16)),
        result: (state == State::Succeeded).then(|| "5".into()),
        queue: None,
        key: None,
        crashes: 0,
        progress: (state == State::Running).then_some(Progress {
            done: 1_150,
            total: 2_000,
        }),
        expires_at: None,
        wait_time: started.then(|| Duration::from_millis(3_000)),
        run_time: finished.then(|| ago(8_800 - id * 433).since(ago(9_000 - id * 400))),
        error: None,
        attempts_history: Vec::new(),
    }
}

pub(crate) fn tasks() -> Vec<Task> {
    let failed = Task {
        error: Some("int too large to convert to float".into()),
        attempts_history: vec![Attempt {
            worker: Some(WorkerId::Local(2)),
            wait_time: Duration::from_millis(12),
            started_at: ago(6_000),
            run_time: Duration::from_micros(80),
            error: "int too large to convert to float".into(),
        }],
        ..task(7, "[99999999999999999999999999,1.5]", State::Failed)
    };
    let retrying = Task {
        due_at: Some(Timestamp(NOW.0 + 4_000_000)),
        error: failed.error.clone(),
        attempts_history: failed.attempts_history.clone(),
        attempts: 2,
        ..task(9, "[1,2]", State::Retrying)
    };
    let scheduled = Task {
        due_at: Some(Timestamp(NOW.0 + 60_000_000)),
        ..task(13, "[8,9]", State::Scheduled)
    };
    let cancelling = Task {
        cancelling: true,
        ..task(11, "[4,5,30]", State::Running)
    };
    let hostile = Task {
        payload: Payload::from_json("[\"\\u001b[2J\u{1b}[31m\u{202e}\",1]".into()),
        ..task(4, "", State::Cancelled)
    };
    let huge = Task {
        result: Some("123456789012345678901234567891".into()),
        ..task(3, "[123456789012345678901234567890,1]", State::Succeeded)
    };
    vec![
        scheduled,
        task(12, "[6,7]", State::Queued),
        cancelling,
        task(10, "[2,3,4.5]", State::Running),
        retrying,
        task(8, "[2,3]", State::Succeeded),
        failed,
        task(6, "[2,3]", State::Succeeded),
        task(5, "[-1,2.5]", State::Succeeded),
        hostile,
        huge,
        task(2, "[1,1]", State::Expired),
        task(1, "[2,3]", State::Succeeded),
    ]
}

pub(crate) fn stats() -> Stats {
    let mut counts = [0; State::COUNT];
    for task in tasks() {
        counts[task.state.index()] += 1;
    }
    let ms = Duration::from_millis;
    Stats {
        counts,
        submitted: 13,
        desired_workers: 2,
        backlog_limit: 1_000_000,
        storage: Some(StorageStats {
            durability: Durability::Power,
            bytes: 12 << 20,
            byte_limit: 512 << 20,
            count_limit: 100_000,
            commits: Percentiles {
                count: 1_204,
                p50: ms(1),
                p95: ms(3),
                p99: ms(6),
                max: ms(21),
            },
            ..StorageStats::default()
        }),
        names: vec![NameStats {
            name: "add".into(),
            succeeded: 118,
            failed: 3,
            wait: Percentiles {
                count: 121,
                p50: ms(3),
                p95: ms(20),
                p99: ms(41),
                max: ms(44),
            },
            run: Percentiles {
                count: 121,
                p50: ms(210),
                p95: ms(380),
                p99: ms(396),
                max: ms(400),
            },
        }],
        rate: (0..120)
            .map(|n| (n * n / 7 % 23) * u32::from(n > 60))
            .collect(),
        rate_until: NOW.0 / 1_000_000,
        wait: Percentiles {
            count: 9,
            p50: ms(3),
            p95: ms(20),
            p99: ms(41),
            max: ms(44),
        },
        run: Percentiles {
            count: 9,
            p50: ms(210),
            p95: ms(380),
            p99: ms(396),
            max: ms(400),
        },
        at: NOW,
        ..Stats::default()
    }
}

pub(crate) fn workers() -> Vec<WorkerStatus> {
    (1..=3)
        .map(|n| {
            let mut timeline = ActivityTimeline::default();
            let mut at = 27_000 - 2_000 * u64::from(n);
            let mut i = u64::from(n);
            while at > 1_200 {
                let length = 200 + (i * 7_919) % 900;
                let mut span = Span::of_task(ago(at), ago(at.saturating_sub(length)));
                span.failed = n == 2 && i.is_multiple_of(9);
                timeline.push(span);
                at = at.saturating_sub(length + if i.is_multiple_of(5) { 900 } else { 0 });
                i += 1;
            }
            WorkerStatus {
                id: WorkerId::Local(n),
                state: [WorkerState::Busy, WorkerState::Stopping, WorkerState::Idle]
                    [usize::from(n) - 1],
                current: (n < 3).then(|| RunningTask {
                    progress: (n == 1).then_some(Progress {
                        done: 1_150,
                        total: 2_000,
                    }),
                    id: TaskId::Sequence(9 + u64::from(n)),
                    name: "add".into(),
                    since: ago(1_150),
                }),
                done: 40 + u64::from(n) * 3,
                failed: u64::from(n == 2),
                cancelled: 0,
                started_at: ago(60_000),
                timeline,
            }
        })
        .collect()
}
