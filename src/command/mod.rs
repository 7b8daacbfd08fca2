//! What the commands do: each asks a node something and prints what came of it, for people or, with
//! `--json`, for programs.

mod calls;
mod doctor;
mod greet;
mod names;
mod serve;
mod submit;
mod tasks;
mod workers;

use std::process::ExitCode;

use crate::{
    cli::{Command, GlobalArgs},
    config::Settings,
    node::Session,
};

pub use self::{error::CmdError, output::print_stderr};

/// How a command ends when nothing went wrong on the way.
type CmdResult = Result<ExitCode, CmdError>;

/// What a command is given.
struct Ctx<'a> {
    options: &'a GlobalArgs,
    settings: &'a Settings,
}

impl Ctx<'_> {
    /// The node that is meant: the one that was named, or the one that runs here.
    fn session(&self) -> Result<Session, CmdError> {
        match connect(self.options, self.settings)? {
            Some(session) => Ok(session),
            None => Ok(Session::attach(&self.settings.node.data_dir)?),
        }
    }

    /// Does something with that node, and lets go of it.
    fn with<T: Send, Work>(&self, work: impl FnOnce(Session) -> Work) -> Result<T, CmdError>
    where
        Work: Future<Output = (Session, Result<T, CmdError>)> + Send,
    {
        let session = self.session()?;
        let net = session.net();
        net.block_on(async move {
            let (session, done) = work(session).await;
            session.end(std::time::Duration::ZERO).await;
            done
        })
    }
}

/// Carries out a command and answers with its exit code; what went wrong has been said.
#[must_use]
pub fn run(command: Command, options: &GlobalArgs, settings: &Settings) -> ExitCode {
    let given = Ctx { options, settings };
    let json = wants_json(&command);
    let done = match command {
        Command::Serve(serve) => serve::run(&given, &serve),
        Command::Names(names) => names::run(&given, names),
        Command::Call(call) => calls::call(&given, &call),
        Command::Methods(methods) => calls::methods(&given, &methods),
        Command::Greet(greet) => greet::run(&given, greet),
        Command::Add(add) => submit::add(&given, &add),
        Command::Submit(submit) => submit::submit(&given, &submit),
        Command::Tasks(tasks) => tasks::run(&given, tasks),
        Command::Workers(workers) => workers::run(&given, &workers),
        Command::Queue(queue) => workers::queue(&given, &queue),
        Command::Peers(out) => members::list(&given, out),
        Command::Revoke(revoke) => members::revoke(&given, &revoke),
        Command::Ticket(ticket) => members::ticket(&given, &ticket),
        Command::Join(join) => members::join(&given, &join),
        Command::Leave(leave) => members::leave(&given, &leave),
        Command::Doctor(out) => doctor::run(&given, out),
        Command::Config(config) => meta::config(&given, &config),
        Command::Keys(out) => meta::keys(out),
        Command::Completions(completions) => meta::completions(&completions),
        Command::Man => meta::man(),
        // These are screens.
        Command::Record(_) | Command::Replay(_) => Ok(ExitCode::SUCCESS),
    };
    match done {
        Ok(code) => code,
        // Whoever reads has had enough: that is no failure.
        Err(CmdError::BrokenPipe) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}

/// A time with the node that `--connect` names, if it names one.
///
/// # Errors
/// Why there is no way to it.
pub fn connect(options: &GlobalArgs, settings: &Settings) -> Result<Option<Session>, CmdError> {
    // As with every variable, an empty one is as good as none.
    let told = options.connect.as_deref().filter(|told| !told.is_empty());
    let Some(told) = told else { return Ok(None) };
    // A ticket may be given without being seen by others.
    let (to, node) = (members::told_in(told)?, &settings.node);
    let session = Session::connect(&node.data_dir, &to, &node.label, node.discover)?;
    Ok(Some(session))
}

/// Whether errors are for programs too.
fn wants_json(command: &Command) -> bool {
    use crate::cli::{Config, Names, Queue, Tasks, TicketCommand, Workers};
    match command {
        Command::Serve(serve) => serve.json,
        Command::Names(
            Names::List { out, .. }
            | Names::Lookup { out, .. }
            | Names::Register { out, .. }
            | Names::Unregister { out, .. }
            | Names::SetMetadata { out, .. }
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
        | Command::Peers(out)
        | Command::Doctor(out)
        | Command::Keys(out) => out.json,
        Command::Tasks(Tasks::Cancel(which) | Tasks::Retry(which) | Tasks::Purge(which)) => {
            which.out.json
        }
        Command::Call(call) => call.out.json,
        Command::Methods(methods) => methods.out.json,
        Command::Greet(greet) => greet.out.json,
        Command::Add(add) => add.submit.out.json,
        Command::Submit(submit) => submit.submit.out.json,
        Command::Revoke(revoke) => revoke.out.json,
        Command::Ticket(ticket) => match &ticket.command {
            Some(TicketCommand::Rotate { out, .. }) => out.json,
            None => ticket.out.json,
        },
        Command::Join(join) => join.out.json,
        Command::Leave(leave) => leave.out.json,
        _ => false,
    }
}
mod error;
mod members;
mod meta;
mod output;
mod stdin;
