//! The example of a custom dashboard.

use std::path::Path;

use super::harness::Start;

#[test]
fn a_custom_dashboard_has_its_own_object_and_task() {
    let program = Path::new(env!("CARGO_BIN_EXE_distro-tui"));
    let folder = program.parent().expect("a folder").join("examples");
    let example = folder.join("dashboard");
    assert!(
        example.exists(),
        "cargo test builds it; alone: cargo build --examples"
    );
    let mut terminal = Start::command(&example.to_string_lossy()).up();
    terminal.until("its object", |screen| screen.contents().contains("uptime"));
    terminal.press(":");
    terminal.type_text(r#"submit shout {"text":"hello"}"#);
    terminal.press("enter");
    terminal.until("its task", |screen| screen.contents().contains("\"HELLO\""));
    terminal.press("q");
    assert_eq!(terminal.wait_exit(), 0);
}
