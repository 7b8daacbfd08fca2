//! The commands: each sends requests to a node and prints the result, for people or, with `--json`, for programs.

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
mod workers;

use std::process::ExitCode;

use crate::{
    cli::{Command, GlobalArgs},
    config::Settings,
    node::Session,
};

pub use self::{error::CmdError, output::print_stderr};

/// The exit code of a command, or its error.
type CmdResult = Result<ExitCode, CmdError>;

/// The options and settings that every command has.
struct Ctx<'a> {
    options: &'a GlobalArgs,
    settings: &'a Settings,
}

impl Ctx<'_> {
    /// Connects to the node of `--connect`, by default to the one that runs on the data folder.
    fn session(&self) -> Result<Session, CmdError> {
        match connect(self.options, self.settings)? {
            Some(session) => Ok(session),
            None => Ok(Session::attach(&self.settings.node.data_dir)?),
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
    let json = wants_json(&command);
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
        Command::Members(out) => members::list(&ctx, out),
        Command::Revoke(revoke) => members::revoke(&ctx, &revoke),
        Command::Ticket(ticket) => ticket::run(&ctx, &ticket),
        Command::Join(join) => join::join(&ctx, &join),
        Command::Leave(leave) => join::leave(&ctx, &leave),
        Command::Doctor(out) => doctor::run(&ctx, out),
        Command::Config(config) => meta::config(&ctx, &config),
        Command::Keys(out) => meta::keys(out),
        Command::Completions(completions) => meta::completions(&completions),
        Command::Man => meta::man(),
        // They open the dashboard, which `main` does.
        Command::Record(_) | Command::Replay(_) => Ok(ExitCode::SUCCESS),
    };
    match result {
        Ok(code) => code,
        // The reader of the output has closed it, which is no error.
        Err(CmdError::BrokenPipe) => ExitCode::SUCCESS,
        Err(error) => error.report(json),
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
    let node = &settings.node;
    let ticket_or_key = ticket::read_argument(argument)?;
    let session = Session::connect(&node.data_dir, &ticket_or_key, &node.label, node.discover)?;
    Ok(Some(session))
}

/// Returns true if the command was given `--json`.
fn wants_json(command: &Command) -> bool {
    use crate::cli::{Config, Names, Queue, Tasks, TicketCommand, Workers};
    match command {
        Command::Serve(serve) => serve.json,
        Command::Names(
            Names::List { out, .. }
            | Names::Lookup { out, .. }
            | Names::Register { out, .. }
            | Names::Unregister { out, .. }
            | Names::SetTags { out, .. }
            | Names::Watch { out, .. },
        )
        | Command::Tasks(
            Tasks::List { out, .. }
            | Tasks::Show { out, .. }
            | Tasks::Watch(out)
            | Tasks::Export { out, .. },
        )
        | Command::Workers(Workers::List(out) | Workers::Scale { out, .. })
        | Command::Queue(
            Queue::Stats(out) | Queue::Pause { out, .. } | Queue::Resume { out, .. },
        )
        | Command::Config(Config::Show(out) | Config::Init { out, .. })
        | Command::Members(out)
        | Command::Doctor(out)
        | Command::Keys(out) => out.json,
        Command::Tasks(
            Tasks::Cancel(selector) | Tasks::Retry(selector) | Tasks::Purge(selector),
        ) => selector.out.json,
        Command::Call(call) => call.out.json,
        Command::Methods(methods) => methods.out.json,
        Command::Greet(greet) => greet.out.json,
        Command::Add(add) => add.submit.out.json,
        Command::Submit(submit) => submit.submit.out.json,
        Command::Revoke(revoke) => revoke.out.json,
        Command::Ticket(ticket) => match &ticket.command {
            Some(TicketCommand::Invalidate { out, .. }) => out.json,
            None => ticket.out.json,
        },
        Command::Join(join) => join.out.json,
        Command::Leave(leave) => leave.out.json,
        _ => false,
    }
}
