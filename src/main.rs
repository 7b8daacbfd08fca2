//! The program: settings, log, process, screen, exit code.

use std::{
    io::{IsTerminal, Write},
    process::ExitCode,
    sync::Arc,
};

use clap::Parser;
use distro_tui::{
    cli::Cli,
    config::{self, Settings},
    crash, logging,
    node::{Node, Session},
    ui::{How, Outcome, Screen},
};

/// An option, a variable or a setting is wrong.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.print_config {
        // Whoever reads may have had enough: that is no reason to crash.
        write!(std::io::stdout(), "{}", config::DEFAULT_FILE).ok();
        return ExitCode::SUCCESS;
    }
    let variable = |name: &str| std::env::var(name).ok();
    let mut settings = match config::load(&cli, variable) {
        Ok(settings) => settings,
        Err(error) => return fail(USAGE, &error),
    };
    settings.ui.crash_test = cli.crash_test;
    match run(&settings) {
        Ok(outcome) => farewell(outcome),
        Err(error) => fail(1, &*error),
    }
}

fn run(settings: &Settings) -> Result<Outcome, Box<dyn std::error::Error>> {
    if !std::io::stdout().is_terminal() || !std::io::stdin().is_terminal() {
        return Err("this is a screen: run it in a terminal, without redirecting it".into());
    }
    let screen = Screen::new(&settings.ui)?;
    let _log = logging::start(&settings.log_file, &settings.log_level)?;
    crash::install(settings.state_dir.clone());
    let node = Node::start(&settings.node)?;
    tracing::info!(addr = %node.addr(), key = %node.key(), "started");
    let outcome = screen.run(Arc::new(Session::from(node)))?;
    tracing::info!(?outcome, "ended");
    Ok(outcome)
}

/// Says what was left undone, and turns who ended it into an exit code.
fn farewell(outcome: Outcome) -> ExitCode {
    let undone = if outcome.drained.kept {
        [
            (
                outcome.drained.abandoned,
                "stopped unfinished and will run again",
            ),
            (outcome.drained.unstarted, "kept waiting for the next start"),
        ]
    } else {
        [
            (outcome.drained.abandoned, "stopped unfinished"),
            (outcome.drained.unstarted, "never started"),
        ]
    };
    for (count, what) in undone {
        match count {
            0 => {}
            1 => tell(format_args!("1 task was {what}")),
            n => tell(format_args!("{n} tasks were {what}")),
        }
    }
    match outcome.how {
        How::Quit => ExitCode::SUCCESS,
        // 128 and the signal's number, as shells have it.
        How::Signal(number) => ExitCode::from(128 + u8::try_from(number).unwrap_or_default()),
    }
}

fn fail(code: u8, error: &dyn std::error::Error) -> ExitCode {
    tell(format_args!("{error}"));
    ExitCode::from(code)
}

/// Says something on the terminal, if it is still there: `eprintln!` would panic without one.
fn tell(what: std::fmt::Arguments<'_>) {
    writeln!(std::io::stderr(), "distro-tui: {what}").ok();
}
