//! The complete dashboard with a custom object and a custom task.
//!
//! ```text
//! cargo run --example dashboard
//! ```
//!
//! Press 1 to see that `uptime` is registered, and run `:submit shout {"text":"hello"}`.

use std::{error::Error, sync::Arc, time::Instant};

use clap::Parser;
use distro_tui::{
    cli::Cli,
    config,
    net::rpc::{error::RemoteError, service::Service},
    node::{Node, Services, Session},
    queue::registry::TaskError,
    ui::{Screen, UiOptions},
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

    let cli = Cli::parse();
    let variable = |name: &str| std::env::var(name);
    let settings = config::load(cli.global.config.as_deref(), &cli.settings, variable)?;
    let offers = Services::new()
        .object("uptime", &["example"], uptime)
        .task("shout", shout);
    let node = Node::start_with(&settings.node_config(), offers)?;
    let options = UiOptions::from_settings(&settings, |name| variable(name).ok());
    Screen::new(&options)?.run(Arc::new(Session::from(node)))?;
    Ok(())
}
