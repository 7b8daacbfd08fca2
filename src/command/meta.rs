//! `config`, `keys`, `completions` and `man`, which need no node.

use std::process::ExitCode;

use clap::CommandFactory;
use serde::Serialize;

use super::{CmdError, CmdResult, Ctx, output::Output};
use crate::{
    cli::{Cli, CompletionsArgs, ConfigCommand},
    config::{DEFAULT_FILE, EffectiveSetting},
    files, ui,
};

pub(super) fn config(ctx: &Ctx<'_>, config: &ConfigCommand) -> CmdResult {
    let settings = ctx.settings;
    match config {
        ConfigCommand::Show => {
            let mut out = ctx.output();
            if out.json {
                out.document(&settings.effective)?;
            } else {
                let row = |shown: &EffectiveSetting| {
                    vec![
                        shown.name.to_owned(),
                        shown.value.clone(),
                        shown.source.to_string(),
                    ]
                };
                let rows: Vec<_> = settings.effective.iter().map(row).collect();
                out.table(&["SETTING", "VALUE", "SOURCE"], &rows, "no settings")?;
            }
            out.flush()?;
        }
        ConfigCommand::Init { print: true } => {
            let mut out = Output::new(false);
            out.text(DEFAULT_FILE)?;
            out.flush()?;
        }
        ConfigCommand::Init { print: false } => {
            #[derive(Serialize)]
            struct WrittenJson {
                file: String,
            }
            let path = &settings.config_file;
            let failed = |e: std::io::Error| CmdError::file(path, e);
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(failed)?;
            }
            files::create_whole(path, DEFAULT_FILE.as_bytes()).map_err(failed)?;
            let file = path.display().to_string();
            let sentence = format!("{file} written");
            ctx.output()
                .print_result(&WrittenJson { file }, &sentence)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn keys(ctx: &Ctx<'_>) -> CmdResult {
    let keys = ui::keys();
    let mut out = ctx.output();
    if out.json {
        out.document(&keys)?;
    } else {
        let row = |key: &ui::KeyLine| {
            vec![
                key.at.clone(),
                key.keys.join(" "),
                key.name.to_owned(),
                key.does.to_owned(),
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
