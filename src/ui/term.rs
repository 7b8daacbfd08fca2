//! The terminal: raw mode and the alternate screen, restored on every way out, and one write per frame.

use std::{
    fmt,
    io::{self, BufWriter, Stdout, Write},
    mem::ManuallyDrop,
    sync::atomic::{AtomicBool, Ordering},
};

use crossterm::{
    Command,
    clipboard::CopyToClipboard,
    cursor,
    event::{DisableBracketedPaste, DisableMouseCapture, EnableBracketedPaste, EnableMouseCapture},
    execute, queue,
    terminal::{
        BeginSynchronizedUpdate, Clear, ClearType, EndSynchronizedUpdate, EnterAlternateScreen,
        LeaveAlternateScreen, disable_raw_mode, enable_raw_mode,
    },
};
use ratatui::{Terminal, backend::CrosstermBackend, layout::Rect};

use super::{model::Model, view};

/// Large enough for any frame, so that a frame is one write.
const BUFFER: usize = 256 << 10;
/// The longest text that terminals accept for the clipboard, in bytes before encoding.
pub(crate) const MAX_CLIPBOARD: usize = 74_994 / 4 * 3;

/// True while the terminal is in raw mode and on the alternate screen; [`restore`] reads it.
static ACTIVE: AtomicBool = AtomicBool::new(false);

/// The terminal in raw mode and on the alternate screen. Dropping it restores the terminal.
pub(crate) struct Term {
    /// Never dropped: its own drop would print an error when the terminal has hung up, and that print
    /// panics.
    terminal: ManuallyDrop<Terminal<CrosstermBackend<BufWriter<Stdout>>>>,
    mouse: bool,
}

impl Term {
    /// Enters raw mode and the alternate screen.
    pub(crate) fn enter(mouse: bool) -> io::Result<Self> {
        let out = BufWriter::with_capacity(BUFFER, io::stdout());
        let mut term = Self {
            terminal: ManuallyDrop::new(Terminal::new(CrosstermBackend::new(out))?),
            mouse,
        };
        term.reenter()?;
        Ok(term)
    }

    /// Enters again after [`restore`], and forces a full redraw.
    pub(crate) fn reenter(&mut self) -> io::Result<()> {
        ACTIVE.store(true, Ordering::SeqCst);
        // After SIGSTOP, which cannot be caught, the shell has set its own modes, and crossterm would
        // still report ours. If ours are in place, they stay: a key pressed in between would be echoed.
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
        // Not `clear`: it queries the cursor position and waits for the reply, which the event stream
        // may have consumed.
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

    /// Copies text to the clipboard of the terminal's machine (OSC 52), over SSH and in tmux too.
    pub(crate) fn copy(&mut self, text: &str, in_tmux: bool) -> io::Result<()> {
        let sequence = clipboard_sequence(text, in_tmux).map_err(io::Error::other)?;
        let out = self.terminal.backend_mut();
        out.write_all(sequence.as_bytes())?;
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
        model.set_regions(drawn.regions);
        Ok(())
    }
}

impl Drop for Term {
    fn drop(&mut self) {
        restore();
    }
}

/// Reports whether the terminal is in line mode, as for a shell; also true if its modes are unknown.
fn is_cooked() -> bool {
    use rustix::termios::{LocalModes, tcgetattr};
    let modes = tcgetattr(rustix::stdio::stdin());
    modes.map_or(true, |modes| modes.local_modes.contains(LocalModes::ICANON))
}

/// Restores the terminal if it was entered. Safe to call at any time and from any thread, also from a
/// panic hook; a second call does nothing.
pub(crate) fn restore() {
    if !ACTIVE.swap(false, Ordering::SeqCst) {
        return;
    }
    // If one step fails, the rest must still run. The screen is cleared before leaving it: tmux leaves
    // rows behind if the window was resized meanwhile.
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

/// Returns the sequence that sets the clipboard, wrapped for tmux to pass it on.
fn clipboard_sequence(text: &str, in_tmux: bool) -> Result<String, fmt::Error> {
    let end = text.floor_char_boundary(MAX_CLIPBOARD);
    let text = text.get(..end).unwrap_or_default();
    let mut sequence = String::new();
    CopyToClipboard::to_clipboard_from(text).write_ansi(&mut sequence)?;
    if !in_tmux {
        return Ok(sequence);
    }
    let doubled = sequence.replace('\u{1b}', "\u{1b}\u{1b}");
    Ok(format!("\u{1b}Ptmux;{doubled}\u{1b}\\"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clipboard_sequence_carries_any_text_as_letters() {
        let sequence = |text, in_tmux| clipboard_sequence(text, in_tmux).expect("written");
        assert_eq!(
            sequence("Hi \u{1b}[2J", false),
            "\u{1b}]52;c;SGkgG1sySg==\u{1b}\\"
        );
        assert_eq!(
            sequence("a", true),
            "\u{1b}Ptmux;\u{1b}\u{1b}]52;c;YQ==\u{1b}\u{1b}\\\u{1b}\\"
        );
        let long = sequence(&"é".repeat(MAX_CLIPBOARD), false);
        assert!(long.len() < 75_010);
    }
}
