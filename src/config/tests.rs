use std::{fs, path::Path};

use super::{layers::KeyTable, *};

/// Loads settings with a file, variables and flags of this test only.
fn with(
    file: &str,
    variables: &[(&str, &str)],
    flags: &[(&'static str, &str)],
) -> Result<Settings, ConfigError> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("distro-tui/config.toml");
    fs::create_dir_all(path.parent().expect("a parent")).expect("made");
    fs::write(&path, file).expect("written");
    let home = folder.path().to_string_lossy().into_owned();
    let variable = |name: &str| {
        if name.starts_with("XDG_") {
            return Ok(home.clone());
        }
        let found = variables.iter().find(|(known, _)| *known == name);
        found
            .map(|(_, value)| (*value).to_owned())
            .ok_or(VarError::NotPresent)
    };
    let flags: Vec<_> = flags.iter().map(|(n, v)| (*n, (*v).to_owned())).collect();
    load(None, &flags, variable)
}

fn error(file: &str, variables: &[(&str, &str)], flags: &[(&'static str, &str)]) -> String {
    let error = with(file, variables, flags).expect_err("invalid");
    let text = error.to_string();
    // The file is in a folder with a random name.
    match text.find("/distro-tui/config.toml") {
        Some(at) => text.split_at(at).1.to_owned(),
        None => text,
    }
}

/// The value and the source of a setting.
fn shown(settings: &Settings, name: &str) -> (String, String) {
    let mut all = settings.effective().into_iter();
    let found = all.find(|setting| setting.name == name).expect(name);
    (found.value, found.source.to_string())
}

/// The line of a setting in a file.
fn line(spec: &SettingSpec, value: &str) -> String {
    format!("# A comment.\n{} = {value:?}", spec.name)
}

#[test]
fn every_setting_comes_from_the_strongest_source_that_has_it() {
    for spec in TABLE {
        let (name, variable) = (spec.name, spec.variable());
        let (low, high) = (spec.default, spec.example);
        let source = |file, variables: &[(&str, &str)], flags: &[(&'static str, &str)]| {
            let settings = with(file, variables, flags).expect(name);
            let (value, source) = shown(&settings, name);
            let source = source.rsplit('/').next().unwrap_or_default().to_owned();
            (value, source)
        };
        let expected = |value: &str, source: &str| (value.to_owned(), source.to_owned());
        let (file, example) = (line(spec, low), line(spec, high));
        let variables = [(variable.as_str(), low)];
        assert_eq!(source("", &[], &[]), expected(low, "default"));
        let from_file = source(&example, &[], &[]);
        assert_eq!(from_file, expected(high, "config.toml:2"));
        let from_variable = source(&file, &[(&variable, high)], &[]);
        assert_eq!(from_variable, expected(high, &variable));
        let from_flag = source(&file, &variables, &[(name, high)]);
        assert_eq!(from_flag, expected(high, &format!("--{name}")));
        assert_ne!(low, high, "an example is not the default");
    }
}

#[test]
fn every_wrong_value_names_its_source() {
    for spec in TABLE {
        // A path can be any text, except for none.
        let wrong = if spec.placeholder.contains("DIR") || spec.name == "log-file" {
            ""
        } else {
            "?"
        };
        let (name, variable) = (spec.name, spec.variable());
        let from_file = error(&line(spec, wrong), &[], &[]);
        let start = format!("/distro-tui/config.toml:2: `{name}`: ");
        assert!(from_file.starts_with(&start), "{from_file}");
        let from_flag = error("", &[], &[(name, wrong)]);
        assert!(from_flag.starts_with(&format!("--{name}: ")), "{from_flag}");
        if !wrong.is_empty() {
            let said = error("", &[(&variable, wrong)], &[]);
            assert!(said.starts_with(&format!("{variable}: ")), "{said}");
        }
    }
}

#[test]
fn the_strongest_source_gives_the_value() {
    let workers = |file, variables: &[(&str, &str)], flags: &[(&'static str, &str)]| {
        let settings = with(file, variables, flags).expect("valid");
        settings.node_config().broker.workers
    };
    let variable = [("DISTRO_TUI_WORKERS", "4")];
    assert_eq!(workers("workers = 3", &[], &[]), Some(3));
    assert_eq!(workers("workers = 3", &variable, &[]), Some(4));
    let flag = |text| [("workers", text)];
    assert_eq!(workers("workers = 3", &variable, &flag("5")), Some(5));
    assert_eq!(workers("workers = 3", &variable, &flag("auto")), None);
}

#[test]
fn an_error_says_what_is_wrong_and_what_is_expected() {
    type Case<'a> = (&'a str, &'a [(&'static str, &'a str)], &'a str);
    let file = "/distro-tui/config.toml:1";
    let cases: [Case<'_>; 14] = [
        (
            "thme = \"dark\"",
            &[],
            "FILE: there is no setting `thme`; did you mean `theme`?",
        ),
        (
            "theme = \"drak\"",
            &[],
            "FILE: `theme`: `drak` is not one of dark, light, high-contrast, colour-blind; did you mean `dark`?",
        ),
        (
            "workers = 0",
            &[],
            "FILE: `workers`: `0` is not a number from 1 to 256",
        ),
        (
            "workers = [1]",
            &[],
            "FILE: `workers`: it takes one value, not a list",
        ),
        (
            "retention = \"7\"",
            &[],
            "FILE: `retention`: `7` has no unit; write for example 7h or 7d",
        ),
        (
            "retention = 7",
            &[],
            "FILE: `retention`: `7` has no unit; write for example 7h or 7d",
        ),
        (
            "retention-bytes = 512",
            &[],
            "FILE: `retention-bytes`: `512` has no unit; write for example 512MiB or 512GiB",
        ),
        (
            "max-file-size = \"1B\"",
            &[],
            "FILE: `max-file-size`: `1B` is too small; the minimum is 1 MiB",
        ),
        (
            "time-limit = \"0s\"",
            &[],
            "FILE: `time-limit`: `0s` leaves no time; a time limit is longer than zero, such as 2h",
        ),
        (
            "advertise = \"0.0.0.0:9090\"",
            &[],
            "FILE: `advertise`: `0.0.0.0:9090` cannot be dialed; write an address of this machine and the port that it listens on",
        ),
        (
            "keys = 1",
            &[],
            "FILE: [keys]: it is a table: write [keys], and a line for each action",
        ),
        (
            "keys = { add = 1 }",
            &[],
            "FILE: [keys]: add: a key is text, not a integer",
        ),
        (
            "",
            &[("listen", "here")],
            "--listen: `here` is not an address and a port, such as 127.0.0.1:4433",
        ),
        (
            "",
            &[("metrics", "on")],
            "--metrics: `on` is neither off nor a port nor an address and a port, such as 127.0.0.1:9464",
        ),
    ];
    for (text, flags, says) in cases {
        assert_eq!(error(text, &[], flags), says.replace("FILE", file));
    }
}

#[test]
fn an_error_keeps_the_error_behind_it() {
    use std::error::Error;
    let error = with("", &[], &[("listen", "here")]).expect_err("invalid");
    let reason = error.source().expect("a reason");
    let behind = reason.source().map(ToString::to_string);
    assert_eq!(behind.as_deref(), Some("invalid socket address syntax"));
}

#[test]
fn a_file_that_is_not_toml_is_shown_at_the_mistake() {
    let error = with("theme = \"dark\"\n\tworkers = \n", &[], &[]).expect_err("invalid");
    let text = error.to_string();
    assert!(text.contains("config.toml:2:12: is not TOML: "), "{text}");
    let excerpt = error.excerpt().expect("the line");
    assert_eq!(excerpt, ["  2 |  workers = ", "    |            ^"]);
}

#[test]
fn a_file_that_is_named_must_exist() {
    let missing = Path::new("/nowhere/x.toml");
    let none = |_: &str| Err(VarError::NotPresent);
    let error = load(Some(missing), &[], none).expect_err("missing");
    assert_eq!(
        error.to_string(),
        "/nowhere/x.toml: cannot be read: there is no such file; `distro-tui config init --config FILE` writes one"
    );
}

#[test]
fn a_file_has_a_bounded_size() {
    let text = "#".repeat((1 << 20) + 1);
    let error = error(&text, &[], &[]);
    assert!(
        error.ends_with("cannot be read: it is larger than 1 MiB"),
        "{error}"
    );
}

#[test]
fn keys_are_read_with_their_line() {
    let settings = with(
        "mouse = false\n\n[keys]\nadd = \"i\"\ndown = [\"j\"]",
        &[],
        &[],
    );
    let keys = settings.expect("valid").keys;
    let expected = [("add", "i"), ("down", "j")];
    let expected = expected.map(|(name, key)| (name.to_owned(), vec![key.to_owned()]));
    assert_eq!(keys.value, KeyTable::from(expected));
    assert!(
        keys.source.to_string().ends_with("config.toml:3"),
        "{keys:?}"
    );
}

#[test]
fn unknown_variables_are_named_with_the_nearest() {
    let names = [
        "DISTRO_TUI_WOKERS",
        "DISTRO_TUI_XYZ",
        "DISTRO_TUI_WORKERS",
        "DISTRO_TUI_CONNECT",
        "DISTRO_TUI_TICKET",
        "DISTRO_TUI_SERVICE_HOST",
        "DISTRO_TUI_PORT_9090_TCP",
        "PATH",
    ];
    let unknown = unknown_variables(names.map(str::to_owned));
    let texts: Vec<String> = unknown.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "warning: DISTRO_TUI_WOKERS is ignored: there is no such setting; did you mean `DISTRO_TUI_WORKERS`?",
            "warning: DISTRO_TUI_XYZ is ignored: there is no such setting",
        ]
    );
}

#[test]
fn the_default_file_says_what_the_defaults_are() {
    let documented = with(&default_file(), &[], &[]).expect("valid");
    let built_in = with("", &[], &[]).expect("valid");
    for (documented, built_in) in documented.effective().iter().zip(built_in.effective()) {
        assert_eq!(documented.value, built_in.value, "{}", built_in.name);
        assert!(matches!(documented.source, Source::File { .. }));
    }
    assert_eq!(documented.keys.value, KeyTable::new());
}

#[test]
fn the_defaults_are_those_of_the_library() {
    let settings = with("", &[], &[]).expect("valid");
    let node = settings.node_config();
    let library = crate::node::NodeConfig::at(settings.data_dir());
    assert_eq!(node.listen, library.listen);
    assert_eq!(node.broker.limits, library.broker.limits);
    assert_eq!(node.broker.store.retention, library.broker.store.retention);
    assert_eq!(node.disabled, library.disabled);
}

/// Compares a part of a document with what it should be; `UPDATE_DOCS=1` writes it first.
fn assert_current(file: &str, current: impl Fn(&str) -> String) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let found = fs::read_to_string(&path).expect(file);
    let expected = current(&found);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, expected).expect("written");
    } else {
        assert_eq!(
            found, expected,
            "{file} is out of date; run this test once with UPDATE_DOCS=1"
        );
    }
}

#[test]
fn the_default_file_in_the_sources_is_current() {
    assert_current("assets/config.default.toml", |_| default_file());
}

#[test]
fn the_documentation_lists_every_setting() {
    let (start, end) = ("<!-- settings -->\n", "<!-- end of settings -->");
    assert_current("docs/configuration.md", |guide| {
        let (before, rest) = guide.split_once(start).expect("a start");
        let (_, after) = rest.split_once(end).expect("an end");
        format!("{before}{start}\n{}\n{end}{after}", documents::markdown())
    });
}
