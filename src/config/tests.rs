use clap::Parser;

use super::*;

fn with(file: &str, variables: &[(&str, &str)], flags: &[&str]) -> Result<Settings, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("distro-tui/config.toml");
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
    std::fs::write(&path, file).expect("written");
    let home = folder.path().to_string_lossy().into_owned();
    let cli = crate::cli::Cli::parse_from(["distro-tui"].iter().chain(flags)).options;
    let variable = |name: &str| {
        if name.starts_with("XDG_") {
            return Some(home.clone());
        }
        variables
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, value)| (*value).to_owned())
    };
    load(&cli, variable).map_err(|e| e.to_string().replace(&home, ""))
}

#[test]
fn the_default_file_says_what_the_defaults_are() {
    let documented = with(DEFAULT_FILE, &[], &[]).expect("valid");
    let built_in = with("", &[], &[]).expect("valid");
    let core = |s: &Settings| {
        let mut broker = s.node.broker.clone();
        // Each of the two has a home of its own.
        broker.store.folder = None;
        (
            s.node.listen,
            broker,
            s.ui.theme.clone(),
            s.ui.mouse,
            s.log_level.clone(),
        )
    };
    assert_eq!(core(&documented), core(&built_in));
    let table: toml::Table = DEFAULT_FILE.parse().expect("TOML");
    for name in NAMES {
        assert!(table.contains_key(name), "{name} is not documented");
    }
    assert_eq!(table.len(), NAMES.len() + 1, "only settings and [keys]");
}

#[test]
fn later_sources_win() {
    let workers = |file, variables: &[(&str, &str)], flags: &[&str]| {
        with(file, variables, flags)
            .expect("valid")
            .node
            .broker
            .workers
    };
    let variable = [("DISTRO_TUI_WORKERS", "4")];
    assert_eq!(workers("workers = 3", &[], &[]), 3);
    assert_eq!(workers("workers = 3", &variable, &[]), 4);
    assert_eq!(workers("workers = 3", &variable, &["--workers", "5"]), 5);
}

#[test]
fn an_error_names_its_source_and_what_would_be_right() {
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [&'a str], &'a str);
    let cases: [Case<'_>; 9] = [
        (
            "thme = \"dark\"",
            &[],
            &[],
            "/distro-tui/config.toml: there is no setting `thme`; did you mean `theme`?",
        ),
        (
            "theme = \"drak\"",
            &[],
            &[],
            "`theme`: `drak` is not one of dark, light",
        ),
        (
            "workers = 0",
            &[],
            &[],
            "`workers`: `0` is not a number from 1 to 256",
        ),
        ("workers = [1]", &[], &[], "takes one value, not a list"),
        ("workers =", &[], &[], "is not TOML"),
        (
            "",
            &[("DISTRO_TUI_LISTEN", "here")],
            &[],
            "DISTRO_TUI_LISTEN: `here` is not an address",
        ),
        (
            "",
            &[],
            &["--workers", "many"],
            "--workers: `many` is not a number",
        ),
        (
            "[keys]\nadd = \"b\"",
            &[],
            &[],
            "[keys]: `b` would mean both add and burst",
        ),
        ("[keys]\nad = \"i\"", &[], &[], "did you mean `add`"),
    ];
    for (file, variables, flags, says) in cases {
        let said = with(file, variables, flags).expect_err(says);
        assert!(said.contains(says), "{said}");
    }
}

#[test]
fn a_file_that_is_named_must_exist() {
    let said = with("", &[], &["--config", "/nowhere/x.toml"]).expect_err("missing");
    assert!(
        said.starts_with("/nowhere/x.toml: cannot be read"),
        "{said}"
    );
}
