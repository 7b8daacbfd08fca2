//! The command line: what it teaches, and what it says when something is wrong. None of these gets
//! as far as a screen.

use std::{
    fs,
    process::{Command, Output, Stdio},
};

/// The program with a home of its own and no settings from outside.
fn run(args: &[&str], variables: &[(&str, &str)], config: &str) -> (Output, tempfile::TempDir) {
    let home = tempfile::tempdir().expect("a folder");
    let folder = home.path().join("distro-tui");
    fs::create_dir_all(&folder).expect("made");
    fs::write(folder.join("config.toml"), config).expect("written");
    let mut command = Command::new(env!("CARGO_BIN_EXE_distro-tui"));
    command.env_clear().args(args).stdin(Stdio::null());
    for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "HOME"] {
        command.env(name, home.path());
    }
    command.envs(variables.iter().copied());
    (command.output().expect("it runs"), home)
}

fn told(args: &[&str], variables: &[(&str, &str)], config: &str) -> (Option<i32>, String) {
    let (output, home) = run(args, variables, config);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.stdout, b"", "an error goes to standard error");
    let home = home.path().to_string_lossy().into_owned();
    (output.status.code(), text.replace(&home, "HOME"))
}

fn printed(arg: &str) -> String {
    let (output, _home) = run(&[arg], &[], "");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn help_teaches() {
    insta::assert_snapshot!("help_short", printed("-h"));
    insta::assert_snapshot!("help_long", printed("--help"));
}

#[test]
fn the_version_is_the_package_s() {
    let version = format!("distro-tui {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(printed("--version"), version);
}

#[test]
fn the_default_configuration_is_printed_as_it_is_kept() {
    let kept = fs::read_to_string("assets/config.default.toml").expect("kept");
    assert_eq!(printed("--print-config"), kept);
}

#[test]
fn a_wrong_setting_names_its_source_and_what_would_be_right() {
    type Case = (
        &'static [&'static str],
        &'static [(&'static str, &'static str)],
        &'static str,
        &'static str,
    );
    let cases: [Case; 7] = [
        (&["--nonsense"], &[], "", "unexpected argument '--nonsense'"),
        (
            &["--theme", "drak"],
            &[],
            "",
            "--theme: `drak` is not one of dark, light",
        ),
        (
            &["--workers", "0"],
            &[],
            "",
            "--workers: `0` is not a number from 1 to 256",
        ),
        (
            &["--listen", "here"],
            &[],
            "",
            "--listen: `here` is not an address and a port",
        ),
        (
            &["--config", "/nowhere.toml"],
            &[],
            "",
            "/nowhere.toml: cannot be read",
        ),
        (
            &[],
            &[("DISTRO_TUI_LOG_LEVEL", "loud")],
            "",
            "DISTRO_TUI_LOG_LEVEL: `loud` is not one of",
        ),
        (
            &[],
            &[],
            "thme = \"dark\"",
            "HOME/distro-tui/config.toml: there is no setting `thme`; did you mean `theme`?",
        ),
    ];
    for (args, variables, config, says) in cases {
        let (code, text) = told(args, variables, config);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn without_a_terminal_it_says_that_it_needs_one() {
    let (code, text) = told(&[], &[], "");
    assert_eq!(code, Some(1));
    assert_eq!(
        text,
        "distro-tui: this is a screen: run it in a terminal, without redirecting it\n"
    );
}
