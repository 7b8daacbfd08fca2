//! The program: settings, log, process, screen, exit code.

use std::{io::IsTerminal, path::Path, process::ExitCode, sync::Arc};

use clap::Parser;
use distro_tui::{
    cli::{Cli, Command, GlobalArgs, ReplayArgs, ScreenArgs},
    command::{self, CmdError, print_stderr},
    config::{self, Settings},
    crash, logging,
    node::{Node, NodeError, Session},
    ui::{ExitReason, Screen, ScreenOutcome},
};

/// The exit code for a wrong option, environment variable or setting.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let cli = Cli::parse().checked().unwrap_or_else(|error| error.exit());
    let variable = |name: &str| std::env::var(name).ok();
    let mut settings = match config::load(&cli, variable) {
        Ok(settings) => settings,
        Err(error) => return fail(USAGE, &error),
    };
    settings.ui.crash_test = cli.screen.crash_test;
    settings.ui.read_only = cli.screen.read_only;
    let Cli {
        global,
        screen: options,
        command,
        ..
    } = cli;
    match command {
        None => run_screen(&global, &options, &settings, None),
        Some(Command::Record(record)) => {
            run_screen(&global, &options, &settings, Some(&record.file))
        }
        Some(Command::Replay(replay)) => run_replay(&settings, &replay),
        Some(command) => command::run(command, &global, &settings),
    }
}

fn run_screen(
    global: &GlobalArgs,
    options: &ScreenArgs,
    settings: &Settings,
    record: Option<&Path>,
) -> ExitCode {
    match open_screen(global, options, settings, record) {
        Ok(outcome) => report_outcome(&outcome),
        Err(error) => {
            // An error of the node is printed as by commands.
            match error.downcast::<CmdError>() {
                Ok(failure) => failure.report(false),
                Err(error) => fail(1, &*error),
            }
        }
    }
}

fn open_screen(
    global: &GlobalArgs,
    options: &ScreenArgs,
    settings: &Settings,
    record: Option<&Path>,
) -> Result<ScreenOutcome, Box<dyn std::error::Error>> {
    let in_terminal = std::io::stdout().is_terminal() && std::io::stdin().is_terminal();
    if !(options.plain || in_terminal) {
        return Err("the dashboard needs a terminal: do not redirect its input or output, or use --plain for text lines".into());
    }
    if options.plain && record.is_some() {
        return Err("--plain cannot be recorded: omit it, or redirect its output to a file".into());
    }
    let mut screen = Screen::new(&settings.ui)?;
    let _log = logging::start(&settings.log_file, settings.log_level)?;
    crash::install(settings.state_dir.clone());
    let session = Arc::new(session(global, settings)?);
    if let Some(path) = record {
        screen.record(path)?;
    }
    let outcome = if options.plain {
        screen.run_plain(session)?
    } else {
        screen.run(session)?
    };
    tracing::info!(?outcome, "ended");
    Ok(outcome)
}

/// Connects to the node of `--connect` or to the one that runs on the data folder, or starts one.
fn session(global: &GlobalArgs, settings: &Settings) -> Result<Session, CmdError> {
    if let Some(session) = command::connect(global, settings)? {
        return Ok(session);
    }
    let node = &settings.node;
    match Node::start(node) {
        Ok(node) => {
            tracing::info!(addr = %node.addr(), key = %node.key(), "started");
            Ok(node.into())
        }
        Err(NodeError::Running { pid, .. }) => {
            tracing::info!(pid, "attached to the running node");
            Ok(Session::attach(&node.data_dir)?)
        }
        Err(error) => Err(error.into()),
    }
}

/// Replays a recording.
fn run_replay(settings: &Settings, replay: &ReplayArgs) -> ExitCode {
    if !(replay.speed.is_finite() && replay.speed > 0.0) {
        print_stderr(
            format_args!("--speed: {} is not a number above 0", replay.speed),
            true,
        );
        return ExitCode::from(USAGE);
    }
    crash::install(settings.state_dir.clone());
    let shown = Screen::new(&settings.ui)
        .map_err(Into::into)
        .and_then(|screen| screen.replay(&replay.file, replay.speed, replay.paused));
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(1, &*error),
    }
}

/// Prints how many tasks are unfinished and returns the exit code.
fn report_outcome(outcome: &ScreenOutcome) -> ExitCode {
    command::print_unfinished(&outcome.report);
    match outcome.reason {
        ExitReason::Quit => ExitCode::SUCCESS,
        // 128 and the signal's number, as shells have it.
        ExitReason::Signal(number) => {
            ExitCode::from(128 + u8::try_from(number).unwrap_or_default())
        }
    }
}

fn fail(code: u8, error: &dyn std::error::Error) -> ExitCode {
    print_stderr(format_args!("{error}"), true);
    ExitCode::from(code)
}
