//! `config`, `keys`, `completions` and `man`, which need no node.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::CommandFactory;
use serde::Serialize;

use super::{CmdError, CmdResult, Ctx, output::Output};
use crate::{
    cli::{Cli, CompletionsArgs},
    config::{self, EffectiveSetting},
    files, ui,
};

/// Prints every setting with its value and source.
pub(super) fn show_settings(ctx: &Ctx<'_>) -> CmdResult {
    let effective = ctx.settings.effective();
    let mut out = ctx.output();
    if out.json {
        out.document(&effective)?;
    } else {
        let row = |shown: &EffectiveSetting| {
            vec![
                shown.name.to_owned(),
                shown.value.clone(),
                shown.source.to_string(),
            ]
        };
        let rows: Vec<_> = effective.iter().map(row).collect();
        out.table(&["SETTING", "VALUE", "SOURCE"], &rows, "no settings")?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn print_default_file() -> CmdResult {
    write_text(config::default_file().as_bytes())
}

/// Writes a configuration file with the defaults; an existing one only with `force`.
pub(super) fn write_default_file(path: &Path, force: bool, out: Output) -> CmdResult {
    #[derive(Serialize)]
    struct WrittenJson {
        file: String,
    }
    let failed = |error: io::Error| match error.kind() {
        io::ErrorKind::AlreadyExists => CmdError::failed(ExistsError(path.to_owned())),
        _ => CmdError::file(path, error),
    };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let write = match force {
        true => files::replace,
        false => files::create_whole,
    };
    write(path, config::default_file().as_bytes()).map_err(failed)?;
    let file = path.display().to_string();
    let sentence = format!("{file} written");
    Ok(out.print_result(&WrittenJson { file }, &sentence)?)
}

/// There is a configuration file already.
#[derive(Debug, thiserror::Error)]
#[error(
    "{} already exists; --force replaces it, and --config FILE writes another file",
    .0.display()
)]
struct ExistsError(PathBuf);

pub(super) fn keys(ctx: &Ctx<'_>) -> CmdResult {
    let keys = ui::keys(ctx.settings);
    let mut out = ctx.output();
    if out.json {
        out.document(&keys)?;
    } else {
        let row = |key: &ui::KeyLine| {
            vec![
                key.scope.clone(),
                key.keys.join(" "),
                key.name.to_owned(),
                key.description.to_owned(),
            ]
        };
        let rows: Vec<_> = keys.iter().map(row).collect();
        out.table(
            &["SCOPE", "KEYS", "ACTION", "DESCRIPTION"],
            &rows,
            "no keys",
        )?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn completions(completions: &CompletionsArgs) -> CmdResult {
    let mut text = Vec::new();
    clap_complete::generate(
        completions.shell,
        &mut Cli::command(),
        "distro-tui",
        &mut text,
    );
    write_text(&text)
}

pub(super) fn man() -> CmdResult {
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut text)?;
    write_text(&text)
}

fn write_text(text: &[u8]) -> CmdResult {
    let mut out = Output::new(false);
    out.text(&String::from_utf8_lossy(text))?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
