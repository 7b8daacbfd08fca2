//! A node in a process of its own.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use distro_tui::net::trust::{peer_addr::PeerAddr, ticket::Ticket};

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_distro-tui");

/// A node that runs until it is dropped.
pub(crate) struct Node {
    pub(crate) child: Child,
    pub(crate) peer: PeerAddr,
}

impl Node {
    /// A node with this data folder, listening here, once it can be used.
    pub(crate) fn start(home: &Path, listen: &str) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["serve", "--json", "--listen", listen, "--data-dir"])
            .arg(home)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        let mut line = String::new();
        let out = child.stdout.as_mut().expect("piped");
        BufReader::new(out).read_line(&mut line).expect("a line");
        let ready: serde_json::Value = serde_json::from_str(&line).expect("it is ready");
        let text = |what: &str| ready[what].as_str().expect("printed").to_owned();
        Self {
            child,
            peer: PeerAddr {
                addr: text("addr").parse().expect("an address"),
                key: text("key").parse().expect("a key"),
            },
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Returns a ticket of the node with this data folder.
pub(crate) fn ticket(home: &Path) -> Ticket {
    let printed = Command::new(PROGRAM)
        .args(["ticket", "--data-dir"])
        .arg(home)
        .stderr(Stdio::null())
        .output()
        .expect("it starts");
    let text = String::from_utf8(printed.stdout).expect("text");
    text.trim().parse().expect("a ticket")
}
