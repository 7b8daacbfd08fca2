//! Calls between two processes, beside what others use for the same: plain UDP, bare quinn, tarpc over
//! TCP, and Pyro5. And what a shell gets: the `add` command with a hundred thousand lines.
//!
//! ```text
//! cargo bench --bench system
//! BENCH_PIN=1 cargo bench --bench system      # both processes on one core
//! ```
//!
//! The program starts itself again as the server. Pyro5 is fetched from PyPI into the build folder; without
//! Python, or without PyPI, it is left out with a word. The processor time is that of the caller only.

#[path = "../support/bare.rs"]
mod bare;
#[path = "../support/network.rs"]
mod network;
#[path = "../support/node.rs"]
#[expect(dead_code, reason = "a command finds the node by its data folder")]
mod node;
#[path = "../support/pin.rs"]
mod pin;
#[path = "../support/mod.rs"]
mod support;

mod callers;
mod pyro;
mod server;
mod shell;

use std::process::ExitCode;

use callers::Callers;
use distro_tui::net::trust::key::PublicKey;
use pyro::Pyro;
use server::{SERVE, serve};
use shell::Shell;
use support::{Bound, Cases, Results};

const UDP: &str = "UDP ping-pong, blocking";
const BARE: [&str; 3] = [
    "bare quinn echo, 1 in flight",
    "bare quinn echo, 64 in flight",
    "bare quinn echo, 256 in flight",
];
const CALL: [&str; 3] = [
    "greeter call, 1 in flight",
    "greeter call, 64 in flight",
    "greeter call, 256 in flight",
];
const TARPC: [&str; 3] = [
    "tarpc on TCP, no TLS, 1 in flight",
    "tarpc on TCP, no TLS, 64 in flight",
    "tarpc on TCP, no TLS, 256 in flight",
];
const BARE_NEW: &str = "bare quinn: connect, one echo, close";
const CALL_NEW: &str = "greeter: connect, one call, close";
const PYRO: &str = "Pyro5, 1 in flight";
const LOOKUP: &str = "lookup among 100,000 names, 64 in flight";
const WATCH: &str = "names changed, and seen by a watcher";
const ADD: &str = "add --wait, 100,000 lines";
const IN_FLIGHT: [usize; 3] = [1, 64, 256];

fn main() -> ExitCode {
    if let Some(client) = std::env::var_os(SERVE) {
        let key: PublicKey = client.to_string_lossy().parse().expect("a key");
        serve(key);
        return ExitCode::SUCCESS;
    }
    if !support::is_requested() {
        return ExitCode::SUCCESS;
    }
    if let Some(code) = pin::pinned() {
        return code;
    }
    measure();
    ExitCode::SUCCESS
}

fn measure() {
    let callers = Callers::start();
    let shell = Shell::start();
    let mut pyro = Pyro::start();
    let mut cases = Cases::default();
    cases.add(UDP, UDP, || callers.udp());
    for (i, in_flight) in IN_FLIGHT.into_iter().enumerate() {
        let callers = &callers;
        cases.add(BARE[i], UDP, move || callers.bare(in_flight));
        cases.add(CALL[i], UDP, move || callers.calls(in_flight));
        cases.add(TARPC[i], UDP, move || callers.tarpc(in_flight));
    }
    cases.add(BARE_NEW, BARE_NEW, || callers.bare_connections());
    cases.add(CALL_NEW, BARE_NEW, || callers.connections());
    let has_pyro = pyro.is_some();
    match &mut pyro {
        Some(pyro) => cases.add(PYRO, UDP, || pyro.round()),
        None => println!("Pyro5 cannot be had here and is left out"),
    }
    cases.add(LOOKUP, CALL[1], || callers.lookups());
    cases.add(WATCH, CALL[1], || callers.watched());
    cases.add(ADD, CALL[0], || shell.round());
    let results = cases.run();
    let mut tables = vec![results.table()];
    tables.push(bars(&results));
    if has_pyro {
        tables.push(support::bars([
            (
                "call / Pyro5, 1 in flight",
                Bound::AtLeast(2.0),
                results.ratio(CALL[0], PYRO),
            ),
            (
                "call / Pyro5, 256 in flight",
                Bound::AtLeast(15.0),
                results.ratio(CALL[2], PYRO),
            ),
        ]));
    }
    support::print("Calls between two processes", &tables);
}

fn bars(results: &Results) -> support::Table {
    use Bound::{AtLeast, AtMost};
    support::bars([
        (
            "call / UDP, 1 in flight",
            AtLeast(0.35),
            results.ratio(CALL[0], UDP),
        ),
        (
            "call / UDP, 256 in flight",
            AtLeast(2.5),
            results.ratio(CALL[2], UDP),
        ),
        (
            "CPU of a call / bare quinn, 256 in flight",
            AtMost(2.0),
            results.cpu_ratio(CALL[2], BARE[2]),
        ),
    ])
}
