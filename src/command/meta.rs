//! `config`, `keys`, `completions` and `man`: about the program, without a node.

use std::process::ExitCode;

use clap::CommandFactory;
use serde::Serialize;

use super::{CmdError, CmdResult, Ctx, output::Output};
use crate::{
    cli::{Cli, Completions, Config, OutputArgs},
    config::{DEFAULT_FILE, EffectiveSetting},
    files, ui,
};

pub(super) fn config(given: &Ctx<'_>, config: &Config) -> CmdResult {
    let settings = given.settings;
    match config {
        Config::Show(out) => {
            let mut out = Output::new(*out);
            if out.json {
                out.document(&settings.shown)?;
            } else {
                let row = |shown: &EffectiveSetting| {
                    vec![
                        shown.name.to_owned(),
                        shown.value.clone(),
                        shown.from.clone(),
                    ]
                };
                let rows: Vec<_> = settings.shown.iter().map(row).collect();
                out.table(&["SETTING", "VALUE", "FROM"], &rows)?;
            }
            out.flush()?;
        }
        Config::Init { print: true, .. } => {
            let mut out = Output::new(OutputArgs::default());
            out.text(DEFAULT_FILE)?;
            out.flush()?;
        }
        Config::Init { print: false, out } => {
            #[derive(Serialize)]
            struct Written {
                file: String,
            }
            let path = &settings.config_file;
            let failed =
                |e: std::io::Error| CmdError::Failed(crate::export::describe_error(path, &e));
            if let Some(folder) = path.parent() {
                std::fs::create_dir_all(folder).map_err(failed)?;
            }
            files::create_whole(path, DEFAULT_FILE.as_bytes()).map_err(failed)?;
            let file = path.display().to_string();
            let told = format!("{file} written, with every setting explained");
            Output::new(*out).print_result(&Written { file }, &told)?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn keys(out: OutputArgs) -> CmdResult {
    let keys = ui::keys();
    let mut out = Output::new(out);
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
        out.table(&["WHERE", "KEYS", "NAME", "DOES"], &rows)?;
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

pub(super) fn completions(completions: &Completions) -> CmdResult {
    let mut text = Vec::new();
    clap_complete::generate(
        completions.shell,
        &mut Cli::command(),
        "distro-tui",
        &mut text,
    );
    written(&text)
}

pub(super) fn man() -> CmdResult {
    let mut text = Vec::new();
    clap_mangen::Man::new(Cli::command()).render(&mut text)?;
    written(&text)
}

fn written(text: &[u8]) -> CmdResult {
    let mut out = Output::new(OutputArgs::default());
    out.text(&String::from_utf8_lossy(text))?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
