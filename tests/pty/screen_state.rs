//! What the program has shown: the bytes that it writes go into an emulated terminal, and whoever
//! waits is told.

use std::{
    io::Read,
    num::NonZeroU16,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use vt100::Screen;

/// Nothing that works takes this long, not even on a machine that has much else to do.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A screen that is being written to.
pub(crate) struct Seen {
    state: Mutex<State>,
    changed: Condvar,
}

pub(crate) struct State {
    pub(crate) parser: vt100::Parser<Ear>,
    pub(crate) bytes: u64,
    /// The program's end of the terminal is closed.
    pub(crate) over: bool,
    /// Nobody wants to see any more of it.
    pub(crate) enough: bool,
}

/// Hears what does not end up in a cell.
#[derive(Default)]
pub(crate) struct Ear {
    /// Between the beginning and the end of a frame a terminal goes on to show the frame before.
    pub(crate) in_frame: bool,
    /// Whatever reaches out of the screen: titles, bells, the clipboard, unknown sequences.
    pub(crate) noises: Vec<String>,
}

impl Ear {
    fn hear(&mut self, what: &str, bytes: &[u8]) {
        self.noises
            .push(format!("{what} {}", String::from_utf8_lossy(bytes)));
    }
}

impl vt100::Callbacks for Ear {
    fn audible_bell(&mut self, _: &mut Screen) {
        self.hear("bell", b"");
    }

    fn visual_bell(&mut self, _: &mut Screen) {
        self.hear("visual bell", b"");
    }

    fn resize(&mut self, _: &mut Screen, _: (u16, u16)) {
        self.hear("resize", b"");
    }

    fn set_window_icon_name(&mut self, _: &mut Screen, name: &[u8]) {
        self.hear("icon", name);
    }

    fn set_window_title(&mut self, _: &mut Screen, title: &[u8]) {
        self.hear("title", title);
    }

    fn copy_to_clipboard(&mut self, _: &mut Screen, _: &[u8], data: &[u8]) {
        self.hear("copy", data);
    }

    fn paste_from_clipboard(&mut self, _: &mut Screen, _: &[u8]) {
        self.hear("paste", b"");
    }

    fn unhandled_char(&mut self, _: &mut Screen, c: char) {
        self.hear("character", c.escape_unicode().to_string().as_bytes());
    }

    fn unhandled_control(&mut self, _: &mut Screen, byte: u8) {
        self.hear("control", format!("{byte:#x}").as_bytes());
    }

    fn unhandled_escape(&mut self, _: &mut Screen, _: Option<u8>, _: Option<u8>, byte: u8) {
        self.hear("escape", &[byte]);
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
            _ => self.hear("csi", format!("{mark:?} {params:?} {action}").as_bytes()),
        }
    }

    fn unhandled_osc(&mut self, _: &mut Screen, params: &[&[u8]]) {
        self.hear("osc", &params.concat());
    }
}

impl Seen {
    /// An empty screen of this many columns and rows.
    pub(crate) fn new(size: (u16, u16)) -> Self {
        let (columns, rows) = cells(size);
        Self {
            state: Mutex::new(State {
                parser: vt100::Parser::new_with_callbacks(rows, columns, 0, Ear::default()),
                bytes: 0,
                over: false,
                enough: false,
            }),
            changed: Condvar::new(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        // A test that failed while it looked has said so already.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what is written until nobody can write any more, or it is enough.
    pub(crate) fn read(&self, mut reader: Box<dyn Read + Send>) {
        let mut buffer = [0; 16 << 10];
        let mut held = Vec::new();
        loop {
            let read = reader.read(&mut buffer).unwrap_or(0);
            held.extend_from_slice(&buffer[..read]);
            let drawn = drawable(&mut held);
            let mut state = self.lock();
            state.parser.process(&drawn);
            state.bytes += read as u64;
            state.over = read == 0;
            self.changed.notify_all();
            if state.over || state.enough {
                return;
            }
        }
    }

    /// Waits until this is true, and fails with the screen when that takes too long.
    pub(crate) fn until(&self, what: &str, mut true_now: impl FnMut(&State) -> bool) {
        let end = Instant::now() + PATIENCE;
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

/// What of the held bytes can be drawn now. The emulated terminal leaves out U+FFFD, where real ones
/// draw it in one cell, so another character of one cell stands in for it.
fn drawable(held: &mut Vec<u8>) -> Vec<u8> {
    const REPLACEMENT: &[u8] = "\u{fffd}".as_bytes();
    let open = (1..REPLACEMENT.len())
        .rev()
        .find(|n| held.ends_with(&REPLACEMENT[..*n]));
    let rest = held.split_off(held.len() - open.unwrap_or(0));
    let whole = std::mem::replace(held, rest);
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
