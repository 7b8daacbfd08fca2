//! The program: settings, log, process, screen, exit code.

use std::{io::IsTerminal, path::Path, process::ExitCode, sync::Arc};

use clap::Parser;
use distro_tui::{
    cli::{Cli, Command, GlobalArgs, ReplayArgs, ScreenArgs, error_line},
    command::{self, CmdError, print_stderr},
    config::{self, ConfigError, Settings},
    crash, logging,
    node::{Locality, NodeConfig, Session},
    ui::{self, ExitReason, Screen, ScreenOutcome, UiOptions},
};

fn main() -> ExitCode {
    let Cli {
        global,
        screen,
        settings: flags,
        command,
    } = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return reject_arguments(&error),
    };
    for unknown in config::unknown_variables(variable_names()) {
        print_stderr(format_args!("{unknown}"), true);
    }
    let variable = |name: &str| std::env::var(name);
    let command = match command {
        Some(command) if command.needs_no_settings() => {
            let file = config::file_path(global.config.as_deref(), variable);
            return command::run_without_settings(&command, &global, &file);
        }
        command => command,
    };
    let loaded = config::load(global.config.as_deref(), &flags, variable);
    let settings = match loaded.and_then(ui::check_keys) {
        Ok(settings) => settings,
        Err(error) => return reject(&global, error),
    };
    match command {
        None => run_screen(&global, &screen, &settings, None),
        Some(Command::Record(record)) => {
            run_screen(&global, &screen, &settings, Some(&record.file))
        }
        Some(Command::Replay(replay)) => run_replay(&settings, &replay),
        Some(command) => command::run(command, &global, &settings),
    }
}

/// The names of the environment variables that are UTF-8, as those of settings are.
fn variable_names() -> impl Iterator<Item = String> {
    std::env::vars_os().filter_map(|(name, _value)| name.into_string().ok())
}

/// Prints help, the version or an error of the arguments, which is JSON with `--json`.
fn reject_arguments(error: &clap::Error) -> ExitCode {
    let json = std::env::args_os().any(|argument| argument == "--json");
    if json && error.use_stderr() {
        return CmdError::Usage(error_line(error).into()).report(true);
    }
    error.print().ok();
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1))
}

/// Prints an error of the settings, with the lines of the file that it is about.
fn reject(global: &GlobalArgs, error: ConfigError) -> ExitCode {
    let excerpt = error.excerpt().filter(|_| !global.json);
    let code = CmdError::Usage(error.into()).report(global.json);
    for line in excerpt.into_iter().flatten() {
        print_stderr(format_args!("{line}"), false);
    }
    code
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
    let mut screen = Screen::new(&UiOptions {
        read_only: options.read_only,
        crash_test: options.crash_test,
        ..UiOptions::from_settings(settings, variable)
    })?;
    screen.set_local_node(settings.node_config());
    let _log = logging::start(&settings.log_path(), settings.log_level.value)?;
    crash::install(settings.state_dir().to_owned());
    let session = Arc::new(session(global, options, settings)?);
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

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Connects to the node of `--connect` or to the one that runs on the data folder, or starts one.
fn session(
    global: &GlobalArgs,
    options: &ScreenArgs,
    settings: &Settings,
) -> Result<Session, CmdError> {
    let node = settings.node_config();
    let session = match command::connect(global, settings)? {
        Some(session) => session,
        None => open_local(&node, settings)?,
    };
    if !options.read_only {
        return Ok(session);
    }
    let net = session.net();
    Ok(net.block_on(session.read_only(&node.data_dir))?)
}

/// Starts the node of the data folder, or attaches to it if it runs; then its options must not be given here.
fn open_local(node: &NodeConfig, settings: &Settings) -> Result<Session, CmdError> {
    let session = Session::open(node)?;
    match settings.node_flag() {
        Some(flag) if session.handle().info().locality != Locality::InProcess => {
            let why = format!(
                "a node runs on {} already, on which --{flag} has no effect: omit it, or stop that node",
                node.data_dir.display()
            );
            Err(CmdError::Usage(why.into()))
        }
        _ => Ok(session),
    }
}

/// Replays a recording.
fn run_replay(settings: &Settings, replay: &ReplayArgs) -> ExitCode {
    crash::install(settings.state_dir().to_owned());
    let shown = Screen::new(&UiOptions::from_settings(settings, variable))
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
