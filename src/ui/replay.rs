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
    record::{Frame, FrameBody, MAGIC, MAX_BYTES, MAX_CELLS, RecordingHeader, is_recordable, rows},
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

/// The longest recording: 100 years of 365 days.
const MAX_LENGTH: Duration = Duration::from_secs(100 * 365 * 86_400);
/// The latest start of a recording: the year 9000.
const MAX_START: Timestamp = Timestamp(221_845_392_000_000_000);
/// The longest time for which frames are applied before the screen reacts to a key again.
const SEEK_STEP: Duration = Duration::from_millis(50);

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
        let (width, height) = start.size;
        if !is_recordable(start.size) {
            let why = format!(
                "its terminal of {width}x{height} cells is too large; at most {MAX_CELLS} cells are shown"
            );
            return Err(Cause::from_message(why));
        }
        if start.at > MAX_START {
            return Err(Cause::from_message(message));
        }
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
            player.length = player.length.saturating_add(Duration::from_micros(after));
            if player.length > MAX_LENGTH {
                return Err(Cause::from_message(
                    "it is longer than 100 years, so it is damaged",
                ));
            }
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
        fresh.header = self.start.header.clone();
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
        let (after, message) = match postcard::from_bytes(body) {
            Ok(Frame { after, message }) if is_showable(&message) => (after, message),
            _ => {
                // An unreadable frame ends the recording.
                self.bytes.truncate(self.next);
                return false;
            }
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
    #[cfg(test)]
    pub(super) fn seek(&mut self, to: Duration, model: &mut Model) {
        self.seek_while(to, model, || true);
    }

    /// Applies frames up to a time, as long as `go_on` returns true. Returns true if all of them are applied.
    fn seek_while(&mut self, to: Duration, model: &mut Model, go_on: impl Fn() -> bool) -> bool {
        if to < self.at() {
            self.rewind(model);
        }
        while self.next_at().is_some_and(|at| at <= to) {
            if !go_on() {
                return false;
            }
            if !self.step(model) {
                break;
            }
        }
        true
    }
}

/// Returns true for a message that can be applied, also if the file was written to do harm.
fn is_showable(message: &FrameBody) -> bool {
    match message {
        FrameBody::Msg(msg) => match **msg {
            Msg::Resize(width, height) => is_recordable((width, height)),
            _ => true,
        },
        FrameBody::Tasks { .. } => true,
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
    /// Frames that are due are not applied yet.
    behind: bool,
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
        let (since, at) = self.anchor;
        if self.behind {
            return Some(Instant::now());
        }
        let next = self.player.next_at().filter(|_| !self.paused)?;
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
        self.set_anchor(to);
    }

    /// Applies the frames that are due, for [`SEEK_STEP`] at most.
    fn catch_up(&mut self) {
        let (to, since) = (self.position(), Instant::now());
        let go_on = || since.elapsed() < SEEK_STEP;
        self.behind = !self.player.seek_while(to, &mut self.model, go_on);
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
        behind: false,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::{model::Header, record::Recorder};

    /// The frames of a recording, as bytes.
    fn frames(frames: &[Frame]) -> Vec<u8> {
        let frames = frames.iter().map(|frame| {
            let body = postcard::to_stdvec(frame).expect("serializes");
            let length = u32::try_from(body.len()).expect("short");
            [&length.to_be_bytes()[..], &body].concat()
        });
        frames.collect::<Vec<_>>().concat()
    }

    fn frame_after(after: u64, msg: Msg) -> Frame {
        Frame {
            after,
            message: FrameBody::Msg(Box::new(msg)),
        }
    }

    /// A recording that begins at this time.
    fn recording(at: Timestamp, rest: &[Frame]) -> Vec<u8> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("recording");
        let mut recorder = Recorder::create(&path).expect("created");
        recorder
            .begin(&Header::default(), (80, 24), at)
            .expect("room");
        drop(recorder);
        let start = std::fs::read(&path).expect("readable");
        [start, frames(rest)].concat()
    }

    fn refused(bytes: Vec<u8>) -> String {
        match Player::new(bytes) {
            Ok(_) => panic!("it is refused"),
            Err(why) => why.to_string(),
        }
    }

    #[test]
    fn a_terminal_that_is_too_large_to_draw_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        for size in [(u16::MAX, u16::MAX), (5_000, 5_000), (1_000, 401)] {
            let mut recorder =
                Recorder::create(&folder.path().join(size.0.to_string())).expect("created");
            let recorded = recorder.begin(&Header::default(), size, Timestamp(0));
            recorded.expect_err("it could not be shown");
        }
        let small = recording(Timestamp(0), &[]);
        let header_at = MAGIC.len();
        let (body, _) = frame(&small, header_at).expect("a header");
        let mut header: RecordingHeader = postcard::from_bytes(body).expect("a header");
        header.size = (5_000, 5_000);
        let body = postcard::to_stdvec(&header).expect("serializes");
        let length = u32::try_from(body.len()).expect("short").to_be_bytes();
        let why = refused([MAGIC, &length, &body].concat());
        assert!(why.contains("5000x5000 cells is too large"), "{why}");
        assert!(is_recordable((1_000, 400)));
    }

    #[test]
    fn a_recording_that_grows_too_large_ends_there() {
        let sizes = [(100, 30), (u16::MAX, u16::MAX), (10, 10)];
        let resizes = sizes.map(|(width, height)| frame_after(1, Msg::Resize(width, height)));
        let mut player = Player::new(recording(Timestamp(0), &resizes)).expect("a recording");
        let mut model = crate::ui::tests::fixture::fresh();
        player.rewind(&mut model);
        assert!(player.step(&mut model));
        assert_eq!(player.size, (100, 30));
        assert!(!player.step(&mut model));
        assert_eq!(player.size, (100, 30));
    }

    #[test]
    fn times_that_no_clock_has_are_refused() {
        let far: Vec<_> = (0..3).map(|_n| frame_after(u64::MAX, Msg::Tick)).collect();
        let why = refused(recording(Timestamp(0), &far));
        assert!(why.contains("longer than 100 years"), "{why}");
        refused(recording(Timestamp(u64::MAX), &[]));
        let day = frame_after(86_400_000_000, Msg::Tick);
        let mut player = Player::new(recording(Timestamp(0), &[day])).expect("a recording");
        let mut model = crate::ui::tests::fixture::fresh();
        player.rewind(&mut model);
        player.seek(Duration::from_secs(86_400), &mut model);
        assert_eq!(player.at(), player.length);
    }

    #[test]
    fn a_long_seek_is_interrupted_and_continued() {
        let ticks: Vec<_> = (0..100).map(|_n| frame_after(1, Msg::Tick)).collect();
        let mut player = Player::new(recording(Timestamp(0), &ticks)).expect("a recording");
        let mut model = crate::ui::tests::fixture::fresh();
        player.rewind(&mut model);
        let left = std::cell::Cell::new(10);
        let go_on = || {
            left.set(left.get() - 1);
            left.get() >= 0
        };
        assert!(!player.seek_while(Duration::from_micros(100), &mut model, go_on));
        assert_eq!(player.at(), Duration::from_micros(10));
        assert!(player.seek_while(Duration::from_micros(100), &mut model, || true));
        assert_eq!(player.at(), Duration::from_micros(100));
    }
}
