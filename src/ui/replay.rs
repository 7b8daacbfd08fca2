//! Showing what was recorded: the same messages into the same core, at the same times or faster.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    time::Duration,
};

use crossterm::event::{Event, EventStream};
use futures_util::StreamExt;
use ratatui::{buffer::Buffer, layout::Rect};
use tokio::time::{Instant, sleep_until};

use super::{
    effect::Msg,
    key::Key,
    layout::Regions,
    model::{Model, Replay},
    record::{Frame, MAGIC, MOST, Received, RecordingHeader, rows},
    run::message,
    signals::{Signal, Signals},
    term::{self, Term},
    update::update,
    verbs::{Action, scope},
    view,
};
use crate::queue::{clock::Timestamp, query::Page, task::Task};

/// The least time between two frames on the terminal.
const FRAME: Duration = Duration::from_millis(16);
/// How far one key goes.
const LEAP: Duration = Duration::from_secs(10);
/// The slowest and the fastest.
const SPEEDS: (f64, f64) = (0.125, 128.0);

/// A recording that cannot be shown.
#[derive(Debug)]
pub(super) struct NoRecording {
    path: PathBuf,
    why: String,
}

impl fmt::Display for NoRecording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.why)
    }
}

impl std::error::Error for NoRecording {}

/// A recording, and how far it has been shown.
pub(super) struct Player {
    bytes: Vec<u8>,
    start: RecordingHeader,
    /// Where the frames begin.
    first: usize,
    /// Where the next frame is.
    next: usize,
    /// The time of what was shown last.
    now: Timestamp,
    length: Duration,
    /// The rows of the page before.
    rows: Vec<Task>,
    /// How large the terminal was: what a key or a click meant depends on it.
    size: (u16, u16),
    /// What was where on it, the last time that mattered.
    regions: Regions,
}

impl Player {
    pub(super) fn open(path: &Path) -> Result<Self, NoRecording> {
        let wrong = |why: String| NoRecording {
            path: path.to_owned(),
            why,
        };
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MOST + 1).read_to_end(&mut bytes))
            .map_err(|e| wrong(e.to_string()))?;
        Self::new(bytes).map_err(|why| wrong(why.to_owned()))
    }

    /// Reads a whole recording, which may have lost its tail.
    pub(super) fn new(bytes: Vec<u8>) -> Result<Self, &'static str> {
        let other = "this is no recording of distro-tui, or one of another version";
        if !bytes.starts_with(MAGIC) {
            return Err(other);
        }
        let (start, first) = frame(&bytes, MAGIC.len()).ok_or(other)?;
        let start: RecordingHeader = postcard::from_bytes(start).map_err(|_changed| other)?;
        let mut player = Self {
            now: start.at,
            size: start.size,
            start,
            first,
            next: first,
            length: Duration::ZERO,
            rows: Vec::new(),
            regions: Regions::default(),
            bytes,
        };
        let mut at = first;
        while let Some((body, next)) = frame(&player.bytes, at) {
            let (after, _rest): (u64, _) =
                postcard::take_from_bytes(body).map_err(|_changed| other)?;
            player.length += Duration::from_micros(after);
            at = next;
        }
        Ok(player)
    }

    /// Begins anew on a screen.
    pub(super) fn rewind(&mut self, model: &mut Model) {
        self.next = self.first;
        self.now = self.start.at;
        self.rows.clear();
        self.size = self.start.size;
        self.regions = Regions::default();
        let theme = model.theme.clone();
        let mut fresh = Model::new(theme, model.keymap.clone(), model.zone.clone());
        fresh.about = self.start.about();
        fresh.size = model.size;
        fresh.now = self.now;
        fresh.version = model.version + 1;
        *model = fresh;
    }

    /// How far it is.
    pub(super) fn at(&self) -> Duration {
        self.now.since(self.start.at)
    }

    /// When the next frame is due, counted from the beginning.
    fn next_at(&self) -> Option<Duration> {
        let (body, _) = frame(&self.bytes, self.next)?;
        let (after, _rest): (u64, _) = postcard::take_from_bytes(body).ok()?;
        Some(self.at() + Duration::from_micros(after))
    }

    /// Shows the next frame; answers whether there was one.
    pub(super) fn step(&mut self, model: &mut Model) -> bool {
        let Some((body, next)) = frame(&self.bytes, self.next) else {
            return false;
        };
        let Ok(Frame { after, what }) = postcard::from_bytes(body) else {
            // What cannot be read ends it, as the end does.
            self.bytes.truncate(self.next);
            return false;
        };
        self.next = next;
        self.now = self.now.after(Duration::from_micros(after));
        let msg = match what {
            Received::Msg(msg) => *msg,
            Received::Tasks { number, rows: new } => Msg::Tasks {
                number,
                page: new.map(|new| {
                    self.rows = rows(&self.rows, new);
                    Page {
                        tasks: self.rows.clone(),
                        resume_at: None,
                    }
                }),
            },
        };
        // It is shown at the size of this terminal, and nothing is done to the world.
        match msg {
            Msg::Resize(..) | Msg::Key(_) | Msg::Mouse(_) => self.as_it_was(model, msg),
            other => drop(update(model, other, self.now)),
        }
        true
    }

    /// What a key does depends on how many rows were seen, and a click on what was where.
    fn as_it_was(&mut self, model: &mut Model, msg: Msg) {
        let shown = std::mem::replace(&mut model.size, self.size);
        let area = Rect::new(0, 0, self.size.0, self.size.1);
        self.scroll_back(model);
        self.regions = view::draw(&mut Buffer::empty(area), area, model).regions;
        self.scroll_back(model);
        update(model, msg, self.now);
        self.size = std::mem::replace(&mut model.size, shown);
    }

    /// Scrolls every list to where it was when this was recorded.
    pub(super) fn scroll_back(&self, model: &mut Model) {
        model.set_regions(self.regions.clone());
    }

    /// Shows everything up to a time.
    pub(super) fn go_to(&mut self, to: Duration, model: &mut Model) {
        if to < self.at() {
            self.rewind(model);
        }
        while self.next_at().is_some_and(|at| at <= to) && self.step(model) {}
    }
}

/// The body of the frame at a place, and the place behind it.
fn frame(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let head = bytes.get(at..)?.first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*head)).ok()?;
    let end = at.checked_add(4)?.checked_add(length)?;
    Some((bytes.get(at + 4..end)?, end))
}

/// How it is being shown.
struct Show {
    model: Model,
    player: Player,
    speed: f64,
    paused: bool,
    /// When it was where, to know how far it should be now.
    since: (Instant, Duration),
}

impl Show {
    /// How far it should be by now.
    fn should_be(&self) -> Duration {
        let (since, at) = self.since;
        if self.paused {
            return at;
        }
        at + since.elapsed().mul_f64(self.speed)
    }

    fn mark(&mut self, at: Duration) {
        self.since = (Instant::now(), at.min(self.player.length));
    }

    /// When the next frame is due.
    fn due(&self) -> Option<Instant> {
        let next = self.player.next_at().filter(|_| !self.paused)?;
        let (since, at) = self.since;
        Some(since + next.saturating_sub(at).div_f64(self.speed))
    }

    /// Acts on a key, and returns whether to go on.
    fn press(&mut self, key: Key) -> bool {
        let now = self.should_be();
        match self.model.keymap.action(scope::REPLAY, key) {
            Some(Action::Close | Action::Interrupt) => return false,
            Some(Action::ReplayPause) => {
                self.mark(now);
                self.paused = !self.paused;
            }
            Some(Action::ReplayFaster) => self.set_speed(now, self.speed * 2.0),
            Some(Action::ReplaySlower) => self.set_speed(now, self.speed / 2.0),
            Some(Action::ReplayStep) => {
                self.paused = true;
                self.player.step(&mut self.model);
                self.mark(self.player.at());
            }
            Some(Action::ReplayForward) => self.leap(now + LEAP),
            Some(Action::ReplayBack) => self.leap(now.saturating_sub(LEAP)),
            Some(Action::Top) => self.leap(Duration::ZERO),
            Some(Action::Bottom) => self.leap(self.player.length),
            _ => {}
        }
        self.model.touch();
        true
    }

    fn set_speed(&mut self, now: Duration, speed: f64) {
        self.mark(now);
        self.speed = speed.clamp(SPEEDS.0, SPEEDS.1);
    }

    fn leap(&mut self, to: Duration) {
        let to = to.min(self.player.length);
        self.player.go_to(to, &mut self.model);
        self.mark(to);
    }

    /// Shows what is due.
    fn catch_up(&mut self) {
        let to = self.should_be();
        self.player.go_to(to, &mut self.model);
        self.model.replay = Some(Replay {
            at: self.player.at().max(to).min(self.player.length),
            length: self.player.length,
            speed: self.speed,
            paused: self.paused,
        });
    }
}

/// Shows a recording until somebody has seen enough.
pub(super) async fn run(
    mut model: Model,
    mut player: Player,
    speed: f64,
    paused: bool,
) -> io::Result<()> {
    let mut term = Term::enter(false)?;
    model.size = term.size()?;
    player.rewind(&mut model);
    let mut show = Show {
        model,
        player,
        speed: speed.clamp(SPEEDS.0, SPEEDS.1),
        paused,
        since: (Instant::now(), Duration::ZERO),
    };
    let mut keys = EventStream::new();
    let mut signals = Signals::listen()?;
    loop {
        show.catch_up();
        term.draw(&mut show.model)?;
        let drawn = Instant::now();
        let due = show.due().map(|due| due.max(drawn + FRAME));
        let next = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        let event = tokio::select! {
            signal = signals.next() => match signal {
                Signal::End(_) => return Ok(()),
                Signal::Stop => {
                    term::restore();
                    super::signals::suspend_process_group();
                    term.reenter()?;
                    continue;
                }
                Signal::Continue => {
                    term.reenter()?;
                    continue;
                }
            },
            event = keys.next() => Some(event),
            () = next => None,
        };
        match event {
            None => {}
            Some(None) => return Ok(()),
            Some(Some(Err(error))) => return Err(error),
            Some(Some(Ok(Event::Resize(width, height)))) => {
                show.model.size = (width, height);
                show.model.touch();
            }
            Some(Some(Ok(event))) => match message(event) {
                Some(Msg::Key(key)) if !show.press(key) => return Ok(()),
                _ => {}
            },
        }
    }
}
