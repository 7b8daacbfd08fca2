use clap::Parser;

use super::{table::TABLE, *};

fn with(file: &str, variables: &[(&str, &str)], flags: &[&str]) -> Result<Settings, String> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("distro-tui/config.toml");
    std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
    std::fs::write(&path, file).expect("written");
    let home = folder.path().to_string_lossy().into_owned();
    let cli = Cli::parse_from(["distro-tui"].iter().chain(flags));
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
            s.log_level,
        )
    };
    assert_eq!(core(&documented), core(&built_in));
    let table: toml::Table = DEFAULT_FILE.parse().expect("TOML");
    for name in TABLE.map(|setting| setting.name) {
        assert!(table.contains_key(name), "{name} is not documented");
    }
    assert_eq!(table.len(), TABLE.len() + 1, "only settings and [keys]");
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
    assert_eq!(workers("workers = 3", &[], &[]), Some(3));
    assert_eq!(workers("workers = 3", &variable, &[]), Some(4));
    assert_eq!(
        workers("workers = 3", &variable, &["--workers", "5"]),
        Some(5)
    );
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
            "[keys]: `b` would mean both add and load",
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

#[test]
fn the_documentation_lists_every_setting_with_its_default() {
    let page = include_str!("../../docs/configuration.md");
    let cell = |text: &str| text.trim().trim_matches('`').to_owned();
    let row = |line: &str| {
        let mut cells = line.strip_prefix("| `")?.split('|');
        Some((cell(cells.next()?), cell(cells.next()?)))
    };
    // The first table of the page.
    let rows = page
        .lines()
        .skip_while(|line| !line.starts_with("| setting"));
    let rows = rows.skip(2).map_while(row);
    let settings = with("", &[], &[]).expect("valid").effective;
    let settings = settings.into_iter();
    assert_eq!(
        rows.collect::<Vec<_>>(),
        settings
            .map(|setting| (setting.name.to_owned(), setting.value))
            .collect::<Vec<_>>()
    );
}

#[test]
fn every_flag_of_a_setting_is_one() {
    let flags = [
        "--data-dir=/d",
        "--discover",
        "--log-file=/l",
        "--theme=light",
        "--workers=3",
        "--durability=memory",
        "--listen=127.0.0.1:1",
        "--advertise=127.0.0.1:2",
        "--metrics=3",
        "--disable=broker,greeter",
    ];
    let settings = with("", &[], &flags).expect("valid");
    let given = settings.effective.iter();
    let given = given.filter(|setting| matches!(setting.source, Source::Flag(_)));
    assert_eq!(given.count(), flags.len());
    assert_eq!(settings.node.disabled.len(), 2);
    // The same flags after `serve` belong to its node.
    let serve = with("", &[], &["serve", "--workers=3"]).expect("valid");
    assert_eq!(serve.node.broker.workers, Some(3));
}

#[test]
fn flags_of_a_node_belong_to_the_screen_and_to_serve() {
    use clap::CommandFactory;
    Cli::command().debug_assert();
    let checked = |args: &[&str]| {
        let cli = Cli::try_parse_from(["distro-tui"].iter().chain(args));
        cli.and_then(Cli::checked).map(drop)
    };
    for args in [
        &["--workers", "3"][..],
        &["--workers", "3", "record", "x"],
        &["serve", "--workers", "3"],
        &["--json", "--data-dir", "x", "names", "list"],
        &["names", "list", "--json", "--data-dir", "x"],
    ] {
        assert!(checked(args).is_ok(), "{args:?}");
    }
    for args in [
        &["names", "list", "--workers", "3"][..],
        &["--workers", "3", "names", "list"],
        &["--workers", "3", "serve"],
        &["--read-only", "tasks", "list"],
        &["config", "init", "--print", "--json"],
    ] {
        assert!(checked(args).is_err(), "{args:?}");
    }
}
