//! The complete dashboard with a custom object and a custom task.
//!
//! ```text
//! cargo run --example dashboard
//! ```
//!
//! Press 1 to see that `uptime` is registered, and run `:run shout {"text":"hello"}`.

use std::{error::Error, sync::Arc, time::Instant};

use clap::Parser;
use distro_tui::{
    cli::Cli,
    config,
    net::rpc::{error::RemoteError, service::Service},
    node::{Node, Services, Session},
    queue::registry::TaskError,
    ui::Screen,
};

#[derive(serde::Deserialize)]
struct Shout {
    text: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let since = Instant::now();
    let uptime =
        Service::new("Knows how long this program runs").method(
            "seconds() -> float",
            "Seconds since it was started.",
            move |_caller, []: [(); 0]| async move {
                Ok::<_, RemoteError>(since.elapsed().as_secs_f64())
            },
        );
    let shout = |args: Shout, _| async move {
        serde_json::to_string(&args.text.to_uppercase()).map_err(TaskError::permanent)
    };

    let settings = config::load(&Cli::parse(), |name| std::env::var(name).ok())?;
    let offers = Services::new()
        .object("uptime", &["example"], uptime)
        .task("shout", shout);
    let node = Node::start_with(&settings.node, offers)?;
    Screen::new(&settings.ui)?.run(Arc::new(Session::from(node)))?;
    Ok(())
}
