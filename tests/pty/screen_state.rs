//! The screen of the program: its output feeds an emulated terminal, and waiting tests are notified.

use std::{
    io::Read,
    num::NonZeroU16,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use vt100::Screen;

/// The longest wait for anything, also on a busy machine.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);

/// A screen that is being written to.
pub(crate) struct ScreenState {
    state: Mutex<State>,
    changed: Condvar,
}

pub(crate) struct State {
    pub(crate) parser: vt100::Parser<SequenceLog>,
    pub(crate) bytes: u64,
    /// The program's end of the terminal is closed.
    pub(crate) closed: bool,
    /// Reading has been stopped.
    pub(crate) stopped: bool,
}

/// Records sequences that do not end up in a cell.
#[derive(Default)]
pub(crate) struct SequenceLog {
    /// True during a synchronised update, while a terminal shows the previous frame.
    pub(crate) in_frame: bool,
    /// Titles, bells, the clipboard and unknown sequences.
    pub(crate) sequences: Vec<String>,
}

impl SequenceLog {
    fn log(&mut self, what: &str, bytes: &[u8]) {
        self.sequences
            .push(format!("{what} {}", String::from_utf8_lossy(bytes)));
    }
}

impl vt100::Callbacks for SequenceLog {
    fn audible_bell(&mut self, _: &mut Screen) {
        self.log("bell", b"");
    }

    fn visual_bell(&mut self, _: &mut Screen) {
        self.log("visual bell", b"");
    }

    fn resize(&mut self, _: &mut Screen, _: (u16, u16)) {
        self.log("resize", b"");
    }

    fn set_window_icon_name(&mut self, _: &mut Screen, name: &[u8]) {
        self.log("icon", name);
    }

    fn set_window_title(&mut self, _: &mut Screen, title: &[u8]) {
        self.log("title", title);
    }

    fn copy_to_clipboard(&mut self, _: &mut Screen, _: &[u8], data: &[u8]) {
        self.log("copy", data);
    }

    fn paste_from_clipboard(&mut self, _: &mut Screen, _: &[u8]) {
        self.log("paste", b"");
    }

    fn unhandled_char(&mut self, _: &mut Screen, c: char) {
        self.log("character", c.escape_unicode().to_string().as_bytes());
    }

    fn unhandled_control(&mut self, _: &mut Screen, byte: u8) {
        self.log("control", format!("{byte:#x}").as_bytes());
    }

    fn unhandled_escape(&mut self, _: &mut Screen, _: Option<u8>, _: Option<u8>, byte: u8) {
        self.log("escape", &[byte]);
    }

    fn unhandled_csi(
        &mut self,
        _: &mut Screen,
        mark: Option<u8>,
        _: Option<u8>,
        params: &[&[u16]],
        action: char,
    ) {
        match (mark, params, action) {
            (Some(b'?'), [[2026]], 'h') => self.in_frame = true,
            (Some(b'?'), [[2026]], 'l') => self.in_frame = false,
            // A form of mouse reports and the colour of underlines, which this terminal lacks.
            (Some(b'?'), [[1015]], 'h' | 'l') | (None, [[59]], 'm') => {}
            _ => self.log("csi", format!("{mark:?} {params:?} {action}").as_bytes()),
        }
    }

    fn unhandled_osc(&mut self, _: &mut Screen, params: &[&[u8]]) {
        self.log("osc", &params.concat());
    }
}

impl ScreenState {
    /// An empty screen of this many columns and rows.
    pub(crate) fn new(size: (u16, u16)) -> Self {
        let (columns, rows) = cells(size);
        Self {
            state: Mutex::new(State {
                parser: vt100::Parser::new_with_callbacks(rows, columns, 0, SequenceLog::default()),
                bytes: 0,
                closed: false,
                stopped: false,
            }),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A test that failed while it looked has said so already.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads the output until it is closed or reading is stopped.
    pub(crate) fn read(&self, mut reader: Box<dyn Read + Send>) {
        let mut buffer = [0; 16 << 10];
        let mut pending = Vec::new();
        loop {
            let read = reader.read(&mut buffer).unwrap_or(0);
            pending.extend_from_slice(&buffer[..read]);
            let drawn = drawable(&mut pending);
            let mut state = self.lock();
            state.parser.process(&drawn);
            state.bytes += read as u64;
            state.closed = read == 0;
            self.changed.notify_all();
            if state.closed || state.stopped {
                return;
            }
        }
    }

    /// Waits until this is true, and fails with the screen when that takes too long.
    pub(crate) fn until(&self, what: &str, mut true_now: impl FnMut(&State) -> bool) {
        let end = Instant::now() + TIMEOUT;
        let mut state = self.lock();
        while !true_now(&state) {
            let left = end.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "never seen: {what}\n{}",
                state.parser.screen().contents()
            );
            let waited = self.changed.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    pub(crate) fn resize(&self, size: (u16, u16)) {
        let (columns, rows) = cells(size);
        self.lock().parser.set_size(rows, columns);
    }
}

/// The part of the pending bytes that can be drawn now. The emulated terminal leaves out U+FFFD, where real ones
/// draw it in one cell, so another character of one cell stands in for it.
fn drawable(pending: &mut Vec<u8>) -> Vec<u8> {
    const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();
    let open = (1..REPLACEMENT.len())
        .rev()
        .find(|n| pending.ends_with(&REPLACEMENT[..*n]));
    let rest = pending.split_off(pending.len() - open.unwrap_or(0));
    let whole = std::mem::replace(pending, rest);
    let mut drawn = Vec::with_capacity(whole.len());
    let mut bytes = &whole[..];
    while let Some((first, behind)) = bytes.split_first() {
        if let Some(behind) = bytes.strip_prefix(REPLACEMENT) {
            drawn.extend("¿".bytes());
            bytes = behind;
        } else {
            drawn.push(*first);
            bytes = behind;
        }
    }
    drawn
}

fn cells((width, height): (u16, u16)) -> (NonZeroU16, NonZeroU16) {
    let some = |n: u16| n.try_into().expect("a screen has cells");
    (some(width), some(height))
}
