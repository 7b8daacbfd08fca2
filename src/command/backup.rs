//! `backup` and `restore`: copies of the tasks of a data folder.

use std::path::Path;

use serde::Serialize;

use super::{CmdError, CmdResult, Ctx};
use crate::{
    cli::{BackupArgs, RestoreArgs},
    queue::embedded,
    text::pluralize,
};

pub(super) fn back_up(ctx: &Ctx<'_>, args: &BackupArgs) -> CmdResult {
    #[derive(Serialize)]
    struct BackupJson {
        file: String,
        tasks: usize,
    }
    let folder = own_folder(ctx)?;
    let tasks = embedded::back_up(folder, &args.file).map_err(CmdError::failed)?;
    let file = args.file.display().to_string();
    let sentence = format!("{} backed up to {file}", pluralize(tasks, "task"));
    Ok(ctx
        .output()
        .print_result(&BackupJson { file, tasks }, &sentence)?)
}

pub(super) fn restore(ctx: &Ctx<'_>, args: &RestoreArgs) -> CmdResult {
    #[derive(Serialize)]
    struct RestoreJson {
        tasks: usize,
        previous: Option<String>,
    }
    let folder = own_folder(ctx)?;
    let restored = embedded::restore(folder, &args.file).map_err(CmdError::failed)?;
    let previous = restored.previous.map(|path| path.display().to_string());
    let before = previous.as_ref();
    let before = before.map_or(String::new(), |path| {
        format!("; the previous file is at {path}")
    });
    let sentence = format!("{} restored{before}", pluralize(restored.tasks, "task"));
    let json = RestoreJson {
        tasks: restored.tasks,
        previous,
    };
    Ok(ctx.output().print_result(&json, &sentence)?)
}

/// The data folder, which has to be on this machine.
fn own_folder<'a>(ctx: &'a Ctx<'_>) -> Result<&'a Path, CmdError> {
    match ctx.options.connect {
        Some(_) => Err(CmdError::usage(
            "the file of another node cannot be read from here; run this on its machine, without --connect",
        )),
        None => Ok(ctx.settings.data_dir()),
    }
}
