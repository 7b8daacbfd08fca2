//! The commands: each sends requests to a node and prints the result, for people or, with `--json`, for programs.

mod backup;
mod broker;
mod calls;
mod doctor;
mod error;
mod greet;
mod join;
mod members;
mod meta;
mod names;
mod output;
mod queue;
mod serve;
mod stdin;
mod submit;
mod tasks;
mod ticket;
mod unfinished;
mod workers;

use std::{path::Path, process::ExitCode};

use self::output::Output;
use crate::{
    cli::{Command, ConfigCommand, GlobalArgs},
    config::Settings,
    node::Session,
};

pub use self::{error::CmdError, output::print_stderr, unfinished::print_unfinished};

/// The exit code of a command, or its error.
type CmdResult = Result<ExitCode, CmdError>;

/// The options and settings that every command has.
struct Ctx<'a> {
    options: &'a GlobalArgs,
    settings: &'a Settings,
}

impl Ctx<'_> {
    /// Returns the standard output, as JSON with `--json`.
    fn output(&self) -> Output {
        Output::new(self.options.json)
    }

    /// Connects to the node of `--connect`, by default to the one that runs on the data folder.
    fn session(&self) -> Result<Session, CmdError> {
        match connect(self.options, self.settings)? {
            Some(session) => Ok(session),
            None => Ok(Session::attach(self.settings.data_dir())?),
        }
    }

    /// Connects to the node, runs `requests` and disconnects.
    fn with_session<T: Send, Requests>(
        &self,
        requests: impl FnOnce(Session) -> Requests,
    ) -> Result<T, CmdError>
    where
        Requests: Future<Output = (Session, Result<T, CmdError>)> + Send,
    {
        let session = self.session()?;
        let net = session.net();
        net.block_on(async move {
            let (session, result) = requests(session).await;
            session.end(std::time::Duration::ZERO).await;
            result
        })
    }
}

/// Runs a command and returns its exit code. An error is printed.
#[must_use]
pub fn run(command: Command, options: &GlobalArgs, settings: &Settings) -> ExitCode {
    let ctx = Ctx { options, settings };
    let result = match command {
        Command::Serve(serve) => serve::run(&ctx, &serve),
        Command::Names(names) => names::run(&ctx, names),
        Command::Call(call) => calls::call(&ctx, &call),
        Command::Methods(methods) => calls::methods(&ctx, &methods),
        Command::Greet(greet) => greet::run(&ctx, greet),
        Command::Add(add) => submit::add(&ctx, &add),
        Command::Submit(submit) => submit::submit(&ctx, &submit),
        Command::Tasks(tasks) => tasks::run(&ctx, tasks),
        Command::Workers(workers) => workers::run(&ctx, &workers),
        Command::Queue(queue) => queue::run(&ctx, &queue),
        Command::Members => members::list(&ctx),
        Command::Revoke(revoke) => members::revoke(&ctx, &revoke),
        Command::Ticket(ticket) => ticket::run(&ctx, &ticket),
        Command::Join(join) => join::join(&ctx, &join),
        Command::Leave(leave) => join::leave(&ctx, &leave),
        Command::Doctor(doctor) => doctor::run(&ctx, &doctor),
        Command::Backup(backup) => backup::back_up(&ctx, &backup),
        Command::Restore(restore) => backup::restore(&ctx, &restore),
        Command::Config(_) => meta::show_settings(&ctx),
        Command::Keys => meta::keys(&ctx),
        // `main` opens the dashboard, and runs what needs no settings.
        Command::Record(_) | Command::Replay(_) | Command::Completions(_) | Command::Man => {
            Ok(ExitCode::SUCCESS)
        }
    };
    exit_code(result, options)
}

/// Runs a command that [needs no settings](Command::needs_no_settings); `file` is the configuration file.
#[must_use]
pub fn run_without_settings(command: &Command, options: &GlobalArgs, file: &Path) -> ExitCode {
    let result = match command {
        Command::Config(ConfigCommand::Init { print, force }) => match print {
            true => meta::print_default_file(),
            false => meta::write_default_file(file, *force, Output::new(options.json)),
        },
        Command::Completions(completions) => meta::completions(completions),
        _ => meta::man(),
    };
    exit_code(result, options)
}

fn exit_code(result: CmdResult, options: &GlobalArgs) -> ExitCode {
    match result {
        Ok(code) => code,
        // The reader of the output has closed it, which is no error.
        Err(CmdError::BrokenPipe) => ExitCode::SUCCESS,
        Err(error) => error.report(options.json),
    }
}

/// Connects to the node of `--connect`; `None` without the option.
///
/// # Errors
/// [`CmdError`] when the node is unknown or cannot be reached.
pub fn connect(options: &GlobalArgs, settings: &Settings) -> Result<Option<Session>, CmdError> {
    // An empty environment variable counts as unset.
    let argument = options.connect.as_deref().filter(|text| !text.is_empty());
    let Some(argument) = argument else {
        return Ok(None);
    };
    let node = settings.node_config();
    let ticket_or_key = ticket::read_argument(argument)?;
    let session = Session::connect(&node.data_dir, &ticket_or_key, &node.label, node.discover)?;
    Ok(Some(session))
}
