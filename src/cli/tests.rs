use clap::{CommandFactory, Parser};

use super::*;
use crate::config::{SettingGroup, SettingSpec, TABLE};

fn parse(args: &[&str]) -> Result<Cli, String> {
    let args = ["distro-tui"].iter().chain(args);
    Cli::try_parse_from(args).map_err(|error| error.to_string())
}

/// The arguments that give a setting its example.
fn flag(spec: &SettingSpec) -> String {
    format!("--{}={}", spec.name, spec.example)
}

#[test]
fn the_command_line_is_consistent() {
    Cli::command().debug_assert();
}

#[test]
fn every_setting_is_an_option_of_the_commands_that_it_affects() {
    for spec in TABLE {
        let given = vec![(spec.name, spec.example.to_owned())];
        let flag = flag(spec);
        let node = spec.group != SettingGroup::Dashboard;
        let screen = spec.group == SettingGroup::Dashboard;
        let client = spec.group == SettingGroup::Common;
        for (command, affected) in [
            (&[][..], true),
            (&["record", "x"], true),
            (&["config", "show"], true),
            (&["serve"], node),
            (&["replay", "x"], screen),
            (&["names", "list"], client),
            (&["greet", "Ali"], client),
            (&["join", "x"], client),
            (&["doctor"], client),
            (&["config", "init"], false),
            (&["keys"], false),
            (&["man"], false),
        ] {
            let after = parse(&[command, &[&flag]].concat());
            let before = parse(&[&[flag.as_str()], command].concat());
            for (cli, place) in [(after, "after"), (before, "before")] {
                let settings = cli.map(|cli| cli.settings);
                match affected {
                    true => assert_eq!(settings, Ok(given.clone()), "{flag} {place} {command:?}"),
                    false => assert!(settings.is_err(), "{flag} {place} {command:?}"),
                }
            }
        }
    }
}

#[test]
fn a_switch_needs_no_value() {
    let settings = |args: &[&str]| parse(args).expect("valid").settings;
    let discover = |value: &str| vec![("discover", value.to_owned())];
    assert_eq!(settings(&["--discover"]), discover("true"));
    assert_eq!(settings(&["--discover", "serve"]), discover("true"));
    assert_eq!(settings(&["serve", "--discover=false"]), discover("false"));
}

#[test]
fn flags_of_a_node_belong_to_the_screen_and_to_serve() {
    for args in [
        &["--workers", "3"][..],
        &["--workers", "3", "record", "x"],
        &["serve", "--workers", "3"],
        &["--workers", "3", "serve"],
        &["--json", "--data-dir", "x", "names", "list"],
        &["names", "list", "--json", "--data-dir", "x"],
        &["--connect", "x", "names", "list"],
        &["names", "--connect", "x", "list"],
        &["record", "--read-only", "x"],
        &["--connect", "x", "--log-level", "debug", "--theme", "light"],
    ] {
        assert!(parse(args).is_ok(), "{args:?}");
    }
    for args in [
        &["names", "list", "--workers", "3"][..],
        &["--workers", "3", "names", "list"],
        &["--read-only", "tasks", "list"],
        &["--plain", "record", "x"],
        &["--connect", "x", "serve"],
        &["--connect", "x", "--workers", "3"],
        &["serve", "--connect", "x"],
        &["config", "show", "--connect", "x"],
        &["keys", "--connect", "x"],
        &["man", "--config", "x"],
        &["config", "init", "--print", "--json"],
    ] {
        assert!(parse(args).is_err(), "{args:?}");
    }
}

#[test]
fn an_option_without_effect_is_an_error_that_says_where_it_belongs() {
    let error = |args: &[&str]| {
        let error = parse(args).expect_err("no effect");
        error.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(
        error(&["--workers", "3", "names", "list"]),
        "error: --workers has no effect on `names list`: it is an option of `serve` and of the dashboard"
    );
    assert_eq!(
        error(&["--connect", "x", "keys"]),
        "error: --connect has no effect on `keys`: it is an option of commands that use a running node"
    );
}

/// An option that is missing in the list would be ignored instead of rejected.
#[test]
fn every_option_of_the_program_is_checked() {
    let program = Program::command();
    let local = program.get_arguments().filter(|arg| !arg.is_global_set());
    let ids: Vec<&str> = local.map(|arg| arg.get_id().as_str()).collect();
    assert_eq!(ids, options::PROGRAM);
}

#[test]
fn an_option_after_the_command_takes_precedence() {
    let cli = parse(&["--connect", "a", "tasks", "list", "--connect", "b"]).expect("valid");
    assert_eq!(cli.global.connect.as_deref(), Some("b"));
    let cli = parse(&["--workers", "3", "serve", "--workers", "4"]).expect("valid");
    assert_eq!(cli.settings, [("workers", "4".to_owned())]);
}

#[test]
fn a_wrong_value_is_an_error_that_says_what_is_expected() {
    let register = ["names", "register", "x"];
    let cases: [(&[&str], &str); 9] = [
        (
            &["add", "2", "3", "--seconds", "x"],
            "error: invalid value 'x' for '--seconds <SECONDS>': it is not a number of seconds from 0 to 3600",
        ),
        (
            &["add", "2", "3", "--seconds=-1"],
            "error: invalid value '-1' for '--seconds <SECONDS>': it is not a number of seconds from 0 to 3600",
        ),
        (
            &["add", "2", "3", "--wait", "--timeout", "x"],
            "error: invalid value 'x' for '--timeout <TIME>': `x` is not a duration, such as 500ms, 90s, 1h30m, 2 days or 7d",
        ),
        (
            &["add", "2", "3", "--wait", "--timeout", "0s"],
            "error: invalid value '0s' for '--timeout <TIME>': it must be longer than zero",
        ),
        (
            &["replay", "f", "--speed", "x"],
            "error: invalid value 'x' for '--speed <FACTOR>': it is not a number above 0, such as 0.5 or 10",
        ),
        (
            &["replay", "f", "--speed", "0"],
            "error: invalid value '0' for '--speed <FACTOR>': it is not a number above 0, such as 0.5 or 10",
        ),
        (
            &["workers", "scale", "x"],
            "error: invalid value 'x' for '<COUNT>': it is not a number from 1 to 256",
        ),
        (
            &["tasks", "show", "x"],
            "error: invalid value 'x' for '<ID>': `x` is not a task id; write a number such as 41, or a UUID",
        ),
        (
            &[&register[..], &["distro:y@127.0.0.1:1", "--lease", "0s"]].concat(),
            "error: invalid value '0s' for '--lease <TIME>': it must be longer than zero",
        ),
    ];
    for (args, expected) in cases {
        let error = parse(args).expect_err(expected);
        assert_eq!(error.lines().next(), Some(expected));
    }
    let error = parse(&[&register[..], &["nowhere"]].concat()).expect_err("no URI");
    assert!(
        error.starts_with("error: invalid value 'nowhere' for '<URI>': ")
            && error.contains("distro:"),
        "{error}"
    );
}
