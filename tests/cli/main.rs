//! The command line: help, completions, settings and errors. No test here opens a screen.

use std::{
    fs,
    process::{Command, Output, Stdio},
};

/// Runs the program with its own home and no settings from outside.
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

fn error_of(args: &[&str], variables: &[(&str, &str)], config: &str) -> (Option<i32>, String) {
    let (output, home) = run(args, variables, config);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.stdout, b"", "an error goes to standard error");
    let home = home.path().to_string_lossy().into_owned();
    (output.status.code(), text.replace(&home, "HOME"))
}

fn printed(args: &[&str]) -> String {
    let (output, _home) = run(args, &[], "");
    assert!(output.status.success());
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn help_teaches() {
    insta::assert_snapshot!("help_short", printed(&["-h"]));
    insta::assert_snapshot!("help_long", printed(&["--help"]));
}

/// The help of every command at any depth; new commands are included automatically.
#[test]
fn every_command_explains_itself() {
    use clap::CommandFactory;
    let mut all = String::new();
    describe(&distro_tui::cli::Cli::command(), &mut Vec::new(), &mut all);
    insta::assert_snapshot!("help_of_every_command", all);
}

fn describe(command: &clap::Command, path: &mut Vec<String>, all: &mut String) {
    for sub in command.get_subcommands() {
        path.push(sub.get_name().to_owned());
        let words: Vec<&str> = path.iter().map(String::as_str).collect();
        let help = printed(&[&words[..], &["--help"]].concat());
        // Settings are those of the program as a whole, and in its own help.
        let own: Vec<&str> = help.lines().take_while(|l| *l != "Settings:").collect();
        all.push_str(&format!(
            "$ distro-tui {} --help\n{}\n\n",
            words.join(" "),
            own.join("\n")
        ));
        describe(sub, path, all);
        path.pop();
    }
}

#[test]
fn completions_are_shell() {
    for (shell, check) in [("bash", Some("bash")), ("zsh", Some("zsh")), ("fish", None)] {
        let text = printed(&["completions", shell]);
        assert!(
            text.contains("distro-tui") && text.contains("serve"),
            "{shell}"
        );
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("completions");
        fs::write(&path, text).expect("written");
        let Some(check) = check else { continue };
        // Only shells that are installed can check the syntax.
        if let Ok(output) = Command::new(check).arg("-n").arg(&path).output() {
            assert!(output.status.success(), "{output:?}");
        }
    }
}

#[test]
fn the_manual_page_is_one() {
    let text = printed(&["man"]);
    for section in [".SH NAME", ".SH SYNOPSIS", ".SH OPTIONS", ".SH SUBCOMMANDS"] {
        assert!(text.contains(section), "{section}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("distro-tui.1");
    fs::write(&path, text).expect("written");
    let checked = Command::new("mandoc")
        .args(["-T", "lint", "-W", "error"])
        .arg(&path)
        .output();
    match checked {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(why) => eprintln!("skipped: mandoc: {why}"),
    }
}

#[test]
fn settings_are_shown_with_where_they_come_from() {
    let (output, _home) = run(
        &["config", "show", "--discover"],
        &[("DISTRO_TUI_THEME", "light")],
        "retention = \"1h\"",
    );
    let text = String::from_utf8(output.stdout).expect("text");
    for (name, value, from) in [
        ("discover", "true", "--discover"),
        ("theme", "light", "DISTRO_TUI_THEME"),
        ("retention ", "1h", "config.toml"),
        ("listen", "127.0.0.1:0", "default"),
    ] {
        let line = text
            .lines()
            .find(|line| line.starts_with(name))
            .expect(name);
        assert!(line.contains(value) && line.contains(from), "{line}");
    }
    let (output, _home) = run(&["config", "show", "--json"], &[], "");
    let shown: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let settings = distro_tui::config::TABLE.len();
    assert_eq!(shown.as_array().map(Vec::len), Some(settings));
}

#[test]
fn a_configuration_is_written_once() {
    let home = tempfile::tempdir().expect("a folder");
    let init = |options: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_distro-tui"));
        command
            .env_clear()
            .args(["config", "init"])
            .args(options)
            .stdin(Stdio::null());
        command.env("XDG_CONFIG_HOME", home.path());
        command.output().expect("it runs")
    };
    assert!(init(&[]).status.success());
    let file = home.path().join("distro-tui/config.toml");
    let written = fs::read_to_string(&file);
    assert_eq!(
        written.expect("there"),
        printed(&["config", "init", "--print"])
    );
    let again = init(&[]);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&again.stderr),
        format!(
            "distro-tui: {} already exists; --force replaces it, and --config FILE writes another file\n",
            file.display()
        )
    );
    fs::write(&file, "broken").expect("written");
    assert!(init(&["--force"]).status.success());
    let written = fs::read_to_string(&file).expect("there");
    assert_eq!(written, printed(&["config", "init", "--print"]));
    let other = home.path().join("new/other.toml");
    let options = ["--config", other.to_str().expect("UTF-8")];
    assert!(init(&options).status.success());
    assert_eq!(fs::read_to_string(&other).expect("there"), written);
}

#[test]
fn keys_are_listed_for_people_and_programs() {
    let text = printed(&["keys"]);
    assert!(
        text.lines()
            .any(|l| l.starts_with("Tasks") && l.contains(" a ") && l.contains("add"))
    );
    let keys: serde_json::Value =
        serde_json::from_str(&printed(&["keys", "--json"])).expect("JSON");
    assert_eq!(keys[0]["scope"], "everywhere");
    let (output, _home) = run(&["keys"], &[], "[keys]\nadd = \"i\"");
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(
        text.lines()
            .any(|l| l.starts_with("Tasks") && l.contains(" i ") && l.contains("add"))
    );
}

#[test]
fn the_version_is_the_package_s() {
    let version = format!("distro-tui {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(printed(&["--version"]), version);
}

#[test]
fn the_default_configuration_is_printed_as_it_is_kept() {
    let kept = fs::read_to_string("assets/config.default.toml").expect("kept");
    assert_eq!(printed(&["config", "init", "--print"]), kept);
}

#[test]
fn a_wrong_setting_names_its_source_and_what_would_be_right() {
    type Case = (
        &'static [&'static str],
        &'static [(&'static str, &'static str)],
        &'static str,
        &'static str,
    );
    let cases: [Case; 9] = [
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
            "/nowhere.toml: cannot be read: there is no such file; `distro-tui config init --config FILE` writes one\n",
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
            "HOME/distro-tui/config.toml:1: there is no setting `thme`; did you mean `theme`?",
        ),
        (
            &["keys"],
            &[],
            "[keys]\nadd = \"b\"",
            "HOME/distro-tui/config.toml:1: [keys]: `b` is a key of both add and load in the scope Tasks; give one of them another key",
        ),
        (
            &["keys"],
            &[],
            "[keys]\nad = \"i\"",
            "HOME/distro-tui/config.toml:1: [keys]: there is no action `ad`; did you mean `add`?",
        ),
    ];
    for (args, variables, config, says) in cases {
        let (code, text) = error_of(args, variables, config);
        assert_eq!(code, Some(2), "{text}");
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn a_file_that_is_not_toml_is_shown_at_the_mistake() {
    let (code, text) = error_of(&["config", "show"], &[], "mouse = true\nworkers = \n");
    assert_eq!(code, Some(2));
    let lines: Vec<&str> = text.lines().collect();
    assert!(
        lines[0].starts_with("distro-tui: HOME/distro-tui/config.toml:2:11: is not TOML: "),
        "{text}"
    );
    assert_eq!(lines[1..], ["  2 | workers = ", "    |           ^"]);
    // For programs it is one line of JSON.
    let (code, text) = error_of(&["config", "show", "--json"], &[], "workers = \n");
    let error: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((code, &error["error"]["code"]), (Some(2), &"usage".into()));
}

#[test]
fn an_error_of_the_arguments_is_json_for_programs() {
    for (args, message) in [
        (
            &["tasks", "list", "--limit", "x", "--json"][..],
            "invalid value 'x' for '--limit <COUNT>': it is not a number from 1 on",
        ),
        (
            &["--json", "call", "server"],
            "the following required arguments were not provided: <METHOD>",
        ),
    ] {
        let (code, text) = error_of(args, &[], "");
        let error: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        let expected = serde_json::json!({"error": {"code": "usage", "message": message}});
        assert_eq!((code, error), (Some(2), expected));
    }
}

/// `DISTRO_TUI_CONNECT` is for the commands that use a node; others run as without it.
#[test]
fn options_of_a_node_conflict_with_another_node_where_one_is_used() {
    let (code, text) = error_of(&["--workers", "3", "--connect", "x"], &[], "");
    assert_eq!(code, Some(2));
    assert!(
        text.contains("--workers has no effect with --connect"),
        "{text}"
    );
    let variables = [("DISTRO_TUI_CONNECT", "x")];
    let (code, text) = error_of(&["--workers", "3"], &variables, "");
    assert_eq!(code, Some(2));
    assert!(
        text.contains("--workers has no effect with --connect"),
        "{text}"
    );
    let (output, _home) = run(&["config", "show", "--workers", "3"], &variables, "");
    assert!(output.status.success());
}

#[test]
fn an_unknown_variable_is_a_warning_that_names_the_nearest() {
    let (output, _home) = run(&["config", "show"], &[("DISTRO_TUI_WOKERS", "4")], "");
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "distro-tui: warning: DISTRO_TUI_WOKERS is ignored: there is no such setting; did you mean `DISTRO_TUI_WORKERS`?\n"
    );
}

/// Help, completions and a new configuration file are what one needs then.
#[test]
fn a_broken_file_stops_no_command_that_does_not_need_it() {
    for args in [
        &["man"][..],
        &["completions", "bash"],
        &["config", "init", "--print"],
        &["config", "init", "--force"],
    ] {
        let (output, _home) = run(args, &[], "workers = \n");
        assert!(output.status.success(), "{args:?}");
        assert_eq!(output.stderr, b"", "{args:?}");
    }
}

#[test]
fn without_a_terminal_it_says_that_it_needs_one() {
    let (code, text) = error_of(&[], &[], "");
    assert_eq!(code, Some(1));
    assert_eq!(
        text,
        "distro-tui: the dashboard needs a terminal: do not redirect its input or output, or use --plain for text lines\n"
    );
}

/// An empty argument is a shell variable without a value, and must not stand for everything.
#[test]
fn an_empty_argument_is_an_error_of_every_command() {
    for args in [
        &["tasks", "list", ""][..],
        &["tasks", "cancel", ""],
        &["tasks", "cancel", "1", ""],
        &["tasks", "retry", " "],
        &["tasks", "purge", ""],
        &["tasks", "export", "x.csv", ""],
        &["tasks", "export", ""],
        &["tasks", "show", ""],
        &["names", "list", "--prefix", ""],
        &["names", "list", "--regex", ""],
        &["names", "list", "--tag", ""],
        &["names", "list", "--any-tag", " "],
        &["names", "lookup", ""],
        &["names", "register", "", "distro:x@127.0.0.1:1"],
        &["names", "register", "x", ""],
        &["names", "unregister", ""],
        &["names", "unregister", "", "--all"],
        &["names", "set-tags", "x", ""],
        &["names", "watch", "--prefix", ""],
        &["queue", "pause", ""],
        &["queue", "resume", " "],
        &["workers", "scale", ""],
        &["revoke", ""],
        &["leave", ""],
        &["join", ""],
        &["call", "", "x"],
        &["call", "server", ""],
        &["methods", ""],
        &["greet", ""],
        &["add", ""],
        &["submit", ""],
        &["add", "2", "3", "--key", ""],
        &["add", "2", "3", "--queue", ""],
        &["ticket", "--expires", ""],
        &["ticket", "--role", ""],
        &["--connect", "", "tasks", "purge", "--all"],
        &["tasks", "purge", "--all", "--connect", " "],
        &["--data-dir", "", "tasks", "list"],
        &["tasks", "list", "--data-dir", ""],
        &["--config", "", "tasks", "list"],
        &["serve", "--log-file", ""],
        &["serve", "--join", ""],
        &["serve", "--label", ""],
        &["serve", "--disable", ""],
        &["serve", "--workers", ""],
        &["serve", "--listen", ""],
        &["serve", "--advertise", ""],
        &["serve", "--metrics", ""],
        &["serve", "--retention", ""],
    ] {
        let (code, text) = error_of(args, &[], "");
        assert_eq!(code, Some(2), "{args:?}: {text}");
    }
}

#[test]
fn tasks_are_never_selected_by_default() {
    for command in ["cancel", "retry", "purge"] {
        let (code, text) = error_of(&["tasks", command], &[], "");
        assert_eq!(code, Some(2));
        assert!(text.contains("give --all"), "{text}");
        let (code, text) = error_of(&["tasks", command, "!sate:failed"], &[], "");
        assert_eq!(code, Some(2));
        assert!(text.contains("did you mean `state`?"), "{text}");
    }
}
