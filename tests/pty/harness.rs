//! The program in a pseudo-terminal: keys go in, a screen comes out.

use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, mpsc},
    thread::{self, JoinHandle},
};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::{
    process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid},
    termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr},
};
use tempfile::TempDir;
use vt100::{MouseProtocolMode, Screen};

use super::screen_state::{ScreenState, TIMEOUT};

/// A program to be started, with its own home.
pub(crate) struct Start {
    home: TempDir,
    command: CommandBuilder,
    size: (u16, u16),
}

impl Start {
    /// The program with two workers and no other setting, in a large terminal.
    pub(crate) fn new() -> Self {
        Self::command(env!("CARGO_BIN_EXE_distro-tui")).env("DISTRO_TUI_WORKERS", "2")
    }

    /// Another program in the same environment.
    pub(crate) fn command(program: &str) -> Self {
        let home = tempfile::tempdir().expect("a temporary folder");
        let mut command = CommandBuilder::new(program);
        // The environment of the tests must not change the result.
        command.env_clear();
        command.cwd(home.path());
        let folder = |name: &str| home.path().join(name);
        for (name, value) in [
            ("HOME", home.path().to_owned()),
            ("XDG_CONFIG_HOME", folder("config")),
            ("XDG_DATA_HOME", folder("data")),
            ("XDG_STATE_HOME", folder("state")),
            ("PATH", std::env::var_os("PATH").unwrap_or_default().into()),
            ("TERM", "xterm-256color".into()),
            ("COLORTERM", "truecolor".into()),
            ("LANG", "C.UTF-8".into()),
        ] {
            command.env(name, value);
        }
        Self {
            home,
            command,
            size: (120, 36),
        }
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn args(mut self, args: &[&str]) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) const fn size(mut self, (width, height): (u16, u16)) -> Self {
        self.size = (width, height);
        self
    }

    /// The home of the program, with `config`, `data` and `state` below.
    pub(crate) fn home(&self) -> &Path {
        self.home.path()
    }

    /// Starts it without waiting.
    pub(crate) fn go(self) -> Terminal {
        let pty = native_pty_system().openpty(pty_size(self.size));
        let pty = pty.expect("a pseudo-terminal");
        let child = pty
            .slave
            .spawn_command(self.command)
            .expect("the program starts");
        // While this end is open here too, it would never be seen to close.
        drop(pty.slave);
        let seen = Arc::new(ScreenState::new(self.size));
        let reader = pty.master.try_clone_reader().expect("a reader");
        let watcher = Arc::clone(&seen);
        let master = PtyMaster {
            keyboard: pty.master.take_writer().expect("a writer"),
            master: pty.master,
            reading: thread::spawn(move || watcher.read(reader)),
        };
        Terminal {
            seen,
            pty: Some(master),
            child,
            reaped: false,
            home: self.home,
        }
    }

    /// Starts it and waits until it shows the registered names.
    pub(crate) fn up(self) -> Terminal {
        let terminal = self.go();
        terminal.sees(&["1 Names", "broker", "naming", "server", "live", "q quit"]);
        terminal
    }
}

/// The master side of the terminal.
struct PtyMaster {
    keyboard: Box<dyn Write + Send>,
    master: Box<dyn MasterPty + Send>,
    reading: JoinHandle<()>,
}

/// The running program and the terminal that it is in.
pub(crate) struct Terminal {
    seen: Arc<ScreenState>,
    pty: Option<PtyMaster>,
    child: Box<dyn Child + Send + Sync>,
    reaped: bool,
    home: TempDir,
}

impl Terminal {
    /// Waits until this is true of the screen between two frames.
    pub(crate) fn until(&self, what: &str, mut true_now: impl FnMut(&Screen) -> bool) {
        self.seen.until(what, |state| {
            !state.parser.callbacks().in_frame && true_now(state.parser.screen())
        });
    }

    /// Waits until these texts are on the screen.
    pub(crate) fn sees(&self, texts: &[&str]) {
        self.until(&format!("{texts:?}"), |screen| {
            let contents = screen.contents();
            texts.iter().all(|text| contents.contains(text))
        });
    }

    /// Waits until this text is gone from the screen.
    pub(crate) fn misses(&self, text: &str) {
        self.until(&format!("no {text:?}"), |screen| {
            !screen.contents().contains(text)
        });
    }

    /// Looks at the screen as it is now.
    pub(crate) fn look<T>(&self, at: impl FnOnce(&Screen) -> T) -> T {
        at(self.seen.lock().parser.screen())
    }

    /// The sequences received so far that do not end up in a cell.
    pub(crate) fn sequences(&self) -> Vec<String> {
        self.seen.lock().parser.callbacks().sequences.clone()
    }

    /// The number of bytes that the program has written.
    #[allow(dead_code, reason = "the bench of doing nothing counts them")]
    pub(crate) fn written(&self) -> u64 {
        self.seen.lock().bytes
    }

    pub(crate) fn type_text(&mut self, text: &str) {
        let pty = self.pty.as_mut().expect("the terminal is there");
        let typed = pty.keyboard.write_all(text.as_bytes());
        typed
            .and_then(|()| pty.keyboard.flush())
            .expect("the terminal takes keys");
    }

    /// Presses a key by the name that the help gives it. After esc, wait for what it does: a key
    /// right behind it would make another key of both.
    pub(crate) fn press(&mut self, key: &str) {
        let bytes = match key {
            "enter" => "\r",
            "esc" => "\u{1b}",
            "tab" => "\t",
            "up" => "\u{1b}[A",
            "down" => "\u{1b}[B",
            "ctrl-c" => "\u{3}",
            "ctrl-u" => "\u{15}",
            "ctrl-z" => "\u{1a}",
            one if one.chars().count() == 1 => one,
            other => panic!("no such key: {other}"),
        };
        self.type_text(bytes);
    }

    /// Pastes with bracketed paste.
    pub(crate) fn paste(&mut self, text: &str) {
        self.type_text(&format!("\u{1b}[200~{text}\u{1b}[201~"));
    }

    pub(crate) fn resize(&self, size: (u16, u16)) {
        self.seen.resize(size);
        self.master().resize(pty_size(size)).expect("another size");
    }

    fn master(&self) -> &dyn MasterPty {
        let pty = self.pty.as_ref().expect("the terminal is there");
        &*pty.master
    }

    pub(crate) fn pid(&self) -> Pid {
        let id = self
            .child
            .process_id()
            .and_then(|id| i32::try_from(id).ok());
        id.and_then(Pid::from_raw).expect("it was started")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).expect("the program is there");
    }

    /// Waits until every thread of the program is stopped.
    pub(crate) fn wait_stop(&self) {
        let stopped = self.wait_for(WaitIdOptions::STOPPED | WaitIdOptions::EXITED);
        assert!(stopped, "it ended\n{}", self.look(Screen::contents));
    }

    /// True until the program ends.
    pub(crate) fn is_running(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
        let ended = waitid(WaitId::Pid(self.pid()), options).expect("it is our child");
        ended.is_none()
    }

    /// Waits for the end of the program and of its output; returns its exit code.
    pub(crate) fn wait_exit(&mut self) -> u32 {
        let status = self.wait_end();
        assert_eq!(status.signal(), None, "{}", self.look(Screen::contents));
        status.exit_code()
    }

    /// Kills it, as `kill -9` does.
    pub(crate) fn kill(&mut self) {
        self.signal(Signal::KILL);
        let status = self.wait_end();
        assert!(status.signal().is_some(), "it ended by itself before");
    }

    fn wait_end(&mut self) -> portable_pty::ExitStatus {
        self.wait_for(WaitIdOptions::EXITED);
        let status = self.child.wait().expect("it is our child");
        self.reaped = true;
        self.seen
            .until("the end of what it wrote", |state| state.closed);
        status
    }

    /// Closes the terminal, as a closed window or a broken connection does; returns the exit code of the
    /// started process. The program must be about to draw something.
    pub(crate) fn hang_up(&mut self) -> u32 {
        let pty = self.pty.take().expect("the terminal is there");
        self.seen.lock().stopped = true;
        // Reading holds the terminal open until something has been read.
        pty.master
            .resize(pty_size((100, 30)))
            .expect("another size");
        pty.reading.join().expect("it reads to the end");
        drop((pty.keyboard, pty.master));
        self.wait_for(WaitIdOptions::EXITED);
        self.reaped = true;
        let status = self.child.wait().expect("it is our child");
        assert_eq!(status.signal(), None);
        status.exit_code()
    }

    /// Waits on a thread, so that waiting can time out; returns true if the program was stopped.
    fn wait_for(&self, options: WaitIdOptions) -> bool {
        let (pid, (exit, exited)) = (self.pid(), mpsc::channel());
        thread::spawn(move || {
            let options = options | WaitIdOptions::NOWAIT;
            exit.send(waitid(WaitId::Pid(pid), options)).ok();
        });
        let status = exited.recv_timeout(TIMEOUT).unwrap_or_else(|_late| {
            panic!("it does not end\n{}", self.look(Screen::contents));
        });
        status
            .expect("it is our child")
            .is_some_and(|status| status.stopped())
    }

    /// A path below the program's home, which is also the folder that it was started in.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// True if the terminal echoes and edits lines, as shells expect.
    pub(crate) fn is_cooked(&self) -> bool {
        let modes = self
            .master()
            .get_termios()
            .expect("its modes")
            .local_flags
            .bits();
        let cooked = (LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG).bits();
        modes & cooked == cooked
    }

    /// Resets the terminal, as a shell and `reset` do.
    pub(crate) fn reset(&self) {
        let path = self.master().tty_name().expect("it has a name");
        let terminal = File::options().read(true).write(true).open(path);
        let mut terminal = terminal.expect("it can be opened");
        let mut modes = tcgetattr(&terminal).expect("its modes");
        modes.local_modes |= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        tcsetattr(&terminal, OptionalActions::Now, &modes).expect("other modes");
        let restored = b"\x1b[?1049l\x1b[?2004l\x1b[?1003l\x1b[?1002l\x1b[?1000l\x1b[?25h";
        terminal.write_all(restored).expect("it can be written to");
    }

    /// Waits until the program has entered the terminal: screen, keys, mouse and paste.
    pub(crate) fn is_entered(&self) {
        self.until("the terminal is entered", |screen| {
            screen.alternate_screen()
                && screen.bracketed_paste()
                && screen.mouse_protocol_mode() != MouseProtocolMode::None
        });
        assert!(!self.is_cooked(), "keys come one by one");
    }

    /// Waits until the terminal is in its previous state. Only when the program has stopped or ended,
    /// because a change of the line discipline cannot be waited for.
    pub(crate) fn is_restored(&self) {
        self.until("the terminal is restored", |screen| {
            !screen.alternate_screen()
                && !screen.hide_cursor()
                && !screen.bracketed_paste()
                && screen.mouse_protocol_mode() == MouseProtocolMode::None
        });
        assert!(
            self.is_cooked(),
            "the terminal echoes and edits lines again"
        );
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if !self.reaped {
            kill_process(self.pid(), Signal::KILL).ok();
            self.child.wait().ok();
        }
    }
}

fn pty_size((cols, rows): (u16, u16)) -> PtySize {
    PtySize {
        rows,
        cols,
        ..PtySize::default()
    }
}

/// A command with the folders of the program in a terminal, so that it attaches to that node.
pub(crate) fn command(of: &Terminal, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_distro-tui"));
    command.env_clear().args(args).stdin(Stdio::null());
    command.env("XDG_DATA_HOME", of.path("data"));
    for name in ["XDG_CONFIG_HOME", "XDG_STATE_HOME", "HOME"] {
        command.env(name, of.path(name));
    }
    command
}

/// Runs such a command and returns its output.
pub(crate) fn run(of: &Terminal, args: &[&str]) -> String {
    let output = command(of, args).output().expect("it runs");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}
