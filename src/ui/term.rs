//! The terminal: taken, given back on every way out, and written to once a frame.

use std::{
    io::{self, BufWriter, Stdout, Write},
    mem::ManuallyDrop,
    sync::atomic::{AtomicBool, Ordering},
};

use crossterm::{
    cursor,
    event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture},
    execute, queue,
    terminal::{
        BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
        LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
    },
};
use data_encoding::BASE64;
use ratatui::{Terminal, backend::CrosstermBackend, layout::Rect};

use super::{model::Model, view};

/// Room for any frame, so that one frame is one write.
const BUFFER: usize = 256 << 10;
/// The longest text that terminals take for the clipboard, in bytes before encoding.
pub(crate) const MAX_CLIPBOARD: usize = 74_994 / 4 * 3;

/// Whether the terminal is ours; the panic hook asks.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// The terminal while it is ours. Dropping it gives it back.
pub(crate) struct Term {
    /// Never dropped: its own drop would print an error when the terminal is gone, and printing to a
    /// terminal that is gone panics.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<BufWriter<Stdout>>>>,
    mouse: bool,
}

impl Term {
    /// Takes the terminal.
    pub(crate) fn take(mouse: bool) -> io::Result<Self> {
        let out = BufWriter::with_capacity(BUFFER, io::stdout());
        let mut term = Self {
            terminal: ManuallyDrop::new(Terminal::new(CrosstermBackend::new(out))?),
            mouse,
        };
        term.enter()?;
        Ok(term)
    }

    /// Takes it again after [`give_back`], and draws everything anew.
    pub(crate) fn enter(&mut self) -> io::Result<()> {
        TAKEN.store(true, Ordering::SeqCst);
        // After a stop that nobody can catch a shell has set the modes of its own meanwhile, and
        // crossterm would believe that they are still ours. Where they are, nothing is touched: a key
        // in between would be echoed.
        if is_cooked() {
            disable_raw_mode()?;
            enable_raw_mode()?;
        }
        let out = self.terminal.backend_mut();
        queue!(
            out,
            EnterAlternateScreen,
            EnableBracketedPaste,
            cursor::Hide
        )?;
        if self.mouse {
            queue!(out, EnableMouseCapture)?;
        }
        out.flush()?;
        // Not `clear`: that asks the terminal where its cursor is, and waits for the answer beside
        // the event stream, which may have eaten it.
        let (width, height) = crossterm::terminal::size()?;
        self.terminal.resize(Rect::new(0, 0, width, height))
    }

    pub(crate) fn size(&self) -> io::Result<(u16, u16)> {
        crossterm::terminal::size()
    }

    pub(crate) fn set_mouse(&mut self, on: bool) -> io::Result<()> {
        self.mouse = on;
        let out = self.terminal.backend_mut();
        if on {
            execute!(out, EnableMouseCapture)
        } else {
            execute!(out, DisableMouseCapture)
        }
    }

    /// Puts text on the clipboard of the terminal's own machine (OSC 52), also over SSH and in tmux.
    pub(crate) fn copy(&mut self, text: &str, in_tmux: bool) -> io::Result<()> {
        let out = self.terminal.backend_mut();
        out.write_all(clipboard(text, in_tmux).as_bytes())?;
        out.flush()
    }

    /// Draws the model inside one synchronized update, with one write.
    pub(crate) fn draw(&mut self, model: &mut Model) -> io::Result<()> {
        queue!(self.terminal.backend_mut(), BeginSynchronizedUpdate)?;
        let mut drawn = view::Drawn::default();
        self.terminal.draw(|frame| {
            let area = frame.area();
            drawn = view::draw(frame.buffer_mut(), area, model);
            if let Some(at) = drawn.cursor {
                frame.set_cursor_position(at);
            }
        })?;
        let out = self.terminal.backend_mut();
        queue!(out, EndSynchronizedUpdate)?;
        out.flush()?;
        model.drawn(drawn.regions);
        Ok(())
    }
}

impl Drop for Term {
    fn drop(&mut self) {
        give_back();
    }
}

/// Whether the terminal gives lines, not keys, as it does to a shell; also when it cannot be asked.
fn is_cooked() -> bool {
    use rustix::termios::{LocalModes, tcgetattr};
    let modes = tcgetattr(rustix::stdio::stdin());
    modes.map_or(true, |modes| modes.local_modes.contains(LocalModes::ICANON))
}

/// Gives the terminal back as it was, if it is ours. It is safe to call at any time and from any
/// thread, also from a panic hook, and it does nothing the second time.
pub(crate) fn give_back() {
    if !TAKEN.swap(false, Ordering::SeqCst) {
        return;
    }
    // Whatever fails here, the rest must still be tried. The screen is cleared before it is left:
    // tmux leaves rows of it behind when the window has changed its size meanwhile.
    execute!(
        io::stdout(),
        EndSynchronizedUpdate,
        DisableMouseCapture,
        DisableBracketedPaste,
        Clear(ClearType::All),
        LeaveAlternateScreen,
        cursor::Show
    )
    .ok();
    disable_raw_mode().ok();
}

/// The sequence that sets the clipboard; tmux passes it on when it is wrapped.
fn clipboard(text: &str, in_tmux: bool) -> String {
    let end = text.floor_char_boundary(MAX_CLIPBOARD);
    let encoded = BASE64.encode(text.get(..end).unwrap_or_default().as_bytes());
    let sequence = format!("\u{1b}]52;c;{encoded}\u{7}");
    if in_tmux {
        format!(
            "\u{1b}Ptmux;{}\u{1b}\\",
            sequence.replace('\u{1b}', "\u{1b}\u{1b}")
        )
    } else {
        sequence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clipboard_sequence_carries_any_text_as_letters() {
        assert_eq!(
            clipboard("Hi \u{1b}[2J", false),
            "\u{1b}]52;c;SGkgG1sySg==\u{7}"
        );
        assert_eq!(
            clipboard("a", true),
            "\u{1b}Ptmux;\u{1b}\u{1b}]52;c;YQ==\u{7}\u{1b}\\"
        );
        let long = clipboard(&"é".repeat(MAX_CLIPBOARD), false);
        assert!(long.len() < 75_010);
    }
}
