//! Replaying a recording: the same messages into the same core, at the same times or faster.

use std::{
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
    action::Action,
    effect::Msg,
    key::Key,
    model::{Model, Replay, Scroll},
    record::{Frame, FrameBody, MAGIC, MAX_BYTES, RecordingHeader, rows},
    run::to_message,
    scope,
    signals::{OsSignal, Signals},
    term::{self, Term},
    update::update,
    view,
};
use crate::{
    cause::Cause,
    files,
    queue::{clock::Timestamp, query::Page, task::Task},
};

/// The minimum time between two frames.
const FRAME_INTERVAL: Duration = Duration::from_millis(16);
/// The distance that one key skips.
const SKIP: Duration = Duration::from_secs(10);
/// The minimum and the maximum speed.
const SPEEDS: (f64, f64) = (0.125, 128.0);

/// The reason why a recording cannot be replayed.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub(super) struct ReplayError {
    path: PathBuf,
    #[source]
    reason: Cause,
}

/// A recording and the position in it.
pub(super) struct Player {
    bytes: Vec<u8>,
    start: RecordingHeader,
    /// The offset of the first frame.
    first: usize,
    /// The offset of the next frame.
    next: usize,
    /// The time of the last frame.
    now: Timestamp,
    length: Duration,
    /// The rows of the previous page.
    rows: Vec<Task>,
    /// The size of the recorded terminal: the effect of a key or a click depends on it.
    size: (u16, u16),
    /// The scroll positions on it, also of lists that it did not show.
    scroll: Scroll,
}

impl Player {
    pub(super) fn open(path: &Path) -> Result<Self, ReplayError> {
        let invalid = |reason: Cause| ReplayError {
            path: path.to_owned(),
            reason,
        };
        let mut bytes = Vec::new();
        File::open(path)
            .and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes))
            .map_err(|e| invalid(Cause::described(files::describe_error(&e), e)))?;
        Self::new(bytes).map_err(invalid)
    }

    /// Reads a recording, which may be truncated.
    pub(super) fn new(bytes: Vec<u8>) -> Result<Self, Cause> {
        let message = "this is not a distro-tui recording, or it is one of another version";
        let invalid = |e: postcard::Error| Cause::described(message, e);
        if !bytes.starts_with(MAGIC) {
            return Err(Cause::from_message(message));
        }
        let (start, first) =
            frame(&bytes, MAGIC.len()).ok_or_else(|| Cause::from_message(message))?;
        let start: RecordingHeader = postcard::from_bytes(start).map_err(invalid)?;
        let mut player = Self {
            now: start.at,
            size: start.size,
            start,
            first,
            next: first,
            length: Duration::ZERO,
            rows: Vec::new(),
            scroll: Scroll::default(),
            bytes,
        };
        let mut at = first;
        while let Some((body, next)) = frame(&player.bytes, at) {
            let (after, _rest): (u64, _) = postcard::take_from_bytes(body).map_err(invalid)?;
            player.length += Duration::from_micros(after);
            at = next;
        }
        Ok(player)
    }

    /// Returns to the start and resets the model.
    pub(super) fn rewind(&mut self, model: &mut Model) {
        self.next = self.first;
        self.now = self.start.at;
        self.rows.clear();
        self.size = self.start.size;
        self.scroll = Scroll::default();
        let theme = model.theme.clone();
        let mut fresh = Model::new(theme, model.keymap.clone(), model.zone.clone());
        fresh.header = self.start.header();
        fresh.size = model.size;
        fresh.now = self.now;
        fresh.version = model.version + 1;
        *model = fresh;
    }

    /// Returns the position.
    pub(super) fn at(&self) -> Duration {
        self.now.since(self.start.at)
    }

    /// Returns the time of the next frame, from the start.
    fn next_at(&self) -> Option<Duration> {
        let (body, _) = frame(&self.bytes, self.next)?;
        let (after, _rest): (u64, _) = postcard::take_from_bytes(body).ok()?;
        Some(self.at() + Duration::from_micros(after))
    }

    /// Applies the next frame; returns false at the end.
    pub(super) fn step(&mut self, model: &mut Model) -> bool {
        let Some((body, next)) = frame(&self.bytes, self.next) else {
            return false;
        };
        let Ok(Frame { after, message }) = postcard::from_bytes(body) else {
            // An unreadable frame ends the recording.
            self.bytes.truncate(self.next);
            return false;
        };
        self.next = next;
        self.now = self.now.after(Duration::from_micros(after));
        let msg = match message {
            FrameBody::Msg(msg) => *msg,
            FrameBody::Tasks { number, rows: new } => Msg::Tasks {
                number,
                page: new.map(|new| {
                    self.rows = rows(&self.rows, new);
                    self.rows.iter().cloned().collect::<Page>()
                }),
            },
        };
        self.restore_scroll(model);
        match msg {
            Msg::Resize(..) | Msg::Key(_) | Msg::Mouse(_) => {
                self.apply_at_recorded_size(model, msg);
            }
            // Effects are ignored: a replay changes nothing outside.
            other => drop(update(model, other, self.now)),
        }
        self.scroll = model.scroll();
        true
    }

    /// Applies a message at the recorded size: the effect of a key depends on the visible rows, and that
    /// of a click on the positions.
    fn apply_at_recorded_size(&mut self, model: &mut Model, msg: Msg) {
        let shown = std::mem::replace(&mut model.size, self.size);
        let area = Rect::new(0, 0, self.size.0, self.size.1);
        let regions = view::draw(&mut Buffer::empty(area), area, model).regions;
        model.set_regions(regions);
        update(model, msg, self.now);
        self.size = std::mem::replace(&mut model.size, shown);
    }

    /// Scrolls every list to its recorded position.
    pub(super) fn restore_scroll(&self, model: &mut Model) {
        model.set_scroll(self.scroll);
    }

    /// Applies all frames up to a time.
    pub(super) fn seek(&mut self, to: Duration, model: &mut Model) {
        if to < self.at() {
            self.rewind(model);
        }
        while self.next_at().is_some_and(|at| at <= to) && self.step(model) {}
    }
}

/// Returns the body of the frame at an offset, and the offset after it.
fn frame(bytes: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let head = bytes.get(at..)?.first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*head)).ok()?;
    let end = at.checked_add(4)?.checked_add(length)?;
    Some((bytes.get(at + 4..end)?, end))
}

/// A replay in progress.
struct ReplayLoop {
    model: Model,
    player: Player,
    speed: f64,
    paused: bool,
    /// A point in time and the position then; the current position follows from it.
    anchor: (Instant, Duration),
}

impl ReplayLoop {
    /// Returns the position that is due now.
    fn position(&self) -> Duration {
        let (since, at) = self.anchor;
        if self.paused {
            return at;
        }
        at + since.elapsed().mul_f64(self.speed)
    }

    fn set_anchor(&mut self, at: Duration) {
        self.anchor = (Instant::now(), at.min(self.player.length));
    }

    /// Returns the time of the next frame.
    fn due(&self) -> Option<Instant> {
        let next = self.player.next_at().filter(|_| !self.paused)?;
        let (since, at) = self.anchor;
        Some(since + next.saturating_sub(at).div_f64(self.speed))
    }

    /// Handles a key; returns false to quit.
    fn press(&mut self, key: Key) -> bool {
        let now = self.position();
        match self.model.keymap.action(scope::REPLAY, key) {
            Some(Action::Close | Action::Interrupt) => return false,
            Some(Action::ReplayPause) => {
                self.set_anchor(now);
                self.paused = !self.paused;
            }
            Some(Action::ReplayFaster) => self.set_speed(now, self.speed * 2.0),
            Some(Action::ReplaySlower) => self.set_speed(now, self.speed / 2.0),
            Some(Action::ReplayStep) => {
                self.paused = true;
                self.player.step(&mut self.model);
                self.set_anchor(self.player.at());
            }
            Some(Action::ReplayForward) => self.skip_to(now + SKIP),
            Some(Action::ReplayBack) => self.skip_to(now.saturating_sub(SKIP)),
            Some(Action::Top) => self.skip_to(Duration::ZERO),
            Some(Action::Bottom) => self.skip_to(self.player.length),
            _ => {}
        }
        self.model.touch();
        true
    }

    fn set_speed(&mut self, now: Duration, speed: f64) {
        self.set_anchor(now);
        self.speed = speed.clamp(SPEEDS.0, SPEEDS.1);
    }

    fn skip_to(&mut self, to: Duration) {
        let to = to.min(self.player.length);
        self.player.seek(to, &mut self.model);
        self.set_anchor(to);
    }

    /// Applies the frames that are due.
    fn catch_up(&mut self) {
        let to = self.position();
        self.player.seek(to, &mut self.model);
        self.model.replay = Some(Replay {
            at: self.player.at().max(to).min(self.player.length),
            length: self.player.length,
            speed: self.speed,
            paused: self.paused,
        });
    }
}

/// Shows a recording until the user quits.
pub(super) async fn run(
    mut model: Model,
    mut player: Player,
    speed: f64,
    paused: bool,
) -> io::Result<()> {
    let mut term = Term::enter(false)?;
    model.size = term.size()?;
    player.rewind(&mut model);
    let mut show = ReplayLoop {
        model,
        player,
        speed: speed.clamp(SPEEDS.0, SPEEDS.1),
        paused,
        anchor: (Instant::now(), Duration::ZERO),
    };
    let mut keys = EventStream::new();
    let mut signals = Signals::listen()?;
    loop {
        show.catch_up();
        term.draw(&mut show.model)?;
        let drawn = Instant::now();
        let due = show.due().map(|due| due.max(drawn + FRAME_INTERVAL));
        let next = async {
            match due {
                Some(due) => sleep_until(due).await,
                None => std::future::pending().await,
            }
        };
        let event = tokio::select! {
            signal = signals.next() => match signal {
                OsSignal::End(_) => return Ok(()),
                OsSignal::Stop => {
                    term::restore();
                    super::signals::suspend_process_group();
                    term.reenter()?;
                    continue;
                }
                OsSignal::Continue => {
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
            Some(Some(Ok(event))) => match to_message(event) {
                Some(Msg::Key(key)) if !show.press(key) => return Ok(()),
                _ => {}
            },
        }
    }
}
