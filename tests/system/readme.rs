//! The commands in the command-line guide run and print the output shown there.

use std::{fs, path::Path, process::Command};

use crate::process::Home;

/// Each command with its expected output.
fn commands() -> Vec<(String, String)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/command-line.md");
    let guide = fs::read_to_string(path).expect("a guide");
    let (_, rest) = guide.split_once("<!-- commands -->").expect("a start");
    let (block, _) = rest.split_once("<!-- end of commands -->").expect("an end");
    let block = block
        .trim()
        .trim_start_matches("```console")
        .trim_end_matches("```");
    let parts = block.split("\n$ ").skip(1);
    parts
        .map(|part| {
            let (command, output) = part.split_once('\n').unwrap_or((part, ""));
            (command.to_owned(), output.trim_end().to_owned())
        })
        .collect()
}

#[test]
fn the_documented_commands_print_the_documented_output() {
    let home = Home::new();
    let _node = home.serve(&[]);
    let commands = commands();
    assert!(commands.len() > 10, "{}", commands.len());
    let program = Path::new(env!("CARGO_BIN_EXE_distro-tui"));
    let folder = program.parent().expect("a folder").to_string_lossy();
    let path = std::env::var("PATH").expect("a path");
    for (command, expected) in commands {
        let mut shell = Command::new("bash");
        shell
            .env_clear()
            .args(["-c", &format!("{{ {command}; }} 2>&1")]);
        for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "HOME"] {
            shell.env(name, home.path());
        }
        shell.env("PATH", format!("{folder}:{path}"));
        let output = shell.output().expect("bash");
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.trim_end(), expected, "$ {command}");
    }
}

#[test]
fn the_service_and_the_container_start_a_node() {
    let unit = fs::read_to_string("assets/distro-tui.service").expect("there");
    let line = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart=/usr/local/bin/distro-tui "));
    let home = Home::new();
    let args: Vec<&str> = line.expect("a command").split(' ').collect();
    let data = home.path().join("d").to_string_lossy().into_owned();
    let args: Vec<&str> = args
        .into_iter()
        .map(|arg| match arg {
            "/var/lib/distro-tui" => &data,
            "0.0.0.0:9090" => "0.0.0.0:0",
            other => other,
        })
        .filter(|arg| *arg != "serve")
        .collect();
    let node = home.serve(&args);
    assert_eq!(node.end(), Some(0));
    let container = fs::read_to_string("assets/Containerfile").expect("there");
    assert!(container.contains(r#"CMD ["serve", "--listen", "0.0.0.0:9090"]"#));
    assert!(
        container.contains("DISTRO_TUI_DATA_DIR=/data"),
        "the data folder is on the volume"
    );
}
